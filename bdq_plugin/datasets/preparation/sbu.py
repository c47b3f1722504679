"""SBU Kinect Interaction: folders of PNG frames, made into lossless videos."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ...progress import track
from ...text_files import read_text
from ..annotations import check_new_file, natural_key
from ..sbu import SBU_NUMBERED_ACTIONS, SBU_TEST, sbu_pair
from .clips import PreparationReport, prepare

# The sets are archives that hold a folder of their own name: s01s02/s01s02/01/001/rgb_000001.png.
_SEQUENCE = re.compile(r'(?:.*/)?(s\d\ds\d\d)/(\d\d)/(\d\d\d)')
_FRAME = 'rgb_*.png'
# Of the data set's Kinect.
_FPS = 15
_COLUMNS = ('video', 'action', 'subject', 'session', 'take', 'split')


def prepare_sbu(
    raw_dir: str | Path, video_dir: str | Path, out: str | Path, overwrite: bool = False
) -> PreparationReport:
    """Write a lossless video of each sequence, and the annotation.

    Args:
        raw_dir: Folder of the unpacked sets, with ``.../s01s02/01/001/rgb_000001.png``: set,
            interaction, take, frame.
        video_dir: Folder to write ``s01s02/01/001.mkv`` to; it is what ``data_prefix`` must name.
            Videos that are there already are kept.
        out: The CSV to write.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, or no sequence in it.
        FileExistsError: ``out`` exists.
        ValueError: A folder names no set or interaction of the data set.
    """
    check_new_file(out, overwrite)
    sequences = _find_sequences(raw_dir)
    test = set(read_text(SBU_TEST).split())
    report = PreparationReport(missing=[name for name in sorted(test) if name not in sequences])
    clips = []
    for name, folder in track(sorted(sequences.items()), 'writing videos'):
        group, number, take = name.split('/')
        if not 1 <= int(number) <= len(SBU_NUMBERED_ACTIONS):
            raise ValueError(f'{folder}: interaction {number} is none of 01 to 08')
        pair = sbu_pair(group)
        video = f'{name}.mkv'
        target = Path(video_dir, video)
        if not target.exists():
            try:
                write_lossless(target, _frames_of(folder), _FPS)
            except (OSError, ValueError) as error:
                report.unreadable.append(str(error))
                continue
        labels = dict(action=SBU_NUMBERED_ACTIONS[int(number) - 1], subject=pair)
        labels.update(session=group, take=int(take), split='test' if name in test else 'train')
        clips.append(dict(video=video, **labels))
    return prepare(video_dir, out, clips, _COLUMNS, report, overwrite=overwrite)


def write_lossless(path: Path, frames: Iterator[np.ndarray], fps: int) -> None:
    """Write uint8 RGB frames (H, W, 3) as FFV1 in Matroska, whole or not at all.

    Raises:
        ValueError: Frames differ in size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.part')
    try:
        with av.open(str(partial), 'w', format='matroska') as container:
            stream = container.add_stream('ffv1', rate=fps)
            stream.pix_fmt = 'bgr0'
            for number, pixels in enumerate(frames):
                if number == 0:
                    stream.height, stream.width = pixels.shape[:2]
                if pixels.shape[:2] != (stream.height, stream.width):
                    raise ValueError(f'{path}: frame {number} has another size than the first')
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
                frame.pts, frame.time_base = number, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _find_sequences(raw_dir: str | Path) -> dict[str, Path]:
    """From ``s01s02/01/001`` to the folder of its frames."""
    root = Path(raw_dir)
    if not root.is_dir():
        raise FileNotFoundError(f'no folder {root}')
    found: dict[str, Path] = {}
    for folder in sorted({frame.parent for frame in root.rglob(_FRAME)}):
        match = _SEQUENCE.fullmatch(folder.relative_to(root).as_posix())
        if match is None:
            continue
        name = '/'.join(match.groups())
        if name in found:
            raise ValueError(f'{found[name]} and {folder} are the same sequence: remove one')
        found[name] = folder
    if not found:
        raise FileNotFoundError(
            f'{root} has no sequence such as s01s02/01/001/rgb_000001.png: unpack the 21 sets there'
        )
    return found


def _frames_of(folder: Path) -> Iterator[np.ndarray]:
    for path in sorted(folder.glob(_FRAME), key=natural_key):
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f'{path}: not a readable picture')
        yield picture[..., ::-1]
