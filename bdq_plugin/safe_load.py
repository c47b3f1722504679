"""Read a checkpoint's tensors without running code that the file may carry.

A checkpoint is a pickle, and a pickle can name any function to call. PyTorch's ``weights_only``
refuses those of MMEngine, which keep their log (``HistoryBuffer``) beside the weights. Here every
name but those that tensors are made of becomes an inert object, so the weights load and the rest is
dropped.
"""

from __future__ import annotations

import os
import pickle
import types
from typing import Any

import torch

_TENSOR_PARTS = {
    ('collections', 'OrderedDict'),
    ('torch', 'Size'),
    ('torch', 'device'),
    ('torch._utils', '_rebuild_parameter'),
    ('torch._utils', '_rebuild_tensor_v2'),
}


class _Inert:
    """Stands in for whatever a file names beside tensors; takes any arguments and does nothing."""

    def __new__(cls, *args: object, **kwargs: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __call__(self, *args: object, **kwargs: object) -> _Inert:
        return self

    def append(self, item: object) -> None:
        pass

    def extend(self, items: object) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        dtype = module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype)
        if (module, name) in _TENSOR_PARTS or dtype:
            return super().find_class(module, name)
        return _Inert


_PICKLE = types.SimpleNamespace(
    Unpickler=_Unpickler,
    load=lambda file, **kwargs: _Unpickler(file, **kwargs).load(),
    __name__='bdq_plugin.safe_load',
)


def load_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """Load a checkpoint on the CPU; what is neither tensor nor plain Python value is inert.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'no checkpoint {path}: train first, or name its file')
    try:
        checkpoint = torch.load(path, map_location='cpu', pickle_module=_PICKLE, weights_only=False)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f'{path} is not a checkpoint ({reason})') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} is not a checkpoint: it holds {type(checkpoint).__name__}')
    return checkpoint
