"""Synthetic videos under the names of IXMAS."""

from __future__ import annotations

import shutil
from pathlib import Path

from bdq_plugin.datasets.ixmas import IXMAS_ACTION_SETS, IXMAS_NUMBERED_ACTIONS, IXMAS_SUBJECTS
from bdq_plugin.datasets.kth import KTH_ACTIONS
from bdq_plugin.datasets.synthetic import make_kth


def make_ixmas(root: Path, frames: int = 8, cameras: int = 2) -> Path:
    """Two people, three takes, each from some cameras; the folder of the videos, ``root/raw``."""
    make_kth(root, subjects=2, scenarios=3, frames_per_sequence=frames, size=(64, 48))
    (root / 'videos').rename(root / 'raw')
    for path in sorted((root / 'raw').iterdir()):
        for camera in range(cameras):
            shutil.copy(path, path.with_name(_name(path.stem, camera)))
        path.unlink()
    return root / 'raw'


def _name(stem: str, camera: int) -> str:
    person, action, take, _ = stem.split('_')
    subject = IXMAS_SUBJECTS[int(person.removeprefix('person')) - 1]
    action = IXMAS_ACTION_SETS['six'][KTH_ACTIONS.index(action)]
    number = IXMAS_NUMBERED_ACTIONS.index(action) + 1
    return f'{subject}{take[-1]}_{number:02d}_{action}_cam{camera}_frames_0000_0031.avi'
