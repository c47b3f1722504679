"""Any folder of videos: labels by a pattern over the paths, from a table, or from a list."""

from __future__ import annotations

from pathlib import Path

from ..annotations import check_new_file
from .clips import PreparationReport, find_videos, prepare, recognise
from .sources import PathPattern, clips_of_list, clips_of_table, split_missing


def prepare_folder(
    raw_dir: str | Path,
    out: str | Path,
    *,
    pattern: str | None = None,
    table: str | Path | None = None,
    text_list: str | Path | None = None,
    labels: str | Path | None = None,
    min_frames: int = 1,
    overwrite: bool = False,
) -> PreparationReport:
    """Write the annotation of one's own videos. Exactly one of three says what they show.

    Args:
        raw_dir: Folder of the videos, of any depth. It is what ``data_prefix=dict(video=...)`` (the
            switch ``data_root``) must name.
        out: The CSV to write.
        pattern: Of the paths; see :class:`.sources.PathPattern`.
        table: CSV or TSV with ``video, action, subject`` and any further columns: ``take``,
            ``camera``, ``session``, ``split``, ``start``, ``end``, attributes; see
            :func:`.sources.clips_of_table`.
        text_list: MMAction2's list with the subject behind it: ``PATH LABEL SUBJECT`` a line.
        labels: Names of the list's labels, one a line.
        min_frames: Shorter clips are left out.
        overwrite: Replace ``out`` where it exists.

    Raises:
        FileNotFoundError: There is no such folder, table or list.
        FileExistsError: ``out`` exists.
        ValueError: The pattern fits nothing, a table is malformed, one thing has two names, or one
            clip two labels.
    """
    check_new_file(out, overwrite)
    if [pattern, table, text_list].count(None) != 2:
        raise ValueError('say what the videos show by one of: pattern, table, list')
    if labels is not None and text_list is None:
        raise ValueError('labels name the labels of a list: give the list too')
    if min_frames < 1:
        raise ValueError(f'min_frames must be 1 or more, got {min_frames}')
    report = PreparationReport()
    if pattern is not None:
        by_path = PathPattern(pattern)
        named = recognise(raw_dir, by_path.parse, report)
        clips = [dict(video=path.as_posix(), **said) for path, said in named.items()]
        columns = ['video', 'action', 'subject', *by_path.columns]
    else:
        if table is not None:
            clips, columns = clips_of_table(table, raw_dir, report.advice)
        else:
            clips, columns = clips_of_list(text_list, raw_dir, labels, report.advice)
        videos = find_videos(raw_dir, report)
        clips, report.missing = split_missing(clips, raw_dir)
        listed = {clip['video'] for clip in clips}
        report.unlisted = [p.as_posix() for p in videos if p.as_posix() not in listed]
    columns = list(dict.fromkeys(['video', 'action', 'subject', *columns]))
    return prepare(
        raw_dir, out, clips, columns, report, min_frames, strict=True, overwrite=overwrite
    )
