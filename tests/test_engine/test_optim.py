"""One optimiser a phase: who owns what, what decays, what happens to thresholds."""

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from bdq_plugin.engine import PhaseOptimWrapperConstructor

from ..test_models.test_adversarial_recognizer import config, data

SGD = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.5)


def build(model, **phases):
    phases = phases or dict(action=dict(optimizer=SGD), privacy=dict(optimizer=SGD))
    return PhaseOptimWrapperConstructor(phases)(model)


@pytest.fixture
def model():
    return MODELS.build(config())


def owned(wrapper):
    return {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}


def test_groups_are_disjoint_and_cover_everything(model):
    wrappers = build(model)
    action, privacy = owned(wrappers['action']), owned(wrappers['privacy'])
    assert not action & privacy
    assert action | privacy == {id(p) for p in model.parameters()}
    assert privacy == {id(p) for p in model.privacy.parameters()}


def test_the_encoder_does_not_decay_unless_told_to(model):
    encoder = {id(p) for p in model.data_preprocessor.parameters()}

    def decays(wrappers):
        return {
            group['weight_decay']
            for group in wrappers['action'].optimizer.param_groups
            if {id(p) for p in group['params']} & encoder
        }

    assert decays(build(model)) == {0.0}
    keys = {'data_preprocessor.encoder': dict(decay_mult=1.0, lr_mult=0.1)}
    told = dict(optimizer=SGD, paramwise_cfg=dict(custom_keys=keys))
    assert decays(build(model, action=told, privacy=dict(optimizer=SGD))) == {0.5}


def test_an_orphan_is_named(model):
    model.extra = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"parameter 'extra\.weight' has no owner.*'extra'"):
        build(model)
    model.extra.requires_grad_(False)
    build(model)


def test_two_owners_are_named(model):
    both = dict(optimizer=SGD, modules=['privacy', 'recognizer'])
    with pytest.raises(ValueError, match=r"parameter 'recognizer\..*two owners"):
        build(model, action=dict(optimizer=SGD), privacy=both)


def test_unknown_module(model):
    wrong = dict(optimizer=SGD, modules=['privcy'])
    with pytest.raises(ValueError, match=r"privcy.*'privacy'"):
        build(model, action=dict(optimizer=SGD), privacy=wrong)


def test_a_phase_needs_an_optimizer(model):
    with pytest.raises(ValueError, match=r'optim_wrapper\.action needs optimizer'):
        build(model, action=dict(lr=1), privacy=dict(optimizer=SGD))


def test_paramwise_cfg_belongs_to_a_phase():
    with pytest.raises(ValueError, match='inside the phase'):
        PhaseOptimWrapperConstructor(dict(action=dict(optimizer=SGD)), dict(norm_decay_mult=0))


def test_thresholds_stay_ordered_and_in_range_under_hostile_gradients(model):
    """Gradients that pull every threshold past its neighbours and out of the range."""
    wrapper = build(model)['action']
    thresholds = model.data_preprocessor.encoder.quantize.thresholds
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        loss = (thresholds * 30 * torch.randn(15, generator=generator)).sum()
        wrapper.update_params(loss)
        values = thresholds.detach()
        assert torch.equal(values, values.sort().values)
        assert values.min() >= 0
        assert values.max() <= 15
        assert torch.isfinite(model.data_preprocessor(data(), False)['inputs']).all()


def test_sigma_stays_positive_under_hostile_gradients(model):
    wrapper = build(model)['action']
    for _ in range(50):
        wrapper.update_params(model.data_preprocessor.encoder.blur.log_sigma * 3.0)
    assert model.data_preprocessor.encoder.blur.sigma >= 0.0999
    assert torch.isfinite(model.data_preprocessor(data(), False)['inputs']).all()
