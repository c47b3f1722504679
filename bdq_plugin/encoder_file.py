"""The file of a trained encoder, without torch: which file a name means, and what it says.

A file is JSON and can carry no code::

    {"format": "bdq-encoder", "version": 1,
     "type": "BDQEncoder",  class of the encoder
     "config": {...},       arguments that build it
     "state": {...},        its numbers by their names, lists of lists
     "metadata": {...}}     data set, protocol, recipe, audit; size of the frames of training

Encoders that come with the package are such files, too: the zoo. Wherever an encoder is named, a
name of the zoo, a path or a preset may stand; a preset is built with torch.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = 'bdq-encoder'
FORMAT_VERSION = 1
ZOO = Path(__file__).parent / 'encoders' / 'zoo'

_ZOO_NAME = re.compile(r'[a-z0-9_]+')


def zoo_path(name: str) -> Path:
    """File of an encoder of the zoo, there or not.

    Raises:
        ValueError: a name that is more than lower case letters, digits and ``_``.
    """
    if not _ZOO_NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' is no zoo name: use lower case letters, digits and '_', such as "
            "'bdq_hard_ixmas_take'"
        )
    return ZOO / f'{name}.json'


def zoo_names() -> list[str]:
    """Names of all encoders of the zoo."""
    return sorted(path.stem for path in ZOO.glob('*.json'))


def names_file(source: str | os.PathLike) -> bool:
    """Whether a name means a file, one of the zoo included: the one place that decides it.

    Any other single word is a preset or a class; a file that is called so is written ``./NAME``.
    """
    name = os.fspath(source)
    return name in zoo_names() or not name.isidentifier()


def find_encoder(source: str | os.PathLike) -> Path:
    """The file that a zoo name or a path means.

    Raises:
        FileNotFoundError: neither.
    """
    name = os.fspath(source)
    if name in zoo_names():
        return zoo_path(name)
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f'no encoder file {path}: train one first, or name one of the zoo '
            f'({", ".join(zoo_names()) or "which is empty"})'
        )
    return path


def read_encoder_file(source: str | os.PathLike) -> dict[str, Any]:
    """Read and check an encoder's file.

    Args:
        source: a path, a name of the zoo, or a preset, of which this is what its file would hold.

    Returns:
        ``type``, ``config``, ``state`` and ``metadata``, as above.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an encoder file, or one of another version; no such preset, or one where
            torch is not installed.
    """
    if not names_file(source):
        return _preset_document(os.fspath(source))
    path = find_encoder(source)
    try:
        document = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f'{path} is not an encoder file ({error}): name the encoder.json that a training has '
            'written beside its checkpoints, or one of the zoo'
        ) from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        raise ValueError(f'{path} is not an encoder file: it lacks "format": "{FORMAT}"')
    if document.get('version') != FORMAT_VERSION:
        raise ValueError(
            f'{path} has version {document.get("version")}, this package reads {FORMAT_VERSION}'
        )
    document.setdefault('metadata', {})
    kinds = dict(type=str, config=dict, state=dict, metadata=dict)
    wrong = [name for name, kind in kinds.items() if not isinstance(document.get(name), kind)]
    if wrong:
        raise ValueError(
            f'{path} has no readable {", ".join(wrong)}: write it anew with '
            'bdq_plugin.encoders.save_encoder'
        )
    return document


def _preset_document(name: str) -> dict[str, Any]:
    try:
        from .encoders.files import preset_document  # torch, which no file needs
    except ImportError as error:
        raise ValueError(
            f"'{name}' is not of the zoo ({', '.join(zoo_names())}) and no path (./{name} would be "
            f'one). Presets are built with torch, which is not installed here ({error})'
        ) from error
    return preset_document(name)


def chosen_every(source: str | os.PathLike) -> int | None:
    """Of which frames an encoder's numbers are, where they were chosen for each n-th.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_encoder_file`, or :func:`every_of`.
    """
    return every_of(read_encoder_file(source)['metadata'], source)


def every_of(metadata: dict[str, Any], source: str | os.PathLike) -> int | None:
    """What metadata say of it; ``source`` is for messages.

    Raises:
        ValueError: no whole number from 1 on.
    """
    every = metadata.get('every')
    if every is not None and (type(every) is not int or every < 1):
        raise ValueError(
            f'{source}: of the frames each n-th is encoded, and every={every!r} is no such n: give '
            'a whole number from 1 on, or none'
        )
    return every


class TrainedFrames(NamedTuple):
    """Frames that an encoder was trained on: their shorter side in pixels, and whether grey."""

    short_side: int
    grey: bool


def trained_frames(source: str | os.PathLike) -> TrainedFrames | None:
    """What an encoder's file says of the frames that it was trained on; None where it does not.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_encoder_file`, or :func:`frames_of`.
    """
    return frames_of(read_encoder_file(source)['metadata'], source)


def frames_of(metadata: dict[str, Any], source: str | os.PathLike) -> TrainedFrames | None:
    """What metadata say of them; ``source`` is for messages.

    Raises:
        ValueError: sizes that are none.
    """
    frames = metadata.get('frames')
    if frames is None:
        return None
    try:
        height, width, channels = (int(frames[name]) for name in ('height', 'width', 'channels'))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{source}: its metadata names no readable size of frames') from error
    if min(height, width) < 1 or channels not in (1, 3):
        raise ValueError(f'{source}: its metadata names frames of {height} x {width} x {channels}')
    return TrainedFrames(min(height, width), channels == 1)
