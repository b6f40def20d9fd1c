"""The checkpoint of a bulk run: look up and record outcomes. File access runs in worker threads only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._caller_errors import caller_code
from segments_async._threads import run_sync
from segments_async.bulk.interruptible import END_SECONDS, run_interruptible
from segments_async.bulk.journal import FileRow, ItemRow, Journal
from segments_async.bulk.redis_checkpoint import RedisCheckpoint, RedisJournal
from segments_async.errors import SegmentsError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from segments_async.bulk.operation import Job, Operation
    from segments_async.bulk.options import BulkSettings
    from segments_async.bulk.outcomes import AnyOutcome

MAX_UNWRITTEN = 10_000
"""Maximum number of unwritten rows; above it, the run waits for the disk."""
CANCEL_SECONDS = 5.0
"""Seconds that a cancelled run may take to write the outcomes it has; then SQLite is interrupted."""


def checkpoint_of(
    operation: Operation[Any], settings: BulkSettings, on_problem: Callable[[SegmentsError], None]
) -> Checkpoint | None:
    """Return the checkpoint that *settings* name, which is not open yet; None if there is none to use."""
    place = settings.checkpoint
    if place is None or (settings.dry_run and not isinstance(place, RedisCheckpoint) and not Path(place).exists()):
        return None  # a dry run does not create the file
    return Checkpoint(place, operation, on_problem, read_only=settings.dry_run)


class Checkpoint:
    """
    Record the outcome of each item, so that another run with the same file does not send finished items again.

    Rows are written in the background, in batches. Items whose rows were not yet written when the process was killed
    are sent again, which is safe for every operation.

    Args:
        place: The file, created if it does not exist, or the name in Redis.
        operation: The operation of the run. A file of another operation, service or dataset is refused.
        on_problem: Called when the file can no longer be read or written.
        read_only: Record nothing in Redis, and do not take it from other runs.
    """

    def __init__(
        self,
        place: str | os.PathLike[str] | RedisCheckpoint,
        operation: Operation[Any],
        on_problem: Callable[[SegmentsError], None],
        *,
        read_only: bool = False,
    ) -> None:
        self._open_journal: Callable[[Mapping[str, str], Event], Journal | RedisJournal]
        if isinstance(place, RedisCheckpoint):
            self._open_journal = partial(place.open, read_only=read_only)
        else:
            with caller_code("checkpoint"):
                self._open_journal = partial(Journal, Path(place))
        self._operation = operation
        self._on_problem = on_problem
        self._items: list[tuple[Job, str, str | None]] = []
        self._files: list[FileRow] = []
        self._queued = 0
        self._written = 0
        self._changed = anyio.Event()
        self._closing = False
        self._closed = anyio.Event()

    async def open(self) -> None:
        """
        Open the file, and check it: the time that this takes grows with its size. A cancellation interrupts it.

        Raises:
            InputError: The file is in use, damaged, or was written by another run, another program or a newer version.
            OutOfResourcesError: The disk is full, this machine has too many open files, or Redis is full.
            ConnectError: Redis cannot be reached, or cannot be written now.
        """
        self._writing = anyio.CancelScope(shield=True)
        interrupted = Event()
        self._journal = await run_interruptible(
            partial(self._open_journal, self._operation.header, interrupted),
            interrupted.set,
            discard=lambda journal: journal.close(),
        )

    async def check(self) -> None:
        """Open the file and close it again, so that what is wrong with it is known before other work is done."""
        await self.open()
        with anyio.CancelScope(shield=True):
            await run_sync(self._journal.close)

    @property
    def is_new(self) -> bool:
        """Whether the file is still empty, so that lookups can be skipped."""
        return self._journal.is_new

    async def look_up(self, jobs: Sequence[Job]) -> list[Job | AnyOutcome[Any]]:
        """Look up earlier runs: return each job as a `skipped` outcome, or with what the checkpoint knows about it."""
        try:
            return await run_interruptible(
                partial(self._look_up, jobs), self._journal.interrupt, patience=CANCEL_SECONDS
            )
        except SegmentsError as error:
            self._on_problem(error)
            return [*jobs]

    def record(self, job: Job, status: str, uuid: str | None) -> None:
        """Queue the outcome of an item for writing."""
        self._items.append((job, status, uuid))
        self._count_queued()

    def record_file(self, row: FileRow) -> None:
        """Queue an uploaded file for writing."""
        self._files.append(row)
        self._count_queued()

    async def flush(self, limit: int = 0) -> None:
        """Wait until at most *limit* rows are unwritten."""
        target = self._queued - limit
        while self._written < target and not self._closed.is_set():
            await self._changed.wait()

    async def run(self) -> None:
        """Write queued rows until `aclose` is called; start this as a task."""
        with self._writing:
            try:
                while self._queued > self._written or not self._closing:
                    if self._queued == self._written:
                        await self._changed.wait()
                        continue
                    await self._write_all()
                await run_sync(self._journal.check_place, abandon_on_cancel=True)
            except SegmentsError as error:
                self._on_problem(error)
            finally:
                self._closed.set()
                self._notify()

    async def finish(self) -> None:
        """Wait until all rows are written, or writing failed. Unlike `aclose`, this can be cancelled."""
        self._closing = True
        self._notify()
        await self._closed.wait()

    async def aclose(self, *, cancelled: bool = False) -> None:
        """Wait until all rows are written, but not for long if the run was *cancelled*; then close the file."""
        with anyio.CancelScope(shield=True):
            self._closing = True
            self._notify()
            with anyio.move_on_after(CANCEL_SECONDS if cancelled else None):
                await self._closed.wait()
            if not self._closed.is_set():
                self._journal.interrupt()
                self._writing.deadline = anyio.current_time() + END_SECONDS
                await self._closed.wait()
            with anyio.move_on_after(END_SECONDS if cancelled else None):
                await run_sync(self._journal.close, abandon_on_cancel=True)

    async def _write_all(self) -> None:
        items, self._items = self._items, []
        files, self._files = self._files, []
        await run_sync(self._write, items, files, abandon_on_cancel=True)
        self._written += len(items) + len(files)
        self._notify()

    def _count_queued(self) -> None:
        self._queued += 1
        if self._queued == self._written + 1:
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _write(self, items: Sequence[tuple[Job, str, str | None]], files: Sequence[FileRow]) -> None:
        aliases = self._operation.status_aliases
        rows = [
            ItemRow(job.prepared.key, self._digest(job), aliases.get(status, status), uuid)
            for job, status, uuid in items
        ]
        self._journal.write(rows, files)

    def _look_up(self, jobs: Sequence[Job]) -> list[Job | AnyOutcome[Any]]:
        found = self._journal.find(job.prepared.key for job in jobs)
        return [self._resume(job, *found[job.prepared.key]) for job in jobs]

    def _resume(self, job: Job, row: ItemRow | None, files: Sequence[FileRow]) -> Job | AnyOutcome[Any]:
        unchanged = row is not None and row.digest is not None and row.digest == self._digest(job)
        if row is not None and unchanged and row.status in self._operation.done_statuses:
            item = self._operation.trim_item(job)
            return job.outcome(status="skipped", uuid=row.uuid or job.prepared.uuid or "", item=item)
        job.uncertain = row is not None and unchanged and row.status == "unknown"
        job.files = {file.place: file for file in files}
        return job

    def _digest(self, job: Job) -> bytes | None:
        if job.prepared.digest is not None:
            return job.prepared.digest
        try:
            return self._operation.digest(job.prepared)
        except Exception:  # noqa: BLE001 (raised by code of the caller, or by a file)
            return None  # what cannot be read matches no digest
