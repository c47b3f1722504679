"""Inversion: a decoder that restores clear frames from the encoded clip.

What it restores is scored as a picture (PSNR, SSIM) and by a network that knows the people from
clear video. Beside each stands what the mean of the clear training frames scores, which knows
nothing of the clip.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoders import gaussian_kernel
from .attackers import ATTACKERS, Attack, Attacker, build_attacker
from .clips import Clips
from .scores import vote
from .training import fit, predict

# The witness's view of a clear frame: typical grey level and contrast of indoor video.
_MEAN, _STD = 0.43, 0.15
_BATCH = 16


@ATTACKERS.register_module()
class InversionAttacker(Attacker):
    """Restore frames, then recognise who is on them.

    A 2D network sees the encoded frames around an instant and draws the clear frame at that
    instant. A difference belongs to the later of its two frames.

    Args:
        witness: config of the attacker that is trained on clear frames and judges the restored
            ones, such as ``dict(type='FrameAttacker', backbone=..., recipe=...)``.
        window: encoded frames seen at once, odd.
        channels: width of the decoder.
        **kwargs: see :class:`~bdq_plugin.evaluation.attackers.Attacker`.
    """

    def __init__(
        self, witness: dict[str, Any], window: int = 5, channels: int = 16, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if self.target != 'identity':
            raise ValueError("an inversion attacker's target is 'identity'")
        if window < 1 or window % 2 == 0:
            raise ValueError(f'window must be an odd number of frames, got {window}')
        self.window = window
        frame_channels = self.shape[0]
        self.decoder = _Decoder(frame_channels * window, frame_channels, channels)
        outputs = dict(identity=self.num_outputs)
        self.witness = build_attacker('witness', witness, outputs, self.shape)

    def forward(self, x_NCTHW: Tensor) -> Tensor:
        """What the witness makes of the restored frames."""
        return self.witness(_normalize(self.restore(x_NCTHW)))

    def restore(self, x_NCTHW: Tensor) -> Tensor:
        """Clear frames in [0, 1], as many as encoded ones, (N, C, T, H, W)."""
        windows_NTCHW = _windows(x_NCTHW, self.window)
        frames = self.decoder(windows_NTCHW.flatten(0, 1))
        return frames.unflatten(0, windows_NTCHW.shape[:2]).transpose(1, 2)

    def attack(self, train: Clips, test: Clips) -> Attack:
        """Train the decoder on pairs and the witness on clear frames; judge what is restored."""
        clear_train, clear_test = _clear_frames(train), _clear_frames(test)
        self._fit_decoder(train.values, clear_train)
        seen = self.witness.attack(
            replace(train, values=_normalize(clear_train)),
            replace(test, values=_normalize(clear_test)),
        )
        restored_train, restored_test = map(self._restore_all, (train.values, test.values))
        multi_label = test.identities.ndim == 2
        mean_frame = clear_train.mean((0, 2), keepdim=True).expand_as(clear_test)
        extras = {
            'psnr_db': psnr(restored_test, clear_test),
            'ssim': ssim(restored_test, clear_test),
            'mean_frame_psnr_db': psnr(mean_frame, clear_test),
            'mean_frame_ssim': ssim(mean_frame, clear_test),
        }
        if not multi_label:
            hits = vote(seen.test).argmax(1) == test.identities.numpy()
            extras['witness_on_clear_frames'] = float(hits.mean())
        return Attack(
            predict(self.witness, _normalize(restored_train), multi_label),
            predict(self.witness, _normalize(restored_test), multi_label),
            extras,
        )

    def _fit_decoder(self, values: Tensor, clear: Tensor) -> None:
        recipe, channels = self.recipe, values.shape[1]

        def step(pairs: Tensor, _: Tensor) -> Tensor:
            encoded, wanted = pairs[:, :channels], pairs[:, channels:]
            index = int(torch.randint(encoded.shape[2], ()))
            seen = _windows(encoded, self.window)[:, index]
            return F.l1_loss(self.decoder(seen), wanted[:, :, index])

        # Encoded and clear clip side by side as channels: flips and shifts move both alike.
        pairs = torch.cat([values, clear], 1)
        fit(self.decoder, step, pairs, torch.zeros(len(pairs)), recipe)

    @torch.no_grad()
    def _restore_all(self, values: Tensor) -> Tensor:
        device = next(self.parameters()).device
        return torch.cat([self.restore(batch.to(device)).cpu() for batch in values.split(_BATCH)])


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


def psnr(restored: Tensor, clear: Tensor) -> float:
    """Mean over frames of the peak signal-to-noise ratio, in dB, of (N, C, T, H, W) in [0, 1]."""
    error_NT = (restored - clear).square().mean((1, 3, 4))
    return float((-10 * error_NT.clamp(min=1e-10).log10()).mean())


def ssim(restored: Tensor, clear: Tensor) -> float:
    """Mean structural similarity (Wang et al., 2004) of (N, C, T, H, W) in [0, 1].

    A Gaussian window of 11 x 11 pixels, sigma 1.5, without padding; frames need 11 pixels a side.
    """
    x, y = (clip.transpose(1, 2).flatten(0, 2).unsqueeze(1) for clip in (restored, clear))
    taps = gaussian_kernel(1.5, 11)
    kernel = torch.outer(taps, taps)[None, None]

    def local_mean(values: Tensor) -> Tensor:
        return F.conv2d(values, kernel)

    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x, var_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def _clear_frames(clips: Clips) -> Tensor:
    """The clear frames that the encoded ones belong to, (N, C, T', H, W) in [0, 1]."""
    return clips.clear[:, :, -clips.values.shape[2] :].float() / 255


def _normalize(frames: Tensor) -> Tensor:
    return (frames - _MEAN) / _STD


def _windows(x_NCTHW: Tensor, window: int) -> Tensor:
    """Around each frame ``window`` frames, stacked as channels: (N, T, window * C, H, W)."""
    half = window // 2
    padded = F.pad(x_NCTHW, (0, 0, 0, 0, half, half), mode='replicate')
    frames = x_NCTHW.shape[2]
    return torch.cat([padded[:, :, i : i + frames] for i in range(window)], 1).transpose(1, 2)


def _resized(x_NCHW: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x_NCHW, like.shape[-2:], mode='nearest')


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
