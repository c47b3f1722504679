"""Inversion: a decoder that restores clear frames from the encoded clip.

What it restores is scored as a picture (PSNR, SSIM) and by a network that knows the people from
clear video. Beside each stands what the mean of the clear training frames scores, which knows
nothing of the clip.

Names carry their dimensions: N clips, C channels, T frames, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...encoders import gaussian_kernel
from ..clips import Clips
from .base import ATTACKERS, Answer, Attacker, Fit
from .networks import accuracy, at_least_one, one_of_each_stretch
from .training import Recipe, Training, Trial, augment, seeded, train

# The witness's view of a clear frame: typical grey level and contrast of indoor video.
_MEAN, _STD = 0.43, 0.15
_Encodings = Sequence[Sequence[Tensor]]

# SSIM's window has 11 pixels a side.
_LEAST_SIDE = 11
# Frames of each training clip, evenly spread, that tell whether the decoder has learned.
_TRIED = 2


@ATTACKERS.register_module()
class InversionAttacker(Attacker):
    """Restore frames, then recognise who is on them.

    A 2D network sees the encoded frames around an instant and draws the clear frame at that
    instant. A difference belongs to the later of its two frames. The decoder is trained until more
    changes nothing; it has converged where the witness has, too.

    Args:
        witness: config of the attacker that is trained on clear frames and judges the restored
            ones, such as ``dict(type='FrameAttacker', backbone=...)``.
        window: encoded frames seen at once, odd.
        channels: width of the decoder.
        frames_per_step: frames of each clip in a step.
        recipe: of the decoder, see :class:`~bdq_plugin.evaluation.attackers.training.Recipe`.
        device: where the decoder runs.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.Attacker`.
    """

    def __init__(
        self,
        *,
        witness: dict[str, Any],
        window: int = 5,
        channels: int = 16,
        frames_per_step: int = 2,
        recipe: dict[str, Any] | None = None,
        device: str = 'cpu',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.target != 'identity':
            raise ValueError("an inversion attacker's target is 'identity'")
        at_least_one(channels=channels, frames_per_step=frames_per_step)
        if window < 1 or window % 2 == 0:
            raise ValueError(f'window must be an odd number of frames, got {window}')
        self.recipe = Recipe.from_config(recipe or {})
        self.window, self.channels, self.frames_per_step = window, channels, frames_per_step
        self.device = device
        same = dict(num_outputs=self.num_outputs, multi_label=self.multi_label, seed=self.seed)
        self.witness: Attacker = ATTACKERS.build(dict(witness, **same))
        self.decoder: nn.Module | None = None
        self._mean_frame: Tensor | None = None

    def check(self, clips: Clips) -> None:
        """Raise ValueError where frames are too small, or the witness cannot read them."""
        if min(clips.size) < _LEAST_SIDE:
            raise ValueError(
                f'restored frames are scored by SSIM, which needs {_LEAST_SIDE} pixels a side, '
                f'got {clips.size}'
            )
        self.witness.check(_with_values(clips, _normalized(_clear(clips))))

    def fit(self, clips: Clips) -> Fit:
        """Train the decoder on pairs and the witness on clear frames."""
        training = self.fit_decoder(clips)
        witness = self.witness.fit(_with_values(clips, _normalized(_clear(clips))))
        known = clips.first_encodings()
        log_probs = self.witness.answer(self._restored(known)).log_probs[:, 0]
        return Fit(
            accuracy(log_probs, clips.identities.numpy(), self.multi_label),
            training.converged and witness.converged,
            training.epochs,
            notes=dict(
                decoder_l1=training.trial.loss,
                witness_train_accuracy=witness.train_accuracy,
                witness_converged=witness.converged,
            ),
        )

    def fit_decoder(self, clips: Clips) -> Training:
        """Train the decoder alone, which is all that :meth:`restore` needs."""
        clear = _clear(clips)
        self._mean_frame = torch.stack([x[0].float().mean(1) for x in clear]).mean(0)
        with seeded(self.seed, self.device):
            inputs, outputs = self.window * clips.channels, clear[0][0].shape[0]
            self.decoder = _Decoder(inputs, outputs, self.channels).to(self.device)
            training = train(
                self.decoder,
                lambda index: self._loss(clips.values, clear, index),
                len(clips),
                self.recipe,
                lambda: self._attempt(clips.values, clear),
                type(self).__name__,
            )
        return training

    def answer(self, clips: Clips) -> Answer:
        """What the witness makes of the restored frames, and how good they are as pictures."""
        restored, clear = self._restored(clips), _clear(clips)
        answer = self.witness.answer(restored)
        first = [_denormalized(encodings[0]) for encodings in restored.values]
        wanted = [encodings[0].float() for encodings in clear]
        mean = [self._mean_frame[:, None].expand_as(x) for x in wanted]
        seen = self.witness.answer(
            _with_values(clips.first_encodings(), _normalized([x[:1] for x in clear]))
        )
        knows = accuracy(seen.log_probs[:, 0], clips.identities.numpy(), self.multi_label)
        extras = dict(
            psnr_db=_mean_of(psnr, first, wanted),
            ssim=_mean_of(ssim, first, wanted),
            mean_frame_psnr_db=_mean_of(psnr, mean, wanted),
            mean_frame_ssim=_mean_of(ssim, mean, wanted),
            witness_on_clear_frames=knows,
        )
        return replace(answer, extras=extras)

    @torch.no_grad()
    def restore(self, x_CTHW: Tensor) -> Tensor:
        """Clear frames in [0, 1], as many as encoded ones, (C, T, H, W) on the CPU."""
        total = x_CTHW.shape[1]
        frames = [
            self.decoder(_windows(x_CTHW, index, self.window).to(self.device)).cpu()
            for index in torch.arange(total).split(32)
        ]
        return torch.cat(frames).transpose(0, 1)

    def _restored(self, clips: Clips) -> Clips:
        """Clips for the witness: each encoding as the decoder restores it."""
        self.decoder.eval()
        return _with_values(
            clips, _normalized([[self.restore(x) for x in encodings] for encodings in clips.values])
        )

    def _loss(self, values: _Encodings, clear: _Encodings, index: Tensor) -> Tensor:
        encodings = torch.randint(len(values[0]), (len(index),)).tolist()
        pairs = []
        for n, e in zip(index.tolist(), encodings, strict=True):
            x, wanted = values[n][e], clear[n][e]
            chosen = one_of_each_stretch(x.shape[1], torch.rand(self.frames_per_step))
            pairs.append(_pair(x, wanted, chosen, self.window))
        # Encoded and clear frame side by side as channels: flips and shifts move both alike.
        return self._l1(augment(torch.stack(pairs), self.recipe).flatten(0, 1))

    def _attempt(self, values: _Encodings, clear: _Encodings) -> Trial:
        losses = []
        for x, wanted in zip(values, clear, strict=True):
            chosen = one_of_each_stretch(x[0].shape[1], torch.full((_TRIED,), 0.5))
            losses.append(self._l1(_pair(x[0], wanted[0], chosen, self.window)).item())
        return Trial(0.0, float(np.mean(losses)))

    def _l1(self, pairs: Tensor) -> Tensor:
        pairs = pairs.to(self.device)
        channels = self.decoder.enter[0].in_channels
        return F.l1_loss(self.decoder(pairs[:, :channels]), pairs[:, channels:])


class _Decoder(nn.Module):
    """A small U-Net: two levels down, two up, with shortcuts."""

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        self.enter = _block(in_channels, width, 1)
        self.down1 = _block(width, 2 * width, 2)
        self.down2 = _block(2 * width, 4 * width, 2)
        self.up1 = _block(6 * width, 2 * width, 1)
        self.up2 = _block(3 * width, width, 1)
        self.leave = nn.Conv2d(width, out_channels, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        full = self.enter(x_NCHW)
        half = self.down1(full)
        low = self.down2(half)
        half = self.up1(torch.cat([_resized(low, half), half], 1))
        full = self.up2(torch.cat([_resized(half, full), full], 1))
        return self.leave(full).sigmoid()


def psnr(restored_CTHW: Tensor, clear_CTHW: Tensor) -> float:
    """Mean over frames of the peak signal-to-noise ratio, in dB, of a clip in [0, 1]."""
    error_T = (restored_CTHW - clear_CTHW).square().mean((0, 2, 3))
    return float((-10 * error_T.clamp(min=1e-10).log10()).mean())


def ssim(restored_CTHW: Tensor, clear_CTHW: Tensor) -> float:
    """Mean structural similarity (Wang et al., 2004) of a clip in [0, 1].

    A Gaussian window of 11 x 11 pixels, sigma 1.5, without padding; frames need 11 pixels a side.
    """
    x, y = (clip.flatten(0, 1).unsqueeze(1) for clip in (restored_CTHW, clear_CTHW))
    taps = gaussian_kernel(1.5, _LEAST_SIDE)
    kernel = torch.outer(taps, taps)[None, None]

    def local_mean(values: Tensor) -> Tensor:
        return F.conv2d(values, kernel)

    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x, var_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def _mean_of(
    score: Callable[[Tensor, Tensor], float], restored: list[Tensor], clear: list[Tensor]
) -> float:
    return float(np.mean([score(x, y) for x, y in zip(restored, clear, strict=True)]))


def _clear(clips: Clips) -> list[list[Tensor]]:
    """The clear frames that the encoded ones belong to, (C, T, H, W) in [0, 1], float16."""
    return [
        [y[:, -x.shape[1] :].half() / 255 for x, y in zip(values, clear, strict=True)]
        for values, clear in zip(clips.values, clips.clear, strict=True)
    ]


def _normalized(frames: _Encodings) -> list[list[Tensor]]:
    return [[((x - _MEAN) / _STD).half() for x in encodings] for encodings in frames]


def _denormalized(frames: Tensor) -> Tensor:
    return frames.float() * _STD + _MEAN


def _with_values(clips: Clips, values: list[list[Tensor]]) -> Clips:
    return replace(clips, values=tuple(map(tuple, values)))


def _pair(x_CTHW: Tensor, clear_CTHW: Tensor, frames: Tensor, window: int) -> Tensor:
    """Windows around some frames, and these frames in clear as further channels."""
    return torch.cat(
        [_windows(x_CTHW, frames, window), clear_CTHW[:, frames].transpose(0, 1).float()], 1
    )


def _windows(x_CTHW: Tensor, frames: Tensor, window: int) -> Tensor:
    """The ``window`` frames around each of some, as channels: (frames, window * C, H, W)."""
    around = frames[:, None] + torch.arange(window) - window // 2
    chosen = x_CTHW[:, around.clamp(0, x_CTHW.shape[1] - 1)]
    return chosen.movedim(0, 2).flatten(1, 2).float()


def _resized(x_NCHW: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x_NCHW, like.shape[-2:], mode='nearest')


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
