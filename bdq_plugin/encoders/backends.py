"""What can compute an encoder with quantisation, and which of them does.

==========  =====================================  ===================================
backend     where                                  memory for the backward pass
==========  =====================================  ===================================
plain       anywhere, any dtype; the reference     K + 5 times the clip
lean        CPU, float32; needs numba              the input alone
triton      CUDA, float32; needs Triton            the input alone
compile     where torch.compile has a compiler     what the compiler decides
==========  =====================================  ===================================

``'auto'`` takes triton on a GPU and lean on the CPU where they can run, else plain; never compile,
which is faster than plain but compiles for each shape anew (docs/performance.md has the figures).
Only plain takes dither and can be differentiated twice; only plain and compile give a gradient to
the input.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from types import FunctionType

import torch
from torch import Tensor

from .form import Form
from .functional import quantize

BACKENDS = ('auto', 'plain', 'lean', 'triton', 'compile')


def check_backend(backend: str, dither: float = 0.0) -> None:
    """Raise ValueError for an unknown backend, or one that cannot dither."""
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend '{backend}': choose one of {BACKENDS}")
    if dither and backend not in ('auto', 'plain'):
        raise ValueError(f"backend '{backend}' has no dither: use backend='auto' or dither=0")


def choose_backend(backend: str, x_NCTHW: Tensor, dither: float = 0.0) -> str:
    """The backend for this input: the one that was asked for, or the fastest that can take it."""
    if backend != 'auto':
        return backend
    needs_plain = (
        dither > 0
        or x_NCTHW.dtype != torch.float32
        or (x_NCTHW.requires_grad and torch.is_grad_enabled())
        or torch.compiler.is_compiling()
    )
    if not needs_plain and runs_triton(x_NCTHW):
        return 'triton'
    if not needs_plain and x_NCTHW.device.type == 'cpu' and _installed('numba'):
        return 'lean'
    return 'plain'


def runs_triton(x: Tensor) -> bool:
    """Whether Triton's kernels can read a tensor where it lies."""
    return x.is_cuda and _installed('triton')


def encode_plain(
    x_NCTHW: Tensor,
    sigma: Tensor | None,
    thresholds_K: Tensor,
    low: Tensor,
    high: Tensor,
    hardness: Tensor,
    form: Form,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blur, difference and quantiser in plain torch: what the other backends must equal.

    Args:
        x_NCTHW: clip of shape (N, C, T, H, W), floating point.
        sigma: of the blur, in pixels, shape (); None for no blur.
        thresholds_K: shape (K,), in units of a level.
        low, high: the fixed range, shape (); unused for other ranges.
        hardness: slope of the sigmoids, shape ().
        form: what is computed.

    Returns:
        The encoded clip (N, C, T or T - 1, H, W), and the low and high ends of its range, of shape
        (N,) for ``range='clip'``, else (1,).
    """
    motion = form.motion(x_NCTHW, sigma)
    if form.range == 'clip':
        axes = (1, 2, 3, 4)
        low, high = motion.amin(axes, keepdim=True), motion.amax(axes, keepdim=True)
    elif form.range == 'batch':
        low, high = motion.min(), motion.max()
    y = quantize(motion, thresholds_K, low, high, hardness.to(motion), form.hard, form.eps)
    return y, low.detach().view(-1), high.detach().view(-1)


def encode_compiled(
    x_NCTHW: Tensor,
    sigma: Tensor | None,
    thresholds_K: Tensor,
    low: Tensor,
    high: Tensor,
    hardness: Tensor,
    form: Form,
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`encode_plain` by ``torch.compile``, which compiles at the first clip of its kind.

    Raises:
        ValueError: the clip is on the CPU and there is no C++ compiler.
    """
    if x_NCTHW.device.type == 'cpu' and not has_cpp_compiler():
        raise ValueError(
            "backend='compile' needs a C++ compiler: install g++ or name another in the variable "
            "CXX, or use backend='auto'"
        )
    return _compiled(form)(x_NCTHW, sigma, thresholds_K, low, high, hardness, form)


@functools.cache
def _compiled(form: Form) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    # torch counts what it compiled by code object, and beyond torch._dynamo.config.recompile_limit
    # runs it uncompiled: each form has a copy, so that encoders do not use up each other's count.
    code = encode_plain.__code__.replace()
    return torch.compile(FunctionType(code, encode_plain.__globals__, encode_plain.__name__))


@functools.cache
def has_cpp_compiler() -> bool:
    """Whether torch.compile finds its C++ compiler, which CPUs need; it is asked for its version.

    Never raises. The first call takes a few seconds, to import torch's compiler.
    """
    try:
        from torch._inductor.cpp_builder import get_cpp_compiler

        get_cpp_compiler()
    except Exception:  # none of torch's private names is promised to stay
        return False
    return True


@functools.cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@functools.cache
def encode_function(backend: str) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """The function behind a backend; arguments and result are those of :func:`encode_plain`.

    Raises:
        ValueError: the backend is not installed. The function raises it for an input that it
            cannot take.
    """
    # Imported when first used: numba and Triton are options, and slow to import.
    if backend == 'plain':
        return encode_plain
    if backend == 'compile':
        return encode_compiled
    package = {'lean': 'numba', 'triton': 'triton'}[backend]
    if not _installed(package):
        raise ValueError(f"backend '{backend}' needs {package}: install it, or use backend='auto'")
    if backend == 'lean':
        from .lean import encode
    else:
        from .triton_backend import encode
    return encode
