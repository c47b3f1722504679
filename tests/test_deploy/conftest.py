"""Fixtures of the deployment tests: encoders as files, and videos with everything that must not
pass."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from av.subtitles.subtitle import SubtitleSet

import bdq_plugin
from bdq_plugin.encoders import build_encoder, save_encoder

# What a source with ``metadata`` holds beside its pictures; containers differ in what they keep.
SECRETS = (
    'TopSecretTitle',
    'TopSecretTrack',
    'TopSecretSpeech',
    'TopSecretChapter',
    'TopSecretFile',
    'TopSecretText',
    '+48.8584+002.2945',
    '2020-02-03',
)


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
            video = container.add_stream(codec, rate=25, options=options or {})
            video.height, video.width = frames.shape[1:3]
            video.pix_fmt = pix_fmt
            video.codec_context.time_base = Fraction(1, 1000)
            if rotation is not None:
                video.set_display_rotation(rotation)
            others = add_secrets(container, video) if metadata else []
            times_ms = times_ms or [40 * i for i in range(len(frames))]
            for pixels, time_ms in zip(frames, times_ms, strict=True):
                source = 'gray' if pixels.ndim == 2 else 'rgb24'
                frame = av.VideoFrame.from_ndarray(pixels, format=source).reformat(format=pix_fmt)
                frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
                container.mux(video.encode(frame))
            container.mux(video.encode())
            for packets in others:
                container.mux(packets())
        return path

    return make


def remux_with_secrets(plain: Path, path: Path, later_ms: int) -> Path:
    """The very packets of a video, later, among all that a container can hold beside them.

    Not encoded a second time: x264 with several threads may write other packets for the same
    frames on a busy machine.
    """
    with av.open(str(plain)) as source, av.open(str(path), 'w') as container:
        (coded,) = source.streams.video
        video = container.add_stream_from_template(coded)
        others = add_secrets(container, video)
        later = round(later_ms / 1000 / coded.time_base)
        packets = [packet for packet in source.demux(coded) if packet.size]
        # Matroska keeps times of display alone: they are decoded in the order in which they lie.
        shown = sorted(packet.pts for packet in packets)
        ahead = max(time - packet.pts for time, packet in zip(shown, packets, strict=True))
        for time, packet in zip(shown, packets, strict=True):
            packet.pts, packet.dts = packet.pts + later, time - ahead + later
            packet.stream = video
            container.mux(packet)
        for packets in others:
            container.mux(packets())
    return path


def add_secrets(
    container: av.container.OutputContainer, video: av.VideoStream
) -> list[Callable[[], list[av.Packet]]]:
    """Tags, location, time of day, chapters, an attachment, sound and subtitles.

    Returns:
        What gives the packets of the sound and of the subtitles, for behind those of the video.
    """
    moment = f'{SECRETS[7]}T10:00:00Z'
    container.metadata.update(title=SECRETS[0], location=SECRETS[6], creation_time=moment)
    video.metadata.update(title=SECRETS[1], creation_time=moment)
    chapter = dict(id=1, start=0, end=200, time_base=Fraction(1, 1000))
    container.set_chapters([dict(chapter, metadata=dict(title=SECRETS[3]))])
    matroska = container.format.name == 'matroska'
    if matroska:
        container.add_attachment(SECRETS[4], 'text/plain', SECRETS[5].encode())
    audio = container.add_stream('aac', rate=16000)
    subtitles = container.add_stream('ass' if matroska else 'mov_text')
    subtitles.codec_context.subtitle_header = (
        b'[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Name, '
        b'MarginL, MarginR, MarginV, Effect, Text\n'
    )

    def sound() -> list[av.Packet]:
        samples = np.random.default_rng(0).normal(0, 0.1, (1, 1024)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format='fltp', layout='mono')
        frame.sample_rate, frame.pts = 16000, 0
        return [*audio.encode(frame), *audio.encode()]

    def speech() -> list[av.Packet]:
        line = f'0,0,Default,,0,0,0,,{SECRETS[2]}'.encode()
        packet = subtitles.codec_context.encode_subtitle(SubtitleSet.create(line, 0, 200))
        packet.stream, packet.time_base = subtitles, Fraction(1, 1000)
        packet.pts, packet.dts, packet.duration = 0, 0, 200
        return [packet]

    return [sound, speech]


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


def encode_anew(
    source: Path, path: Path, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """What `ffmpeg -i SOURCE -c:v CODEC PATH` does: the tags are copied."""
    with av.open(str(source)) as old, av.open(str(path), 'w') as new:
        new.metadata.update(old.metadata)
        stream = new.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = old.streams.video[0].width, old.streams.video[0].height
        stream.pix_fmt = pix_fmt
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(format=pix_fmt)))
        new.mux(stream.encode())


def bare_site(folder: Path, *names: str) -> str:
    """A folder of packages with this one and those named; the code that puts it in force."""
    folder.mkdir()
    for name in names:
        package = Path(find_spec(name).origin).parent
        (folder / name).symlink_to(package)
        prefix = {'cv2': 'opencv'}.get(name, name)
        for libraries in package.parent.glob(f'{prefix}*.libs'):
            (folder / libraries.name).symlink_to(libraries)
    (folder / 'bdq_plugin').symlink_to(Path(bdq_plugin.__file__).parent)
    return (
        'import sys\n'
        f"sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(folder)!r}]\n"
    )
