"""The blocks of code on pages."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

import yaml

from tests.game import REPOSITORY

_BLOCK = re.compile(
    r'^(?:<!-- needs: (?P<needs>.+?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """What stands between fences, its language, and what it needs that no test has."""

    page: str
    language: str
    text: str
    needs: str | None


def blocks(page: str) -> list[Block]:
    """All of a page, which is named from the repository's root."""
    found = _BLOCK.finditer((REPOSITORY / page).read_text())
    return [Block(page, m['language'], m['text'], m['needs']) for m in found]


def pages() -> list[str]:
    """Those of the site that people wrote."""
    nav = yaml.safe_load((REPOSITORY / 'mkdocs.yml').read_text())['nav']
    entries = [page for part in nav for group in part.values() for page in _flat(group)]
    from_root = {'index.md', 'contributing.md', 'changelog.md'}
    own = [f'docs/{page}' for page in entries if page not in from_root]
    written = [page for page in own if not page.startswith('docs/reference/')]
    return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', *written]


def _flat(group: str | list) -> list[str]:
    return [group] if isinstance(group, str) else [page for each in group for page in each.values()]


def commands(page: str) -> list[list[str]]:
    """The lines of shell of a page that need nothing, in their order, as lists of words."""
    text = ''.join(b.text for b in blocks(page) if b.language == 'bash' and not b.needs)
    lines = text.replace('\\\n', ' ').splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
