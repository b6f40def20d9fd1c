"""
Run one operation over any number of items, with bounded concurrency and one outcome for each item.

Items are taken from the input only when there is room for them. The engine does not know any endpoint: an `Operation`
defines how an item is checked and how a batch is sent.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from anyio import get_cancelled_exc_class

from segments_async._caller_errors import describe
from segments_async._http.call_stats import CallStats
from segments_async._misuse import NeedsAsyncFor, NeedsAsyncWith
from segments_async._serialization.collector import without_collections
from segments_async._wire.chunks import halve, rejected_indices, split_by_bytes
from segments_async._wire.replies import error_for_item
from segments_async.bulk.checkpoint import MAX_UNWRITTEN, checkpoint_of
from segments_async.bulk.endings import Endings
from segments_async.bulk.intake import Intake
from segments_async.bulk.item_errors import error_of_send, first_in, item_error
from segments_async.bulk.report import BulkReport
from segments_async.bulk.reporter import HEARTBEAT_SECONDS, ProgressReporter
from segments_async.bulk.source import Source
from segments_async.errors import (
    ApiError,
    ClientStateError,
    InputError,
    SegmentsError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup

    from segments_async.bulk.operation import Job, Operation
    from segments_async.bulk.options import BulkSettings
    from segments_async.bulk.outcomes import AnyOutcome

T = TypeVar("T")

GRACE_SECONDS = 10.0
"""Seconds after a stop until requests in flight are cancelled."""

_BAD_REQUEST = 400
_TOO_LARGE = 413


class BulkStream(NeedsAsyncWith, NeedsAsyncFor, Generic[T]):
    """
    A bulk run in progress: an async context manager, and an iterator over outcomes as they complete.

    Example::

        async with client.labels.stream_put(labels) as outcomes:
            async for outcome in outcomes:
                print(outcome.key, outcome.status)
        print(outcomes.report)

    Leaving the block early stops the run and cancels requests in flight. If the input raises an exception, and with
    ``on_error="raise"``, the iteration raises `BulkError` after the outcomes that precede it.
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
        # Who keeps no outcomes looks at them as they come; and one that is kept alone would keep its whole batch.
        if settings.keep == "all":
            operation.values = "later"
        self._settings = settings
        self._source = Source(items)
        self._report: BulkReport[T] = BulkReport(keep=settings.keep)
        self._checkpoint = checkpoint_of(operation, settings, self._stop_unrecorded)
        self._endings = Endings(operation, self._checkpoint, self._stop)
        self._intake = Intake(operation, self._source, self._checkpoint, check_duplicates=settings.check_duplicates)
        self._outcomes: deque[AnyOutcome[T]] = deque()
        """Outcomes that the consumer has not received yet."""
        self._max_outcomes = operation.concurrency * operation.batch_size
        self._failure: tuple[str, BaseException] | None = None
        """What ended the run other than its items, and its exception."""
        self._error_to_raise: BaseException | None = None
        self._entered = False
        self._finished = False
        self._reporter = ProgressReporter(settings.progress, operation, self._source, self._report)

    @property
    def report(self) -> BulkReport[T]:
        """The report of the run; complete after the block is left."""
        return self._report

    async def collect(self) -> BulkReport[T]:
        """
        Run to the end and return the report.

        Returns:
            The report of all outcomes.
        """
        if self._settings.keep == "failures" and self._settings.on_outcome is None:
            self._operation.values = "never"  # no success is kept or passed on
        async with self:
            while await self._wait_for_outcomes():
                self._outcomes.clear()
                self._consumer_ready.set()
        return self._report

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ClientStateError("a bulk run can be started only once; create another one")
        self._entered = True
        if self._checkpoint is not None:
            await self._checkpoint.open()
        self._started = time.monotonic()
        self._reporter.start()
        self._worker_slots = anyio.Semaphore(self._operation.concurrency, fast_acquire=True)
        self._scope_lock = anyio.Lock()
        self._preprocess_slots = anyio.Semaphore(self._operation.preprocess_limit, fast_acquire=True)
        self._outcomes_changed = anyio.Event()
        self._consumer_ready = anyio.Event()
        self._feed_scope = anyio.CancelScope()
        self._work_scope = anyio.CancelScope()
        if self._settings.total_timeout is not None:
            self._feed_scope.deadline = anyio.current_time() + self._settings.total_timeout
            self._work_scope.deadline = self._feed_scope.deadline + GRACE_SECONDS
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        if self._checkpoint is not None:
            self._group.start_soon(self._checkpoint.run)
        self._group.start_soon(self._run)
        if self._reporter.is_active:
            self._group.start_soon(self._report_heartbeat)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cancelled = isinstance(error, get_cancelled_exc_class())
        if not self._finished:
            self._stop("cancelled" if cancelled else "left")
        self._group.cancel_scope.cancel()
        # Errors of the body propagate without an ExceptionGroup; the task group handles cancellations only.
        raised: BaseException | None = None
        try:
            if cancelled:
                await self._group.__aexit__(kind, error, traceback)
            else:
                await self._group.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            raised = first_in(group)
        if raised is not None:
            raise raised  # such as a KeyboardInterrupt in code of the caller

    def __aiter__(self) -> AsyncIterator[AnyOutcome[T]]:
        return self

    async def __anext__(self) -> AnyOutcome[T]:
        if not self._entered:
            raise ClientStateError("a bulk stream must be used with 'async with'")
        if not await self._wait_for_outcomes():
            raise StopAsyncIteration
        outcome = self._outcomes.popleft()
        if len(self._outcomes) < self._max_outcomes:
            self._consumer_ready.set()
        return outcome

    async def _wait_for_outcomes(self) -> bool:
        """Wait for an outcome; return whether there is one, or raise what ended the run after the last of them."""
        while not self._outcomes and not self._finished:
            if self._outcomes_changed.is_set():
                self._outcomes_changed = anyio.Event()
            await self._outcomes_changed.wait()
        if not self._outcomes and self._error_to_raise is not None:
            error, self._error_to_raise = self._error_to_raise, None
            raise error
        return bool(self._outcomes)

    async def _run(self) -> None:
        """Start the workers, wait for them, and account for items that were not sent."""
        try:
            with self._work_scope:
                async with anyio.create_task_group() as workers:
                    await self._feed(workers)
            if self._work_scope.cancelled_caught:
                self._stop("total_timeout")
            if self._checkpoint is not None:
                await self._checkpoint.finish()
        except get_cancelled_exc_class():
            self._stop("cancelled")
            raise
        finally:
            if self._checkpoint is not None:
                await self._checkpoint.aclose(cancelled=self._report.stopped == "cancelled")
            self._finish()

    async def _feed(self, workers: TaskGroup) -> None:
        try:
            try:
                with self._feed_scope:
                    while await self._feed_one(workers):
                        pass
                    return
                self._stop("total_timeout")
            finally:
                await self._source.aclose()
        except Exception as error:  # noqa: BLE001 (not caused by an item)
            self._fail_with("the run", error)

    async def _feed_one(self, workers: TaskGroup) -> bool:
        """Wait for a free worker and start it on a batch; return False at the end of the input."""
        await self._worker_slots.acquire()
        while self._report.stopped is None:
            await self._wait_for_consumer()
            if self._checkpoint is not None:
                await self._checkpoint.flush(MAX_UNWRITTEN)
            batch, outcomes = await self._intake.take()
            if batch and self._settings.dry_run:
                self._emit([self._endings.unsent(job) for job in batch])
                continue
            if batch:
                workers.start_soon(self._work, batch)
                return True
            if not outcomes:
                return False
            self._emit(outcomes)
        return False

    async def _wait_for_consumer(self) -> None:
        """Pause taking items while as many outcomes wait for the consumer as the workers can produce at once."""
        while len(self._outcomes) >= self._max_outcomes:
            self._consumer_ready = anyio.Event()
            await self._consumer_ready.wait()

    async def _work(self, batch: list[Job]) -> None:
        """Send one batch, in parts if the service rejects it as a whole. Every job gets an outcome."""
        parts: list[Sequence[Job]] = [batch]
        stats = CallStats(bulk=True)
        try:
            if self._operation.preprocess_limit:
                await self._preprocess(batch)
                parts = list(split_by_bytes(batch, lambda job: job.prepared.size))
            if self._checkpoint is not None and self._operation.journal_before_send:
                for job in batch:
                    self._checkpoint.record(job, "unknown", job.prepared.uuid)
                await self._checkpoint.flush()  # uploaded files too: the next run must send the same body
            while parts and self._report.stopped is None:
                parts[-1:] = await self._send_part(parts[-1], stats)
                stats = CallStats(bulk=True)
        except ClientStateError as error:
            stats.attempts -= 1  # the client refused to send the last one
            self._fail_with("the client", error)
        except Exception as error:  # noqa: BLE001 (not caused by an item)
            self._fail_with("the run", error)
        finally:
            if parts and stats.attempts > stats.throttles:
                self._emit([self._endings.cancelled(job, stats) for job in parts.pop()])
            if parts:
                self._emit([self._endings.unsent(job) for part in parts for job in part])
            self._worker_slots.release()

    async def _preprocess(self, batch: list[Job]) -> None:
        """Preprocess every job of *batch*, and remove those that fail. After a stop, no more are started or sent."""
        record = None if self._checkpoint is None else self._checkpoint.record_file

        async def preprocess(job: Job) -> None:
            stats = CallStats(bulk=True)
            self._reporter.in_flight.add(stats)
            job.done = {}
            try:
                async with self._preprocess_slots:
                    if self._report.stopped is None:
                        job.prepared = await self._operation.preprocess(job, stats, record)
            except ClientStateError as error:
                self._fail_with("the client", error)
            except Exception as error:  # noqa: BLE001 (raised by code of the caller, such as a file or a function)
                batch.remove(job)
                self._emit([self._endings.of_error(job, self._operation.locate(item_error(error), job.index), stats)])
            finally:
                self._add_stats(stats)

        if not await self._is_scope_there(batch):
            batch.clear()
        async with anyio.create_task_group() as group:
            for job in batch:
                group.start_soon(preprocess, job)

    async def _is_scope_there(self, batch: list[Job]) -> bool:
        """Return whether there is something to write to; otherwise fail *batch* and stop the run. One batch asks."""
        stats = CallStats(bulk=True)
        try:
            async with self._scope_lock:
                if self._report.stopped is None:
                    await self._operation.check_scope(stats)
        except ClientStateError:
            raise
        except SegmentsError as error:
            self._emit([self._endings.of_error(job, error, stats, raised=True) for job in batch])
            return False
        finally:
            self._add_stats(stats)
        return True

    async def _send_part(self, part: Sequence[Job], stats: CallStats) -> Sequence[Sequence[Job]]:
        """Send *part*, emit the outcomes of its items, and return the jobs to send again, in smaller parts."""
        self._reporter.in_flight.add(stats)
        try:
            results = await self._operation.send(part, stats)
        except ClientStateError:
            raise
        except Exception as raised:  # noqa: BLE001 (one bad item must not harm the others)
            error = raised if isinstance(raised, SegmentsError) else error_of_send(raised, stats)
            if isinstance(error, ApiError) and not self._endings.concerns_all(error):
                if error.status == _BAD_REQUEST and (rejected := rejected_indices(error.body, len(part))):
                    return self._split_rejected(part, rejected, error, stats)
                if error.status in {_BAD_REQUEST, _TOO_LARGE} and len(part) > 1:
                    return halve(part)
            if isinstance(error, InputError) and len(part) > 1:
                return halve(part)  # nothing was sent: find the item
            locate = self._operation.locate
            self._emit([self._endings.of_error(job, locate(error, job.index), stats, raised=True) for job in part])
        else:
            if len(part) == 1:
                self._emit(self._endings.of_results(part, results, stats))
            else:
                self._emit(without_collections(self._endings.of_results, part, results, stats))
        finally:
            self._add_stats(stats)
        return []

    def _split_rejected(
        self, part: Sequence[Job], rejected: Sequence[int], error: ApiError, stats: CallStats
    ) -> Sequence[Sequence[Job]]:
        """Fail the items that the response rejects; return the others to send again."""
        self._emit([self._endings.of_error(part[place], error_for_item(error, place), stats) for place in rejected])
        rest = [job for place, job in enumerate(part) if place not in set(rejected)]
        return [rest] if rest else []

    def _add_stats(self, stats: CallStats) -> None:
        self._reporter.in_flight.discard(stats)
        self._report.requests += stats.attempts
        self._report.retries += stats.attempts - stats.calls
        self._report.throttled += stats.throttles
        self._report.bytes_sent += stats.bytes_sent
        self._report.deleted_count += stats.deleted

    def _emit(self, outcomes: list[AnyOutcome[T]]) -> None:
        """Count *outcomes*, queue them for the consumer, and stop the run if the settings say so."""
        self._report.add_all(outcomes)
        if self._settings.on_outcome is not None:
            for outcome in outcomes:
                self._notify(outcome, self._settings.on_outcome)
        if self._settings.on_error == "raise" and any(outcome.error is not None for outcome in outcomes):
            self._stop("error")
        limit = self._settings.max_failures
        if limit is not None and self._report.failed + self._report.unknown > limit:
            self._stop("max_failures")
        self._outcomes.extend(outcomes)
        self._outcomes_changed.set()
        self._report_progress()

    def _notify(self, outcome: AnyOutcome[T], on_outcome: Callable[[AnyOutcome[Any]], object]) -> None:
        try:
            on_outcome(outcome)
        except BaseException as error:  # noqa: BLE001 (raised by the callback; raised again where outcomes are consumed)
            self._fail_with("on_outcome", error)

    def _report_progress(self, *, last: bool = False) -> None:
        try:
            self._reporter.report_progress(last=last)
        except BaseException as error:  # noqa: BLE001 (raised by the callback; raised again where outcomes are consumed)
            self._fail_with("progress", error)

    async def _report_heartbeat(self) -> None:
        """Report progress regularly, even while no item finishes."""
        while True:
            await anyio.sleep(HEARTBEAT_SECONDS)
            if self._finished:
                return
            self._report_progress()

    def _stop(self, reason: str) -> None:
        """Take no more items; requests in flight get a bounded grace period."""
        if self._report.stopped is None:
            self._report.stopped = reason
            self._feed_scope.cancel()
            self._work_scope.deadline = min(self._work_scope.deadline, anyio.current_time() + GRACE_SECONDS)

    def _stop_unrecorded(self, error: SegmentsError) -> None:
        """Stop the run because outcomes can no longer be recorded."""
        self._report.note_error(error)
        self._stop("checkpoint")

    def _fail_with(self, what: str, error: BaseException) -> None:
        """Stop the run because *what* raised an exception that is not an item's; it is raised with the report."""
        self._failure = self._failure or (what, error)
        self._stop("error")

    def _finish(self) -> None:
        """Account for items that were not sent, once, at the end of the run."""
        for outcome in self._intake.leftovers():
            self._emit([outcome])
        if self._source.error is not None:
            self._fail_with("the input", self._source.error)
        report = self._report
        report.exhausted = self._source.exhausted
        report.elapsed = time.monotonic() - self._started
        self._report_progress(last=True)
        self._error_to_raise = self._error_of_run()
        self._finished = True
        self._outcomes_changed.set()

    def _error_of_run(self) -> BaseException | None:
        """Return what to raise where outcomes are consumed; with the report, unless the program must stop."""
        report = self._report
        if self._failure is not None:
            what, error = self._failure
            if not isinstance(error, Exception) or (isinstance(error, ClientStateError) and what == "the client"):
                return error
            return report.as_error(error, f"{what} raised {describe(error)}")
        incomplete = report.stopped is not None or report.succeeded < report.total
        return report.as_error() if self._settings.on_error == "raise" and incomplete else None
