"""A limiter in Redis, for the processes of several machines."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from functools import partial
from hashlib import sha1
from importlib.resources import files
from typing import Any

from segments_async._redis import RedisClients, check_prefix
from segments_async._wire.redis_passwords import password_masked
from segments_async._wire.shared_rate import Turns, check_fixed_rate

_SCRIPT = files(__package__).joinpath("shared_rate.lua").read_text(encoding="ascii")
_SCRIPT_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()

ANSWER_SECONDS = 0.9
"""
Seconds after which Redis does not answer, less than those for which a client waits: redis-py closes a connection whose
answer is late, but not one whose start is cancelled.
"""


_FEW_ROUND_TRIPS = {"protocol": 2}
"""With protocol 3, a connection to a server that is far away takes longer to start than a client waits."""


class RedisLimiter:
    """
    Share the rate limit of the service with all processes that use the same Redis server.

    If the service asks one process to wait, all of them wait. Turns are spread evenly over time, and over the processes
    that ask for them. If Redis cannot be used, a client continues with its own limiter and logs a warning. It works
    on asyncio only.

    Example::

        async with AsyncSegments(limiter=RedisLimiter("redis://localhost", rate=100)) as client:
            await client.labels.put_many(labels)

    Args:
        url: The URL of the server. Each event loop has a client of its own.
        rate: Calls per second that the service allows one API key, for all processes together. By default it is
            measured: once calls are refused, one process sends alone for some seconds, and then all know the rate.
        prefix: The start of its keys in Redis; each expires after two minutes without use.
        options: Passed to ``redis.asyncio.Redis.from_url``.

    Raises:
        ImportError: The extra ``redis`` is not installed.
        InputError: *url* is not the URL of a Redis server, *rate* is not a number from 0.000001, below 1e9, or
            *prefix* is not text.
    """

    def __init__(self, url: str, rate: float | None = None, *, prefix: str = "segments-limit:", **options: Any) -> None:
        check_fixed_rate(rate)
        check_prefix(prefix)
        options = {"socket_timeout": ANSWER_SECONDS, **_FEW_ROUND_TRIPS, **options}
        self._clients = RedisClients(url, options, used_by=type(self).__name__)
        self._arguments = (url, rate, prefix, options)
        self._rate = rate
        self._prefix = prefix
        self._owner = uuid.uuid4().hex
        self._script_is_loaded = False

    async def reserve(self, key: str, most: int, /) -> Turns:
        """Give this process up to *most* turns; 0 asks only whether calls must wait now."""
        count, wait, spacing, measure = await self._call("reserve", key, most)
        return Turns(int(count), float(wait), float(spacing), bool(int(measure)))

    async def give_back(self, key: str, count: int, /) -> None:
        """Take back *count* turns that were not used."""
        await self._call("give_back", key, count)

    async def refused(self, key: str, seconds: float, /) -> None:
        """Pause the calls of all processes for *seconds*."""
        await self._call("refused", key, seconds)

    async def learned(self, key: str, rate: float, /) -> None:
        """Use the *rate* that this process measured, in calls per second."""
        await self._call("learned", key, rate)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self._clients.aclose()

    async def _call(self, step: str, key: str, value: float) -> Any:
        from redis.exceptions import ConnectionError  # noqa: A004, PLC0415 (of an extra)

        client: Any = self._clients.get()
        with password_masked(client):
            try:
                return await self._run(client, step, key, value)
            except ConnectionError:  # such as of idle connections that were closed, or a server that was restarted
                await client.connection_pool.disconnect(inuse_connections=False)
                return await self._run(client, step, key, value)

    async def _run(self, client: Any, step: str, key: str, value: float) -> Any:
        from redis.exceptions import NoScriptError, TimeoutError as RedisTimeoutError  # noqa: PLC0415 (of an extra)

        owner = f"{self._owner}-{os.getpid()}"  # a copy in a forked process is another one
        call = (1, self._prefix + key, step, owner, repr(value), repr(self._rate or 0), "")
        try:
            if self._script_is_loaded:
                with suppress(NoScriptError):  # Redis was restarted
                    return await client.evalsha(_SCRIPT_SHA, *call)
            answer = await client.eval(_SCRIPT, *call)
        except RedisTimeoutError as error:
            raise TimeoutError(str(error)) from error
        self._script_is_loaded = True
        return answer

    def __reduce__(self) -> tuple[Any, ...]:
        url, rate, prefix, options = self._arguments
        return partial(type(self), url, rate, prefix=prefix, **options), ()

    def __repr__(self) -> str:
        return f"RedisLimiter(rate={self._rate!r}, prefix={self._prefix!r})"  # the URL may contain a password
