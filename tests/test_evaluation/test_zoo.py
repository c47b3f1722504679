import json
import runpy
from pathlib import Path

import pytest
import torch

from bdq_plugin import encoder_file
from bdq_plugin.encoders import build_encoder, load_zoo_encoder, read_zoo_file, save_encoder
from bdq_plugin.evaluation.candidates import describe, resolve_encoder
from bdq_plugin.evaluation.publishing import publish
from bdq_plugin.evaluation.results import write_json

from ..audit_data import made_result
from ..game import REPOSITORY


@pytest.fixture(autouse=True)
def own_zoo(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / 'zoo'
    folder.mkdir()
    monkeypatch.setattr(encoder_file, 'ZOO', folder)
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    encoder = build_encoder('bdq', sigma=2.0)
    said = dict(protocol='take', epoch=3, frames=dict(height=48, width=64, channels=1))
    return save_encoder(encoder, tmp_path / 'encoder.json', said)


def write_audit(path: Path, encoder) -> Path:
    write_json(path, made_result(8, others=dict(template=12), encoder=encoder, output='soft'))
    return path


def test_published_encoders_load_by_name(trained: Path, own_zoo: Path, tmp_path: Path) -> None:
    audit = write_audit(tmp_path / 'audit.json', build_encoder('bdq', sigma=2.0))
    assert publish(trained, 'bdq_ixmas', [audit]) == own_zoo / 'bdq_ixmas.json'
    encoder = load_zoo_encoder('bdq_ixmas')
    assert encoder.blur.sigma.item() == pytest.approx(2.0)
    metadata = read_zoo_file('bdq_ixmas')['metadata']
    (said,) = metadata['audit']
    assert metadata['protocol'] == 'take' and said['cell']['output'] == 'soft'
    assert (said['strongest']['attacker'], said['strongest']['top1']) == ('template', 0.6)
    assert (said['chosen']['attacker'], said['chosen']['top1']) == ('frame', 0.4)
    assert said['strongest']['interval']['low'] < 0.6 and said['notes'] and said['caveat']
    assert resolve_encoder('bdq_ixmas').origin == dict(kind='zoo')


def test_nothing_is_overwritten_by_accident(trained: Path) -> None:
    publish(trained, 'mine')
    with pytest.raises(FileExistsError, match='--overwrite'):
        publish(trained, 'mine')
    publish(trained, 'mine', overwrite=True)


@pytest.mark.parametrize('name', ['../evil', 'a/b', 'A', '', 'a.json', '/etc/passwd'])
def test_names_lead_nowhere_else(trained: Path, name: str) -> None:
    with pytest.raises(ValueError, match='no zoo name'):
        publish(trained, name)
    with pytest.raises(ValueError, match='no zoo name'):
        load_zoo_encoder(name)


def test_a_preset_is_published_for_the_frames_that_are_named(own_zoo: Path) -> None:
    """As certified_48x64 of the package was."""
    main = runpy.run_path(str(REPOSITORY / 'tools' / 'publish_encoder.py'))['main']
    main(['certified', '--name', 'certified_48x64', '--size', '48x64', '--grey', '--every', '8'])
    said = read_zoo_file('certified_48x64')
    assert said['metadata'] == dict(
        trained=False, frames=dict(height=48, width=64, channels=1), every=8, audit=[]
    )
    assert describe(load_zoo_encoder('certified_48x64')) == describe(build_encoder('certified'))
    with pytest.raises(SystemExit, match='does not say for which frames it is.*--size'):
        main(['blocks', '--name', 'blocks_of_any_size'])
    with pytest.raises(SystemExit, match='--grey goes with --size'):
        main(['blocks', '--name', 'blocks_of_any_size', '--grey'])
    for wrong, message in [
        (['--size', '48x64', '--every', '0'], 'every=0 is no such n: give a whole number from 1'),
        (['--size', '48x64', '--every', '-2'], 'every=-2 is no such n'),
    ]:
        with pytest.raises(SystemExit, match=message):
            main(['blocks', '--name', 'blocks_of_any_size', *wrong])
    with pytest.raises(SystemExit):
        main(['blocks', '--name', 'blocks_of_any_size', '--size', '0x64'])
    assert len(list(own_zoo.iterdir())) == 1


def test_a_preset_keeps_its_name(trained: Path) -> None:
    with pytest.raises(ValueError, match='is a preset'):
        publish(trained, 'bdq_hard')


def test_unknown_encoders_are_named() -> None:
    with pytest.raises(ValueError, match="no encoder 'nobody' in the zoo"):
        load_zoo_encoder('nobody')


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('blur.log_sigma', float('nan'), 'not finite'),
        ('quantize.thresholds', [2.0, 1.0, *range(2, 15)], 'must rise'),
        ('quantize.thresholds', [-1.0, *range(14)], 'must rise'),
        ('quantize.thresholds', [1.0], 'num_levels'),
    ],
)
def test_broken_numbers_are_not_published(
    trained: Path, own_zoo: Path, key: str, value, message: str
) -> None:
    document = json.loads(trained.read_text())
    assert key in document['state']
    document['state'][key] = value
    trained.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        publish(trained, 'mine')
    assert not list(own_zoo.iterdir())


def test_the_audit_must_be_of_this_encoder(trained: Path, tmp_path: Path) -> None:
    other = build_encoder('bdq', sigma=2.0)
    with torch.no_grad():
        other.quantize.thresholds[0] = 0.1
    audit = write_audit(tmp_path / 'audit.json', other)
    with pytest.raises(ValueError, match='another encoder'):
        publish(trained, 'mine', [audit])


def test_a_file_with_code_is_only_text(trained: Path) -> None:
    trained.write_bytes(b'\x80\x04cos\nsystem\n')
    with pytest.raises(ValueError, match='is not an encoder file'):
        publish(trained, 'mine')
