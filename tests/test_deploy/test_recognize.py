from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging.history_buffer import HistoryBuffer

from bdq_plugin.deploy import encode_clip
from bdq_plugin.deploy.encoding import encode_stream
from bdq_plugin.deploy.recognition import ActionRecognizer
from bdq_plugin.deploy.streaming import StreamingEncoder
from bdq_plugin.deploy.video_io import VideoSource
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.safe_load import load_checkpoint
from tools import encode_video, recognize


def stage_two(encoder='bdq_hard', grey: bool = True, short_side: int | None = None) -> Config:
    """A small action network of stage 2."""
    channels = 1 if grey else 3
    resize = [dict(type='Resize', scale=(-1, short_side))] if short_side else []
    return Config(
        dict(
            model=dict(
                type='Recognizer3D',
                data_preprocessor=dict(
                    type='BDQDataPreprocessor',
                    encoder=encoder,
                    frozen=True,
                    mean=[110.0] * channels,
                    std=[38.0] * channels,
                ),
                backbone=dict(type='SmallConv3d', in_channels=channels),
                cls_head=dict(type='I3DHead', num_classes=6, in_channels=96, average_clips='prob'),
            ),
            test_pipeline=[
                dict(type='ClipInit'),
                dict(type='SampleFrames', clip_len=16, frame_interval=1, test_mode=True),
                dict(type='ClipDecode'),
                *resize,
                *([dict(type='ToGray')] if grey else []),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackSubjectInputs'),
            ],
            dataset=dict(type='KTHDataset'),
        )
    )


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    """As MMEngine writes it, with its log of pickled objects."""
    torch.manual_seed(0)
    model = ActionRecognizer(stage_two()).model
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=20)  # scores that differ by window
    log = HistoryBuffer()
    log.update(1.5)
    classes = ['box', 'clap', 'wave', 'jog', 'run', 'walk']
    path = tmp_path / 'epoch_1.pth'
    torch.save(
        dict(
            meta=dict(dataset_meta=dict(classes=classes), epoch=1),
            state_dict=model.state_dict(),
            message_hub=dict(log_scalars=dict(loss=log)),
        ),
        path,
    )
    return path


@pytest.fixture
def video(real_data) -> Path:
    return real_data / 'ixmas' / 'original_samples' / 'nicolas3_10_kick_cam2_frames_0870_0945.avi'


def test_codes_alone_give_what_clear_video_gives(checkpoint, video):
    recognizer = ActionRecognizer(stage_two(), checkpoint)
    with VideoSource(video) as source:
        frames = [frame.pixels for frame in source]
    clear = list(recognizer.on_frames(frames, stride=8))
    assert [a.first for a in clear] == list(range(0, 61, 8))
    assert all(a.last - a.first == 15 for a in clear)
    assert len({round(a.confidence, 4) for a in clear}) > 1, 'windows must differ'
    form = recognizer.preprocessor.encoder.integer_form()
    # Grey codes stand for the grey pixels that the network reads.
    codes = encode_clip(form, np.stack(frames)[..., 0])
    coded = list(recognizer.on_codes(form, codes, stride=8))
    assert [a.label for a in coded] == [a.label for a in clear]
    assert np.allclose([a.confidence for a in coded], [a.confidence for a in clear], atol=1e-5)


def test_codes_at_the_networks_size(tmp_path, real_data):
    """A camera that scales first gives the codes that the network was trained on."""
    torch.manual_seed(0)
    config = stage_two(grey=False, short_side=48)
    recognizer = ActionRecognizer(config)
    path = real_data / 'kth' / 'videos' / 'person01_jogging_d1_uncomp.avi'
    with VideoSource(path) as source:
        frames = [frame.pixels for _, frame in zip(range(24), source, strict=False)]
    form = recognizer.preprocessor.encoder.integer_form()
    out = tmp_path / 'x.bdq'
    with VideoSource(path) as source:
        encode_stream(source, StreamingEncoder(form), [out], max_frames=23, short_side=48)
    from bdq_plugin.deploy import PackedReader

    clear = list(recognizer.on_frames(frames, stride=4))
    coded = list(recognizer.on_codes(form, PackedReader(out), stride=4))
    assert len(clear) == len(coded) == 3
    assert np.allclose([a.confidence for a in coded], [a.confidence for a in clear], atol=1e-5)


def test_the_tool_on_clear_video_and_on_codes(tmp_path, checkpoint, video, capsys):
    config = tmp_path / 'config.py'
    config.write_text(
        "custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)\n"
        + stage_two().pretty_text
    )
    encoder = save_encoder(build_encoder('bdq_hard'), tmp_path / 'encoder.json')
    codes = [str(tmp_path / 'x.bdq'), str(tmp_path / 'x.mkv')]
    assert encode_video.main([str(encoder), str(video), *codes]) == 0
    capsys.readouterr()
    printed = []
    for source in (str(video), *codes):
        assert recognize.main([str(config), str(checkpoint), source, '--stride', '15']) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 5
        printed.append([line.split()[4:] for line in lines])
    assert printed[0] == printed[1] == printed[2], 'label and confidence, with and without clear'
    assert printed[0][0][0] in ('box', 'clap', 'wave', 'jog', 'run', 'walk')
    arguments = [str(config), str(checkpoint), codes[0], '--labels', *'abcdef']
    assert recognize.main(arguments) == 0
    assert capsys.readouterr().out.split()[4] in 'abcdef'
    for bad, message in [
        ([str(config), str(checkpoint), 'no.mp4'], 'no video no.mp4'),
        ([str(config), 'no.pth', codes[0]], 'no checkpoint no.pth'),
        (['no.py', str(checkpoint), codes[0]], 'no config no.py'),
        ([*arguments, 'g'], '7 labels were given, the network has 6'),
        ([*arguments[:3], '--window', '1000'], 'smaller --window'),
    ]:
        assert recognize.main(bad) == 1
        assert message in capsys.readouterr().err


def test_labels_without_a_checkpoint_come_from_the_data_set():
    assert ActionRecognizer(stage_two()).labels[0] == 'boxing'
    config = stage_two()
    config.pop('dataset')
    assert ActionRecognizer(config).labels[5] == 'class 5'


def test_codes_of_another_encoder_are_refused():
    recognizer = ActionRecognizer(stage_two())
    other = build_encoder('sign_16').integer_form()
    with pytest.raises(ValueError, match=r"another encoder .*'kernel'"):
        list(recognizer.on_codes(other, []))
    with pytest.raises(ValueError, match='has no codes'):
        list(ActionRecognizer(stage_two('bdq')).on_codes(other, []))


def test_configs_without_encoder_are_refused():
    config = stage_two()
    config.model.data_preprocessor = dict(type='ActionDataPreprocessor')
    with pytest.raises(ValueError, match='no BDQDataPreprocessor'):
        ActionRecognizer(config)


def test_a_checkpoint_of_another_model_is_refused(tmp_path, checkpoint):
    with pytest.raises(ValueError, match='does not fit the config'):
        ActionRecognizer(stage_two('sign_2'), checkpoint)
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other\.pth does not fit'):
        ActionRecognizer(stage_two(), tmp_path / 'other.pth')
    (tmp_path / 'text.pth').write_text('text')
    with pytest.raises(ValueError, match='not a checkpoint'):
        ActionRecognizer(stage_two(), tmp_path / 'text.pth')


class _Attack:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_runs_no_code(tmp_path, checkpoint):
    marker = tmp_path / 'attacked'
    torch.save(dict(state_dict=dict(a=torch.ones(2)), x=_Attack(marker)), tmp_path / 'evil.pth')
    loaded = load_checkpoint(tmp_path / 'evil.pth')
    assert torch.equal(loaded['state_dict']['a'], torch.ones(2)) and not marker.exists()
    trusted = torch.load(checkpoint, weights_only=False)['state_dict']
    state = load_checkpoint(checkpoint)['state_dict']
    assert state.keys() == trusted.keys()
    assert all(torch.equal(state[name], trusted[name]) for name in trusted)
