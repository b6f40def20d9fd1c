"""
Run one operation over any number of items: bounded in flight, pulled only when there is room, one outcome for each.

The engine knows no endpoint: an `Operation` says how an item is checked and how a batch is sent.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from anyio import get_cancelled_exc_class
from attrs import evolve

from segments_async._http.call_stats import CallStats
from segments_async._wire.chunks import halve, rejected_indices, split_by_bytes
from segments_async._wire.replies import error_for_item
from segments_async._wire.retry import is_retryable
from segments_async.bulk.checkpoint import MAX_UNWRITTEN, Checkpoint
from segments_async.bulk.intake import Intake
from segments_async.bulk.operation import Job, Operation, Success
from segments_async.bulk.report import SUCCESSES, BulkReport, Outcome
from segments_async.bulk.reporter import SILENCE_SECONDS, ProgressReporter
from segments_async.bulk.source import Source
from segments_async.errors import (
    ApiError,
    AuthenticationError,
    AuthorizationError,
    ClientStateError,
    DecodeError,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    SegmentsError,
    SubscriptionError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup

    from segments_async.bulk.options import BulkSettings
    from segments_async.bulk.report import Status

T = TypeVar("T")

GRACE_SECONDS = 10.0
"""After a stop, requests under way have so long to end before they are cut."""

_FATAL = (AuthenticationError, AuthorizationError, SubscriptionError)
"""What is wrong for one item is wrong for all."""
_BAD_REQUEST = 400
_TOO_LARGE = 413


class BulkStream(Generic[T]):
    """
    A bulk run under way: an async context manager, and an iterator over outcomes as they come.

    Example:
        ::

            async with client.labels.stream_put(labels) as outcomes:
                async for outcome in outcomes:
                    print(outcome.key, outcome.status)
            print(outcomes.report)

    Leaving the block early stops the run and cuts what is under way. With ``on_error="raise"``, `BulkError` comes out
    of the iteration, after the outcomes that were earlier.
    """

    def __init__(
        self, operation: Operation[T], items: Iterable[Any] | AsyncIterable[Any], settings: BulkSettings
    ) -> None:
        if not isinstance(items, Iterable | AsyncIterable) or isinstance(items, str | bytes | Mapping):
            raise InputError(
                f"expected an iterable or async iterable of items, got {type(items).__name__}",
                path=operation.items_name,
            )
        self._operation = operation
        self._settings = settings
        self._source = Source(items)
        self._report: BulkReport[T] = BulkReport(keep=settings.keep)
        path = settings.checkpoint
        self._checkpoint = None if path is None else Checkpoint(path, operation, self._stop_unrecorded)
        self._intake = Intake(operation, self._source, self._checkpoint, check_duplicates=settings.check_duplicates)
        self._ready: deque[Outcome[T]] = deque()
        """Outcomes that the consumer has not taken yet."""
        self._most_ready = operation.concurrency * operation.batch_size
        self._raises: Exception | None = None
        self._entered = False
        self._settled = False
        self._teller = ProgressReporter(settings.progress, operation, self._source, self._report)

    @property
    def report(self) -> BulkReport[T]:
        """What became of the run; complete once the block is left."""
        return self._report

    async def collect(self) -> BulkReport[T]:
        """Run to the end."""
        async with self:
            async for _ in self:
                pass
        return self._report

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ClientStateError("this bulk run was started before; start another")
        self._entered = True
        if self._checkpoint is not None:
            await self._checkpoint.open()
        self._started = time.monotonic()
        self._teller.start()
        self._room = anyio.Semaphore(self._operation.concurrency, fast_acquire=True)
        self._begin_room = anyio.Semaphore(self._operation.preprocess_limit, fast_acquire=True)
        self._news = anyio.Event()
        self._caught_up = anyio.Event()
        self._feeding = anyio.CancelScope()
        self._working = anyio.CancelScope()
        if self._settings.total_timeout is not None:
            self._feeding.deadline = anyio.current_time() + self._settings.total_timeout
            self._working.deadline = self._feeding.deadline + GRACE_SECONDS
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        if self._checkpoint is not None:
            self._group.start_soon(self._checkpoint.run)
        self._group.start_soon(self._run)
        if self._teller.listens:
            self._group.start_soon(self._tell_of_waits)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cancelled = isinstance(error, get_cancelled_exc_class())
        if not self._settled:
            self._stop("cancelled" if cancelled else "left")
        self._group.cancel_scope.cancel()
        # An error of the body goes its own way, bare; only a cancellation is the group's business.
        if cancelled:
            await self._group.__aexit__(kind, error, traceback)
        else:
            await self._group.__aexit__(None, None, None)

    def __aiter__(self) -> AsyncIterator[Outcome[T]]:
        return self

    async def __anext__(self) -> Outcome[T]:
        if not self._entered:
            raise ClientStateError("a bulk stream runs inside 'async with'")
        while not self._ready and not self._settled:
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
        if self._ready:
            outcome = self._ready.popleft()
            if len(self._ready) < self._most_ready:
                self._caught_up.set()
            return outcome
        if self._raises is not None:
            error, self._raises = self._raises, None
            raise error
        raise StopAsyncIteration

    async def _run(self) -> None:
        """Feed the workers, wait for them, and account for what was never sent."""
        try:
            with self._working:
                async with anyio.create_task_group() as workers:
                    await self._feed(workers)
            if self._working.cancelled_caught:
                self._stop("total_timeout")
        except get_cancelled_exc_class():
            self._stop("cancelled")
            raise
        finally:
            if self._checkpoint is not None:
                await self._checkpoint.aclose()
            self._settle()

    async def _feed(self, workers: TaskGroup) -> None:
        try:
            try:
                with self._feeding:
                    while await self._feed_one(workers):
                        pass
                    return
                self._stop("total_timeout")
            finally:
                await self._source.aclose()
        except Exception as error:  # noqa: BLE001 (the input's own, raised again where outcomes are consumed)
            self._fail_with(error)

    async def _feed_one(self, workers: TaskGroup) -> bool:
        """Wait for a free worker and give it a batch; False at the end of the input."""
        await self._room.acquire()
        while self._report.stopped is None:
            await self._wait_for_consumer()
            if self._checkpoint is not None:
                await self._checkpoint.flush(MAX_UNWRITTEN)
            batch, settled = await self._intake.take()
            if batch:
                workers.start_soon(self._work, batch)
                return True
            if not settled:
                return False
            self._hand_over(settled)
        return False

    async def _wait_for_consumer(self) -> None:
        """Take nothing more while the consumer is as much behind as the workers can be ahead."""
        while len(self._ready) >= self._most_ready:
            self._caught_up = anyio.Event()
            await self._caught_up.wait()

    async def _work(self, batch: list[Job]) -> None:
        """Send one batch, in parts if the service refuses it whole; every job gets its outcome, come what may."""
        parts: list[Sequence[Job]] = [batch]
        stats = CallStats(bulk=True)
        try:
            if self._checkpoint is not None and self._operation.journal_before_send:
                for job in batch:
                    self._checkpoint.note(job, "unknown", job.prepared.uuid)
                await self._checkpoint.flush()
            if self._operation.preprocess_limit:
                await self._begin(batch)
                parts = list(split_by_bytes(batch, lambda job: job.prepared.size))
            while parts and self._report.stopped is None:
                parts[-1:] = await self._send_part(parts[-1], stats)
                stats = CallStats(bulk=True)
        except ClientStateError as error:
            stats.attempts -= 1  # the last one was refused here
            self._fail_with(error)
        except Exception as error:  # noqa: BLE001 (no item's fault)
            self._fail_with(error)
        finally:
            if parts and stats.attempts > stats.throttles:
                self._hand_over([self._cut_off(job, stats) for job in parts.pop()])
            self._hand_over([self._unsent(job) for part in parts for job in part])
            self._room.release()

    async def _begin(self, batch: list[Job]) -> None:
        """Begin every job of *batch*; those that fail leave it. After a stop no more are begun, nor sent."""
        note = None if self._checkpoint is None else self._checkpoint.note_file

        async def preprocess(job: Job) -> None:
            stats = CallStats(bulk=True)
            self._teller.under_way.add(stats)
            try:
                async with self._begin_room:
                    if self._report.stopped is None:
                        prepared = await self._operation.preprocess(job, stats, note)
                        batch[batch.index(job)] = evolve(job, prepared=prepared)
            except ClientStateError as error:
                self._fail_with(error)
            except SegmentsError as error:
                batch.remove(job)
                self._hand_over([self._outcome(job, self._operation.locate(error, job.index), stats)])
            except Exception as error:  # noqa: BLE001 (the caller's own, from a callable it gave)
                self._fail_with(error)
            finally:
                self._tally(stats)

        async with anyio.create_task_group() as group:
            for job in batch:
                group.start_soon(preprocess, job)

    async def _send_part(self, part: Sequence[Job], stats: CallStats) -> Sequence[Sequence[Job]]:
        """Send *part*, hand over what became of its items, and return what to send again, in smaller parts."""
        self._teller.under_way.add(stats)
        try:
            results = await self._operation.send(part, stats)
        except ClientStateError:
            raise
        except SegmentsError as error:
            if isinstance(error, ApiError) and not self._concerns_all(error):
                if error.status == _BAD_REQUEST and (guilty := rejected_indices(error.body, len(part))):
                    return self._fail_guilty(part, guilty, error, stats)
                if error.status in {_BAD_REQUEST, _TOO_LARGE} and len(part) > 1:
                    return halve(part)
            self._hand_over([self._outcome(job, error, stats, raised=True) for job in part])
        else:
            self._hand_over([self._outcome(job, result, stats) for job, result in zip(part, results, strict=True)])
        finally:
            self._tally(stats)
        return []

    def _fail_guilty(
        self, part: Sequence[Job], guilty: Sequence[int], error: ApiError, stats: CallStats
    ) -> Sequence[Sequence[Job]]:
        """Fail the items that the answer blames; the rest is for another try."""
        self._hand_over([self._outcome(part[place], error_for_item(error, place), stats) for place in guilty])
        rest = [job for place, job in enumerate(part) if place not in set(guilty)]
        return [rest] if rest else []

    def _concerns_all(self, error: SegmentsError) -> bool:
        """Whether what befell a batch would befall every other."""
        return isinstance(error, _FATAL) or (self._operation.missing_is_fatal and isinstance(error, NotFoundError))

    def _outcome(
        self, job: Job, result: Success[T] | SegmentsError, stats: CallStats, *, raised: bool = False
    ) -> Outcome[T]:
        error = None if isinstance(result, Success) else _without_frames(result)
        # An answer that was lost or is no answer leaves open what the service did; a fault of one item does not.
        lost = raised and (isinstance(error, DecodeError) or (isinstance(error, TransportError) and error.sent))
        fatal = error is not None and (self._concerns_all(error) if raised else isinstance(error, _FATAL))
        if fatal:
            self._stop("fatal")
        return self._ended(
            job,
            uuid=(result.uuid if isinstance(result, Success) else None) or job.prepared.uuid,
            status=result.status if isinstance(result, Success) else "unknown" if lost else "failed",
            value=result.value if isinstance(result, Success) else None,
            error=error,
            # What stopped the run was no fault of the items that met it.
            retryable=error is not None and (lost or fatal or is_retryable(error)),
            attempts=stats.attempts,
            request_id=stats.request_id,
        )

    def _cut_off(self, job: Job, stats: CallStats) -> Outcome[T]:
        return self._ended(
            job,
            status="unknown",
            error=OutcomeUnknownError("the run stopped before the answer came"),
            retryable=True,
            attempts=stats.attempts,
            request_id=stats.request_id,
        )

    def _unsent(self, job: Job) -> Outcome[T]:
        return job.outcome(status="unsent", retryable=True, retry_item=self._operation.retry_item(job))

    def _ended(self, job: Job, *, status: Status, **more: Any) -> Outcome[T]:
        """Say what became of *job*, and have it noted."""
        item = self._operation.trim_item(job.item) if status in SUCCESSES else job.item
        outcome = job.outcome(status=status, item=item, retry_item=self._operation.retry_item(job), **more)
        if self._checkpoint is not None:
            self._checkpoint.note(job, outcome.status, outcome.uuid)
        return outcome

    def _tally(self, stats: CallStats) -> None:
        self._teller.under_way.discard(stats)
        self._report.requests += stats.attempts
        self._report.retries += stats.attempts - stats.calls
        self._report.throttled += stats.throttles
        self._report.bytes_sent += stats.bytes_sent
        self._report.deleted_count += stats.deleted

    def _hand_over(self, outcomes: list[Outcome[T]]) -> None:
        """Count *outcomes*, keep them ready for the consumer, and stop the run if they are reason to."""
        for outcome in outcomes:
            self._report.add(outcome)
            if outcome.error is not None and self._settings.on_error == "raise":
                self._stop("error")
        limit = self._settings.max_failures
        if limit is not None and self._report.failed + self._report.unknown > limit:
            self._stop("max_failures")
        self._ready.extend(outcomes)
        self._news.set()
        self._tell_progress()

    def _tell_progress(self, *, last: bool = False) -> None:
        try:
            self._teller.tell(last=last)
        except Exception as error:  # noqa: BLE001 (the caller's own)
            self._fail_with(error)

    async def _tell_of_waits(self) -> None:
        """Tell also while nothing comes to an end."""
        while True:
            await anyio.sleep(SILENCE_SECONDS)
            if self._settled:
                return
            self._tell_progress()

    def _stop(self, reason: str) -> None:
        """Take nothing more; what is under way gets a bounded grace."""
        if self._report.stopped is None:
            self._report.stopped = reason
            self._feeding.cancel()
            self._working.deadline = min(self._working.deadline, anyio.current_time() + GRACE_SECONDS)

    def _stop_unrecorded(self, error: InputError) -> None:
        """Stop the run, as what it does can no longer be noted."""
        self._report.note_error(error)
        self._stop("checkpoint")

    def _fail_with(self, error: Exception) -> None:
        """Stop the run, and raise *error* where outcomes are consumed."""
        self._raises = self._raises or error
        self._stop("error")

    def _settle(self) -> None:
        """Account, once and at the end, for what was never sent."""
        try:
            for outcome in self._intake.leftovers():
                self._hand_over([outcome])
        except Exception as error:  # noqa: BLE001 (the input's own)
            self._fail_with(error)
        report = self._report
        report.exhausted = self._source.exhausted
        report.elapsed = time.monotonic() - self._started
        self._tell_progress(last=True)
        incomplete = report.stopped is not None or report.succeeded < report.total
        if self._settings.on_error == "raise" and incomplete:
            self._raises = self._raises or report.as_error()
        self._settled = True
        self._news.set()


def _without_frames(error: SegmentsError) -> SegmentsError:
    """Let go of the stack, and of what was raised below: they hold the request with its body, for every failure."""
    error.__traceback__ = error.__context__ = None
    error.__cause__ = _without_frames(error.__cause__) if isinstance(error.__cause__, SegmentsError) else None
    return error
