"""The progress and the report of a bulk run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from attrs import frozen

from segments_async._counting import counted
from segments_async.bulk.error_groups import group_of, words_of
from segments_async.bulk.outcome_rows import outcome_row
from segments_async.bulk.outcomes import SUCCESSES, is_success
from segments_async.errors import InputError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from segments_async.bulk.outcomes import AnyOutcome, Failed, Skipped, Succeeded

T = TypeVar("T")

MAX_KEPT_FAILURES = 10_000
"""Maximum outcomes to keep with ``keep="failures"``; the others are only counted."""
MAX_WORDS = 200
"""Maximum characters of the error that a report in one line shows."""
_STOPPED_BY_ERRORS = frozenset({"fatal", "max_failures", "error", "checkpoint"})


@frozen(kw_only=True)
class Progress:
    """
    The progress of a bulk run, passed to its `progress` callback: during the run, and once when it has ended.

    Example:
        >>> Progress(done=300, failed=2, total=1000, elapsed=10.0).remaining
        23.333333333333332
    """

    done: int
    """Items that succeeded, failed or are unknown; items left unsent by a stop do not count."""
    failed: int
    """Items that failed or are unknown."""
    total: int | None
    """Items in total, if the input has a length."""
    elapsed: float
    """Seconds since the run started."""
    throttled: int = 0
    """Requests that the service throttled (429)."""
    bytes_sent: int = 0
    """Bytes on the wire of requests and files that received a response."""
    limit: int | None = None
    """Requests that may be in flight now: `max_connections`, or fewer after throttling."""
    finished: bool = False
    """Whether the run has ended; this is the last report then."""
    unknown: int = 0
    """Of the items in `failed`, those that are unknown: sent, but without a usable response."""

    @property
    def per_second(self) -> float:
        """Items per second so far."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes per second so far."""
        return self.bytes_sent / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Estimated seconds until the end, at the rate so far; None if unknown."""
        if self.total is None or not self.done:
            return None
        return (self.total - self.done) * self.elapsed / self.done


class BulkReport(Generic[T]):
    """
    The report of a bulk run: counts, and one `Outcome` for each item.

    Example::

        report = await client.samples.create_many("jane/flowers", items)
        for message, outcomes in report.error_groups.items():
            print(len(outcomes), message)
        again = await client.samples.create_many("jane/flowers", report.retry_items)

    Attributes:
        counts: Items by status.
        elapsed: Seconds the run took.
        throttled: Requests that the service throttled (429).
        requests: Requests that were sent, including retries.
        retries: Requests that were sent again.
        bytes_sent: Bytes on the wire of requests and files that received a response.
        deleted_count: Samples that `samples.delete_many` deleted, as reported by the service: without unknown uuids,
            and without deletions whose response was lost.
        stopped: Why the run ended before its input did: ``"fatal"`` (an error that concerns every item, such as a
            rejected key), ``"max_failures"``, ``"total_timeout"``, ``"error"`` (``on_error="raise"``, or the input
            raised an exception), ``"checkpoint"`` (its file can no longer be written, or was deleted), ``"left"`` (the
            stream was left early) or ``"cancelled"``; None if the run was not stopped.
        exhausted: Whether the input was read to its end. After a stop, whether its remaining items are counted as
            unsent.
        truncated: Whether outcomes were dropped; only possible with ``keep="failures"``.
    """

    def __init__(self, *, keep: Literal["all", "failures"] = "all") -> None:
        self._keep = keep
        self._kept: list[AnyOutcome[T]] = []
        self._sorted = True
        self._first_error: SegmentsError | None = None
        self.counts: Counter[str] = Counter()
        self.elapsed: float = 0.0
        self.throttled = 0
        self.requests = 0
        self.retries = 0
        self.bytes_sent = 0
        self.deleted_count = 0
        self.stopped: str | None = None
        self.exhausted = False
        self.truncated: bool = False

    def add(self, outcome: AnyOutcome[T]) -> None:
        """Count *outcome*, and keep it unless the settings of the run say otherwise."""
        self.add_all([outcome])

    def add_all(self, outcomes: Sequence[AnyOutcome[T]]) -> None:
        """Count *outcomes*, and keep them unless the settings of the run say otherwise."""
        self.counts.update([outcome.status for outcome in outcomes])
        for outcome in outcomes:
            if outcome.error is not None:
                self.note_error(outcome.error)
        if self._keep == "failures":
            self._keep_failures(outcomes)
        else:
            self._kept += outcomes
            self._sorted = False

    def _keep_failures(self, outcomes: Iterable[AnyOutcome[T]]) -> None:
        for outcome in outcomes:
            if outcome.status in SUCCESSES:
                continue
            if len(self._kept) >= MAX_KEPT_FAILURES:
                self.truncated = True
                return
            self._kept.append(outcome)
            self._sorted = False

    def note_error(self, error: SegmentsError | None) -> None:
        """Remember the first error, which becomes the cause of `BulkError`."""
        self._first_error = self._first_error or error

    @property
    def total(self) -> int:
        """Items taken from the input."""
        return self.counts.total()

    @property
    def succeeded(self) -> int:
        """Items that are stored by the service."""
        return sum(count for status, count in self.counts.items() if status in SUCCESSES)

    @property
    def failed(self) -> int:
        """Items that were rejected or could not be sent."""
        return self.counts["failed"]

    @property
    def unsent(self) -> int:
        """Items that were not sent because the run stopped."""
        return self.counts["unsent"]

    @property
    def unknown(self) -> int:
        """Items that were sent but received no usable response."""
        return self.counts["unknown"]

    @property
    def results(self) -> list[AnyOutcome[T]]:
        """The outcomes that were kept, in the order of the input."""
        if not self._sorted:
            self._kept.sort(key=lambda outcome: outcome.index)
            self._sorted = True
        return self._kept.copy()

    @property
    def successes(self) -> list[Succeeded[T] | Skipped[T]]:
        """The outcomes of the items that succeeded, in the order of the input; none with ``keep="failures"``."""
        return [outcome for outcome in self.results if is_success(outcome)]

    @property
    def values(self) -> list[T]:
        """
        What the service returned for each item that was sent and succeeded, in the order of the input.

        Example::

            report = await client.samples.create_many("jane/flowers", items)
            names = [sample.name for sample in report.values]
        """
        return [outcome.value for outcome in self.successes if outcome.status != "skipped"]

    @property
    def failures(self) -> list[Failed[T]]:
        """The outcomes that are failed or unknown, in the order of the input."""
        results = self.results
        return [outcome for outcome in results if outcome.status == "failed" or outcome.status == "unknown"]  # noqa: PLR1714 (narrows)

    @property
    def retry_items(self) -> list[Any]:
        """
        The items to pass to another run: retryable failures, unsent and unknown ones, in the order of the input.

        Raises:
            InputError: Outcomes were dropped, so the list would be incomplete.
        """
        if self.truncated:
            raise InputError(
                f"more than {MAX_KEPT_FAILURES:,} items did not succeed, so some outcomes were dropped; use keep='all'"
            )
        return [
            outcome.retry_item
            for outcome in self.results
            if outcome.status in {"unsent", "unknown"} or (outcome.status == "failed" and outcome.retryable)
        ]

    @property
    def error_groups(self) -> dict[str, list[Failed[T]]]:
        """
        The failures grouped by what went wrong, most frequent first.

        The text of a group is the error's class and message, without what differs from item to item: index, name, uuid,
        URL, path, port.
        """
        groups: dict[str, list[Failed[T]]] = {}
        for outcome in self.failures:
            if outcome.error is not None:
                group = group_of(outcome.error, outcome.key, outcome.uuid, outcome.item)
                groups.setdefault(group, []).append(outcome)
        return dict(sorted(groups.items(), key=lambda group: -len(group[1])))

    def to_arrow(self) -> pa.Table:
        """
        Make an Arrow table with a row for each outcome that was kept (extra ``arrow``).

        Example::

            report = await client.labels.put_many(items, labelset="predictions")
            pyarrow.parquet.write_table(report.to_arrow(), "outcomes.parquet")

        Returns:
            The outcomes, in the order of the input; ``segments_async.tables.OUTCOME_COLUMNS`` are its columns. Items
            and values are not among them: see ``segments_async.tables.samples_table(report)``.

        Raises:
            ImportError: The extra is not installed.
        """
        from segments_async._arrow.batches import table_of  # noqa: PLC0415 (an extra)
        from segments_async._arrow.columns import OUTCOME_COLUMNS  # noqa: PLC0415 (needed with it alone)

        return table_of(OUTCOME_COLUMNS, map(outcome_row, self.results))

    def raise_if_failed(self) -> None:
        """
        Raise unless every item succeeded.

        Raises:
            BulkError: An item failed, is unknown or was not sent, or the run was stopped before the end of an input
                without a length. Its ``__cause__`` is the first error.
        """
        if self.succeeded < self.total or (not self.exhausted and self.stopped not in {None, "left"}):
            raise self.as_error()

    def as_error(self, cause: Exception | None = None, words: str = "") -> BulkError:
        """
        Return the report as an error.

        Args:
            cause: What ended the run, its ``__cause__``; None for the first error of an item.
            words: What happened, for the message.
        """
        if cause is None and self._first_error is not None:
            cause, words = self._first_error, f"first error: {self._first_error}"
        error = BulkError(f"{self._in_numbers}; {words}" if words else str(self), report=self)
        error.__cause__ = cause
        return error

    @property
    def _in_numbers(self) -> str:
        """The counts, and why the run was stopped."""
        counts = ", ".join(f"{count:,} {status}" for status, count in sorted(self.counts.items()) if count)
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"{counted(self.total, 'item')}: {counts or 'none'}{stopped}"

    def __str__(self) -> str:
        if self._first_error is None or self.stopped not in _STOPPED_BY_ERRORS:
            return self._in_numbers
        words = words_of(self._first_error)
        return f"{self._in_numbers}; first error: {words if len(words) <= MAX_WORDS else f'{words[:MAX_WORDS]}...'}"

    def __repr__(self) -> str:
        return f"<BulkReport {self}>"

    def _repr_html_(self) -> str:
        from segments_async.bulk.html_report import report_html  # noqa: PLC0415 (needed in notebooks alone)

        heading = f"{self}, in {self.elapsed:,.1f} s"
        return report_html(heading, self.counts, self.error_groups, is_complete=not self.truncated)


class BulkError(SegmentsError):
    """
    A bulk run failed and was configured to raise, or its input raised an exception.

    The ``__cause__`` is that exception, or the first error of an item.

    Attributes:
        report: The outcome of every item.
    """

    _pickles_cause = True

    def __init__(self, message: str, *, report: BulkReport[Any] | None = None) -> None:
        self.report: BulkReport[Any] = cast("BulkReport[Any]", report)  # None if rebuilt from its text alone
        super().__init__(message)
