"""
Connections: a pool whose cost per request does not grow with the number of connections.

httpcore's own pool looks at every connection at each request's start and end, and loses a place for good when a
request is cancelled while its connection opens. So each connection here goes without a pool: it is taken from the top
of a stack, and thrown away whenever its exchange did not end cleanly.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections import deque
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from attrs import define

from segments_async.errors import ClientStateError, InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpcore

IDLE_SECONDS = 30.0
"""How long an unused connection is kept; the service's load balancer keeps them longer."""
CLOSE_SECONDS = 2.0
"""How long closing a connection may take, whatever the other side does."""

Origin = tuple[str, str, int | None]

Trust = tuple[str | None, str | None]
"""``SSL_CERT_FILE`` and ``SSL_CERT_DIR``."""

_ssl_contexts: dict[Trust, ssl.SSLContext] = {}


def _trust() -> Trust:
    return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


def shared_ssl_context() -> ssl.SSLContext:
    """The context of all clients that trust the authorities which the environment names now."""
    trust = _trust()
    if trust not in _ssl_contexts:
        try:
            _ssl_contexts[trust] = httpx.create_ssl_context()
        except OSError as error:
            named = trust[0] or trust[1] or "the certificates of certifi"
            raise InputError(f"cannot be read ({error.strerror or error}): {named}", path="SSL_CERT_FILE") from error
    return _ssl_contexts[trust]


@functools.cache
def _unused_ssl_context() -> ssl.SSLContext:
    """Stand in where no TLS is spoken: it trusts nobody, and costs nothing to build."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _ssl_context_for(scheme: str, proxy: httpx.Proxy | None) -> ssl.SSLContext:
    if scheme == "http" and (proxy is None or proxy.url.scheme == "http"):
        return _unused_ssl_context()
    if _trust() not in _ssl_contexts:
        # Reading the certificates takes 50 to 80 ms, too long for an event loop.
        return await anyio.to_thread.run_sync(shared_ssl_context)
    return shared_ssl_context()


@define(eq=False)
class _Slot:
    """One connection, and since when it has been idle."""

    transport: httpx.AsyncHTTPTransport
    """Speaks to it."""
    connection: httpcore.AsyncConnectionInterface
    idle_since: float = 0.0


class SlotTransport(httpx.AsyncBaseTransport):
    """
    Send each request over a connection of its own, at most *max_connections* at once.

    Args:
        max_connections: Connections open at the same time; further requests wait, first in first out, for as long
            as their ``pool`` timeout allows.
        proxy: Send everything through this proxy.
        on_connect: Called with each connection that is made.

    Raises:
        httpx.PoolTimeout: No connection came free in time.
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
        """Connections that are open now, idle ones included."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; its connection is free again when the response is closed."""
        await self._wait_for_place(request)
        if self._closed:  # while this one was waiting
            self._free.release()
            raise ClientStateError("this AsyncSegments was closed before the request was sent")
        url = request.url
        origin: Origin = (url.scheme, url.host, url.port)
        slot = None
        try:
            slot = await self._take(origin, url)
            response = await slot.transport.handle_async_request(request)
        except BaseException:
            await self._drop(slot)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return httpx.Response(
            status_code=response.status_code,
            headers=response.headers,
            stream=_SlotStream(response.stream, functools.partial(self._give_back, slot, origin)),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close what is idle; what is busy closes when its exchange ends."""
        self._closed = True
        slots = [slot for stack in self._idle.values() for slot in stack]
        self._idle.clear()
        async with AsyncExitStack() as stack:  # a cancellation that interrupts one leaves none of the others open
            for slot in slots:
                stack.push_async_callback(self._close, slot)

    async def _wait_for_place(self, request: httpx.Request) -> None:
        limit = request.extensions.get("timeout", {}).get("pool")
        if limit is None or self._free.value:
            await self._free.acquire()
            return
        try:
            with anyio.fail_after(limit):
                await self._free.acquire()
        except TimeoutError:
            busy = f"all {self._max_connections} were busy for {limit:g} s"
            raise httpx.PoolTimeout(busy, request=request) from None

    async def _take(self, origin: Origin, url: httpx.URL) -> _Slot:
        while stack := self._idle.get(origin):
            # The bottom of the stack has waited longest. What the server closed has expired too.
            if len(stack) > 1 and anyio.current_time() - stack[0].idle_since > IDLE_SECONDS:
                await self._close(stack.popleft())
            elif (slot := stack.pop()).connection.has_expired():
                await self._close(slot)
            else:
                return slot
        self.connections += 1  # counted before anything is awaited, or another task would take the same room
        try:
            await self._make_room(origin)
            return await self._open(url)
        except BaseException:
            self.connections -= 1
            raise

    async def _make_room(self, origin: Origin) -> None:
        """Close what is idle towards other hosts, so that the bound holds over all of them."""
        if self.connections <= self._max_connections:
            return
        stacks = [stack for other, stack in self._idle.items() if other != origin and stack]
        if stacks:
            await self._close(min(stacks, key=lambda stack: stack[0].idle_since).popleft())

    async def _open(self, url: httpx.URL) -> _Slot:
        """Make a slot, which connects at its first request."""
        context = await _ssl_context_for(url.scheme, self._proxy)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)
        transport = httpx.AsyncHTTPTransport(verify=context, limits=limits, proxy=_trusting(self._proxy, context))
        # httpx has no argument for what opens sockets, nor for doing without a pool.
        pool = transport._pool  # noqa: SLF001
        speaks_tls = context is not _unused_ssl_context()
        pool._network_backend = _Backend(pool._network_backend, self._on_connect, speaks_tls=speaks_tls)  # type: ignore[assignment]  # noqa: SLF001
        connection = pool.create_connection(_origin_of(url))
        transport._pool = connection  # type: ignore[assignment]  # noqa: SLF001
        return _Slot(transport, connection)

    async def _give_back(self, slot: _Slot, origin: Origin, *, clean: bool) -> None:
        if clean and not self._closed and not slot.connection.is_closed():
            slot.idle_since = anyio.current_time()
            self._idle.setdefault(origin, deque()).append(slot)
            self._free.release()
        else:
            await self._drop(slot)

    async def _drop(self, slot: _Slot | None) -> None:
        try:
            if slot is not None:
                await self._close(slot)
        finally:
            self._free.release()

    async def _close(self, slot: _Slot) -> None:
        try:
            # What goes wrong while hanging up is nobody's business, least of all instead of the error before it.
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await slot.transport.aclose()
        finally:
            self.connections -= 1


def _origin_of(url: httpx.URL) -> httpcore.Origin:
    import httpcore  # noqa: PLC0415 (it imports trio)

    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/").origin


def _trusting(proxy: httpx.Proxy | None, context: ssl.SSLContext) -> httpx.Proxy | None:
    """Have a proxy that is itself reached over TLS checked like every other host, with the context there is."""
    if proxy is None or proxy.url.scheme != "https":
        return proxy
    return httpx.Proxy(proxy.url, auth=proxy.auth, headers=proxy.headers, ssl_context=context)


class _Backend:
    """
    Tell of connections, and close the socket of a TLS handshake that is cancelled.

    httpcore closes it after an error, but not after a cancellation; then it stays open until the garbage is collected.
    This has the methods of an `httpcore.AsyncNetworkBackend` and not its type: to import httpcore here imports trio.
    """

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, on_connect: Callable[[], None], *, speaks_tls: bool
    ) -> None:
        self._backend = backend
        self._on_connect = on_connect
        self._speaks_tls = speaks_tls

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> _ClosingStream | httpcore.AsyncNetworkStream:
        stream = await self._backend.connect_tcp(*args, **kwargs)
        self._on_connect()
        return _ClosingStream(stream) if self._speaks_tls else stream

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return await self._backend.connect_unix_socket(*args, **kwargs)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _ClosingStream:
    """A socket before its TLS handshake; what comes after that is httpcore's own."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(*args, **kwargs)
        except BaseException:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await self._stream.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _SlotStream(httpx.AsyncByteStream):
    """A response body that knows whether it was read to its end."""

    def __init__(self, stream: httpx.AsyncByteStream, give_back: Callable[..., object]) -> None:
        self._stream = stream
        self._give_back: Callable[..., object] | None = give_back
        self._complete = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
        self._complete = True

    async def aclose(self) -> None:
        if self._give_back is None:
            return
        give_back, self._give_back = self._give_back, None
        clean = False
        try:
            await self._stream.aclose()
            clean = self._complete
        finally:
            await give_back(clean=clean)  # type: ignore[misc]
