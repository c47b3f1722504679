"""KTH: labels from the names of its videos, clips from its index."""

from __future__ import annotations

from pathlib import Path

from ..annotations import check_new_file
from ..kth import KTH_COLUMNS, KTH_INDEX, parse_kth_name, read_kth_index
from .clips import PreparationReport, one_file_a_name, prepare, recognise


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
    report = PreparationReport()
    videos = recognise(raw_dir, lambda path: parse_kth_name(path.stem), report)
    files = one_file_a_name({path: name.stem for path, name in videos.items()})
    report.unlisted = [str(files[name]) for name in files if name not in entries]
    report.missing = [name for name in entries if name not in files]
    clips = [
        dict(
            video=files[stem].as_posix(),
            action=entry.name.action,
            subject=entry.name.subject,
            scenario=entry.name.scenario,
            sequence=sequence,
            start_frame=start,
            end_frame=end,
        )
        for stem, entry in entries.items()
        if stem in files
        for sequence, (start, end) in enumerate(entry.ranges, 1)
    ]
    columns = [name for name in KTH_COLUMNS if name != 'num_frames']
    return prepare(raw_dir, out, clips, columns, report, overwrite=overwrite)
