"""The file of a trained action network: which file a name means, and what it says.

A file is safetensors and can carry no code. Its tensors are the network's, floats in half
precision; its metadata has one text, ``network``, of JSON::

    {"format": "bdq-network", "version": 1,
     "recipe": "NAME.py",    recipe of this package that builds the network and reads frames
     "classes": [...],       names of the actions
     "encoder": {...},       its encoder, as :mod:`bdq_plugin.encoder_file` has it
     "facts": {...},         data, protocol, accuracy, seed, commands, rights
     "sha256": "..."}        of all of it, to tell a damaged file

The recipe is named and not contained: a config may name anything that Python can call.
Networks that come with the package are such files, too: the zoo, ``zoo:NAME``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .atomic_files import atomic_path

FORMAT = 'bdq-network'
FORMAT_VERSION = 1
PREFIX, SUFFIX = 'zoo:', '.safetensors'
NETWORKS = Path(__file__).parent / 'models' / 'zoo'

_NAME = re.compile(r'[a-z0-9_]+')
_RECIPE = re.compile(r'\w+\.py', re.ASCII)


class Network(NamedTuple):
    """A trained action network; ``state`` holds arrays by the names of the model's tensors."""

    recipe: str
    classes: list[str]
    encoder: dict[str, Any]
    facts: dict[str, Any]
    state: dict[str, np.ndarray]


def network_names() -> list[str]:
    """Names of all networks of the zoo, without ``zoo:``."""
    return sorted(path.stem for path in NETWORKS.glob(f'*{SUFFIX}'))


def network_path(name: str) -> Path:
    """File of a network of the zoo, there or not; ``name`` comes without ``zoo:``.

    Raises:
        ValueError: a name that is more than lower case letters, digits and ``_``.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no zoo name: use lower case letters, digits and '_'")
    return NETWORKS / f'{name}{SUFFIX}'


def names_network(source: object) -> bool:
    """Whether a text or path means a network's file, and not a config."""
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else ''
    return name.startswith(PREFIX) or name.endswith(SUFFIX)


def find_network(source: str | os.PathLike) -> Path:
    """The file that ``zoo:NAME`` or a path means.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no such name in the zoo.
    """
    name = os.fspath(source)
    path = Path(name)
    if name.startswith(PREFIX):
        if name[len(PREFIX) :] not in network_names():
            known = ', '.join(PREFIX + other for other in network_names())
            raise ValueError(f'no network {name}: choose one of {known or "none so far"}')
        path = network_path(name[len(PREFIX) :])
    if not path.is_file():
        raise FileNotFoundError(f'no network file {path}')
    return path


def read_network(source: str | os.PathLike) -> Network:
    """Read and check a network's file.

    Args:
        source: a path, or ``zoo:NAME``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, one of another version, or one that was damaged.
    """
    path = find_network(source)
    try:
        with safe_open(path, framework='numpy') as file:
            text = (file.metadata() or {}).get('network')
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        document = json.loads(text) if text else None
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f'{path} is not a network file, or a part of one ({error})') from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        raise ValueError(f'{path} is not a network file: tools/publish_network.py writes them')
    if document.get('version') != FORMAT_VERSION:
        raise ValueError(
            f'{path} has version {document.get("version")}, this package reads {FORMAT_VERSION}'
        )
    told = document.pop('sha256', None)
    if told != _digest(document, state):
        raise ValueError(f'{path} is damaged: it is not what its checksum says; get it anew')
    kinds = dict(recipe=str, classes=list, encoder=dict, facts=dict)
    wrong = [name for name, kind in kinds.items() if not isinstance(document.get(name), kind)]
    if wrong or not all(isinstance(name, str) for name in document['classes']):
        raise ValueError(f'{path} has no readable {", ".join(wrong) or "classes"}')
    _check_recipe(document['recipe'])
    return Network(*(document[name] for name in kinds), state)


def write_network(path: str | os.PathLike, network: Network) -> Path:
    """Write a network's file, whole or not at all; floats in half precision.

    Raises:
        ValueError: a number that half precision cannot hold, or a recipe that is no plain name.
    """
    _check_recipe(network.recipe)
    state = {name: _half(name, values) for name, values in network.state.items()}
    document = dict(format=FORMAT, version=FORMAT_VERSION, **network._asdict())
    del document['state']
    document = json.loads(json.dumps(document))
    document['sha256'] = _digest(document, state)
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata=dict(network=json.dumps(document)))
    return Path(path)


def _half(name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != 'f':
        return np.ascontiguousarray(values)
    with np.errstate(over='ignore'):
        half = np.ascontiguousarray(values, np.float16)
    if not np.isfinite(half).all():
        raise ValueError(f"'{name}' has numbers that are no finite ones in half precision")
    return half


def _digest(document: Mapping[str, Any], state: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name, values in sorted(state.items()):
        digest.update(f'{name} {values.dtype} {values.shape}'.encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _check_recipe(recipe: str) -> None:
    if not _RECIPE.fullmatch(recipe):
        raise ValueError(f'{recipe!r} is no recipe of this package: a file holds its name alone')
