"""Statistics of an audit, as pure functions of NumPy arrays.

Start with :mod:`.resampling`: intervals over people. Matchers, which need scikit-learn, are in
:mod:`.matching`.
"""

from .accumulation import Accumulation, accumulate, most_linkable
from .certificate import (
    capacity_bits,
    most_accuracy,
    pair_error,
    pair_error_gaussian,
    privacy_loss,
)
from .information import fit_temperature, information_bits, temper
from .intervals import Estimate, Interval, bootstrap_interval, wilson_interval
from .learning_curve import LearningPoint, nested_subsets
from .planning import Variances, expected_width, people_needed, variance_components
from .resampling import (
    Difference,
    PersonFigure,
    paired_difference,
    person_interval,
    person_table,
    worst_person,
)
from .verification import (
    Trials,
    Verification,
    cllr,
    cosine_scores,
    equal_error_rate,
    likelihood_ratio_scores,
    make_trials,
    min_cllr,
    verify,
)

__all__ = [
    'Accumulation',
    'Difference',
    'Estimate',
    'Interval',
    'LearningPoint',
    'PersonFigure',
    'Trials',
    'Variances',
    'Verification',
    'accumulate',
    'bootstrap_interval',
    'capacity_bits',
    'cllr',
    'cosine_scores',
    'equal_error_rate',
    'expected_width',
    'fit_temperature',
    'information_bits',
    'likelihood_ratio_scores',
    'make_trials',
    'min_cllr',
    'most_accuracy',
    'most_linkable',
    'nested_subsets',
    'pair_error',
    'pair_error_gaussian',
    'paired_difference',
    'people_needed',
    'person_interval',
    'person_table',
    'privacy_loss',
    'temper',
    'variance_components',
    'verify',
    'wilson_interval',
    'worst_person',
]
