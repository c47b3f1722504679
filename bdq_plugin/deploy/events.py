"""Actions that begin and end, of answers that come window by window.

::

    probabilities of windows --mean of the last few--> --enter and leave, for long enough--> events

A window's best label flickers; an event does not. It begins when the smoothed probability of a
label reaches ``threshold`` and has stayed at ``release`` or above for ``min_duration`` since, and
ends when it falls below ``release`` (hysteresis), or another label has become an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np


class Event(NamedTuple):
    """An action that has begun or ended.

    Attributes:
        kind: ``'begin'`` or ``'end'``.
        label: of the action.
        confidence: the highest smoothed probability of it so far, 0 to 1.
        start: seconds from the stream's first frame, of the first window that showed it.
        end: likewise of the last window that showed it, so far.
    """

    kind: str
    label: str
    confidence: float
    start: float
    end: float


class EventDetector:
    """Turn the answers for windows into events.

    Args:
        labels: names of the classes, in the order of the probabilities.
        threshold: smoothed probability from which on a label may begin, over 0 and up to 1.
        release: smoothed probability below which it ends, up to ``threshold``; by default four
            fifths of it.
        smoothing: windows whose probabilities are averaged, 1 for none.
        min_duration: seconds that a label must stay before it is an event.
        ignore: labels that are never events, such as those of nothing happening.

    Raises:
        ValueError: a number out of its range, or an unknown label to ignore.

    Example:
        >>> detector = EventDetector(['fall', 'walk'], threshold=0.6, min_duration=0.5)
        >>> detector.update([0.9, 0.1], start=0.0, end=1.0)
        [Event(kind='begin', label='fall', confidence=0.9, start=0.0, end=1.0)]
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        threshold: float = 0.5,
        release: float | None = None,
        smoothing: int = 1,
        min_duration: float = 0.0,
        ignore: Collection[str] = (),
    ) -> None:
        release = 0.8 * threshold if release is None else release
        if not 0 < threshold <= 1:
            raise ValueError(f'a threshold is a probability over 0, got {threshold}')
        if not 0 <= release <= threshold:
            raise ValueError(f'release is from 0 to the threshold of {threshold}, got {release}')
        if smoothing < 1 or min_duration < 0:
            raise ValueError(
                'smoothing is over 1 window or more and a duration is not negative, got '
                f'{smoothing} and {min_duration}'
            )
        if unknown := sorted(set(ignore) - set(labels)):
            raise ValueError(f'no label {unknown[0]!r} to ignore: the labels are {list(labels)}')
        self.labels, self._threshold, self._release = list(labels), threshold, release
        self._min_duration, self._ignore = min_duration, set(ignore)
        self._recent: deque[np.ndarray] = deque(maxlen=smoothing)
        # What is going on, and what may become so: it has begun, but not stayed for long enough.
        self.current: Event | None = None
        self._candidate: Event | None = None

    def update(self, scores: Sequence[float], start: float, end: float) -> list[Event]:
        """The next window's answer: what has ended, then what has begun.

        Args:
            scores: probabilities of all labels.
            start, end: seconds from the stream's first frame, of the window.
        """
        self._recent.append(np.asarray(scores, np.float64))
        means = dict(zip(self.labels, np.mean(self._recent, axis=0).tolist(), strict=True))
        events = []
        if self.current is not None:
            if means[self.current.label] >= self._release:
                self.current = _longer(self.current, means, end)
            else:
                events += self.finish()
        if self._candidate is not None:
            stays = means[self._candidate.label] >= self._release
            self._candidate = _longer(self._candidate, means, end) if stays else None
        self._consider(means, start, end)
        if (new := self._candidate) and new.end - new.start >= self._min_duration:
            events += self.finish()
            self.current, self._candidate = new, None
            events.append(new)
        return events

    def finish(self) -> list[Event]:
        """The stream ends: what was going on has ended."""
        ended, self.current = self.current, None
        return [] if ended is None else [ended._replace(kind='end')]

    def _consider(self, means: dict[str, float], start: float, end: float) -> None:
        """The best label, if it is good enough and new, takes the candidate's place."""
        best = max(means, key=means.__getitem__)
        known = {event.label for event in (self.current, self._candidate) if event is not None}
        if best not in known | self._ignore and means[best] >= self._threshold:
            self._candidate = Event('begin', best, means[best], start, end)


def _longer(event: Event, means: dict[str, float], end: float) -> Event:
    return event._replace(end=end, confidence=max(event.confidence, means[event.label]))
