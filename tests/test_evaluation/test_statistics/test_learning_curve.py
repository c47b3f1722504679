import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdq_plugin.evaluation.statistics import nested_subsets

PERSONS = np.repeat(['a', 'b', 'c'], [8, 10, 12])
GROUPS = np.concatenate([np.arange(n) // 2 for n in (8, 10, 12)])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_subsets_are_nested_and_even(seed: int) -> None:
    sets = nested_subsets(PERSONS, GROUPS, [1, 2, 4], seed)
    for size, rows in sets.items():
        for person in 'abc':
            mine = rows[PERSONS[rows] == person]
            names, counts = np.unique(GROUPS[mine], return_counts=True)
            assert len(names) == size and (counts == 2).all()
    assert set(sets[1]) < set(sets[2]) < set(sets[4])
    again = nested_subsets(PERSONS, GROUPS, [1, 2, 4], seed)
    assert all((sets[size] == again[size]).all() for size in sets)


def test_seeds_differ() -> None:
    drawn = {tuple(nested_subsets(PERSONS, GROUPS, [2], seed)[2]) for seed in range(5)}
    assert len(drawn) > 1


@pytest.mark.parametrize('sizes', [[0, 1], [2, 5]])
def test_sizes_must_fit_everyone(sizes) -> None:
    with pytest.raises(ValueError, match=r'person a has 4 performances: sizes \[.*\] must be 1 to'):
        nested_subsets(PERSONS, GROUPS, sizes)
