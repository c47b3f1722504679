"""What every data set's preparation shares: find videos, examine them, check the rows, report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ...progress import track
from ...video import files
from ...video.container import VideoError
from ...video.isolation import IsolatedVideo
from ...video.reader import file_digest
from ..annotations import (
    FILE_COLUMNS,
    TEXT_COLUMNS,
    Row,
    check_new_file,
    check_spelling,
    is_whole,
    natural_key,
    shorten,
    write_annotations,
)
from .advice import advise

Name = TypeVar('Name')

# What is measured of each video, in the order of the file.
MEASURED = ('num_frames', 'width', 'height', 'fps', 'sha256')

# Seconds until a video that is being counted is given up.
_PATIENCE = 600.0
# Clips of one file that have this share in common show the same.
_SAME = 0.5
# Values of a column that the report counts one by one.
_COUNTED = 30


@dataclass
class PreparationReport:
    """What became of a folder of videos.

    Attributes:
        rows: The rows of the annotation.
        count_by: Columns to count rows by.
        not_videos: Files that have no video's extension.
        unrecognised: Videos whose names have another form.
        unlisted: Videos that the index or list does not have.
        missing: Names in the index or list without a file.
        unreadable: Files that cannot be decoded, with the reason.
        copies: Clips that show, byte for byte, the frames of another one.
        short: Clips with too few frames.
        clipped: Ranges that were cut at the end of their video.
        unusable: Ranges that lie wholly beyond it.
        advice: What a protocol, a network or an audit will stumble over.
    """

    rows: list[Row] = field(default_factory=list)
    count_by: tuple[str, ...] = ()
    not_videos: list[str] = field(default_factory=list)
    unrecognised: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.describe()

    def describe(self, listed: int = 5) -> str:
        """Counts and what was left out, of each kind the first ``listed`` names."""
        videos = len({row['video'] for row in self.rows})
        lines = [f'{len(self.rows)} clips from {videos} videos']
        for column in self.count_by:
            counts = Counter(row.get(column, '') for row in self.rows)
            shown = [f'{key} {counts[key]}' for key in sorted(counts, key=natural_key)]
            more = f', ... ({len(shown)} values)' if len(shown) > _COUNTED else ''
            lines.append(f'  by {column}: {", ".join(shown[:_COUNTED])}{more}')
        troubles = {
            'left out, not named as expected': self.unrecognised,
            'left out, not in the list': self.unlisted,
            'left out, unreadable': self.unreadable,
            'copies of another clip': self.copies,
            'left out, too short': self.short,
            'left out, beyond the end of the video': self.unusable,
            'left out, no video by its name': self.not_videos,
            'missing': self.missing,
            'cut at the end of the video': self.clipped,
        }
        lines += [f'{what}: {shorten(names, listed)}' for what, names in troubles.items() if names]
        return '\n'.join(lines + [f'note: {line}' for line in self.advice])


def prepare(
    raw_dir: str | Path,
    out: str | Path,
    clips: Sequence[dict[str, Any]],
    columns: Sequence[str],
    report: PreparationReport,
    min_frames: int = 1,
    strict: bool = False,
    overwrite: bool = False,
) -> PreparationReport:
    """Examine the videos of clips and write their annotation.

    Args:
        raw_dir: Folder of the videos.
        out: The file to write.
        clips: For each, ``video`` (a path relative to ``raw_dir``), its labels, and where it is
            not a whole video its place: ``start_frame`` and ``end_frame``, or ``start`` and ``end``
            in seconds.
        columns: The columns of labels, in the order of the file, ``video`` first.
        report: What was left out before; completed and returned.
        min_frames: Shorter clips are left out.
        strict: Leave copies out, and raise ValueError where one clip has two labels. Published data
            keep theirs, and the report says so.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileExistsError: ``out`` exists.
        ValueError: No clip is left, or one thing has two names.
    """
    check_new_file(out, overwrite)
    report.count_by = tuple(name for name in columns if name not in ('video', *FILE_COLUMNS))
    found = _measure_all(raw_dir, clips, report)
    for clip in clips:
        if clip['video'] in found:
            row = _row_of(clip, found[clip['video']], min_frames, report)
            if row is not None:
                report.rows.append(row)
    report.rows = _with_numbers(report.rows, report.count_by)
    report.rows = _check_copies(report.rows, strict, report)
    if not report.rows:
        raise ValueError(f'not one clip to write to {out}\n{report}')
    check_spelling(report.rows, report.count_by, raw_dir)
    report.advice += advise(report.rows, report.count_by)
    has_ranges = any('start_frame' in row for row in report.rows)
    ranges = [name for name in ('start_frame', 'end_frame') if has_ranges and name not in columns]
    write_annotations(out, report.rows, (*columns, *ranges, *MEASURED), overwrite)
    return report


def find_videos(raw_dir: str | Path, report: PreparationReport | None = None) -> list[Path]:
    """Videos in a folder and below it, relative to it and in natural order.

    Links to folders are followed (see :func:`bdq_plugin.video.files.find_videos`).

    Args:
        raw_dir: The folder.
        report: Takes the names of the files that are none.

    Raises:
        FileNotFoundError: There is no such folder, or no video in it.
    """
    root = Path(raw_dir)
    if not root.is_dir():
        raise FileNotFoundError(f'no folder {root}')
    found = files.find_videos(root)
    if report is not None:
        report.not_videos += [path.relative_to(root).as_posix() for path in found.others]
        report.unreadable += [f'{folder}: may not be listed' for folder in found.closed]
    if not found.videos:
        raise FileNotFoundError(f'{root} has no video ({", ".join(sorted(files.VIDEO_SUFFIXES))})')
    return sorted((path.relative_to(root) for path in found.videos), key=natural_key)


def recognise(
    raw_dir: str | Path,
    parse: Callable[[Path], Name],
    report: PreparationReport,
) -> dict[Path, Name]:
    """Parse the names of all videos; those of another form go into the report.

    Args:
        raw_dir: Folder of the videos.
        parse: From a path relative to ``raw_dir`` to what it says; ValueError where it has another
            form.
        report: Completed.

    Raises:
        ValueError: Not one has the form.
    """
    recognised = {}
    for path in find_videos(raw_dir, report):
        try:
            recognised[path] = parse(path)
        except AmbiguousName:
            raise
        except ValueError as error:
            report.unrecognised.append(path.as_posix())
            reason = error
    if not recognised:
        raise ValueError(f'{raw_dir}: not one video is named as expected; for example, {reason}')
    return recognised


def one_file_a_name(names: dict[Path, str]) -> dict[str, Path]:
    """From names to files, where each name has one."""
    files: dict[str, Path] = {}
    for path, name in names.items():
        if name in files:
            raise ValueError(f'{files[name]} and {path} are the same video: remove one of them')
        files[name] = path
    return files


def open_unknown(path: Path) -> IsolatedVideo:
    """Open a video of unknown trust that has a frame."""
    video = IsolatedVideo(path, timeout=_PATIENCE)
    if len(video) == 0:
        raise VideoError(f'{path}: not one frame can be decoded')
    return video


class AmbiguousName(ValueError):
    """A path can be read in several ways: its labels cannot be trusted."""


class _Video(NamedTuple):
    """What a video measures, as the columns of ``MEASURED``; where a clip of it has its place in
    seconds, also the milliseconds from the first frame to each one.
    """

    num_frames: int
    width: int
    height: int
    fps: float
    sha256: str
    times_ms: Sequence[int] = ()

    def frame_at(self, seconds: float) -> int:
        """The frame nearest to a time; behind the last one, as if others followed."""
        beyond = 1000 * seconds - self.times_ms[-1]
        if beyond >= 0:
            return self.num_frames - 1 + round(beyond / 1000 * self.fps)
        return int(np.abs(np.subtract(self.times_ms, 1000 * seconds)).argmin())


def _measure_all(
    raw_dir: str | Path, clips: Sequence[dict[str, Any]], report: PreparationReport
) -> dict[str, _Video]:
    """Measure the readable videos of clips; the others go into the report."""
    found = {}
    timed = {clip['video'] for clip in clips if not {'start', 'end'}.isdisjoint(clip)}
    for name in track(list(dict.fromkeys(clip['video'] for clip in clips)), 'reading videos'):
        path = Path(raw_dir, name)
        try:
            video = open_unknown(path)
            height, width = video.size()
            fps = round(video.fps, 3)
            times_ms = video.times_ms() if name in timed else ()
            found[name] = _Video(len(video), width, height, fps, file_digest(path), times_ms)
        except OSError as error:
            report.unreadable.append(str(error))
    return found


def _row_of(
    clip: dict[str, Any], video: _Video, min_frames: int, report: PreparationReport
) -> Row | None:
    """The row of a clip, or None where nothing of it can be used."""
    row = {key: value for key, value in clip.items() if key not in ('start', 'end')}
    row.update((name, getattr(video, name)) for name in MEASURED)
    start, end = 0, video.num_frames
    if not {'start', 'end', 'start_frame', 'end_frame'}.isdisjoint(clip):
        start, end = _range_of(clip, video)
        what = f'{clip["video"]} ({start} to {end} of {video.num_frames} frames)'
        if start >= min(end, video.num_frames):
            report.unusable.append(what)
            return None
        if end > video.num_frames:
            report.clipped.append(what)
            end = video.num_frames
        row.update(start_frame=start, end_frame=end)
    if end - start < min_frames:
        report.short.append(f'{clip["video"]} ({end - start} frames)')
        return None
    return row


def _range_of(clip: dict[str, Any], video: _Video) -> tuple[int, int]:
    """First frame and the one behind the last; a time is that of the frame nearest to it."""
    start, end = clip.get('start_frame', 0), clip.get('end_frame', video.num_frames)
    if 'start' in clip:
        start = video.frame_at(clip['start'])
    if 'end' in clip:
        end = video.frame_at(clip['end'])
    return start, end


def _check_copies(rows: Sequence[Row], strict: bool, report: PreparationReport) -> list[Row]:
    """Rows without those that show what another one shows, which must have the same labels."""
    kept, seen, conflicts = [], defaultdict(list), []
    for row in rows:
        copied = next((o for o in seen[row['sha256']] if _overlap(row, o) == 1), None)
        for other in seen[row['sha256']]:
            labels = [name for name in ('action', 'subject') if row.get(name) != other.get(name)]
            if _overlap(row, other) > _SAME and labels:
                name = labels[0]
                conflicts.append(
                    f'{_place(other)} and {_place(row)} show the same frames, but {name} is '
                    f'{other.get(name)!r} in one and {row.get(name)!r} in the other'
                )
        if copied is not None:
            report.copies.append(f'{_place(row)} of {_place(copied)}')
        if copied is None or not strict:
            seen[row['sha256']].append(row)
            kept.append(row)
    if conflicts and strict:
        raise ValueError(f'one clip has two labels: {shorten(conflicts)}; correct or remove one')
    report.advice += conflicts
    return kept


def _overlap(row: Row, other: Row) -> float:
    """Share of the frames of either clip, the shorter one, that the other has too; 1 for a copy."""
    (first, last), (begin, end) = _frames(row), _frames(other)
    common = max(0, min(last, end) - max(first, begin))
    if common and (first, last) != (begin, end):
        return min(common / min(last - first, end - begin), 0.99)
    return float(common > 0)


def _frames(row: Row) -> tuple[int, int]:
    return row.get('start_frame', 0), row.get('end_frame', row['num_frames'])


def _place(row: Row) -> str:
    frames = f' ({row["start_frame"]} to {row["end_frame"]})' if 'start_frame' in row else ''
    return f'{row["video"]}{frames}'


def _with_numbers(rows: list[Row], columns: Sequence[str]) -> list[Row]:
    """Rows in whose columns of whole numbers stand numbers, as they will be read."""
    for name in columns:
        values = [str(row.get(name, '')) for row in rows]
        if name not in TEXT_COLUMNS and all(is_whole(value or '0') for value in values):
            rows = [dict(row, **{name: int(row[name])}) if row.get(name) else row for row in rows]
    return rows
