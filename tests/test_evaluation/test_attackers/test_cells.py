"""The attacker of coarse codes, and encodings of clips that were moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdq_plugin.encoders import build_encoder
from bdq_plugin.evaluation.attackers import ATTACKERS
from bdq_plugin.evaluation.attackers.cell_features import (
    centred,
    coarse,
    courses,
    describe_cells,
    neighbours,
    transitions,
)
from bdq_plugin.evaluation.clips import Clips
from bdq_plugin.evaluation.encodings import Sampling, encode, moved
from bdq_plugin.evaluation.settings import load_data


def codes(clips: Clips, told: bool, seed: int) -> Clips:
    """Cells that turn round at random: how often is what tells the person, where ``told``."""
    rng = np.random.default_rng(seed)
    values = []
    for person in clips.identities.tolist():
        share = 0.15 + 0.3 * person if told else 0.4
        turns = np.cumsum(rng.random((30, 8, 6)) < share, axis=0)
        values.append((torch.from_numpy(np.where(turns % 2, -1.0, 1.0))[None].half(),))
    return replace(clips, values=tuple(values))


@pytest.mark.parametrize(('told', 'least', 'most'), [(True, 0.95, 1), (False, 0, 0.6)])
def test_who_is_told_by_how_cells_change(make_clips, told, least, most):
    """Either level is as frequent for everybody: the order alone says who it is."""
    families = ['transitions', 'kernels_of_cells']
    attacker = ATTACKERS.build(dict(type='CellAttacker', num_outputs=3, families=families))
    attacker.fit(codes(make_clips(36), told, seed=0))
    test = codes(make_clips(36, seed=1), told, seed=1)
    named = attacker.answer(test).log_probs[:, 0].argmax(1)
    assert least <= (named == test.identities.numpy()).mean() <= most


def test_families_of_cells():
    x_THW = torch.zeros(4, 8, 6)
    x_THW[1::2, 2, 1] = 1.0
    shares = transitions(x_THW).view(48, 9).square()
    assert (shares[:, 4] == 1).sum() == 47, 'all but one are at rest'
    assert shares[13, [5, 7]].tolist() == pytest.approx([1 / 3, 2 / 3]), 'down again, and up'
    assert courses(x_THW).view(48, 8).square()[13, [2, 5]].tolist() == pytest.approx([0.5, 0.5])
    assert neighbours(x_THW).shape == (2 * 9 * 48,)
    middle = centred(x_THW).abs().sum(0).nonzero().tolist()
    assert middle in ([[3, 2]], [[4, 2]], [[4, 3]], [[3, 3]])
    large = torch.rand(4, 48, 64)
    assert coarse(large).shape == (4, 12, 16) and coarse(x_THW) is x_THW
    assert torch.allclose(coarse(large)[0, 1, 2], large[0, 4:8, 8:12].mean())
    one, two = describe_cells(torch.zeros(1, 1, 8, 6), 1.0), describe_cells(x_THW[None], 1.0)
    assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in two.items()}
    assert all(v.isfinite().all() for v in one.values()), 'a clip of one frame'


def test_moved():
    clip = torch.arange(12, dtype=torch.uint8).view(1, 1, 3, 4)
    assert moved(clip, 1, 0)[0, 0].tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert moved(clip, 0, -2)[0, 0].tolist() == [[2, 3, 3, 3], [6, 7, 7, 7], [10, 11, 11, 11]]
    assert torch.equal(moved(clip, 0, 0), clip)


def test_training_clips_are_moved_and_test_clips_are_not(make_clips):
    clips = make_clips(6)
    shape = (1, 6, 16, 16)
    generator = torch.Generator().manual_seed(0)
    clear = tuple(
        (torch.randint(0, 255, shape, generator=generator, dtype=torch.uint8),) for _ in clips.clear
    )
    clips = replace(clips, values=clear, clear=clear)
    encoder = build_encoder('blocks')
    sampling = Sampling(encodings=3, shift=4)
    options = ([110.0], [40.0])
    train = encode(clips, encoder, sampling, *options, training=True)
    test = encode(clips, encoder, sampling, *options, training=False)
    assert train.num_encodings == 3 and test.num_encodings == 1
    assert all(torch.equal(a[0], b[0]) for a, b in zip(train.values, test.values, strict=True))
    assert not all(torch.equal(a, b) for a, b, _ in train.clear)
    plain = encode(clips, encoder, Sampling(encodings=3), *options, training=True)
    assert plain.num_encodings == 1
    again = encode(clips, encoder, sampling, *options, training=True)
    assert all(torch.equal(a[2], b[2]) for a, b in zip(train.values, again.values, strict=True))


def test_data_of_moved_clips_is_other_data():
    assert load_data('ixmas_moved').identity()['sampling']['shift'] == 4
    assert 'shift' not in load_data('ixmas').identity()['sampling']
    with pytest.raises(ValueError, match='shift must be 0 or more, got -1'):
        Sampling(shift=-1)
