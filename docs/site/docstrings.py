"""Docstrings of the package as mkdocstrings reads them."""

from __future__ import annotations

import re
from typing import Any

import griffe


class PlainMarkdown(griffe.Extension):
    """What Sphinx would know, as Markdown: sections, roles and literal blocks."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of each object."""
        if obj.docstring:
            text = re.sub(r'^Example:$', 'Examples:', obj.docstring.value, flags=re.MULTILINE)
            text = re.sub(r':(?:mod|class|func|meth|data|attr|exc):`[~.]*', '`', text)
            obj.docstring.value = re.sub(r'::$', ':', text, flags=re.MULTILINE)
