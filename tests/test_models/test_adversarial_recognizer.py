"""The phases of the game: who learns, who is held fixed, whose statistics move."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import nn


def config(**options):
    return {
        **dict(
            type='AdversarialRecognizer',
            alpha=2.0,
            data_preprocessor=dict(
                type='BDQDataPreprocessor',
                encoder='bdq',
                mean=[128.0],
                std=[51.0],
                format_shape='NCTHW',
            ),
            recognizer=dict(
                type='Recognizer3D',
                backbone=dict(type='SmallConv3d', in_channels=1),
                cls_head=dict(
                    type='I3DHead', num_classes=6, in_channels=96, topk=(1,), average_clips='prob'
                ),
            ),
            privacy=dict(
                type='PrivacyRecognizer',
                backbone=dict(type='SmallConv2d', in_channels=1),
                cls_head=dict(type='PrivacyHead', num_classes=4, in_channels=96),
            ),
        ),
        **options,
    }


def data(n=4):
    generator = torch.Generator().manual_seed(0)
    samples = []
    for i in range(n):
        sample = ActionDataSample().set_gt_label(i % 6)
        sample.set_field(torch.tensor([i % 4]), 'gt_subject')
        samples.append(sample)
    inputs = [
        torch.randint(0, 256, (1, 1, 8, 16, 16), generator=generator).to(torch.uint8)
        for _ in range(n)
    ]
    return dict(inputs=inputs, data_samples=samples)


def loss_of(model, phase):
    model.set_phase(phase)
    batch = model.data_preprocessor(data(), True)
    losses = model(**batch, mode='loss')
    return model.parse_losses(losses)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = MODELS.build(config())
    model.init_weights()
    return model.train()


def test_action_phase_reaches_encoder_and_recognizer_alone(model):
    loss_of(model, 'action')[0].backward()
    assert model.data_preprocessor.encoder.blur.log_sigma.grad.abs() > 0
    assert model.data_preprocessor.encoder.quantize.thresholds.grad.abs().sum() > 0
    assert all(p.grad is not None for p in model.recognizer.parameters())
    assert all(p.grad is None for p in model.privacy.parameters())


def test_privacy_phase_reaches_the_privacy_network_alone(model):
    loss_of(model, 'privacy')[0].backward()
    assert all(p.grad is not None for p in model.privacy.parameters())
    assert all(p.grad is None for p in model.recognizer.parameters())
    assert all(p.grad is None for p in model.data_preprocessor.parameters())


def test_loss_is_cross_entropy_minus_alpha_entropy(model):
    loss, logs = loss_of(model, 'action')
    expected = logs['loss_cls'] - 2.0 * logs['privacy_entropy']
    torch.testing.assert_close(loss.detach(), expected.detach())
    assert 0 < logs['privacy_entropy'] <= torch.log(torch.tensor(4.0)) + 1e-6


def test_the_entropy_reaches_the_encoder(model):
    """With nothing to gain from the action, alpha alone still moves the encoder."""
    model.set_phase('action')
    batch = model.data_preprocessor(data(), True)
    model(**batch, mode='loss')['loss_entropy'].backward()
    assert model.data_preprocessor.encoder.blur.log_sigma.grad.abs() > 0


@pytest.mark.parametrize('held_norm', ['running', 'batch'])
def test_batch_norm_statistics_move_once_an_iteration(held_norm):
    """The released code moved those of both networks twice."""
    model = MODELS.build(config(held_norm=held_norm)).train()
    for phase in ('action', 'privacy'):
        loss_of(model, phase)
    counts = {
        name: int(value)
        for name, value in model.state_dict().items()
        if name.endswith('num_batches_tracked')
    }
    assert len(counts) == 12
    assert set(counts.values()) == {1}


def statistics(network):
    return {k: v.clone() for k, v in network.state_dict().items() if 'running' in k or 'track' in k}


def privacy_logits(model):
    torch.manual_seed(1)
    return torch.stack([net.logits(torch.randn(4, 1, 16, 16)) for net in model.privacy])


class TestHeldOnBatchStatistics:
    """Privacy networks that do not learn and yet normalise by the batch at hand."""

    @pytest.fixture
    def model(self):
        torch.manual_seed(0)
        cfg = config(held_norm='batch', num_privacy_networks=2)
        cfg['privacy'] = dict(cfg['privacy'], cls_head=dict(cfg['privacy']['cls_head'], init_std=1))
        model = MODELS.build(cfg)
        model.init_weights()
        return model

    def test_it_says_what_the_learning_network_says_without_dropout(self, model):
        model.set_phase('action')
        held = privacy_logits(model)
        torch.testing.assert_close(privacy_logits(model), held)
        model.set_phase('privacy')
        for network in model.privacy:
            network.cls_head.dropout.eval()
        torch.testing.assert_close(privacy_logits(model), held)
        assert (privacy_logits(model.eval()) - held).abs().max() > 0.1

    def test_no_statistic_moves(self, model):
        model.set_phase('action')
        before = statistics(model.privacy)
        privacy_logits(model)
        for name, value in statistics(model.privacy).items():
            assert torch.equal(value, before[name]), name

    def test_they_move_again_when_it_learns(self, model):
        for phase in ('action', 'privacy', 'action', 'privacy'):
            model.set_phase(phase)
            privacy_logits(model)
        counts = [v for k, v in statistics(model.privacy).items() if k.endswith('tracked')]
        assert len(counts) == 12
        assert {int(count) for count in counts} == {2}

    def test_evaluation_uses_running_statistics_whatever_the_phase(self, model):
        expected = privacy_logits(model.eval())
        for phase in ('action', 'privacy'):
            model.set_phase(phase)
            assert torch.equal(privacy_logits(model.eval()), expected)

    def test_layers_frozen_in_training_stay_on_running_statistics(self):
        cfg = config(held_norm='batch')
        backbone = dict(type='ResNet', depth=18, in_channels=1, pretrained=None, frozen_stages=1)
        for norm_eval, moving in ((False, 15), (True, 0)):
            cfg['privacy'] = dict(cfg['privacy'], backbone=dict(backbone, norm_eval=norm_eval))
            model = MODELS.build(cfg)
            norms = [m for m in model.privacy.modules() if isinstance(m, nn.BatchNorm2d)]
            for phase in ('action', 'privacy', 'action'):
                model.set_phase(phase)
                assert sum(norm.training for norm in norms) == moving

    def test_the_entropy_of_a_deep_fresh_network_still_moves_the_encoder(self):
        """By its running statistics it is sure of itself after four steps, without gradient."""
        cfg = config(held_norm='batch')
        backbone = dict(type='ResNet', depth=50, in_channels=1, pretrained=None)
        head = dict(type='PrivacyHead', num_classes=4, in_channels=2048)
        cfg['privacy'] = dict(type='PrivacyRecognizer', backbone=backbone, cls_head=head)
        torch.manual_seed(0)
        model = MODELS.build(cfg)
        model.init_weights()
        sgd = torch.optim.SGD(model.privacy.parameters(), lr=1e-3, momentum=0.9)
        thresholds = model.data_preprocessor.encoder.quantize.thresholds
        for _ in range(4):
            sgd.zero_grad()
            loss_of(model, 'privacy')[0].backward()
            sgd.step()
        model.set_phase('action')
        losses = model(**model.data_preprocessor(data(), True), mode='loss')
        (gradient,) = torch.autograd.grad(losses['loss_entropy'], thresholds)
        assert losses['privacy_entropy'] > 0.05
        assert gradient.norm() > 0.01


def test_frozen_stages_survive_the_phases():
    cfg = config()
    cfg['recognizer']['backbone'] = dict(
        type='ResNet3dSlowOnly', depth=18, in_channels=1, pretrained=None, pretrained2d=False,
        base_channels=8, frozen_stages=1, lateral=False, conv1_kernel=(1, 7, 7), conv1_stride_t=1,
        pool1_stride_t=1, inflate=(0, 0, 1, 1), norm_eval=False,
    )  # fmt: skip
    cfg['recognizer']['cls_head']['in_channels'] = 64
    model = MODELS.build(cfg).train()
    frozen = [p for p in model.recognizer.parameters() if not p.requires_grad]
    assert frozen
    for phase in ('action', 'privacy', 'action'):
        model.set_phase(phase)
        assert not any(p.requires_grad for p in frozen)
    assert sum(p.requires_grad for p in model.recognizer.parameters()) > 10


def test_prediction_has_both_answers(model):
    model.eval()
    batch = model.data_preprocessor(data(), False)
    for sample in model(**batch, mode='predict'):
        assert sample.pred_score.shape == (6,)
        assert sample.pred_subject_score.shape == (7, 4)
        torch.testing.assert_close(sample.pred_subject_score.sum(-1), torch.ones(7))


def test_tensor_mode_is_the_encoded_clip(model):
    batch = model.data_preprocessor(data(), False)
    assert model(batch['inputs']) is batch['inputs']


def test_several_privacy_networks():
    model = MODELS.build(config(num_privacy_networks=3)).train()
    for phase in ('action', 'privacy'):
        loss_of(model, phase)[0].backward()
    assert len(model.privacy) == 3
    assert all(p.grad is not None for p in model.privacy.parameters())
    batch = model.eval().data_preprocessor(data(), False)
    assert model(**batch, mode='predict')[0].pred_subject_score.shape == (7, 4)


def test_bfloat16_networks_with_a_float32_encoder(model):
    """Stock heads fail in bfloat16: they count hits in NumPy, which has no such type."""
    seen = {}
    for name, network in (('recognizer', model.recognizer), ('privacy', model.privacy[0])):
        network.backbone.layers[0].register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: output.dtype})
        )
    with torch.autocast('cpu', torch.bfloat16):
        for phase in ('action', 'privacy'):
            model.set_phase(phase)
            batch = model.data_preprocessor(data(), True)
            assert batch['inputs'].dtype == torch.float32
            loss, logs = model.parse_losses(model(**batch, mode='loss'))
            assert logs['loss'].dtype == torch.float32
            loss.backward()
    assert seen == dict(recognizer=torch.bfloat16, privacy=torch.bfloat16)
    assert model.data_preprocessor.encoder.quantize.thresholds.grad.abs().sum() > 0


def test_privacy_phase_runs_no_action_network_and_records_no_encoder(model):
    model.set_phase('privacy')
    model.recognizer.backbone.register_forward_hook(lambda *_: pytest.fail('it ran'))
    batch = model.data_preprocessor(data(), True)
    assert batch['inputs'].shape[3] == 1
    assert not batch['inputs'].requires_grad
    model(**batch, mode='loss')


def equal_steps(model, switched):
    assert list(switched.state_dict()) == list(model.state_dict())
    switched.load_state_dict(model.state_dict())
    for phase in ('action', 'privacy'):
        losses = []
        for game in (model, switched):
            torch.manual_seed(1)
            losses.append(loss_of(game, phase)[0])
            losses[-1].backward()
        torch.testing.assert_close(*losses)
    for a, b in zip(model.parameters(), switched.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-3, atol=1e-5)


def test_channels_last_changes_no_result(model):
    equal_steps(model, MODELS.build(config(channels_last=True)).train())


def test_compile_takes_the_backbones_and_renames_nothing(model, monkeypatch):
    """Compiling takes minutes; `python -m benchmarks.run game` does it for real."""
    arguments, calls = [], []

    def compiled(function, **options):
        arguments.append(options)
        return lambda *args, **kwargs: (calls.append(1), function(*args, **kwargs))[1]

    monkeypatch.setattr(torch, 'compile', compiled)
    equal_steps(model, MODELS.build(config(compile=dict(mode='max-autotune'))).train())
    assert arguments == [dict(mode='max-autotune')] * 2
    assert len(calls) == 3  # both networks in the action phase, one in the privacy phase


def test_channels_last_reaches_both_kinds_of_convolution():
    cfg = config(channels_last=True)
    for name in ('recognizer', 'privacy'):
        cfg[name] = dict(cfg[name], backbone=dict(cfg[name]['backbone'], channels=(4,) * 6))
        cfg[name]['cls_head'] = dict(cfg[name]['cls_head'], in_channels=4)
    model = MODELS.build(cfg)
    deep, flat = model.recognizer.backbone.layers[3], model.privacy[0].backbone.layers[3]
    assert deep.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert flat.weight.is_contiguous(memory_format=torch.channels_last)


def test_restart_replaces_the_weights_in_place(model):
    before = [p.clone() for p in model.privacy.parameters()]
    identities = [id(p) for p in model.privacy.parameters()]
    model.restart_privacy()
    assert identities == [id(p) for p in model.privacy.parameters()]
    changed = [
        not torch.equal(a, b) for a, b in zip(before, model.privacy.parameters(), strict=True)
    ]
    assert sum(changed) >= 7


def test_checkpoint_keys_are_pinned(model):
    """Renaming any of these would orphan every checkpoint that users have."""
    keys = list(model.state_dict())
    assert [k for k in keys if k.startswith('data_preprocessor')] == [
        'data_preprocessor.encoder.blur.log_sigma',
        'data_preprocessor.encoder.quantize.thresholds',
        'data_preprocessor.encoder.quantize.low',
        'data_preprocessor.encoder.quantize.high',
        'data_preprocessor.encoder.quantize.hardness',
    ]
    assert {k.rsplit('.', 2)[0] for k in keys if not k.startswith('data_preprocessor')} == {
        'recognizer.backbone.layers',
        'recognizer.cls_head',
        'privacy.0.backbone.layers',
        'privacy.0.cls_head',
    }


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(alpha=-1), 'alpha'),
        (dict(num_privacy_networks=0), 'num_privacy_networks'),
        (dict(held_norm='bacth'), r"held_norm is one of .*'batch'.*got 'bacth'"),
    ],
)
def test_bad_arguments(options, match):
    with pytest.raises(ValueError, match=match):
        MODELS.build(config(**options))


def test_a_recognizer_may_not_bring_its_own_preprocessor():
    cfg = config()
    cfg['recognizer']['data_preprocessor'] = dict(type='ActionDataPreprocessor')
    with pytest.raises(ValueError, match=r'recognizer\.data_preprocessor would never be used'):
        MODELS.build(cfg)


def test_unknown_phase(model):
    with pytest.raises(ValueError, match='phase'):
        model.set_phase('sleep')
