"""Which files are videos by their names: one list for the whole package; and folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# In lower case. Whether there is a video inside, its bytes tell.
VIDEO_SUFFIXES = (
    '.264', '.265', '.3g2', '.3gp', '.amv', '.asf', '.avi', '.divx', '.dv', '.f4v', '.flv', '.h264',
    '.hevc', '.m1v', '.m2t', '.m2ts', '.m2v', '.m4v', '.mkv', '.mod', '.mov', '.mp4', '.mpe',
    '.mpeg', '.mpg', '.mts', '.mxf', '.nut', '.ogm', '.ogv', '.qt', '.rm', '.tod', '.ts', '.vob',
    '.webm', '.wmv', '.wtv', '.xvid', '.y4m',
)  # fmt: skip
_NAMED = 10


def is_video_name(name: str | os.PathLike) -> bool:
    """Whether a name ends as those of videos do, in upper or lower case.

    ``._clip.mp4``, which macOS writes beside ``clip.mp4`` on foreign disks, is no video.
    """
    path = Path(name)
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith('._')


class Found(NamedTuple):
    """What is below a folder, each kind in the order of the names.

    Attributes:
        videos: files that are named as videos are.
        others: all other files.
        closed: folders that may not be listed.
    """

    videos: list[Path]
    others: list[Path]
    closed: list[Path]


def find_videos(folder: str | os.PathLike, skip: Iterable[str | os.PathLike] = ()) -> Found:
    """Look through a folder at any depth. Links to folders are followed, each folder once.

    Args:
        folder: where to look.
        skip: folders to pass over.
    """
    seen = {os.path.realpath(path) for path in skip}
    found, folders = Found([], [], []), [Path(folder)]
    while folders:
        # Links last: what is here itself keeps its own name.
        folders.sort(key=lambda path: (path.is_symlink(), path), reverse=True)
        folder = folders.pop()
        if os.path.realpath(folder) in seen:
            continue
        seen.add(os.path.realpath(folder))
        try:
            paths = list(folder.iterdir())
        except PermissionError:
            found.closed.append(folder)
            continue
        for path in paths:
            kind = found.videos if is_video_name(path) else found.others
            (folders if os.path.isdir(path) else kind).append(path)
    return Found(*map(sorted, found))


def some_names(paths: Iterable[str | os.PathLike]) -> str:
    """The first names of many, and how many more there are."""
    names = [os.fspath(path) for path in paths]
    more = len(names) - _NAMED
    return ', '.join(names[:_NAMED]) + (f' and {more} more' if more > 0 else '')


def printable(text: str) -> str:
    """A text with names of files in any encoding, as any terminal or log takes it."""
    return text.encode(errors='backslashreplace').decode()
