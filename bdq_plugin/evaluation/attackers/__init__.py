"""The panel: who tries to recognise people in encoded clips, each a class and a line of config."""

from .base import ATTACKERS, Answer, Attacker, Fit
from .templates import TemplateAttacker

__all__ = ['ATTACKERS', 'Answer', 'Attacker', 'Fit', 'TemplateAttacker']
