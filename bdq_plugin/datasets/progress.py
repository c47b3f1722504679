"""Progress of a long loop: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from mmengine.utils import ProgressBar

Item = TypeVar('Item')


def track(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield ``items``, showing on standard error how many are done.

    Args:
        items: What to go through.
        what: Said once before the bar, or in each line.
    """
    if sys.stderr.isatty():
        print(what, file=sys.stderr)
        bar = ProgressBar(len(items), file=sys.stderr)
        for item in items:
            yield item
            bar.update()
        print(file=sys.stderr)
        return
    step = max(1, len(items) // 5)
    for done, item in enumerate(items, 1):
        yield item
        if done % step == 0 or done == len(items):
            print(f'{what}: {done}/{len(items)}', file=sys.stderr, flush=True)
