"""An encoding that is broken at any step lets no clear frame out; and the check would see one."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from bdq_plugin.deploy import StreamingEncoder
from bdq_plugin.deploy.watchdog import LeakError, Watchdog
from bdq_plugin.encoders import build_encoder

from ..game import REPOSITORY


@pytest.fixture(scope='module')
def fail_closed():
    folder = str(REPOSITORY / 'tools' / 'stress')
    sys.path.insert(0, folder)
    try:
        import fail_closed

        yield fail_closed
    finally:
        sys.path.remove(folder)


def test_faults_of_every_kind(fail_closed, tmp_path):
    result = fail_closed.break_repeatedly(fail_closed.Stage(tmp_path), 12, random.Random(1))
    assert result['leaks'] == 0, result['each_leak']
    assert set(result['each_kind'].values()) == {2} and len(result['each_kind']) == 6
    assert result['struck'] >= 8 and result['frames'] > 50
    # Without the watchdog the same broken encoders do let clear frames out, and each is seen.
    assert result['controls_found'] == result['controls'] == 5


@pytest.mark.parametrize(
    'arguments',
    [
        dict(name='bdq_hard'),
        dict(name='bdq_hard', num_levels=2, padding='zeros'),
        dict(name='bdq_hard', difference=False, range_limit=1.0),
        dict(name='blocks'),
        dict(name='bdq_hard', dither=0.02),
        dict(name='certified'),
    ],
)
@pytest.mark.parametrize('shape', [(48, 64, 3), (16, 24), (200, 40)])
def test_codes_pass_the_watchdog_and_nothing_else_does(arguments, shape):
    form = build_encoder(**arguments).integer_form()
    stream, watchdog = StreamingEncoder(form, compiled=False), Watchdog(form)
    rng = np.random.default_rng(0)
    for _ in range(5):
        frame = rng.integers(0, 256, shape, np.uint8)
        codes = stream(frame)
        watchdog(frame, codes)
    assert watchdog.frames >= 4 and watchdog.compares is not bool(form.dither or form.flip)
    wrong = [frame, codes[:-1], codes.astype(np.int32), np.full_like(codes, form.num_levels), None]
    if watchdog.compares:
        # Of a frame that comes twice; wrong everywhere, for nobody knows where it looks.
        wrong.append((stream(frame) + 1) % form.num_levels)
    for other in wrong:
        held = Watchdog(form)
        held(frame, None if form.difference else codes)
        with pytest.raises(LeakError):
            held(frame, other)
    if form.difference:
        with pytest.raises(LeakError, match='first frame'):
            Watchdog(form)(frame, codes)
