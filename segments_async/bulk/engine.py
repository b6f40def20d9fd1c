"""
Run one operation over any number of items: bounded in flight, pulled only when there is room, one outcome for each.

The engine knows no endpoint: an `Operation` says how an item is checked and how a batch is sent.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterable, Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from anyio import get_cancelled_exc_class
from attrs import evolve, field, frozen

from segments_async._session import Trace
from segments_async._wire.chunks import blamed, fits, halve
from segments_async._wire.replies import error_for_item
from segments_async._wire.retry import is_retryable
from segments_async.bulk.report import BulkReport, Outcome, Progress, Status
from segments_async.bulk.source import Source
from segments_async.errors import (
    ApiError,
    AuthenticationError,
    AuthorizationError,
    BulkError,
    ClientStateError,
    DecodeError,
    InputError,
    NotFoundError,
    SegmentsError,
    SubscriptionError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup

    from segments_async.bulk.options import BulkSettings

T = TypeVar("T")

GRACE_SECONDS = 10.0
"""After a stop, requests under way have so long to end before they are cut."""
PROGRESS_SECONDS = 0.1
"""Progress is told no more often."""

_FATAL = (AuthenticationError, AuthorizationError, SubscriptionError)
_BAD_REQUEST = 400
_TOO_LARGE = 413


@frozen
class Prepared:
    """An item that was checked and can be sent."""

    key: str
    body: Any = field(repr=False)
    """What `Operation.send` makes a request of."""
    size: int = 0
    """Bytes it adds to a batch."""
    uuid: str | None = None


@frozen
class Job:
    """A prepared item and its place in the input."""

    index: int
    item: Any = field(repr=False)
    prepared: Prepared


@frozen
class Success(Generic[T]):
    """What the service made of one item."""

    status: Status
    value: T | None
    uuid: str | None = None


class Operation(Generic[T]):
    """What a bulk run does with its items."""

    noun: str
    """What the input is called in errors, such as ``samples``."""
    batch_size: int
    """Items a request at most; 1 where the service takes them one by one."""
    concurrency: int
    """Batches in flight at most."""
    missing_is_fatal: bool = False
    """Whether a 404 speaks of something that all items share."""
    begins: bool = False
    """Whether `begin` has something to do."""

    def prepare(self, item: Any) -> Prepared:
        """Check *item* before anything is sent; `InputError` says what is wrong with it."""
        raise NotImplementedError

    async def begin(self, job: Job, trace: Trace) -> Prepared:
        """Do what is done once for each item, before its batch is sent, perhaps in parts and more than once."""
        raise NotImplementedError

    async def send(self, jobs: Sequence[Job], trace: Trace) -> Sequence[Success[T] | SegmentsError]:
        """Send a batch: one result for each job, in order; raise what befell all of them."""
        raise NotImplementedError


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
                path=operation.noun,
            )
        self._operation = operation
        self._settings = settings
        self._source = Source(items)
        self._report: BulkReport[T] = BulkReport(keep=settings.keep)
        self._taken: list[Job] = []
        """Taken from the input and not yet handed to a worker."""
        self._seen: set[bytes] = set()
        self._ready: deque[Outcome[T]] = deque()
        self._late: deque[Outcome[T]] = deque()
        """Outcomes that no worker could hand over: of what was cut, and of what was never sent."""
        self._receive: Any = None
        self._first_error: SegmentsError | None = None
        self._raises: Exception | None = None
        self._settled = False
        self._told = 0.0

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
        if self._receive is not None:
            raise ClientStateError("this bulk run was started before; start another")
        self._started = time.monotonic()
        # A slow consumer fills the buffer, which holds up the workers, and so the input.
        self._send, self._receive = anyio.create_memory_object_stream[list[Outcome[T]]](self._operation.concurrency)
        self._room = anyio.Semaphore(self._operation.concurrency)
        self._feeding = anyio.CancelScope()
        self._working = anyio.CancelScope()
        if self._settings.total_timeout is not None:
            self._feeding.deadline = anyio.current_time() + self._settings.total_timeout
            self._working.deadline = self._feeding.deadline + GRACE_SECONDS
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cancelled = isinstance(error, get_cancelled_exc_class())
        if not self._settled:
            self._stop("cancelled" if cancelled else "left")
        self._group.cancel_scope.cancel()
        try:
            # An error of the body goes its own way, bare; only a cancellation is the group's business.
            if cancelled:
                await self._group.__aexit__(kind, error, traceback)
            else:
                await self._group.__aexit__(None, None, None)
        finally:
            self._receive.close()
            self._settle()

    def __aiter__(self) -> AsyncIterator[Outcome[T]]:
        return self

    async def __anext__(self) -> Outcome[T]:
        if self._receive is None:
            raise ClientStateError("a bulk stream runs inside 'async with'")
        while not self._ready:
            try:
                self._ready.extend(await self._receive.receive())
            except anyio.EndOfStream:
                if not self._late:
                    break
                self._ready, self._late = self._late, self._ready
        if self._ready:
            return self._ready.popleft()
        if self._raises is not None:
            error, self._raises = self._raises, None
            raise error
        raise StopAsyncIteration

    async def _run(self) -> None:
        """Feed the workers, wait for them, and account for what was never sent."""
        with self._send:
            with self._working:
                async with anyio.create_task_group() as workers:
                    await self._feed(workers)
            if self._working.cancelled_caught:
                self._stop("total_timeout")
            self._settle()

    async def _feed(self, workers: TaskGroup) -> None:
        try:
            with self._feeding:
                while True:
                    await self._room.acquire()
                    batch = await self._next_batch()
                    if not batch:
                        return
                    workers.start_soon(self._work, batch)
            self._stop("total_timeout")
        except Exception as error:  # noqa: BLE001 (the input's own, raised again where it is consumed)
            self._fail_with(error)
        finally:
            await self._source.aclose()

    async def _next_batch(self) -> list[Job]:
        """Take items until a batch is full or the input ends; what would burst the batch waits for the next."""
        size = sum(job.prepared.size for job in self._taken)
        while len(self._taken) < self._operation.batch_size and (entry := await self._source.take()) is not None:
            job = self._prepare(*entry)
            if isinstance(job, Outcome):
                await self._hand_over([job])
                continue
            if not fits(len(self._taken), size, job.prepared.size, max_items=self._operation.batch_size):
                batch, self._taken = self._taken, [job]
                return batch
            self._taken.append(job)
            size += job.prepared.size
        batch, self._taken = self._taken, []
        return batch

    def _prepare(self, index: int, item: Any) -> Job | Outcome[T]:
        try:
            prepared = self._operation.prepare(item)
        except InputError as error:
            place = error.under(f"{self._operation.noun}[{index}]")
            return Outcome(index=index, key=None, item=item, status="failed", error=place)
        if self._settings.check_duplicates:
            digest = blake2b(prepared.key.encode(), digest_size=16).digest()
            if digest in self._seen:
                twice = InputError(f"{prepared.key!r} came before in this run", path=f"{self._operation.noun}[{index}]")
                return Outcome(
                    index=index, key=prepared.key, uuid=prepared.uuid, item=item, status="failed", error=twice
                )
            self._seen.add(digest)
        return Job(index, item, prepared)

    async def _work(self, batch: Sequence[Job]) -> None:
        """Send one batch, in parts if the service refuses it whole."""
        parts = [batch]
        under_way: Trace | None = None
        try:
            if self._operation.begins:
                parts = await self._begin(batch)
            while parts and self._report.stopped is None:
                under_way = Trace(bulk=True)
                outcomes, smaller = await self._send_part(parts[-1], under_way)
                parts[-1:] = smaller
                under_way = None
                await self._hand_over(outcomes)
        except Exception as error:  # noqa: BLE001 (the caller's own, from a callable it gave)
            self._fail_with(error)
        finally:
            if under_way is not None and under_way.attempts:
                self._keep_for_later([_cut(job, under_way) for job in parts.pop()])
            self._keep_for_later([_unsent(job.index, job.item, job) for part in parts for job in part])
            self._room.release()

    async def _begin(self, batch: Sequence[Job]) -> list[Sequence[Job]]:
        """Begin every job of the batch; returns the ones that can be sent, as one part."""
        begun: list[Job] = []
        failed: list[Outcome[T]] = []

        async def begin(job: Job) -> None:
            trace = Trace(bulk=True)
            try:
                begun.append(evolve(job, prepared=await self._operation.begin(job, trace)))
            except SegmentsError as error:
                place = error.under(f"{self._operation.noun}[{job.index}]") if isinstance(error, InputError) else error
                failed.append(self._outcome(job, place, trace))
            finally:
                self._tally(trace)

        async with anyio.create_task_group() as group:
            for job in batch:
                group.start_soon(begin, job)
        if failed:
            await self._hand_over(failed)
        return [begun] if begun else []

    async def _send_part(self, part: Sequence[Job], trace: Trace) -> tuple[list[Outcome[T]], list[Sequence[Job]]]:
        """Send *part*; returns what became of its items, and what to send again in smaller parts."""
        try:
            results = await self._operation.send(part, trace)
        except ApiError as error:
            if len(part) > 1 and error.status in {_BAD_REQUEST, _TOO_LARGE}:
                return self._search(part, error, trace)
            return self._all_failed(part, error, trace), []
        except SegmentsError as error:
            return self._all_failed(part, error, trace), []
        finally:
            self._tally(trace)
        return [self._outcome(job, result, trace) for job, result in zip(part, results, strict=True)], []

    def _search(
        self, part: Sequence[Job], error: ApiError, trace: Trace
    ) -> tuple[list[Outcome[T]], list[Sequence[Job]]]:
        """Find the items a whole batch was refused for: those the answer names, else by halving."""
        guilty = set(blamed(error.body, len(part))) if error.status == _BAD_REQUEST else set()
        if not guilty:
            return [], list(halve(part))
        outcomes = [self._outcome(part[place], error_for_item(error, place), trace) for place in sorted(guilty)]
        rest = [job for place, job in enumerate(part) if place not in guilty]
        return outcomes, [rest] if rest else []

    def _all_failed(self, part: Sequence[Job], error: SegmentsError, trace: Trace) -> list[Outcome[T]]:
        if isinstance(error, _FATAL) or (self._operation.missing_is_fatal and isinstance(error, NotFoundError)):
            self._stop("fatal")
        return [self._outcome(job, error, trace, raised=True) for job in part]

    def _outcome(
        self, job: Job, result: Success[T] | SegmentsError, trace: Trace, *, raised: bool = False
    ) -> Outcome[T]:
        error = None if isinstance(result, Success) else result
        # An answer that was lost or is no answer leaves open what the service did; a fault of one item does not.
        lost = raised and (isinstance(error, DecodeError) or (isinstance(error, TransportError) and error.sent))
        return Outcome(
            index=job.index,
            key=job.prepared.key,
            uuid=(result.uuid if isinstance(result, Success) else None) or job.prepared.uuid,
            item=job.item,
            status=result.status if isinstance(result, Success) else "unknown" if lost else "failed",
            value=result.value if isinstance(result, Success) else None,
            error=error,
            # What stopped the run was no fault of the items that met it.
            retryable=error is not None and (lost or is_retryable(error) or isinstance(error, _FATAL)),
            attempts=trace.attempts,
            request_id=trace.request_id,
        )

    def _tally(self, trace: Trace) -> None:
        self._report.requests += trace.attempts
        self._report.retries += trace.attempts - trace.calls
        self._report.throttled += trace.throttles

    async def _hand_over(self, outcomes: list[Outcome[T]]) -> None:
        """Record *outcomes* and give them to the consumer, waiting until it takes them."""
        self._record(outcomes)
        try:
            await self._send.send(outcomes)
        except get_cancelled_exc_class():
            self._late.extend(outcomes)
            raise

    def _keep_for_later(self, outcomes: list[Outcome[T]]) -> None:
        self._record(outcomes)
        self._late.extend(outcomes)

    def _record(self, outcomes: list[Outcome[T]]) -> None:
        limit = self._settings.max_failures
        for outcome in outcomes:
            self._report.add(outcome)
            if outcome.error is not None:
                self._first_error = self._first_error or outcome.error
                if self._settings.on_error == "raise":
                    self._stop("error")
                elif isinstance(outcome.error, _FATAL):
                    self._stop("fatal")
        if limit is not None and self._report.failed + self._report.unknown > limit:
            self._stop("max_failures")
        self._tell_progress()

    def _tell_progress(self, *, last: bool = False) -> None:
        tell = self._settings.progress
        now = time.monotonic()
        if tell is None or (not last and now - self._told < PROGRESS_SECONDS):
            return
        self._told = now
        report = self._report
        try:
            tell(
                Progress(
                    done=report.total,
                    failed=report.failed + report.unknown,
                    total=self._source.total,
                    elapsed=now - self._started,
                    throttled=report.throttled,
                )
            )
        except Exception as error:  # noqa: BLE001 (the caller's own)
            self._fail_with(error)

    def _stop(self, reason: str) -> None:
        """Take nothing more; what is under way gets a bounded grace."""
        if self._report.stopped is None:
            self._report.stopped = reason
            self._feeding.cancel()
            self._working.deadline = min(self._working.deadline, anyio.current_time() + GRACE_SECONDS)

    def _fail_with(self, error: Exception) -> None:
        self._raises = self._raises or error
        self._stop("error")

    def _settle(self) -> None:
        """Account, once and at the end, for what was never sent."""
        if self._settled:
            return
        self._settled = True
        self._keep_for_later([_unsent(job.index, job.item, job) for job in self._taken])
        self._keep_for_later([_unsent(index, item) for index, item in self._source.rest()])
        report = self._report
        report.exhausted = self._source.exhausted
        report.elapsed = time.monotonic() - self._started
        self._tell_progress(last=True)
        if self._settings.on_error == "raise" and self._first_error is not None and self._raises is None:
            self._raises = BulkError(f"{report}; first error: {self._first_error}", report=report)
            self._raises.__cause__ = self._first_error


def _unsent(index: int, item: Any, job: Job | None = None) -> Outcome[Any]:
    prepared = job.prepared if job else None
    return Outcome(
        index=index,
        key=prepared.key if prepared else None,
        uuid=prepared.uuid if prepared else None,
        item=item,
        status="unsent",
        retryable=True,
    )


def _cut(job: Job, trace: Trace) -> Outcome[Any]:
    return Outcome(
        index=job.index,
        key=job.prepared.key,
        uuid=job.prepared.uuid,
        item=job.item,
        status="unknown",
        retryable=True,
        attempts=trace.attempts,
        request_id=trace.request_id,
    )
