"""IXMAS: labels from the names of its videos, which a list may choose from."""

from __future__ import annotations

import os
from pathlib import Path

from ...text_files import read_text
from ...video.files import is_video_name
from ..annotations import check_new_file
from ..ixmas import (
    IXMAS_ACTION_SETS,
    IXMAS_ACTIONS,
    IXMAS_COLUMNS,
    IXMAS_SELECTED_720,
    IXMASName,
    parse_ixmas_name,
)
from .clips import PreparationReport, one_file_a_name, prepare, recognise


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
    listed = None if names is None else dict(read_ixmas_names(names))
    report = PreparationReport()
    videos = recognise(raw_dir, lambda path: parse_ixmas_name(path.stem), report)
    files = one_file_a_name({path: path.stem for path in videos})
    wanted = sorted(files) if listed is None else list(listed)
    chosen = [stem for stem in wanted if parse_ixmas_name(stem).action in action_sets[actions]]
    report.missing = [stem for stem in chosen if stem not in files]
    report.unlisted = [path.as_posix() for stem, path in files.items() if stem not in chosen]
    clips = []
    for stem in chosen:
        if stem in files:
            name = videos[files[stem]]
            labels = dict(action=name.action, subject=name.subject)
            labels.update(take=name.take, camera=name.camera)
            clips.append(dict(video=files[stem].as_posix(), **labels))
    columns = [name for name in IXMAS_COLUMNS if name != 'num_frames']
    return prepare(raw_dir, out, clips, columns, report, overwrite=overwrite)


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
    for number, line in enumerate(read_text(path).splitlines(), 1):
        stem = _strip_video_suffix(line.strip())
        if not stem:
            continue
        try:
            names[stem] = parse_ixmas_name(stem)
        except ValueError as error:
            raise ValueError(f'{path}:{number}: {error}') from error
    return list(names.items())


def _strip_video_suffix(name: str) -> str:
    return os.path.splitext(name)[0] if is_video_name(name) else name
