"""The preprocessor: what networks see, on every path and in every layout."""

from inspect import signature

import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from bdq_plugin.encoders import ClipEncoder, build_encoder, save_encoder
from bdq_plugin.models import BDQDataPreprocessor, build_encoder_from_cfg

GREY = dict(mean=[128.0], std=[51.0])


def batch(n=2, channels=3, frames=5, size=(12, 10), layout='NCTHW', seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (1, channels, frames, *size) if layout == 'NCTHW' else (frames, channels, *size)
    inputs = [torch.randint(0, 256, shape, generator=generator).to(torch.uint8) for _ in range(n)]
    layout = dict(clip_len=frames, num_clips=1)
    return dict(inputs=inputs, data_samples=[ActionDataSample(metainfo=layout) for _ in range(n)])


def for_3d(encoder, **options):
    return BDQDataPreprocessor(encoder, format_shape='NCTHW', **options)


class TestOutput:
    def test_pass_through_equals_the_stock_preprocessor(self):
        mean, std = [110.0, 100.0, 90.0], [40.0, 39.0, 38.0]
        ours = for_3d('pass_through', mean=mean, std=std)
        stock = MODELS.build(
            dict(type='ActionDataPreprocessor', mean=mean, std=std, format_shape='NCTHW')
        )
        data = batch()
        torch.testing.assert_close(ours(data)['inputs'], stock(data)['inputs'])

    def test_difference_commutes_with_normalisation(self):
        # Dividing a difference by std is subtracting normalised frames.
        data = batch()
        difference = for_3d('d')(data)['inputs']
        clear = for_3d('pass_through')(data)['inputs']
        torch.testing.assert_close(difference, clear[:, :, :, 1:] - clear[:, :, :, :-1])

    def test_released_encoder_is_given_normalised_frames(self):
        preprocessor = for_3d('bdq_released')
        data = batch()
        frames = torch.cat(data['inputs']).float() / 255
        expected = build_encoder('bdq_released')((frames - preprocessor.mean) / preprocessor.std)
        torch.testing.assert_close(preprocessor(data)['inputs'][:, 0], expected)

    def test_layout_of_2d_networks(self):
        data = batch(layout='NCHW')
        flat = BDQDataPreprocessor('bdq')(data)['inputs']
        assert flat.shape == (2, 4, 3, 12, 10)
        assert flat.is_contiguous()
        clips = dict(data, inputs=[x.transpose(0, 1)[None] for x in data['inputs']])
        deep = for_3d('bdq')(clips)['inputs']
        torch.testing.assert_close(flat, deep[:, 0].transpose(1, 2))

    def test_views_are_clips_of_their_own(self):
        data = batch(n=1)
        twice = dict(data, inputs=[data['inputs'][0].repeat(2, 1, 1, 1, 1)])
        out = for_3d('bdq')(twice)['inputs']
        assert out.shape == (1, 2, 3, 4, 12, 10)
        torch.testing.assert_close(out[:, 0], out[:, 1])

    def test_grey(self):
        out = for_3d('bdq', **GREY)(batch(channels=1))['inputs']
        assert out.shape == (2, 1, 1, 4, 12, 10)

    def test_channels_must_fit_the_statistics(self):
        with pytest.raises(ValueError, match='1 channels, mean and std have 3'):
            for_3d('bdq')(batch(channels=1))


class TestOneFrame:
    @pytest.mark.parametrize('name', ['bdq_hard', 'bdq', 'pass_through', 'd', 'bdq_released'])
    def test_is_a_frame_of_the_whole_encoding_without_gradient(self, name):
        preprocessor = for_3d(name)
        data = batch(frames=6)
        whole = preprocessor(data, True)['inputs']
        preprocessor.one_frame = True
        seen = set()
        for _ in range(20):
            frame = preprocessor(data, True)['inputs']
            assert frame.shape[3] == 1
            assert not frame.requires_grad
            matches = [
                t
                for t in range(whole.shape[3])
                if torch.allclose(frame[:, :, :, 0], whole[:, :, :, t], atol=1e-4)
            ]
            assert len(matches) == 1
            seen.update(matches)
        assert len(seen) > 1

    @pytest.mark.parametrize('name', ['bdq', 'bdq_released', 'bdq_hard'])
    def test_staged_batch_gives_the_same_frames(self, name):
        preprocessor, data = for_3d(name), batch(frames=6)
        preprocessor.one_frame = True
        staged = preprocessor.stage(data)
        for seed in range(4):
            torch.manual_seed(seed)
            expected = preprocessor(data, True)['inputs']
            torch.manual_seed(seed)
            assert torch.equal(preprocessor(staged, True)['inputs'], expected)
        assert (staged.encoded is not None) == preprocessor.encoder.uses_whole_clip

    @pytest.mark.parametrize(('name', 'expected'), [('bdq', [6]), ('bdq_hard', [2, 2, 2])])
    def test_no_more_is_encoded_than_needed(self, name, expected):
        preprocessor = for_3d(name)
        preprocessor.one_frame = True
        seen = []
        preprocessor.encoder.register_forward_hook(lambda e, x, y: seen.append(x[0].shape[2]))
        staged = preprocessor.stage(batch(frames=6))
        for _ in range(3):
            preprocessor(staged, True)
        assert seen == expected

    def test_another_encoder_that_needs_its_whole_clip(self):
        class Mean(ClipEncoder):
            uses_whole_clip = True

            def encode(self, x_NCTHW):
                return x_NCTHW - x_NCTHW.mean(2, keepdim=True)

        preprocessor = for_3d(Mean())
        whole = preprocessor(batch(), True)['inputs']
        preprocessor.one_frame = True
        frame = preprocessor(batch(), True)['inputs'][:, :, :, 0]
        assert any(torch.equal(frame, whole[:, :, :, t]) for t in range(whole.shape[3]))

    def test_evaluation_still_sees_every_frame(self):
        preprocessor = for_3d('bdq')
        preprocessor.one_frame = True
        assert preprocessor(batch(), False)['inputs'].shape[3] == 4


@pytest.mark.parametrize('one_frame', [False, True])
@pytest.mark.parametrize('name', ['bdq', 'bdq_hard', 'bdq_released'])
def test_encoder_stays_in_float32_under_autocast(name, one_frame):
    preprocessor, data = for_3d(name), batch()
    preprocessor.one_frame = one_frame
    torch.manual_seed(0)
    expected = preprocessor(data, True)['inputs']
    torch.manual_seed(0)
    with torch.autocast('cpu', torch.bfloat16):
        inputs = preprocessor(data, True)['inputs']
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs, expected)


class TestFrozen:
    def test_no_gradient_and_evaluation_mode(self):
        preprocessor = for_3d('bdq', frozen=True)
        preprocessor.train()
        assert not preprocessor.encoder.training
        assert not any(p.requires_grad for p in preprocessor.parameters())
        assert not preprocessor(batch(), True)['inputs'].requires_grad

    def test_gradient_flows_otherwise(self):
        preprocessor = for_3d('bdq').train()
        out = preprocessor(batch(), True)['inputs']
        (out * torch.rand(out.shape)).sum().backward()
        assert preprocessor.encoder.blur.log_sigma.grad.abs() > 0


def recognizer(**preprocessor):
    return dict(
        type='Recognizer3D',
        backbone=dict(type='SmallConv3d', in_channels=3),
        cls_head=dict(type='I3DHead', num_classes=6, in_channels=96, average_clips='prob'),
        data_preprocessor=dict(type='BDQDataPreprocessor', format_shape='NCTHW', **preprocessor),
    )


class TestPretrained:
    @pytest.fixture
    def trained(self):
        encoder = build_encoder('bdq')
        with torch.no_grad():
            encoder.blur.log_sigma.fill_(0.5)
            encoder.quantize.thresholds.add_(0.25)
        return encoder

    def init_cfg(self, path, **kwargs):
        return dict(type='Pretrained', checkpoint=str(path), **kwargs)

    def test_prefix_of_a_checkpoint_changes_the_encoder(self, trained, tmp_path):
        prefix = 'data_preprocessor.encoder.'
        state = {prefix + k: v for k, v in trained.state_dict().items()}
        state['recognizer.x'] = torch.zeros(1)
        torch.save(dict(state_dict=state, meta={}), tmp_path / 'epoch_1.pth')
        model = MODELS.build(
            recognizer(encoder='bdq', init_cfg=self.init_cfg(tmp_path / 'epoch_1.pth'))
        )
        model.init_weights()
        loaded = model.data_preprocessor.encoder.state_dict()
        for name, value in trained.state_dict().items():
            assert torch.equal(loaded[name], value)

    def test_json_changes_the_encoder(self, trained, tmp_path):
        path = save_encoder(trained, tmp_path / 'encoder.json')
        model = MODELS.build(recognizer(encoder='bdq', init_cfg=self.init_cfg(path)))
        model.init_weights()
        assert model.data_preprocessor.encoder.blur.log_sigma.item() == 0.5

    def test_checkpoint_without_an_encoder(self, tmp_path):
        torch.save(dict(state_dict=dict(w=torch.zeros(1))), tmp_path / 'x.pth')
        model = MODELS.build(recognizer(encoder='bdq', init_cfg=self.init_cfg(tmp_path / 'x.pth')))
        with pytest.raises(ValueError, match=r"holds no encoder: no key begins with 'data_pre"):
            model.init_weights()

    def test_another_number_of_thresholds(self, trained, tmp_path):
        path = save_encoder(trained, tmp_path / 'encoder.json')
        cfg = recognizer(encoder=dict(preset='bdq', num_levels=8), init_cfg=self.init_cfg(path))
        with pytest.raises(ValueError, match='encoder.json .* num_levels 16 there, 8 here'):
            MODELS.build(cfg).init_weights()

    def test_missing_file(self, tmp_path):
        model = MODELS.build(recognizer(encoder='bdq', init_cfg=self.init_cfg(tmp_path / 'n.pth')))
        with pytest.raises(FileNotFoundError, match='train one first'):
            model.init_weights()

    def test_other_initialisation_is_refused(self):
        with pytest.raises(ValueError, match='Pretrained'):
            BDQDataPreprocessor('bdq', init_cfg=dict(type='Kaiming'))


class TestEncoderConfig:
    def test_forms(self, tmp_path):
        path = save_encoder(build_encoder('bdq', num_levels=8), tmp_path / 'e.json')
        for cfg, levels in (
            ('bdq', 16),
            (dict(preset='bdq', num_levels=4), 4),
            (dict(type='BDQEncoder', num_levels=3), 3),
            (str(path), 8),
        ):
            assert build_encoder_from_cfg(cfg).quantize.num_levels == levels

    def test_neither_preset_nor_type(self):
        with pytest.raises(ValueError, match='names no encoder'):
            build_encoder_from_cfg(dict(sigma=1))

    def test_unknown_format(self):
        with pytest.raises(ValueError, match='NCTHW'):
            BDQDataPreprocessor('bdq', format_shape='NTCHW')


class _Exploit:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def test_a_checkpoint_from_a_stranger_runs_no_code(tmp_path):
    encoder = build_encoder('bdq', sigma=2.0)
    state = {f'data_preprocessor.encoder.{k}': v for k, v in encoder.state_dict().items()}
    victim = tmp_path / 'victim'
    torch.save(dict(state_dict=state, log=_Exploit(str(victim))), tmp_path / 'x.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth'))
    preprocessor = BDQDataPreprocessor('bdq', init_cfg=init_cfg)
    with pytest.raises(ValueError, match=r'asks for \w+\.open.*BDQ_TRUST_CHECKPOINTS=1'):
        preprocessor.init_weights()
    assert not victim.exists()


class TestStockArguments:
    """Those of MMAction2's ActionDataPreprocessor, which a stock config gives."""

    def labelled(self, n=4):
        data = batch(n)
        for i, sample in enumerate(data['data_samples']):
            sample.set_gt_label(i)
        return data

    def test_defaults_are_the_stock_ones(self):
        stock = signature(ActionDataPreprocessor).parameters
        ours = signature(BDQDataPreprocessor).parameters
        assert set(stock) <= set(ours)
        for name in set(stock) - {'mean', 'std'}:
            assert ours[name].default == stock[name].default, name

    def test_to_rgb_is_for_a_pipeline_that_gives_bgr(self):
        rgb = batch()
        bgr = dict(rgb, inputs=[x.flip(1) for x in rgb['inputs']])
        for encoder in ('bdq', 'pass_through'):
            expected = for_3d(encoder)(rgb)['inputs']
            assert torch.equal(for_3d(encoder, to_rgb=True)(bgr)['inputs'], expected)

    @pytest.mark.parametrize('kind', ['MixupBlending', 'CutmixBlending'])
    def test_blending_mixes_what_has_been_encoded(self, kind):
        blending = dict(type=kind, num_classes=4, alpha=1.0)
        preprocessor, data = for_3d('bdq_hard', blending=blending), self.labelled()
        encoded = for_3d('bdq_hard')(data, True)['inputs']
        torch.manual_seed(0)
        expected, _ = MODELS.build(blending)(encoded.clone(), self.labelled()['data_samples'])
        torch.manual_seed(0)
        blended = preprocessor(data, True)
        assert not torch.equal(expected, encoded)
        torch.testing.assert_close(blended['inputs'], expected)
        for sample in blended['data_samples']:
            assert sample.gt_label.shape == (4,)
            assert sample.gt_label.sum() == pytest.approx(1)

    def test_no_blending_in_evaluation(self):
        blending = dict(type='CutmixBlending', num_classes=4, alpha=1.0)
        out = for_3d('d', blending=blending)(self.labelled(), False)
        assert torch.equal(out['inputs'], for_3d('d')(self.labelled(), False)['inputs'])
        assert [int(sample.gt_label) for sample in out['data_samples']] == [0, 1, 2, 3]

    @pytest.mark.parametrize('name', ['bdq', 'bdq_hard', 'bdq_released'])
    def test_an_encoder_learns_through_blending(self, name):
        """Cutmix writes into its input."""
        blending = dict(type='CutmixBlending', num_classes=4, alpha=1.0)
        preprocessor = for_3d(name, blending=blending).train()
        out = preprocessor(self.labelled(), True)['inputs']
        (out * torch.rand(out.shape)).sum().backward()
        assert preprocessor.encoder.quantize.thresholds.grad.abs().sum() > 0

    @pytest.mark.parametrize(
        ('options', 'match'),
        [
            (dict(to_rgb=True, **GREY), 'to_rgb=True is for three channels, mean has 1'),
            (dict(to_float32=False), 'remove to_float32=False'),
            (dict(format_shape='MIX2d3d'), "'NCTHW' or 'NCHW', got 'MIX2d3d'"),
        ],
    )
    def test_what_an_encoder_cannot_do(self, options, match):
        with pytest.raises(ValueError, match=match):
            BDQDataPreprocessor('bdq', **options)

    def test_no_blending_where_a_privacy_network_learns(self):
        blending = dict(type='MixupBlending', num_classes=6)
        network = dict(
            type='PrivacyRecognizer',
            backbone=dict(type='SmallConv2d'),
            cls_head=dict(type='PrivacyHead', num_classes=4, in_channels=96),
        )
        encoder = dict(type='BDQDataPreprocessor', encoder='bdq', blending=blending)
        action = {k: v for k, v in recognizer(encoder='bdq').items() if k != 'data_preprocessor'}
        game = dict(
            type='AdversarialRecognizer',
            recognizer=action,
            privacy=network,
            data_preprocessor=encoder,
        )
        for cfg in (game, dict(network, data_preprocessor=encoder)):
            with pytest.raises(ValueError, match=r'data_preprocessor\.blending.*gt_subject'):
                MODELS.build(cfg)
