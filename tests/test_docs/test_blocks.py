"""Every block of code on a page runs in a test, or says what it needs; links lead somewhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bdq_plugin.encoders import build_encoder, save_encoder
from tests.game import REPOSITORY

from .blocks import blocks, pages

CODE = {'bash', 'c', 'python', 'yaml'}
NO_CODE = {'bibtex', 'text'}
# Which test runs the blocks of a page that need nothing.
RUN_BY = {
    ('README.md', 'python'): 'test_docs/test_blocks.py',
    ('CONTRIBUTING.md', 'bash'): 'test_project_files.py',
    ('docs/deploy.md', 'c'): 'test_deploy/test_c_core.py',
    ('docs/deploy.md', 'python'): 'test_docs/test_blocks.py',
    ('docs/encoders.md', 'python'): 'test_docs/test_blocks.py',
    ('docs/extend.md', 'bash'): 'test_docs/test_examples.py',
    ('docs/extend.md', 'python'): 'test_docs/test_examples.py',
    ('docs/home.md', 'bash'): 'test_docs/test_home.py',
    ('docs/home.md', 'yaml'): 'test_docs/test_home.py',
    ('docs/own_data.md', 'bash'): 'test_docs/test_own_data.py',
    ('docs/training.md', 'bash'): 'test_docs/test_training.py',
    ('docs/training.md', 'python'): 'test_docs/test_training.py',
    ('docs/tutorials.md', 'bash'): 'test_docs/test_tutorials.py',
}
HERE = 'test_docs/test_blocks.py'


@pytest.mark.parametrize('page', pages())
def test_every_block_is_run_or_needs_something(page):
    fences = (REPOSITORY / page).read_text().count('\n```')
    found = blocks(page)
    assert fences == 2 * len(found), 'a fence is not closed, or stands within a line'
    for block in found:
        assert block.language in CODE | NO_CODE, f'a language for: {block.text}'
        if block.language in CODE and not block.needs:
            assert (page, block.language) in RUN_BY, f'run it, or say what it needs: {block.text}'


@pytest.mark.parametrize('claim', RUN_BY)
def test_who_runs_blocks_names_their_page(claim):
    page, language = claim
    assert [b for b in blocks(page) if b.language == language and not b.needs]
    assert page.rpartition('/')[2] in (REPOSITORY / 'tests' / RUN_BY[claim]).read_text()


PYTHON = [
    block
    for (page, language), test in RUN_BY.items()
    if language == 'python' and test == HERE
    for block in blocks(page)
    if block.language == language and not block.needs
]


@pytest.mark.parametrize('block', PYTHON, ids=lambda block: block.page)
def test_python(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_encoder(build_encoder('bdq_hard'), 'work_dirs/bdq_kth/encoder.json')
    frames = np.random.default_rng(0).integers(256, size=(3, 12, 16, 3), dtype=np.uint8)
    names = dict(camera=list(frames))
    exec(compile(block.text, block.page, 'exec'), names)
    if block.page == 'README.md':
        assert block.text.count('\n') <= 20
        codes = names['codes'][0].permute(1, 2, 3, 0).numpy()
        assert names['encoded'].shape == (1, 3, 15, 48, 64)
        assert (np.stack(names['received']) == codes).all()
    if block.page == 'docs/deploy.md':
        assert names['codes'].shape == frames[0].shape


def test_readme_is_a_page():
    text = (REPOSITORY / 'README.md').read_text()
    assert text.count('\n') <= 160 and text.count('<!-- table:') == 1


# ---------------------------------------------------------------------- links
LINK = re.compile(r'(?:\]\(|src="|srcset=")([^)"\s]+)[)"]')


def anchors(page: str) -> set[str]:
    """The names that headings get, by GitHub and by MkDocs alike."""
    text = re.sub(r'^```.*?^```', '', (REPOSITORY / page).read_text(), flags=re.DOTALL | re.M)
    headings = re.findall(r'^#+ (.+)$', text, re.M)
    return {re.sub(r'[^\w\- ]', '', each.lower()).replace(' ', '-') for each in headings}


@pytest.mark.parametrize('page', pages())
def test_links_lead_somewhere(page):
    text = (REPOSITORY / page).read_text()
    for link in LINK.findall(text):
        if link.startswith('https://'):
            continue
        path, _, anchor = link.partition('#')
        target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert target.is_file(), f'{page} links to {link}'
        if anchor:
            name = str(target.resolve().relative_to(REPOSITORY))
            assert anchor in anchors(name), f'{page} links to {link}'
