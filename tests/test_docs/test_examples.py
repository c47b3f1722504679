"""docs/extend.md: each example of it, in docs/examples, on a tiny folder of synthetic videos."""

from __future__ import annotations

import json
import runpy
import sys

import pytest
import torch
from mmengine.config import Config

from bdq_plugin.engine.launch import load_config, train
from tests.game import REPOSITORY

from .blocks import blocks, commands

EXAMPLES = REPOSITORY / 'docs' / 'examples'


@pytest.fixture
def run(synthetic_own, tmp_path):
    """Train an example for an epoch; give its metrics and what it wrote of itself."""

    def run(name, annotation=None):
        options = synthetic_own.options(annotation)
        cfg = load_config(str(EXAMPLES / name), options=options, work_dir=str(tmp_path / 'run'))
        metrics = train(cfg)
        return metrics, json.loads((tmp_path / 'run' / 'metrics.json').read_text()), cfg

    return run


def test_the_page_shows_these():
    """What its commands name is what is run below."""
    files = [w for words in commands('docs/extend.md') for w in words if w.endswith('.py')]
    shown = [file.rpartition('/')[2] for file in files if file.startswith('docs/examples/')]
    assert shown == ['own_privacy_label.py', 'own_encoder_config.py', 'own_attacker_panel.py',
                     'another_recognizer.py']  # fmt: skip
    (block,) = (block for block in blocks('docs/extend.md') if block.language == 'python')
    example = Config.fromfile(EXAMPLES / 'own_privacy_label.py')
    for key, value in Config.fromstring(block.text, '.py').items():
        assert example[key].dataset.privacy == value.dataset.privacy


def test_another_privacy_label(run, synthetic_own, tmp_path):
    header, *lines = synthetic_own.annotation.read_text().splitlines()
    hands = ['left' if 'anna' in line else 'right' for line in lines]
    marked = [f'{line},{hand}' for line, hand in zip(lines, hands, strict=True)]
    (tmp_path / 'hands.csv').write_text('\n'.join([f'{header},hand', *marked]))
    metrics, _, cfg = run('own_privacy_label.py', tmp_path / 'hands.csv')
    assert cfg.model.privacy.cls_head.num_classes == 2
    assert metrics['privacy/chance'] == 0.5
    with pytest.raises(ValueError, match="privacy='hand' needs a value of hand for every clip"):
        run('own_privacy_label.py')


def test_an_encoder(run, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    metrics, document, _ = run('own_encoder_config.py')
    assert document['encoder'] == dict(threshold=0.04)
    assert 0 <= metrics['action/top1'] <= 1
    from own_encoder import EventEncoder

    encoder = EventEncoder(0.1)
    clip = torch.tensor([0.0, 0.05, 0.5, 0.1]).view(1, 1, 4, 1, 1).requires_grad_()
    assert encoder(clip).flatten().tolist() == [0, 1, -1]
    assert encoder.codes(clip).flatten().tolist() == [1, 2, 0]
    encoder(clip).sum().backward()
    assert clip.grad.flatten().tolist() == [-1, 0, 0, 1]


def test_an_attacker(synthetic_own, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    arguments = {
        '--encoder': 'bdq_hard', '--data': synthetic_own.annotation,
        '--data-root': synthetic_own.root, '--hold-out': 'take', '--fold': 1,
        '--panel': EXAMPLES / 'own_attacker_panel.py', '--results': tmp_path / 'results',
        '--work-dir': tmp_path / 'work',
    }  # fmt: skip
    words = [str(word) for pair in arguments.items() for word in pair]
    monkeypatch.setattr(sys, 'argv', ['audit.py', *words])
    runpy.run_path(str(REPOSITORY / 'tools' / 'audit.py'), run_name='__main__')
    cells = [json.loads(path.read_text()) for path in (tmp_path / 'results').rglob('*.json')]
    assert {cell['cell']['encoder'] for cell in cells} == {'bdq_hard_untrained', 'pass_through'}
    for cell in cells:
        # Two actions of three people, the first take held out.
        assert len(cell['test']['identity']) == 6
        assert len(cell['attackers']['motion_map']['scores']) == 6
    said = capsys.readouterr().out
    assert (
        'bdq_hard_untrained, hard\nA demonstration, not a measurement: there are 3 people.' in said
    )
    # Nothing says that anybody came on another day.
    assert 'clips of other days (a column session)' in said


def test_another_recognizer(run):
    metrics, _, cfg = run('another_recognizer.py')
    assert cfg.model.recognizer.backbone.type == 'X3D'
    assert cfg.model.recognizer.cls_head.num_classes == 2
    assert 0 <= metrics['action/top1'] <= 1
