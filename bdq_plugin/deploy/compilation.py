"""numba where it is installed; without it the same functions run as Python, exact and slow."""

from __future__ import annotations

from collections.abc import Callable

try:
    import numba
except ImportError:
    numba = None


def compiled(function: Callable) -> Callable:
    """A decorator for plain functions over arrays of whole numbers; other threads run beside."""
    if numba is None:
        return function
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep the compiled code, as on a read-only file system
        return numba.njit(nogil=True)(function)
