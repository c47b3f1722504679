"""Matchers on features in which a direction tells people, clear and coded."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from bdq_plugin.evaluation.statistics.matching import CASES, Case, Features, align, match

PEOPLE, TAKES, CLIPS, SIZE, SIGNAL = 12, 3, 8, 12, 6


def planted(strength: float, leak: float = 1.0, seed: int = 0, own: np.ndarray | None = None):
    """Training and test takes: some directions tell the person; codes are turned, and noisier."""
    rng = np.random.default_rng(seed)
    own = strength * (rng.normal(size=(PEOPLE, SIGNAL)) if own is None else own)
    persons = np.repeat(np.arange(PEOPLE), TAKES * CLIPS)
    takes = np.tile(np.repeat(np.arange(TAKES), CLIPS), PEOPLE)
    scale = np.linspace(1, 3, SIZE)
    noise = rng.gamma(2, size=(len(persons), SIZE)) * scale
    code = noise.copy()
    noise[:, : own.shape[1]] += own[persons]
    code[:, : own.shape[1]] += leak * own[persons]
    turn = ortho_group.rvs(SIZE, random_state=seed)
    codes = code @ turn + 0.3 * rng.normal(size=code.shape)
    parts = []
    for part in (takes < TAKES - 1, takes == TAKES - 1):
        groups = np.array(
            [f'{p}/{t}/{i}' for i, (p, t) in enumerate(zip(persons, takes, strict=True))]
        )
        parts.append(Features(noise[part], codes[part], persons[part], groups[part]))
    return tuple(parts)


def figures(matches, seen: bool) -> dict[Case, float]:
    return {row.case: row.verification.eer.value for row in matches if row.seen == seen}


@pytest.fixture(scope='module')
def leaking():
    return match([planted(8.0)], draws=50)


@pytest.mark.parametrize('seen', [True, False])
def test_who_adapts_to_the_codes_links_people(leaking, seen: bool) -> None:
    eer = figures(leaking, seen)
    control, ignorant, lazy, aligned, adapted = (eer[case] for case in CASES)
    assert control < 0.15 and adapted < 0.15 and aligned < 0.15
    # Trained on clear video alone, a matcher is blind to codes that leak as much.
    assert ignorant > 0.4
    assert lazy > adapted + 0.05


def test_unseen_people_are_counted_all(leaking) -> None:
    for row in leaking:
        assert row.verification.people == PEOPLE
        pairs = 2 * CLIPS * CLIPS * PEOPLE
        assert row.verification.genuine == pairs
        others = PEOPLE - 1 if row.seen else PEOPLE // 2 - 1
        assert row.verification.impostor == pairs * others
    record = leaking[0].to_dict()
    assert (record['matcher'], record['enrolled'], record['tested']) == ('clear',) * 3
    assert record['seen'] is True and set(record['eer']) == {'value', 'interval'}


def test_codes_that_hold_nobody_stay_at_chance() -> None:
    matches = match([planted(8.0, leak=0.0)], draws=50)
    for seen in (True, False):
        eer = figures(matches, seen)
        assert eer[CASES[0]] < 0.15
        assert all(eer[case] > 0.42 for case in CASES[1:])


def test_matchers_have_not_seen_the_unseen() -> None:
    """Where each person has a direction to himself, those of others are of no use."""
    case = Case('clear', 'clear', 'clear')
    matches = match([planted(12.0, own=np.eye(PEOPLE))], cases=[case], draws=2)
    seen, unseen = (figures(matches, which)[case] for which in (True, False))
    assert seen < 0.15 and unseen > 0.2


def test_folds_are_averaged() -> None:
    case = (CASES[-1],)
    folds = [planted(4.0, seed=0), planted(1.0, seed=1)]
    alone = [figures(match([fold], cases=case, draws=2), True)[case[0]] for fold in folds]
    both = figures(match(folds, cases=case, draws=2), True)[case[0]]
    assert both == pytest.approx(np.mean(alone))


class TestAlign:
    def embeddings(self) -> np.ndarray:
        rng = np.random.default_rng(0)
        points = rng.gamma(1.0, size=(200, 5)) * [5, 4, 3, 2, 1]
        return points - points.mean(0)

    def test_pairs_undo_any_rotation(self) -> None:
        source, turn = self.embeddings(), ortho_group.rvs(5, random_state=1)
        np.testing.assert_allclose(align(source @ turn, source), turn.T, atol=1e-9)

    def test_without_pairs_signs_and_small_turns_are_undone(self) -> None:
        """What PCA leaves open: signs of axes, and axes that are slightly off."""
        target, rng = self.embeddings(), np.random.default_rng(2)
        skewed = 0.1 * rng.normal(size=(5, 5))
        turn = np.linalg.qr(np.eye(5) + skewed - skewed.T)[0] @ np.diag([1, -1, -1, 1, -1])
        source = target[rng.permutation(200)] @ turn
        np.testing.assert_allclose(align(source, target, paired=False), turn.T, atol=1e-6)

    def test_rows_of_pairs_must_fit(self) -> None:
        with pytest.raises(ValueError, match=r'cannot align \(3, 2\) with \(4, 2\), paired=True'):
            align(np.ones((3, 2)), np.ones((4, 2)))


def test_bad_features() -> None:
    train, test = planted(1.0)
    with pytest.raises(ValueError, match='12 people cannot be split into 7 parts'):
        match([(train, test)], unseen_splits=7)
    few = train.of(np.arange(PEOPLE - 1))
    with pytest.raises(ValueError, match=r"without enrolment clips in training: \['11'\]"):
        match([(few, test)])
    with pytest.raises(ValueError, match='one row a clip in each array'):
        Features(train.clear_MD[1:], train.codes_MD, train.persons_M, train.groups_M)
    with pytest.raises(ValueError, match='needs the same features of codes'):
        Features(train.clear_MD[:, 1:], train.codes_MD, train.persons_M, train.groups_M)
