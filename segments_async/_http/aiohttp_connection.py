"""
Connections of aiohttp: reused only if nothing is left of the last exchange, and with one timer each.

aiohttp is an extra, so this module is imported when the transport is first used.
"""

from __future__ import annotations

import asyncio
import math
import re
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from segments_async._http.network import is_readable

if TYPE_CHECKING:
    from segments_async._http.exchange import Exchange

MAX_HEAD = 64 * 1024
_STATUS = len(b"HTTP/1.1 ")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|$)", re.IGNORECASE)
_WITHOUT_BODY = (b"204", b"304")
_LAST_CHUNK = b"\r\n\r\n"
"""The end of a chunked body: that of the last chunk or trailer, and an empty line."""
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)

current_exchange: ContextVar[Exchange | None] = ContextVar("segments_async exchange", default=None)
"""The exchange of the current task, which aiohttp does not pass to its connector."""


class Handler(ResponseHandler):
    """
    A connection that is reused only if the server has sent exactly the response.

    aiohttp's parser keeps the start of a stray response, and the next response would complete it. So the bytes of each
    response are counted here. If they cannot be, for example because lines end in LF alone, the connection is closed.

    aiohttp would also start and stop a timer for each request and each piece that arrives. Here one timer is set again
    only when it is due.

    Attributes:
        is_idle: Whether no response is expected.
        ends_at: When the exchange must be over, in the time of the loop.
    """

    is_idle = True
    ends_at = math.inf
    _due = math.inf
    """When the next bytes must have arrived."""
    _has_body = True
    """Whether a body follows the head of a success; not after HEAD."""
    _head: bytes | None = None
    """Bytes received so far of the response head; None before a response is expected, and once the head is complete."""
    _remaining: int | None = None
    """Remaining bytes of the body; None if the head does not state its length."""
    _is_chunked = False
    _end = b""

    def start(self, method: str) -> None:
        """Expect the response to a request."""
        self.is_idle = False
        self._has_body = method != "HEAD"
        self._head = b""
        self._remaining = None
        self._is_chunked = False
        self._end = b""

    def finish(self) -> None:
        """Check that no bytes follow the complete response."""
        self.is_idle = True
        self.ends_at = math.inf
        if self._remaining != 0 and not (self._is_chunked and self._end == _LAST_CHUNK):
            self.force_close()

    def data_received(self, data: bytes) -> None:
        if not data:
            pass  # aiohttp passes this itself, to parse bytes it had buffered
        elif self.is_idle:
            self.force_close()
        elif self._head is None:
            self._count(data)
        else:
            self._parse_head(data)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._read_timeout_handle is not None:
            self._read_timeout_handle.cancel()
            self._read_timeout_handle = None

    def _reschedule_timeout(self) -> None:
        now = self._loop.time()
        self._due = min(self.ends_at, now + (self._read_timeout or math.inf))
        timer = self._read_timeout_handle
        if timer is not None and timer.when() <= self._due:
            return
        if timer is not None:
            timer.cancel()
        self._read_timeout_handle = None
        if self._due < math.inf:
            self._read_timeout_handle = self._loop.call_at(self._due, self._check_due)

    def _drop_timeout(self) -> None:
        self._due = math.inf

    def _check_due(self) -> None:
        """Fail if nothing has arrived in time; the timer may be an earlier one."""
        self._read_timeout_handle = None
        if self._due <= self._loop.time():
            self._on_read_timeout()
        elif self._due < math.inf:
            self._read_timeout_handle = self._loop.call_at(self._due, self._check_due)

    def _parse_head(self, data: bytes) -> None:
        """Find the end of the head, and read the length of the body from it."""
        head, end, rest = ((self._head or b"") + data).partition(b"\r\n\r\n")
        while end and head[_STATUS:].startswith(b"1"):  # informational
            head, end, rest = rest.partition(b"\r\n\r\n")
        if not end:
            self._head = head[-MAX_HEAD:]
            return
        self._head = None
        if not self._has_body or head[_STATUS:].startswith(_WITHOUT_BODY):
            self._remaining = 0
        elif (length := _CONTENT_LENGTH.search(head)) is not None:
            self._remaining = int(length[1])
        else:
            self._is_chunked = _CHUNKED.search(head) is not None
        self._count(rest)

    def _count(self, data: bytes) -> None:
        if self._remaining is not None:
            self._remaining -= len(data)
        elif self._is_chunked:  # the last chunk and its trailers end with an empty line
            self._end = (self._end + data)[-4:]


class Connector(aiohttp.TCPConnector):
    """
    A connector that reuses only connections without unread bytes, and says when a request may have been sent.

    aiohttp would reuse a connection on which an unsolicited response has arrived, and would apply no timeout to a
    CONNECT to a proxy.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory: Any = partial(Handler, loop=self._loop)

    async def take_idle(self, key: Any, method: str) -> Any:
        """Return an open connection that is not in use; None if there is none."""
        connection = await self._get(key, [])
        if connection is not None:
            connection.protocol.start(method)
        return connection

    async def connect(self, req: Any, *args: Any, **kwargs: Any) -> Any:
        connection: Any = await super().connect(req, *args, **kwargs)
        connection.protocol.start(req.method)
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.sent = True
            exchange.is_queued = False
            exchange.key = req.connection_key
        return connection

    async def _create_connection(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> ResponseHandler:
        async with asyncio.timeout(timeout.sock_connect):
            return await super()._create_connection(req, traces, timeout)

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.finish()
        super()._release(key, protocol, should_close=should_close)

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if not _has_unread_bytes(connection.protocol):
                break
            connection.close()
        return connection


def _has_unread_bytes(protocol: Any) -> bool:
    """Return whether the server has sent something since the last response, or has closed the connection."""
    if protocol.should_close or protocol.transport is None:
        return True
    opened = protocol.transport.get_extra_info("socket")
    return opened is not None and is_readable(opened)
