"""
The transport over aiohttp: it runs on asyncio only, and costs less CPU per request.

A simple request over an open connection is written to it at once, and its response is read from aiohttp's parser. All
others go through an `aiohttp.ClientSession`: the first of a connection, one with a large body or over a proxy, and if
somebody watches.

aiohttp is an extra, so this module is imported when the transport is first used.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
from aiohttp.http import HttpProcessingError
from anyio.lowlevel import checkpoint_if_cancelled, current_token
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from segments_async._http.aiohttp_connection import Connector, current_exchange
from segments_async._http.base_url import origin_of
from segments_async._http.direct import Answer, Headers, Originals, OutOfTimeError, coding_in
from segments_async._http.exchange import EXCHANGE, Exchange
from segments_async._http.network import WATCH_FROM_BYTES
from segments_async._http.sockets import patient_socket
from segments_async.errors import ClientStateError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from segments_async._http.base_url import Origin
    from segments_async._http.bodies import Body
    from segments_async._http.request_body import SimpleRequest

MAX_KEYS = 256
"""Maximum number of hosts whose connections are found without aiohttp's session."""
_SWITCHING = 101


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
            connector = Connector(
                limit=max_connections, keepalive_timeout=idle_seconds, ssl=context, socket_factory=patient_socket
            )
            session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), response_class=_Response
            )
            # aiohttp retries on a lost connection by itself, so a DELETE that was carried out would end in a 404.
            session._retry_connection = False  # noqa: SLF001
            return session

        super().__init__(verify=context, proxy=proxy, client=open_session)
        self._keys: dict[Origin, Any] = {}
        """What the connector keeps the connections to a host under."""

    def is_watched(self) -> bool:
        """Return whether somebody has instrumented, mocked or replaced what `exchange` leaves out."""
        session: Any = self.client
        return (
            not isinstance(session, aiohttp.ClientSession)  # not open yet
            or bool(session.trace_configs)
            or "handle_async_request" in self.__dict__
            or not _ORIGINALS.are_in_place()
        )

    async def exchange(self, request: SimpleRequest, exchange: Exchange, body: Body, ends_at: float) -> Answer | None:
        """Send *request* over an open connection, if there is one; see `DirectTransport`."""
        key = self._keys.get(request.address.origin)
        data = None if key is None or not request.is_simple(below=WATCH_FROM_BYTES) else request.encode()
        if data is None:
            return None
        await checkpoint_if_cancelled()  # as what is written now is sent
        session: Any = self.client
        connection = await session.connector.take_idle(key, request.method)
        if connection is None:
            return None
        exchange.sent = True
        try:
            answer = await _exchange_over(connection.protocol, request, data, body, ends_at)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        exchange = request.extensions.get(EXCHANGE) or Exchange()
        exchange.sent = False
        exchange.is_queued = True
        token = current_exchange.set(exchange)
        try:
            response = await super().handle_async_request(_in_pieces(request))
        except aiohttp.ClientResponseError as error:
            error.request_info = _about(str(request.url), request.method)
            error.args = (error.request_info, error.history)
            raise
        finally:
            current_exchange.reset(token)
        if exchange.key is not None and self.proxy is None:
            if len(self._keys) >= MAX_KEYS:
                self._keys.clear()
            self._keys[origin_of(request.url)] = exchange.key
        stream: Any = response.stream
        exchange.body = response.stream = _ResponseStream(stream._aiohttp_response)  # noqa: SLF001
        return response


_ORIGINALS = Originals(
    (SegmentsAiohttpTransport, "handle_async_request"),
    (AiohttpTransport, "handle_async_request"),
    (aiohttp.ClientSession, "request"),
    (aiohttp.ClientSession, "_request"),
    (aiohttp.TCPConnector, "connect"),
    (aiohttp.ClientRequest, "send"),
    (aiohttp.ClientResponse, "start"),
)


async def _exchange_over(protocol: Any, request: SimpleRequest, data: bytes, body: Body, ends_at: float) -> Answer:
    """Write *data*, and read the response; exceptions are those of `handle_async_request`."""
    protocol.ends_at = ends_at
    protocol.set_response_params(
        skip_payload=request.method == "HEAD",
        read_until_eof=True,
        auto_decompress=False,
        read_timeout=request.timeouts["read"],
    )
    try:
        protocol.transport.write(data)
        protocol.start_timeout()
        message, payload = await _read_head(protocol, request)
        body.begin(message.code, coding_in(message.raw_headers))
        while body.problem is None and not payload.at_eof():
            await body.take(await payload.readany())
        body.end()
    except Exception as error:
        if isinstance(error, aiohttp.SocketTimeoutError) and asyncio.get_running_loop().time() >= ends_at:
            raise OutOfTimeError from None
        with map_aiohttp_exceptions():
            raise
    return Answer(message.code, Headers(message.raw_headers))


async def _read_head(protocol: Any, request: SimpleRequest) -> Any:
    """Return the head of the response, after informational ones (1xx), and the reader of its body."""
    try:
        while True:
            message, payload = await protocol.read()
            if not 100 <= message.code < 200 or message.code == _SWITCHING:  # noqa: PLR2004
                return message, payload
    except HttpProcessingError as error:
        about = _about(request.address.text, request.method)
        raise aiohttp.ClientResponseError(
            about, (), status=error.code, message=error.message, headers=error.headers
        ) from error
    except aiohttp.ClientError:
        raise
    except OSError as error:
        if error.errno is None and isinstance(error, TimeoutError):
            raise
        raise aiohttp.ClientOSError(*error.args) from error


def _about(url: str, method: str) -> aiohttp.RequestInfo:
    """Describe a request in an error, without its headers: they contain the key, and a repr shows them."""
    return aiohttp.RequestInfo(URL(url), method, CIMultiDictProxy(CIMultiDict()), URL(url))


class _Response(aiohttp.ClientResponse):
    """A response whose reason phrase can be encoded, which httpx-aiohttp does: a server may send it in Latin-1."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        response = await super().start(connection)
        if self.reason is not None:
            self.reason = self.reason.encode(errors="replace").decode()
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
