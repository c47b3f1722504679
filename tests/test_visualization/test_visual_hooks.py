"""TensorBoard receives encoded frames and thresholds, and never a clear frame unasked."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bdq_plugin.encoders import build_encoder
from bdq_plugin.engine import EncodedFramesHook, ProgressBarHook
from bdq_plugin.engine.visual_hooks import _grid
from bdq_plugin.models import BDQDataPreprocessor


class Recorder:
    def __init__(self):
        self.images = {}

    def add_image(self, name, image, step):
        self.images[name, step] = image

    def get_backend(self, name):
        return None


def runner_of(encoder, max_epochs=4):
    """The parts of a Runner that the hook reads, on clips of noise."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(0, 256, (3, 1, 1, 5, 8, 10), generator=generator).to(torch.uint8)
    dataset = [dict(inputs=clip, data_samples=ActionDataSample()) for clip in clips]
    model = torch.nn.Module()
    model.data_preprocessor = BDQDataPreprocessor(
        encoder, mean=[110.0], std=[38.0], format_shape='NCTHW'
    )
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    lines = []
    return SimpleNamespace(
        model=model, val_loop=loop, train_loop=loop, visualizer=Recorder(), epoch=0, iter=0,
        max_epochs=max_epochs, max_iters=8, clips=clips[:, 0], lines=lines,
        logger=SimpleNamespace(info=lines.append),
    )  # fmt: skip


def test_a_real_run_logs_frames_and_thresholds(finished_run):
    (events,) = finished_run.glob('*/vis_data/events*')
    log = EventAccumulator(str(events), size_guidance=dict(images=0, histograms=0)).Reload()
    assert log.Tags()['images'] == ['encoded_frames']
    (shown,) = log.Images('encoded_frames')
    assert shown.step == 2
    picture = np.array(Image.open(io.BytesIO(shown.encoded_image_string)))
    assert picture.shape[2] == 3 and picture.std() > 1
    (histogram,) = log.Histograms('encoder/thresholds')
    learned = json.loads((finished_run / 'encoder.json').read_text())['state']
    assert histogram.histogram_value.num == 15
    assert histogram.histogram_value.sum == pytest.approx(sum(learned['quantize.thresholds']))
    scalars = set(log.Tags()['scalars'])
    assert scalars >= {
        'action/loss', 'privacy/loss', 'action/privacy_entropy', 'action/top1_acc', 'action/top1',
        'privacy/subject_acc', 'privacy/frame_top1', 'privacy/vote_top1', 'encoder/sigma',
        'encoder/range_low', 'encoder/range_high', 'encoder/threshold_15',
    }  # fmt: skip


def test_grid_shows_the_networks_view(tmp_path):
    runner = runner_of(build_encoder('bdq'))
    EncodedFramesHook(num_clips=2, num_frames=9).after_train_epoch(runner)
    picture = runner.visualizer.images['encoded_frames', 1]
    assert list(runner.visualizer.images) == [('encoded_frames', 1)]
    assert picture.shape == (2 * 10, 4 * 12, 3) and picture.dtype == np.uint8
    with torch.no_grad():
        wanted = runner.model.data_preprocessor.eval().encode(runner.clips[[0, 2]])[:, 0].numpy()
    wanted = 0.5 + wanted / (2 * np.abs(wanted).max())
    np.testing.assert_allclose(picture[1:9, 1:11, 0], 255 * wanted[0, 0], atol=0.51)
    np.testing.assert_allclose(picture[11:19, 37:47, 0], 255 * wanted[1, 3], atol=0.51)


def test_only_at_its_turn_and_at_the_end():
    runner, hook = runner_of(build_encoder('bdq'), max_epochs=5), EncodedFramesHook(interval=2)
    for runner.epoch in range(5):
        hook.after_train_epoch(runner)
    assert [step for _, step in runner.visualizer.images] == [2, 4, 5]


@pytest.mark.parametrize('preset', ['pass_through', 'blur_weak', 'b', 'bq'])
def test_pictures_of_a_person_only_where_asked_for(preset):
    runner, hook = runner_of(build_encoder(preset)), EncodedFramesHook()
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    assert runner.visualizer.images == {}
    assert 'only with clear=True' in runner.lines[0]
    asked = EncodedFramesHook(clear=True, num_clips=1, num_frames=1)
    asked.after_train_epoch(runner)
    assert set(runner.visualizer.images) == {('encoded_frames', 1), ('clear_frames', 1)}
    picture = runner.visualizer.images['clear_frames', 1][1:9, 1:11, 0]
    np.testing.assert_allclose(picture, runner.clips[0, 0, 0], atol=0.51)


def test_drawing_leaves_training_as_it_was():
    runner = runner_of(build_encoder('bdq', dither=0.1))
    runner.model.train()
    state = torch.get_rng_state()
    EncodedFramesHook().after_train_epoch(runner)
    assert torch.equal(torch.get_rng_state(), state)
    assert runner.model.data_preprocessor.training


@pytest.mark.parametrize('option', ['interval', 'num_clips'])
def test_counts_below_one(option):
    with pytest.raises(ValueError, match=f'{option} must be 1 or more, got 0'):
        EncodedFramesHook(**{option: 0})


def test_grid_of_fewer_frames_than_columns():
    assert _grid(np.zeros((1, 2, 4, 6)), columns=5).shape == (6, 16, 3)


def test_bar_on_a_terminal_only(monkeypatch, capsys):
    runner, hook = runner_of(build_encoder('bdq')), ProgressBarHook(interval=0)
    hook.before_train(runner)
    hook.after_train_iter(runner, 0)
    assert capsys.readouterr().err == ''
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    runner.iter = 3
    hook.after_train_iter(runner, 3)
    shown = capsys.readouterr().err
    assert '[############            ] epoch 1/4, 4/8' in shown and 's left' in shown
