"""
A connection pool whose cost per request does not grow with the number of connections.

httpcore's pool scans every connection when a request starts and ends, and it leaks a slot when a request is cancelled
while its connection opens. So this transport uses httpcore's connections without its pool. Idle connections are kept
on a stack, and a connection whose exchange did not end cleanly is closed.
"""

from __future__ import annotations

import functools
import os
import ssl
import time
from collections import deque
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from attrs import define

from segments_async._http import network
from segments_async._http.base_url import origin_of
from segments_async._http.direct import Originals
from segments_async._http.exchange import CLOSE_SECONDS, EXCHANGE, Exchange
from segments_async._http.network import Backend, NoLock, Wire
from segments_async._http.request_body import BytesStream
from segments_async._http.slot_body import SlotBody, WrappedBody
from segments_async._threads import run_sync
from segments_async.errors import ClientStateError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpcore

    from segments_async._http.base_url import Origin
    from segments_async._http.bodies import Body
    from segments_async._http.direct import Answer
    from segments_async._http.http11 import OpenConnection
    from segments_async._http.request_body import SimpleRequest

IDLE_SECONDS = 30.0
"""How long an idle connection is kept; less than the service's load balancer keeps it."""

CertificatePaths = tuple[str | None, str | None]
"""``SSL_CERT_FILE`` and ``SSL_CERT_DIR``."""

_ssl_contexts: dict[CertificatePaths, ssl.SSLContext] = {}


def _certificate_paths() -> CertificatePaths:
    return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


def shared_ssl_context() -> ssl.SSLContext:
    """Return the TLS context for the certificates of the environment; all clients share it."""
    paths = _certificate_paths()
    if paths not in _ssl_contexts:
        try:
            _ssl_contexts[paths] = httpx.create_ssl_context()
        except OSError as error:
            source = paths[0] or paths[1] or "the certificates of certifi"
            raise InputError(f"cannot be read ({error.strerror or error}): {source}", path="SSL_CERT_FILE") from error
    return _ssl_contexts[paths]


@functools.cache
def _unused_ssl_context() -> ssl.SSLContext:
    """Return a context for plain HTTP: it trusts no certificate, and is cheap to create."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _ssl_context_for(scheme: str, proxy: httpx.Proxy | None) -> ssl.SSLContext:
    if scheme == "http" and (proxy is None or proxy.url.scheme == "http"):
        return _unused_ssl_context()
    if _certificate_paths() not in _ssl_contexts:
        # Reading the certificates would block the event loop for 50 to 80 ms.
        return await run_sync(shared_ssl_context)
    return shared_ssl_context()


@define(eq=False)
class _Slot:
    """One connection, and the time since which it is idle."""

    transport: httpx.AsyncHTTPTransport
    """Sends requests over the connection."""
    connection: httpcore.AsyncConnectionInterface
    wire: Wire
    opened: OpenConnection | None = None
    """The connection once it is open; None through a proxy, and if httpcore opened it."""
    idle_since: float = 0.0


class SlotTransport(httpx.AsyncBaseTransport):
    """
    Send each request over its own connection, with at most *max_connections* open at once.

    Args:
        max_connections: Maximum open connections; further requests wait, first in first out, up to their ``pool``
            timeout.
        proxy: Send all requests through this proxy.
        on_connect: Called for each connection that is opened.

    Raises:
        httpx.PoolTimeout: No connection became free in time.
    """

    def __init__(
        self,
        max_connections: int,
        *,
        proxy: httpx.Proxy | None = None,
        on_connect: Callable[[], None] = lambda: None,
    ) -> None:
        self._max_connections = max_connections
        self._free = anyio.Semaphore(max_connections, fast_acquire=True)
        self._proxy = proxy
        self._on_connect = on_connect
        self._idle: dict[Origin, deque[_Slot]] = {}
        self._closed = False
        self.connections = 0
        """Open connections, including idle ones."""

    def is_watched(self) -> bool:
        """Return whether somebody has instrumented or replaced `handle_async_request`, which `exchange` leaves out."""
        return "handle_async_request" in self.__dict__ or not _ORIGINALS.are_in_place()

    async def exchange(self, request: SimpleRequest, exchange: Exchange, body: Body, ends_at: float) -> Answer | None:
        """Send *request* over an open connection, if there is one; see `DirectTransport`."""
        origin = request.address.origin
        slot = self._take_idle(origin) if request.is_simple(below=network.WATCH_FROM_BYTES) else None
        if slot is None or slot.opened is None:
            return None
        exchange.sent = False
        slot.wire.exchange = exchange
        answer = None
        try:
            answer = await slot.opened.exchange(request, body, ends_at)
        finally:
            await self._release(slot, origin, clean=answer is not None)
        return answer

    def _take_idle(self, origin: Origin) -> _Slot | None:
        """Return an open connection that needs no care; None if there is none."""
        stack = self._idle.get(origin)
        if not stack or not self._free.value or time.monotonic() - stack[0].idle_since > IDLE_SECONDS:
            return None
        slot = stack[-1]
        is_usable = slot.opened is not None and not slot.opened.is_watched()
        if not is_usable or slot.connection.has_expired() or slot.wire.has_unread_bytes:
            return None
        self._free.acquire_nowait()
        return stack.pop()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; its connection becomes free when the response is closed."""
        exchange = request.extensions.get(EXCHANGE) or Exchange()
        exchange.sent = False
        exchange.is_queued = True
        await self._wait_for_slot(request)
        exchange.is_queued = False
        if self._closed:  # while this request was waiting
            self._free.release()
            raise ClientStateError("this AsyncSegments was closed before the request was sent")
        if type(request.stream) is httpx.ByteStream:
            request.stream = BytesStream(request.content)
        url = request.url
        origin = origin_of(url)
        slot = None
        try:
            slot = await self._acquire(origin, url)
            slot.wire.exchange = exchange
            slot.wire.joins_head = self._proxy is None  # a proxy answers the head of a CONNECT first
            if slot.opened is not None and slot.opened.takes(request):
                response = await slot.opened.send(request)
            else:
                response = await slot.transport.handle_async_request(request)
        except BaseException:
            await self._discard(slot)
            raise
        if response.is_closed:  # a mocking library has made it, so nobody will close it
            await self._discard(slot)
            return response
        assert isinstance(response.stream, httpx.AsyncByteStream)
        # The layer of httpx above a body of httpcore would only map exceptions.
        body = getattr(response.stream, "_httpcore_stream", response.stream)
        if not isinstance(body, SlotBody):
            body = WrappedBody(response.stream)
        body.release = functools.partial(self._release, slot, origin)
        response.stream = exchange.body = body
        return response

    async def aclose(self) -> None:
        """Close idle connections; a busy one is closed when its exchange ends."""
        self._closed = True
        slots = [slot for stack in self._idle.values() for slot in stack]
        self._idle.clear()
        async with AsyncExitStack() as stack:  # closes the others even if closing one is cancelled
            for slot in slots:
                stack.push_async_callback(self._close, slot)

    async def _wait_for_slot(self, request: httpx.Request) -> None:
        limit = request.extensions.get("timeout", {}).get("pool")
        if limit is None or self._free.value:
            await self._free.acquire()
            return
        try:
            with anyio.fail_after(limit):
                await self._free.acquire()
        except TimeoutError:
            message = f"all {self._max_connections} were busy for {limit:g} s"
            raise httpx.PoolTimeout(message, request=request) from None

    async def _acquire(self, origin: Origin, url: httpx.URL) -> _Slot:
        while stack := self._idle.get(origin):
            # The bottom of the stack has been idle longest. has_expired() also detects that the server has closed it.
            if len(stack) > 1 and time.monotonic() - stack[0].idle_since > IDLE_SECONDS:
                await self._close(stack.popleft())
            elif (slot := stack.pop()).connection.has_expired() or slot.wire.has_unread_bytes:
                await self._close(slot)
            else:
                return slot
        self.connections += 1  # counted before the first await, so that no other task exceeds the bound meanwhile
        try:
            await self._make_room(origin)
            return await self._open(url)
        except BaseException:
            self.connections -= 1
            raise

    async def _make_room(self, origin: Origin) -> None:
        """Close an idle connection to another host if necessary: the bound applies to all hosts together."""
        if self.connections <= self._max_connections:
            return
        stacks = [stack for other, stack in self._idle.items() if other != origin and stack]
        if stacks:
            await self._close(min(stacks, key=lambda stack: stack[0].idle_since).popleft())

    async def _open(self, url: httpx.URL) -> _Slot:
        """Create a slot; it connects on its first request."""
        context = await _ssl_context_for(url.scheme, self._proxy)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)
        transport = httpx.AsyncHTTPTransport(
            verify=context, limits=limits, proxy=_with_ssl_context(self._proxy, context)
        )
        # httpx has no argument for the network backend, nor one for using a connection without a pool.
        pool = transport._pool  # noqa: SLF001
        uses_socks = self._proxy is not None and self._proxy.url.scheme.startswith("socks")
        wire = Wire(uses_tls=url.scheme == "https", uses_socks=uses_socks)
        backend: Any = Backend(pool._network_backend, wire, self._on_connect)  # noqa: SLF001
        pool._network_backend = backend  # noqa: SLF001
        connection: Any
        if self._proxy is None:
            from segments_async._http.http11 import DirectConnection  # noqa: PLC0415 (it imports httpcore)

            connection = DirectConnection(_origin_of(url), context, IDLE_SECONDS, network_backend=backend)
        else:
            connection = pool.create_connection(_origin_of(url))
        transport._pool = connection  # noqa: SLF001
        return _Slot(transport, connection, wire)

    async def _release(self, slot: _Slot, origin: Origin, *, clean: bool) -> None:
        if clean and not self._closed and _is_drained(slot):
            innermost: Any = _innermost(slot.connection)
            innermost._state_lock = NoLock()  # noqa: SLF001 (likewise)
            if self._proxy is None:
                slot.opened = innermost if hasattr(innermost, "takes") else None
            slot.idle_since = time.monotonic()
            self._idle.setdefault(origin, deque()).append(slot)
            self._free.release()
        else:
            await self._discard(slot)

    async def _discard(self, slot: _Slot | None) -> None:
        try:
            if slot is not None:
                await self._close(slot)
        finally:
            self._free.release()

    async def _close(self, slot: _Slot) -> None:
        try:
            # Errors while closing must not mask the original one.
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await slot.transport.aclose()
                if slot.wire.uses_socks and slot.wire.stream is not None:
                    await slot.wire.stream.aclose()  # httpcore does not close it if the handshake failed
        finally:
            self.connections -= 1


_ORIGINALS = Originals((SlotTransport, "handle_async_request"))


def _is_drained(slot: _Slot) -> bool:
    """
    Return whether a connection may carry another request.

    Only if nothing is left of the exchange: bytes after the response would become the answer to the next call.
    """
    connection = _innermost(slot.connection)
    if connection.is_closed():
        return False
    parser = getattr(connection, "_h11_state", None)
    return parser is not None and parser.trailing_data == (b"", False) and not slot.wire.has_unread_bytes


def _innermost(connection: Any) -> Any:
    """Return the connection of httpcore that reads and writes, below those that open it."""
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    return connection


def _origin_of(url: httpx.URL) -> httpcore.Origin:
    import httpcore  # noqa: PLC0415 (it imports trio, which is slow)

    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/").origin


def _with_ssl_context(proxy: httpx.Proxy | None, context: ssl.SSLContext) -> httpx.Proxy | None:
    """Verify an HTTPS proxy with the same certificates as any other host."""
    if proxy is None or proxy.url.scheme != "https":
        return proxy
    return httpx.Proxy(proxy.url, auth=proxy.auth, headers=proxy.headers, ssl_context=context)
