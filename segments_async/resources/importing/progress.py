"""One progress for the phases of an import."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async.bulk import Progress


class PhasedProgress:
    """
    Join the progress of several bulk runs.

    Args:
        report: The callback of the caller.
        total: Items of all runs together.
    """

    def __init__(self, report: Callable[[Progress], object], total: int) -> None:
        self._report = report
        self._total = total
        self._started = time.monotonic()
        self._before: Progress | None = None
        self._last: Progress | None = None
        self.is_last: bool = False
        """Whether the current run is the last one."""

    def __call__(self, progress: Progress) -> None:
        """Report the progress of the current run, added to that of the earlier ones."""
        before = self._before
        done = progress.done + (before.done if before else 0)
        joined = attrs.evolve(
            progress,
            done=done,
            failed=progress.failed + (before.failed if before else 0),
            unknown=progress.unknown + (before.unknown if before else 0),
            throttled=progress.throttled + (before.throttled if before else 0),
            bytes_sent=progress.bytes_sent + (before.bytes_sent if before else 0),
            total=max(self._total, done),
            elapsed=time.monotonic() - self._started,
            finished=progress.finished and self.is_last,
        )
        self._last = joined
        self._report(joined)

    def next_phase(self, *, is_last: bool) -> None:
        """Begin the next run."""
        self._before, self.is_last = self._last, is_last
