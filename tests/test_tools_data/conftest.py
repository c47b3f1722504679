"""Tools of tools/data, run as a user runs them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'data'


class Done(NamedTuple):
    """How a tool ended."""

    returncode: int
    stdout: str
    stderr: str


def arguments_of(*arguments):
    return [str(argument) for argument in arguments]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a tool in this process, for starting Python anew takes seconds each time."""

    def run(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *arguments_of(*arguments)])
        try:
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
        except SystemExit as stop:
            print(stop.code or '', file=sys.stderr)
            return Done(1 if stop.code else 0, *capsys.readouterr())
        return Done(0, *capsys.readouterr())

    return run
