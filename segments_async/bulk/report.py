"""What became of every item of a bulk run."""

from __future__ import annotations

from collections import Counter
from typing import Any, Generic, Literal, TypeVar

from attrs import field, frozen

from segments_async.errors import ApiError, DecodeError, InputError, SegmentsError, TransportError

T = TypeVar("T")

Status = Literal["created", "existing", "updated", "done", "skipped", "failed", "unsent", "unknown"]

SUCCESSES: frozenset[str] = frozenset({"created", "existing", "updated", "done", "skipped"})
MAX_KEPT_FAILURES = 10_000
"""With ``keep="failures"`` only so many outcomes are kept; the rest is counted."""


@frozen(kw_only=True)
class Outcome(Generic[T]):
    """
    What became of one item.

    Example:
        ::

            async with client.samples.stream_create("jane/flowers", items) as outcomes:
                async for outcome in outcomes:
                    if outcome.error is not None:
                        print(outcome.index, outcome.key, outcome.status, outcome.error)
    """

    index: int
    """Place in the input, from 0."""
    key: str | None
    """What names it: a sample's name; a label's ``sample_uuid/labelset``; None if the item has no valid name."""
    uuid: str | None = None
    """The sample's uuid, once known."""
    item: Any = field(repr=False)
    """The item as it was given; a `BitmapPut` that was put, without its array."""
    status: Status
    """
    ``created``, ``existing``, ``updated`` or ``done`` for a success; ``failed``; ``unsent`` if it never left;
    ``unknown`` if it was sent and its fate could not be learnt.
    """
    value: T | None = field(default=None, repr=False)
    """What the service answered."""
    error: SegmentsError | None = None
    """Why it failed, or is unknown."""
    retryable: bool = False
    """Whether the same item may succeed later."""
    attempts: int = 0
    """How often it was sent."""
    request_id: str | None = None
    """Of the last answer."""
    retry_item: Any = field(repr=False)
    """What to feed to another run: the item, but for files that are up already, which are then `Asset` objects."""

    @retry_item.default
    def _item_itself(self) -> Any:
        return self.item

    @property
    def succeeded(self) -> bool:
        """Whether the service has the item now."""
        return self.status in SUCCESSES


@frozen(kw_only=True)
class Progress:
    """
    How far a bulk run is, as its `progress` is told: while it runs, and once when it has ended, however it ended.

    Example:
        >>> Progress(done=300, failed=2, total=1000, elapsed=10.0).remaining
        23.333333333333332
    """

    done: int
    """Items that are through: succeeded, failed or unknown. What a stop leaves unsent is not."""
    failed: int
    """Items that failed or are unknown."""
    total: int | None
    """Items in all, if the input has a length."""
    elapsed: float
    """Seconds since the run began."""
    throttled: int = 0
    """Requests that the service refused as too many."""
    bytes_sent: int = 0
    """Bytes of requests and files, as they went over the wire, that the service has answered."""
    limit: int | None = None
    """Requests that may be in flight at once now: `max_connections`, less after throttling."""
    finished: bool = False
    """Whether the run has ended, so that nothing more is told."""

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
        """Seconds that the rest takes at this pace; None if that cannot be told."""
        if self.total is None or not self.done:
            return None
        return (self.total - self.done) * self.elapsed / self.done


class BulkReport(Generic[T]):
    """
    What became of a bulk run: counts, and one `Outcome` for each item.

    Example:
        ::

            report = await client.samples.create_many("jane/flowers", items)
            for words, outcomes in report.error_groups.items():
                print(len(outcomes), words)
            again = await client.samples.create_many("jane/flowers", report.retry_items)

    Attributes:
        counts: Items by status.
        elapsed: Seconds the run took.
        throttled: Requests that the service refused as too many.
        requests: Requests that were sent, repeated ones included.
        retries: Requests that repeated an earlier one.
        bytes_sent: Bytes of requests and files, as they went over the wire, that the service has answered.
        deleted_count: Samples that the service told `samples.delete_many` it has deleted: unknown uuids are not among
            them, nor what a lost answer would have told.
        stopped: Why the run ended before its input did: ``"fatal"`` (an answer that concerns every item, such as a
            refused key), ``"max_failures"``, ``"total_timeout"``, ``"error"`` (``on_error="raise"``, or the input
            itself raised), ``"checkpoint"`` (its file can no longer be written), ``"left"`` (the stream was left
            early) or ``"cancelled"``; None if it did not.
        exhausted: Whether the input was read to its end; with ``stopped``, that its rest is counted as unsent.
        truncated: Whether outcomes were dropped, which only ``keep="failures"`` does.
    """

    def __init__(self, *, keep: Literal["all", "failures"] = "all") -> None:
        self._keep = keep
        self._kept: list[Outcome[T]] = []
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

    def add(self, outcome: Outcome[T]) -> None:
        """Count *outcome*, and keep it if it is to be kept."""
        self.counts[outcome.status] += 1
        self.note_error(outcome.error)
        if self._keep == "failures":
            if outcome.succeeded:
                return
            if len(self._kept) >= MAX_KEPT_FAILURES:
                self.truncated = True
                return
        self._kept.append(outcome)
        self._sorted = False

    def note_error(self, error: SegmentsError | None) -> None:
        """Keep the first error there is, as what `BulkError` is raised from."""
        self._first_error = self._first_error or error

    @property
    def total(self) -> int:
        """Items taken from the input."""
        return self.counts.total()

    @property
    def succeeded(self) -> int:
        """Items the service has now."""
        return sum(count for status, count in self.counts.items() if status in SUCCESSES)

    @property
    def failed(self) -> int:
        """Items that were refused or could not be sent."""
        return self.counts["failed"]

    @property
    def unsent(self) -> int:
        """Items that never left, because the run stopped before."""
        return self.counts["unsent"]

    @property
    def unknown(self) -> int:
        """Items that were sent and whose fate could not be learnt."""
        return self.counts["unknown"]

    @property
    def results(self) -> list[Outcome[T]]:
        """The outcomes that were kept, in the order of the input."""
        if not self._sorted:
            self._kept.sort(key=lambda outcome: outcome.index)
            self._sorted = True
        return self._kept.copy()

    @property
    def failures(self) -> list[Outcome[T]]:
        """The outcomes that are failed or unknown, in the order of the input."""
        return [outcome for outcome in self.results if outcome.status in {"failed", "unknown"}]

    @property
    def retry_items(self) -> list[Any]:
        """
        The items worth another run: retryable failures, unsent and unknown ones, in the order of the input.

        Raises:
            InputError: Outcomes were dropped, so that the list would not be complete.
        """
        if self.truncated:
            raise InputError(
                f"more than {MAX_KEPT_FAILURES:,} items did not succeed, and only so many are kept; use keep='all'"
            )
        return [
            outcome.retry_item
            for outcome in self.results
            if outcome.status in {"unsent", "unknown"} or (outcome.status == "failed" and outcome.retryable)
        ]

    @property
    def error_groups(self) -> dict[str, list[Outcome[T]]]:
        """The failures by what went wrong, the most frequent first."""
        groups: dict[str, list[Outcome[T]]] = {}
        for outcome in self.failures:
            if outcome.error is not None:
                groups.setdefault(_group_of(outcome.error), []).append(outcome)
        return dict(sorted(groups.items(), key=lambda group: -len(group[1])))

    def raise_if_failed(self) -> None:
        """
        Raise unless every item succeeded.

        Raises:
            BulkError: An item failed, is unknown or was not sent, or the run was stopped before the end of an input
                whose rest nobody can count; its ``__cause__`` is the first error.
        """
        if self.succeeded < self.total or (not self.exhausted and self.stopped not in {None, "left"}):
            raise self.as_error()

    def as_error(self) -> BulkError:
        """The report as an error, whose ``__cause__`` is the first error there was."""
        first = self._first_error
        error = BulkError(str(self) if first is None else f"{self}; first error: {first}", report=self)
        error.__cause__ = first
        return error

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {status}" for status, count in sorted(self.counts.items()) if count)
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"{self.total:,} items: {counts or 'none'}{stopped}"

    def __repr__(self) -> str:
        return f"<BulkReport {self}>"


class BulkError(SegmentsError):
    """
    A bulk run was asked to raise; ``__cause__`` is the error of its first failed item.

    Attributes:
        report: The outcome of every item.
    """

    def __init__(self, message: str, *, report: BulkReport[Any]) -> None:
        self.report = report
        super().__init__(message)


def _group_of(error: SegmentsError) -> str:
    """What went wrong, without where: neither the call nor the place in it."""
    match error:
        case ApiError():
            words = error.detail
        case InputError() | DecodeError():
            words = error.problem
        case TransportError():
            words = str(error).removesuffix(f" on {error.method} {error.url}")
        case _:
            words = str(error)
    return f"{type(error).__name__}: {words}"
