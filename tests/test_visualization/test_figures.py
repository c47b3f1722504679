"""The contact sheet shows what the encoder really does."""

import matplotlib.image
import numpy as np
import pytest
import torch

from bdq_plugin.encoders import build_encoder
from bdq_plugin.visualization import contact_sheet, encoding_stages, save_figure


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
