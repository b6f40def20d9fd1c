"""Run uploads: a limited number at a time, one at a time for each id, across restarts and disk errors."""

from __future__ import annotations

import json
import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

import anyio
import attrs
from anyio.lowlevel import current_token
from fastapi import HTTPException

from segments_async.errors import InputError, NotFoundError
from segments_async.fastapi._groups import background_task_group
from segments_async.fastapi._records import Record, RecordFolder, serialize
from segments_async.fastapi._work import run_work, unaccepted
from segments_async.fastapi.uploads import ACTIVE, Followed, State, Upload, UploadStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from anyio.abc import TaskGroup

    from segments_async._client import AsyncSegments
    from segments_async.fastapi._kinds import Kinds

logger: logging.Logger = logging.getLogger("segments_async")
T = TypeVar("T")

INTERRUPTED = "This upload was interrupted."


class NotStartedError(HTTPException, RuntimeError):
    """Uploads cannot run, because the application that includes their router was not started; answered with 503."""

    def __init__(self) -> None:
        HTTPException.__init__(
            self,
            503,
            "Uploads are not started. They run while the application that includes their router runs; "
            "a mounted application is started by the lifespan of the application it is mounted in.",
        )


class Runner:
    """
    The uploads of one application.

    Args:
        folder: The folder of their records and checkpoints.
        kinds: The functions that uploads run.
        max_running: Maximum number of uploads that run at the same time; the others wait.
    """

    def __init__(self, folder: Path, kinds: Kinds, max_running: int) -> None:
        self._folder = folder
        self._kinds = kinds
        self._max_running = max_running
        self._uploads: dict[str, Upload] = {}
        """Uploads that have not ended, and ended ones whose records could not be written."""
        self._queue: deque[Upload] = deque()
        self._running = 0
        self._ended = 0
        """Number of uploads that have ended and left memory."""
        self._stopping = False
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self._group: TaskGroup | None = None
        self._client: AsyncSegments | None = None
        self._store: RecordFolder | None = None
        self._loop: object = None

    def is_running(self) -> bool:
        """
        Whether the uploads run already, because their router is included twice.

        Raises:
            InputError: They run in another event loop.
        """
        if self._group is None:
            return False
        if self._loop != current_token():
            raise InputError("these UploadJobs run in another event loop already", path="jobs")
        return True

    @asynccontextmanager
    async def run(self, client: AsyncSegments) -> AsyncIterator[None]:
        """Run uploads in this block, first those that were interrupted by the end of an earlier one."""
        try:
            async with RecordFolder(self._folder) as store, background_task_group() as group:
                self._uploads.clear()
                self._queue.clear()
                self._running, self._stopping = 0, False
                self._client, self._store, self._group, self._loop = client, store, group, current_token()
                for record in await store.records():
                    self._restore(record)
                try:
                    yield
                finally:
                    await self._stop(store)
        finally:
            self._store = self._group = self._client = self._loop = None

    async def start(self, kind: str, arguments: dict[str, Any], owner: str | None, id: str) -> UploadStatus:
        """Start an upload."""
        text = serialize(record := Record(id=id, kind=kind, arguments=arguments, owner=owner))
        self._kinds.check(kind, arguments)
        # The same values as after a restart, such as lists for tuples; later changes by the caller have no effect.
        record.arguments = json.loads(text)["arguments"]

        async def start() -> UploadStatus:
            upload = self._register(record)
            await self._require_store().save(record, text)
            return self._enqueue(upload).status

        return await self._run_locked(id, start)

    async def cancel(self, id: str) -> UploadStatus:
        """Cancel an upload; returns its status once it has ended."""

        async def cancel() -> UploadStatus:
            upload = self._uploads.get(id)
            if upload is None or upload.status.state not in ACTIVE:
                return (await self.find(id))[1]
            upload.cancel_requested = True
            if upload in self._queue:
                self._queue.remove(upload)
                await self._end(upload, "cancelled")
                upload.ended.set()
            else:
                upload.scope.cancel()
                await upload.ended.wait()  # by then its checkpoint is closed, so it can be resumed
            return upload.status

        return await self._run_locked(id, cancel)

    async def resume(self, id: str) -> UploadStatus:
        """Run an upload again that has ended; returns the status of one that has not."""

        async def resume() -> UploadStatus:
            record, status = await self.find(id)
            if id in self._uploads and status.state in ACTIVE:
                return status
            if record.unreadable:
                raise InputError("the record of this upload cannot be read; forget it and start another one", path="id")
            self._kinds.check(record.kind, record.arguments)
            upload = self._register(attrs.evolve(record, state="running", result={}))
            await self._require_store().save(upload.record)
            return self._enqueue(upload).status

        return await self._run_locked(id, resume)

    async def forget(self, id: str) -> None:
        """Delete the record and the checkpoints of an upload that has ended."""

        async def forget() -> None:
            _, status = await self.find(id)
            if status.state in ACTIVE:
                raise InputError("the upload is running; cancel it first", path="id")
            await self._require_store().delete(id)
            self._uploads.pop(id, None)

        await self._run_locked(id, forget)

    def follow(self, id: str, status: UploadStatus) -> Followed | None:
        """Return an upload to wait for; None if it is not in memory, as it has ended with *status*."""
        self._require_store()
        return self._uploads.get(id)

    async def find(self, id: str) -> tuple[Record, UploadStatus]:
        """
        Return an upload.

        Raises:
            NotFoundError: There is no such upload.
        """
        return self._found(id, await self._read(id))

    async def _read(self, id: str) -> Record | None:
        """Read the record of an upload that is not in memory, again if one ended while it was read."""
        ended, record = None, None
        while id not in self._uploads and ended != self._ended:
            ended = self._ended
            record = await self._require_store().read(id)
        return record

    def find_now(self, id: str) -> tuple[Record, UploadStatus]:
        """Return an upload, after a blocking read if it has ended."""
        record = None if id in self._uploads else self._require_store().read_now(id)
        return self._found(id, record)

    def _found(self, id: str, record: Record | None) -> tuple[Record, UploadStatus]:
        upload = self._uploads.get(id)
        if upload is not None:  # also if it was resumed while its record was read
            return upload.record, upload.status
        if record is None:
            raise NotFoundError(detail=f"upload {id!r} does not exist")
        return record, _status_of(record)

    async def all(self) -> list[tuple[Record, UploadStatus]]:
        """Return all uploads, the least recently started or ended first."""
        records = {record.id: record for record in await self._require_store().records()}
        unsaved = [upload.record for name, upload in self._uploads.items() if name not in records]
        found = []
        for record in (*records.values(), *unsaved):
            with suppress(NotFoundError):  # forgotten in the meantime
                # One that was running may have ended while the folder was read.
                running = record.state == "running"
                found.append(await self.find(record.id) if running else self._found(record.id, record))
        return found

    async def _run_locked(self, id: str, operation: Callable[[], Awaitable[T]]) -> T:
        """
        Run an operation under the lock of its upload, in a task of its own.

        So a request that is cancelled because its caller disconnected leaves no upload half started.
        """
        group = self._group
        if group is None:
            raise NotStartedError
        lock = self._locks.setdefault(id, anyio.Lock())
        finished = anyio.Event()
        results: list[T] = []
        errors: list[Exception] = []

        async def run() -> None:
            try:
                async with lock:
                    results.append(await operation())
            except Exception as error:  # noqa: BLE001 (raised to the caller)
                errors.append(error)
            finally:
                finished.set()

        group.start_soon(run)
        await finished.wait()
        if errors:
            raise errors[0]
        if not results:  # the application stopped meanwhile
            raise NotStartedError
        return results[0]

    def _restore(self, record: Record) -> None:
        if record.state != "running":
            return
        try:
            self._kinds.check(record.kind, record.arguments)
        except InputError as error:
            # The file stays "running", so that a version of the application with this kind resumes the upload.
            logger.error("upload %s cannot be resumed: %s", record.id, error)  # noqa: TRY400 (the message suffices)
            upload = self._register(record)
            upload.update(state="failed", detail=unaccepted(record.kind, self._kinds))
            upload.ended.set()
        else:
            self._enqueue(self._register(record))

    def _register(self, record: Record) -> Upload:
        previous = self._uploads.get(record.id)
        status = UploadStatus(id=record.id, kind=record.kind, state="queued")
        upload = self._uploads[record.id] = Upload(record, self._folder, status)
        if previous is not None:
            previous.changed.set()
        return upload

    def _enqueue(self, upload: Upload) -> Upload:
        self._queue.append(upload)
        self._run_queued()
        return upload

    def _run_queued(self) -> None:
        while self._queue and self._running < self._max_running and not self._stopping:
            assert self._group is not None
            assert self._client is not None
            upload = self._queue.popleft()
            self._running += 1
            upload.update(state="running")
            self._group.start_soon(self._work, upload, self._client)

    async def _work(self, upload: Upload, client: AsyncSegments) -> None:
        try:
            outcome = await run_work(
                self._kinds[upload.record.kind], upload, client, is_stopping=lambda: self._stopping
            )
            if outcome is not None:
                await self._end(upload, *outcome)
        finally:
            self._running -= 1
            upload.ended.set()
            self._run_queued()

    async def _end(self, upload: Upload, state: State, detail: str | None = None) -> None:
        upload.update(remaining=None)
        result = upload.status.model_dump(include={"done", "failed", "total"}) | {"detail": detail}
        upload.record.state, upload.record.result = _stored(state), result
        with anyio.CancelScope(shield=True):
            saved = await self._require_store().save(upload.record)
        if saved:
            del self._uploads[upload.id]
            self._ended += 1
        upload.update(state=state, detail=detail)

    async def _stop(self, store: RecordFolder) -> None:
        """Cancel running uploads; their records stay "running", so that the next start resumes them."""
        self._stopping = True
        self._queue.clear()
        running = [upload for upload in self._uploads.values() if upload.status.state == "running"]
        for upload in running:
            upload.scope.cancel()
        for upload in running:
            await upload.ended.wait()
        for upload in list(self._uploads.values()):
            if upload.record.state != "running":
                await store.save(upload.record)  # the disk may work again

    def _require_store(self) -> RecordFolder:
        if self._store is None:
            raise NotStartedError
        return self._store


def _status_of(record: Record) -> UploadStatus:
    if record.state == "running":  # it is not in memory, so its record was put there while the application runs
        return UploadStatus(id=record.id, kind=record.kind, state="failed", detail=INTERRUPTED)
    return UploadStatus(id=record.id, kind=record.kind, state=record.state, **record.result)


def _stored(state: State) -> Any:
    return "running" if state == "queued" else state
