"""Every figure by one name: each function draws one and returns it."""

from .accumulation import accumulation_curves
from .curves import accuracy_curves, compare_runs, encoder_history
from .learning_curve import learning_curve
from .sheet import animate, contact_sheet, encoding_stages
from .staircase import level_shares, staircase
from .style import save_figure
from .tradeoff import tradeoff

__all__ = [
    'accumulation_curves',
    'accuracy_curves',
    'animate',
    'compare_runs',
    'contact_sheet',
    'encoder_history',
    'encoding_stages',
    'learning_curve',
    'level_shares',
    'save_figure',
    'staircase',
    'tradeoff',
]
