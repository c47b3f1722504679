"""Ctrl-C and SIGTERM as a wish that is granted between two frames."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Within it, Ctrl-C and SIGTERM set the event that it gives, and raise nothing anywhere.

    Whoever works looks at the event where it is safe to stop. Outside the main thread, where Python
    takes no signals, the event is never set.
    """
    stop, before = threading.Event(), {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
