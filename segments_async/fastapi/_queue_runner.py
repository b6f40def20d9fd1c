"""The uploads of a queue, as each web process sees them: what `_runner.Runner` does for a folder."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import current_token
from attrs import define

from segments_async.errors import InputError, NotFoundError
from segments_async.fastapi._queue_store import (
    QueueStore,
    QueueUnavailableError,
    entry,
    readable,
    upload_key,
)
from segments_async.fastapi._records import Record, serialize
from segments_async.fastapi._runner import NotStartedError
from segments_async.fastapi.uploads import UploadStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from saq.queue.redis import RedisQueue

    from segments_async._client import AsyncSegments
    from segments_async.fastapi._kinds import Kinds
    from segments_async.fastapi.queue import QueueBackend
    from segments_async.fastapi.uploads import Followed

POLL_SECONDS = 0.3
"""Seconds between two checks of an upload that a caller waits for."""


class QueueRunner:
    """
    The uploads of a queue.

    Args:
        backend: The queue.
        kinds: The functions that uploads run.
    """

    def __init__(self, backend: QueueBackend, kinds: Kinds) -> None:
        self._backend = backend
        self._kinds = kinds
        self._queue: RedisQueue | None = None
        self._store: QueueStore | None = None
        self._loop: object = None

    def is_running(self) -> bool:
        """
        Whether the uploads are connected already, because their router is included twice.

        Raises:
            InputError: They are connected in another event loop.
        """
        if self._store is None:
            return False
        if self._loop != current_token():
            raise InputError("these UploadJobs run in another event loop already", path="jobs")
        return True

    @asynccontextmanager
    async def run(self, _: AsyncSegments) -> AsyncIterator[None]:
        """
        Connect in this block. A server that cannot be reached does not keep the application from starting.

        Raises:
            InputError: The event loop is not asyncio's.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise InputError("QueueBackend works on asyncio only, as redis-py does") from None
        client = self._backend.client()
        self._queue = self._backend.queue(client)
        self._store = QueueStore(client, self._backend.name, self._backend.takeover)
        self._loop = current_token()
        try:
            yield
        finally:
            self._queue = self._store = self._loop = None
            with anyio.CancelScope(shield=True):
                await client.aclose()

    async def start(self, kind: str, arguments: dict[str, Any], owner: str | None, id: str) -> UploadStatus:
        """Start an upload."""
        text = serialize(Record(id=id, kind=kind, arguments=arguments, owner=owner))
        self._kinds.check(kind, arguments)
        await self._enqueue(id, await self._require_store().create(id, text))
        return UploadStatus(id=id, kind=kind, state="queued")

    async def cancel(self, id: str) -> UploadStatus:
        """Cancel an upload; returns its status once it has ended."""
        await self.find(id)
        store = self._require_store()
        run = await store.cancel(id)
        while run and await store.cancel(id, run):  # noqa: ASYNC110 (another process ends it)
            await anyio.sleep(POLL_SECONDS)
        return (await self.find(id))[1]

    async def resume(self, id: str) -> UploadStatus:
        """Run an upload again that has ended; returns the status of one that has not."""
        record, _ = await self.find(id)
        if record.unreadable:
            raise InputError("the record of this upload cannot be read; forget it and start another one", path="id")
        self._kinds.check(record.kind, record.arguments)
        run = await self._require_store().resume(id)
        if run:
            await self._enqueue(id, run)
        return (await self.find(id))[1]

    async def forget(self, id: str) -> None:
        """Delete the record and the checkpoints of an upload that has ended."""
        await self.find(id)
        store = self._require_store()
        parts = await store.parts(id)
        if not await store.forget(id):
            raise InputError("the upload is running; cancel it first", path="id")
        for part in parts:
            await self._backend.checkpoint(id, part).delete()

    def follow(self, id: str, status: UploadStatus) -> Followed | None:
        """Return an upload to wait for."""
        return _Follower(self, id, status)

    async def find(self, id: str) -> tuple[Record, UploadStatus]:
        """
        Return an upload.

        Raises:
            NotFoundError: There is no such upload.
        """
        return _found(id, await self._require_store().find(id))

    def find_now(self, id: str) -> tuple[Record, UploadStatus]:
        """Return an upload, after a blocking read."""
        with self._require_store().errors(), self._backend.blocking_client() as client:
            pipeline: Any = client.pipeline(transaction=False)
            (fields,) = pipeline.hgetall(upload_key(self._backend.name, id)).execute(raise_on_error=False)
            found = entry(id, readable(fields))
        return _found(id, found)

    async def all(self) -> list[tuple[Record, UploadStatus]]:
        """Return all uploads, the least recently started or ended first."""
        return await self._require_store().all()

    async def _enqueue(self, id: str, run: int) -> None:
        assert self._queue is not None
        with suppress(QueueUnavailableError):  # it is stored, so a worker queues it
            await self._require_store().reach(self._backend.enqueue(self._queue, id, run))

    def _require_store(self) -> QueueStore:
        if self._store is None:
            raise NotStartedError
        return self._store


@define
class _Follower:
    """An upload that another process may run."""

    runner: QueueRunner
    id: str
    status: UploadStatus

    async def wait_for_change(self, seen: UploadStatus) -> None:
        """Wait until the status is not *seen* any more."""
        while self.status == seen:
            await anyio.sleep(POLL_SECONDS)
            self.status = (await self.runner.find(self.id))[1]


def _found(id: str, found: tuple[Record, UploadStatus] | None) -> tuple[Record, UploadStatus]:
    if found is None:
        raise NotFoundError(detail=f"upload {id!r} does not exist")
    return found
