"""What every encoder shares: one call, one input contract, one description of itself."""

from __future__ import annotations

import contextlib
import inspect
import json
import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .projection import project_after_steps

# Every encoder class by its name: how a file finds the class that it is of.
ENCODERS: dict[str, type[ClipEncoder]] = {}


class ClipEncoder(nn.Module):
    """An encoder that stands between the pixels and every network.

    Sub-classes define :meth:`encode`; those that emit whole levels also :meth:`levels`. An encoder
    of your own is found again by its files and checkpoints once its module is imported, which
    ``custom_imports`` of a config does.

    Attributes:
        signed (bool): the output is a difference, zero where nothing moves. Networks then divide
            it by the pixel's standard deviation and subtract no mean.
        expects_normalized (bool): the input must be normalised by mean and standard deviation
            before it is encoded (the released code), not lie in [0, 1].
        uses_whole_clip (bool): one output frame depends on more than its own input frames.
        drops_frames (int): how many output frames are fewer than input frames.
        config (dict): the arguments that build this encoder again, recorded as it is built.
        source (str | None): the file that it was loaded from.
        overrides (tuple): arguments that were named beside that file and replace its own.
        pinned (bool): what it was loaded with stays: a checkpoint with other numbers is refused.
        initial (dict): arguments that say only where training starts, and the names of the numbers
            that hold what became of them.
        unrecorded (tuple): arguments that change nothing of what is computed.
        later (dict): arguments of parts that came after the first files and results, and the value
            at which the part is off; then they are not recorded, as if they did not exist.
    """

    signed = False
    expects_normalized = False
    uses_whole_clip = False
    drops_frames = 0
    initial: ClassVar[dict[str, tuple[str, ...]]] = {}
    unrecorded: ClassVar[tuple[str, ...]] = ()
    later: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = ENCODERS.get(cls.__name__)
        if known is not None and _is_ours(known) and known.__module__ != cls.__module__:
            raise ValueError(
                f'{cls.__module__}.{cls.__name__}: bdq_plugin has an encoder of this name, and '
                'files could not tell them apart; choose another name'
            )
        ENCODERS[cls.__name__] = cls

    def __new__(cls, *args: Any, **kwargs: Any) -> ClipEncoder:
        encoder = super().__new__(cls)
        encoder.config = cls.arguments(*args, **kwargs)
        project_after_steps(encoder)  # copies come here, too
        return encoder

    def __init__(self) -> None:
        super().__init__()
        self.source: str | None = None
        self.overrides: tuple[str, ...] = ()
        self.pinned = False
        self.register_state_dict_post_hook(_describe)
        self.register_load_state_dict_pre_hook(_check_description)

    # ------------------------------------------------------------------ what it is
    @classmethod
    def arguments(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """All arguments of an encoder that is built so, defaults included but for ``later``.

        Raises:
            TypeError: the class does not take them.
        """
        signature = inspect.signature(cls.__init__)
        bound = signature.bind_partial(None, *args, **kwargs)
        bound.apply_defaults()
        found: dict[str, Any] = {}
        for name, parameter in list(signature.parameters.items())[1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                found.update(bound.arguments[name])
            elif name in bound.arguments:
                found[name] = bound.arguments[name]
        off = {name for name, value in cls.later.items() if found.get(name) == value}
        left_out = off.union(cls.unrecorded)
        return {name: value for name, value in found.items() if name not in left_out}

    def description(self) -> dict[str, Any]:
        """``type`` and ``config`` in plain values, as files and checkpoints keep them.

        Raises:
            ValueError: an argument that JSON cannot hold.
        """
        try:
            config = json.loads(json.dumps(self.config))
        except TypeError as error:
            raise ValueError(
                f'{type(self).__name__} has an argument that no file can hold ({error}): build it '
                'of numbers, texts, lists and dicts'
            ) from error
        described = dict(type=type(self).__name__, config=config)
        if not _is_ours(type(self)):
            described['module'] = type(self).__module__
        return described

    def differences(self, described: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Where a description says other than this encoder is: name to (there, here).

        What is only where training starts does not count: the numbers themselves say it.
        """
        own = self.description()
        if described['type'] != own['type']:
            return dict(type=(described['type'], own['type']))
        there, here = described['config'], own['config']
        # An older version wrote fewer arguments; those had today's defaults.
        with contextlib.suppress(TypeError):
            there = json.loads(json.dumps(self.arguments(**there)))
        names = [name for name in {**here, **there} if name not in self.initial]
        pairs = {name: (there.get(name), here.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def check_same(self, described: dict[str, Any], source: str) -> None:
        """Compare with what a file or checkpoint says of its encoder.

        What was named as an override may differ, and is said to.

        Args:
            described: ``type`` and ``config``.
            source: where they stand, for messages.

        Raises:
            ValueError: they describe another encoder; the message shows both sides.
        """
        found = self.differences(described)
        named = {name: found.pop(name) for name in self.overrides if name in found}
        if found:
            raise ValueError(
                f'{source} has another encoder than the one at hand: {_both_sides(found)}. Take '
                'its own (encoder=dict(file=...), on the command line encoder_file=...), or name '
                'beside it what shall differ'
            )
        if named:
            warnings.warn(f'{source}: {_both_sides(named)}, as was asked for', stacklevel=2)
        for name in self.initial:
            if name in described['config'] and name not in self.overrides:
                self.config[name] = described['config'][name]

    def check_numbers(self, state: dict[str, Tensor]) -> None:
        """Compare the numbers of a checkpoint with those of the file that this encoder is of.

        What follows from an override may differ.

        Raises:
            ValueError: they are another encoder's; the message shows both sides.
        """
        kept = {name for key in self.overrides for name in self.initial.get(key, ())}
        for name, own in self.state_dict().items():
            there = state.get(name)
            if there is None or name in kept or there.shape != own.shape:
                continue
            # The mean over processes, which MMEngine takes of buffers, is rounded.
            if not torch.allclose(there.to(own), own, rtol=1e-5, atol=1e-7):
                raise ValueError(
                    f"the checkpoint was trained on another encoder than {self.source}: '{name}' "
                    f'is {there.tolist()} there, {own.tolist()} here; name the encoder that it was '
                    'trained on (encoder_file=...), or the checkpoint itself as encoder_file'
                )

    # ------------------------------------------------------------------ what it computes
    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """Encode a clip in float32, whatever autocast says.

        Args:
            x_NCTHW: clip of shape (N, C, T, H, W), floating point in [0, 1] (normalised floats
                where ``expects_normalized``), or uint8 pixels, which are divided by 255.

        Returns:
            The encoded clip, (N, C, T - ``drops_frames``, H, W), float32 (float64 stays); with
            blocks of pixels (``BDQEncoder(block=...)``) H and W are as many times fewer. What is no
            number in the input makes none of what depends on it.

        Raises:
            ValueError: the input has another number of dimensions, too few frames or another dtype.
        """
        self._check_clip(x_NCTHW)
        if x_NCTHW.dtype == torch.uint8:
            x_NCTHW = x_NCTHW.float() / 255
        with torch.autocast(x_NCTHW.device.type, enabled=False):
            if x_NCTHW.dtype != torch.float64:
                x_NCTHW = x_NCTHW.float()
            return self.encode(x_NCTHW)

    def encode(self, x_NCTHW: Tensor) -> Tensor:
        """The networks' view of the clip, differentiable."""
        raise NotImplementedError

    @torch.no_grad()
    def codes(self, x_NCTHW: Tensor) -> Tensor:
        """The levels that would leave the camera, whatever form training used.

        Args:
            x_NCTHW: as for :meth:`forward`; floats in [0, 1] are rounded to 8 bits first where a
                camera would.

        Returns:
            uint8 tensor of the shape that :meth:`forward` gives.

        Raises:
            ValueError: the encoder does not quantise, or an input that :meth:`forward` refuses or
                that holds what is no number.
        """
        self._check_clip(x_NCTHW)
        return self.levels(x_NCTHW)

    def levels(self, x_NCTHW: Tensor) -> Tensor:
        """:meth:`codes` of a clip that has been checked."""
        raise ValueError(
            f'{type(self).__name__} does not quantise, so it has no codes; choose an encoder with '
            "quantisation, such as build_encoder('bdq_hard')"
        )

    def _check_clip(self, x_NCTHW: Tensor) -> None:
        name = type(self).__name__
        if x_NCTHW.ndim != 5:
            raise ValueError(f'{name} expects a clip (N, C, T, H, W), got {tuple(x_NCTHW.shape)}')
        if x_NCTHW.shape[2] <= self.drops_frames:
            raise ValueError(
                f'{name} needs at least {self.drops_frames + 1} frames, got a clip of shape '
                f'{tuple(x_NCTHW.shape)}'
            )
        if x_NCTHW.is_floating_point():
            return
        if x_NCTHW.dtype != torch.uint8:
            raise ValueError(
                f'{name} expects floats in [0, 1] or uint8 pixels, got {x_NCTHW.dtype}: convert '
                'the clip'
            )
        if self.expects_normalized:
            raise ValueError(
                f'{name} with expects_normalized=True takes floats that are normalised by mean and '
                'standard deviation, got uint8 pixels: normalise them, or use BDQDataPreprocessor'
            )

    def anneal_(self, progress: float) -> None:
        """Grow harder over a training, 0 to 1; most encoders do not."""

    def project_(self) -> None:
        """Put learned numbers back in order and in range; called after each optimiser step."""

    def state_tensors(self) -> dict[str, Tensor]:
        """What training should log of this encoder, on its device: scalars and vectors by name."""
        return {}

    def extra_state(self) -> dict[str, float | list[float]]:
        """The same as numbers."""
        return {name: value.tolist() for name, value in self.state_tensors().items()}


def _both_sides(found: dict[str, tuple[Any, Any]]) -> str:
    return ', '.join(f'{name} {a!r} there, {b!r} here' for name, (a, b) in found.items())


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith('bdq_plugin.')


# Hooks of torch: a state_dict carries the description in its metadata, beside the numbers, through
# every writer and reader of checkpoints.
def _describe(
    encoder: ClipEncoder, state: dict[str, Any], prefix: str, metadata: dict[str, Any]
) -> None:
    metadata['encoder'] = encoder.description()


def _check_description(
    encoder: ClipEncoder, state: dict[str, Any], prefix: str, metadata: dict[str, Any], *_: Any
) -> None:
    described = metadata.get('encoder')
    if described is not None:
        encoder.check_same(described, 'the checkpoint')
    elif any(name.startswith(prefix) for name in state):
        warnings.warn(
            'the checkpoint does not say what encoder its numbers belong to (an older version '
            f'wrote it): they are taken for those of {encoder.description()}',
            stacklevel=2,
        )
    if encoder.pinned and encoder.source is not None:
        own = {n[len(prefix) :]: value for n, value in state.items() if n.startswith(prefix)}
        encoder.check_numbers(own)
