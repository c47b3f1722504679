"""The published form is what it claims, and the study of the encoder runs."""

import json

import pytest
import torch

from bdq_plugin.encoders import build_encoder
from benchmarks import encoder as encoder_study
from benchmarks import harness, run
from benchmarks.published import PublishedEncoder


@pytest.mark.parametrize('learn_sigma', [False, True])
@pytest.mark.parametrize('backend', ['plain', 'numba'])
def test_published_form_equals_the_preset(learn_sigma, backend):
    x = torch.randn((2, 3, 5, 17, 14), generator=torch.Generator().manual_seed(0))
    g = torch.randn((2, 3, 4, 17, 14), generator=torch.Generator().manual_seed(1))
    published = PublishedEncoder(learn_sigma=learn_sigma)
    preset = build_encoder('bdq_released', learn_sigma=learn_sigma, backend=backend)
    pairs = [(published.thresholds, preset.quantize.thresholds)]
    if learn_sigma:
        pairs.append((published.log_sigma, preset.blur.log_sigma))
    ours, theirs = preset(x), published(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    ours.backward(g)
    theirs.backward(g)
    for a, b in pairs:
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-3, atol=1e-3)


def test_study_runs_and_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(harness, 'RESULTS', tmp_path)
    monkeypatch.setattr(encoder_study.study, '__defaults__', (False, (1,)))
    run.main(['encoder', '--quick'])
    document = json.loads((tmp_path / 'quick' / 'encoder.json').read_text())
    (settings,) = document['training'].values()
    for rows in settings.values():
        assert rows['published']['speed_up'] == 1
        assert rows['numba']['median_ms'] > 0
    assert '| numba |' in capsys.readouterr().out


def test_unknown_study(capsys):
    with pytest.raises(SystemExit):
        run.main(['encodr'])
    assert 'encodr' in capsys.readouterr().err
