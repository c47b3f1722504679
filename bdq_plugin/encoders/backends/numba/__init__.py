"""The encoder on the CPU, compiled by numba."""

from .encode import encode

__all__ = ['encode']
