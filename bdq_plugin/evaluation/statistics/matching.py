"""Matchers of people over clear and coded clips: what linking costs an attacker.

::

    features --standardise, PCA--> axes of no class --shrunken LDA--> likelihood ratios of pairs
                                     ^ codes rotated onto clear: the aligned matcher

Legend: M clips, D features, R principal components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment
from scipy.stats import skew
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .intervals import LEVEL
from .verification import (
    DRAWS,
    Scorer,
    Trials,
    Verification,
    likelihood_ratio_scores,
    make_trials,
    verify,
)

COMPONENTS = 64
_MOST_ITERATIONS = 50
_Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Features:
    """Clips in both forms.

    Attributes:
        clear_MD, codes_MD: features of the same clips, from clear video and from their codes.
        persons_M: the person of each.
        groups_M: the performance of each, unique over people.
    """

    clear_MD: np.ndarray
    codes_MD: np.ndarray
    persons_M: np.ndarray
    groups_M: np.ndarray

    def __post_init__(self) -> None:
        shapes = {name: np.shape(value) for name, value in vars(self).items()}
        if len({shape[0] for shape in shapes.values()}) > 1:
            raise ValueError(f'features need one row a clip in each array, got {shapes}')
        if self.clear_MD.shape[1:] != self.codes_MD.shape[1:]:
            raise ValueError(
                'a matcher trained on clear video needs the same features of codes, got '
                f'{shapes["clear_MD"]} and {shapes["codes_MD"]}'
            )

    def of(self, people: np.ndarray) -> Features:
        """The clips of these people."""
        mine = np.isin(self.persons_M, people)
        return Features(*(value[mine] for value in vars(self).values()))

    def form(self, name: str) -> np.ndarray:
        """The features in one form, ``'clear'`` or ``'codes'``."""
        return self.clear_MD if name == 'clear' else self.codes_MD


@dataclass(frozen=True)
class Case:
    """What a matcher was trained on, and what it compares.

    Attributes:
        matcher: ``'clear'``, ``'codes'``, or ``'aligned'``: trained on clear video, and codes
            rotated onto it.
        enrolled, tested: form of either clip, ``'clear'`` or ``'codes'``.
    """

    matcher: str
    enrolled: str
    tested: str


# The control; then the attackers, the ignorant and the lazy before those who adapt to the codes.
CASES = (
    Case('clear', 'clear', 'clear'),
    Case('clear', 'clear', 'codes'),
    Case('clear', 'codes', 'codes'),
    Case('aligned', 'clear', 'codes'),
    Case('codes', 'codes', 'codes'),
)


@dataclass(frozen=True)
class Match:
    """What the matcher of a case achieves.

    Attributes:
        case: see :class:`Case`.
        seen: whether the matcher was trained on the people whom it compares.
        verification: EER and minimal Cllr.
    """

    case: Case
    seen: bool
    verification: Verification

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**vars(self.case), 'seen': self.seen, **self.verification.to_dict()}


def match(
    folds: Sequence[tuple[Features, Features]],
    *,
    cases: Sequence[Case] = CASES,
    unseen_splits: int = 2,
    components: int = COMPONENTS,
    shrinkage: float | str = 'auto',
    paired: bool = True,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Match]:
    """EER and minimal Cllr of each case, on people seen in training and on unseen ones.

    Enrolment clips are training clips, so that the two clips of a trial are of different takes.
    For unseen people the people are split; the matcher trains without those of one part and is
    tried on them. A matcher trained on clear video and tried on codes (the ignorant and the lazy
    informed attacker of VoicePrivacy, arXiv 2404.02677) is worthless as a proof: the adapted ones
    count.

    Args:
        folds: training and test clips of each.
        cases: what to try.
        unseen_splits: parts of the people: 2 leaves half of them out at a time.
        components: of the PCA, or what the clips allow.
        shrinkage: of the covariance within people, in [0, 1], or ``'auto'`` (Ledoit and Wolf).
        paired: whether the aligned matcher knows which codes belong to which clear clips, as one
            who can run the encoder does; see :func:`align`.
        level, draws, seed: of the intervals and of the split of the people.

    Returns:
        For each case seen and unseen people.

    Raises:
        ValueError: fewer than two people in a part or in what it leaves, or a test person without
            enrolment clips.
    """
    train_people = np.unique(np.concatenate([train.persons_M for train, _ in folds]))
    strangers = {str(p) for _, test in folds for p in test.persons_M} - set(map(str, train_people))
    if strangers:
        raise ValueError(f'people without enrolment clips in training: {sorted(strangers)}')
    order = np.random.default_rng(seed).permutation(train_people)
    parts = [order[start::unseen_splits] for start in range(unseen_splits)]
    if unseen_splits < 2 or min(map(len, parts)) < 2:
        raise ValueError(
            f'{len(train_people)} people cannot be split into {unseen_splits} parts of two or more'
        )
    options = (components, shrinkage, paired)
    trials: dict[tuple[Case, bool], list[Trials]] = {
        (c, s): [] for c in cases for s in (True, False)
    }
    for train, test in folds:
        for people in (train_people, *parts):
            seen = people is train_people
            learned = train if seen else train.of(np.setdiff1d(train_people, people))
            matchers = _train_matchers(learned, *options)
            enrol, probe = train.of(people), test.of(people)
            for case in cases:
                trials[case, seen].append(_compare(matchers[case.matcher], case, enrol, probe))
    return [
        Match(case, seen, verify(scored, level, draws, seed))
        for (case, seen), scored in trials.items()
    ]


def align(source_MR: np.ndarray, target_NR: np.ndarray, paired: bool = True) -> np.ndarray:
    """The rotation that brings one set of embeddings onto another without looking at people.

    Orthogonal Procrustes. Without pairs, rotation and assignment take turns (Wasserstein
    Procrustes; Grave, Joulin and Berthet, AISTATS 2019; against speaker anonymisation Champion et
    al., ASRU 2021), starting from principal axes whose signs agree in skewness: a local optimum.

    Args:
        source_MR, target_NR: centred embeddings along principal axes.
        paired: whether row i of both is of one clip.

    Returns:
        Orthogonal (R, R): ``source_MR @ rotation`` is comparable with ``target_NR``.

    Raises:
        ValueError: shapes that do not fit.
    """
    if source_MR.shape[1] != target_NR.shape[1] or (paired and len(source_MR) != len(target_NR)):
        raise ValueError(f'cannot align {source_MR.shape} with {target_NR.shape}, paired={paired}')
    if paired:
        return orthogonal_procrustes(source_MR, target_NR)[0]
    signs = np.sign(skew(source_MR) * skew(target_NR))
    rotation, before = np.diag(np.where(signs == 0, 1, signs)), None
    for _ in range(_MOST_ITERATIONS):
        rows, columns = linear_sum_assignment(source_MR @ rotation @ target_NR.T, maximize=True)
        if before is not None and (columns == before).all():
            break
        before = columns
        rotation = orthogonal_procrustes(source_MR[rows], target_NR[columns])[0]
    return rotation


@dataclass(frozen=True)
class _Matcher:
    """How features of either form are embedded, and embeddings compared."""

    embed: dict[str, _Embed]
    scorer: Scorer


def _train_matchers(
    train: Features, components: int, shrinkage: float | str, paired: bool
) -> dict[str, _Matcher]:
    """The matcher of each name."""
    size = min(components, len(train.persons_M) - 1, train.clear_MD.shape[1])
    bases = {
        form: make_pipeline(StandardScaler(), PCA(size, svd_solver='full')).fit(train.form(form))
        for form in ('clear', 'codes')
    }
    flat = {form: base.transform(train.form(form)) for form, base in bases.items()}
    lda = {
        form: LinearDiscriminantAnalysis(solver='eigen', shrinkage=shrinkage).fit(
            flat[form], train.persons_M
        )
        for form in flat
    }
    rotation = align(flat['codes'], flat['clear'], paired)
    scorers = {form: _scorer(lda[form].transform(flat[form]), train.persons_M) for form in flat}

    def on_clear(features: np.ndarray) -> np.ndarray:
        return lda['clear'].transform(bases['clear'].transform(features))

    def on_codes(features: np.ndarray) -> np.ndarray:
        return lda['codes'].transform(bases['codes'].transform(features))

    def aligned(features: np.ndarray) -> np.ndarray:
        return lda['clear'].transform(bases['codes'].transform(features) @ rotation)

    return {
        'clear': _Matcher(dict(clear=on_clear, codes=on_clear), scorers['clear']),
        'codes': _Matcher(dict(clear=on_codes, codes=on_codes), scorers['codes']),
        'aligned': _Matcher(dict(clear=on_clear, codes=aligned), scorers['clear']),
    }


def _scorer(embeddings_MR: np.ndarray, persons_M: np.ndarray) -> Scorer:
    """Likelihood ratios with the variance between people that the training clips show."""
    people, counts = np.unique(persons_M, return_counts=True)
    means = np.array([embeddings_MR[persons_M == person].mean(0) for person in people])
    # Means of few clips spread by themselves.
    between = np.maximum(means.var(0, ddof=1) - (1 / counts).mean(), 0)
    return partial(likelihood_ratio_scores, between_D=between)


def _compare(matcher: _Matcher, case: Case, enrol: Features, test: Features) -> Trials:
    return make_trials(
        matcher.embed[case.enrolled](enrol.form(case.enrolled)),
        matcher.embed[case.tested](test.form(case.tested)),
        enrol.persons_M,
        test.persons_M,
        groups_E=enrol.groups_M,
        groups_T=test.groups_M,
        scorer=matcher.scorer,
    )
