"""The classical attacker: hand-made features and shrunken discriminant analyses that vote."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...progress import track
from ..clips import Clips, leave_one_unit_out
from ..ensemble import combine, fit_weights, held_out_loss
from .base import ATTACKERS, Answer, Attacker, Fit
from .cell_features import describe_cells
from .template_features import describe_clip

if TYPE_CHECKING:
    from .discriminant import Model

Features = dict[str, np.ndarray]
Split = tuple[np.ndarray, np.ndarray]
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
        families: names of those that :meth:`describe_one` gives; None for all.
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
        known = self.describe_one(clips.values[0][0][:, :2], 1.0)
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
        families = self.families and tuple(self.families)
        settings = (type(self), self.max_frames, families, self._scale)
        for values, kept, found in _DESCRIBED:
            if values is clips.values and kept == settings:
                return found
        views = 2 * clips.num_encodings
        found: Features = {}
        for n in track(range(len(clips)), 'features', 'clips'):
            for e, value in enumerate(clips.values[n]):
                x_CTHW = spread_frames(value, self.max_frames)
                for mirrored in (0, 1):
                    parts = self.describe_one(x_CTHW.flip(-1) if mirrored else x_CTHW, self._scale)
                    for name in self.families or parts:
                        if name not in found:
                            shape = (len(clips), views, len(parts[name]))
                            found[name] = np.empty(shape, np.float32)
                        found[name][n, 2 * e + mirrored] = parts[name].numpy()
        _DESCRIBED.append((clips.values, settings, found))
        return found

    def describe_one(self, x_CTHW: Tensor, scale: float) -> dict[str, Tensor]:
        """Families of a clip; see :func:`~.template_features.describe_clip`."""
        return describe_clip(x_CTHW, scale)

    def _learn(
        self, x_NVD: np.ndarray, truth: np.ndarray, shrinkages: Sequence[float] | None = None
    ) -> list[Model]:
        """A model for each shrinkage; they share what comes before."""
        from .discriminant import learn

        return learn(
            x_NVD,
            truth,
            self.shrinkages if shrinkages is None else shrinkages,
            components=self.components,
            seed=self.seed,
            num_outputs=self.num_outputs,
        )


@ATTACKERS.register_module()
class CellAttacker(TemplateAttacker):
    """Looks at the cells of coarse codes too, see :func:`~.cell_features.describe_cells`."""

    def describe_one(self, x_CTHW: Tensor, scale: float) -> dict[str, Tensor]:
        return {**super().describe_one(x_CTHW, scale), **describe_cells(x_CTHW, scale)}


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
