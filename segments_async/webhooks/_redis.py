"""A store of message ids in Redis, for the processes of several machines."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from segments_async.errors import InputError
from segments_async.webhooks._stores import LEASE, SECONDS, Claim, check_times

if TYPE_CHECKING:
    from redis.asyncio import Redis

_LEASED, _DONE = b"leased", b"done"
_CLAIM = """
local state = redis.call('GET', KEYS[1])
if state then return state end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class RedisReplayGuard:
    """
    Remember the ids of received messages in Redis, which the processes of several machines share.

    Its methods are ``async``, and run on asyncio.

    Example:
        ::

            hooks = WebhookRouter(secret, replay=RedisReplayGuard("redis://localhost"))

    Args:
        url: The URL of the server. Each event loop has a client of its own.
        prefix: The start of its keys.
        seconds: How long an id is remembered; at least 600.
        lease: Seconds after which a message that was claimed, but neither finished nor released, can be claimed again.
            Longer than any handler takes.
        options: Passed to ``redis.asyncio.Redis.from_url``.

    Raises:
        ImportError: The extra ``redis`` is not installed.
        InputError: *url* is not the URL of a Redis server, or *seconds* or *lease* is too small.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "segments-webhook:",
        seconds: float = SECONDS,
        lease: float = LEASE,
        **options: Any,
    ) -> None:
        if find_spec("redis") is None:
            raise ImportError('RedisReplayGuard requires redis; install it with: pip install "segments-async[redis]"')
        check_times(seconds, lease)
        self._url = url
        self._options = options
        self._prefix = prefix
        self._seconds = seconds
        self._lease = lease
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()
        try:
            self._make_client()
        except (ValueError, AttributeError, TypeError):
            pass  # its message could contain a password
        else:
            return
        raise InputError("expected a URL such as 'redis://localhost:6379/0', and options of redis-py", path="url")

    async def claim(self, message_id: str, /) -> Claim:
        """Lease a message, unless it is leased or done."""
        state = await self._call(_CLAIM, message_id, _LEASED, _milliseconds(self._lease))
        if state is None:
            return Claim.NEW
        return Claim.DONE if state in {_DONE, _DONE.decode()} else Claim.LEASED

    async def finish(self, message_id: str, /) -> None:
        """Mark a message as done, so that it is not processed again."""
        await self._client().set(self._prefix + message_id, _DONE, px=_milliseconds(self._seconds))

    async def release(self, message_id: str, /) -> None:
        """End the lease of a message, because its processing failed, so that it can be delivered again."""
        await self._call(_RELEASE, message_id, _LEASED)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _call(self, script: str, message_id: str, *arguments: bytes | int) -> Any:
        answer: Any = self._client().eval(script, 1, self._prefix + message_id, *arguments)
        return await answer

    def _client(self) -> Redis:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = self._make_client()
        return self._clients[loop]

    def _make_client(self) -> Redis:
        from redis.asyncio import Redis  # noqa: PLC0415 (of an extra)

        return Redis.from_url(self._url, **self._options)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
