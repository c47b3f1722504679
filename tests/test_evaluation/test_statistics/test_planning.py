import numpy as np
import pytest
from scipy.stats import t

from bdq_plugin.evaluation.statistics import (
    Variances,
    expected_width,
    people_needed,
    person_interval,
    variance_components,
)


def normal_figures(rng, people, performances, between=0.15, within=0.3):
    own = rng.normal(0.5, between, (people, 1))
    values = own + rng.normal(0, within, (people, performances))
    persons, groups = np.indices(values.shape)
    return values.ravel(), persons.ravel(), groups.ravel()


def test_components_by_hand() -> None:
    """Means 1 and 4; within squares 2 and 2 over 2 degrees; between 9 = within + 2 x between."""
    found = variance_components([0, 2, 3, 5], ['a', 'a', 'b', 'b'], [1, 2, 1, 2])
    assert (found.between, found.within) == pytest.approx(((9 - 2) / 2, 2))


def test_components_of_many_people_of_unequal_numbers() -> None:
    rng = np.random.default_rng(0)
    values, persons, groups = normal_figures(rng, 3000, 6)
    keep = groups <= persons % 6
    found = variance_components(values[keep], persons[keep], groups[keep])
    assert found.between == pytest.approx(0.15**2, rel=0.1)
    assert found.within == pytest.approx(0.3**2, rel=0.1)


def test_views_of_a_performance_are_one_figure() -> None:
    values, persons, groups = normal_figures(np.random.default_rng(1), 20, 5)
    once = variance_components(values, persons, groups)
    thrice = variance_components(*(np.repeat(rows, 3) for rows in (values, persons, groups)))
    assert (thrice.between, thrice.within) == pytest.approx((once.between, once.within))


def test_width_is_students() -> None:
    width = expected_width(Variances(0.04, 0.2), people=10, performances=5)
    assert width == pytest.approx(2 * t.ppf(0.975, 9) * np.sqrt((0.04 + 0.04) / 10))


def test_width_foretells_the_interval() -> None:
    """Of forty people, where percentiles and Student's t hardly differ."""
    rng, widths = np.random.default_rng(2), []
    for _ in range(30):
        values, persons, groups = normal_figures(rng, 40, 6, within=0.2)
        interval = person_interval(values.clip(0, 1), persons, groups, draws=500)
        widths.append(interval.high - interval.low)
    assert np.mean(widths) == pytest.approx(expected_width(Variances(0.0225, 0.04), 40, 6), rel=0.1)


@pytest.mark.parametrize('width', [0.05, 0.2, 0.6])
def test_people_needed_is_the_fewest(width: float) -> None:
    variances = Variances(0.04, 0.2)
    people = people_needed(variances, width, performances=6)
    assert expected_width(variances, people, 6) <= width < expected_width(variances, people - 1, 6)


def test_two_people_are_the_least() -> None:
    assert people_needed(Variances(0, 0), 0.1, performances=1) == 2


def test_bad_requests() -> None:
    with pytest.raises(ValueError, match='no number of people'):
        people_needed(Variances(0.04, 0.2), 0.0, performances=6)
    with pytest.raises(ValueError, match='two people and one performance or more, got 1 and 3'):
        expected_width(Variances(0.04, 0.2), people=1, performances=3)
    with pytest.raises(ValueError, match='got 2 people with 2 performances'):
        variance_components([1, 0], ['a', 'b'], ['1', '1'])
