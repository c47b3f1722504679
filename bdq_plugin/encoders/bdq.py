"""The BDQ encoder: blur, difference, quantisation, 16 learned numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..camera_form import NO_FORM, CameraForm, check_block
from ..geometry import Geometry
from ..randomized_response import check_flip
from .backends import check_backend, choose_backend, encode_function
from .backends.operation import Operation
from .base import ClipEncoder
from .blur import GaussianBlur
from .difference import TemporalDifference
from .functional import motion, randomized_response, refuse_nan
from .geometry import move
from .integer import decode, integer_codes
from .quantization import DeadZoneQuantizer, Quantizer, Staircase


class BDQEncoder(ClipEncoder):
    """Blur each frame, subtract the one before it, quantise: (N, C, T, H, W) to T - 1 frames.

    ::

        x (N, C, T, H, W) --B: 5 x 5 Gaussian--> D: x_t - x_{t-1} --Q: 16 levels--> T - 1 frames

    Each of the three can be left out. Source: the paper, section 3. Named settings stand in
    :mod:`bdq_plugin.encoders.presets`.

    Beyond the paper, the quantiser can be given the mean of the difference over coarse blocks
    (``block``) and noise on top (``dither``), and have few levels about a dead zone
    (``dead_zone``); all hide people at little cost in action. With blocks the output is small:
    frames of 48 x 64 in blocks of 8 give 6 x 8. Each frame is averaged before the difference is
    taken, which is the same and costs less.

    Args:
        blur, difference, quantization: which parts are present.
        sigma, learn_sigma, kernel_size, padding: see :class:`GaussianBlur`.
        num_levels, hardness, learn_thresholds, mode, range: see :class:`Quantizer`.
        dead_zone, step: of :class:`DeadZoneQuantizer`, which then stands for it; ``range`` is
            ``'fixed'``. None for no dead zone.
        range_limit: R of the fixed range, in units of the input: -R to R for differences, 0 to R
            without them. Set by hand or by ``CalibrateRangeHook``.
        block: side in pixels of the blocks of which the mean is taken, 1 for none. Both sides of a
            frame must be multiples of it: a smaller block at the border would show more of a
            person than the others, and what is cut off silently is missed.
        dither: standard deviation of Gaussian noise added before the thresholds, in training and in
            use alike, in units of the input.
        geometric_dither: parts of :class:`bdq_plugin.geometry.Geometry` and their strengths, such
            as ``dict(stretch=0.25, shift=0.125, mirror=True, warp=0.04)``: each clip is moved by a
            geometry of its own before all else, in training and in use alike. None for none. A
            ``redraw`` counts frames that are encoded.
        flip: probability that a code is replaced by one of the other levels (randomised response),
            in training and in use alike; what codes tell of anybody then has a bound
            (``tools/certify.py``). From 0 to ``1 - 1 / num_levels``, at which they tell nothing.
            It is of whole levels in a fixed range.
        expects_normalized: the input is normalised by mean and standard deviation (released code).
        backend: what computes the quantised form in training and soft use: ``'auto'`` or one of
            :mod:`bdq_plugin.encoders.backends`. It changes speed and memory, not what is computed,
            so encoder files do not keep it.

    Example:
        >>> BDQEncoder()(torch.rand(2, 3, 8, 32, 32)).shape
        torch.Size([2, 3, 7, 32, 32])
    """

    initial: ClassVar[dict[str, tuple[str, ...]]] = dict(
        sigma=('blur.log_sigma',),
        range_limit=('quantize.low', 'quantize.high'),
        dead_zone=('quantize.dead_zone',),
        step=('quantize.step',),
        hardness=('quantize.hardness',),
    )
    unrecorded = ('backend',)
    later: ClassVar[dict[str, Any]] = dict(
        block=1, dead_zone=None, step=None, geometric_dither=None, flip=0.0
    )

    def __init__(
        self,
        *,
        blur: bool = True,
        difference: bool = True,
        quantization: bool = True,
        sigma: float = 1.0,
        learn_sigma: bool = True,
        kernel_size: int = 5,
        padding: str = 'replicate',
        num_levels: int = 16,
        hardness: float = 5.0,
        learn_thresholds: bool = True,
        mode: str = 'soft',
        range: str = 'clip',
        range_limit: float | None = None,
        dead_zone: float | None = None,
        step: float | None = None,
        block: int = 1,
        dither: float = 0.0,
        geometric_dither: dict[str, Any] | None = None,
        flip: float = 0.0,
        expects_normalized: bool = False,
        backend: str = 'auto',
    ) -> None:
        super().__init__()
        if dead_zone is None and step is not None:
            raise ValueError(f'step={step} is the width of levels beyond a dead_zone: name both')
        if dead_zone is not None and not (
            difference and quantization and range == 'fixed' and range_limit is None
        ):
            raise ValueError(
                'a dead_zone is of quantised differences in a range of its own: difference=True, '
                "quantization=True, range='fixed' and no range_limit"
            )
        if range_limit is None:
            range_limit = 0.25 if difference else 1.0
        if not range_limit > 0:
            raise ValueError(f'range_limit must be above 0, got {range_limit}')
        if dither < 0:
            raise ValueError(f'dither is a standard deviation, 0 or more, got {dither}')
        check_block(block)
        check_flip(flip, num_levels)
        if flip and not (
            quantization and mode == 'hard' and range == 'fixed' and not expects_normalized
        ):
            raise ValueError(
                f'flip={flip} replaces whole levels in a range that no clip changes: '
                "quantization=True, mode='hard', range='fixed' and no expects_normalized"
            )
        self.block, self.dither, self.flip = block, float(dither), float(flip)
        self.geometry = None if geometric_dither is None else Geometry.from_dict(geometric_dither)
        self.signed = difference
        self.drops_frames = int(difference)
        self.expects_normalized = expects_normalized
        self.blur = (
            GaussianBlur(sigma, learnable=learn_sigma, kernel_size=kernel_size, padding=padding)
            if blur
            else nn.Identity()
        )
        self.difference = TemporalDifference() if difference else nn.Identity()
        common = dict(
            num_levels=num_levels, mode=mode, hardness=hardness, learnable=learn_thresholds
        )
        if not quantization:
            self.quantize = nn.Identity()
        elif dead_zone is not None:
            self.quantize = DeadZoneQuantizer(dead_zone=dead_zone, step=step, **common)
        else:
            low = -range_limit if difference else 0.0
            self.quantize = Quantizer(range=range, low=low, high=range_limit, **common)
        check_backend(backend, self.plain_parts)
        self.backend = backend

    # ------------------------------------------------------------------ what it consists of
    @property
    def blurs(self) -> bool:
        return isinstance(self.blur, GaussianBlur)

    @property
    def quantizes(self) -> bool:
        return isinstance(self.quantize, Staircase)

    @property
    def has_dead_zone(self) -> bool:
        return isinstance(self.quantize, DeadZoneQuantizer)

    @property
    def uses_whole_clip(self) -> bool:
        """Whether one output frame depends on frames other than its own two."""
        return self.quantizes and self.quantize.range != 'fixed'

    @property
    def streamable(self) -> bool:
        """Whether :meth:`integer_form` exists: whole levels in a range that no clip changes."""
        return self.quantizes and self.quantize.range == 'fixed' and not self.expects_normalized

    @property
    def plain_parts(self) -> list[str]:
        """The arguments whose parts no fused backend computes."""
        parts = dict(block=self.block > 1, dither=self.dither > 0, dead_zone=self.has_dead_zone)
        return [name for name, present in parts.items() if present]

    # ------------------------------------------------------------------ what it computes
    def motion(self, x_NCTHW: Tensor) -> Tensor:
        """The clip as the quantiser meets it: moved, blurred, in blocks, differenced, dithered."""
        return motion(self.blur(self.move(x_NCTHW)), self.block, self.signed, self.dither)

    def move(self, x_NCTHW: Tensor) -> Tensor:
        """The clip after the geometric dither, differentiable; the clip itself without one."""
        return x_NCTHW if self.geometry is None else move(x_NCTHW, self.geometry)

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        """The networks' view: ``low + level * step``, differentiable unless in use.

        In evaluation a hard, streamable encoder returns exactly what the camera's codes stand for.
        """
        in_use = not self.training and not torch.is_grad_enabled()
        if in_use and self.streamable and self.quantize.mode == 'hard':
            form = self.integer_form()
            return decode(form, integer_codes(form, to_uint8(x_NCTHW))).to(x_NCTHW.dtype)
        if not self.quantizes:
            return self.motion(x_NCTHW)
        quantizer = self.quantize
        operation = Operation(
            difference=self.signed,
            range=quantizer.range,
            hard=quantizer.mode == 'hard',
            eps=quantizer.eps,
            kernel_size=self.blur.kernel_size if self.blurs else 1,
            padding=self.blur.padding if self.blurs else 'replicate',
            block=self.block,
            magnitude=quantizer.magnitude,
            dither=self.dither,
        )
        backend = choose_backend(self.backend, x_NCTHW, self.plain_parts)
        y, low, high = encode_function(backend)(
            self.move(x_NCTHW),
            self.blur.sigma if self.blurs else None,
            quantizer.thresholds,
            quantizer.low,
            quantizer.high,
            quantizer.hardness,
            operation,
        )
        quantizer.remember_range(low, high)
        return self.respond(y) if self.flip else y

    def respond(self, y: Tensor) -> Tensor:
        """Quantised values with levels replaced; the gradient is that of their expectation."""
        low, high, steps = self.quantize.low, self.quantize.high, self.quantize.num_levels - 1
        step = ((high - low) / steps).to(y)
        levels = ((y - low.to(y)) / step).round()
        response = low.to(y) + step * randomized_response(levels, self.flip, steps + 1)
        expected = (1 - self.flip * (steps + 1) / steps) * y
        return expected + (response - expected).detach()

    def levels(self, x_NCTHW: Tensor) -> Tensor:
        """With a fixed range those of :meth:`integer_form`, exact on every device."""
        if not self.quantizes:
            return super().levels(x_NCTHW)
        if self.streamable:
            return integer_codes(self.integer_form(), to_uint8(x_NCTHW))
        if x_NCTHW.dtype == torch.uint8:
            x_NCTHW = x_NCTHW.float() / 255
        return self.quantize.levels(self.motion(x_NCTHW))

    def integer_form(self) -> CameraForm:
        """This encoder in whole numbers, for a camera.

        Raises:
            ValueError: it does not quantise, its range depends on the clip or the batch, or one of
                its numbers is not finite.
        """
        if not self.streamable:
            raise ValueError(NO_FORM)
        return CameraForm.from_numbers(
            log_sigma=self.blur.log_sigma.item() if self.blurs else None,
            kernel_size=self.blur.kernel_size if self.blurs else 1,
            padding=self.blur.padding if self.blurs else 'replicate',
            difference=self.signed,
            levels=self.quantize.integer_levels(),
            geometry=self.geometry,
            block=self.block,
            dither=self.dither,
            flip=self.flip,
        )

    def differences(self, described: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """See :meth:`ClipEncoder.differences`; whether there is a dead zone is no mere start."""
        found = super().differences(described)
        there, here = (c.get('dead_zone') for c in (described['config'], self.config))
        if (there is None) != (here is None):
            found['dead_zone'] = there, here
        return found

    # ------------------------------------------------------------------ what training does to it
    @torch.no_grad()
    def anneal_(self, progress: float) -> None:
        """Set the hardness for a share of training, 0 to 1; one of another mode stays as it is."""
        if self.quantizes and self.quantize.mode == 'annealed':
            self.quantize.anneal_(progress)

    @torch.no_grad()
    def project_(self) -> None:
        """Put thresholds and sigma in order and in range."""
        if self.blurs:
            self.blur.project_()
        if self.quantizes:
            self.quantize.project_()

    @torch.no_grad()
    def set_range_(self, limit: float) -> None:
        """Set R of the fixed range, in units of the input."""
        if not self.quantizes:
            raise ValueError('this encoder does not quantise, so it has no range to set')
        if self.has_dead_zone:
            raise ValueError(
                'the range of an encoder with a dead zone follows from dead_zone and step: set '
                'these, and remove CalibrateRangeHook'
            )
        if not limit > 0:
            raise ValueError(f'the range limit must be above 0, got {limit}')
        self.quantize.high.fill_(limit)
        self.quantize.low.fill_(-limit if self.signed else 0.0)
        self.config['range_limit'] = float(limit)

    @torch.no_grad()
    def state_tensors(self) -> dict[str, Tensor]:
        """sigma in pixels, the range, the hardness and all thresholds in units of a level."""
        state: dict[str, Tensor] = {}
        if self.blurs:
            state['sigma'] = self.blur.sigma
        if self.quantizes:
            state['range_low'], state['range_high'] = self.quantize.seen_limits
            state['hardness'] = self.quantize.hardness
            state['thresholds'] = self.quantize.thresholds.detach()
        return state


def to_uint8(x: Tensor) -> Tensor:
    """Floats in [0, 1] to the nearest of 256 levels; uint8 passes.

    Raises:
        ValueError: a float that is no number, which stands for no level.
    """
    if x.dtype == torch.uint8:
        return x
    refuse_nan(x, 'the clip')
    return (x * 255).round().clamp(0, 255).to(torch.uint8)
