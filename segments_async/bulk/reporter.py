"""How the caller hears of a bulk run while it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from segments_async.bulk.report import BulkReport, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._http.call_stats import CallStats
    from segments_async.bulk.operation import Operation
    from segments_async.bulk.source import Source

PROGRESS_SECONDS = 0.1
"""Progress is told no more often."""
SILENCE_SECONDS = 1.0
"""While nothing comes to an end, progress is told so often, so that a wait is seen."""


class ProgressReporter:
    """
    Tell how far a run is, at a bounded rate.

    Attributes:
        under_way: The calls that are being made, whose figures are not in the report yet.
    """

    def __init__(
        self,
        tell: Callable[[Progress], object] | None,
        operation: Operation[Any],
        source: Source,
        report: BulkReport[Any],
    ) -> None:
        self._tell = tell
        self._operation = operation
        self._source = source
        self._report = report
        self._started = self._told = 0.0
        self.under_way: set[CallStats] = set()

    @property
    def listens(self) -> bool:
        """Whether there is somebody to tell."""
        return self._tell is not None

    def start(self) -> None:
        """Take the time."""
        self._started = time.monotonic()

    def tell(self, *, last: bool = False) -> None:
        """Tell, unless it is too soon; who raises is told no more."""
        now = time.monotonic()
        if self._tell is None or (not last and now - self._told < PROGRESS_SECONDS):
            return
        self._told = now
        tell, self._tell = self._tell, None
        tell(self._snapshot(now, finished=last))
        self._tell = tell

    def _snapshot(self, now: float, *, finished: bool) -> Progress:
        report = self._report
        return Progress(
            done=report.total - report.unsent,
            failed=report.failed + report.unknown,
            total=self._source.total,
            elapsed=now - self._started,
            throttled=report.throttled + sum(stats.throttles for stats in self.under_way),
            bytes_sent=report.bytes_sent + sum(stats.bytes_sent for stats in self.under_way),
            limit=self._operation.limit(),
            finished=finished,
        )
