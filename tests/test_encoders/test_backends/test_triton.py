"""The Triton kernels against the plain form, where there is no GPU too."""

from pathlib import Path

import pytest

from ...processes import fresh

# The kernels need torch alone: the fixtures of the other tests would import MMAction2.
ALONE = ('-q', '--noconftest', '-p', 'no:cacheprovider', '-o', 'addopts=')
CODE = """
import os, sys, pytest
os.environ['TRITON_INTERPRET'] = '1'
sys.exit(pytest.main({arguments}))
"""


def test_in_the_interpreter():
    """In a process of its own, for Triton reads the switch when it is imported."""
    pytest.importorskip('triton')
    tests = str(Path(__file__).with_name('triton_in_interpreter.py'))
    printed = fresh(CODE.format(arguments=[*ALONE, tests]))
    assert ' passed' in printed
    assert 'skipped' not in printed
