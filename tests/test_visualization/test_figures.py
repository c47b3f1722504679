"""The contact sheet shows what the encoder really does."""

import av
import matplotlib.image
import numpy as np
import pytest
import torch
from PIL import Image

from bdq_plugin.encoders import build_encoder
from bdq_plugin.models.data_preprocessor import KINETICS_MEAN, KINETICS_STD
from bdq_plugin.visualization import animate, contact_sheet, encoding_stages, save_figure


@pytest.fixture
def frames():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 8, 24, 32), generator=generator).to(torch.uint8)


def test_stages_are_those_of_the_encoder(frames):
    encoder = build_encoder('bdq_hard')
    stages = encoding_stages(encoder, frames)
    assert list(stages) == ['clear', 'B', 'D', 'Q soft', 'Q hard']
    clear = frames.float().mean(0).numpy() / 255
    np.testing.assert_allclose(stages['clear'], clear, rtol=1e-5)
    blurred = stages['B']
    np.testing.assert_allclose(stages['D'], blurred[1:] - blurred[:-1], atol=1e-6)
    codes = encoder.codes(frames[None])[0].float().mean(0).numpy()
    np.testing.assert_allclose(stages['Q hard'], codes)
    assert np.abs(stages['Q soft'] - stages['D']).max() < 0.25
    assert encoder.quantize.mode == 'hard'


def test_parts_that_are_missing_have_no_row(frames):
    assert list(encoding_stages(build_encoder('d'), frames)) == ['clear', 'D']


@pytest.mark.parametrize('preset', ['bdq', 'bdq_hard', 'd', 'bq'])
def test_sheet_is_written_whole(frames, tmp_path, preset):
    figure = contact_sheet(build_encoder(preset), frames, columns=4, title='a clip')
    path = save_figure(figure, tmp_path / 'deep' / 'sheet.png')
    picture = matplotlib.image.imread(path)
    assert picture.std() > 0.1
    assert [p.name for p in path.parent.iterdir()] == ['sheet.png']


def test_two_frames_are_enough(frames, tmp_path):
    save_figure(contact_sheet(build_encoder('bdq'), frames[:, :2]), tmp_path / 'two.pdf')
    assert (tmp_path / 'two.pdf').stat().st_size > 1000


def rows_of(figure):
    return [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]


def test_whoever_shows_a_person_says_so(frames):
    restored = torch.rand(3, 7, 24, 32)
    figure = contact_sheet(build_encoder('bdq'), frames, restored_CTHW=restored)
    assert rows_of(figure) == ['clear', 'B', 'D', 'Q soft', 'Q hard', 'restored']
    assert figure.get_supxlabel() == 'The person is to be seen in: clear, B, restored'
    last = figure.axes[-1].images[0].get_array()[:, -32:]
    np.testing.assert_allclose(last, restored.mean(0)[-1], rtol=1e-6)


def test_without_clear_frames(frames):
    figure = contact_sheet(build_encoder('bdq'), frames, clear=False)
    assert rows_of(figure) == ['D', 'Q soft', 'Q hard']
    assert figure.get_supxlabel() == ''
    with pytest.raises(ValueError, match='only pictures that show the person'):
        contact_sheet(build_encoder('b'), frames, clear=False)


def test_released_code_sees_normalised_frames(frames):
    encoder = build_encoder('bdq_released')
    stages = encoding_stages(encoder, frames)
    mean, std = (torch.tensor(v).view(-1, 1, 1, 1) / 255 for v in (KINETICS_MEAN, KINETICS_STD))
    with torch.no_grad():
        wanted = encoder((frames[None].float() / 255 - mean) / std)[0].mean(0)
    np.testing.assert_allclose(stages['Q soft'], wanted, atol=1e-5)
    # In the middle, away from the zero padding, B is a blur of the clear frames on their own scale.
    assert abs(stages['B'][:, 4:-4, 4:-4].mean() - stages['clear'].mean()) < 0.02


def test_animations_have_a_picture_an_instant(frames, tmp_path):
    encoder = build_encoder('bdq_hard')
    gif = Image.open(animate(encoder, frames, tmp_path / 'clip.gif', fps=10))
    assert (gif.n_frames, gif.info['duration']) == (7, 100)
    first = np.array(gif.convert('L'))
    gif.seek(3)
    assert np.abs(first.astype(int) - np.array(gif.convert('L'))).max() > 20
    with av.open(str(animate(encoder, frames, tmp_path / 'clip.mp4', fps=5, clear=False))) as video:
        assert sum(1 for _ in video.decode(video=0)) == 7
        assert video.streams.video[0].average_rate == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ['clip.gif', 'clip.mp4']


def test_unknown_endings(frames, tmp_path):
    with pytest.raises(ValueError, match=r'end its name in \.gif or \.mp4'):
        animate(build_encoder('bdq'), frames, tmp_path / 'clip.png')
    with pytest.raises(ValueError, match=r'end its name in \.png, \.pdf or \.svg'):
        save_figure(contact_sheet(build_encoder('d'), frames), tmp_path / 'sheet.bmp3')
    assert not list(tmp_path.iterdir())
