"""Choose videos by eye: a frame of each to look at, then a copy of those whose frames are left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np

from ...progress import track
from ..annotations import atomic_text_file, check_new_file, shorten
from .clips import find_videos, one_file_a_name, open_unknown


def extract_middle_frames(raw_dir: str | Path, out_dir: str | Path) -> list[str]:
    """Write the middle frame of each video as ``NAME.png``, to look the videos through.

    Args:
        raw_dir: Folder of the videos.
        out_dir: Folder of the frames; made where it is missing.

    Returns:
        The videos that could not be read, with the reason.

    Raises:
        FileNotFoundError: There is no such folder, or no video in it.
        ValueError: Two videos have the same name.
    """
    videos = one_file_a_name({path: path.stem for path in find_videos(raw_dir)})
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    unreadable = []
    for stem, path in track(sorted(videos.items()), 'extracting frames'):
        try:
            video = open_unknown(Path(raw_dir, path))
            frame = video.get_batch([len(video) // 2])[0]
        except OSError as error:
            unreadable.append(str(error))
            continue
        _write_png(out_dir / f'{stem}.png', frame)
    return unreadable


def select_videos(
    raw_dir: str | Path,
    frames_dir: str | Path,
    out_dir: str | Path,
    names: str | Path | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Copy the videos whose frame (see :func:`extract_middle_frames`) has been kept.

    Args:
        raw_dir: Folder of the videos.
        frames_dir: Folder of the frames that the user kept.
        out_dir: Folder to copy to; made where it is missing.
        names: Where to write the list of their names, fit for ``prepare_ixmas(names=...)``;
            ``out_dir/selected.txt`` by default.
        overwrite: Replace the list where it exists.

    Returns:
        The names, sorted.

    Raises:
        FileNotFoundError: A folder is missing, no frame has been kept, or a frame has no video.
        FileExistsError: The list exists.
    """
    names = Path(out_dir, 'selected.txt') if names is None else Path(names)
    check_new_file(names, overwrite)
    videos = one_file_a_name({path: path.stem for path in find_videos(raw_dir)})
    kept = sorted(path.stem for path in Path(frames_dir).glob('*.png'))
    if not kept:
        raise FileNotFoundError(f'{frames_dir} has no frame (*.png)')
    orphans = [stem for stem in kept if stem not in videos]
    if orphans:
        raise FileNotFoundError(f'frames without a video in {raw_dir}: {shorten(orphans)}')
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    for stem in track(kept, 'copying videos'):
        target = Path(out_dir, videos[stem].name)
        # Under another name first: an interrupted copy must not look like a video.
        partial = target.with_name(f'.{target.name}.part')
        shutil.copy2(Path(raw_dir, videos[stem]), partial)
        os.replace(partial, target)
    with atomic_text_file(names, overwrite) as file:
        file.writelines(f'{stem}\n' for stem in kept)
    return kept


def _write_png(path: Path, frame: np.ndarray) -> None:
    ok, png = cv2.imencode('.png', cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f'{path}: the frame cannot be encoded')
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    temporary.write_bytes(png.tobytes())
    os.replace(temporary, path)
