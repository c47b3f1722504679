"""Pictures of what an encoder does and of what was measured."""

from .figures import (
    accumulation_curves,
    accuracy_curves,
    animate,
    compare_runs,
    contact_sheet,
    encoder_history,
    encoding_stages,
    learning_curve,
    level_shares,
    save_figure,
    staircase,
    tradeoff,
)
from .logs import RunLog, read_run

__all__ = [
    'RunLog',
    'accumulation_curves',
    'accuracy_curves',
    'animate',
    'compare_runs',
    'contact_sheet',
    'encoder_history',
    'encoding_stages',
    'learning_curve',
    'level_shares',
    'read_run',
    'save_figure',
    'staircase',
    'tradeoff',
]
