"""An annotation file of one's own videos as the data of an audit, with settings from the videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..datasets.annotations import Row, read_annotations
from ..models.data_preprocessor import KINETICS_MEAN, KINETICS_STD
from ..video.isolation import IsolatedVideo
from ..video.reader import file_digest
from .settings import Data

# The shipped encoders were trained at this size; at twice it attackers find little more.
SHORT_SIDE = 48
# Frames of a clip that are encoded at most: its middle.
MAX_FRAMES = 128
# So many videos, spread over the annotation, are asked for their size and colour.
ASKED = 5


def own_data(ann_file: str, data_root: str | None = None) -> Data:
    """Settings for an audit of one's own clips, chosen from some of the videos.

    Frames are resized to a short side of ``SHORT_SIDE`` pixels in the shape that most videos have,
    and kept in colour unless none has any. All frames of a clip are encoded, at most
    ``MAX_FRAMES``. The annotation's digest is part of the data's identity: with other clips, a
    result under the same name is another one.

    Args:
        ann_file: what ``tools/data/folder/prepare.py`` wrote.
        data_root: folder of the videos; by default the annotation file's, or ``videos`` in it.

    Raises:
        FileNotFoundError, ValueError: no such file, or no clips in it.
    """
    path = Path(ann_file)
    rows = read_annotations(path, ('video', 'action', 'num_frames'), None)
    root = Path(data_root) if data_root else _folder_of(rows[0]['video'], path.parent)
    (width, height), grey = _look_at(rows, root)
    share = SHORT_SIDE / min(height, width)
    size = tuple(4 * max(1, round(share * side / 4)) for side in (width, height))
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
    # It becomes a part of a path.
    allowed = [c if c.isascii() and c.isalnum() else '_' for c in path.stem.lower()]
    name = ''.join(allowed).strip('_') or 'own'
    return Data(
        name,
        dataset,
        KINETICS_MEAN[:channels],
        KINETICS_STD[:channels],
        annotation=file_digest(path),
    )


def _look_at(rows: Sequence[Row], root: Path) -> tuple[tuple[int, int], bool]:
    """Width and height of most videos, and whether none of those asked has colour.

    A frame from the middle: many a video begins in black.
    """
    videos = {str(row['video']): int(row['num_frames']) for row in rows}
    places = np.unique(np.linspace(0, len(videos) - 1, ASKED).round().astype(int))
    sizes, grey = Counter(), True
    for name in np.array(list(videos), object)[places]:
        frame = IsolatedVideo(str(root / name)).get_batch([videos[name] // 2])[0]
        sizes[frame.shape[1], frame.shape[0]] += 1
        grey = grey and bool((frame[..., :1] == frame).all())
    return sizes.most_common(1)[0][0], grey


def _folder_of(video: str, folder: Path) -> Path:
    """Where the videos lie: beside the annotation file, or in the folder ``videos`` beside it."""
    for root in (folder, folder / 'videos'):
        if (root / video).is_file():
            return root
    raise FileNotFoundError(
        f'{video} is neither in {folder} nor in {folder / "videos"}: name the folder of the videos '
        '(--data-root)'
    )
