"""Evaluation: metrics for training runs, and the audit of what an encoder leaks."""

from .attackers import ATTACKERS, Attack, Attacker
from .inversion import InversionAttacker
from .metrics import AttributeMetric, PrivacyAccMetric

__all__ = [
    'ATTACKERS',
    'Attack',
    'Attacker',
    'AttributeMetric',
    'InversionAttacker',
    'PrivacyAccMetric',
]
