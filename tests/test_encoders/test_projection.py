"""Thresholds and sigma stay where they mean something, whoever takes the steps."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from bdq_plugin.encoders import BDQEncoder, build_encoder


def pull(encoder, optimizer):
    """A step that turns the thresholds' order round and drives sigma to zero."""
    loss = (encoder.quantize.thresholds * torch.arange(15.0)).sum() + 9 * encoder.blur.log_sigma
    if isinstance(optimizer, OptimWrapper):
        optimizer.update_params(loss)
    else:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def assert_sound(encoder):
    thresholds = encoder.quantize.thresholds.detach()
    assert torch.equal(thresholds, thresholds.sort().values)
    assert thresholds.min() >= 0 and thresholds.max() <= 15
    assert encoder.blur.sigma >= 0.0999


@pytest.mark.parametrize('build', [torch.optim.SGD, torch.optim.AdamW, torch.optim.Rprop])
def test_any_optimiser(build):
    encoder = build_encoder('bdq')
    optimizer = build(nn.Sequential(nn.Linear(2, 2), encoder).parameters(), lr=2.0)
    pull(encoder, optimizer)
    assert_sound(encoder)
    assert not torch.equal(encoder.quantize.thresholds, build_encoder('bdq').quantize.thresholds)


def test_a_plain_wrapper_and_a_copy():
    encoder = copy.deepcopy(build_encoder('bdq'))
    pull(encoder, OptimWrapper(torch.optim.SGD(encoder.parameters(), lr=2.0)))
    assert_sound(encoder)


def test_what_has_not_moved_is_left_alone():
    """A file's numbers are its own, in order or not, and those of the rest do not count."""
    rests, learns = build_encoder('bdq'), build_encoder('bdq')
    with torch.no_grad():
        rests.quantize.thresholds.copy_(torch.linspace(20, -5, 15))
    rests.requires_grad_(False)
    before = rests.quantize.thresholds.clone()
    pull(learns, torch.optim.SGD([*rests.parameters(), *learns.parameters()], lr=2.0))
    assert torch.equal(rests.quantize.thresholds, before)
    assert_sound(learns)


def test_one_that_failed_to_be_built_is_passed_over():
    broken = BDQEncoder.__new__(BDQEncoder)
    encoder = build_encoder('bdq')
    pull(encoder, torch.optim.SGD(encoder.parameters(), lr=2.0))
    assert_sound(encoder)
    assert not vars(broken).get('_parameters')
