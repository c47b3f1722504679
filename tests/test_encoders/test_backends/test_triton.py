"""The Triton kernels against the plain form, where there is no GPU too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The kernels need torch alone: the fixtures of the other tests would import MMAction2.
ALONE = ('--noconftest', '-p', 'no:cacheprovider', '-o', 'addopts=')


def test_in_the_interpreter():
    """In a process of its own, for Triton reads the switch when it is imported."""
    pytest.importorskip('triton')
    tests = Path(__file__).with_name('triton_in_interpreter.py')
    result = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', *ALONE, tests],
        cwd=tests.parents[3],
        env={**os.environ, 'TRITON_INTERPRET': '1', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    assert ' passed' in result.stdout
    assert 'skipped' not in result.stdout
