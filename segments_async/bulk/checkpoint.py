"""What a bulk run learns from its checkpoint and notes there; files are touched in worker threads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from attrs import evolve

from segments_async.bulk.journal import FileRow, ItemRow, Journal
from segments_async.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from segments_async.bulk.operation import Job, Operation
    from segments_async.bulk.report import Outcome

MAX_UNWRITTEN = 10_000
"""Rows that may wait for the disk before the run waits for them."""


class Checkpoint:
    """
    Note what became of each item, so that another run with the same file sends nothing that is done.

    Rows are written behind the run's back, as many at once as came up meanwhile. What a killed process had not
    written yet is sent again, which every operation bears.

    Args:
        path: The file; made if it is not there.
        operation: What the run does; another operation, service or dataset is refused.
        on_problem: Called, once, when the file cannot be written any more.
    """

    def __init__(
        self, path: str | os.PathLike[str], operation: Operation[Any], on_problem: Callable[[InputError], None]
    ) -> None:
        self._path = Path(path)
        self._operation = operation
        self._on_problem = on_problem
        self._items: list[tuple[Job, str, str | None]] = []
        self._files: list[FileRow] = []
        self._noted = 0
        self._written = 0
        self._news = anyio.Event()
        self._closing = False
        self._closed = anyio.Event()

    async def open(self) -> None:
        """
        Open the file.

        Raises:
            InputError: It is in use, damaged, of another run, of another program or of a newer version.
        """
        with anyio.CancelScope(shield=True):  # a cancellation would leave it open
            self._journal = await run_sync(Journal, self._path, self._operation.header)

    @property
    def is_new(self) -> bool:
        """Whether no run has noted anything yet, so that looking up is a waste."""
        return self._journal.is_new

    async def look_up(self, jobs: Sequence[Job]) -> list[Job | Outcome[Any]]:
        """Find what was done before: each job comes back as a `skipped` outcome, or with what is known of it."""
        try:
            return await run_sync(self._look_up, jobs)
        except InputError as error:
            self._on_problem(error)
            return [*jobs]

    def note(self, job: Job, status: str, uuid: str | None) -> None:
        """Have written what became of an item."""
        self._items.append((job, status, uuid))
        self._wake()

    def note_file(self, row: FileRow) -> None:
        """Have written that a file is up."""
        self._files.append(row)
        self._wake()

    async def flush(self, limit: int = 0) -> None:
        """Wait until at most so many rows are unwritten."""
        target = self._noted - limit
        while self._written < target and not self._closed.is_set():
            await self._news.wait()

    async def run(self) -> None:
        """Write what is noted until `aclose` is called; to be started as a task."""
        with anyio.CancelScope(shield=True):
            try:
                while self._noted > self._written or not self._closing:
                    if self._noted == self._written:
                        await self._news.wait()
                        continue
                    await self._write_all()
            except InputError as error:
                self._on_problem(error)
            finally:
                self._closed.set()
                self._tell()

    async def aclose(self) -> None:
        """Wait until all is written, and close the file."""
        with anyio.CancelScope(shield=True):
            self._closing = True
            self._tell()
            await self._closed.wait()
            await run_sync(self._journal.close)

    async def _write_all(self) -> None:
        items, self._items = self._items, []
        files, self._files = self._files, []
        await run_sync(self._write, items, files)
        self._written += len(items) + len(files)
        self._tell()

    def _wake(self) -> None:
        self._noted += 1
        if self._noted == self._written + 1:
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def _write(self, items: Sequence[tuple[Job, str, str | None]], files: Sequence[FileRow]) -> None:
        recorded = self._operation.status_aliases
        rows = [
            ItemRow(job.prepared.key, self._digest(job), recorded.get(status, status), uuid)
            for job, status, uuid in items
        ]
        self._journal.write(rows, files)

    def _look_up(self, jobs: Sequence[Job]) -> list[Job | Outcome[Any]]:
        found = self._journal.find(job.prepared.key for job in jobs)
        return [self._compare(job, *found[job.prepared.key]) for job in jobs]

    def _compare(self, job: Job, row: ItemRow | None, files: Sequence[FileRow]) -> Job | Outcome[Any]:
        same = row is not None and row.digest is not None and row.digest == self._digest(job)
        if row is not None and same and row.status in self._operation.done_statuses:
            kept = self._operation.trim_item(job.item)
            return job.outcome(status="skipped", uuid=row.uuid or job.prepared.uuid, item=kept)
        uncertain = row is not None and same and row.status == "unknown"
        return evolve(job, uncertain=uncertain, files={file.place: file for file in files})

    def _digest(self, job: Job) -> bytes | None:
        if job.prepared.digest is not None:
            return job.prepared.digest
        try:
            return self._operation.digest(job.prepared)
        except OSError:
            return None  # a file that cannot be read is like no other
