"""Report the progress of a bulk run to the caller."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from segments_async.bulk.observer import Observer
from segments_async.bulk.report import BulkReport, Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._http.call_stats import CallStats
    from segments_async.bulk.operation import Operation
    from segments_async.bulk.source import Source

PROGRESS_SECONDS = 0.1
"""Minimum seconds between two progress reports."""
HEARTBEAT_SECONDS = 1.0
"""Seconds between progress reports while no item finishes, so that waits are visible."""


class ProgressReporter:
    """
    Report the progress of a run, at a bounded rate.

    Attributes:
        in_flight: The calls in flight, whose counters are not in the report yet.
    """

    def __init__(
        self,
        callback: Callable[[Progress], object] | None,
        operation: Operation[Any],
        source: Source,
        report: BulkReport[Any],
    ) -> None:
        self._callback = None if callback is None else Observer(callback)
        self._operation = operation
        self._source = source
        self._report = report
        self._started = self._reported = 0.0
        self.in_flight: set[CallStats] = set()

    @property
    def is_active(self) -> bool:
        """Whether a callback is set."""
        return self._callback is not None

    def start(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def report_progress(self, *, last: bool = False) -> None:
        """
        Report the progress, unless it is too soon.

        What is not an `Exception`, such as a KeyboardInterrupt, is raised; the callback is then not called again.
        """
        now = time.monotonic()
        if self._callback is None or (not last and now - self._reported < PROGRESS_SECONDS):
            return
        self._reported = now
        callback, self._callback = self._callback, None
        callback(self._snapshot(now, finished=last))
        self._callback = callback

    def _snapshot(self, now: float, *, finished: bool) -> Progress:
        report = self._report
        return Progress(
            done=report.total - report.unsent,
            failed=report.failed + report.unknown,
            total=self._source.total,
            elapsed=now - self._started,
            throttled=report.throttled + sum(stats.throttles for stats in self.in_flight),
            bytes_sent=report.bytes_sent + sum(stats.bytes_sent for stats in self.in_flight),
            limit=self._operation.limit(),
            finished=finished,
            unknown=report.unknown,
        )
