from __future__ import annotations

import os
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging.history_buffer import HistoryBuffer

from bdq_plugin.deploy import PackedWriter, encode_clip
from bdq_plugin.deploy.encoding import encode_stream
from bdq_plugin.deploy.recognition import ActionRecognizer, Repeatable
from bdq_plugin.deploy.streaming import StreamingEncoder
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.safe_load import load_checkpoint
from bdq_plugin.video.source import VideoSource
from tests.conftest import REPOSITORY
from tests.test_deploy.conftest import encode_anew, moving_frames
from tests.test_deploy.rtsp_server import RTSPServer, encode_h264
from tools import encode_video, recognize

CONSECUTIVE = dict(type='SampleFrames', clip_len=16, frame_interval=1, test_mode=True)


def stage_two(
    encoder='bdq_hard',
    grey: bool = True,
    short_side: int | None = None,
    sampling: dict = CONSECUTIVE,
) -> Config:
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
                    format_shape='NCTHW',
                    frozen=True,
                    mean=[110.0] * channels,
                    std=[38.0] * channels,
                ),
                backbone=dict(type='SmallConv3d', in_channels=channels),
                cls_head=dict(type='I3DHead', num_classes=6, in_channels=96, average_clips='prob'),
            ),
            test_pipeline=[
                dict(type='ClipInit'),
                sampling,
                dict(type='ClipDecode'),
                *resize,
                *([dict(type='ToGray')] if grey else []),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackSubjectInputs'),
            ],
            dataset=dict(type='KTHDataset'),
        )
    )


CLASSES = ['box', 'clap', 'wave', 'jog', 'run', 'walk']


def save_stage_two(path: Path, config: Config) -> Path:
    """A config and, beside it, a checkpoint as MMEngine writes it, with pickled objects."""
    torch.manual_seed(0)
    model = ActionRecognizer(config).model
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=20)  # scores that differ by window
    log = HistoryBuffer()
    log.update(1.5)
    torch.save(
        dict(
            meta=dict(dataset_meta=dict(classes=CLASSES), epoch=1),
            state_dict=model.state_dict(),
            message_hub=dict(log_scalars=dict(loss=log)),
        ),
        path,
    )
    path.with_suffix('.py').write_text(
        "custom_imports = dict(imports=['bdq_plugin'], allow_failed_imports=False)\n"
        + config.pretty_text
    )
    return path


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return save_stage_two(tmp_path / 'epoch_1.pth', stage_two())


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
    config = checkpoint.with_suffix('.py')
    encoder = save_encoder(build_encoder('bdq_hard'), tmp_path / 'encoder.json')
    codes = [str(tmp_path / 'x.bdq'), str(tmp_path / 'x.mkv')]
    assert encode_video.main([str(encoder), str(video), *codes]) == 0
    capsys.readouterr()
    printed = []
    for source in (str(video), *codes):
        assert recognize.main([str(config), str(checkpoint), source, '--stride', '15']) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 6 and lines[-1].endswith('mean of all windows')
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
        ([*arguments, 'g'], '7 labels were given, the network has 6: a, b, c, d, e, f, g'),
        ([*arguments[:-1], 'a'], 'two classes have the label a: name them apart'),
        ([*arguments[:3], '--window', '1000'], 'smaller --window'),
    ]:
        assert recognize.main(bad) == 1
        assert message in capsys.readouterr().err


def scores_of_the_pipeline(recognizer: ActionRecognizer, video: Path) -> np.ndarray:
    """What tools/test.py computes for a clip: its own pipeline and the model's test step."""
    item = dict(filename=str(video), label=-1, start_index=0, modality='RGB')
    data = pseudo_collate([Compose(recognizer.config.test_pipeline)(item)])
    with torch.no_grad():
        return recognizer.model.test_step(data)[0].pred_score.numpy()


def test_a_recipe_that_spreads_its_frames_reads_the_whole_file(video):
    sampling = dict(type='UniformSample', clip_len=16, test_mode=True)
    recognizer = ActionRecognizer(stage_two(sampling=sampling))
    assert recognizer.window is recognizer.code_window is None
    with VideoSource(video) as source:
        frames = [frame.pixels for frame in source]
    (answer,) = recognizer.on_frames(frames)
    assert (answer.first, answer.last) == (0, len(frames) - 1)
    assert np.allclose(answer.scores, scores_of_the_pipeline(recognizer, video), atol=1e-6)
    assert len(list(recognizer.on_frames(frames, window=40, stride=10))) == 4, 'as of a camera'
    # Codes of frames as far apart as the recipe reads them pass, others are warned of.
    form = recognizer.preprocessor.encoder.integer_form()
    grey = np.stack(frames)[..., 0]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        (answer,) = recognizer.on_codes(form, encode_clip(form, grey[::5]))
    assert (answer.first, answer.last) == (0, len(grey[::5]) - 2)
    with pytest.warns(UserWarning, match='Encode with --every'):
        list(recognizer.on_codes(form, encode_clip(form, grey)))


def test_the_middle_window_is_the_test_pipelines(video):
    recognizer = ActionRecognizer(stage_two())
    with VideoSource(video) as source:
        frames = [frame.pixels for frame in source]
    answers = list(recognizer.on_frames(frames, stride=(len(frames) - 16) // 2))
    expected = scores_of_the_pipeline(recognizer, video)
    assert np.allclose(answers[1].scores, expected, atol=1e-6)
    overall = recognizer.overall(answers)
    assert np.allclose(overall.scores, np.mean([a.scores for a in answers], axis=0))
    assert overall.label == recognizer.labels[overall.scores.argmax()]
    assert (overall.first, overall.last) == (answers[0].first, answers[-1].last)


def test_frames_that_stand_apart(video):
    """A camera that encodes every second frame, for a network that reads every second frame."""
    sampling = dict(CONSECUTIVE, clip_len=8, frame_interval=2)
    recognizer = ActionRecognizer(stage_two(sampling=sampling))
    assert (recognizer.window, recognizer.code_window, recognizer.interval) == (15, 7, 2)
    with VideoSource(video) as source:
        frames = [frame.pixels for frame in source]
    form = recognizer.preprocessor.encoder.integer_form()
    codes = encode_clip(form, np.stack(frames)[::2, ..., 0])
    clear = list(recognizer.on_frames(frames, stride=4))
    coded = list(recognizer.on_codes(form, codes, stride=2))
    assert len(clear) == len(coded) > 10
    assert np.allclose([a.scores for a in clear], [a.scores for a in coded], atol=1e-5)


def test_networks_of_segments(video):
    """2D networks read segments of a whole clip; the encoder takes one of them."""
    sampling = dict(CONSECUTIVE, clip_len=1, num_clips=9)
    config = stage_two(sampling=sampling)
    config.model.update(
        type='Recognizer2D',
        backbone=dict(type='SmallConv2d', in_channels=1),
        cls_head=dict(type='TSNHead', num_classes=6, in_channels=96, average_clips='prob'),
    )
    config.model.data_preprocessor.format_shape = 'NCHW'
    config.test_pipeline[-2]['input_format'] = 'NCHW'
    recognizer = ActionRecognizer(config)
    assert (recognizer.frames_read, recognizer.codes_read, recognizer.window) == (9, 8, None)
    with VideoSource(video) as source:
        frames = [frame.pixels for frame in source]
    (answer,) = recognizer.on_frames(frames)
    assert np.allclose(answer.scores, scores_of_the_pipeline(recognizer, video), atol=1e-6)
    form = recognizer.preprocessor.encoder.integer_form()
    grey = np.stack(frames)[..., 0]
    inds = np.round(np.linspace(0, len(grey) - 1, 9)).astype(int)
    (coded,) = recognizer.on_codes(form, encode_clip(form, grey[inds]))
    assert np.allclose(coded.scores, answer.scores, atol=1e-5)


def test_a_damaged_file_is_recognized_up_to_the_damage(tmp_path, checkpoint, capsys):
    form, path = build_encoder('bdq_hard').integer_form(), tmp_path / 'x.bdq'
    codes = encode_clip(form, moving_frames(41, 48, 64))
    with PackedWriter(path, form, codes.shape[1:], chunk_frames=10) as writer:
        for i, frame in enumerate(codes):
            writer.write(frame, 40 * i)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    assert recognize.main([str(checkpoint.with_suffix('.py')), str(checkpoint), str(path)]) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 4 and 'damaged after frame 30' in printed.err


def test_live_stream(checkpoint, capsys):
    """Answers as the windows fill, then the mean and the reason why the stream is over."""
    server = RTSPServer(encode_h264(moving_frames(40, 48, 64)), die_after=40)
    try:
        arguments = [str(checkpoint.with_suffix('.py')), str(checkpoint), server.url]
        assert recognize.main([*arguments, '--stride', '8', '--timeout', '5']) == 1
    finally:
        server.close()
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == 5 and lines[-1].endswith('mean of all windows')
    assert 'ends after 40 frames' in printed.err


def test_live_stream_for_a_recipe_that_reads_whole_clips(tmp_path, capsys):
    sampling = dict(type='UniformSample', clip_len=16, test_mode=True)
    checkpoint = save_stage_two(tmp_path / 'x.pth', stage_two(sampling=sampling))
    server = RTSPServer(encode_h264(moving_frames(120, 48, 64)))
    try:
        arguments = [str(checkpoint.with_suffix('.py')), str(checkpoint), server.url]
        assert recognize.main([*arguments, '--timeout', '5']) == 1
    finally:
        server.close()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('s  ')[0].split() for line in lines[:2]] == [
        ['0.00', 'to', '3.00'],
        ['1.48', 'to', '4.48'],
    ]


def test_the_stock_inferencers(tmp_path, make_video):
    """MMAction2's own, on a shipped recipe: both say what our recognizer says."""
    recipe = Config.fromfile(REPOSITORY / 'configs' / 'bdq_ixmas_cpu_stream_action.py')
    checkpoint = save_stage_two(tmp_path / 'epoch_1.pth', recipe)
    config = str(checkpoint.with_suffix('.py'))
    video = make_video(moving_frames(36, 48, 64), 'x.mp4', codec='libx264', pix_fmt='yuv420p')
    expected = scores_of_the_pipeline(ActionRecognizer(config, checkpoint), video)
    model = init_recognizer(config, str(checkpoint), device='cpu')
    sample = inference_recognizer(model, str(video))
    assert np.allclose(sample.pred_score, expected, atol=1e-6)
    inferencer = MMAction2Inferencer(rec=config, rec_weights=str(checkpoint), device='cpu')
    (prediction,) = inferencer(str(video))['predictions']
    assert prediction['rec_labels'] == [[int(expected.argmax())]]
    # It reads RGB by decord, where the recipe reads luma: pixels differ by rounding.
    assert np.allclose(prediction['rec_scores'][0], expected, atol=2e-3)


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
    with pytest.raises(ValueError, match='has another encoder'):
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
    with pytest.raises(ValueError, match=r'asks for posix.mkdir.*BDQ_TRUST_CHECKPOINTS=1'):
        load_checkpoint(tmp_path / 'evil.pth')
    assert not marker.exists()
    trusted = torch.load(checkpoint, weights_only=False)['state_dict']
    state = load_checkpoint(checkpoint)['state_dict']
    assert state.keys() == trusted.keys()
    assert all(torch.equal(state[name], trusted[name]) for name in trusted)


SPREAD = dict(type='UniformSample', clip_len=16, test_mode=True)


@pytest.mark.parametrize('announced', [None, 0, 90, 20, 200, 10**9])
def test_the_length_of_a_whole_source(announced):
    """Right, wrong or not announced: the frames are those that the recipe's sampler picks."""
    recognizer = ActionRecognizer(stage_two(sampling=SPREAD))
    frames = moving_frames(90, 24, 32)
    (expected,) = recognizer.on_frames(frames)
    timed = [(40 * i + i % 3, pixels) for i, pixels in enumerate(frames)]
    source = timed if announced is None else Repeatable(lambda: iter(timed), announced)
    (answer,) = recognizer.on_frames(source)
    assert np.array_equal(answer.scores, expected.scores)
    assert answer[:4] == expected[:4] and (answer.first, answer.last) == (0, 89)
    assert (answer.first_ms, answer.last_ms) == (0, 3562) and expected.last_ms is None


def test_a_source_that_cannot_be_read_twice():
    recognizer = ActionRecognizer(stage_two(sampling=SPREAD))
    frames = moving_frames(20, 24, 32)
    with pytest.raises(ValueError, match='hand over a list or a Repeatable, or give a window'):
        list(recognizer.on_frames(iter(frames)))
    assert len(list(recognizer.on_frames(iter(frames), window=20))) == 1
    lengths = iter([20, 19])
    changing = Repeatable(lambda: iter(frames[: next(lengths)]))
    with pytest.raises(ValueError, match='another number of frames when it was read again: 19'):
        list(recognizer.on_frames(changing))


@pytest.mark.parametrize(
    ('sampling', 'options'),
    [
        (SPREAD, {}),
        (SPREAD, dict(window=150, stride=75)),
        (dict(CONSECUTIVE, frame_interval=8), {}),
    ],
    ids=['whole source', 'windows', 'frames apart'],
)
def test_only_frames_that_are_read_are_kept(sampling, options):
    """Of 300 frames of 920 KB, which would be 276 MB."""
    recognizer = ActionRecognizer(stage_two(sampling=sampling, short_side=24))
    pattern = moving_frames(1, 480, 640)[0]

    def begin():
        return ((40 * i, np.roll(pattern, i, axis=1)) for i in range(300))

    list(recognizer.on_frames([pattern] * 150))  # what is imported once
    tracemalloc.start()
    answers = list(recognizer.on_frames(Repeatable(begin, 300), **options))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answers[-1].last_ms > 40 * 200
    # Kept, stacked and copied by the pipeline.
    assert peak < 5 * 16 * pattern.nbytes


@pytest.mark.parametrize('stride', [1, 3, 16, 25])
def test_windows_of_any_stride(stride):
    recognizer = ActionRecognizer(stage_two(sampling=SPREAD))
    frames = moving_frames(70, 24, 32)
    answers = list(recognizer.on_frames(iter(frames), window=20, stride=stride))
    assert [a.first for a in answers] == list(range(0, 51, stride))
    for answer in answers[:: max(1, len(answers) // 4)]:
        (alone,) = recognizer.on_frames(frames[answer.first : answer.last + 1])
        assert np.array_equal(alone.scores, answer.scores)


def test_windows_of_a_variable_rate_carry_their_own_times(tmp_path, checkpoint, make_video, capsys):
    times = [*range(0, 3000, 100), *range(4000, 5000, 25)]
    frames = moving_frames(70, 48, 64)
    source = make_video(frames, times_ms=times)
    arguments = [str(checkpoint.with_suffix('.py')), str(checkpoint)]
    encoder = save_encoder(build_encoder('bdq_hard'), tmp_path / 'encoder.json')
    codes = [str(tmp_path / 'x.bdq'), str(tmp_path / 'x.mkv')]
    assert encode_video.main([str(encoder), str(source), *codes]) == 0
    capsys.readouterr()
    # Codes begin with the second frame, and so does each of their windows.
    for path, begin, second in [(str(source), 0, 4.6), *((path, 0.1, 4.525) for path in codes)]:
        assert recognize.main([*arguments, path, '--stride', '54']) == 0
        lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
        assert [float(line[0]) for line in lines] == pytest.approx([0, second, 0], abs=0.006)
        # The last frame is shown for as long as the one before it.
        assert float(lines[1][2]) + begin == pytest.approx(5, abs=0.006)
        assert lines[1][2] == lines[2][2]


def test_a_copy_of_codes_is_not_taken_for_a_clear_video(tmp_path, checkpoint, make_video, capsys):
    encoder = save_encoder(build_encoder('bdq_hard'), tmp_path / 'encoder.json')
    codes, copy = tmp_path / 'x.mkv', tmp_path / 'copy.mkv'
    source = make_video(moving_frames(40, 48, 64))
    assert encode_video.main([str(encoder), str(source), str(codes)]) == 0
    encode_anew(codes, copy, 'libx264', 'yuv420p', {})
    capsys.readouterr()
    arguments = [str(checkpoint.with_suffix('.py')), str(checkpoint), str(copy)]
    assert recognize.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == '' and 'someone has encoded the codes anew' in printed.err


@pytest.mark.parametrize(
    'data',
    [
        b'box\nclap\nwave',
        '\ufeffbox\r\nclap\r\n\r\nwave\r\n\r\n'.encode(),
        '\n  box \n\tclap\n\nwave'.encode('utf-16'),
        '\ufeffbox\rclap\rwave\r'.encode('utf-16-be'),
    ],
    ids=['no last newline', 'byte order mark', 'utf-16', 'old Macintosh'],
)
def test_files_of_labels(tmp_path, data):
    (tmp_path / 'labels.txt').write_bytes(data)
    assert recognize.read_labels([str(tmp_path / 'labels.txt')]) == ['box', 'clap', 'wave']


def test_a_file_of_labels_in_another_encoding(tmp_path, capsys):
    (tmp_path / 'labels.txt').write_bytes('stehen\nstürzen'.encode('cp1252'))
    assert recognize.read_labels([str(tmp_path / 'labels.txt')]) == ['stehen', 'stürzen']
    assert "read as Windows-1252, as in 'stürzen'" in capsys.readouterr().err


def test_files_of_labels_that_are_none(tmp_path):
    path = tmp_path / 'labels.txt'
    for data, message in [
        (b'\n\n', 'holds no label'),
        ('box\nclap\n'.encode('utf-16-le'), 'is not a text file'),
    ]:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            recognize.read_labels([str(path)])
    with pytest.raises(FileNotFoundError, match=r'no file of labels labells\.txt'):
        recognize.read_labels(['labells.txt'])
    assert recognize.read_labels(['box']) == ['box'] and recognize.read_labels(None) is None
