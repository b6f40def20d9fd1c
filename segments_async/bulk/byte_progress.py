from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segments_async.bulk.observer import Observer
from segments_async.bulk.report import Progress
from segments_async.bulk.reporter import PROGRESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def byte_progress(progress: Callable[[Progress], object] | None) -> Iterator[Callable[[int, int | None], None] | None]:
    """
    Adapt a `progress` callback to one that takes the bytes so far and the bytes in total.

    `progress` is called at most once every `PROGRESS_SECONDS`, and once more when the block ends.
    """
    if progress is None:
        yield None
        return
    observer = Observer(progress)
    started = reported = time.monotonic()
    done, total = 0, None

    def report(now: float, *, finished: bool) -> None:
        observer(Progress(done=done, failed=0, total=total, elapsed=now - started, finished=finished))

    def update(bytes_done: int, bytes_total: int | None) -> None:
        nonlocal done, total, reported
        done, total = bytes_done, bytes_total
        now = time.monotonic()
        if now - reported >= PROGRESS_SECONDS:
            reported = now
            report(now, finished=False)

    try:
        yield update
    finally:
        report(time.monotonic(), finished=True)
