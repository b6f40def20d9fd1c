"""Turn the items of the caller into batches that can be sent."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segments_async._wire.chunks import MAX_BATCH_BYTES, fits
from segments_async._wire.retry import is_retryable
from segments_async.bulk.item_errors import item_error, strip_tracebacks
from segments_async.bulk.operation import Job, Operation
from segments_async.bulk.outcomes import Failed, Outcome, Unsent
from segments_async.bulk.text_set import TextSet
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.bulk.checkpoint import Checkpoint
    from segments_async.bulk.outcomes import AnyOutcome
    from segments_async.bulk.source import Source

T = TypeVar("T")


class Intake(Generic[T]):
    """Take items from a source, check them, and pack them into batches."""

    def __init__(
        self, operation: Operation[T], source: Source, checkpoint: Checkpoint | None, *, check_duplicates: bool
    ) -> None:
        self._operation = operation
        self._source = source
        self._checkpoint = checkpoint
        self._seen = TextSet() if check_duplicates else None
        self._pending: deque[Job] = deque()
        """Jobs to send that are not in a batch yet."""
        self._pending_bytes = 0
        self._not_looked_up: list[Job] = []
        """Jobs that are not looked up in the checkpoint yet."""
        self._lookup_size = operation.batch_size
        """Number of jobs to look up together."""
        self._unprepared: tuple[int, Any] | None = None
        """The item that is being prepared; only an exception such as KeyboardInterrupt leaves it here."""

    async def take(self) -> tuple[list[Job], list[AnyOutcome[T]]]:
        """
        Take items until a batch is full or the input ends.

        An item that does not fit into the batch waits for the next one.

        Returns:
            The batch, or the outcomes of items that are not sent; both are empty at the end of the input, and after the
            last items that it gave before it raised an exception.
        """
        source = self._source
        while len(self._pending) < self._operation.batch_size and self._pending_bytes <= MAX_BATCH_BYTES:
            entry = await source.take() if source.is_async else source.take_now()
            if entry is None:
                if self._not_looked_up and (skipped := await self._look_up()):
                    return [], skipped
                break
            self._unprepared = entry
            job = self._prepare(*entry)
            self._unprepared = None
            if isinstance(job, Outcome):
                return [], [job]
            if self._checkpoint is None or self._checkpoint.is_new:
                self._pending.append(job)
                self._pending_bytes += job.prepared.size
                continue
            self._not_looked_up.append(job)
            if len(self._not_looked_up) >= self._lookup_size and (skipped := await self._look_up()):
                return [], skipped
        return self._next_batch(), []

    def leftovers(self) -> Iterator[AnyOutcome[T]]:
        """Yield an outcome for each item that was not sent: those taken, and the rest of an input with a length."""
        for job in [*self._pending, *self._not_looked_up]:
            yield job.outcome(status="unsent", retryable=True)
        for index, item in chain([] if self._unprepared is None else [self._unprepared], self._source.rest()):
            yield Unsent(index=index, key=None, item=item, status="unsent", retryable=True)

    def _prepare(self, index: int, item: Any) -> Job | AnyOutcome[T]:
        try:
            prepared = self._operation.prepare(item)
        except Exception as error:  # noqa: BLE001 (raised by code of the caller)
            located = strip_tracebacks(self._operation.locate(item_error(error), index))
            retryable = is_retryable(located)
            return Failed(index=index, key=None, item=item, status="failed", error=located, retryable=retryable)
        job = Job(index, item, prepared)
        if self._seen is not None and not self._seen.add(prepared.key):
            duplicate = InputError(f"{prepared.key!r} appears more than once in this run")
            return job.outcome(status="failed", error=self._operation.locate(duplicate, index))
        return job

    async def _look_up(self) -> list[AnyOutcome[T]]:
        """Look up jobs in the checkpoint. As long as all are done, the number of jobs per lookup doubles."""
        assert self._checkpoint is not None
        results = await self._checkpoint.look_up(self._not_looked_up)
        self._not_looked_up = []
        skipped = [entry for entry in results if isinstance(entry, Outcome)]
        jobs = [entry for entry in results if isinstance(entry, Job)]
        self._pending += jobs
        self._pending_bytes += sum(job.prepared.size for job in jobs)
        all_done = len(skipped) == len(results)
        self._lookup_size = (
            min(2 * self._lookup_size, self._operation.lookup_limit) if all_done else self._operation.batch_size
        )
        return skipped

    def _next_batch(self) -> list[Job]:
        if len(self._pending) <= self._operation.batch_size and self._pending_bytes <= MAX_BATCH_BYTES:
            batch, self._pending_bytes = list(self._pending), 0
            self._pending.clear()
            return batch
        batch = []
        size = 0
        while self._pending and fits(
            len(batch), size, self._pending[0].prepared.size, max_items=self._operation.batch_size
        ):
            job = self._pending.popleft()
            batch.append(job)
            size += job.prepared.size
        self._pending_bytes -= size
        return batch
