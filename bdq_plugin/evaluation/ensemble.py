"""Several attackers as one: a log-linear pool whose weights the training clips choose.

Each member answers for training clips that it was not trained on (held out). The pool's weights are
those under which these answers predict the truth best; a pool of one is a calibration by one
temperature. (Logarithmic opinion pool: Genest and Zidek, Statistical Science 1986.)
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

# Its name beside the attackers that it pools.
ENSEMBLE = 'ensemble'
# Each unit of weight costs this much loss: a member that adds nothing gets none.
_PRICE = 1e-3


def fit_weights(scores_ANK: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Weights (A,), 0 or more, of A members.

    Args:
        scores_ANK: log-probabilities of held-out clips (or log-odds of attributes), by member.
        truth: labels (N,), or attributes 0 or 1, (N, K).
    """
    members = len(scores_ANK)
    loss = _attribute_loss if truth.ndim == 2 else _class_loss

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = loss(weights, scores_ANK, truth)
        return value + _PRICE * weights.sum(), gradient + _PRICE

    start = np.full(members, 0.3 / members)
    found = minimize(objective, start, jac=True, bounds=[(0, None)] * members, method='L-BFGS-B')
    return found.x


def combine(scores: np.ndarray, weights: np.ndarray, multi_label: bool = False) -> np.ndarray:
    """The pool's answer: (A, ..., K) to log-probabilities (or log-odds) (..., K)."""
    pooled = np.tensordot(weights, scores, 1)
    return pooled if multi_label else log_softmax(pooled, -1)


def held_out_loss(scores_NK: np.ndarray, truth: np.ndarray) -> float:
    """Cross-entropy in nats of one member's held-out answers, at its best temperature."""
    scores = scores_NK[None]
    loss = _attribute_loss if truth.ndim == 2 else _class_loss
    return loss(fit_weights(scores, truth), scores, truth)[0]


def _class_loss(
    weights: np.ndarray, scores_ANK: np.ndarray, truth_N: np.ndarray
) -> tuple[float, np.ndarray]:
    pooled_NK = np.tensordot(weights, scores_ANK, 1)
    rows = np.arange(len(truth_N))
    expected = (softmax(pooled_NK, 1) * scores_ANK).sum(2).mean(1)
    gradient = expected - scores_ANK[:, rows, truth_N].mean(1)
    return float(-log_softmax(pooled_NK, 1)[rows, truth_N].mean()), gradient


def _attribute_loss(
    weights: np.ndarray, scores_ANK: np.ndarray, truth_NK: np.ndarray
) -> tuple[float, np.ndarray]:
    pooled_NK = np.tensordot(weights, scores_ANK, 1)
    sign_NK = 2 * truth_NK - 1
    gradient = ((expit(pooled_NK) - truth_NK) * scores_ANK).mean((1, 2))
    return float(-log_expit(sign_NK * pooled_NK).mean()), gradient
