"""From a folder of raw videos to an annotation file, with a report of all that did not fit."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from ..progress import track
from ..video.container import VideoError
from ..video.files import VIDEO_SUFFIXES
from ..video.isolation import IsolatedVideo
from ..video.reader import file_digest
from .annotations import Row, atomic_text_file, check_new_file, write_annotations
from .ixmas import (
    IXMAS_ACTION_SETS,
    IXMAS_ACTIONS,
    IXMAS_COLUMNS,
    IXMAS_SELECTED_720,
    IXMASName,
    parse_ixmas_name,
)
from .kth import KTH_COLUMNS, KTH_INDEX, parse_kth_name, read_kth_index

Name = TypeVar('Name')


# Seconds until a video that is being counted is given up.
_PATIENCE = 600.0
# Of a long list in a report, so many are written out.
_LISTED = 5


@dataclass
class PreparationReport:
    """What became of a folder of videos.

    Attributes:
        rows: The rows of the annotation.
        count_by: Columns to count rows by.
        unrecognised: Files whose names have another form.
        unlisted: Videos that the index or the list of names does not have.
        missing: Names in the index or list without a file.
        unreadable: Files that cannot be decoded, with the reason.
        clipped: Ranges that were cut at the end of their video.
        unusable: Ranges that lie wholly beyond it, and were left out.
    """

    rows: list[Row] = field(default_factory=list)
    count_by: tuple[str, ...] = ()
    unrecognised: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        videos = len({row['video'] for row in self.rows})
        lines = [f'{len(self.rows)} clips from {videos} videos']
        for column in self.count_by:
            counts = sorted(Counter(row[column] for row in self.rows).items())
            lines.append(f'  by {column}: ' + ', '.join(f'{key} {n}' for key, n in counts))
        troubles = {
            'not named as expected': self.unrecognised,
            'not in the list': self.unlisted,
            'missing': self.missing,
            'unreadable': self.unreadable,
            'cut at the end of the video': self.clipped,
            'beyond the end of the video, left out': self.unusable,
        }
        lines += [f'{what}: {_shorten(items)}' for what, items in troubles.items() if items]
        return '\n'.join(lines)


def prepare_kth(
    raw_dir: str | Path, out: str | Path, index: str | Path = KTH_INDEX, overwrite: bool = False
) -> PreparationReport:
    """Write the annotation of KTH: one row a sub-sequence.

    Args:
        raw_dir: Folder of the videos, flat or with one folder an action. It is what
            ``data_prefix=dict(video=...)`` must name.
        out: The CSV to write.
        index: ``00sequences.txt``; the copy in the package by default.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, or no index.
        FileExistsError: ``out`` exists.
        ValueError: No file is named as KTH names its files, or two files are the same video.
    """
    check_new_file(out, overwrite)
    entries = {entry.name.stem: entry for entry in read_kth_index(index) if entry.ranges}
    report = PreparationReport(count_by=('action', 'subject', 'scenario'))
    videos = _recognise(raw_dir, parse_kth_name, report)
    files = _one_file_a_name({path: name.stem for path, name in videos.items()})
    report.unlisted = [str(files[name]) for name in files if name not in entries]
    report.missing = [name for name in entries if name not in files]
    listed = [files[name] for name in entries if name in files]
    for path, num_frames, digest in _examine_all(raw_dir, listed, report):
        name = videos[path]
        for sequence, (start, end) in enumerate(entries[name.stem].ranges, 1):
            what = f'{name.stem} sub-sequence {sequence} ({start} to {end} of {num_frames} frames)'
            if start >= num_frames:
                report.unusable.append(what)
                continue
            if end > num_frames:
                report.clipped.append(what)
            report.rows.append(
                dict(
                    video=path.as_posix(),
                    action=name.action,
                    subject=name.subject,
                    scenario=name.scenario,
                    sequence=sequence,
                    start_frame=start,
                    end_frame=min(end, num_frames),
                    num_frames=num_frames,
                    sha256=digest,
                )
            )
    _write_report_rows(out, report, KTH_COLUMNS, overwrite)
    return report


def prepare_ixmas(
    raw_dir: str | Path,
    out: str | Path,
    actions: str = 'six',
    names: str | Path | None = None,
    overwrite: bool = False,
) -> PreparationReport:
    """Write the annotation of IXMAS: one row a video.

    Args:
        raw_dir: Folder of the videos, flat or with one folder an action.
        out: The CSV to write.
        actions: ``'six'`` or ``'all'``.
        names: A list of the videos to use, one name a line, or ``'selected_720'`` for the list of
            the seed's authors; all videos by default.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, or no list of names.
        FileExistsError: ``out`` exists.
        ValueError: ``actions`` is unknown, no file is named as IXMAS names its files, or two files
            are the same video.
    """
    check_new_file(out, overwrite)
    action_sets = {'all': IXMAS_ACTIONS, **IXMAS_ACTION_SETS}
    if actions not in action_sets:
        raise ValueError(f'unknown actions {actions!r}: choose one of {", ".join(action_sets)}')
    report = PreparationReport(count_by=('action', 'subject', 'take', 'camera'))
    videos = _recognise(raw_dir, parse_ixmas_name, report)
    videos = {path: name for path, name in videos.items() if name.action in action_sets[actions]}
    files = _one_file_a_name({path: path.stem for path in videos})
    wanted = sorted(files)
    if names is not None:
        wanted = [
            stem for stem, name in read_ixmas_names(names) if name.action in action_sets[actions]
        ]
        report.unlisted = sorted(set(files) - set(wanted))
        report.missing = [stem for stem in wanted if stem not in files]
    listed = [files[stem] for stem in wanted if stem in files]
    for path, num_frames, digest in _examine_all(raw_dir, listed, report):
        name = videos[path]
        report.rows.append(
            dict(
                video=path.as_posix(),
                action=name.action,
                subject=name.subject,
                take=name.take,
                camera=name.camera,
                num_frames=num_frames,
                sha256=digest,
            )
        )
    _write_report_rows(out, report, IXMAS_COLUMNS, overwrite)
    return report


def read_ixmas_names(path: str | Path) -> list[tuple[str, IXMASName]]:
    """Read a list of IXMAS videos, one name a line, with or without an extension.

    Args:
        path: The list, or ``'selected_720'`` for the one in the package.

    Returns:
        Pairs of name (without extension) and what it says, without repeats.

    Raises:
        ValueError: A line is not an IXMAS name; names the file and the line.
    """
    path = IXMAS_SELECTED_720 if str(path) == 'selected_720' else Path(path)
    names = {}
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        stem = _strip_video_suffix(line.strip())
        if not stem:
            continue
        try:
            names[stem] = parse_ixmas_name(stem)
        except ValueError as error:
            raise ValueError(f'{path}:{number}: {error}') from error
    return list(names.items())


def find_videos(raw_dir: str | Path) -> list[Path]:
    """Videos in a folder and in the folders right inside it, relative to it and sorted.

    Raises:
        FileNotFoundError: There is no such folder, or no video in it.
    """
    root = Path(raw_dir)
    if not root.is_dir():
        raise FileNotFoundError(f'no folder {root}')
    found = [
        path.relative_to(root)
        for pattern in ('*', '*/*')
        for path in root.glob(pattern)
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    ]
    if not found:
        raise FileNotFoundError(f'{root} has no video ({", ".join(VIDEO_SUFFIXES)})')
    return sorted(found)


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
    videos = _one_file_a_name({path: path.stem for path in find_videos(raw_dir)})
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    unreadable = []
    for stem, path in track(sorted(videos.items()), 'extracting frames'):
        try:
            video = _open(Path(raw_dir, path))
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
    videos = _one_file_a_name({path: path.stem for path in find_videos(raw_dir)})
    kept = sorted(path.stem for path in Path(frames_dir).glob('*.png'))
    if not kept:
        raise FileNotFoundError(f'{frames_dir} has no frame (*.png)')
    orphans = [stem for stem in kept if stem not in videos]
    if orphans:
        raise FileNotFoundError(f'frames without a video in {raw_dir}: {_shorten(orphans)}')
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


def _recognise(
    raw_dir: str | Path, parse: Callable[[str], Name], report: PreparationReport
) -> dict[Path, Name]:
    """Parse the names of all videos; those of another form go into the report."""
    recognised = {}
    for path in find_videos(raw_dir):
        try:
            recognised[path] = parse(path.stem)
        except ValueError as error:
            report.unrecognised.append(path.as_posix())
            reason = error
    if not recognised:
        raise ValueError(f'{raw_dir}: not one video is named as expected; for example, {reason}')
    return recognised


def _one_file_a_name(names: dict[Path, str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path, name in names.items():
        if name in files:
            raise ValueError(f'{files[name]} and {path} are the same video: remove one of them')
        files[name] = path
    return files


def _examine_all(
    raw_dir: str | Path, paths: Sequence[Path], report: PreparationReport
) -> Iterator[tuple[Path, int, str]]:
    """Yield the readable videos, their frame counts and digests; the others go into the report."""
    for path in track(paths, 'reading videos'):
        try:
            file = Path(raw_dir, path)
            yield path, len(_open(file)), file_digest(file)
        except OSError as error:
            report.unreadable.append(str(error))


def _open(path: Path) -> IsolatedVideo:
    """Open a video of unknown trust that has a frame."""
    video = IsolatedVideo(path, timeout=_PATIENCE)
    if len(video) == 0:
        raise VideoError(f'{path}: not one frame can be decoded')
    return video


def _write_report_rows(
    out: str | Path, report: PreparationReport, columns: Sequence[str], overwrite: bool
) -> None:
    if not report.rows:
        raise ValueError(f'not one clip to write to {out}\n{report}')
    write_annotations(out, report.rows, (*columns, 'sha256'), overwrite)


def _strip_video_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in VIDEO_SUFFIXES else name


def _write_png(path: Path, frame: np.ndarray) -> None:
    ok, png = cv2.imencode('.png', cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f'{path}: the frame cannot be encoded')
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    temporary.write_bytes(png.tobytes())
    os.replace(temporary, path)


def _shorten(items: Sequence[str]) -> str:
    more = ', ...' if len(items) > _LISTED else ''
    return f'{len(items)} ({", ".join(items[:_LISTED])}{more})'
