"""Encoders in plain torch: no OpenMMLab import below this line."""

from ..encoder_file import read_encoder_file
from .base import ENCODERS, ClipEncoder
from .baselines import Downsample, GaussianBlurOnly, PassThrough, Pixelate
from .bdq import BDQEncoder
from .blur import GaussianBlur
from .difference import TemporalDifference
from .files import load_encoder, load_state, read_trained, save_encoder
from .functional import gaussian_blur, gaussian_kernel, quantize, temporal_difference
from .presets import PRESETS, build_encoder
from .quantization import Quantizer
from .zoo import load_zoo_encoder, read_zoo_file, zoo_names

__all__ = [
    'ENCODERS',
    'PRESETS',
    'BDQEncoder',
    'ClipEncoder',
    'Downsample',
    'GaussianBlur',
    'GaussianBlurOnly',
    'PassThrough',
    'Pixelate',
    'Quantizer',
    'TemporalDifference',
    'build_encoder',
    'gaussian_blur',
    'gaussian_kernel',
    'load_encoder',
    'load_state',
    'load_zoo_encoder',
    'quantize',
    'read_encoder_file',
    'read_trained',
    'read_zoo_file',
    'save_encoder',
    'temporal_difference',
    'zoo_names',
]
