"""The notebook runs from start to end, in a fresh kernel, and shows its figures inline."""

import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient

from .game import REPOSITORY

NOTEBOOK = REPOSITORY / 'notebooks' / 'bdq_quickstart.ipynb'
TINY = """
SUBJECTS, SCENARIOS, FRAME_SIZE, FRAMES = 2, 3, (80, 60), 16
EPOCHS, AUDIT_EPOCHS = 1, 1
ROOT = {root!r}
"""


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_stored_without_output(notebook):
    nbformat.validate(notebook)
    assert all(not cell.get('outputs') for cell in notebook.cells)


def test_runs_from_start_to_end(notebook, tmp_path: Path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    (parameters,) = [c for c in notebook.cells if 'parameters' in c.metadata.get('tags', [])]
    parameters.source = TINY.format(root=str(tmp_path / 'quickstart'))
    kernel = KernelManager()
    # This Python, whatever kernels the machine has registered.
    kernel.kernel_spec.argv[0] = sys.executable
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=600,
        startup_timeout=180,
        resources={'metadata': {'path': str(NOTEBOOK.parent)}},
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get('outputs', [])]
    pictures = [o for o in outputs if any(k.startswith('image/') for k in o.get('data', {}))]
    assert len(pictures) == 6
    texts = [o['data'].get('text/markdown', '') for o in outputs if 'data' in o]
    assert any('| chance for the person | 50.0 |' in text for text in texts)
    assert any('| bdq | hard | 1 x 1 |' in text for text in texts)
    report = (tmp_path / 'quickstart' / 'report.html').read_text()
    assert 'Test metrics' in report and '| bdq' not in report
