"""The programs as a user runs them: prepare, train, test, stage 2; in processes of their own.

tests/test_engine/test_distributed.py starts them in a Python of their own.
"""

import json
import sys

import pytest

from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.engine.launch import load_config, train

from .game import REPOSITORY, game_options
from .processes import asked_of_torchrun, fork, play


def as_arguments(options):
    return ['--cfg-options'] + [
        f'{key}=[{",".join(value)}]' if isinstance(value, list) else f'{key}={value}'
        for key, value in options.items()
    ]


@pytest.fixture(scope='module')
def game(synthetic_kth, tmp_path_factory):
    """What README's first commands leave: an annotation, and the work directory of a game."""
    root = tmp_path_factory.mktemp('program')
    annotation, videos = root / 'annotations.csv', synthetic_kth.root / 'videos'
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_this_process(monkeypatch, 'tools/data/kth/prepare.py', videos, '--sequences',
                        synthetic_kth.root / '00sequences.txt', '--out', annotation)  # fmt: skip
    options = game_options(synthetic_kth, ann_file=str(annotation))
    done = fork(play, 'tools/train.py', 'configs/bdq_demo.py', '--work-dir', root / 'game',
                '--seed', 1, *as_arguments(options))  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return root / 'game', options


def assert_same_metrics(path, game):
    found = json.loads(path.read_text())
    trained = json.loads((game / 'metrics.json').read_text())['metrics']
    for key in ('action/top1', 'privacy/frame_top1', 'privacy/vote_top1'):
        assert found[key] == pytest.approx(trained[key])


def in_this_process(monkeypatch, *command):
    """A program without a Python of its own to start."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr('sys.argv', sys.argv)
    play(*command)


def test_a_checkpoint_is_tested(game, tmp_path, monkeypatch):
    folder, options = game
    in_this_process(monkeypatch, 'tools/test.py', 'configs/bdq_demo.py', folder / 'epoch_1.pth',
                    '--work-dir', tmp_path, '--out', tmp_path / 'metrics.json',
                    *as_arguments(options))  # fmt: skip
    assert_same_metrics(tmp_path / 'metrics.json', folder)


def test_stage_2(game, tmp_path, monkeypatch):
    folder, options = game
    options = {k: v for k, v in options.items() if not k.startswith('model.')}
    options |= {'encoder_file': str(folder / 'encoder.json'), 'model.cls_head.num_classes': 3}
    in_this_process(monkeypatch, 'tools/train.py', 'configs/bdq_demo_privacy.py', '--work-dir',
                    tmp_path, *as_arguments(options))  # fmt: skip
    played, kept = (
        json.loads((work_dir / 'encoder.json').read_text())['state']['blur.log_sigma']
        for work_dir in (folder, tmp_path)
    )
    assert kept == played
    metrics = json.loads((tmp_path / 'metrics.json').read_text())['metrics']
    assert set(metrics) >= {'privacy/frame_top1', 'privacy/vote_top1'}


def test_two_processes_test_a_checkpoint(game, tmp_path):
    """What tools/dist_test.sh asks for; tests/test_engine/test_distributed.py starts torchrun."""
    folder, options = game
    arguments = ['--work-dir', tmp_path / 'test', '--out', tmp_path / 'two.json']
    words = asked_of_torchrun(
        tmp_path, 'tools/dist_test.sh', 'configs/bdq_demo.py', folder / 'epoch_1.pth', 2,
        *arguments, *as_arguments(options),
    )  # fmt: skip
    assert words[words.index('--nproc-per-node') + 1] == '2'
    program = words.index(str(REPOSITORY / 'tools' / 'test.py'))
    result = fork(play, *words[program:], ranks=2)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    assert_same_metrics(tmp_path / 'two.json', folder)


def test_real_kth_videos_train_and_test(real_data, tmp_path):
    """Five real videos, the real index with its ranges, the paper's recipe with small networks."""
    annotation = tmp_path / 'annotations.csv'
    prepare_kth(real_data / 'kth/videos', annotation, real_data / 'kth/00sequences.txt')
    options = {
        'ann_file': str(annotation),
        'data_root': str(real_data / 'kth/videos'),
        'max_epochs': 2,
        'train_dataloader.num_workers': 0,
        'val_dataloader.num_workers': 0,
        'test_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 4,
    }
    work_dir = tmp_path / 'run'
    metrics = train(
        load_config(
            str(REPOSITORY / 'configs/bdq_kth_cpu.py'), options=options, work_dir=str(work_dir)
        )
    )
    document = json.loads((work_dir / 'metrics.json').read_text())
    assert (document['dataset'], document['test_clips']) == ('KTHDataset', 5)
    assert metrics['action/top1'] * 5 == pytest.approx(round(metrics['action/top1'] * 5))


def test_real_ixmas_learns(ixmas_annotation, ixmas_raw, tmp_path):
    """The earlier reproductions stopped at 33 % action in clear video: nothing learned."""
    options = {'ann_file': str(ixmas_annotation), 'data_root': str(ixmas_raw), 'max_epochs': 4}
    name = str(REPOSITORY / 'configs/no_encoder_ixmas_cpu.py')
    cfg = load_config(name, options=options, work_dir=str(tmp_path))
    # What validates is what tests: it need not be decoded twice.
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    metrics = train(cfg)
    assert metrics['action/top1'] > 0.45
    assert metrics['privacy/frame_top1'] > 0.15


def assert_named(result, *parts):
    """A program that says one sentence, without a traceback, and fails."""
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith('error: ') and all(part in last for part in parts), result.stderr
    assert 'Traceback' not in result.stderr


def test_a_mistake_is_named_before_training(synthetic_kth, tmp_path):
    every = game_options(synthetic_kth, ann_file='nowhere/annotations.csv')
    result = fork(play, 'tools/train.py', 'configs/bdq_demo.py', '--work-dir', tmp_path,
                  *as_arguments(every))  # fmt: skip
    assert_named(result, 'tools/data/kth/prepare.py')
    assert not list(tmp_path.glob('*.pth'))


def test_a_wrong_checkpoint_is_named(game, tmp_path):
    """That of another stage, and a file that is none."""
    folder, options = game
    options = {k: v for k, v in options.items() if not k.startswith('model.')}
    for checkpoint, part in [
        (folder / 'epoch_1.pth', 'epoch_1.pth is of another model than the config'),
        (folder / 'encoder.json', 'encoder.json is not a checkpoint'),
    ]:
        result = fork(play, 'tools/test.py', 'configs/bdq_demo_action.py', checkpoint,
                      '--work-dir', tmp_path, '--out', tmp_path / 'metrics.json',
                      *as_arguments(options))  # fmt: skip
        assert_named(result, part)
    assert not (tmp_path / 'metrics.json').exists()
