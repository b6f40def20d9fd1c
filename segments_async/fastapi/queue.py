"""Run the uploads of several web processes on workers, over a queue in Redis."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from segments_async._redis import asyncio_client, blocking_client, check_redis_url
from segments_async._validators import is_number
from segments_async.bulk import RedisCheckpoint
from segments_async.errors import InputError

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    from saq.queue.redis import RedisQueue

    C = TypeVar("C", redis.Redis, redis.asyncio.Redis)

TAKEOVER_SECONDS = 30.0
ANSWER_SECONDS = 5.0
"""Seconds after which a server that does not answer cannot be used."""
WAIT_SECONDS = 30.0
"""The same, of the calls with which a worker waits for work."""
FUNCTION = "upload"
"""The name of the queue's function that runs an upload."""
_ENDED_JOB_SECONDS = 60
"""Seconds for which the queue shows a job that has ended; the upload itself stays until it is forgotten."""


class QueueBackend:
    """
    Keep the uploads of `UploadJobs` in Redis, and run them on the workers of the queue SAQ.

    Any number of web processes show, start, cancel and resume the same uploads, and any number of workers run them.
    Start workers with the queue's own command; see `UploadJobs.worker`.

    Example::

        jobs = UploadJobs(QueueBackend("redis://localhost"))

    Args:
        url: The URL of the server. Everyone who can write to it can run the functions of the uploads.
        name: The name of the queue, and the start of its keys; each application has its own.
        takeover: Seconds after which another worker takes over the uploads of one that no longer responds; at least 1.
            A function that blocks its event loop for longer is considered dead, and loses its upload.
        options: Passed to redis-py's ``Redis.from_url``.

    Raises:
        ImportError: The extra ``queue`` is not installed.
        InputError: *url* is not the URL of a Redis server, or *name* or *takeover* is invalid.
    """

    def __init__(
        self, url: str, *, name: str = "segments-uploads", takeover: float = TAKEOVER_SECONDS, **options: Any
    ) -> None:
        if find_spec("saq") is None:
            raise ImportError('QueueBackend requires saq; install it with: pip install "segments-async[queue]"')
        if not isinstance(name, str) or not name:
            raise InputError(f"expected a name, got {name!r}", path="name")
        if not is_number(takeover) or not 1 <= takeover < 1e6:  # noqa: PLR2004
            raise InputError(f"expected seconds of at least 1, got {takeover!r}", path="takeover")
        check_redis_url(url, options, used_by=type(self).__name__)
        self.name = name
        self.takeover = takeover
        self._url = url
        self._options = {**options, "decode_responses": False}

    def __repr__(self) -> str:
        return f"QueueBackend(name={self.name!r})"  # the URL may contain a password

    def queue(self, client: redis.asyncio.Redis) -> RedisQueue:
        """Create the queue for one event loop."""
        from saq.queue.redis import RedisQueue  # noqa: PLC0415 (of an extra)

        return RedisQueue(client, name=self.name)

    def client(self, seconds: float = ANSWER_SECONDS) -> redis.asyncio.Redis:
        """Create a client for one event loop; it waits for *seconds* for an answer."""
        return _with_bytes(asyncio_client(self._url, {"socket_timeout": seconds, **self._options}))

    def blocking_client(self) -> redis.Redis:
        """Create a client whose calls block."""
        return _with_bytes(blocking_client(self._url, {"socket_timeout": ANSWER_SECONDS, **self._options}))

    def checkpoint(self, id: str, part: str) -> RedisCheckpoint:
        """Return the checkpoint of a part of an upload."""
        prefix = f"{self.name}:checkpoint:"
        name = f"{id}{part and '-' + part}"
        return RedisCheckpoint(self._url, name, prefix=prefix, lease=self.takeover, **self._options)

    async def enqueue(self, queue: RedisQueue, id: str, run: int) -> None:
        """Put a run of an upload into the queue, unless it is there."""
        await queue.enqueue(
            FUNCTION,
            key=f"{id}:{run}",
            timeout=0,
            heartbeat=math.ceil(self.takeover) + 5,
            ttl=_ENDED_JOB_SECONDS,
            id=id,
            run=run,
        )


def _with_bytes(client: C) -> C:
    """Return *client*, whose answers are bytes, whatever its URL says."""
    client.connection_pool.connection_kwargs["decode_responses"] = False
    return client
