"""From what the caller gives to batches that can be sent."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segments_async._wire.chunks import MAX_BATCH_BYTES, fits
from segments_async.bulk.operation import Job, Operation, digest_of
from segments_async.bulk.report import Outcome
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.bulk.checkpoint import Checkpoint
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
        self._seen: set[bytes] | None = set() if check_duplicates else None
        self._taken: deque[Job] = deque()
        """To be sent, and not yet handed to a worker."""
        self._size = 0
        self._unchecked: list[Job] = []
        """Taken, and not yet looked up in the checkpoint."""
        self._reach = operation.batch_size
        """Items that are looked up together."""
        self._unread: tuple[int, Any] | None = None
        """An item at which the caller's own code failed."""

    async def take(self) -> tuple[list[Job], list[Outcome[T]]]:
        """
        Take items until a batch is full or the input ends.

        What would burst the batch waits for the next.

        Returns:
            The batch, or what became of items that are not to be sent; both are empty at the end.
        """
        while len(self._taken) < self._operation.batch_size and self._size <= MAX_BATCH_BYTES:
            entry = await self._source.take()
            if entry is None:
                if self._unchecked and (skipped := await self._look_up()):
                    return [], skipped
                break
            self._unread = entry
            job = self._prepare(*entry)
            self._unread = None
            if isinstance(job, Outcome):
                return [], [job]
            if self._checkpoint is None or self._checkpoint.is_new:
                self._admit(job)
                continue
            self._unchecked.append(job)
            if len(self._unchecked) >= self._reach and (skipped := await self._look_up()):
                return [], skipped
        return self._cut(), []

    def leftovers(self) -> Iterator[Outcome[T]]:
        """What was taken, or can be counted in the source, and was never sent."""
        for job in [*self._taken, *self._unchecked]:
            yield job.outcome(status="unsent", retryable=True)
        for index, item in chain([] if self._unread is None else [self._unread], self._source.rest()):
            yield Outcome(index=index, key=None, item=item, status="unsent", retryable=True)

    def _prepare(self, index: int, item: Any) -> Job | Outcome[T]:
        try:
            prepared = self._operation.prepare(item)
        except InputError as error:
            placed = self._operation.locate(error, index)
            return Outcome(index=index, key=None, item=item, status="failed", error=placed)
        job = Job(index, item, prepared)
        if self._seen is not None:
            digest = digest_of(prepared.key.encode())
            if digest in self._seen:
                twice = InputError(f"{prepared.key!r} came before in this run")
                return job.outcome(status="failed", error=self._operation.locate(twice, index))
            self._seen.add(digest)
        return job

    def _admit(self, job: Job) -> None:
        self._taken.append(job)
        self._size += job.prepared.size

    async def _look_up(self) -> list[Outcome[T]]:
        """Ask the checkpoint which of the items are done; as long as all are, ever more are asked for at once."""
        assert self._checkpoint is not None
        known = await self._checkpoint.look_up(self._unchecked)
        self._unchecked = []
        skipped = [entry for entry in known if isinstance(entry, Outcome)]
        for entry in known:
            if isinstance(entry, Job):
                self._admit(entry)
        all_done = len(skipped) == len(known)
        self._reach = min(2 * self._reach, self._operation.lookup_limit) if all_done else self._operation.batch_size
        return skipped

    def _cut(self) -> list[Job]:
        batch: list[Job] = []
        size = 0
        while self._taken and fits(
            len(batch), size, self._taken[0].prepared.size, max_items=self._operation.batch_size
        ):
            job = self._taken.popleft()
            batch.append(job)
            size += job.prepared.size
        self._size -= size
        return batch
