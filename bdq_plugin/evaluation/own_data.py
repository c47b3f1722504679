"""An annotation file of one's own videos as the data of an audit, with settings from the videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..datasets.annotations import read_annotations
from ..models.data_preprocessor import KINETICS_MEAN, KINETICS_STD
from ..video.isolation import IsolatedVideo
from .settings import Data

# The shipped encoders were trained at this size; at twice it attackers find little more.
SHORT_SIDE = 48
# Frames of a clip that are encoded at most: its middle.
MAX_FRAMES = 128


def own_data(ann_file: str, data_root: str | None = None) -> Data:
    """Settings for an audit of one's own clips, chosen from the first video.

    Frames are resized to a short side of ``SHORT_SIDE`` pixels in the first video's shape, and kept
    in colour unless that video has none. All frames of a clip are encoded, at most ``MAX_FRAMES``.

    Args:
        ann_file: what ``tools/data/folder/prepare.py`` wrote.
        data_root: folder of the videos; by default the annotation file's, or ``videos`` in it.

    Raises:
        FileNotFoundError, ValueError: no such file, or no clips in it.
    """
    path = Path(ann_file)
    rows = read_annotations(path, ('video', 'action', 'num_frames'), None)
    root = Path(data_root) if data_root else _folder_of(rows[0]['video'], path.parent)
    frames = IsolatedVideo(str(root / rows[0]['video'])).get_batch(np.arange(1))
    height, width = frames.shape[1:3]
    share = SHORT_SIDE / min(height, width)
    size = tuple(4 * max(1, round(share * side / 4)) for side in (width, height))
    grey = bool((frames[..., :1] == frames).all())
    dataset = dict(
        type='SubjectVideoDataset',
        ann_file=str(path),
        data_prefix=dict(video=str(root)),
        pipeline=[
            dict(type='ClipInit'),
            dict(type='AllFrames', max_frames=MAX_FRAMES),
            dict(type='ClipDecode'),
            dict(type='Resize', scale=size, keep_ratio=False),
            *([dict(type='ToGray')] if grey else []),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackSubjectInputs'),
        ],
    )
    channels = 1 if grey else 3
    name = ''.join(c if c.isalnum() else '_' for c in path.stem.lower()).strip('_') or 'own'
    return Data(name, dataset, KINETICS_MEAN[:channels], KINETICS_STD[:channels])


def _folder_of(video: str, folder: Path) -> Path:
    """Where the videos lie: beside the annotation file, or in the folder ``videos`` beside it."""
    for root in (folder, folder / 'videos'):
        if (root / video).is_file():
            return root
    raise FileNotFoundError(
        f'{video} is neither in {folder} nor in {folder / "videos"}: name the folder of the videos '
        '(--data-root)'
    )
