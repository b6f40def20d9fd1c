"""A worker: it runs the uploads of a queue, and takes over those of workers that died."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
from attrs import define, field

from segments_async._client import AsyncSegments
from segments_async.errors import InputError
from segments_async.fastapi._groups import background_task_group
from segments_async.fastapi._queue_store import QueueStore, QueueUnavailableError
from segments_async.fastapi._work import run_work, unaccepted
from segments_async.fastapi.queue import FUNCTION, WAIT_SECONDS
from segments_async.fastapi.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from saq.job import Job

    from segments_async.fastapi._kinds import Kinds
    from segments_async.fastapi.queue import QueueBackend
    from segments_async.fastapi.uploads import State

logger: logging.Logger = logging.getLogger("segments_async")

BEAT_SECONDS = 1.0
_POLL_SECONDS = 0.2
_STOP_SECONDS = 30.0
"""Seconds that a stopping worker waits for its uploads to close their checkpoints."""
_NEVER = 10**6
"""
Seconds after which the queue would cancel what it takes for dead: it does so with a job that another worker has just
taken, and with all of them after a pause of the server. The lease says who runs an upload.
"""
_DEQUEUE_SECONDS = 5.0
"""Seconds after which a worker without work asks again, so that a dead connection is noticed."""


class Worker:
    """
    A worker of a queue.

    Args:
        backend: The queue.
        kinds: The functions that uploads run.
        factory: Creates the client.
        max_running: Maximum number of uploads that run at the same time.
    """

    def __init__(
        self, backend: QueueBackend, kinds: Kinds, factory: Callable[[], AsyncSegments], max_running: int
    ) -> None:
        self._backend = backend
        self._kinds = kinds
        self._factory = factory
        self._max_running = max_running
        self._queue = backend.queue(backend.client(WAIT_SECONDS))
        self._redis = backend.client()
        self._store = QueueStore(self._redis, backend.name, backend.takeover)
        self._client: AsyncSegments | None = None
        self._reclaiming: asyncio.Task[None] | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings of the queue's own command."""
        return {
            "queue": self._queue,
            "functions": [(FUNCTION, self.work)],
            "concurrency": self._max_running,
            "startup": self.start,
            "shutdown": self.stop,
            "timers": {"sweep": max(1, int(self._backend.takeover / 2)), "abort": _NEVER},
            "dequeue_timeout": _DEQUEUE_SECONDS,
            "cancellation_hard_deadline_s": _STOP_SECONDS,
        }

    async def start(self, _: Any) -> None:
        """Open the client."""
        client = self._factory()
        if not isinstance(client, AsyncSegments):
            raise InputError(f"expected it to return an AsyncSegments, got {client!r}", path="factory")
        self._client = await client.__aenter__()
        self._reclaiming = asyncio.create_task(self._reclaim())

    async def stop(self, _: Any) -> None:
        """Close the client."""
        if self._reclaiming is not None:
            self._reclaiming.cancel()
        if self._client is not None:
            await self._client.__aexit__(None, None, None)
        await self._redis.aclose()

    async def work(self, context: dict[str, Any], *, id: str, run: int) -> None:
        """Run an upload; nothing happens if it has ended, or if another worker runs it."""
        assert self._client is not None
        token = uuid4().hex
        found = await self._store.find(id) if await self._begin(id, run, token) else None
        if found is not None:
            upload = Upload(found[0], None, found[1], shared_checkpoint=partial(self._backend.checkpoint, id))
            stopping = context["worker"].event
            run_now = _Run(self._backend, self._store, upload, token, context["job"], stopping)
            await run_now.run(self._kinds, self._client)

    async def _begin(self, id: str, run: int, token: str) -> bool:
        """Take the lease, once that of a worker which died has ended."""
        with anyio.move_on_after(self._backend.takeover + 1):
            while (answer := await self._store.begin(id, run, token)) == "wait":  # noqa: ASYNC110 (another process ends it)
                await anyio.sleep(_POLL_SECONDS)
            return answer == "begun"
        return False

    async def _reclaim(self) -> None:
        """Queue again the uploads of workers that died, and those that a dead web process did not queue."""
        while True:
            try:
                for name, run in await self._store.reclaim():
                    await self._backend.enqueue(self._queue, name, run)
            except Exception as error:  # noqa: BLE001 (tried again)
                logger.warning("uploads without a worker cannot be queued: %r", error)
            await asyncio.sleep(self._backend.takeover / 2)


@define
class _Run:
    """One run of an upload, while this worker has its lease."""

    backend: QueueBackend
    store: QueueStore
    upload: Upload
    token: str
    job: Job
    stopping: asyncio.Event
    """Set when the worker is asked to stop."""
    is_lost: bool = field(default=False, init=False)

    async def run(self, kinds: Kinds, client: AsyncSegments) -> None:
        """Run the upload, and write its end; without an end, another worker continues it."""
        outcome: tuple[State, str | None] | None = None
        record = self.upload.record
        try:
            kinds.check(record.kind, record.arguments)
            async with background_task_group() as group:
                group.start_soon(self._beat)
                outcome = await run_work(kinds[record.kind], self.upload, client, is_stopping=self._is_stopping)
        except InputError as error:  # of check
            logger.error("upload %s cannot run: %s", record.id, error)  # noqa: TRY400 (the message suffices)
            outcome = "failed", unaccepted(record.kind, kinds)
        finally:
            with anyio.CancelScope(shield=True):
                await self._end(*(outcome or ("queued", None)))

    def _is_stopping(self) -> bool:
        return self.is_lost or self.stopping.is_set()

    async def _beat(self) -> None:
        """Keep the lease, and write the progress."""
        renewed = anyio.current_time()
        while not self.is_lost:
            await anyio.sleep(min(BEAT_SECONDS, self.backend.takeover / 4))
            try:
                answer = await self.store.beat(self.upload.id, self.token, self.upload.status, self.upload.parts_named)
                renewed = anyio.current_time()
                await self.job.update()
            except Exception:  # noqa: BLE001 (logged; tried again until the lease has ended)
                answer = "lost" if anyio.current_time() - renewed > self.backend.takeover else ""
            self._obey(answer)

    def _obey(self, answer: str) -> None:
        if answer == "lost":
            logger.warning("upload %s was taken over by another worker", self.upload.id)
            self.is_lost = True
        elif answer == "cancel":
            self.upload.cancel_requested = True
        if answer:
            self.upload.scope.cancel()

    async def _end(self, state: State, detail: str | None) -> None:
        """Write the end, even if the server is briefly unavailable."""
        self.upload.update(remaining=None)
        deadline = -math.inf if self.is_lost else anyio.current_time() + self.backend.takeover
        while True:
            try:
                await self.store.end(
                    self.upload.id, self.token, self.upload.status, self.upload.parts_named, state, detail
                )
            except QueueUnavailableError:
                if anyio.current_time() > deadline:
                    return  # the next worker finds it unfinished, and its checkpoint complete
                await anyio.sleep(_POLL_SECONDS)
            else:
                return
