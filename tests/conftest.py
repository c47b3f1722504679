"""Shared fixtures: the research data where it is present, and a tiny synthetic KTH."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from mmengine.registry import init_default_scope

import bdq_plugin  # noqa: F401  (mends the stack and registers before any test imports mmaction)
from bdq_plugin.datasets.preparation import prepare_folder, prepare_ixmas, prepare_kth
from bdq_plugin.datasets.synthetic import make_folder, make_kth

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_finish() -> None:
    """What is imported stays: the collections that MMEngine forces need not look through it.

    And forks can train: not where the first gradient of their parent was taken in torch.compile.
    """
    gc.collect()
    gc.freeze()
    torch.ones((), requires_grad=True).backward()


class SyntheticKTH(NamedTuple):
    """A synthetic KTH folder: ``root/videos``, ``root/00sequences.txt`` and its annotation."""

    root: Path
    annotation: Path


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The research data: ``$BDQ_TEST_DATA``, by default ``shared/data`` beside the repository."""
    default = REPOSITORY.parent / 'shared' / 'data'
    folder = Path(os.environ.get('BDQ_TEST_DATA', default))
    if not (folder / 'kth').is_dir() or not (folder / 'ixmas').is_dir():
        pytest.skip(f'no research data in {folder}: set BDQ_TEST_DATA to the folder that has it')
    return folder


@pytest.fixture(scope='session')
def ixmas_raw(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 360 IXMAS clips as AVI files."""
    script = real_data.parent / 'tools' / 'unpack_ixmas.py'
    if not script.is_file():
        pytest.skip(f'no {script} to unpack the IXMAS clips with')
    folder = tmp_path_factory.mktemp('ixmas') / 'videos'
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope='session')
def ixmas_annotation(ixmas_raw: Path) -> Path:
    """The annotation file of ``ixmas_raw``, beside it."""
    out = ixmas_raw.parent / 'ixmas.csv'
    prepare_ixmas(ixmas_raw, out)
    return out


@pytest.fixture(scope='session')
def synthetic_kth(tmp_path_factory: pytest.TempPathFactory) -> SyntheticKTH:
    """Three people, six actions, two scenarios, 36 frames a sub-sequence, 80 x 60 pixels."""
    root = tmp_path_factory.mktemp('synthetic_kth')
    make_kth(root, subjects=3, scenarios=2, frames_per_sequence=36, size=(80, 60))
    annotation = root / 'kth.csv'
    prepare_kth(root / 'videos', annotation, root / '00sequences.txt')
    return SyntheticKTH(root, annotation)


class SyntheticOwn(NamedTuple):
    """A folder of one's own videos, and its annotation."""

    root: Path
    annotation: Path

    def options(self, annotation: Path | None = None) -> dict[str, Any]:
        """Of a recipe for own videos: an epoch of three steps on these, or on other rows."""
        ann_file = self.annotation if annotation is None else annotation
        given = {'ann_file': str(ann_file), 'data_root': str(self.root), 'max_epochs': 1}
        for split in ('train', 'val', 'test'):
            loader = f'{split}_dataloader'
            given[f'{loader}.batch_size'] = 4
            given[f'{loader}.dataset.min_frames'] = 20
            given[f'{loader}.dataset.pipeline.1.clip_len'] = 17
        return given


@pytest.fixture(scope='session')
def synthetic_own(tmp_path_factory: pytest.TempPathFactory) -> SyntheticOwn:
    """Two actions, three people, three takes: 18 colour videos, ``ACTION/PERSON_TAKE.mp4``."""
    root = tmp_path_factory.mktemp('own') / 'videos'
    make_folder(root, actions=('handwaving', 'walking'), frames=20, size=(64, 48))
    annotation = root.parent / 'own.csv'
    prepare_folder(root, annotation, pattern='{action}/{subject}_{take}.mp4')
    return SyntheticOwn(root, annotation)


@pytest.fixture(scope='session', autouse=True)
def unformatted_configs() -> Iterator[None]:
    """Runs dump their configs as they are: yapf would take as long as a tiny training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture(autouse=True)
def threads_of_torch() -> Iterator[None]:
    """A tool sets them for its process: no later test sums in another order for that."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def mmaction_scope() -> None:
    """Resolve names as a config with ``default_scope = 'mmaction'`` does."""
    init_default_scope('mmaction')
