"""A store of message ids in Redis, for the processes of several machines."""

from __future__ import annotations

from typing import Any

from segments_async._redis import RedisClients
from segments_async.webhooks._stores import LEASE, SECONDS, Claim, check_times

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

    Example::

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
        check_times(seconds, lease)
        self._clients = RedisClients(url, options, used_by=type(self).__name__)
        self._prefix = prefix
        self._seconds = seconds
        self.lease = lease

    async def claim(self, message_id: str, /) -> Claim:
        """Lease a message, unless it is leased or done."""
        state = await self._call(_CLAIM, message_id, _LEASED, _milliseconds(self.lease))
        if state is None:
            return Claim.NEW
        return Claim.DONE if state in {_DONE, _DONE.decode()} else Claim.LEASED

    async def finish(self, message_id: str, /) -> None:
        """Mark a message as done, so that it is not processed again."""
        await self._clients.get().set(self._prefix + message_id, _DONE, px=_milliseconds(self._seconds))

    async def release(self, message_id: str, /) -> None:
        """End the lease of a message, because its processing failed, so that it can be delivered again."""
        await self._call(_RELEASE, message_id, _LEASED)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self._clients.aclose()

    async def _call(self, script: str, message_id: str, *arguments: bytes | int) -> Any:
        answer: Any = self._clients.get().eval(script, 1, self._prefix + message_id, *arguments)
        return await answer


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
