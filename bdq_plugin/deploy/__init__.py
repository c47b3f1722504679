"""The encoder as it runs in a camera: whole numbers, one frame at a time, without torch.

Nothing here imports torch, and importing this package needs NumPy alone. What needs more stands in
its own module: ``codes_video`` (PyAV: viewable outputs), ``kernels`` (numba, used where it
is installed), ``export`` (torch and ONNX), ``recognition`` (MMAction2).
"""

from ..camera_form import CameraForm, load_form
from .packed import PackedError, PackedReader, PackedWriter
from .streaming import StreamingEncoder, decode, encode_clip

__all__ = [
    'CameraForm',
    'PackedError',
    'PackedReader',
    'PackedWriter',
    'StreamingEncoder',
    'decode',
    'encode_clip',
    'load_form',
]
