"""Networks in safe files: of the zoo, published from a training, damaged and foreign."""

from __future__ import annotations

import json
import pickle
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from bdq_plugin import paths
from bdq_plugin.deploy import PackedReader
from bdq_plugin.deploy.publishing import measure, publish_network
from bdq_plugin.deploy.recognition import ActionRecognizer
from bdq_plugin.encoder_file import read_encoder_file
from bdq_plugin.network_file import (
    find_network,
    network_names,
    read_network,
    write_network,
)
from bdq_plugin.video.source import VideoSource
from tests.test_deploy.conftest import moving_frames
from tests.test_deploy.rtsp_server import RTSPServer, encode_h264
from tests.test_deploy.test_recognize import save_stage_two, stage_two
from tools import encode_video, recognize
from tools import publish_network as publish_tool

ZOO = [f'zoo:{name}' for name in network_names()]
LABELS = ['check-watch', 'get-up', 'kick', 'point', 'sit-down', 'walk']


@pytest.mark.parametrize('name', ZOO)
def test_the_zoo_says_what_it_holds(name):
    path = find_network(name)
    assert path.stat().st_size < 4e6
    with safe_open(path, framework='numpy') as file:
        kinds = {file.get_tensor(key).dtype.kind: file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
    assert kinds['f'] == np.float16
    facts = read_network(name).facts
    test = facts['test']
    assert test['clips'] == 120 and test['top1'] == round(100 * test['right'] / 120, 1)
    assert test['top1'] > 2 * test['chance']
    assert (facts['protocol'], facts['fold'], facts['dataset']) == ('take', 3, 'IXMASDataset')
    assert facts['seed'] == 0 and 'free' in facts['rights']
    assert facts['commands'][0].startswith('python tools/train.py configs/bdq_ixmas_cpu_')
    # The encoder is the one of the zoo, number by number, for a camera that encodes for it.
    own, of_zoo = read_network(name).encoder, read_encoder_file(facts['encoder'])
    assert all(own[key] == of_zoo[key] for key in ('type', 'config', 'state'))


@pytest.mark.parametrize('name', ZOO)
def test_the_figures_of_the_zoo(name, ixmas_raw, ixmas_annotation):
    """Measured again, on clips of a take that training has not seen."""
    recognizer = ActionRecognizer(name)
    data = recognizer.config.test_dataloader.dataset
    data.update(ann_file=str(ixmas_annotation), data_prefix=dict(video=str(ixmas_raw)))
    found, told = measure(recognizer), read_network(name).facts['test']
    assert abs(found['right'] - told['right']) <= 1  # floats differ by machine
    assert {**found, 'right': 0, 'top1': 0} == {**told, 'right': 0, 'top1': 0}


def test_the_tool_out_of_the_box(tmp_path, real_data, capsys):
    """Clear video and codes; this clip is of the take that no training has seen."""
    samples = real_data / 'ixmas' / 'original_samples'
    video = str(samples / 'nicolas3_10_kick_cam2_frames_0870_0945.avi')
    codes = str(tmp_path / 'x.bdq')
    assert encode_video.main(['blocks_48x64', video, codes, '--every', '3']) == 0
    capsys.readouterr()
    told = []
    for source in (video, codes):
        assert recognize.main([ZOO[0], '--json', source]) == 0
        told.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert all(answer['label'] in LABELS for answer in told[0] + told[1])
    assert told[0][-1]['label'] == told[1][-1]['label'] == 'kick'
    assert recognize.main([ZOO[0], video, '--threshold', '0.3', '--stride', '3']) == 0
    assert 'begin' in capsys.readouterr().out


@pytest.mark.parametrize(('height', 'width', 'cut'), [(90, 160, (48, 80)), (48, 64, (48, 64))])
def test_frames_of_any_size(tmp_path, make_video, capsys, height, width, cut):
    """16:9 is scaled and cut to whole blocks, by the camera and by the network alike."""
    video = make_video(moving_frames(40, height, width), codec='ffv1', pix_fmt='gray')
    out = tmp_path / 'x.bdq'
    assert encode_video.main(['blocks_48x64', str(video), str(out), '--every', '3']) == 0
    said = '80 x 48 of 85 x 48 pixels are encoded'
    assert (said in capsys.readouterr().err) == (cut != (height, width))
    reader = PackedReader(out)
    assert reader.shape == (cut[0] // 8, cut[1] // 8)
    recognizer = ActionRecognizer(ZOO[0])

    with VideoSource(video) as source:
        clear = list(recognizer.on_frames([frame.pixels for frame in source], stride=3))
    coded = list(recognizer.on_codes(reader.form, reader, stride=1))
    assert len(clear) == len(coded) == 4
    for one, other in zip(clear, coded, strict=True):
        assert np.allclose(one.scores, other.scores, atol=1e-6)


def test_a_camera(capsys):
    """Colour and 4:3, until it is gone: that is its only error."""
    server = RTSPServer(encode_h264(moving_frames(70, 96, 128)))
    with closing(server):
        assert recognize.main([ZOO[0], server.url, '--json', '--timeout', '5']) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 4 and told[-1]['windows'] == 3
    assert {answer['label'] for answer in told} <= set(LABELS)


def test_codes_of_other_frames_are_refused(tmp_path, make_video, capsys):
    video = make_video(moving_frames(40, 96, 128), codec='ffv1', pix_fmt='gray')
    out = tmp_path / 'x.bdq'
    assert (
        encode_video.main(['blocks_48x64', str(video), str(out), '--full-size', '--every', '3'])
        == 0
    )
    assert recognize.main([ZOO[0], str(out)]) == 1
    assert 'frames of 96 pixels' in (told := capsys.readouterr().err) and '--short-side 48' in told


def test_a_network_is_complete(real_data, capsys):
    for arguments, told in [
        (['configs/bdq_kth_action.py', 'clip.avi'], 'a config needs a checkpoint'),
        ([ZOO[0], 'clip.avi', '--cfg-options', 'fold=1'], '--cfg-options are for a config'),
    ]:
        with pytest.raises(SystemExit):
            recognize.main(arguments)
        assert told in capsys.readouterr().err
    assert recognize.main([ZOO[0], 'epoch_1.pth', 'clip.avi']) == 1
    assert 'name no checkpoint' in capsys.readouterr().err
    assert recognize.main(['zoo:nobody', 'clip.avi']) == 1
    told = capsys.readouterr().err
    assert 'no network zoo:nobody' in told and ZOO[0] in told
    assert recognize.main(['x.safetensors', 'clip.avi']) == 1
    assert 'no network file x.safetensors' in capsys.readouterr().err


class _Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def _changed(path: Path, **changes: object) -> None:
    """A file that says something else, and is otherwise as it was."""
    with safe_open(path, framework='numpy') as file:
        document = json.loads(file.metadata()['network'])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(state, path, metadata=dict(network=json.dumps({**document, **changes})))


def _damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == 'cut':
        path.write_bytes(content[: len(content) // 2])
    elif how == 'cut in its header':
        path.write_bytes(content[:100])
    elif how == 'a number changed':
        content[-1000] ^= 1
        path.write_bytes(content)
    elif how == 'other labels':
        _changed(path, classes=['fall', *LABELS[1:]])
    elif how == 'another version':
        _changed(path, version=2)
    elif how == 'other tensors':
        save_file(dict(weight=np.zeros(3, np.float16)), path)
    elif how == 'empty':
        path.write_bytes(b'')
    else:
        path.write_bytes(b'no network at all, but a text of some length' * 9)


@pytest.mark.parametrize(
    ('how', 'told'),
    [
        ('cut', 'not a network file, or a part'),
        ('cut in its header', 'not a network file, or a part'),
        ('a number changed', 'is damaged'),
        ('other labels', 'is damaged'),
        ('another version', 'has version 2'),
        ('other tensors', 'is not a network file'),
        ('empty', 'not a network file, or a part'),
        ('a text', 'not a network file, or a part'),
    ],
)
def test_damaged_and_foreign_files(tmp_path, how, told, capsys):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(find_network(ZOO[0]).read_bytes())
    read_network(path)
    _damage(path, how)
    with pytest.raises(ValueError, match=told):
        read_network(path)
    assert recognize.main([str(path), 'clip.avi']) == 1
    assert told in capsys.readouterr().err


def test_a_file_runs_no_code(tmp_path):
    """A pickle is no such file, and a file that names code is refused, its checksum right."""
    marker = tmp_path / 'attacked'
    evil = tmp_path / 'evil.safetensors'
    evil.write_bytes(pickle.dumps(_Attack(marker)))
    with pytest.raises(ValueError, match='not a network file'):
        ActionRecognizer(evil)
    (tmp_path / 'evil.py').write_text(f'open({str(marker)!r}, "w")')
    network = read_network(ZOO[0])
    for recipe in ('../evil.py', str(tmp_path / 'evil.py'), 'os.system'):
        with pytest.raises(ValueError, match='no recipe of this package'):
            write_network(evil, network._replace(recipe=recipe))
    write_network(evil, network._replace(recipe='evil.py'))
    with pytest.raises(FileNotFoundError, match=r'no recipe evil\.py in this package'):
        ActionRecognizer(evil)
    other = dict(network.encoder, type='Popen')
    write_network(evil, network._replace(encoder=other))
    with pytest.raises(ValueError, match="unknown encoder type 'Popen'"):
        ActionRecognizer(evil)
    assert not marker.exists()


def test_a_network_that_does_not_fit_its_recipe(tmp_path):
    network = read_network(ZOO[0])
    other = network._replace(recipe='bdq_ixmas_cpu_stream_action.py')
    path = write_network(tmp_path / 'x.safetensors', other)
    with pytest.raises(ValueError, match='does not fit bdq_ixmas_cpu_stream_action'):
        ActionRecognizer(path)
    huge = dict(network.state, big=np.array([1e6], np.float32))
    with pytest.raises(ValueError, match="'big' has numbers that are no finite ones"):
        write_network(path, network._replace(state=huge))


@pytest.fixture
def training(tmp_path, monkeypatch, ixmas_raw, ixmas_annotation) -> Path:
    """The work directory of a training of a recipe, `small_action.py`, that has just ended."""
    monkeypatch.setattr(paths, 'CONFIGS', tmp_path / 'configs')
    paths.CONFIGS.mkdir()
    header, *rows = ixmas_annotation.read_text().splitlines()
    some = tmp_path / 'some.csv'
    some.write_text('\n'.join([header, *[row for row in rows if ',alba,' in row]]))
    config = stage_two()
    config.test_dataloader = dict(
        dataset=dict(
            type='IXMASDataset',
            ann_file=str(some),
            data_prefix=dict(video=str(ixmas_raw)),
            protocol='take',
            fold=3,
            split='test',
            test_mode=True,
            pipeline=[],
        )
    )
    config.train_cfg = dict(max_epochs=2)
    folder = tmp_path / 'work'
    folder.mkdir()
    saved = save_stage_two(folder / 'epoch_2.pth', config)
    saved.with_suffix('.py').rename(paths.CONFIGS / 'small_action.py')
    (folder / 'last_checkpoint').write_text(f'/elsewhere/{saved.name}')
    run = dict(config='small_action.py', dataset='IXMASDataset', protocol='take', fold=3)
    run.update(epochs=2, seed=4, versions=dict(torch='2'))
    (folder / 'metrics.json').write_text(json.dumps(run))
    return folder


def test_publishing(training, tmp_path, capsys):
    """A network file gives what its checkpoint gives, but for half precision."""
    arguments = [str(training), '--name', 'mine', '--out', str(tmp_path)]
    publish_tool.main(arguments)
    path = tmp_path / 'mine.safetensors'
    assert f'wrote {path}' in (told := capsys.readouterr().out) and '% of 12 test clips' in told
    network = read_network(path)
    assert network.recipe == 'small_action.py' and network.facts['seed'] == 4
    assert 'configs/small_action.py --seed 4' in network.facts['commands'][0]
    trained = ActionRecognizer(stage_two(), training / 'epoch_2.pth')
    published = ActionRecognizer(path)
    assert published.labels == trained.labels == network.classes
    for name, values in published.model.backbone.state_dict().items():
        expected = trained.model.backbone.state_dict()[name]
        assert torch.equal(values, expected.half().to(values.dtype) if values.ndim else expected)
    form = published.preprocessor.encoder.integer_form()
    assert form == trained.preprocessor.encoder.integer_form()
    with pytest.raises(SystemExit, match=r'mine\.safetensors exists'):
        publish_tool.main(arguments)
    publish_tool.main([*arguments, '--overwrite'])


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        (dict(fold=1), r"trained with other options than small_action\.py has, {'fold': 1}"),
        (dict(epochs=9), "{'epochs': 9}"),
        (dict(config='my_own.py'), r'no recipe my_own\.py in this package.*carries no code'),
        (None, r'no finished training \(.*metrics\.json is missing\)'),
    ],
)
def test_a_training_that_cannot_be_published(training, tmp_path, changes, told):
    metrics = training / 'metrics.json'
    if changes is None:
        metrics.unlink()
    else:
        metrics.write_text(json.dumps({**json.loads(metrics.read_text()), **changes}))
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        publish_network(training, 'mine', folder=tmp_path)
    assert not (tmp_path / 'mine.safetensors').exists()


def test_a_checkpoint_of_another_encoder_is_not_published(training, tmp_path):
    save_stage_two(training / 'epoch_2.pth', stage_two('sign_2'))
    with pytest.raises(ValueError, match='has another encoder'):
        publish_network(training, 'mine', folder=tmp_path)
    save_stage_two(training / 'epoch_2.pth', stage_two('bdq'))
    recipe = paths.CONFIGS / 'small_action.py'
    recipe.write_text(recipe.read_text().replace("encoder='bdq_hard'", "encoder='bdq'"))
    with pytest.raises(ValueError, match='can run as a stream'):
        publish_network(training, 'mine', folder=tmp_path)
    for name in ('../mine', 'Mine', ''):
        with pytest.raises(ValueError, match='no zoo name'):
            publish_network(training, name)
    assert not list(tmp_path.glob('*.safetensors'))
