"""Which encoder a config means: by name, by file, and by the switches."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import ConfigDict

from bdq_plugin.encoders import ClipEncoder, build_encoder, save_encoder, zoo_names
from bdq_plugin.models import BDQDataPreprocessor, build_encoder_from_cfg
from bdq_plugin.models.encoder_source import apply_encoder_switches, describe_by_checkpoint


@pytest.fixture
def hard(tmp_path):
    """The file of a trained encoder."""
    encoder = build_encoder('bdq_hard', num_levels=8)
    with torch.no_grad():
        encoder.blur.log_sigma.fill_(0.25)
    encoder.set_range_(0.4)
    return str(save_encoder(encoder, tmp_path / 'encoder.json'))


class TestByFile:
    def test_the_file_says_it_all(self, hard):
        encoder = build_encoder_from_cfg(dict(file=hard))
        assert (encoder.quantize.mode, encoder.quantize.range) == ('hard', 'fixed')
        assert encoder.quantize.num_levels == 8
        assert encoder.blur.log_sigma.item() == 0.25
        assert encoder.quantize.high.item() == pytest.approx(0.4)
        assert encoder.source == hard

    def test_names_of_the_zoo(self):
        name = zoo_names()[0]
        for cfg in (name, dict(file=name)):
            assert build_encoder_from_cfg(cfg).source == name

    def test_presets(self):
        for cfg in ('blocks', dict(file='blocks'), dict(preset='blocks')):
            encoder = build_encoder_from_cfg(cfg)
            assert encoder.block == 8 and encoder.source is None
        assert build_encoder_from_cfg(dict(file='blocks', dither=0.5)).dither == 0.5
        with pytest.raises(ValueError, match="unknown encoder 'bloks': give a file"):
            build_encoder_from_cfg(dict(file='bloks'))

    def test_a_checkpoint_says_it_too(self, hard, tmp_path):
        state = BDQDataPreprocessor(dict(file=hard)).state_dict(prefix='data_preprocessor.')
        torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
        encoder = build_encoder_from_cfg(dict(file=str(tmp_path / 'epoch_1.pth')))
        assert encoder.config == build_encoder_from_cfg(hard).config
        assert encoder.blur.log_sigma.item() == 0.25
        torch.save(dict(state_dict=dict(state)), tmp_path / 'old.pth')
        with pytest.raises(ValueError, match=r'name the encoder\.json beside it'):
            build_encoder_from_cfg(str(tmp_path / 'old.pth'))

    def test_arguments_beside_it_replace_its_own(self, hard):
        encoder = build_encoder_from_cfg(dict(file=hard, mode='soft', backend='plain'))
        assert (encoder.quantize.mode, encoder.quantize.num_levels) == ('soft', 8)
        assert (encoder.backend, encoder.overrides) == ('plain', ('mode',))

    def test_a_preset_beside_it_is_what_is_expected(self, hard):
        """Where training started from does not count, and what is named may differ."""
        named = dict(file=hard, preset='bdq_hard', num_levels=8)
        assert build_encoder_from_cfg(named).quantize.num_levels == 8
        with pytest.raises(ValueError, match='encoder.json .*num_levels 8 there, 16 here'):
            build_encoder_from_cfg(dict(file=hard, preset='bdq_hard'))
        with pytest.raises(ValueError, match="mode 'hard' there, 'soft' here"):
            build_encoder_from_cfg(dict(file=hard, preset='bdq', num_levels=8))
        with pytest.raises(ValueError, match="'BDQEncoder' there, 'PassThrough' here"):
            build_encoder_from_cfg(dict(file=hard, type='PassThrough'))

    def test_no_such_file(self):
        with pytest.raises(FileNotFoundError, match='no encoder file none.json'):
            build_encoder_from_cfg('none.json')


def test_what_is_no_encoder_is_refused():
    with pytest.raises(ValueError, match='is a SmallConv2d: an encoder is a sub-class'):
        build_encoder_from_cfg(dict(type='SmallConv2d', in_channels=1))


@MODELS.register_module(force=True)
class Brighter(ClipEncoder):
    def __init__(self, by: float = 0.1):
        super().__init__()
        self.by = by

    def encode(self, x_NCTHW):
        return x_NCTHW + self.by


def test_own_encoders_by_type_and_by_their_file(tmp_path):
    encoder = build_encoder_from_cfg(dict(type='Brighter', by=0.2))
    path = save_encoder(encoder, tmp_path / 'encoder.json')
    for cfg in (str(path), dict(file=str(path)), dict(file=str(path), type='Brighter', by=0.2)):
        assert build_encoder_from_cfg(cfg).by == 0.2


class TestSwitches:
    def chosen(self, configured, **switches):
        preprocessor = ConfigDict(encoder=configured, init_cfg=dict(type='Pretrained'))
        apply_encoder_switches(preprocessor, switches)
        assert ('init_cfg' in preprocessor) == ('encoder_file' not in switches)
        return preprocessor.encoder

    @pytest.mark.parametrize(
        ('configured', 'switches', 'expected'),
        [
            ('bdq', {}, 'bdq'),
            ('bdq', dict(encoder='bdq_hard'), dict(preset='bdq_hard')),
            ('bdq', dict(encoder='e.json'), dict(file='e.json')),
            (dict(file='a'), dict(encoder_file='b'), dict(file='b')),
            (dict(file='a'), dict(encoder=dict(mode='hard')), dict(file='a', mode='hard')),
            (
                dict(file='a'),
                dict(encoder=dict(mode='hard'), encoder_file='b'),
                dict(file='b', mode='hard'),
            ),
            (dict(file='a'), dict(encoder='bdq', encoder_file=None), dict(preset='bdq')),
            (
                dict(file='a'),
                dict(encoder='bdq', encoder_file='a'),
                dict(file='a', preset='bdq'),
            ),
            (dict(preset='bdq'), dict(encoder_file='b'), dict(preset='bdq', file='b')),
        ],
    )
    def test_what_becomes_of_the_config(self, configured, switches, expected):
        assert self.chosen(configured, **switches) == expected

    def test_two_files(self):
        with pytest.raises(ValueError, match=r'a\.json, encoder_file names b\.json: name one'):
            self.chosen('bdq', encoder='a.json', encoder_file='b.json')


class TestFrozen:
    """A network on a frozen encoder of a file is loaded onto that encoder, or not at all."""

    def model(self, encoder):
        return MODELS.build(
            dict(
                type='Recognizer3D',
                backbone=dict(type='SmallConv3d', in_channels=3),
                cls_head=dict(type='I3DHead', num_classes=6, in_channels=96),
                data_preprocessor=dict(type='BDQDataPreprocessor', encoder=encoder, frozen=True),
            )
        )

    def test_numbers_of_another_encoder(self, hard, tmp_path):
        state = self.model(dict(file=hard)).state_dict()
        self.model(dict(file=hard)).load_state_dict(state)
        other = save_encoder(build_encoder('bdq_hard', num_levels=8), tmp_path / 'other.json')
        with pytest.raises(
            ValueError, match=r"another encoder than .*other.json: 'blur.log_sigma'"
        ):
            self.model(dict(file=str(other))).load_state_dict(state)
        # Unless the number is what was named beside the file.
        network = self.model(dict(file=str(other), sigma=2.0, range_limit=0.1))
        network.load_state_dict(state)

    def test_a_file_that_is_gone_is_described_by_the_checkpoint(self, hard, tmp_path):
        path = str(tmp_path / 'epoch_1.pth')
        state = self.model(dict(file=hard)).state_dict()
        for saved, expected in ((state, path), (dict(state), 'gone.json')):
            torch.save(dict(state_dict=saved), path)
            for encoder in (dict(file='gone.json'), 'gone.json'):
                model = ConfigDict(data_preprocessor=dict(encoder=encoder))
                describe_by_checkpoint(model, path)
                found = model.data_preprocessor.encoder
                assert (found if isinstance(found, str) else found.file) == expected
        for there in (hard, 'blocks', zoo_names()[0]):
            model = ConfigDict(data_preprocessor=dict(encoder=dict(file=there)))
            describe_by_checkpoint(model, path)
            assert model.data_preprocessor.encoder.file == there
