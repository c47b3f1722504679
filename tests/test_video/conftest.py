"""A decoder that fails."""

from __future__ import annotations

import pytest

from bdq_plugin.video import isolation
from tests.test_deploy.conftest import frames, make_video  # noqa: F401  (fixtures)


@pytest.fixture
def faulty_decoder(tmp_path, monkeypatch):
    """A decoding process that crashes, aborts or hangs on files named so, and does it in C."""
    server = tmp_path / 'faulty_server.py'
    server.write_text(
        'import ctypes, os, sys, types\n'
        "package = sys.modules['bdq_plugin'] = types.ModuleType('bdq_plugin')\n"
        f'package.__path__ = [{str(isolation.SERVER.parents[1])!r}]\n'
        'from bdq_plugin.video import server\n'
        'class Faulty(server.VideoFile):\n'
        '    def get_batch(self, *arguments, **options):\n'
        '        name = os.path.basename(self.path)\n'
        "        if name.startswith('crash'): ctypes.string_at(0)\n"
        "        if name.startswith('abort'): os.abort()\n"
        "        if name.startswith('bug'): raise TypeError('a bug')\n"
        "        if name.startswith('hang'): ctypes.CDLL(None).sleep(1000)\n"
        '        return super().get_batch(*arguments, **options)\n'
        'server.VideoFile = Faulty\n'
        'server.main()\n'
    )
    monkeypatch.setattr(isolation, 'SERVER', server)
    isolation._decoder.stop()
    yield
    isolation._decoder.stop()
