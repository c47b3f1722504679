from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from bdq_plugin.deploy import StreamingEncoder, encode_clip
from bdq_plugin.deploy.export import (
    OPSET,
    FrameStep,
    SoftClip,
    export_encoder,
    export_network,
    export_program,
)
from bdq_plugin.deploy.recognition import ActionRecognizer
from bdq_plugin.deploy.streaming import draw_noise
from bdq_plugin.encoders import BDQEncoder, build_encoder, load_state, save_encoder
from bdq_plugin.geometry import Path
from bdq_plugin.network_file import network_names
from bdq_plugin.video.source import VideoSource
from tests.test_deploy.conftest import moving_frames
from tests.test_deploy.test_recognize import stage_two
from tools import export as export_tool

onnx = pytest.importorskip('onnx', reason='onnx is an extra: pip install onnx onnxscript')
onnxruntime = pytest.importorskip('onnxruntime', reason='onnxruntime is an extra')
pytest.importorskip('onnxscript', reason='onnxscript is an extra')


@pytest.fixture(scope='module')
def encoder():
    """Trained as far as an export can tell: thresholds away from their even spacing.

    Six levels, not 16: each threshold is an operator, and exporting takes its time.
    """
    encoder = build_encoder('bdq_hard', sigma=1.3, range_limit=0.4, num_levels=6).eval()
    with torch.no_grad():
        encoder.quantize.thresholds += 0.2 * torch.randn(5, generator=torch.manual_seed(0))
    return encoder


@pytest.fixture(scope='module')
def exported(encoder, tmp_path_factory):
    """Paths of both forms in both formats."""
    folder = tmp_path_factory.mktemp('export')
    return {
        (form, suffix): export_encoder(encoder, folder / f'{form}{suffix}', form)
        for form in ('step', 'clip')
        for suffix in ('.onnx', '.pt2')
    }


@pytest.fixture
def clips(real_data) -> list[np.ndarray]:
    """Real clips of two sizes, and made ones of odd and tiny sizes, colour and grey."""
    paths = [
        *(real_data / 'kth' / 'videos').glob('person0[13]*d[14]*'),
        *(real_data / 'ixmas' / 'original_samples').glob('*.avi'),
    ]
    clips = []
    for path in sorted(paths):
        with VideoSource(path) as source:
            stream = iter(source)
            clips.append(np.stack([next(stream).pixels for _ in range(6)]))
    assert {clip.shape[1:3] for clip in clips} == {(120, 160), (64, 48)}
    odd = moving_frames(4, 37, 21)
    return [*clips, odd, odd[..., :1], odd[:, :1, :1]]


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


def run_steps(step, frames: np.ndarray) -> np.ndarray:
    state = np.zeros((frames.shape[3], *frames.shape[1:3]), np.float32)
    codes = []
    for frame in frames:
        code, state = step(frame, state)
        codes.append(code)
    return np.stack(codes[1:])


def test_onnx_step_gives_the_streams_codes(encoder, exported, clips):
    run = session(exported['step', '.onnx'])
    assert [i.name for i in run.get_inputs()] == ['frame', 'state']
    assert [o.name for o in run.get_outputs()] == ['codes', 'new_state']
    for frames in clips:
        codes = run_steps(lambda f, s: run.run(None, {'frame': f, 'state': s}), frames)
        assert codes.dtype == np.uint8
        assert np.array_equal(codes, encode_clip(encoder.integer_form(), frames))


def test_torch_export_step_gives_the_streams_codes(encoder, exported, clips):
    step = torch.export.load(exported['step', '.pt2']).module()

    def run(frame, state):
        codes, state = step(torch.from_numpy(frame), torch.from_numpy(state))
        return codes.numpy(), state.numpy()

    for frames in clips:
        codes = run_steps(run, frames)
        assert np.array_equal(codes, encode_clip(encoder.integer_form(), frames))


def test_whole_clip_soft_form(encoder, exported, clips):
    run = session(exported['clip', '.onnx'])
    program = torch.export.load(exported['clip', '.pt2']).module()
    soft = build_encoder('bdq_hard', **{**encoder.config, 'mode': 'soft'})
    load_state(soft, encoder.state_dict(), 'the hard one')
    for frames in clips:
        clip = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 255
        clip = torch.cat([clip, clip.flip(2)])
        expected = soft(clip).detach()
        (encoded,) = run.run(None, {'clip': clip.numpy()})
        assert np.abs(encoded - expected.numpy()).max() < 1e-5
        if min(frames.shape[1:3]) > 1:
            assert (program(clip) - expected).abs().max() < 1e-6


def test_files_are_what_they_say(exported):
    for form in ('step', 'clip'):
        model = onnx.load(exported[form, '.onnx'])
        onnx.checker.check_model(model)
        assert model.opset_import[0].version == OPSET >= 17
        sizes = [d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim]
        assert all(sizes), 'every size is dynamic'


def test_paper_encoder_as_soft_clip(tmp_path):
    """The paper's range is that of each clip; its whole-clip form exports as well."""
    encoder = build_encoder('bdq', num_levels=4)
    path = export_encoder(encoder, tmp_path / 'x.onnx', 'clip')
    clip = torch.rand(2, 3, 5, 20, 30)
    (encoded,) = session(path).run(None, {'clip': clip.numpy()})
    assert np.abs(encoded - encoder(clip).detach().numpy()).max() < 1e-5


def test_modules_without_export_agree(encoder):
    frames = moving_frames(3, 12, 10)
    step = FrameStep(encoder.integer_form())
    codes = run_steps(
        lambda f, s: [t.numpy() for t in step(torch.from_numpy(f), torch.from_numpy(s))], frames
    )
    assert np.array_equal(codes, encode_clip(encoder.integer_form(), frames))
    assert SoftClip(encoder).encoder.quantize.mode == 'soft' and encoder.quantize.mode == 'hard'


def test_blocks(tmp_path):
    """Both forms, with frames whose sizes are whole numbers of blocks."""
    encoder = build_encoder('bdq_hard', block=3, num_levels=3, range_limit=0.05).eval()
    step = session(export_encoder(encoder, tmp_path / 'step.onnx'))
    frames = moving_frames(4, 12, 9)
    state = np.zeros((3, 4, 3), np.float32)
    codes = []
    for frame in frames:
        code, state = step.run(None, {'frame': frame, 'state': state})
        codes.append(code)
    assert np.array_equal(codes[1:], encode_clip(encoder.integer_form(), frames))
    program = export_program(encoder, 'clip').module()
    clip = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 255
    encoder.quantize.mode = 'soft'
    assert (program(clip) - encoder(clip)).abs().max() < 1e-6


@pytest.mark.parametrize('levels', [2, 3])
def test_noise_about_a_dead_zone_is_an_input(levels, tmp_path):
    encoder = BDQEncoder(
        num_levels=levels, dead_zone=0.03, mode='hard', range='fixed', block=2, dither=0.02
    )
    form, frames = encoder.integer_form(), moving_frames(4, 6, 8)
    run = session(export_encoder(encoder, tmp_path / 'step.onnx'))
    assert [i.name for i in run.get_inputs()] == ['frame', 'state', 'noise']
    stream = StreamingEncoder(form, seed=3)
    stream(frames[0])
    generator = np.random.Generator(np.random.Philox(3))
    state = run.run(
        None,
        dict.fromkeys(('state', 'noise'), np.zeros((3, 3, 4), np.float32)) | {'frame': frames[0]},
    )[1]
    for frame in frames[1:]:
        noise = draw_noise(generator, form, (3, 4, 3)).transpose(2, 0, 1).astype(np.float32)
        codes, state = run.run(None, dict(frame=frame, state=state, noise=noise))
        assert np.array_equal(codes, stream(frame))


def test_places_of_a_geometric_dither_are_an_input(tmp_path):
    encoder = BDQEncoder(
        num_levels=3,
        dead_zone=0.02,
        mode='hard',
        range='fixed',
        block=2,
        dither=0.01,
        geometric_dither=dict(stretch=0.2, warp=0.05, redraw=3, change=2),
    )
    form, frames, secret = encoder.integer_form(), moving_frames(5, 6, 8), bytes(range(32))
    run = session(export_encoder(encoder, tmp_path / 'step.onnx'))
    assert [i.name for i in run.get_inputs()] == ['frame', 'state', 'noise', 'places']
    stream = StreamingEncoder(form, seed=3, secret=secret)
    generator, path = np.random.Generator(np.random.Philox(3)), Path(form.geometry, secret, 6, 8)
    state = noise = np.zeros((3, 3, 4), np.float32)
    for count, frame in enumerate(frames):
        if count:
            noise = draw_noise(generator, form, (3, 4, 3)).transpose(2, 0, 1).astype(np.float32)
        inputs = dict(frame=frame, state=state, noise=noise, places=path.at(count))
        codes, state = run.run(None, inputs)
        expected = stream(frame)
        assert count == 0 or np.array_equal(codes, expected)


def test_mistakes(tmp_path, encoder, encoder_file, capsys):
    with pytest.raises(ValueError, match='unknown form'):
        export_program(encoder, 'frame')
    with pytest.raises(ValueError, match="range='fixed'"):
        export_program(build_encoder('bdq'), 'step')
    with pytest.raises(ValueError, match='Downsample is a rival'):
        export_program(build_encoder('ryoo_16'), 'clip')
    with pytest.raises(ValueError, match="dither has no form 'clip'"):
        export_program(build_encoder('bdq_hard', dither=0.1), 'clip')
    for form in ('step', 'clip'):
        with pytest.raises(ValueError, match=r'randomised response .*no export.*StreamingEncoder'):
            export_program(build_encoder('certified'), form)
    with pytest.raises(ValueError, match=r'\.onnx, \.pt2'):
        export_encoder(encoder, tmp_path / 'x.pt')
    with pytest.raises(FileNotFoundError, match='no folder'):
        export_encoder(encoder, tmp_path / 'nowhere' / 'x.onnx')
    assert export_tool.main([str(tmp_path / 'no.json'), str(tmp_path / 'x.onnx')]) == 1
    assert 'no.json' in capsys.readouterr().err
    path = save_encoder(build_encoder('bd'), tmp_path / 'bd.json')
    assert export_tool.main([str(path), str(tmp_path / 'x.pt2')]) == 1
    assert 'can run as a stream' in capsys.readouterr().err


WITHOUT_TORCH = """
import json, sys
class Refuse:
    def find_spec(self, name, *rest):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmaction', 'mmcv', 'bdq_plugin'):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
told = session.get_modelmeta().custom_metadata_map
clips = numpy.load(sys.argv[2])
scores = [session.run(None, dict(frames=clips[name]))[0].tolist() for name in clips.files]
assert not {'torch', 'bdq_plugin'} & set(sys.modules)
print(json.dumps([json.loads(told['classes']), told['interval'], scores]))
"""


def test_encoder_and_network_without_torch(tmp_path, real_data, capsys):
    """One file, of frames of any size; its scores are those of tools/recognize.py."""
    (name, *_) = network_names()
    model = tmp_path / 'actions.onnx'
    assert export_tool.main([f'zoo:{name}', str(model)]) == 0
    recognizer = ActionRecognizer(f'zoo:{name}')
    clips, expected = {}, []
    sources = sorted((real_data / 'ixmas' / 'original_samples').glob('*.avi'))
    for path in sources:
        with VideoSource(path) as source:
            frames = np.stack([frame.pixels for frame in source])[: recognizer.window]
        clips[path.stem] = frames.reshape(*frames.shape[:3], -1)[:: recognizer.interval, ..., :1]
        expected.append(next(recognizer.on_frames(list(frames))).scores)
    wide = moving_frames(recognizer.window, 48, 80)[..., 0]
    clips['wide'] = wide[:: recognizer.interval, ..., None]
    expected.append(next(recognizer.on_frames(list(wide))).scores)
    np.savez(tmp_path / 'clips.npz', **clips)
    command = [sys.executable, '-c', WITHOUT_TORCH, str(model), str(tmp_path / 'clips.npz')]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={})
    assert done.returncode == 0, done.stderr
    classes, interval, scores = json.loads(done.stdout)
    assert classes == recognizer.labels and interval == str(recognizer.interval) == '3'
    assert len({int(np.argmax(row)) for row in expected}) > 1, 'clips must differ'
    assert np.allclose(scores, expected, atol=1e-5)


def test_what_cannot_be_exported_with_its_network(tmp_path, capsys):
    (name, *_) = network_names()
    for arguments, told in [
        (['bdq_form.h'], 'an export ends in one of .onnx, .pt2'),
        (['x.onnx', '--form', 'clip'], '--form is of an encoder'),
        (['nowhere/x.onnx'], 'no folder'),
    ]:
        path = str(tmp_path / arguments[0])
        assert export_tool.main([f'zoo:{name}', path, *arguments[1:]]) == 1
        assert told in capsys.readouterr().err
    with pytest.raises(ValueError, match='drawn outside of a graph'):
        export_network(ActionRecognizer(stage_two('blocks_noise')), tmp_path / 'x.onnx')
