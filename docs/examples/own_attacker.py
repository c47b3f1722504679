"""An attacker of one's own: where does a person move? Nearest mean of a coarse map of motion."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F

from bdq_plugin.evaluation.attackers import ATTACKERS, Answer, Attacker, Fit
from bdq_plugin.evaluation.attackers.base import normalized
from bdq_plugin.evaluation.clips import Clips


@ATTACKERS.register_module()
class MotionMapAttacker(Attacker):
    """Compare the mean strength of motion on a grid with that of each person's clips.

    Args:
        grid: rows and columns of the map.
        **kwargs: see :class:`bdq_plugin.evaluation.attackers.Attacker`.
    """

    def __init__(self, *, grid: tuple[int, int] = (6, 8), **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.grid = tuple(grid)

    def check(self, clips: Clips) -> None:
        """Raise ValueError before anything is trained where such clips cannot be read."""
        if self.multi_label:
            raise ValueError('MotionMapAttacker tells people apart, not attributes')

    def fit(self, clips: Clips) -> Fit:
        """Learn the mean map of each person, and how far clips lie from it."""
        maps_NED, truth = self._maps(clips), clips.target(self.target).numpy()
        known = range(self.num_outputs)
        self._means = np.stack([maps_NED[truth == k].mean((0, 1)) for k in known])
        self._spread = (maps_NED[:, 0] - self._means[truth]).std() + 1e-6
        found = self.answer(clips).log_probs[:, 0].argmax(1)
        return Fit(train_accuracy=float((found == truth).mean()), converged=True)

    def answer(self, clips: Clips) -> Answer:
        """Log-probabilities (N, E, K) from the distance to each mean."""
        distance = ((self._maps(clips)[:, :, None] - self._means) ** 2).sum(-1)
        return Answer(normalized(-distance / (2 * self._spread**2)))

    def _maps(self, clips: Clips) -> np.ndarray:
        """(N, E, D): mean of |x| over time and channels, on the grid."""
        return np.stack(
            [
                [
                    F.adaptive_avg_pool2d(x.float().abs().mean((0, 1))[None], self.grid)
                    .flatten()
                    .numpy()
                    for x in encodings
                ]
                for encodings in clips.values
            ]
        )
