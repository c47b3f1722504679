"""Evaluation: metrics for training runs, and the audit of what an encoder leaks."""

from .attackers import ATTACKERS, Answer, Attacker, Fit
from .metrics import AttributeMetric, PrivacyAccMetric

__all__ = ['ATTACKERS', 'Answer', 'Attacker', 'AttributeMetric', 'Fit', 'PrivacyAccMetric']
