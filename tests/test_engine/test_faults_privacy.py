"""No clear frame leaves the tools unasked: everything that they write is searched for one."""

import base64
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.deploy.encoding import encode_stream
from bdq_plugin.deploy.streaming import StreamingEncoder
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.engine.guards import TrainingFault
from bdq_plugin.engine.launch import train
from bdq_plugin.video.source import open_source
from bdq_plugin.visualization.report import Options, write_report

from ..conftest import SyntheticKTH
from ..game import game_config

# Blobs over the whole picture, which survive scaling and blur. With as many as these, chance finds
# nothing like them: a correlation of 0.5 is seven standard deviations from none.
BLOBS = np.random.default_rng(7).integers(0, 2, (12, 16)).astype(np.float32) * 255
FOUND, NOT_FOUND = 0.8, 0.5
SIGNATURES = (b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff', b'GIF8')


def blobs(width: int, height: int) -> np.ndarray:
    return cv2.resize(BLOBS, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)


@pytest.fixture(scope='module')
def marked_kth(tmp_path_factory) -> SyntheticKTH:
    """Synthetic KTH whose every frame shows the blobs behind the person."""
    root = tmp_path_factory.mktemp('marked')
    for path in make_kth(root, subjects=3, scenarios=1, frames_per_sequence=20, size=(80, 60)):
        with av.open(str(path)) as source:
            frames = [frame.to_ndarray(format='gray') for frame in source.decode(video=0)]
        with av.open(str(path), 'w') as target:
            stream = target.add_stream('ffv1', rate=25)  # what stands still stays
            stream.width, stream.height, stream.pix_fmt = 80, 60, 'yuv420p'
            for frame in frames:
                marked = (0.3 * frame + 0.7 * blobs(80, 60)).astype(np.uint8)
                target.mux(stream.encode(av.VideoFrame.from_ndarray(marked, format='gray')))
            target.mux(stream.encode())
    prepare_kth(root / 'videos', root / 'kth.csv', root / '00sequences.txt')
    return SyntheticKTH(root, root / 'kth.csv')


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    """A folder for all that is written, temporary files included."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    return tmp_path


def pictures(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Everything in a folder that can be looked at, as grey pictures (H, W)."""
    for path in sorted(p for p in folder.rglob('*') if p.is_file()):
        data = path.read_bytes()
        if path.suffix == '.pth':
            for array in arrays(torch.load(path, map_location='cpu', weights_only=False)):
                yield path.name, array
        elif path.suffix in ('.mkv', '.mp4', '.avi'):
            with av.open(str(path)) as video:
                for frame in video.decode(video=0):
                    yield path.name, frame.to_ndarray(format='gray')
        else:
            for picture in embedded(data):
                yield path.name, picture


def embedded(data: bytes) -> Iterator[np.ndarray]:
    """Pictures anywhere in a file: alone, in an event file, in base64 within HTML."""
    for signature in SIGNATURES:
        for match in re.finditer(re.escape(signature), data):
            try:
                picture = Image.open(io.BytesIO(data[match.start() :]))
                yield np.asarray(picture.convert('L'))
            except OSError:
                continue  # the bytes came together by chance
    for match in re.finditer(rb'base64,([A-Za-z0-9+/=\s]{200,})', data):
        yield from embedded(base64.b64decode(match[1]))


def arrays(value) -> Iterator[np.ndarray]:
    """Every tensor that is large enough for a picture."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from arrays(each)
    elif isinstance(value, torch.Tensor) and value.ndim >= 2 and min(value.shape[-2:]) >= 24:
        yield from value.float().reshape(-1, *value.shape[-2:]).numpy()[:64]


def likeness(picture: np.ndarray) -> float:
    """How much the blobs, at any size and place and in either sign, are in a picture: 0 to 1.

    Larger ones are looked for at this size in a smaller copy of the picture.
    """
    picture, (height, width) = picture.astype(np.float32), picture.shape
    best, side = 0.0, 32.0
    while side <= min(width, height * 4 / 3):
        size, shrink = min(side, 48.0), min(1.0, 48.0 / side)
        template = blobs(round(size), round(size * 3 / 4))
        scaled = (max(round(width * shrink), template.shape[1]),
                  max(round(height * shrink), template.shape[0]))  # fmt: skip
        copy = cv2.resize(picture, scaled, interpolation=cv2.INTER_AREA)
        match = cv2.matchTemplate(copy, template, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(np.nan_to_num(np.abs(match), posinf=0).max()))
        side *= 1.1
    return best


def most_alike(folder: Path) -> tuple[float, str, int]:
    """The greatest likeness in a folder, where it is, and the number of pictures seen."""
    seen = [(likeness(picture), name) for name, picture in pictures(folder)]
    return (*max(seen), len(seen)) if seen else (0.0, '', 0)


def test_the_search_finds_what_it_looks_for(tmp_path):
    frame = Image.fromarray(blobs(80, 60).astype(np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (90, 120)).astype(np.uint8)
    canvas = Image.fromarray(noise)
    canvas.paste(frame.resize((53, 40)), (20, 30))
    stream = io.BytesIO()
    canvas.save(stream, 'png')
    (tmp_path / 'a.html').write_bytes(b'<img src="data:image/png;base64,')
    with open(tmp_path / 'a.html', 'ab') as file:
        file.write(base64.b64encode(stream.getvalue()) + b'">')
    assert most_alike(tmp_path)[0] > FOUND
    assert likeness(noise) < NOT_FOUND


@pytest.mark.parametrize('preset', ['bdq', 'bq'])
def test_training_and_its_report(marked_kth, outputs, preset):
    """``bq`` has no difference: all that it makes shows the person."""
    work_dir = outputs / 'run'
    train(game_config(marked_kth, work_dir, **{'encoder.preset': preset}))
    write_report(work_dir)
    likest, where, count = most_alike(outputs)
    assert likest < NOT_FOUND, where
    assert (count > 0) == (preset == 'bdq')
    # The same search finds it where a flag asks for it.
    write_report(work_dir, outputs / 'clear' / 'report.html', options=Options(clear=True))
    assert most_alike(outputs / 'clear')[0] > FOUND


def test_a_crash(marked_kth, outputs, capfd):
    with pytest.raises(TrainingFault) as fault:
        options = {'optim_wrapper.action.optimizer.lr': 1e30, 'max_epochs': 3}
        train(game_config(marked_kth, outputs, **options))
    assert most_alike(outputs)[0] < NOT_FOUND
    # Numbers of a tensor's print-out would be pixels.
    assert not re.search(r'tensor\(\[', str(fault.value) + ''.join(capfd.readouterr()))


def test_encoding_a_video(marked_kth, outputs):
    video = sorted((marked_kth.root / 'videos').iterdir())[0]
    save_encoder(build_encoder('bdq_hard'), outputs / 'encoder.json')
    encoder = StreamingEncoder(outputs / 'encoder.json')
    with open_source(str(video)) as source:
        encode_stream(source, encoder, [outputs / 'a.mkv', outputs / 'a.mp4', outputs / 'a.bdq'])
    assert {p.name for p in outputs.iterdir()} == {'a.mkv', 'a.mp4', 'a.bdq', 'encoder.json'}
    likest, where, count = most_alike(outputs)
    assert likest < NOT_FOUND, where
    assert count > 100
