"""Heads follow the data where a config leaves their width open."""

from __future__ import annotations

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config

from bdq_plugin.engine.heads import follow_data


def config(synthetic_own, game=True, **dataset):
    data = dict(
        type='SubjectVideoDataset',
        ann_file=str(synthetic_own.annotation),
        data_prefix=dict(video=str(synthetic_own.root)),
        pipeline=[],
        **dataset,
    )
    action = dict(type='Recognizer3D', cls_head=dict(type='I3DHead', in_channels=8))
    privacy = dict(
        type='PrivacyRecognizer', cls_head=dict(type='PrivacyHead', num_classes=None, in_channels=8)
    )
    model = dict(type='AdversarialRecognizer', recognizer=action, privacy=privacy)
    return Config(dict(model=model if game else action, train_dataloader=dict(dataset=data)))


def test_both_heads_of_the_game(synthetic_own):
    cfg = follow_data(config(synthetic_own))
    assert cfg.model.recognizer.cls_head.num_classes == 2
    assert cfg.model.privacy.cls_head.num_classes == 3


def test_a_head_that_says_a_number_keeps_it(synthetic_own):
    cfg = config(synthetic_own)
    cfg.model.privacy.cls_head.num_classes = 7
    assert follow_data(cfg).model.privacy.cls_head.num_classes == 7


def test_stage_2_and_wrappers(synthetic_own):
    cfg = config(synthetic_own, game=False, actions=['walking'])
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[inner, inner])
    )
    assert follow_data(cfg).model.cls_head.num_classes == 1


def test_nothing_is_read_where_nothing_is_open(synthetic_own):
    cfg = config(synthetic_own, game=False)
    cfg.model.cls_head.num_classes = 4
    cfg.train_dataloader.dataset.ann_file = 'nowhere.csv'
    assert follow_data(cfg, read=lambda: 1 / 0).model.cls_head.num_classes == 4


def test_names_of_a_checkpoint(synthetic_own):
    cfg = follow_data(
        config(synthetic_own), read=lambda: dict(classes=['a'] * 5, subjects=['b'] * 4)
    )
    assert cfg.model.recognizer.cls_head.num_classes == 5
    assert cfg.model.privacy.cls_head.num_classes == 4


def test_attributes(synthetic_own):
    cfg = config(synthetic_own)
    cfg.model.privacy.cls_head.attributes = True
    with pytest.raises(ValueError, match=r'model\.privacy\.cls_head\.num_classes .* no attributes'):
        follow_data(cfg)
    cfg.train_dataloader.dataset.privacy = ['take']
    with pytest.raises(ValueError, match='must be 0 or 1'):
        follow_data(cfg)


def test_a_head_that_other_programs_leave_open_is_named(synthetic_own):
    """MMEngine's own Runner builds what the config says."""
    model = dict(config(synthetic_own).model, data_preprocessor=dict(type='BDQDataPreprocessor'))
    model['recognizer']['cls_head']['num_classes'] = None
    with pytest.raises(ValueError, match='model.recognizer: cls_head.num_classes is not set'):
        MODELS.build(model)
    with pytest.raises(ValueError, match='privacy network: cls_head.num_classes is not set'):
        MODELS.build(model['privacy']['cls_head'])
