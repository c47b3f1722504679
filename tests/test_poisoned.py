"""Files from a stranger run no code: each reader is given a harmless exploit, and refuses it.

The exploit makes the folder ``attacked`` in the current one, a temporary folder. Which test covers
which reader stands in docs/supply_chain.md.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import load_checkpoint as mmengine_load
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from bdq_plugin import encoder_file
from bdq_plugin.datasets import KTHDataset
from bdq_plugin.deploy import PackedError, PackedReader, load_form
from bdq_plugin.deploy.recognition import load_weights
from bdq_plugin.encoders import build_encoder, load_encoder, load_zoo_encoder, save_encoder
from bdq_plugin.engine import PretrainedBackboneHook
from bdq_plugin.engine.launch import build_runner
from bdq_plugin.engine.launch import test as run_test
from bdq_plugin.evaluation.attackers import PretrainedAttacker
from bdq_plugin.evaluation.results import read_result
from bdq_plugin.models import BDQDataPreprocessor
from bdq_plugin.safe_load import TRUST, UntrustedCheckpoint, load_checkpoint
from bdq_plugin.visualization.clips import run_data
from bdq_plugin.visualization.logs import read_config, read_metrics, read_run
from bdq_plugin.visualization.report import write_report

from .game import game_config

CODE = "__import__('os').mkdir('attacked')"
REFUSAL = rf'asks for posix\.mkdir.*{TRUST}=1'


class _Exploit:
    def __reduce__(self):
        return os.mkdir, ('attacked',)


class _Getattr:
    """Reaches code through the one function of Python that MMEngine's log needs."""

    def __reduce__(self):
        return getattr, (HistoryBuffer.__init__, '__globals__')


@pytest.fixture(autouse=True)
def no_attack(tmp_path, monkeypatch):
    """Run in an empty folder, and look whether the exploit was run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(TRUST, raising=False)
    yield
    assert not Path('attacked').exists(), 'the code of a file was run'


@pytest.fixture
def poisoned(tmp_path) -> str:
    """A checkpoint that has everything one needs, and an exploit."""
    state = build_encoder('bdq').state_dict()
    state = {f'data_preprocessor.encoder.{name}': value for name, value in state.items()}
    torch.save(dict(state_dict=state, meta={}, x=_Exploit()), tmp_path / 'epoch_1.pth')
    return str(tmp_path / 'epoch_1.pth')


# ---------------------------------------------------------------- checkpoints
def test_every_reader_of_checkpoints_refuses(poisoned):
    config = dict(type='Pretrained', checkpoint=poisoned)
    runner = SimpleNamespace(iter=0, model=torch.nn.ModuleDict(dict(net=torch.nn.Linear(1, 1))))
    readers = [
        lambda: load_checkpoint(poisoned),
        lambda: load_weights(torch.nn.Linear(1, 1), poisoned),
        lambda: BDQDataPreprocessor('bdq', init_cfg=config).init_weights(),
        lambda: mmengine_load(torch.nn.Linear(1, 1), poisoned),
        lambda: BaseModule(init_cfg=config).init_weights(),
        lambda: PretrainedBackboneHook('net', poisoned).before_train(runner),
        lambda: PretrainedAttacker(weights=str(poisoned), num_outputs=2),
    ]
    for read in readers:
        with pytest.raises(UntrustedCheckpoint, match=REFUSAL):
            read()


def test_a_run_of_a_poisoned_checkpoint(poisoned, synthetic_kth, tmp_path):
    game = partial(game_config, synthetic_kth, tmp_path)
    runs = [
        lambda: build_runner(game(load_from=poisoned, resume=True)),
        lambda: build_runner(game(resume=True)),  # finds it in its own work directory
        lambda: run_test(game(), poisoned),  # as `load_from` does
    ]
    for run in runs:
        with pytest.raises(UntrustedCheckpoint, match=REFUSAL):
            run()


def test_a_download_is_no_better(poisoned, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    handler = type('Quiet', (SimpleHTTPRequestHandler,), dict(log_message=lambda *_: None))
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f'http://127.0.0.1:{server.server_port}/epoch_1.pth'
        with pytest.raises(UntrustedCheckpoint, match=rf'epoch_1\.pth {REFUSAL}'):
            mmengine_load(torch.nn.Linear(1, 1), url)
    finally:
        server.shutdown()
        server.server_close()


def test_who_trusts_says_so(poisoned, monkeypatch):
    monkeypatch.setenv(TRUST, '1')
    assert 'state_dict' in load_checkpoint(poisoned)
    Path('attacked').rmdir()  # the exploit was run, as asked


@pytest.mark.parametrize(
    'save',
    [
        partial(torch.save, _use_new_zipfile_serialization=False),
        partial(torch.save, pickle_protocol=4),
        lambda content, path: Path(path).write_bytes(pickle.dumps(content)),
        lambda content, path: Path(path).write_bytes(pickle.dumps(content, protocol=0)),
    ],
)
def test_every_form_of_a_checkpoint(save):
    save(dict(x=_Exploit()), 'x.pth')
    with pytest.raises(ValueError, match='x.pth (asks for posix.mkdir|is not a checkpoint)'):
        load_checkpoint('x.pth')


def test_getattr_gets_statistics_alone():
    torch.save(dict(x=_Getattr()), 'x.pth')
    with pytest.raises(UntrustedCheckpoint, match='asks for builtins.getattr'):
        load_checkpoint('x.pth')


def test_the_log_of_mmengine_is_no_exploit(monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    log = HistoryBuffer()
    log.update(1.5)
    log.update(2)
    torch.save(dict(message_hub=dict(log_scalars=dict(loss=log))), 'x.pth')
    loaded = load_checkpoint('x.pth')['message_hub']['log_scalars']['loss']
    assert loaded.statistics('mean') == 1.75 and loaded.max() == 2
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


# ---------------------------------------------------------------- encoders and what a camera reads
@pytest.mark.parametrize(
    'change',
    [
        dict(type='os.mkdir'),
        dict(config=dict(sigma=CODE)),
        dict(config=dict(path='attacked')),
        dict(state={'blur.sigma': CODE}),
    ],
)
def test_encoder_and_zoo_files(change, tmp_path, monkeypatch):
    path = save_encoder(build_encoder('bdq_hard'), tmp_path / 'evil.json')
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    monkeypatch.setattr(encoder_file, 'ZOO', tmp_path)
    for read in (partial(load_encoder, path), partial(load_zoo_encoder, 'evil')):
        with pytest.raises((ValueError, TypeError)):
            read()
    with pytest.raises((ValueError, TypeError)):
        load_form(path)


def test_a_pickle_under_another_name(poisoned, tmp_path):
    run = tmp_path / 'run'
    run.mkdir()
    data = Path(poisoned).read_bytes()
    for name in ('evil.json', 'evil.bdq', 'run/metrics.json', 'run/scalars.json'):
        Path(name).write_bytes(data)
    Path('run/events.out.tfevents.1').write_bytes(pickle.dumps(_Exploit()))
    readers = {
        load_encoder: 'evil.json',
        read_result: 'evil.json',
        read_metrics: 'run',
        read_run: 'run',
    }
    for read, name in readers.items():
        with pytest.raises(ValueError):
            read(name)
    with pytest.raises(PackedError, match='not a packed file'):
        PackedReader('evil.bdq')


# ---------------------------------------------------------------- a run from elsewhere
def test_event_file(tmp_path):
    logs = tmp_path / 'run' / '20260101_000000' / 'vis_data'
    logs.mkdir(parents=True)
    values = [pickle.dumps(_Exploit()), CODE.encode(), [1.0, 2.0]]
    with open(logs / 'events.out.tfevents.1', 'wb') as file:
        writer = RecordWriter(file)
        for step, content in enumerate(values):
            value = Summary.Value(tag='loss', tensor=make_tensor_proto(content))
            value.metadata.plugin_data.plugin_name = 'scalars'
            good = Summary.Value(tag='<script>', simple_value=step)
            event = Event(step=step, summary=Summary(value=[value, good]))
            writer.write(event.SerializeToString())
    log = read_run('run')
    assert 'loss' not in log.val and log.val['<script>'].values.tolist() == [0, 1, 2]
    assert '<script>' not in write_report('run').read_text()


@pytest.mark.parametrize(
    'transform',
    [
        "dict(type='os.mkdir', path='attacked')",
        "dict(type='Resize', nested=[dict(type='os.mkdir', path='attacked')])",
        "dict(type='Resize', _scope_='evil')",
    ],
)
def test_config_of_a_run(tmp_path, transform):
    """MMEngine calls whatever function a config's ``type`` names."""
    logs = tmp_path / 'run' / 'vis_data'
    logs.mkdir(parents=True)
    (logs / 'scalars.json').write_text('{"step": 1, "action/top1": 0.5}\n')
    dataset = f"dict(type='KTHDataset', protocol='official', pipeline=[{transform}])"
    (logs / 'config.py').write_text(f'test_dataloader = dict(dataset={dataset})\n')
    with pytest.raises(ValueError, match=r'asks for (os\.mkdir|evil)'):
        run_data('run')
    write_report('run')
    (logs / 'config.py').write_text(f'a = {CODE}\n')
    with pytest.raises(ValueError, match='not one that MMEngine wrote'):
        read_config('run')


# ---------------------------------------------------------------- annotations, YAML, options
@pytest.mark.parametrize(
    'video',
    ['../x.avi', '/etc/x.avi', 'a/../../x', '..\\x', 'C:\\..\\x', 'file:/etc/x', 'http://x/y'],
)
def test_annotations_stay_in_the_data_root(video, synthetic_kth, tmp_path):
    first = next(iter((synthetic_kth.root / 'videos').iterdir())).name
    text = synthetic_kth.annotation.read_text()
    (tmp_path / 'a.csv').write_text(text.replace(first, video))
    with pytest.raises((ValueError, FileNotFoundError), match=r'leaves the data root|missing'):
        _dataset(tmp_path / 'a.csv')


def test_annotations_are_not_evaluated(synthetic_kth, tmp_path):
    lines = synthetic_kth.annotation.read_text().splitlines()
    cells = lines[1].split(',')
    cells[lines[0].split(',').index('num_frames')] = CODE
    (tmp_path / 'a.csv').write_text('\n'.join([lines[0], ','.join(cells)]))
    with pytest.raises(ValueError, match='num_frames must be a whole number'):
        _dataset(tmp_path / 'a.csv')


def _dataset(annotation: Path) -> KTHDataset:
    return KTHDataset(str(annotation), [], protocol='subsequence', split='train')


def test_yaml_is_data():
    Path('x.yaml').write_text("a: !!python/object/apply:os.mkdir ['attacked']\n")
    with pytest.raises(Exception, match='could not determine a constructor'):
        Config.fromfile('x.yaml')
    Path('x.yaml').write_text('a: [1, 2.5, no]\n')
    assert Config.fromfile('x.yaml').a == [1, 2.5, False]


def test_options_are_text():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    options = parser.parse_args(['--cfg-options', f'a={CODE}', f'b=[{CODE},1]']).cfg_options
    assert options['a'] == CODE
