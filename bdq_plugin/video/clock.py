"""Times of frames that rise steadily, whatever the clock of their source does."""

from __future__ import annotations

import math
from fractions import Fraction

import av

# Seconds. Backwards by more is a clock that begins anew; by less, a frame that was stamped
# carelessly.
_BACKWARDS = Fraction(1, 10)
# Forwards by more, likewise; FFmpeg's command line has the same limits.
_PAUSE_WHERE_IT_MAY_JUMP = 10
_PAUSE = 30 * 3600
# Two frames further apart do not tell how far apart frames are.
_LONGEST_INTERVAL = 1


def end_of_frame(time_ms: int, step_ms: int | None, frame_rate: Fraction) -> float:
    """Seconds at which a frame goes whose successor is not there, or not yet.

    It is taken to stay as long as the one before it did (``step_ms``), but no longer than frames
    nominally do: the step may have been a pause.
    """
    nominal = 1 / float(frame_rate)
    return time_ms / 1000 + (nominal if step_ms is None else min(step_ms / 1000, nominal))


class Clock:
    """Milliseconds from the first frame, of frames in the order of presentation.

    Where a recording was joined to another, or a camera has started anew, the next frame follows as
    the last one followed. A pause is kept: up to 10 s where the clock may jump, up to 30 h
    elsewhere.

    Args:
        time_base: Seconds of one unit of the frames' time stamps.
        frame_rate: Nominal frames a second.
        may_jump: Whether the source is a container or a stream whose clock may jump.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction, may_jump: bool) -> None:
        self._unit = time_base
        self._pause = _PAUSE_WHERE_IT_MAY_JUMP if may_jump else _PAUSE
        self._last_pts = self._last_dts = -math.inf
        self._pts_faults = self._dts_faults = 0
        # Seconds: of the last frame, to the next one, and from the source's clock to this one.
        self._last, self._interval, self._offset = None, 1 / frame_rate, None
        self._last_ms = -1

    def __call__(self, frame: av.VideoFrame) -> int:
        """The time of the next frame, later than that of the frame before."""
        time = following = Fraction(0) if self._last is None else self._last + self._interval
        stamp = self._stamp(frame)
        if stamp is not None:
            if self._offset is not None:
                time = stamp * self._unit + self._offset
            if self._offset is None or self._has_jumped(time):
                time, self._offset = following, following - stamp * self._unit
        if self._last is not None and 0 < time - self._last <= _LONGEST_INTERVAL:
            self._interval = time - self._last
        self._last = time if self._last is None else max(time, self._last)
        self._last_ms = max(round(1000 * time), self._last_ms + 1)
        return self._last_ms

    def _stamp(self, frame: av.VideoFrame) -> int | None:
        """FFmpeg's own choice: the time at which a frame is shown, or where there is none (AVI), or
        more often a wrong one, the time at which its packet was due when it came out.
        """
        pts, dts = frame.pts, frame.dts
        if pts is not None:
            self._pts_faults += pts <= self._last_pts
            self._last_pts = pts
        if dts is not None:
            self._dts_faults += dts <= self._last_dts
            self._last_dts = dts
        has_dts = self._last_dts > -math.inf
        return dts if pts is None or (has_dts and self._pts_faults > self._dts_faults) else pts

    def _has_jumped(self, time: Fraction) -> bool:
        return not -_BACKWARDS <= time - self._last <= self._pause
