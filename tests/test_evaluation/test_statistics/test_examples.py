import doctest
import importlib

import numpy as np
import pytest


@pytest.mark.parametrize(
    'name',
    [
        'accumulation',
        'information',
        'intervals',
        'learning_curve',
        'planning',
        'resampling',
        'verification',
    ],
)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f'bdq_plugin.evaluation.statistics.{name}')
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS, extraglobs=dict(np=np))
    assert result.attempted and not result.failed
