"""The classical attacker: hand-made features and shrunken discriminant analyses that vote."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.covariance import empirical_covariance, shrunk_covariance
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ...progress import track
from ..clips import Clips, leave_one_unit_out
from ..ensemble import combine, fit_weights, held_out_loss
from .base import ATTACKERS, Answer, Attacker, Fit, normalized
from .template_features import describe_clip

Scorer = Callable[[np.ndarray], np.ndarray]
Features = dict[str, np.ndarray]
Split = tuple[np.ndarray, np.ndarray]
# Of clips that are all the same, beside features of variance 1.
_LEAST_VARIANCE = 1e-6
# Clips with the features that they were found to have, the last of each side of a fold.
_DESCRIBED: deque[tuple[Any, Any, Features]] = deque(maxlen=2)


@ATTACKERS.register_module()
class TemplateAttacker(Attacker):
    """Discriminant analysis of each family of features; the families vote.

    For each family features are standardised, reduced by PCA, and told apart by linear discriminant
    analysis with shrunken covariance. Shrinkage and the weights of the families are chosen by
    leaving out one unit of the training clips in turn. Clips are learned as they are and mirrored,
    in all their encodings; an answer is the mean over the mirrored pair.

    Args:
        families: names of :func:`~.template_features.describe_clip`; None for all.
        max_frames: frames of a clip that are looked at, spread over it: neighbours show nearly the
            same.
        components: most principal components.
        shrinkages: of the covariance, to choose from, in [0, 1].
        **kwargs: see :class:`Attacker`.
    """

    cross_fits = True

    def __init__(
        self,
        *,
        families: Sequence[str] | None = None,
        max_frames: int = 40,
        components: int = 150,
        shrinkages: Sequence[float] = (0.1, 0.3, 0.6, 0.9),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_frames < 2 or components < 1:
            raise ValueError('templates need max_frames of 2 or more and components of 1 or more')
        if not shrinkages or not all(0 <= s <= 1 for s in shrinkages):
            raise ValueError(f'shrinkages must lie in 0 to 1, got {shrinkages}')
        self.families, self.max_frames = families, max_frames
        self.components, self.shrinkages = components, tuple(shrinkages)

    def check(self, clips: Clips) -> None:
        known = describe_clip(clips.values[0][0][:, :2], 1.0)
        unknown = sorted(set(self.families or ()) - known.keys())
        if unknown:
            raise ValueError(
                f'no family of features {", ".join(unknown)}: choose from {", ".join(known)}'
            )
        leave_one_unit_out(clips)

    def fit(self, clips: Clips) -> Fit:
        features = self.describe_training(clips)
        truth = clips.target(self.target).numpy()
        return self.learn(features, truth, leave_one_unit_out(clips))

    def answer(self, clips: Clips) -> Answer:
        return Answer(self.judge(self.describe(clips)))

    def learn(self, features: Features, truth: np.ndarray, splits: Sequence[Split]) -> Fit:
        """Learn from features.

        Args:
            features: of the training clips, see :meth:`describe`.
            truth: labels (N,), or attributes (N, K).
            splits: indices of clips to learn from and to judge by.
        """
        self._models, chosen, held_out = {}, {}, []
        for name, x_NVD in features.items():
            tried = np.zeros((len(self.shrinkages), len(truth), self.num_outputs))
            for learn, judge in splits:
                models = self._learn(x_NVD[learn], truth[learn])
                tried[:, judge] = [model(x_NVD[judge][:, :2]) for model in models]
            best = int(np.argmin([held_out_loss(scores, truth) for scores in tried]))
            held_out.append(tried[best])
            chosen[name] = self.shrinkages[best]
            self._models[name] = self._learn(x_NVD, truth, [self.shrinkages[best]])[0]
        self._weights = fit_weights(np.stack(held_out), truth)
        pooled = combine(np.stack(held_out), self._weights, self.multi_label)
        seen = self._vote({name: x_NVD[:, :2] for name, x_NVD in features.items()})
        weights = dict(zip(features, np.round(self._weights, 3).tolist(), strict=True))
        return Fit(
            train_accuracy=accuracy(seen, truth),
            converged=True,
            held_out=pooled,
            notes=dict(shrinkage=chosen, weight=weights),
        )

    def judge(self, features: Features) -> np.ndarray:
        """Log-probabilities, or log-odds of attributes, of each encoding: (N, E, K)."""
        views = next(iter(features.values())).shape[1]
        each = [
            self._vote({name: x_NVD[:, v : v + 2] for name, x_NVD in features.items()})
            for v in range(0, views, 2)
        ]
        return np.stack(each, 1)

    def _vote(self, features: Features) -> np.ndarray:
        scores = np.stack([self._models[name](x_NVD) for name, x_NVD in features.items()])
        return combine(scores, self._weights, self.multi_label)

    def describe_training(self, clips: Clips) -> Features:
        """Take the scale of all features from these clips, and describe them."""
        self._scale = _typical_size(clips)
        return self.describe(clips)

    def describe(self, clips: Clips) -> Features:
        """By family (N, V, D): views are the encodings, each as it is and mirrored.

        The last clips' are kept: several attackers and controls ask for the same ones.
        """
        settings = (self.max_frames, self.families and tuple(self.families), self._scale)
        for values, kept, found in _DESCRIBED:
            if values is clips.values and kept == settings:
                return found
        views = 2 * clips.num_encodings
        found: Features = {}
        for n in track(range(len(clips)), 'features', 'clips'):
            for e, value in enumerate(clips.values[n]):
                x_CTHW = spread_frames(value, self.max_frames)
                for mirrored in (0, 1):
                    parts = describe_clip(x_CTHW.flip(-1) if mirrored else x_CTHW, self._scale)
                    for name in self.families or parts:
                        if name not in found:
                            shape = (len(clips), views, len(parts[name]))
                            found[name] = np.empty(shape, np.float32)
                        found[name][n, 2 * e + mirrored] = parts[name].numpy()
        _DESCRIBED.append((clips.values, settings, found))
        return found

    def _learn(
        self, x_NVD: np.ndarray, truth: np.ndarray, shrinkages: Sequence[float] | None = None
    ) -> list[_Model]:
        """A model for each shrinkage; they share what comes before."""
        clips, views, width = x_NVD.shape
        x_MD, truth_M = x_NVD.reshape(-1, width), np.repeat(truth, views, 0)
        scaler = StandardScaler().fit(x_MD)
        pca = PCA(
            min(self.components, width, len(x_MD) - 1, max(1, clips - 1)),
            svd_solver='randomized',
            iterated_power=3,
            random_state=self.seed,
        )
        z_MP = pca.fit_transform(scaler.transform(x_MD))
        return [
            _Model(scaler, pca, discriminant(z_MP, truth_M, shrinkage, self.num_outputs))
            for shrinkage in shrinkages or self.shrinkages
        ]


class _Model:
    """Features (N, V, D) to scores (N, K), the mean over views."""

    def __init__(self, scaler: StandardScaler, pca: PCA, scorer: Scorer) -> None:
        self.scaler, self.pca, self.scorer = scaler, pca, scorer

    def __call__(self, x_NVD: np.ndarray) -> np.ndarray:
        clips, views, width = x_NVD.shape
        z_MP = self.pca.transform(self.scaler.transform(x_NVD.reshape(-1, width)))
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


def accuracy(scores_NK: np.ndarray, truth: np.ndarray) -> float:
    """Share of clips told rightly; for attributes the share of right ones."""
    if truth.ndim == 1:
        return float((scores_NK.argmax(1) == truth).mean())
    return float(((scores_NK > 0) == (truth > 0.5)).mean())


def spread_frames(x_CTHW: Tensor, most: int) -> Tensor:
    """At most so many frames, spread evenly over the clip."""
    total = x_CTHW.shape[1]
    if total <= most:
        return x_CTHW
    return x_CTHW[:, torch.linspace(0, total - 1, most).round().long()]


def _typical_size(clips: Clips) -> float:
    """Twice the standard deviation of the values, from a share of the clips."""
    step = max(1, len(clips) // 40)
    some = torch.cat([clips.values[n][0].float().flatten() for n in range(0, len(clips), step)])
    return max(2 * float(some.std()), 1e-6)
