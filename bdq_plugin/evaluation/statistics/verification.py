"""Are two clips of one person? Equal error rate and cost of log-likelihood ratios.

Legend: N trials (pairs of clips), E enrolment clips, T test clips, D features, U distinct scores,
B draws. Higher scores speak for one person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.sparse import coo_array
from scipy.special import xlogy

from .intervals import LEVEL, Estimate
from .resampling import percentile_interval

DRAWS = 1000
Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]
# For resampling neighbouring scores share a bin: an error rate moves by 1 / 2000 at most.
_MOST_BINS = 2000
# Masses of genuine and of impostor trials in bins of ascending score.
_Bins = tuple[np.ndarray, np.ndarray]


def equal_error_rate(genuine: Sequence[float], impostor: Sequence[float]) -> float:
    """EER, in [0, 1]: the error rate at the threshold where both kinds are misjudged as often.

    Linear interpolation between neighbouring points of the ROC, where equal scores are one point.
    Not on the ROC's convex hull, which on trials that say nothing is below 0.5 by construction.

    Args:
        genuine: scores of pairs of one person.
        impostor: scores of pairs of two people.

    Raises:
        ValueError: one of them is empty, or a score is not finite.

    Example:
        >>> equal_error_rate([1.0, 3.0], [0.0, 2.0])
        0.5
    """
    return _figures(_masses(genuine, impostor))[0]


def min_cllr(genuine: Sequence[float], impostor: Sequence[float]) -> float:
    """Minimal Cllr in bits, in [0, 1]: 0 where scores separate, 1 where they say nothing.

    Cllr after the best monotonous calibration, which pool-adjacent-violators gives on the trials
    themselves (Brummer and du Preez, Computer Speech and Language 20, 2006). 1 - min Cllr is what
    the score tells, in bits, of a fair coin's toss between one person and two. It errs towards more
    leakage: on few trials that say nothing it is somewhat below 1.

    Args:
        genuine, impostor: as in :func:`equal_error_rate`.

    Raises:
        ValueError: as :func:`equal_error_rate`.

    Example:
        >>> min_cllr([2.0, 3.0], [0.0, 1.0])
        0.0
    """
    return _figures(_masses(genuine, impostor))[1]


def cllr(genuine: Sequence[float], impostor: Sequence[float]) -> float:
    """Cost of log-likelihood ratios in bits; 1 is what saying nothing costs, and it may be worse.

    Brummer and du Preez, Computer Speech and Language 20, 2006, equation 32.

    Args:
        genuine, impostor: natural log-likelihood ratios, one person against two.

    Raises:
        ValueError: as :func:`equal_error_rate`.

    Example:
        >>> cllr([0.0], [0.0])
        1.0
    """
    genuine, impostor = _check_scores(genuine, impostor)
    costs = np.logaddexp(0, -genuine).mean() + np.logaddexp(0, impostor).mean()
    return float(costs / (2 * np.log(2)))


# ------------------------------------------------------------------ trials
@dataclass(frozen=True)
class Trials:
    """Scored pairs of an enrolment and a test clip under one matcher.

    Attributes:
        scores_N: float, (N,).
        enrolled_N, tested_N: the person of either clip, (N,).
    """

    scores_N: np.ndarray
    enrolled_N: np.ndarray
    tested_N: np.ndarray


def cosine_scores(enrol_ED: np.ndarray, test_TD: np.ndarray) -> np.ndarray:
    """Cosine of each pair of embeddings, (E, T); 0 for an embedding of length 0."""
    return _unit(enrol_ED) @ _unit(test_TD).T


def likelihood_ratio_scores(
    enrol_ED: np.ndarray, test_TD: np.ndarray, between_D: np.ndarray
) -> np.ndarray:
    """Natural log-likelihood ratio of each pair, one person against two, (E, T).

    The two-covariance model (Brummer and de Villiers, The speaker partitioning problem, Odyssey
    2010) where both covariances are diagonal: clips lie around their person with variance 1, as an
    LDA leaves them, and people around 0.

    Args:
        enrol_ED, test_TD: embeddings.
        between_D: variance between people in each dimension.
    """
    product, square = between_D / (2 * between_D + 1), between_D**2 / (between_D + 1)
    square = square / (2 * between_D + 1) / 2
    constant = np.log((between_D + 1) ** 2 / (2 * between_D + 1)).sum() / 2
    squares = (enrol_ED**2 @ square)[:, None] + test_TD**2 @ square
    return (enrol_ED * product) @ test_TD.T - squares + constant


def make_trials(
    enrol_ED: np.ndarray,
    test_TD: np.ndarray,
    enrolled_E: Sequence[Any],
    tested_T: Sequence[Any],
    *,
    groups_E: Sequence[Any] | None = None,
    groups_T: Sequence[Any] | None = None,
    scorer: Scorer = cosine_scores,
) -> Trials:
    """All pairs of an enrolment and a test clip.

    Args:
        enrol_ED, test_TD: embeddings.
        enrolled_E, tested_T: the person of each.
        groups_E, groups_T: the performance of each, unique over people: pairs within one, such as
            its two views, are no trials. Without them all pairs are.
        scorer: from embeddings to scores (E, T).

    Raises:
        ValueError: there is no pair of one person, or none of two.
    """
    enrolled_E, tested_T = np.asarray(enrolled_E), np.asarray(tested_T)
    keep_ET = np.ones((len(enrolled_E), len(tested_T)), dtype=bool)
    if groups_E is not None and groups_T is not None:
        keep_ET = np.asarray(groups_E)[:, None] != np.asarray(groups_T)
    enrol, test = np.nonzero(keep_ET)
    trials = Trials(scorer(enrol_ED, test_TD)[enrol, test], enrolled_E[enrol], tested_T[test])
    genuine = int((trials.enrolled_N == trials.tested_N).sum())
    if genuine in (0, len(trials.scores_N)):
        raise ValueError(
            f'trials need pairs of one person and of two, got {genuine} and '
            f'{len(trials.scores_N) - genuine}: enrol each tested person in another performance'
        )
    return trials


@dataclass(frozen=True)
class Verification:
    """What a matcher achieves.

    Attributes:
        eer: see :func:`equal_error_rate`.
        min_cllr: see :func:`min_cllr`.
        people: number of people in the trials.
        genuine, impostor: number of trials.
    """

    eer: Estimate
    min_cllr: Estimate
    people: int
    genuine: int
    impostor: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        counts = {name: getattr(self, name) for name in ('people', 'genuine', 'impostor')}
        return {'eer': self.eer.to_dict(), 'min_cllr': self.min_cllr.to_dict(), **counts}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Verification:
        """The inverse of :meth:`to_dict`."""
        estimates = {key: Estimate.from_dict(values[key]) for key in ('eer', 'min_cllr')}
        return cls(**{**values, **estimates})


def verify(
    trials: Sequence[Trials], level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> Verification:
    """EER and minimal Cllr of a matcher, with intervals by resampling people.

    A person drawn c times counts c times in pairs of one person; a pair of two people counts the
    product of theirs; two copies of one person are no pair (Poh, Martin and Bengio, TPAMI 29,
    2007). Draws of a single person have no impostor and are left out.

    Args:
        trials: of each fold or seed: scores of different matchers share no scale, so figures are
            averaged over them. People are drawn by name for all of them together.
        level: coverage, between 0 and 1.
        draws: number of resamples.
        seed: of the draws.

    Raises:
        ValueError: no trials, or one of them has no pair of one person, or none of two.
    """
    if not trials:
        raise ValueError('no trials to verify')
    names = np.unique(np.concatenate([np.r_[t.enrolled_N, t.tested_N] for t in trials]))
    kinds = [_kinds(part) for part in trials]
    value = np.mean([_figures(_masses(*pair)) for pair in kinds], axis=0)
    rng = np.random.default_rng(seed)
    times_BK = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    drawn_SB2 = np.array([_resampled(part, names, times_BK) for part in trials])
    figures_B2 = _mean_of_defined(drawn_SB2)
    eer, cost = (
        Estimate(
            float(value[i]),
            percentile_interval(figures_B2[:, i], f'over {len(names)} people', level, seed),
        )
        for i in range(2)
    )
    genuine, impostor = (sum(len(pair[i]) for pair in kinds) for i in range(2))
    return Verification(eer, cost, len(names), genuine, impostor)


def _kinds(trials: Trials) -> tuple[np.ndarray, np.ndarray]:
    """Scores of pairs of one person and of two."""
    same = trials.enrolled_N == trials.tested_N
    return trials.scores_N[same], trials.scores_N[~same]


def _resampled(trials: Trials, names: np.ndarray, times_BK: np.ndarray) -> np.ndarray:
    """EER and minimal Cllr where people count that often, (B, 2); NaN where a kind is missing."""
    people = [np.searchsorted(names, who) for who in (trials.enrolled_N, trials.tested_N)]
    pairs, pair_N = np.unique(people[0] * len(names) + people[1], return_inverse=True)
    first, second = np.divmod(pairs, len(names))
    genuine = first == second
    weights_BP = times_BK[:, first] * np.where(genuine, 1, times_BK[:, second])
    unique, place_N = np.unique(trials.scores_N, return_inverse=True)
    place_N = place_N * min(len(unique), _MOST_BINS) // len(unique)
    ones = np.ones(len(place_N))
    histogram_PU = coo_array((ones, (pair_N, place_N)), shape=(len(pairs), place_N.max() + 1))
    histogram_PU = histogram_PU.tocsr()
    masses_BU = [weights_BP[:, kind] @ histogram_PU[kind] for kind in (genuine, ~genuine)]
    return np.array([_figures(pair) for pair in zip(*masses_BU, strict=True)])


# ------------------------------------------------------------------ pool-adjacent-violators
def _check_scores(
    genuine: Sequence[float], impostor: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    genuine, impostor = np.asarray(genuine, dtype=float), np.asarray(impostor, dtype=float)
    if not len(genuine) or not len(impostor):
        raise ValueError(
            f'verification needs both kinds of trials, got {len(genuine)} genuine and '
            f'{len(impostor)} impostor'
        )
    if not (np.isfinite(genuine).all() and np.isfinite(impostor).all()):
        raise ValueError('scores of trials must be finite')
    return genuine, impostor


def _figures(masses_U: _Bins) -> tuple[float, float]:
    """EER and minimal Cllr; NaN where one kind has no mass."""
    if not all(mass.any() for mass in masses_U):
        return np.nan, np.nan
    shares_U = tuple(mass / mass.sum() for mass in masses_U)
    return _eer(shares_U), _min_cllr(_pav(shares_U))


def _masses(genuine: Sequence[float], impostor: Sequence[float]) -> _Bins:
    """Number of trials of both kinds at each distinct score, ascending."""
    genuine, impostor = _check_scores(genuine, impostor)
    unique, place = np.unique(np.r_[genuine, impostor], return_inverse=True)
    split = len(genuine)
    counts = (np.bincount(part, minlength=len(unique)) for part in (place[:split], place[split:]))
    return tuple(counts)


def _pav(masses_U: _Bins) -> _Bins:
    """Pool adjacent bins until the share of genuine mass rises with the score."""
    genuine, impostor = (mass[masses_U[0] + masses_U[1] > 0] for mass in masses_U)
    total = genuine + impostor
    starts = isotonic_regression(genuine / total, weights=total).blocks[:-1]
    return np.add.reduceat(genuine, starts), np.add.reduceat(impostor, starts)


def _eer(bins: _Bins) -> float:
    """Where the line through the points of the ROC meets that of equal errors."""
    misses = np.r_[0, np.cumsum(bins[0])]
    false_alarms = 1 - np.r_[0, np.cumsum(bins[1])]
    gap = misses - false_alarms
    after = int(np.argmax(gap >= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(misses[after - 1] + share * (misses[after] - misses[after - 1]))


def _min_cllr(bins: _Bins) -> float:
    """Entropy of the kind given the bin, both kinds being equally likely."""
    genuine, impostor = bins
    total = genuine + impostor
    entropy = xlogy(genuine, genuine / total) + xlogy(impostor, impostor / total)
    return float(max(0.0, -entropy.sum() / (2 * np.log(2))))


def _unit(embeddings: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(lengths > 0, lengths, 1)


def _mean_of_defined(figures_SB2: np.ndarray) -> np.ndarray:
    """Mean over the matchers that gave a figure, NaN where none did."""
    defined = ~np.isnan(figures_SB2)
    sums, counts = np.where(defined, figures_SB2, 0).sum(0), defined.sum(0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
