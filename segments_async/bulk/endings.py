"""Make the outcome of each job that was sent, or that was not, and record it in the checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segments_async._wire.retry import is_retryable
from segments_async.bulk.item_errors import is_fatal, strip_tracebacks
from segments_async.bulk.operation import Success
from segments_async.bulk.outcomes import sent_outcome
from segments_async.errors import DecodeError, NotFoundError, OutcomeUnknownError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async.bulk.checkpoint import Checkpoint
    from segments_async.bulk.operation import Job, Operation
    from segments_async.bulk.outcomes import AnyOutcome, Status
    from segments_async.errors import SegmentsError

T = TypeVar("T")

_NOT_FOUND = 404


class Endings(Generic[T]):
    """
    Make outcomes.

    Args:
        operation: Trims the items of successes, and knows what is sent again.
        checkpoint: Records how each job ended.
        stop: Stops the run, for a reason: after an error that concerns every item.
    """

    def __init__(self, operation: Operation[T], checkpoint: Checkpoint | None, stop: Callable[[str], None]) -> None:
        self._operation = operation
        self._keeps_items = operation.keeps_items
        self._checkpoint = checkpoint
        self._stop = stop

    def of_results(
        self, part: Sequence[Job], results: Sequence[Success[T] | SegmentsError], stats: CallStats
    ) -> list[AnyOutcome[T]]:
        """Make the outcomes of jobs that were sent together."""
        attempts, request_id = stats.attempts, stats.request_id
        return [
            self._success(job, result, attempts, request_id)
            if isinstance(result, Success)
            else self.of_error(job, result, stats)
            for job, result in zip(part, results, strict=True)
        ]

    def of_error(self, job: Job, error: SegmentsError, stats: CallStats, *, raised: bool = False) -> AnyOutcome[T]:
        """Make the outcome of a job that failed; *raised* says that the whole request did, and not this item alone."""
        error = strip_tracebacks(error)
        # After a lost or malformed response, it is unknown what the service did; not so after an error of one item.
        lost = raised and (isinstance(error, DecodeError) or (isinstance(error, TransportError) and error.sent))
        fatal = self.concerns_all(error) if raised else is_fatal(error)
        if fatal:
            self._stop("fatal")
        # An error that stopped the run does not rule out that its items succeed later.
        retryable = lost or fatal or is_retryable(error)
        return self._failure_of(job, stats, status="unknown" if lost else "failed", error=error, retryable=retryable)

    def cancelled(self, job: Job, stats: CallStats) -> AnyOutcome[T]:
        """Make the outcome of a job that was sent, before the run stopped."""
        error = OutcomeUnknownError("the run stopped before the response arrived")
        return self._failure_of(job, stats, status="unknown", error=error, retryable=True)

    def unsent(self, job: Job) -> AnyOutcome[T]:
        """Make the outcome of a job that was not sent."""
        return job.outcome(status="unsent", retryable=True, retry_item=self._retry_item(job))

    def concerns_all(self, error: SegmentsError) -> bool:
        """Whether every other batch would fail too."""
        if isinstance(error, NotFoundError):
            return self._operation.missing_is_fatal and error.status == _NOT_FOUND
        return is_fatal(error)

    def _success(self, job: Job, result: Success[T], attempts: int, request_id: str | None) -> AnyOutcome[T]:
        item, retry_item = job.item, job.item
        if not self._keeps_items:
            item, retry_item = self._operation.trim_item(job), self._retry_item(job)
        status, uuid = result.status, result.uuid or job.prepared.uuid or ""
        if self._checkpoint is not None:
            self._checkpoint.record(job, status, uuid)
        return sent_outcome(
            status,
            job.index,
            job.prepared.key,
            uuid,
            item,
            retry_item,
            attempts=attempts,
            request_id=request_id,
            value=result.value,
            number=result.number,
        )

    def _failure_of(
        self, job: Job, stats: CallStats, *, status: Status, error: SegmentsError, retryable: bool
    ) -> AnyOutcome[T]:
        """Create the outcome of *job* that was sent in vain, and record it in the checkpoint."""
        if self._checkpoint is not None:
            self._checkpoint.record(job, status, job.prepared.uuid)
        return sent_outcome(
            status,
            job.index,
            job.prepared.key,
            job.prepared.uuid,
            job.item,
            self._retry_item(job),
            attempts=stats.attempts,
            request_id=stats.request_id,
            error=error,
            retryable=retryable,
        )

    def _retry_item(self, job: Job) -> Any:
        try:
            return self._operation.retry_item(job)
        except Exception:  # noqa: BLE001 (raised by code of the caller; the item itself can be sent again)
            return job.item
