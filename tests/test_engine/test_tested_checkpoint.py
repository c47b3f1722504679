"""A checkpoint is tested as the network it was, on the classes it was trained for."""

from __future__ import annotations

import shutil

import pytest

from bdq_plugin.engine.launch import load_config, train
from bdq_plugin.engine.launch import test as run_test

from ..game import REPOSITORY

RECIPE = str(REPOSITORY / 'configs' / 'bdq_own_cpu_action.py')


def config(synthetic_own, work_dir, **options):
    """The small network on two actions of three people, an epoch of three steps."""
    given = synthetic_own.options() | {'model.backbone.channels': [8, 8, 8, 8, 8, 8]}
    given['model.cls_head.in_channels'] = 8
    return load_config(RECIPE, options=given | options, work_dir=str(work_dir))


@pytest.fixture(scope='module')
def trained(synthetic_own, tmp_path_factory):
    """A checkpoint and its figures."""
    work_dir = tmp_path_factory.mktemp('trained')
    metrics = train(config(synthetic_own, work_dir))
    return work_dir / 'epoch_1.pth', metrics


@pytest.fixture
def renamed(synthetic_own, tmp_path):
    """Annotations in which some clips show another action."""

    def rename(old: str, new: str) -> str:
        path = tmp_path / 'renamed.csv'
        path.write_text(synthetic_own.annotation.read_text().replace(old, new))
        return str(path)

    return rename


def test_the_same_classes(synthetic_own, trained, renamed, tmp_path):
    checkpoint, metrics = trained
    assert run_test(config(synthetic_own, tmp_path), str(checkpoint)) == metrics
    # Who is seen does not matter to a network that tells actions apart.
    other_people = renamed(',anna,', ',zoe,')
    run_test(config(synthetic_own, tmp_path, ann_file=other_people), str(checkpoint))


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        (',walking,', ',zumba,', r'2 \(handwaving, walking\), but .* 2 \(handwaving, zumba\)'),
        (',walking,carla', ',crawling,carla', r'but .* 3 \(crawling, handwaving, walking\)'),
        (',walking,', ',dancing,', r'but .* 2 \(dancing, handwaving\)'),
    ],
)
def test_other_classes(synthetic_own, trained, renamed, tmp_path, old, new, words):
    cfg = config(synthetic_own, tmp_path, ann_file=renamed(old, new))
    with pytest.raises(ValueError, match=words):
        run_test(cfg, str(trained[0]))


def test_another_network(synthetic_own, trained, tmp_path):
    cfg = config(synthetic_own, tmp_path, **{'model.backbone.channels': [8, 8, 8, 8, 16, 8]})
    checkpoint = shutil.copy(trained[0], tmp_path / 'copy.pth')
    with pytest.raises(ValueError, match=r'copy.pth is of another model .*backbone\.layers'):
        run_test(cfg, str(checkpoint))


def test_clips_that_fill_no_batch(synthetic_own, tmp_path):
    cfg = config(synthetic_own, tmp_path, **{'train_dataloader.batch_size': 13})
    with pytest.raises(
        ValueError, match='batch_size=13 is more than the 12 clips .* set batch_size to 12'
    ):
        train(cfg)
