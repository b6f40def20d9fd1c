"""Clients of a Redis server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from segments_async._caller_errors import describe
from segments_async._wire.shortages import shortage_advice, shortage_code
from segments_async.errors import InputError, OutOfResourcesError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from redis import Redis as BlockingRedis
    from redis.asyncio import Redis


def check_redis_url(url: str, options: dict[str, Any], *, used_by: str) -> None:
    """
    Check the arguments of a client, without connecting.

    Raises:
        ImportError: The extra ``redis`` is not installed; the error names *used_by*.
        InputError: *url* is not the URL of a Redis server.
        OutOfResourcesError: This machine has no file or memory left to import redis-py.
    """
    if find_spec("redis") is None:
        raise ImportError(f'{used_by} requires redis; install it with: pip install "segments-async[redis]"')
    try:
        _check_url(url, options)
    except (OSError, MemoryError) as error:
        if (code := shortage_code(error)) is None:
            raise
        problem = f"{used_by} cannot be made ({describe(error)}); {shortage_advice(code)}"
        raise OutOfResourcesError(problem, errno=code) from error


def _check_url(url: str, options: dict[str, Any]) -> None:
    from redis import Redis  # noqa: PLC0415 (of an extra)

    try:
        Redis.from_url(url, **options).connection_pool.make_connection()  # which does not connect
    except (ValueError, AttributeError, TypeError):
        pass  # its message could contain a password
    else:
        return
    raise InputError("expected a URL such as 'redis://localhost:6379/0', and options of redis-py", path="url")


def check_prefix(prefix: object) -> None:
    """Raise InputError if *prefix* cannot be the start of a key."""
    try:
        is_valid = isinstance(prefix, str) and prefix.encode() is not None
    except UnicodeEncodeError:
        is_valid = False
    if not is_valid:
        raise InputError(f"expected text, got {prefix!r}", path="prefix")


def asyncio_client(url: str, options: dict[str, Any]) -> Redis:
    """
    Create a client for one event loop.

    After a failover, connections that are open lead to the server that was demoted, and new ones to the primary. So a
    connection over which nothing may be written is replaced, once.
    """
    from redis.asyncio import Redis  # noqa: PLC0415 (of an extra)
    from redis.asyncio.retry import Retry  # noqa: PLC0415 (of an extra)

    return Redis.from_url(url, **(_once_elsewhere(Retry) | options))


def blocking_client(url: str, options: dict[str, Any]) -> BlockingRedis:
    """Create a client whose calls block; see `asyncio_client`."""
    from redis import Redis  # noqa: PLC0415 (of an extra)
    from redis.retry import Retry  # noqa: PLC0415 (of an extra)

    client: BlockingRedis = Redis.from_url(url, **(_once_elsewhere(Retry) | options))
    return client


def _once_elsewhere(retry: Any) -> dict[str, Any]:
    from redis.backoff import NoBackoff  # noqa: PLC0415 (of an extra)
    from redis.exceptions import MasterDownError, ReadOnlyError  # noqa: PLC0415 (of an extra)

    errors = [ReadOnlyError, MasterDownError]
    return {"retry": retry(NoBackoff(), 1, supported_errors=tuple(errors)), "retry_on_error": errors}


class RedisClients:
    """
    Create an asyncio client in each event loop that needs one.

    Args:
        url: The URL of the server.
        options: Passed to ``redis.asyncio.Redis.from_url``.
        used_by: The class that needs them, for errors.

    Raises:
        ImportError: The extra ``redis`` is not installed.
        InputError: *url* is not the URL of a Redis server.
    """

    def __init__(self, url: str, options: dict[str, Any], *, used_by: str) -> None:
        check_redis_url(url, options, used_by=used_by)
        self._url = url
        self._options = options
        self._used_by = used_by
        self._clients: WeakKeyDictionary[AbstractEventLoop, Redis] = WeakKeyDictionary()

    def get(self) -> Redis:
        """
        Return the client of this event loop.

        Raises:
            InputError: The event loop is not asyncio's.
        """
        try:
            loop = _running_loop()
        except RuntimeError:
            raise InputError(f"{self._used_by} works on asyncio only, as redis-py does") from None
        if loop not in self._clients:
            self._forget_closed_loops()
            self._clients[loop] = asyncio_client(self._url, self._options)
        return self._clients[loop]

    def _forget_closed_loops(self) -> None:
        """Free the connections of those who did not call `aclose`: a client keeps its event loop."""
        for reference in self._clients.keyrefs():
            loop = reference()
            if loop is not None and loop.is_closed():
                self._clients.pop(loop, None)

    async def aclose(self) -> None:
        """Close the connections of this event loop; there are none on trio."""
        try:
            loop = _running_loop()
        except RuntimeError:
            return
        client = self._clients.pop(loop, None)
        if client is not None:
            await client.aclose()


def _running_loop() -> AbstractEventLoop:
    from asyncio import get_running_loop  # noqa: PLC0415 (on trio it is not needed)

    return get_running_loop()
