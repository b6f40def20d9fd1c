"""
HTTP/1.1 over one connection, with less work for each request than httpcore's own classes.

httpcore enters a timeout, a trace and a mapping of exceptions for each phase of an exchange, and reads a body through
three generators. Here one timeout serves a whole exchange, and exceptions are mapped where they occur. An exchange goes
through httpcore unchanged if somebody listens, to its log or as a ``trace``, and if the body is large or not `bytes`.

This module is imported with the first connection, because importing httpcore imports trio.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import anyio
import h11
import httpcore
import httpx
from anyio.lowlevel import current_token
from attrs import frozen
from httpx._transports.default import map_httpcore_exceptions

from segments_async._http import network
from segments_async._http.direct import Answer, Headers, Originals, OutOfTimeError, coding_in
from segments_async._http.network import NoLock, WireStream, clock_of
from segments_async._http.request_body import BytesStream
from segments_async._http.slot_body import SlotBody

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping

    from segments_async._http.bodies import Body
    from segments_async._http.request_body import SimpleRequest

_Headers: Any = type(h11.Request(method="GET", target="/", headers=[("Host", "a")]).headers)
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
TIMER_SECONDS = 0.001
"""A deadline is not moved by less, as setting a timer costs time for each request."""
_logger = logging.getLogger("httpcore.http11")


_OF_HTTPCORE = Originals((httpcore.AsyncHTTPConnection, "handle_async_request"))
_ORIGINALS = Originals(
    (httpx.AsyncHTTPTransport, "handle_async_request"), (httpcore.AsyncHTTPConnection, "handle_async_request")
)


class DirectConnection(httpcore.AsyncHTTPConnection):
    """A connection without a proxy, which opens with its first request."""

    async def handle_async_request(self, request: httpcore.Request) -> Any:
        """Send *request*, and read the head of the response."""
        if not _OF_HTTPCORE.are_in_place():
            return await super().handle_async_request(request)
        if self._connection is None:
            try:
                stream: Any = await self._connect(request)
            except BaseException:
                self._connect_failed = True
                raise
            self._connection = OpenConnection(self._origin, stream, self._keepalive_expiry)
        return await self._connection.handle_async_request(request)


@frozen
class _Head:
    """The parts of an `httpcore.Response` that httpx reads."""

    status: int
    headers: list[tuple[bytes, bytes]]
    stream: _ResponseBody
    extensions: dict[str, Any]


class _Phase:
    """
    What an exchange waits for, and until when; its end, if it has one, is not moved.

    Attributes:
        scope: Is cancelled when it takes too long.
    """

    def __init__(
        self,
        now: Callable[[], float],
        seconds: float | None,
        ends_at: float = math.inf,
        *,
        error: type[Exception] = httpcore.WriteTimeout,
    ) -> None:
        self._now = now
        self._ends_at = ends_at
        self._error = error
        self.scope = anyio.CancelScope(deadline=self._deadline(seconds))

    def begin(self, error: type[Exception], seconds: float | None) -> None:
        """Start a phase that may take *seconds*; *error* says that it took longer."""
        self._error = error
        deadline = self._deadline(seconds)
        if abs(deadline - self.scope.deadline) > TIMER_SECONDS:
            self.scope.deadline = deadline

    def _deadline(self, seconds: float | None) -> float:
        return self._ends_at if seconds is None else min(self._ends_at, self._now() + seconds)

    def failure(self) -> Exception:
        """Return the error for an exchange that took too long."""
        return OutOfTimeError() if self._now() >= self._ends_at else self._error()


class OpenConnection(httpcore.AsyncHTTP11Connection):
    """An open connection, which is passed to one task at a time."""

    _network_stream: Any
    _state_lock: Any

    def __init__(self, origin: httpcore.Origin, stream: WireStream, keepalive_expiry: float | None) -> None:
        super().__init__(origin, stream, keepalive_expiry)  # type: ignore[arg-type] # it has the same methods
        self._state_lock = NoLock()
        self._now = clock_of(current_token().native_token)
        self._headers_before: list[tuple[bytes, bytes]] = []
        self._items_before: list[tuple[bytes, bytes, bytes]] = []

    async def handle_async_request(self, request: httpcore.Request) -> Any:
        """Send *request*, and read the head of the response."""
        content = _content_of(request)
        if content is None:
            return await super().handle_async_request(request)
        return await self._send(request.method, request.url.target, request.headers, content, request.extensions)

    def takes(self, request: httpx.Request) -> bool:
        """Return whether `send` may send *request*: it is simple, and nobody watches or replaces what httpx does."""
        return _ORIGINALS.are_in_place() and _content_of(request) is not None

    def is_watched(self) -> bool:
        """Return whether somebody watches or replaces what `exchange` leaves out."""
        return not _ORIGINALS.are_in_place() or _logger.isEnabledFor(logging.DEBUG)

    async def exchange(self, request: SimpleRequest, body: Body, ends_at: float) -> Answer:
        """Send *request*, and read the response; see `DirectTransport`."""
        self._state, self._expire_at = type(self._state).ACTIVE, None
        method, target = request.method.encode("ascii"), request.address.target.encode("ascii")
        try:
            data = self._encode(method, target, request.raw_headers, request.body)
            return await self._exchange_all(data, request.timeouts, body, ends_at)
        except Exception:
            with map_httpcore_exceptions():
                raise

    async def _exchange_all(
        self, data: bytes, timeouts: Mapping[str, float | None], body: Body, ends_at: float
    ) -> Answer:
        phase, read_seconds = _Phase(self._now, timeouts["write"], ends_at), timeouts["read"]
        with phase.scope:
            head = await self._exchange(data, phase, read_seconds)
            headers = head.headers.raw_items()
            body.begin(head.status_code, coding_in(headers))
            await self._read_into(body, phase, read_seconds)
            await self._response_closed()
            return Answer(head.status_code, Headers(headers))
        raise phase.failure()

    async def _read_into(self, body: Body, phase: _Phase, read_seconds: float | None) -> None:
        event: object = None if body.problem is None else h11.PAUSED
        while event is not h11.PAUSED and type(event) is not h11.EndOfMessage:
            event = self.parse()
            if type(event) is h11.Data:
                await body.take(bytes(event.data))
            elif event is h11.NEED_DATA and body.problem is not None:
                break
            elif event is h11.NEED_DATA:
                phase.begin(httpcore.ReadTimeout, read_seconds)
                await self._receive()
        body.end()

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Do what `httpx.AsyncHTTPTransport` does with this connection, without building a request of httpcore."""
        content = _content_of(request) or b""
        method = request.method.encode("ascii")
        try:
            head = await self._send(method, request.url.raw_path, request.headers.raw, content, request.extensions)
        except Exception:
            with map_httpcore_exceptions():
                raise
        return httpx.Response(head.status, headers=head.headers, stream=head.stream, extensions=head.extensions)

    async def _send(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        content: bytes,
        extensions: MutableMapping[str, Any],
    ) -> _Head:
        self._state, self._expire_at = type(self._state).ACTIVE, None
        timeouts = extensions.get("timeout", {})
        read_seconds = timeouts.get("read")
        data = self._encode(method, target, headers, content)
        phase = _Phase(self._now, timeouts.get("write"))
        response = None
        with phase.scope:
            response = await self._exchange(data, phase, read_seconds)
        if response is None:
            raise phase.failure()
        about = {
            "http_version": b"HTTP/" + response.http_version,
            "reason_phrase": response.reason,
            "network_stream": self._network_stream,
        }
        body = _ResponseBody(self, read_seconds)
        return _Head(response.status_code, response.headers.raw_items(), body, about)

    def _encode(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], content: bytes) -> bytes:
        send = self._h11_state.send
        try:
            head = send(h11.Request(method=method, target=target, headers=self._checked(headers)))
            return b"".join((head, send(h11.Data(data=content)), send(h11.EndOfMessage())))
        except h11.LocalProtocolError as error:
            raise httpcore.LocalProtocolError(error) from error

    def _checked(self, headers: list[tuple[bytes, bytes]]) -> Any:
        """Return *headers*, as h11 has checked them for the last request if only the length of the body differs."""
        *before, (name, value) = headers
        if name != b"Content-Length" or not value.isdigit():
            return headers
        if before != self._headers_before:
            checked: Any = h11.Request(method="GET", target="/", headers=before).headers
            if any(name in _FRAMING for name, _ in checked):
                return headers
            self._headers_before, self._items_before = before, checked._full_items  # noqa: SLF001 (no public way)
        return _Headers([*self._items_before, (name, b"content-length", value)])

    async def _exchange(
        self, data: bytes, phase: _Phase, read_seconds: float | None
    ) -> h11.Response | h11.InformationalResponse:
        """Write the request, and read the head of the response, within the scope of *phase*."""
        try:  # noqa: SIM105 (runs for each request)
            await self._network_stream.send(data)
        except httpcore.WriteError:
            pass  # the server may have answered and then closed the connection
        while True:
            event = self.parse()
            if event is h11.NEED_DATA:
                phase.begin(httpcore.ReadTimeout, read_seconds)
                await self._receive()
            elif type(event) is h11.Response or getattr(event, "status_code", None) == 101:  # noqa: PLR2004
                return event  # type: ignore[return-value]

    def parse(self) -> object:
        """Return the next event of the response."""
        try:
            return self._h11_state.next_event()
        except h11.RemoteProtocolError as error:
            raise httpcore.RemoteProtocolError(error) from error

    async def receive_within(self, seconds: float | None) -> None:
        """Read more of the response."""
        phase = _Phase(self._now, seconds, error=httpcore.ReadTimeout)
        with phase.scope:
            await self._receive()
            return
        raise phase.failure()

    async def _receive(self) -> None:
        data = await self._network_stream.receive()
        if not data and self._h11_state.their_state is h11.SEND_RESPONSE:
            raise httpcore.RemoteProtocolError("Server disconnected without sending a response.")
        self._h11_state.receive_data(data)

    async def finish(self) -> None:
        """Get ready for the next request, or close the connection if that cannot be."""
        await self._response_closed()


class _ResponseBody(SlotBody):
    """The body of a response that is still being received."""

    def __init__(self, connection: OpenConnection, seconds: float | None) -> None:
        super().__init__(connection.finish)
        self._connection = connection
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        try:
            while True:
                event = connection.parse()
                if type(event) is h11.Data:
                    yield bytes(event.data)
                elif event is h11.NEED_DATA:
                    await connection.receive_within(self._seconds)
                elif event is h11.PAUSED or type(event) is h11.EndOfMessage:
                    break
        except Exception:
            with map_httpcore_exceptions():
                raise
        self.is_complete = True


def _content_of(request: httpcore.Request | httpx.Request) -> bytes | None:
    """Return the body of a request; None if the request must go through httpcore unchanged."""
    stream = request.stream
    if "trace" in request.extensions or not isinstance(stream, BytesStream) or _logger.isEnabledFor(logging.DEBUG):
        return None
    return stream.content if len(stream.content) < network.WATCH_FROM_BYTES else None
