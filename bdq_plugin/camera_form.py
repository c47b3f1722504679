"""The encoder in whole numbers, in plain Python: what a camera needs, and nothing of torch.

This module is the one definition of that form. :mod:`bdq_plugin.encoders.integer` has its
arithmetic in torch, :class:`bdq_plugin.deploy.StreamingEncoder` that of a camera.

A frame holds 8 bits. The 1-D kernel is rounded to whole multiples of 1/256, so a blurred value is a
whole number of at most 24 bits (255 * 256 * 256), and so is every partial sum: torch on any device,
NumPy and a camera's own arithmetic give the same levels, bit for bit. The mean of a block of pixels
is rounded down to a whole number again, of each frame and before the difference: what does not move
stays at 0, and a clip that runs backwards has the opposite values.
"""

from __future__ import annotations

import math
import os
from dataclasses import MISSING, asdict, dataclass, fields
from struct import pack, unpack
from typing import Any

from .encoder_file import read_encoder_file, zoo_names
from .geometry import Geometry
from .randomized_response import check_flip

KERNEL_SUM = 256
# Units of a value and of a threshold in full intensity: 8-bit pixels, filtered along both axes.
UNITS = 255 * KERNEL_SUM * KERNEL_SUM
NO_FORM = (
    'only an encoder with quantisation and a fixed range can run as a stream: take one, such as '
    "bdq_hard or blocks, or set range='fixed' and calibrate its range_limit"
)
# The sum of a column of a block, of values up to UNITS, must stay within 32 bits.
MAX_BLOCK = 128


def check_block(block: int) -> None:
    """Raise ValueError for a side of blocks that is no whole number from 1 to 128."""
    if not isinstance(block, int) or not 1 <= block <= MAX_BLOCK:
        raise ValueError(f'block is a whole number of pixels from 1 to {MAX_BLOCK}, got {block}')


def check_blocks(height: int, width: int, block: int) -> None:
    """Raise ValueError where frames of this size are no whole number of blocks."""
    if height % block or width % block:
        raise ValueError(
            f'frames of {height} x {width} (H x W) are no whole number of blocks of {block} x '
            f'{block} pixels: scale or crop them to multiples of {block}, or choose another block'
        )


def whole_blocks(height: int, width: int, block: int) -> tuple[slice, slice]:
    """Rows and columns of the largest part in the middle of a frame that is whole blocks.

    Raises:
        ValueError: there is not one block in it.
    """
    if min(height, width) < block:
        raise ValueError(
            f'a frame of {height} x {width} (H x W) has no whole block of {block} x {block} pixels'
        )
    top, left = (height % block) // 2, (width % block) // 2
    rows, columns = height - height % block, width - width % block
    return slice(top, top + rows), slice(left, left + columns)


def integer_kernel(sigma: float, kernel_size: int = 5) -> tuple[int, ...]:
    """A symmetric kernel of whole numbers with sum 256, nearest to the Gaussian.

    The centre tap takes what rounding the others leaves.

    Args:
        sigma: standard deviation in pixels, above 0.
        kernel_size: number of taps, odd.

    Raises:
        ValueError: the kernel is so wide and flat that 1/256 is too coarse for its taps.
    """
    half = kernel_size // 2
    scaled = [offset / sigma for offset in range(-half, half + 1)]
    weights = [math.exp(-0.5 * x * x) for x in scaled]
    total = math.fsum(weights)
    side = [round(KERNEL_SUM * weight / total) for weight in weights[:half]]
    centre = KERNEL_SUM - 2 * sum(side)
    # A negative tap would let partial sums grow beyond 24 bits.
    if centre < 0:
        raise ValueError(
            f'a blur of {kernel_size} taps and sigma {sigma:.4g} has no form in multiples of '
            f'1/{KERNEL_SUM}: use a smaller kernel_size, or a smaller sigma'
        )
    return (*side, centre, *reversed(side))


def integer_thresholds(thresholds: list[float], low: float, high: float) -> tuple[int, ...]:
    """Thresholds in units of a level, to whole numbers in units of 1 / (255 * 65536).

    Values are whole, so ``value > t`` and ``value > floor(t)`` are the same. Each is measured from
    where training has no motion: what lies on a threshold there lies on it here.
    """
    step = (high - low) / len(thresholds)
    zero = level_of_zero(low, high, len(thresholds))
    return tuple(math.floor((t - zero) * step * UNITS) for t in sorted(thresholds))


def level_of_zero(low: float, high: float, steps: int) -> float:
    """Where no motion lies in units of a level, to the last bit what training computes.

    That is :func:`bdq_plugin.encoders.functional.to_levels` of 0 in float32, operation by
    operation: half of ``steps`` wherever the range is symmetric.
    """
    middle, width = _float32(_float32(low + high) / 2), _float32(high - low)
    part = _float32(_float32(-middle / width) + _float32(width / 2 / width))
    return _float32(steps * part)


def check_dead_zone(num_levels: int, dead_zone: float, step: float) -> None:
    """Raise ValueError for numbers that no quantiser with a dead zone can have."""
    if num_levels != 2 and (num_levels % 2 == 0 or not 3 <= num_levels <= 255):
        raise ValueError(
            f'with a dead zone num_levels is 2 (events) or odd, from 3 to 255, got {num_levels}'
        )
    if not 0 < dead_zone <= step < math.inf:
        raise ValueError(
            'a dead zone needs 0 < dead_zone <= step, so that the level beyond it stands for a '
            f'value beyond it, got dead_zone={dead_zone} and step={step}'
        )


@dataclass(frozen=True)
class IntegerLevels:
    """A quantiser in whole numbers; the attributes are those of :class:`CameraForm`."""

    thresholds: tuple[int, ...]
    low: float
    step: float
    magnitude: bool = False

    @classmethod
    def of_thresholds(cls, thresholds: list[float], low: float, high: float) -> IntegerLevels:
        """Of K thresholds in units of a level, in any order, and a range in full intensity.

        Raises:
            ValueError: a number that is not finite, or an empty range.
        """
        if not all(map(math.isfinite, [*thresholds, low, high])) or not low < high:
            raise ValueError(
                'an encoder with numbers that are not finite, or an empty range, has no levels: '
                f'thresholds {thresholds}, range {low} to {high}'
            )
        step = (high - low) / len(thresholds)
        return cls(integer_thresholds(thresholds, low, high), low, step)

    @classmethod
    def of_dead_zone(cls, num_levels: int, dead_zone: float, step: float) -> IntegerLevels:
        """Of a quantiser with a dead zone, symmetric to the last unit.

        A value ``-v`` lies as far below 0 as ``v`` lies above: both are strictly beyond ``n`` or
        neither is, so the threshold that mirrors ``n`` is ``-n - 1``.

        Raises:
            ValueError: see :func:`check_dead_zone`.
        """
        check_dead_zone(num_levels, dead_zone, step)
        half = num_levels // 2
        side = tuple(math.floor((dead_zone + k * step) * UNITS) for k in range(half))
        if num_levels == 2:
            return cls(side, 0.0, step, magnitude=True)
        return cls((*(-n - 1 for n in reversed(side)), *side), -half * step, step)


@dataclass(frozen=True)
class CameraForm:
    """All that a camera needs to know of a trained encoder.

    Attributes:
        kernel: taps of the blur along one axis, sum 256; ``(256,)`` where there is no blur.
        padding: ``'replicate'`` or ``'zeros'``.
        difference: whether the previous blurred frame is subtracted.
        thresholds: K whole numbers; the level is the number of thresholds strictly below the value.
        dither: standard deviation of the noise added before the thresholds, in the same units.
        low, step: a level stands for ``low + level * step`` of full intensity.
        block: side in pixels of the blocks of which the mean is taken before the difference.
        magnitude: whether thresholds are counted below the size of the value.
        geometry: how strongly frames are moved before all else, by a secret that stands nowhere;
            None if they are not.
        flip: probability that a code is replaced by another level (randomised response).

    Values and thresholds count in units of 1 / (255 * 65536) of full intensity.
    """

    kernel: tuple[int, ...]
    padding: str
    difference: bool
    thresholds: tuple[int, ...]
    dither: float
    low: float
    step: float
    block: int = 1
    magnitude: bool = False
    geometry: Geometry | None = None
    flip: float = 0.0

    @property
    def num_levels(self) -> int:
        return len(self.thresholds) + 1

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CameraForm:
        """The form that :meth:`to_dict` described, also after a journey through JSON.

        What an older version did not know is absent, and so are its parts.

        Raises:
            ValueError: a part is missing, unknown or out of its range.
        """
        names = {field.name for field in fields(cls)}
        later = {field.name: field.default for field in fields(cls) if field.default is not MISSING}
        if not isinstance(values, dict) or {*later, *values} != names:
            raise ValueError(f'an encoder in whole numbers has the parts {sorted(names)}')
        values = {**later, **values}
        try:
            form = cls(
                kernel=tuple(int(tap) for tap in values['kernel']),
                padding=str(values['padding']),
                difference=bool(values['difference']),
                thresholds=tuple(int(threshold) for threshold in values['thresholds']),
                dither=float(values['dither']),
                low=float(values['low']),
                step=float(values['step']),
                block=int(values['block']),
                magnitude=bool(values['magnitude']),
                geometry=_geometry_of(values['geometry']),
                flip=float(values['flip']),
            )
            check_block(form.block)
            check_flip(form.flip, form.num_levels)
        except (TypeError, ValueError) as error:
            raise ValueError(f'an encoder in whole numbers is malformed: {error}') from error
        kernel, thresholds = form.kernel, form.thresholds
        sound = (
            len(kernel) % 2 == 1
            and kernel == kernel[::-1]
            and min(kernel) >= 0
            and sum(kernel) == KERNEL_SUM
            and form.padding in ('replicate', 'zeros')
            and 1 <= len(thresholds) <= 255
            and list(thresholds) == sorted(thresholds)
            and form.dither >= 0
            and all(map(math.isfinite, (form.dither, form.low, form.step)))
        )
        if not sound:
            raise ValueError(
                'an encoder in whole numbers needs an odd, symmetric kernel of taps from 0 with '
                f"sum {KERNEL_SUM}, padding 'replicate' or 'zeros', 1 to 255 thresholds in order "
                f'and a dither from 0; got {form}'
            )
        return form

    @classmethod
    def from_numbers(
        cls,
        *,
        log_sigma: float | None,
        kernel_size: int,
        padding: str,
        difference: bool,
        levels: IntegerLevels,
        dither: float,
        block: int = 1,
        geometry: Geometry | None = None,
        flip: float = 0.0,
    ) -> CameraForm:
        """The form of an encoder's learned numbers.

        Args:
            log_sigma: the blur's parameter, None where there is no blur.
            kernel_size, padding: of the blur.
            difference: whether frames are subtracted.
            levels: its quantiser.
            dither: standard deviation in units of full intensity.
            block: side of the blocks in pixels.
            geometry: of the geometric dither.
            flip: of the randomised response.

        Raises:
            ValueError: a number that is not finite, or a blur that has no form in whole numbers.
        """
        blurs = log_sigma is not None
        if not all(map(math.isfinite, [dither, *([log_sigma] if blurs else [])])):
            raise ValueError(
                'an encoder with numbers that are not finite has no codes: '
                f'log_sigma {log_sigma}, dither {dither}'
            )
        return cls(
            kernel=integer_kernel(math.exp(log_sigma), kernel_size) if blurs else (KERNEL_SUM,),
            padding=padding if blurs else 'replicate',
            difference=difference,
            dither=dither * UNITS,
            block=block,
            geometry=geometry,
            flip=flip,
            **asdict(levels),
        )


def load_form(source: str | os.PathLike) -> CameraForm:
    """Read an encoder's JSON file (``bdq_plugin.encoders.save_encoder``) without torch.

    Args:
        source: a path, or a name of the zoo.

    Returns:
        The same numbers as ``load_encoder(source).integer_form()``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an encoder file, or an encoder that cannot run as a stream.
    """
    document = read_encoder_file(source)
    try:
        return _form_of(document)
    except KeyError as error:
        raise ValueError(
            f'{source} lacks {error}: write it anew with bdq_plugin.encoders.save_encoder'
        ) from error
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f'{source}: {error}') from error


def streaming_zoo() -> dict[str, CameraForm]:
    """The zoo's encoders that have a form in whole numbers, by name."""
    ranges = {name: read_encoder_file(name)['config'].get('range') for name in zoo_names()}
    return {name: load_form(name) for name, kind in ranges.items() if kind == 'fixed'}


def _form_of(document: dict[str, Any]) -> CameraForm:
    config, state = document['config'], document['state']
    streams = (
        document['type'] == 'BDQEncoder'
        and config['quantization']
        and config['range'] == 'fixed'
        and not config['expects_normalized']
    )
    if not streams:
        raise ValueError(NO_FORM)
    form = CameraForm.from_numbers(
        log_sigma=_float32(state['blur.log_sigma']) if config['blur'] else None,
        kernel_size=config['kernel_size'],
        padding=config['padding'],
        difference=config['difference'],
        levels=_levels_of(config, state),
        dither=config['dither'],
        block=config.get('block', 1),
        geometry=_geometry_of(config.get('geometric_dither')),
        flip=config.get('flip', 0.0),
    )
    return CameraForm.from_dict(form.to_dict())


def _geometry_of(values: dict[str, Any] | None) -> Geometry | None:
    return None if values is None else Geometry.from_dict(values)


def _levels_of(config: dict[str, Any], state: dict[str, Any]) -> IntegerLevels:
    if config.get('dead_zone') is not None:
        numbers = (_float32(state[f'quantize.{name}']) for name in ('dead_zone', 'step'))
        return IntegerLevels.of_dead_zone(config['num_levels'], *numbers)
    thresholds = [_float32(threshold) for threshold in state['quantize.thresholds']]
    if len(thresholds) != config['num_levels'] - 1:
        raise ValueError(
            f'{config["num_levels"]} levels need one threshold less, it has {len(thresholds)}'
        )
    ends = (_float32(state[f'quantize.{name}']) for name in ('low', 'high'))
    return IntegerLevels.of_thresholds(thresholds, *ends)


def _float32(value: float) -> float:
    # Torch holds parameters in float32; a number written by hand would be rounded on loading.
    return unpack('f', pack('f', value))[0]
