"""What can compute an encoder with quantisation, and which of them does.

==========  =====================================  ===================================
backend     where                                  memory for the backward pass
==========  =====================================  ===================================
plain       anywhere, any dtype; the reference     K + 5 times the clip
numba       CPU, float32; needs numba              the input alone
triton      CUDA, float32; needs Triton            the input alone
==========  =====================================  ===================================

``'auto'`` takes triton on a GPU and numba on the CPU where they can run, else plain. Only plain
takes dither, blocks and dead zones, can be differentiated twice and gives a gradient to the input.

A backend has a module or a package of its name with a function ``encode``; arguments and result are
those of :func:`.plain.encode`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from . import plain

BACKENDS = ('auto', 'plain', 'numba', 'triton')


def check_backend(backend: str, plain_parts: Sequence[str] = ()) -> None:
    """Raise ValueError for an unknown backend, or one that lacks parts of the encoder.

    Args:
        plain_parts: names of the encoder's arguments that only plain can compute.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend '{backend}': choose one of {BACKENDS}")
    if plain_parts and backend not in ('auto', 'plain'):
        raise ValueError(
            f"backend '{backend}' has no {' or '.join(plain_parts)}: use backend='auto', or an "
            'encoder without'
        )


def choose_backend(backend: str, x_NCTHW: Tensor, plain_parts: Sequence[str] = ()) -> str:
    """The backend for this input: the one that was asked for, or the fastest that can take it."""
    if backend != 'auto':
        return backend
    needs_plain = (
        bool(plain_parts)
        or x_NCTHW.dtype != torch.float32
        or (x_NCTHW.requires_grad and torch.is_grad_enabled())
        or torch.compiler.is_compiling()
    )
    if not needs_plain and runs_triton(x_NCTHW):
        return 'triton'
    if not needs_plain and x_NCTHW.device.type == 'cpu' and _installed('numba'):
        return 'numba'
    return 'plain'


def runs_triton(x: Tensor) -> bool:
    """Whether Triton's kernels can read a tensor where it lies."""
    return x.is_cuda and _installed('triton')


def encode_function(backend: str) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """The function behind a backend.

    Raises:
        ValueError: the backend is not installed. The function raises it for an input that it
            cannot take.
    """
    if backend == 'plain':
        return plain.encode
    if not _installed(backend):
        raise ValueError(f"backend '{backend}' needs {backend}: install it, or use backend='auto'")
    # Imported when first used: numba and Triton are options, and slow to import.
    return importlib.import_module(f'.{backend}', __name__).encode


@functools.cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
