"""Named encoders: the paper's, the released code's, ours, the ablation and the rivals.

``blocks_noise``, ``blocks_geometry`` and ``blocks_noise_geometry`` put what hides people beside
each other: coarse blocks with a dead zone, noise, a secret geometry. They work on frames whose
sides are multiples of 8, and a block of 8 pixels is meant for frames of 48 x 64.
"""

from __future__ import annotations

from typing import Any

from ..encoder_file import zoo_names
from .base import ENCODERS, ClipEncoder
from .baselines import Downsample, GaussianBlurOnly, PassThrough, Pixelate
from .bdq import BDQEncoder

# The paper: sigma and thresholds learned (16 parameters), soft with H = 5, range of each clip.
_BDQ = dict(sigma=1.0, num_levels=16, hardness=5.0, mode='soft', range='clip')
# A code close to the sign of the difference: a step of 0.2 of full intensity, a threshold at none.
_SIGN = dict(sigma=3.0, mode='hard', range='fixed', range_limit=1.5)

# Three levels of the mean difference of blocks of 8 x 8 pixels: little of how a person looks.
_BLOCKS = dict(blur=False, block=8, num_levels=3, dead_zone=0.03, mode='hard', range='fixed')
_NOISE = dict(dither=0.015)
# Events of blocks, nearly half of them false: three seconds of grey frames of 48 x 64 pixels, three
# frames a second, tell less than a bit of anything (tools/certify.py).
_CERTIFIED = dict(_BLOCKS, num_levels=2, flip=0.475)
# By up to a quarter along each axis, and 6 of 48 pixels; the warp by up to 2 of them.
_GEOMETRY = dict(geometric_dither=dict(stretch=0.25, shift=0.125, mirror=True, warp=0.04))


def _parts(name: str) -> dict[str, Any]:
    """The paper's encoder with only the named ones of blur, difference and quantisation."""
    return dict(_BDQ, blur='b' in name, difference='d' in name, quantization='q' in name)


PRESETS: dict[str, tuple[type[ClipEncoder], dict[str, Any]]] = {
    'bdq': (BDQEncoder, _BDQ),
    'bdq_released': (
        BDQEncoder,
        dict(
            _BDQ,
            sigma=3.0,
            learn_sigma=False,
            padding='zeros',
            range='batch',
            expects_normalized=True,
        ),
    ),
    'bdq_hard': (
        BDQEncoder,
        dict(sigma=1.5, num_levels=16, mode='hard', range='fixed', range_limit=0.25),
    ),
    'bdq_annealed': (BDQEncoder, dict(_BDQ, mode='annealed', range='fixed', range_limit=0.25)),
    'sign_16': (BDQEncoder, dict(_SIGN, num_levels=16)),
    'sign_2': (BDQEncoder, dict(_SIGN, num_levels=2)),
    'blocks': (BDQEncoder, _BLOCKS),
    'blocks_noise': (BDQEncoder, dict(_BLOCKS, **_NOISE)),
    'blocks_geometry': (BDQEncoder, dict(_BLOCKS, **_GEOMETRY)),
    'blocks_noise_geometry': (BDQEncoder, dict(_BLOCKS, **_NOISE, **_GEOMETRY)),
    'certified': (BDQEncoder, _CERTIFIED),
    **{name: (BDQEncoder, _parts(name)) for name in ('b', 'd', 'q', 'bd', 'bq', 'dq')},
    'pass_through': (PassThrough, {}),
    'ryoo_16': (Downsample, dict(factor=16)),
    'ryoo_32': (Downsample, dict(factor=32)),
    'ryoo_64': (Downsample, dict(factor=64)),
    'blur_weak': (GaussianBlurOnly, dict(sigma=4.0)),
    'blur_strong': (GaussianBlurOnly, dict(sigma=16.0)),
    'pixelate_4': (Pixelate, dict(block=4)),
    'pixelate_16': (Pixelate, dict(block=16)),
}


def build_encoder(name: str, **overrides: Any) -> ClipEncoder:
    """Build an encoder by the name of a preset or a class.

    Args:
        name: a key of ``PRESETS`` (such as ``'bdq_hard'``) or the name of an encoder class, one of
            your own included.
        **overrides: arguments that replace those of the preset.

    Raises:
        ValueError: no such preset or class, or an argument that the encoder does not take.

    Example:
        >>> build_encoder('bdq_hard', sigma=2.0).quantize.mode
        'hard'
    """
    if name in PRESETS:
        cls, arguments = PRESETS[name]
    elif name in ENCODERS:
        cls, arguments = ENCODERS[name], {}
    else:
        known, trained = ', '.join([*PRESETS, *ENCODERS]), ', '.join(zoo_names())
        raise ValueError(
            f"unknown encoder '{name}': choose one of {known}; trained ones are an encoder.json, a "
            f'checkpoint or of the zoo ({trained})'
        )
    try:
        return cls(**{**arguments, **overrides})
    except TypeError as error:
        raise ValueError(f"encoder '{name}': {error}") from error
