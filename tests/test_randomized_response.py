"""Randomised response: how often, by what, and by whose dice."""

import numpy as np
import pytest
import torch

from bdq_plugin.randomized_response import WORDS, check_flip, draw_words, respond


@pytest.mark.parametrize('levels', [2, 3, 7, 256])
@pytest.mark.parametrize('flip', [0.0, 1e-12, 0.3, 0.5])
def test_every_level_is_as_likely_as_stated(levels: int, flip: float) -> None:
    # Words on a grid stand for all of them.
    count = 1 << 16
    words = np.arange(count, dtype=np.int64) * (WORDS // count)
    sent = respond(np.full(count, levels - 1), words, flip, levels)
    shares = np.bincount(sent, minlength=levels) / count
    assert shares[-1] == pytest.approx(1 - flip, abs=2 / count)
    assert shares[:-1] == pytest.approx(flip / (levels - 1), abs=2 / count)


def test_a_least_probability_is_not_rounded_to_none() -> None:
    assert respond(np.array([1]), np.array([0]), 1e-12, 2) == 0
    assert respond(np.array([1]), np.array([0]), 0.0, 2) == 1


def test_arrays_and_tensors_give_the_same() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (6, 8), np.uint8)
    words = rng.integers(0, WORDS, (6, 8))
    tensors = respond(torch.from_numpy(codes), torch.from_numpy(words), 0.6, 5)
    assert np.array_equal(respond(codes, words, 0.6, 5), tensors.numpy())


def test_words_come_from_the_operating_system(monkeypatch) -> None:
    np.random.seed(0)
    first = draw_words((300, 400))
    np.random.seed(0)
    assert not np.array_equal(first, draw_words((300, 400)))
    assert first.dtype == np.int64 and first.min() >= 0 and first.max() < WORDS
    assert abs((first < WORDS // 4).mean() - 0.25) < 0.01
    monkeypatch.setattr('os.urandom', lambda count: bytes(range(count)))
    assert draw_words((1, 2)).tolist() == [[0x03020100, 0x07060504]]


def test_most_is_where_nothing_is_told() -> None:
    check_flip(0.75, 4)
    with pytest.raises(ValueError, match='from 0 to 0.75, where 4 levels tell nothing'):
        check_flip(0.76, 4)
