"""Where labels come from: paths by a pattern, a table, or MMAction2's text list."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ...text_files import as_text, read_text
from ...video.files import VIDEO_SUFFIXES, printable
from ..annotations import (
    FILE_COLUMNS,
    check_inside_root,
    read_table,
    shorten,
)
from .clips import AmbiguousName

_TOKEN = re.compile(r'(\{[^{}]*\}|\*)')
_FIELD = re.compile(r'\{([a-z_][a-z0-9_]*)(?::(.+))?\}')
# Seconds, or hours, minutes and seconds.
_TIME = re.compile(r'(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)')

Clip = dict[str, Any]


class PathPattern:
    """A pattern over paths relative to the folder of videos, such as
    ``'{action}/{subject}_{take}.mp4'``.

    ``{name}`` is a column: anything but ``/``. ``{name:d}`` is a number, ``{name:[a-z]+}`` fits a
    regular expression, ``*`` is anything but ``/``. The extension may be left out, and its case
    does not matter.

    Args:
        pattern: The pattern.

    Raises:
        ValueError: It lacks ``{action}`` or ``{subject}``, or is no pattern.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        body, extension = os.path.splitext(pattern.removeprefix('./'))
        if extension == '.*':
            extension = ''
        elif extension.lower() not in VIDEO_SUFFIXES:
            body, extension = body + extension, ''
        ending = f'(?i:{re.escape(extension)})' if extension else r'\.[^./]+'
        self.columns: list[str] = []
        lazy, greedy = (self._compile(body, part) + ending for part in ('[^/]+?', '[^/]+'))
        try:
            self._lazy, self._greedy = re.compile(lazy), re.compile(greedy)
        except re.error as error:
            raise ValueError(f'pattern {pattern!r}: {error}') from error
        missing = [name for name in ('action', 'subject') if name not in self.columns]
        if missing:
            raise ValueError(f'pattern {pattern!r} lacks {{{"}, {".join(missing)}}}')
        reserved = sorted({'video', *FILE_COLUMNS} & set(self.columns))
        if reserved:
            raise ValueError(f'pattern {pattern!r}: {reserved[0]} is not read from a path')

    def parse(self, path: PurePosixPath | Path) -> dict[str, str]:
        """The columns of a path.

        Raises:
            ValueError: It does not fit.
            AmbiguousName: It fits in two ways.
        """
        text = path.as_posix()
        match, other = self._lazy.fullmatch(text), self._greedy.fullmatch(text)
        if match is None or other is None:
            raise ValueError(f'{text!r} does not fit {self.pattern!r}')
        if match.groupdict() != other.groupdict():
            ways = ' or '.join(
                ', '.join(f'{key} {value!r}' for key, value in found.groupdict().items())
                for found in (match, other)
            )
            raise AmbiguousName(
                f'{text!r} fits {self.pattern!r} in several ways: {ways}; say more of a column, '
                'such as {take:d} or {subject:[a-z]+}'
            )
        return {key: as_text(value) for key, value in match.groupdict().items()}

    def _compile(self, body: str, anything: str) -> str:
        parts, columns = [], []
        for token in _TOKEN.split(body):
            if token == '*':
                parts.append('[^/]*')
                continue
            if not token.startswith('{'):
                if '{' in token or '}' in token:
                    raise ValueError(f'pattern {self.pattern!r}: a brace is not closed')
                parts.append(re.escape(token))
                continue
            match = _FIELD.fullmatch(token)
            if match is None:
                raise ValueError(f'pattern {self.pattern!r}: {token} is no column such as {{take}}')
            name, form = match[1], {None: anything, 'd': r'\d+'}.get(match[2], match[2])
            parts.append(f'(?P={name})' if name in columns else f'(?P<{name}>{form})')
            columns.append(name)
        self.columns = list(dict.fromkeys(columns))
        return ''.join(parts)


def clips_of_table(
    path: str | Path, raw_dir: str | Path, advice: list[str]
) -> tuple[list[Clip], list[str]]:
    """Clips of a table with ``video, action, subject`` and any further columns.

    ``start`` and ``end`` are seconds, or ``h:mm:ss``; ``start_frame`` and ``end_frame`` count
    frames from 0, the end exclusive. What is measured anyway (``num_frames``, ``sha256``) is
    dropped.

    Args:
        path: the table.
        raw_dir: Folder of the videos.
        advice: takes a line where the table's encoding had to be guessed.

    Returns:
        The clips, and the columns of labels.

    Raises:
        ValueError: A column is missing, has gaps where it must not, or a time is none; names the
            line.
    """
    table = read_table(path)
    table.require(('video', 'action', 'subject'))
    if table.guessed is not None:
        advice.append(_guess(path, table.guessed))
    places = ('start', 'end', 'start_frame', 'end_frame')
    for name in ('start', 'end'):
        if {name, f'{name}_frame'} <= set(table.columns):
            raise ValueError(
                f'{path}: {name} (seconds) and {name}_frame say the same: keep one of them'
            )
    columns = [name for name in table.columns if name not in (*places, *FILE_COLUMNS)]
    clips = []
    for row, line in zip(table.rows, table.lines, strict=True):
        where = f'{path}:{line}'
        clip: Clip = {name: row[name] for name in columns}
        clip['video'] = _relative(row['video'], raw_dir, where)
        for name in places:
            if row.get(name):
                clip[name] = _place(row[name], name, where)
        clips.append(clip)
    return clips, columns


def clips_of_list(
    path: str | Path, raw_dir: str | Path, labels: str | Path | None, advice: list[str]
) -> tuple[list[Clip], list[str]]:
    """Clips of MMAction2's text list with the subject behind it: ``PATH LABEL SUBJECT`` a line.

    Args:
        path: The list.
        raw_dir: Folder of the videos.
        labels: File of the actions' names, one a line, in the order of the labels; by default a
            label is its action's name.
        advice: takes a line where the encoding of names had to be guessed.

    Returns:
        The clips, and the columns of labels.

    Raises:
        ValueError: A line has another form, or a label no name or another one's; names the line.
    """
    names = None if labels is None else [n.strip() for n in read_text(labels).splitlines()]
    twice = sorted({name for name in names or () if name and names.count(name) > 1})
    if twice:
        raise ValueError(f'{labels}: two labels have the name {shorten(twice)}: name them apart')
    clips = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        parts = line.strip().rsplit('\t' if '\t' in line else None, 2)
        if len(parts) < 3:
            raise ValueError(
                f'{path}:{number}: expected PATH LABEL SUBJECT, got {line.strip()!r}; add the '
                'person to each line'
            )
        video, label, subject = (part.strip() for part in parts)
        if names is not None:
            label = _label_name(label, names, f'{path}:{number}')
        clip = dict(action=as_text(label), subject=as_text(subject))
        if not advice and [label, subject] != list(clip.values()):
            advice.append(_guess(path, f'{clip["action"]} {clip["subject"]}'))
        clips.append(dict(video=_relative(video, raw_dir, f'{path}:{number}'), **clip))
    return clips, ['video', 'action', 'subject']


def split_missing(clips: list[Clip], raw_dir: str | Path) -> tuple[list[Clip], list[str]]:
    """Clips whose videos are there, and the names of the videos that are not.

    A name is found in another Unicode form, or in UTF-8 where the list is in Windows-1252, too.

    Raises:
        ValueError: Not one is there.
    """
    found: dict[str, str | None] = {}
    for clip in clips:
        name = clip['video']
        if name not in found:
            forms = _forms_of(name)
            found[name] = next((f for f in forms if Path(raw_dir, f).is_file()), None)
    missing = [name for name, form in found.items() if form is None]
    if clips and len(missing) == len(found):
        raise ValueError(f'{raw_dir} has none of the videos that are listed: {shorten(missing)}')
    present = [dict(clip, video=found[clip['video']]) for clip in clips if found[clip['video']]]
    return present, missing


def _guess(path: str | Path, name: str) -> str:
    return (
        f'{path} is not UTF-8 and was read as Windows-1252, as in {name!r}: save it as UTF-8 if '
        'that is wrong'
    )


def _forms_of(name: str) -> Iterator[str]:
    for form in dict.fromkeys((name, as_text(name))):
        yield form
        for normal in ('NFC', 'NFD'):
            yield unicodedata.normalize(normal, form)


def _relative(video: str, raw_dir: str | Path, where: str) -> str:
    """A listed path, relative to the folder of videos, with forward slashes."""
    name = video.replace('\\', '/')
    if PurePosixPath(name).is_absolute():
        try:
            name = PurePosixPath(name).relative_to(Path(raw_dir).resolve()).as_posix()
        except ValueError:
            raise ValueError(
                f'{where}: {printable(video)!r} is not inside the folder of videos, {raw_dir}'
            ) from None
    name = PurePosixPath(name).as_posix()
    check_inside_root(name, where)
    return name


def _place(value: str, name: str, where: str) -> int | float:
    if name.endswith('_frame'):
        if not (value.isascii() and value.isdigit()):
            raise ValueError(f'{where}: {name} must be a whole number, got {value!r}')
        return int(value)
    match = _TIME.fullmatch(value)
    if match is None:
        raise ValueError(f'{where}: {name} must be seconds or h:mm:ss, got {value!r}')
    hours, minutes, seconds = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds.replace(',', '.'))


def _label_name(label: str, names: list[str], where: str) -> str:
    if not label.isdigit() or int(label) >= len(names) or not names[int(label)]:
        raise ValueError(f'{where}: label {label!r} has no name; there are {len(names)}')
    return names[int(label)]
