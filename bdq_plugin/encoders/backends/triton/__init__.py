"""The encoder on a GPU, compiled by Triton."""

from .encode import encode, integer_codes

__all__ = ['encode', 'integer_codes']
