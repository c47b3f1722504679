"""Protocols that hold people out of train: no figure of identity, and no epoch for one."""

import json
import os

import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config

from bdq_plugin.datasets.preparation import prepare_kth
from bdq_plugin.datasets.synthetic import make_kth
from bdq_plugin.engine import launch
from bdq_plugin.engine.launch import load_config, train
from tests.conftest import SyntheticKTH
from tests.game import REPOSITORY, game_options
from tools import train as train_tool

# The game's network still has one output a person.
PEOPLE = [f'person{n:02d}' for n in range(1, 13)]
ACTION = [dict(type='AccMetric', prefix='action')]
REFUSED = (
    r"protocol 'official' evaluates people who are not in train \({people}.*"
    r'Leave PrivacyAccMetric out: set val_evaluator and test_evaluator'
)


@pytest.fixture(scope='module')
def kth(tmp_path_factory):
    """Twelve people, of whom two train and two validate by the authors' protocol."""
    root = tmp_path_factory.mktemp('kth')
    make_kth(root, subjects=12, scenarios=1, frames_per_sequence=16, size=(64, 48))
    prepare_kth(root / 'videos', root / 'kth.csv', root / '00sequences.txt')
    return SyntheticKTH(root, root / 'kth.csv')


@pytest.fixture
def config(kth, tmp_path):
    def config(recipe: str, **options: object) -> Config:
        own = game_options(kth, **{'model.privacy.cls_head.num_classes': 12, **options})
        if recipe != 'bdq_demo':
            own = {k: v for k, v in own.items() if not k.startswith('model.privacy')}
        for split in ('train', 'val', 'test'):
            own[f'{split}_dataloader.dataset.subjects'] = PEOPLE
        path = str(REPOSITORY / 'configs' / f'{recipe}.py')
        cfg = load_config(path, options={'protocol': 'official', **own}, work_dir=str(tmp_path))
        cfg.train_cfg.val_begin = 1
        if recipe != 'bdq_demo':
            cfg.model.data_preprocessor.encoder = dict(preset='bdq')
        if recipe == 'bdq_demo_privacy':
            cfg.model.cls_head.num_classes = 12
        return cfg

    return config


@pytest.mark.parametrize(
    ('recipe', 'without', 'people'),
    [
        ('bdq_demo', None, 'person02, person03'),
        ('bdq_demo', 'val_evaluator', 'person02, person03'),
        ('bdq_demo', 'test_evaluator', 'person01, person04'),
        ('bdq_demo_privacy', None, 'person02, person03'),
    ],
)
def test_game_and_stage_two_are_refused_before_they_train(config, recipe, without, people):
    """Also where the figure would be taken on one of both splits alone."""
    cfg = config(recipe)
    if without:
        cfg[without] = ACTION
    with pytest.raises(ValueError, match=REFUSED.format(people=people)):
        train(cfg)
    assert 'epoch_1.pth' not in os.listdir(cfg.work_dir)


def test_the_game_itself_plays_and_a_test_of_its_checkpoint_is_refused(config, tmp_path):
    cfg = config('bdq_demo')
    cfg.val_evaluator = cfg.test_evaluator = ACTION
    metrics = train(cfg)
    assert set(metrics) == {'action/top1', 'action/top5', 'action/mean1'}
    stored = json.loads((tmp_path / 'metrics.json').read_text())
    assert stored['metrics'] == metrics
    with pytest.raises(ValueError, match="protocol 'official'"):
        launch.test(config('bdq_demo'), str(tmp_path / 'epoch_1.pth'))


def test_the_command_says_so(kth, tmp_path, monkeypatch, capfd):
    options = [
        f'ann_file={kth.annotation}',
        f'data_root={kth.root / "videos"}',
        'protocol=official',
        *[
            f'{split}_dataloader.dataset.subjects=[{",".join(PEOPLE)}]'
            for split in ('train', 'val', 'test')
        ],
        'model.privacy.cls_head.num_classes=12',
    ]
    arguments = ['--work-dir', str(tmp_path), '--cfg-options', *options]
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr('sys.argv', ['tools/train.py', 'configs/bdq_demo.py', *arguments])
    message = "^error: protocol 'official' evaluates people who are not in train"
    with pytest.raises(SystemExit, match=message):
        train_tool.main()
    assert 'privacy/frame_top1' not in ''.join(capfd.readouterr())


def test_a_protocol_with_everyone_on_both_sides_names_nobody(kth):
    dataset = dict(
        type='KTHDataset',
        ann_file=str(kth.annotation),
        data_prefix=dict(video=str(kth.root / 'videos')),
        min_frames=16,
        pipeline=[],
    )
    splits = [('official', 'train'), ('subsequence', 'train'), ('subsequence', 'test')]
    for protocol, split in splits:
        metainfo = DATASETS.build(dict(dataset, protocol=protocol, split=split)).metainfo
        assert 'unseen_subjects' not in metainfo
    held_out = DATASETS.build(dict(dataset, protocol='official', split='test')).metainfo
    assert len(held_out['unseen_subjects']) == 8
    assert torch.tensor([name in PEOPLE for name in held_out['unseen_subjects']]).all()
