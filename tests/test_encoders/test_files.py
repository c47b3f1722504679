"""Encoders as documents: what a file or a checkpoint says is what is built from it."""

import importlib
import json
import sys

import pytest
import torch

from bdq_plugin.deploy import StreamingEncoder, load_form
from bdq_plugin.encoders import (
    PRESETS,
    BDQEncoder,
    ClipEncoder,
    build_encoder,
    load_encoder,
    load_state,
    read_encoder_file,
    save_encoder,
    zoo_names,
)


def clip(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def trained(name='bdq_hard', **arguments):
    """An encoder whose numbers are not those that it starts with."""
    encoder = build_encoder(name, **arguments)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.01)
    return encoder


class TestFiles:
    @pytest.mark.parametrize('name', sorted(PRESETS))
    def test_round_trip(self, name, tmp_path):
        encoder = trained(name)
        path = save_encoder(encoder, tmp_path / 'encoder.json', dict(dataset='ixmas'))
        again = load_encoder(path)
        x = clip(1, 3, 4, 16, 16)
        encoded = []
        for each in (encoder, again):
            torch.manual_seed(0)  # some draw
            encoded.append(each(x))
        assert torch.equal(*encoded)
        assert [f.name for f in tmp_path.iterdir()] == ['encoder.json']

    def test_another_number_of_thresholds(self, tmp_path):
        path = save_encoder(build_encoder('bdq', num_levels=8), tmp_path / 'e.json')
        document = json.loads(path.read_text())
        document['config']['num_levels'] = 16
        path.write_text(json.dumps(document))
        with pytest.raises(ValueError, match=r'thresholds.*\(7,\).*\(15,\).*num_levels'):
            load_encoder(path)

    @pytest.mark.parametrize(
        ('text', 'match'),
        [
            ('', 'not an encoder file'),
            ('[1, 2]', 'format'),
            ('{"format": "bdq-encoder", "version": 99, "type": "BDQEncoder"}', 'version 99'),
            ('{"format": "bdq-encoder", "version": 1, "type": "os.system"}', 'config, state'),
            (
                '{"format": "bdq-encoder", "version": 1, "type": "os.system", "config": {}, '
                '"state": {}}',
                'os.system',
            ),
        ],
    )
    def test_foreign_files(self, tmp_path, text, match):
        path = tmp_path / 'e.json'
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            load_encoder(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='train one first'):
            load_encoder(tmp_path / 'none.json')

    def test_numbers_of_a_training_that_has_diverged(self, tmp_path):
        encoder = trained()
        with torch.no_grad():
            encoder.quantize.thresholds[3] = torch.nan
        path = save_encoder(encoder, tmp_path / 'e.json')
        with pytest.raises(ValueError, match="'quantize.thresholds' is not finite"):
            load_encoder(path)
        with pytest.raises(ValueError, match='not finite'):
            load_form(path)

    def test_an_argument_that_json_cannot_hold(self, tmp_path):
        encoder = build_encoder('pass_through')
        encoder.config['mean'] = torch.zeros(3)
        with pytest.raises(ValueError, match='PassThrough has an argument that no file can hold'):
            save_encoder(encoder, tmp_path / 'e.json')
        assert not list(tmp_path.iterdir())


class TestOverrides:
    """What is named beside a file replaces its arguments, and the numbers that follow from them."""

    @pytest.fixture
    def path(self, tmp_path):
        return save_encoder(trained(sigma=2.0), tmp_path / 'e.json')

    def test_nothing_else_changes(self, path):
        encoder, soft = load_encoder(path), load_encoder(path, mode='soft')
        assert (soft.quantize.mode, soft.quantize.range) == ('soft', 'fixed')
        for name, value in encoder.state_dict().items():
            assert torch.equal(soft.state_dict()[name], value)

    @pytest.mark.parametrize(
        ('override', 'name', 'value'),
        [
            (dict(sigma=3.0), 'blur.log_sigma', torch.tensor(3.0).log()),
            (dict(range_limit=0.5), 'quantize.low', torch.tensor(-0.5)),
            (dict(range_limit=0.5), 'quantize.high', torch.tensor(0.5)),
            (dict(hardness=7.0), 'quantize.hardness', torch.tensor(7.0)),
        ],
    )
    def test_where_training_starts_is_a_number_too(self, path, override, name, value):
        state = load_encoder(path, **override).state_dict()
        torch.testing.assert_close(state[name], value)
        before = load_encoder(path).state_dict()
        assert sum(not torch.equal(state[n], before[n]) for n in state) <= 2

    def test_numbers_that_do_not_fit(self, path):
        with pytest.raises(ValueError, match=r'thresholds.*\(15,\).*\(7,\).*num_levels'):
            load_encoder(path, num_levels=8)
        with pytest.raises(ValueError, match="unknown \\['blur.log_sigma'\\]"):
            load_encoder(path, blur=False)
        with pytest.raises(ValueError, match='sigmaa'):
            load_encoder(path, sigmaa=1)


def test_names_of_the_zoo_are_accepted_where_paths_are():
    (name, *_) = (name for name in zoo_names() if 'hard' in name)
    encoder = load_encoder(name)
    assert read_encoder_file(name)['type'] == 'BDQEncoder'
    assert load_form(name) == StreamingEncoder(name).form == encoder.integer_form()
    with pytest.raises(ValueError, match=f'bdq_of_nobody.*{name}.*blocks_noise'):
        load_encoder('bdq_of_nobody')


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_presets_are_accepted_where_paths_are(name):
    encoder, preset = load_encoder(name), build_encoder(name)
    assert encoder.description() == preset.description()
    said = read_encoder_file(name)
    assert said['metadata'] == dict(trained=False) and said['type'] == type(preset).__name__
    if getattr(preset, 'streamable', False):
        assert load_form(name) == StreamingEncoder(name).form == preset.integer_form()
    else:
        with pytest.raises(ValueError, match=f'^{name}: only an encoder with quantisation and a'):
            load_form(name)


def test_a_file_that_is_called_as_a_preset_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_encoder(build_encoder('sign_2'), 'blocks')
    assert load_form('blocks').block == 8 and load_form('./blocks').block == 1


class Checkered(BDQEncoder):
    """An encoder of one's own, with an argument of its own before those that it hands on."""

    def __init__(self, weight: float = 1.0, **arguments):
        super().__init__(**arguments)
        self.weight = weight

    def encode(self, x_NCTHW):
        return self.weight * super().encode(x_NCTHW)


class TestOwnEncoders:
    def test_the_arguments_are_recorded_and_the_file_is_read_again(self, tmp_path):
        encoder = Checkered(weight=0.5, mode='hard', range='fixed', backend='plain')
        assert encoder.config['weight'] == 0.5 and encoder.config['mode'] == 'hard'
        assert 'backend' not in encoder.config
        again = load_encoder(save_encoder(encoder, tmp_path / 'e.json'))
        assert type(again) is Checkered
        assert torch.equal(again(clip(1, 1, 3, 8, 8)), encoder(clip(1, 1, 3, 8, 8)))

    def test_a_class_that_is_not_imported_is_named(self, tmp_path, monkeypatch):
        """And imported it is found; never by the file, which could name any module."""
        (tmp_path / 'my_encoders.py').write_text(
            'from bdq_plugin.encoders import ClipEncoder\n'
            'class Darker(ClipEncoder):\n'
            '    def __init__(self, factor=0.5):\n'
            '        super().__init__()\n'
            '        self.factor = factor\n'
            '    def encode(self, x):\n'
            '        return self.factor * x\n'
        )
        path = save_encoder(build_encoder('pass_through'), tmp_path / 'e.json')
        own = dict(type='Darker', module='my_encoders', config=dict(factor=0.25))
        path.write_text(json.dumps({**json.loads(path.read_text()), **own}))
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ValueError, match="type 'Darker'; import its module my_encoders"):
            load_encoder(path)
        assert 'my_encoders' not in sys.modules
        darker = importlib.import_module('my_encoders').Darker
        encoder = load_encoder(path)
        assert type(encoder) is darker and encoder.factor == 0.25
        assert encoder.description() == own

    def test_a_name_of_ours_is_refused(self):
        with pytest.raises(ValueError, match='bdq_plugin has an encoder of this name'):
            type('PassThrough', (ClipEncoder,), {'__module__': 'elsewhere'})


class TestCheckpoints:
    """A state_dict says whose numbers it holds, through torch's own writer and reader."""

    def saved(self, encoder, tmp_path):
        torch.save(encoder.state_dict(), tmp_path / 'numbers.pth')
        return torch.load(tmp_path / 'numbers.pth', weights_only=True)

    def test_the_same_encoder_is_loaded(self, tmp_path):
        encoder, other = trained(sigma=2.0), build_encoder('bdq_hard')
        encoder.set_range_(0.4)
        other.load_state_dict(self.saved(encoder, tmp_path))
        assert other.config == encoder.config
        assert torch.equal(other(clip(1, 1, 3, 8, 8)), encoder(clip(1, 1, 3, 8, 8)))

    @pytest.mark.parametrize(
        ('name', 'match'),
        [
            ('bdq', "mode 'hard' there, 'soft' here, range 'fixed' there, 'clip' here"),
            ('ryoo_16', "type 'BDQEncoder' there, 'Downsample' here"),
        ],
    )
    def test_another_encoder_is_refused(self, tmp_path, name, match):
        encoder = build_encoder(name)
        before = {name: value.clone() for name, value in encoder.state_dict().items()}
        with pytest.raises(ValueError, match=match):
            encoder.load_state_dict(self.saved(trained(), tmp_path))
        assert all(torch.equal(encoder.state_dict()[n], before[n]) for n in before)

    def test_what_was_named_beside_a_file_may_differ_and_is_told(self, tmp_path):
        path = save_encoder(trained(), tmp_path / 'e.json')
        soft = load_encoder(path, mode='soft')
        with pytest.warns(UserWarning, match="mode 'hard' there, 'soft' here, as was asked for"):
            soft.load_state_dict(self.saved(load_encoder(path), tmp_path))
        assert soft.quantize.mode == 'soft'

    def test_one_of_an_older_version_is_loaded_with_a_message(self, tmp_path):
        encoder, other = trained(sigma=2.0), build_encoder('bdq_hard')
        with pytest.warns(UserWarning, match='does not say what encoder its numbers belong to'):
            other.load_state_dict(dict(self.saved(encoder, tmp_path)))
        assert torch.equal(other.blur.log_sigma, encoder.blur.log_sigma)

    def test_an_older_version_wrote_fewer_arguments(self, tmp_path):
        state = self.saved(trained(), tmp_path)
        del state._metadata['']['encoder']['config']['dither']
        build_encoder('bdq_hard').load_state_dict(state)
        with pytest.raises(ValueError, match=r'dither 0\.0 there, 0\.5 here'):
            build_encoder('bdq_hard', dither=0.5).load_state_dict(state)

    def test_a_state_without_a_source_of_its_own(self):
        soft = build_encoder('bdq_hard', mode='soft')
        load_state(soft, trained().state_dict(), 'the hard one')
        assert torch.equal(soft.blur.log_sigma, trained().blur.log_sigma)
