"""The report of a write by many workers."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any

import ray
from attrs import evolve, field, frozen

from segments_async.bulk import BulkReport
from segments_async.bulk.outcomes import SUCCESSES
from segments_async.bulk.report import MAX_KEPT_FAILURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from ray.data import Dataset

    from segments_async.bulk import AnyOutcome


@frozen(kw_only=True)
class BlockResult:
    """What became of the rows of one block."""

    outcomes: Sequence[AnyOutcome[Any]]
    """All outcomes; or, on the way to the driver, those that did not succeed, 10,000 at most."""
    counted: Counter[str] = field(factory=Counter)
    """Items that are not among the outcomes, by status."""
    stopped: str | None = None
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    bytes_sent: int = 0
    retry_rows: pa.Table | None = None
    """The rows of the items that may succeed later."""


class BlockOutcomes:
    """
    What is kept of the outcomes of a block, which may have millions of rows.

    Args:
        counts_only: Whether to only count successes, and the failures that the driver would drop.

    Attributes:
        kept: The other outcomes, those of successes without their items.
        counted: How many there are of those that are not kept, by status.
        retry_keys: The keys of all items that may succeed later.
    """

    def __init__(self, *, counts_only: bool) -> None:
        self._counts_only = counts_only
        self.kept: list[AnyOutcome[Any]] = []
        self.counted: Counter[str] = Counter()
        self.retry_keys: set[str] = set()

    @property
    def total(self) -> int:
        """The number of outcomes."""
        return len(self.kept) + self.counted.total()

    def add(self, outcome: AnyOutcome[Any]) -> None:
        """Add an outcome."""
        if outcome.key is not None and _may_succeed_later(outcome):
            self.retry_keys.add(outcome.key)
        if self._counts_only and (outcome.succeeded or len(self.kept) >= MAX_KEPT_FAILURES):
            self.counted[outcome.status] += 1
        elif outcome.succeeded:
            self.kept.append(evolve(outcome, item=None, value=None, retry_item=None))
        else:
            self.kept.append(outcome)


def _may_succeed_later(outcome: AnyOutcome[Any]) -> bool:
    return outcome.status in {"unsent", "unknown"} or (outcome.status == "failed" and outcome.retryable)


def result_of(pickled: bytes) -> BlockResult:
    """
    Return the result of a block, as a worker pickled it; or raise the exception that ended the worker's try.

    It comes as a value, since Ray would drop the block of an exception if its `max_errored_blocks` allows some.
    """
    result = pickle.loads(pickled)  # noqa: S301 (of our own workers)
    if isinstance(result, BlockResult):
        return result
    raise result


class DistributedReport(BulkReport[Any]):
    """
    The report of `write_samples` and `write_labels`: a `BulkReport` that is merged from those of all blocks.

    Example::

        report = write_labels(predictions, labelset="predictions")
        print(report)
        if report.retry_rows is not None:
            report = write_labels(report.retry_rows, labelset="predictions")

    `failures` and `results` have what did not succeed, 10,000 outcomes at most; `Outcome.index` is a position in a
    block. `retry_rows` are in the memory of the cluster, and last as long as it does. `exhausted` says whether all rows
    are counted; after a stop, those of blocks that had not reported are not.
    """

    def __init__(self) -> None:
        super().__init__(keep="failures")
        self._retry_rows: list[Any] = []

    @property
    def retry_rows(self) -> Dataset | None:
        """The rows of all items that may succeed later, to be written again; None if there are none."""
        return ray.data.from_arrow_refs(self._retry_rows) if self._retry_rows else None

    def merge(self, block: BlockResult) -> None:
        """Add the result of a block."""
        self.counts.update(block.counted)
        self.truncated: bool = self.truncated or not block.counted.keys() <= SUCCESSES
        for outcome in block.outcomes:
            self.add(outcome)
        if block.stopped == "fatal":
            self.stopped = "fatal"
        self.requests += block.requests
        self.retries += block.retries
        self.throttled += block.throttled
        self.bytes_sent += block.bytes_sent
        if block.retry_rows is not None:
            self._retry_rows.append(ray.put(block.retry_rows))

    def must_stop(self, max_failures: int | None) -> bool:
        """Return whether the job has to stop, and note why."""
        too_many = max_failures is not None and self.failed + self.unknown > max_failures
        self.stopped: str | None = "max_failures" if too_many else self.stopped
        return self.stopped is not None

    def __repr__(self) -> str:
        return f"<DistributedReport {self}>"
