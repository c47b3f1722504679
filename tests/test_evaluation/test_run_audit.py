import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mmaction.registry import TRANSFORMS

from bdq_plugin.datasets import PackSubjectInputs
from bdq_plugin.encoders import build_encoder, save_encoder
from bdq_plugin.evaluation import audit as audit_module
from bdq_plugin.evaluation.audit import run_audit
from bdq_plugin.evaluation.candidates import output_forms, resolve_encoder
from bdq_plugin.evaluation.clips import check_attributes, load_fold
from bdq_plugin.evaluation.pooling import pool
from bdq_plugin.evaluation.results import Cell, claim, read_result
from bdq_plugin.evaluation.settings import Panel, load_data, load_panel
from bdq_plugin.evaluation.tables import audit_table
from bdq_plugin.models import BDQDataPreprocessor

CELL = Cell('kth', 'subsequence', 1, 'none', 'soft', 0, 'tiny')


def without_times(result: dict) -> dict:
    attackers = {
        name: {k: v for k, v in record.items() if k != 'seconds'}
        for name, record in result['attackers'].items()
    }
    return json.loads(json.dumps({**result, 'attackers': attackers}))


def test_a_result_says_all_that_is_behind_it(kth_data, tiny_panel, folders) -> None:
    lines = []
    encoder = build_encoder('pass_through')
    result = run_audit(encoder, CELL, kth_data, tiny_panel, log=lines.append, **folders)
    on_disk = json.loads(CELL.path(folders['results']).read_text())
    assert without_times(on_disk) == without_times(result)
    assert on_disk['cell']['encoder'] == 'none'
    assert set(on_disk['attackers']) == {'action', 'frame', 'template', 'ensemble'}
    frame = on_disk['attackers']['frame']
    assert len(frame['scores']) == len(on_disk['test']['ids']) == len(frame['frame_hits']) == 12
    assert {'train_accuracy', 'held_out_accuracy', 'converged', 'temperature_weight'} <= set(frame)
    assert on_disk['chosen'] in ('frame', 'template', 'ensemble')
    assert set(on_disk['controls']) == {'permuted', 'length'}
    assert on_disk['protocol_audit']['identity_defined'] is True
    assert {'torch', 'mmengine', 'mmaction2', 'python'} <= set(on_disk['versions'])
    assert on_disk['machine']['cpu_count'] >= 1
    # The audit of the protocol comes before any training.
    told = '\n'.join(lines)
    assert told.index('test shares with train') < told.index('training action')
    assert not (folders['work_dir'] / CELL.key).exists()


def test_a_finished_cell_is_not_computed_again(kth_data, tiny_panel, folders, monkeypatch) -> None:
    encoder = build_encoder('pass_through')
    first = run_audit(encoder, CELL, kth_data, tiny_panel, **folders)
    monkeypatch.setattr(audit_module, '_compute', None)
    again = run_audit(encoder, CELL, kth_data, tiny_panel, **folders)
    assert again['attackers'] == json.loads(json.dumps(first['attackers']))
    with pytest.raises(ValueError, match='another encoder, panel or data'):
        run_audit(build_encoder('d'), CELL, kth_data, tiny_panel, **folders)


def test_a_killed_audit_continues_and_gives_the_same_bit_for_bit(
    kth_data, tiny_panel, folders, tmp_path: Path, monkeypatch
) -> None:
    encoder, whole = build_encoder('d'), dict(folders, results=tmp_path / 'whole')
    expected = run_audit(encoder, CELL, kth_data, tiny_panel, **whole)
    run_member, trained = audit_module.run_member, []

    def killed_at_the_last(build, *args, **options):
        if trained == ['action', 'frame']:
            raise KeyboardInterrupt
        trained.append(build.args[0])
        return run_member(build, *args, **options)

    monkeypatch.setattr(audit_module, 'run_member', killed_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        run_audit(encoder, CELL, kth_data, tiny_panel, **folders)
    assert not list(folders['results'].rglob('*.json')) if folders['results'].exists() else True

    def counted(build, *args, **options):
        trained.append(build.args[0])
        return run_member(build, *args, **options)

    monkeypatch.setattr(audit_module, 'run_member', counted)
    result = run_audit(encoder, CELL, kth_data, tiny_panel, **folders)
    assert trained == ['action', 'frame', 'template']
    assert without_times(result) == without_times(expected)


def test_a_claimed_cell_is_left_to_its_process(kth_data, tiny_panel, folders) -> None:
    with claim(folders['work_dir'] / f'{CELL.key}.lock') as ours:
        assert ours
        encoder = build_encoder('pass_through')
        assert run_audit(encoder, CELL, kth_data, tiny_panel, **folders) is None
    assert not folders['results'].exists()


def test_mistakes_come_out_before_any_training(kth_data, tiny_panel, folders, monkeypatch) -> None:
    monkeypatch.setattr(audit_module, 'run_member', None)
    encoder = build_encoder('pass_through')
    wrong = dict(tiny_panel.networks['frame'], backbone=dict(type='SmallConv2d', in_channels=3))
    panel = replace(tiny_panel, networks=dict(tiny_panel.networks, wrong=wrong))
    with pytest.raises(ValueError, match="'wrong': FrameAttacker cannot read clips"):
        run_audit(encoder, CELL, kth_data, panel, **folders)
    with pytest.raises(ValueError, match='fold'):
        run_audit(encoder, replace(CELL, fold=9), kth_data, tiny_panel, **folders)
    with pytest.raises(ValueError, match='unknown protocol'):
        run_audit(encoder, replace(CELL, protocol='mine'), kth_data, tiny_panel, **folders)
    with pytest.raises(ValueError, match='all training clips are of one unit'):
        run_audit(encoder, replace(CELL, protocol='scenario'), kth_data, tiny_panel, **folders)


def test_an_attacker_without_its_weights_is_left_out(kth_data, tiny_panel, folders) -> None:
    networks = dict(
        template=tiny_panel.networks['template'],
        pretrained=dict(type='PretrainedAttacker', weights=None),
    )
    panel, lines = Panel('tiny', networks), []
    encoder = build_encoder('pass_through')
    result = run_audit(encoder, CELL, kth_data, panel, log=lines.append, **folders)
    assert list(result['left_out']) == ['pretrained'] and list(result['attackers']) == ['template']
    assert any('pretrained is left out' in line for line in lines)


def test_a_panel_needs_an_attacker(tiny_panel) -> None:
    with pytest.raises(ValueError, match='has no attacker'):
        Panel('mine', {'action': tiny_panel.networks['action']})
    with pytest.raises(ValueError, match='control_from'):
        replace(tiny_panel, control_from=1.5)
    with pytest.raises(ValueError, match='no control weather'):
        replace(tiny_panel, controls=('weather',))


def test_shipped_panels_and_data() -> None:
    quick, full = load_panel('quick'), load_panel('full')
    assert list(quick.networks) == ['action', 'template', 'frame']
    assert {'texture', 'probe', 'transformer', 'inversion', 'pretrained'} <= set(full.networks)
    labels = load_panel('labels')
    assert list(labels.networks) == ['action', 'template']
    assert labels.controls == ('label', 'label_stream')
    short = load_panel('full', {'panel.frame.recipe.lr': 0.1, 'panel.texture': None})
    assert short.networks['frame']['recipe']['lr'] == 0.1 and 'texture' not in short.networks
    assert load_data('ixmas').dataset['type'] == 'IXMASDataset'
    assert load_data('ixmas').sampling.kind == 'consecutive'
    assert load_data('ixmas_spread').sampling.frames == 16
    assert load_data('kth', data_root='/x').dataset['data_prefix'] == dict(video='/x')
    known = 'cells, coarse, conditions, full, imagenet, labels, motion, quick, r50, slow'
    with pytest.raises(FileNotFoundError, match=f'choose one of {known}'):
        load_panel('no_such_panel')


def test_where_files_lie_does_not_make_other_data() -> None:
    here, there = load_data('ixmas'), load_data('ixmas', data_root='/x', ann_file='/y.csv')
    assert here.identity() == there.identity()


def test_an_encoder_is_found_by_file_and_preset(tmp_path: Path) -> None:
    folder = tmp_path / 'My-Run'
    folder.mkdir()
    save_encoder(build_encoder('bdq', sigma=2.5), folder / 'encoder.json', dict(alpha=1.0))
    audited = resolve_encoder(str(folder / 'encoder.json'))
    assert audited.name == 'my_run' and audited.encoder.config['sigma'] == 2.5
    assert audited.origin == dict(kind='file', training=dict(alpha=1.0))
    assert resolve_encoder('sign_2').origin == dict(kind='preset', trained=False)
    # As in the comparisons, whose names without an ending are of trained ones.
    assert resolve_encoder('sign_2').name == 'sign_2_untrained'
    assert resolve_encoder('ryoo_16').name == 'ryoo_16'
    with pytest.raises(ValueError, match="unknown encoder 'nobody'"):
        resolve_encoder('nobody')
    with pytest.raises(FileNotFoundError, match='no encoder file'):
        resolve_encoder('nowhere/encoder.json')
    for name, preset, message in [
        (str(folder / 'encoder.json'), 'bdq_hard', "mode 'soft' there, 'hard' here"),
        ('bdq_hard_ixmas_take3', 'bdq', "mode 'hard' there, 'soft' here"),
        ('bdq', 'bdq_hard', "'bdq' is a preset, and not bdq_hard: leave --preset out"),
    ]:
        with pytest.raises(ValueError, match=message):
            resolve_encoder(name, preset=preset)
    assert resolve_encoder('bdq_hard_ixmas_take3', preset='bdq_hard').origin == dict(kind='zoo')


def test_an_encoder_is_found_in_a_checkpoint(tmp_path: Path) -> None:
    state = BDQDataPreprocessor(dict(preset='bdq_hard', sigma=2.5)).state_dict(
        prefix='data_preprocessor.'
    )
    torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
    # What an older version wrote says nothing of the encoder.
    torch.save(dict(state_dict=dict(state)), tmp_path / 'epoch_2.pth')
    new, old = (str(tmp_path / name) for name in ('epoch_1.pth', 'epoch_2.pth'))
    for audited in (resolve_encoder(new), resolve_encoder(old, preset='bdq_hard')):
        assert audited.encoder.quantize.mode == 'hard'
        assert audited.encoder.blur.sigma.item() == pytest.approx(2.5)
    with pytest.raises(ValueError, match='--preset'):
        resolve_encoder(old)
    with pytest.raises(ValueError, match="mode 'hard' there, 'soft' here"):
        resolve_encoder(new, preset='bdq')


@TRANSFORMS.register_module(force=True)
class PackWithAttributes(PackSubjectInputs):
    """A small multi-label set: two attributes that two of three people have."""

    def transform(self, results: dict) -> dict:
        packed = super().transform(results)
        attributes = torch.tensor([results['subject'] < 2, results['subject'] > 0])
        packed['data_samples'].set_field(attributes.long(), 'gt_attributes')
        return packed


def test_the_same_audit_serves_attributes(kth_data, tiny_panel, folders) -> None:
    pipeline = [*kth_data.dataset['pipeline'][:-1], dict(type='PackWithAttributes')]
    dataset = dict(kth_data.dataset, pipeline=pipeline)
    data = replace(kth_data, dataset=dataset)
    run_audit(build_encoder('pass_through'), CELL, data, tiny_panel, **folders)
    result = read_result(CELL.path(folders['results']))
    assert result['test']['identity_names'] == ['attribute 0', 'attribute 1']
    (row,) = pool([result])
    assert row.leakage.figure == 'cmap' and row.action.figure == 'top1'
    assert row.leakage.chance == pytest.approx(2 / 3, abs=1e-6)
    assert 'bootstrap' in row.leakage.interval.method and row.accumulation() == []
    assert '| none | soft |' in audit_table([row])


def test_attributes_that_nobody_has_are_refused(kth_data) -> None:
    pipeline = [*kth_data.dataset['pipeline'][:-1], dict(type='PackWithAttributes')]
    dataset = dict(kth_data.dataset, pipeline=pipeline)
    fold = load_fold(dataset, 'subsequence', 1)
    assert fold.identities == ('attribute 0', 'attribute 1')
    with pytest.raises(ValueError, match='has none of the attributes'):
        check_attributes(torch.zeros_like(fold.test.identities), 'test')


def test_batch_range_is_noted(kth_data, tiny_panel, folders) -> None:
    cell = replace(CELL, encoder='bdq_released', output='hard')
    encoder = output_forms(build_encoder('bdq_released'))['hard']
    panel = Panel('tiny', dict(template=tiny_panel.networks['template']))
    result = run_audit(encoder, cell, kth_data, panel, **folders)
    assert any('mixed by person' in note for note in result['notes'])
    assert any('no camera can compute' in note for note in result['notes'])
