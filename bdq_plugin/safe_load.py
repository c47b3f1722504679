"""Read checkpoints without running code that a file may carry.

A checkpoint is a pickle, and a pickle can name any function to call. PyTorch's ``weights_only``
admits tensors and plain values alone. MMEngine's own checkpoints hold the log of their run beside
the weights: that is admitted here too, and nothing else. A file that asks for more is refused with
the name of what it asks for. Whoever trusts its author sets ``BDQ_TRUST_CHECKPOINTS=1``.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

TRUST = 'BDQ_TRUST_CHECKPOINTS'
_SWITCHES = ('TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')


class UntrustedCheckpoint(ValueError):
    """A checkpoint asks for more than weights and MMEngine's log."""


def trusted() -> bool:
    """Whether the user has said that the authors of all checkpoints are trusted."""
    return os.environ.get(TRUST) == '1'


def load_checkpoint(path: str | os.PathLike, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load a checkpoint, tensors and plain Python values; MMEngine's log as it was.

    Args:
        path: of a file.
        map_location: see :func:`torch.load`.

    Raises:
        FileNotFoundError: no such file.
        UntrustedCheckpoint: it asks for code, and ``BDQ_TRUST_CHECKPOINTS`` is not set.
        ValueError: not a checkpoint.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'no checkpoint {path}: train first, or name its file')
    try:
        with weights_only(path):
            checkpoint = torch.load(path, map_location=map_location, weights_only=not trusted())
    except UntrustedCheckpoint:
        raise
    except Exception as error:
        raise ValueError(f'{path} is not a checkpoint ({_reason(error)})') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} is not a checkpoint: it holds {type(checkpoint).__name__}')
    return checkpoint


@contextmanager
def weights_only(source: str | os.PathLike) -> Iterator[None]:
    """Let every ``torch.load`` within, whoever calls it, run no code of the file's.

    Args:
        source: what is loaded, for the message.

    Raises:
        UntrustedCheckpoint: as :func:`load_checkpoint`.
    """
    if trusted():
        yield
        return
    before = {name: os.environ.pop(name, None) for name in _SWITCHES}
    # PyTorch's own switch: it overrules `weights_only=False`, which MMEngine passes.
    os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
    try:
        with torch.serialization.safe_globals(_log_of_mmengine()):
            yield
    except pickle.UnpicklingError as error:
        asked = re.search(r'GLOBAL (\S+)', str(error))
        if not asked:
            raise
        raise UntrustedCheckpoint(
            f'{source} asks for {asked[1]}, which weights do not need: loading it could run code '
            f'of a stranger. If you trust its author, set {TRUST}=1'
        ) from error
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _log_of_mmengine() -> list[Any]:
    """What ``HistoryBuffer`` consists of, under the names in files of NumPy 1 and 2."""
    if importlib.util.find_spec('mmengine') is None:
        return []
    from mmengine.logging import HistoryBuffer

    def statistic(owner: Any, name: str) -> Any:
        """Stands for ``getattr`` in files, where it names HistoryBuffer's statistics."""
        if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
            return getattr(HistoryBuffer, name)
        raise pickle.UnpicklingError(f'GLOBAL builtins.getattr of {owner!r}, {name!r}')

    array = np.empty(0)
    reconstruct, scalar = array.__reduce__()[0], np.float64(0).__reduce__()[0]
    codes = '?' + np.typecodes['AllInteger'] + np.typecodes['AllFloat']
    return [
        HistoryBuffer,
        (statistic, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        *{type(np.dtype(code)) for code in codes},
        *[(reconstruct, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')],
        *[(scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')],
    ]


def _reason(error: Exception) -> str:
    """The line of a message that says what is wrong; PyTorch's advice stands around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    at = next((i for i, line in enumerate(lines) if 'WeightsUnpickler error' in line), None)
    if at is not None:
        return lines[at].partition('WeightsUnpickler error:')[2].strip() or lines[at + 1]
    return lines[0] if lines else type(error).__name__
