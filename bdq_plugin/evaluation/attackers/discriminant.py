"""Shrunken discriminant analyses of features: what the classical attacker learns.

Scikit-learn is imported here alone among the attackers, and it takes a second: whoever builds no
such attacker does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.covariance import empirical_covariance, shrunk_covariance
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from .base import normalized

Scorer = Callable[[np.ndarray], np.ndarray]
# Of clips that are all the same, beside features of variance 1.
_LEAST_VARIANCE = 1e-6
# Deviations from the mean of training. A feature that was constant there but for rounding may lie
# millions of them away in another clip, about which training has taught nothing; it would outvote
# all the others.
_FURTHEST = 1e3


def learn(
    x_NVD: np.ndarray,
    truth: np.ndarray,
    shrinkages: Sequence[float],
    *,
    components: int,
    seed: int,
    num_outputs: int,
) -> list[Model]:
    """A model for each shrinkage; they share what comes before.

    Args:
        x_NVD: features of N clips in V views.
        truth: labels (N,), or attributes 0 or 1, (N, K).
        shrinkages: of the covariance, in [0, 1].
        components: most principal components.
        seed: of the randomised decomposition.
        num_outputs: K.
    """
    clips, views, width = x_NVD.shape
    x_MD, truth_M = x_NVD.reshape(-1, width), np.repeat(truth, views, 0)
    scaler = StandardScaler().fit(x_MD)
    pca = PCA(
        min(components, width, len(x_MD) - 1, max(1, clips - 1)),
        svd_solver='randomized',
        iterated_power=3,
        random_state=seed,
    )
    z_MP = pca.fit_transform(scaler.transform(x_MD))
    return [
        Model(scaler, pca, discriminant(z_MP, truth_M, shrinkage, num_outputs))
        for shrinkage in shrinkages
    ]


class Model:
    """Features (N, V, D) to scores (N, K), the mean over views."""

    def __init__(self, scaler: StandardScaler, pca: PCA, scorer: Scorer) -> None:
        self.scaler, self.pca, self.scorer = scaler, pca, scorer

    def __call__(self, x_NVD: np.ndarray) -> np.ndarray:
        clips, views, width = x_NVD.shape
        x_MD = self.scaler.transform(x_NVD.reshape(-1, width))
        x_MD[np.abs(x_MD) > _FURTHEST] = 0
        z_MP = self.pca.transform(x_MD)
        return self.scorer(z_MP).reshape(clips, views, -1).mean(1)


def discriminant(z_MP: np.ndarray, truth: np.ndarray, shrinkage: float, num_outputs: int) -> Scorer:
    """Learn a discriminant analysis with shrunken covariance.

    Args:
        z_MP: features.
        truth: labels (M,), or attributes 0 or 1, (M, K).
        shrinkage: of the covariance, in [0, 1].
        num_outputs: K.

    Returns:
        From features (M, P) to log-probabilities (M, K), of which classes that were not in training
        get next to none; for attributes to log-odds, one analysis each.
    """
    if truth.ndim == 2:
        each = [_odds(z_MP, column.astype(int), shrinkage) for column in truth.T]
        return lambda z: np.stack([odds(z) for odds in each], 1)
    lda = _analysis(shrinkage).fit(z_MP, truth)

    def score(z_MP: np.ndarray) -> np.ndarray:
        scores = lda.decision_function(z_MP)
        if scores.ndim == 1:
            scores = np.stack([np.zeros_like(scores), scores], 1)
        every = np.full((len(z_MP), num_outputs), scores.min() - 10.0)
        every[:, lda.classes_] = scores
        return normalized(every)

    return score


def _odds(z_MP: np.ndarray, there_M: np.ndarray, shrinkage: float) -> Scorer:
    if there_M.min() == there_M.max():  # all have it, or none: there is nothing to tell apart
        return lambda z: np.full(len(z), 4.0 if there_M[0] else -4.0)
    return _analysis(shrinkage).fit(z_MP, there_M).decision_function


def _analysis(shrinkage: float) -> LinearDiscriminantAnalysis:
    return LinearDiscriminantAnalysis(
        solver='lsqr', covariance_estimator=_ShrunkCovariance(shrinkage)
    )


class _ShrunkCovariance(BaseEstimator):
    """A covariance shrunken towards a sphere, which is never nothing.

    Where all clips of each class are the same, scikit-learn's is zero in every direction, and an
    analysis that could tell them with certainty says that it cannot tell them at all.
    """

    def __init__(self, shrinkage: float) -> None:
        self.shrinkage = shrinkage

    def fit(self, x_MP: np.ndarray) -> _ShrunkCovariance:
        covariance = shrunk_covariance(empirical_covariance(x_MP), self.shrinkage)
        if not covariance.any():
            covariance = _LEAST_VARIANCE * np.eye(len(covariance))
        self.covariance_ = covariance
        return self
