"""IPN Hand: videos, its lists of gestures by frames, and its table of people."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ...text_files import read_text
from ..annotations import check_new_file, read_table
from ..ipn import IPN_ACTIONS
from .clips import PreparationReport, find_videos, one_file_a_name, prepare

_LISTS = {'train': 'Annot_TrainList.txt', 'test': 'Annot_TestList.txt'}
_GENDERS = {'m': 'man', 'w': 'woman', 'f': 'woman'}
# Of metadata.csv, in lower case, and what they are called here.
_CONDITIONS = {'hand': 'hand', 'background': 'background', 'illumination': 'illumination'}
_COLUMNS = ('video', 'action', 'subject', 'gender', 'split', *_CONDITIONS.values())


def prepare_ipn(
    video_dir: str | Path, annotation_dir: str | Path, out: str | Path, overwrite: bool = False
) -> PreparationReport:
    """Write the annotation of IPN Hand: one row a gesture, or a stretch without one.

    A person is what stands before the first ``_`` of a video's name (``1CM1_1_R_#217``).

    Args:
        video_dir: Folder of the 200 videos.
        annotation_dir: Folder of ``Annot_TrainList.txt`` and ``Annot_TestList.txt`` (``video,
            label, id, first frame, last frame, frames``, from 1, the last included) and of
            ``metadata.csv`` (``Video Name, ..., Sex, ...``).
        out: The CSV to write.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: A folder or file is missing.
        FileExistsError: ``out`` exists.
        ValueError: A line is malformed; names the file and the line.
    """
    check_new_file(out, overwrite)
    people = _read_people(Path(annotation_dir, 'metadata.csv'))
    report = PreparationReport()
    videos = find_videos(video_dir, report)
    files = one_file_a_name({path: path.stem for path in videos})
    listed, clips = set(), []
    for split, name in _LISTS.items():
        for stem, action, start, end, where in _read_gestures(Path(annotation_dir, name)):
            listed.add(stem)
            if stem not in files:
                continue
            if stem not in people:
                raise ValueError(f'{where}: metadata.csv has no line for {stem}')
            clip = dict(video=files[stem].as_posix(), action=action, subject=stem.split('_')[0])
            clip.update(people[stem], split=split, start_frame=start, end_frame=end)
            clips.append(clip)
    report.missing = sorted(listed - set(files))
    report.unlisted = [path.as_posix() for stem, path in files.items() if stem not in listed]
    return prepare(video_dir, out, clips, _COLUMNS, report, overwrite=overwrite)


def _read_people(path: Path) -> dict[str, dict[str, str]]:
    """From a video's name to its gender and conditions."""
    table = read_table(path)
    table.require(('video name', 'sex'))
    people = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        gender = _GENDERS.get(row['sex'][:1].lower())
        if gender is None:
            raise ValueError(f'{path}:{line}: Sex must be M or W, got {row["sex"]!r}')
        conditions = {name: row.get(column, '') for column, name in _CONDITIONS.items()}
        people[row['video name'].removesuffix('.avi')] = dict(gender=gender, **conditions)
    return people


def _read_gestures(path: Path) -> Iterator[tuple[str, str, int, int, str]]:
    """Name of the video, label, first frame and the one behind the last, from 0; and the line."""
    for number, cells in enumerate(csv.reader(read_text(path).splitlines()), 1):
        where = f'{path}:{number}'
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[1:2] == ['label']:
            continue
        if len(cells) != 6 or not all(cell.isdigit() for cell in cells[2:]):
            raise ValueError(f'{where}: expected video,label,id,first,last,frames, got {cells}')
        if cells[1] not in IPN_ACTIONS:
            raise ValueError(
                f'{where}: {cells[1]!r} is no gesture of IPN Hand ({", ".join(IPN_ACTIONS)})'
            )
        first, last = int(cells[3]), int(cells[4])
        if not 1 <= first <= last:
            raise ValueError(f'{where}: frames {first} to {last} are not a range from 1')
        yield cells[0], cells[1], first - 1, last, where
