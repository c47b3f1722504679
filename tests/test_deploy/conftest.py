"""Fixtures of the deployment tests: encoders as files, and videos with everything that must not
pass."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bdq_plugin.encoders import build_encoder, save_encoder

SECRETS = ('TopSecretTitle', '+48.8584+002.2945', '2020-02-03')


@pytest.fixture(scope='session')
def encoder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a hard encoder with 16 levels."""
    return save_encoder(
        build_encoder('bdq_hard'), tmp_path_factory.mktemp('encoder') / 'encoder.json'
    )


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Write a video of uint8 frames, RGB or grey."""

    def make(
        frames: np.ndarray,
        name: str = 'source.mkv',
        *,
        codec: str = 'ffv1',
        pix_fmt: str = 'bgr0',
        times_ms: list[int] | None = None,
        rotation: int | None = None,
        metadata: bool = False,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), 'w') as container:
            if metadata:
                container.metadata.update(
                    title=SECRETS[0], location=SECRETS[1], creation_time=f'{SECRETS[2]}T10:00:00Z'
                )
            video = container.add_stream(codec, rate=25, options=options or {})
            video.height, video.width = frames.shape[1:3]
            video.pix_fmt = pix_fmt
            video.codec_context.time_base = Fraction(1, 1000)
            if rotation is not None:
                video.set_display_rotation(rotation)
            audio = container.add_stream('aac', rate=16000) if metadata else None
            times_ms = times_ms or [40 * i for i in range(len(frames))]
            for pixels, time_ms in zip(frames, times_ms, strict=True):
                source = 'gray' if pixels.ndim == 2 else 'rgb24'
                frame = av.VideoFrame.from_ndarray(pixels, format=source).reformat(format=pix_fmt)
                frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
                container.mux(video.encode(frame))
            container.mux(video.encode())
            if audio is not None:
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
                )
                silence.sample_rate, silence.pts = 16000, 0
                container.mux(audio.encode(silence))
                container.mux(audio.encode())
        return path

    return make


@pytest.fixture
def frames() -> np.ndarray:
    """Twelve RGB frames of odd size: smooth, moving, with a little noise. (12, 37, 51, 3)."""
    return moving_frames(12, 37, 51)


def moving_frames(count: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    t, y, x = np.meshgrid(np.arange(count), np.arange(height), np.arange(width), indexing='ij')
    waves = [127 + 100 * np.sin((x + 3 * t) / 7 + c) * np.cos((y - t) / (5 + c)) for c in range(3)]
    noise = rng.normal(0, 4, (count, height, width, 3))
    return np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
