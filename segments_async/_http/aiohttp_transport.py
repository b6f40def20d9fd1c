"""
The transport over aiohttp: it runs on asyncio only, and costs less CPU per request.

aiohttp is an extra, so this module is imported when the transport is first used.
"""

from __future__ import annotations

import asyncio
import re
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from anyio.lowlevel import current_token
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions

from segments_async._http.network import EXCHANGE, Exchange, is_readable
from segments_async._http.sockets import patient_socket
from segments_async.errors import ClientStateError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

MAX_HEAD = 64 * 1024
_STATUS = len(b"HTTP/1.1 ")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|$)", re.IGNORECASE)
_WITHOUT_BODY = (b"204", b"304")
_LAST_CHUNK = b"\r\n\r\n"
"""The end of a chunked body: that of the last chunk or trailer, and an empty line."""
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)

_exchange: ContextVar[Exchange | None] = ContextVar("segments_async exchange", default=None)
"""The exchange of the current task, which aiohttp does not pass to its connector."""


class _Handler(ResponseHandler):
    """
    A connection that is reused only if the server has sent exactly the response.

    aiohttp's parser keeps the start of a stray response, and the next response would complete it. So the bytes of each
    response are counted here. If they cannot be, for example because lines end in LF alone, the connection is closed.
    """

    is_idle = True
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


class _Connector(aiohttp.TCPConnector):
    """
    A connector that reuses only connections without unread bytes, and says when a request may have been sent.

    aiohttp would reuse a connection on which an unsolicited response has arrived, and would apply no timeout to a
    CONNECT to a proxy.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory: Any = partial(_Handler, loop=self._loop)

    async def connect(self, req: Any, *args: Any, **kwargs: Any) -> Any:
        connection: Any = await super().connect(req, *args, **kwargs)
        connection.protocol.start(req.method)
        exchange = _exchange.get()
        if exchange is not None:
            exchange.sent = True
            exchange.is_queued = False
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


class SegmentsAiohttpTransport(AiohttpTransport):
    """
    Send requests over an `aiohttp.ClientSession` that is opened in the event loop of the first request.

    Args:
        max_connections: Maximum open connections.
        idle_seconds: How long an idle connection is kept.
        context: The TLS context.
        proxy: Send all requests through this proxy.
    """

    def __init__(
        self, max_connections: int, *, idle_seconds: float, context: ssl.SSLContext, proxy: httpx.Proxy | None
    ) -> None:
        def open_session() -> aiohttp.ClientSession:
            if not isinstance(current_token().native_token, asyncio.AbstractEventLoop):
                raise ClientStateError('transport="aiohttp" runs on asyncio only; omit it on trio')
            connector = _Connector(
                limit=max_connections, keepalive_timeout=idle_seconds, ssl=context, socket_factory=patient_socket
            )
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            # aiohttp retries on a lost connection by itself, so a DELETE that was carried out would end in a 404.
            session._retry_connection = False  # noqa: SLF001
            return session

        super().__init__(verify=context, proxy=proxy, client=open_session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        exchange = request.extensions.get(EXCHANGE) or Exchange()
        exchange.sent = False
        exchange.is_queued = True
        token = _exchange.set(exchange)
        try:
            response = await super().handle_async_request(_in_pieces(request))
        finally:
            _exchange.reset(token)
        stream: Any = response.stream
        exchange.body = response.stream = _ResponseStream(stream._aiohttp_response)  # noqa: SLF001
        return response


class _ResponseStream(AiohttpResponseStream):
    """A response body in parts as large as they arrive: a small one in one piece."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with map_aiohttp_exceptions():
            while part := await self._aiohttp_response.content.readany():
                yield part


PIECE_BYTES = 256 * 1024


def _in_pieces(request: httpx.Request) -> httpx.Request:
    """Split a large body into pieces: aiohttp warns about large bytes, as writing them blocks the event loop."""
    try:
        content = request.content
    except httpx.RequestNotRead:
        return request
    if len(content) <= PIECE_BYTES:
        return request
    stream = _Pieces(content)
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=stream, extensions=request.extensions
    )


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), PIECE_BYTES):
            yield self._content[start : start + PIECE_BYTES]
            await asyncio.sleep(0)  # an answer that comes early is read before the next write fails
