"""What a new user does wrong, and the one sentence that comes of it before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.engine.first_checks import check_device, one_sentence
from bdq_plugin.engine.launch import build_runner, load_config, train
from bdq_plugin.engine.launch import test as run_test
from bdq_plugin.engine.workdir import claim_work_dir
from tools import audit, recognize
from tools import test as test_tool
from tools import train as train_tool

from ..game import REPOSITORY, game_config


@pytest.fixture(scope='module')
def checkpoint(synthetic_kth, tmp_path_factory) -> Path:
    """A checkpoint of the game, as training would write it."""
    cfg = game_config(synthetic_kth, tmp_path_factory.mktemp('game'))
    path = Path(cfg.work_dir) / 'epoch_1.pth'
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(meta={}, state_dict=build_runner(cfg).model.state_dict()), path)
    return path


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('configs/bdq_kthh.py', 'no config configs/bdq_kthh.py; the recipes are in'),
        ('configs/audit/quick.py', 'quick.py is no recipe: it is a panel'),
        ('configs/audit/data/kth.py', 'kth.py is no recipe: it is a data set'),
        ('configs/metafile.yml', 'metafile.yml is no recipe: it names no model'),
    ],
)
def test_configs_of_another_kind(config, message):
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        load_config(config)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'train_dataloader.batch_size': 64},
            'train_dataloader.batch_size=64 is more than the 24 clips .* set batch_size to 24',
        ),
        ({'val_dataloader.batch_size': 0}, 'val_dataloader.batch_size is a whole number from 1'),
        ({'train_cfg.max_epochs': 0}, 'train_cfg.max_epochs is a whole number from 1, got 0'),
        (
            {'model.recognizer.backbone.in_channels': 3},
            'recognizer.backbone begins with in_channels=3, but the clips have 1 channels',
        ),
        (
            {'model.privacy.backbone.in_channels': 3},
            'privacy.0.backbone begins with in_channels=3, but the clips have 1 channels',
        ),
        ({'train_dataloader': None}, 'has no train_dataloader'),
    ],
    ids=['large batch', 'no batch', 'no epoch', 'channels', 'channels of privacy', 'no data'],
)
def test_mistakes_in_the_options_of_a_training(synthetic_kth, tmp_path, options, message):
    if options == {'train_dataloader': None}:
        cfg = game_config(synthetic_kth, tmp_path)
        cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    else:
        cfg = game_config(synthetic_kth, tmp_path, **options)
    with pytest.raises(ValueError, match=message):
        train(cfg)
    assert not list(tmp_path.rglob('epoch_*.pth'))


def test_labels_outside_the_head(synthetic_kth, tmp_path):
    """In MMAction2's own kind of list, which names no classes."""
    videos = sorted((synthetic_kth.root / 'videos').glob('*.avi'))[:9]
    (tmp_path / 'list.txt').write_text(''.join(f'{p.name} {i}\n' for i, p in enumerate(videos)))
    cfg = game_config(synthetic_kth, tmp_path / 'work')
    cfg.train_dataloader.dataset = dict(
        type='VideoDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(video=str(synthetic_kth.root / 'videos')),
        pipeline=cfg.train_dataloader.dataset.pipeline,
    )
    with pytest.raises(ValueError, match=rf'{videos[6].name} has the label 6, .* num_classes=6'):
        train(cfg)


def test_where_a_run_cannot_start(synthetic_kth, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    with pytest.raises(NotADirectoryError, match='file is a file: name another folder'):
        train(game_config(synthetic_kth, tmp_path / 'file'))
    cfg = game_config(synthetic_kth, tmp_path / 'work')
    cfg.launcher = 'pytorch'
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(ValueError, match=r'run `tools/dist_train.sh CONFIG NUMBER_OF_PROCESSES`'):
        train(cfg)
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setenv('LOCAL_RANK', '3')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(ValueError, match='process 3 has no GPU: this machine has 2'):
        train(cfg)


def test_checkpoints_of_another_model(synthetic_kth, tmp_path, checkpoint):
    """MMEngine tests networks with random weights then, and warns in its log."""
    cfg = game_config(synthetic_kth, tmp_path)
    with pytest.raises(FileNotFoundError, match='no checkpoint nothing.pth'):
        run_test(cfg, 'nothing.pth')
    with pytest.raises(ValueError, match=r'README.md is not a checkpoint'):
        run_test(game_config(synthetic_kth, tmp_path), str(REPOSITORY / 'README.md'))
    cfg = game_config(synthetic_kth, tmp_path)
    cfg.model = dict(cfg.model.recognizer, data_preprocessor=cfg.model.data_preprocessor)
    cfg.test_evaluator = cfg.test_evaluator[:1]
    with pytest.raises(ValueError, match=r'epoch_1.pth is of another model .* such as backbone'):
        run_test(cfg, str(checkpoint))
    cfg = game_config(synthetic_kth, tmp_path)
    cfg.model.privacy.cls_head.num_classes = 5
    with pytest.raises(ValueError, match=r'cls_head\.\S+ is of shape \(3, 96\), .* \(5, 96\)'):
        run_test(cfg, str(checkpoint))
    cfg = game_config(synthetic_kth, tmp_path)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    with pytest.raises(ValueError, match='there is nothing to test on'):
        run_test(cfg, str(checkpoint))


def test_a_gpu_where_there_is_none(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    with pytest.raises(ValueError, match="no device 'cuda': choose cpu"):
        check_device('cuda')
    with pytest.raises(SystemExit, match="no device 'cuda:0': choose cpu"):
        audit.main(['--encoder', 'bdq_hard', '--device', 'cuda:0'])
    arguments = [str(REPOSITORY / 'configs' / 'bdq_kth_action.py'), 'x.pth', 'x.mp4']
    assert recognize.main([*arguments, '--device', 'gpu']) == 1
    assert "error: this machine has no device 'gpu': choose cpu" in capsys.readouterr().err


def test_configs_of_another_kind_for_the_audit():
    for option, kind in [('--data', 'data set'), ('--panel', 'panel')]:
        config = str(REPOSITORY / 'configs' / 'bdq_demo.py')
        with pytest.raises(SystemExit, match=rf'bdq_demo.py is no {kind} config: it lacks'):
            audit.main(['--encoder', 'bdq_hard', '--data', 'kth', option, config])


def test_mistakes_with_recognize(tmp_path, checkpoint, capsys):
    configs = REPOSITORY / 'configs'
    weights, folder = str(checkpoint), str(tmp_path)
    encoder = save_encoder(build_encoder('bdq_hard'), tmp_path / 'encoder.json')
    stage_two = tmp_path / 'stage_two.py'
    stage_two.write_text(
        f"_base_ = '{configs}/bdq_demo_action.py'\n"
        f"init_cfg = dict(type='Pretrained', checkpoint='{encoder}')\n"
        'model = dict(data_preprocessor=dict(init_cfg=init_cfg))\n'
    )
    for arguments, message in [
        ([str(configs / 'bdq_demo.py'), weights, 'x.mp4'], 'is of the game (stage 1)'),
        ([str(configs / 'audit' / 'quick.py'), weights, 'x.mp4'], 'quick.py is no recipe'),
        ([weights, str(stage_two), 'x.mp4'], 'is no config'),
        ([str(stage_two), weights, 'x.mp4', '--threads', '0'], '--threads is 1 or more, got 0'),
        ([str(stage_two), weights, 'x.mp4'], 'epoch_1.pth does not fit the config'),
        ([str(stage_two), weights, folder], 'does not fit the config'),
    ]:
        assert recognize.main(arguments) == 1
        assert message in capsys.readouterr().err


def test_errors_of_others_keep_their_traceback(tmp_path):
    with pytest.raises(ValueError, match='invalid literal'), one_sentence():
        int('many')
    with pytest.raises(TypeError, match='unexpected keyword'), one_sentence():
        load_config('x.py', colour=1)
    with pytest.raises(FileNotFoundError, match='nowhere'), one_sentence():
        (tmp_path / 'nowhere').read_text()
    with pytest.raises(SystemExit, match='error: no config x.py'), one_sentence():
        load_config('x.py')


def test_what_the_system_and_a_class_refuse(synthetic_kth, tmp_path):
    (tmp_path / 'file').write_text('')
    cfg = game_config(synthetic_kth, tmp_path / 'file' / 'work')
    with pytest.raises(SystemExit, match='error: .*Not a directory: .*work'), one_sentence():
        train(cfg)
    cfg, in_use = game_config(synthetic_kth, tmp_path / 'work'), 'error: .* is in use by process'
    with claim_work_dir(cfg.work_dir), pytest.raises(SystemExit, match=in_use), one_sentence():
        train(cfg)
    options = {'train_dataloader.bach_size': 4}
    with pytest.raises(SystemExit, match=r"argument 'bach_size': mend the config"), one_sentence():
        train(game_config(synthetic_kth, tmp_path / 'other', **options))


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model.recogniser.backbone.depth', 'the config has no recogniser there; is it recognizer'),
        ('test_evaluator.7.type', '7 is none of its places 0 to'),
        ('trian_dataloader.batch_size', 'nothing reads trian_dataloader; .* train_dataloader'),
    ],
)
def test_options_that_are_misspelt(option, message):
    with pytest.raises(ValueError, match=message):
        load_config('configs/bdq_demo.py', options={option: 4})


def test_options_may_make_new_parts():
    option = 'train_dataloader.dataset.metainfo.classes'
    cfg = load_config('configs/bdq_demo.py', options={option: ['a', 'b']})
    assert cfg.train_dataloader.dataset.metainfo.classes == ['a', 'b']


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        (
            train_tool,
            ['configs/bdq_demo.py', '--cfg-options', 'ann_file=no.csv'],
            'no annotation file',
        ),
        (test_tool, ['configs/audit/quick.py', 'x.pth'], 'quick.py is no recipe'),
    ],
)
def test_the_tools_say_one_sentence(tmp_path, monkeypatch, tool, arguments, message):
    """Python prints it and ends with 1: tests/test_program.py looks at that."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr('sys.argv', ['tool', '--work-dir', str(tmp_path), *arguments])
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code.startswith('error: ') and message in end.value.code
