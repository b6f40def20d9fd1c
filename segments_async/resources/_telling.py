"""How the caller hears of a download while it goes on."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segments_async.bulk import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRESS_SECONDS = 0.1
"""Progress is told no more often."""


@contextmanager
def telling(progress: Callable[[Progress], object] | None) -> Iterator[Callable[[int, int | None], None] | None]:
    """Give something to be called with bytes; it tells at a bounded rate, and once more at the end."""
    if progress is None:
        yield None
        return
    started = told = time.monotonic()
    done, total = 0, None

    def tell(now: float, *, finished: bool) -> None:
        progress(Progress(done=done, failed=0, total=total, elapsed=now - started, finished=finished))

    def note(so_far: int, in_all: int | None) -> None:
        nonlocal done, total, told
        done, total = so_far, in_all
        now = time.monotonic()
        if now - told >= PROGRESS_SECONDS:
            told = now
            tell(now, finished=False)

    try:
        yield note
    finally:
        tell(time.monotonic(), finished=True)
