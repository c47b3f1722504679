"""What MkDocs builds beside the pages of docs/: README as the first page, and the Python API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
FROM_ROOT = {
    'README.md': 'index.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
    'LICENSE': 'LICENSE',
    'NOTICE': 'NOTICE',
}
# Modules of each page: what packages say is public, and modules that they leave to be imported.
REFERENCE = {
    'encoders': ['encoders', 'encoders.functional', 'encoder_file', 'camera_form'],
    'deploy': ['deploy', 'deploy.export', 'deploy.c_core', 'deploy.playground'],
    'video': ['video', 'video.source', 'video.reader'],
    'datasets': ['datasets', 'datasets.preparation', 'datasets.synthetic'],
    'models': ['models'],
    'engine': ['engine', 'engine.launch'],
    'evaluation': [
        'evaluation',
        'evaluation.audit',
        'evaluation.candidates',
        'evaluation.settings',
        'evaluation.own_data',
        'evaluation.results',
        'evaluation.pooling',
        'evaluation.tables',
        'evaluation.statistics',
        'evaluation.verdict',
    ],
    'visualization': ['visualization', 'visualization.report'],
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that do not lie in docs/."""
    for source, target in FROM_ROOT.items():
        text = (ROOT / source).read_text(encoding='utf-8')
        files.append(File.generated(config, target, content=at_home(text)))
    for name, modules in REFERENCE.items():
        text = '\n\n'.join(f'::: bdq_plugin.{module}' for module in modules)
        page = f'# {name.capitalize()}\n\n{text}\n'
        files.append(File.generated(config, f'reference/{name}.md', content=page))
    return files


def at_home(text: str) -> str:
    """Links of a page of the repository's root as they are from the site's."""
    return re.sub(r'(?<=[("])docs/', '', renamed(text))


def renamed(text: str) -> str:
    """Links to the pages of the repository's root by their names in the site."""
    return re.sub(
        r'(?<=\]\()(?:\.\./)?(\w+(?:\.md)?)(?=[)#])',
        lambda match: FROM_ROOT.get(match[1], match[0]),
        text,
    )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The same on pages of docs/."""
    return renamed(markdown)
