"""
Connections: a pool whose cost per request does not grow with the number of connections.

httpcore's own pool looks at every connection at each request's start and end, and loses a place for good when a
request is cancelled while its connection opens. So each connection here is a pool of one, taken from the top of a
stack, and thrown away whenever its exchange did not end cleanly.
"""

from __future__ import annotations

import functools
import logging
import ssl
from collections import deque
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx
from attrs import define

# No public way leads to the proxies that httpx would take from the environment; the version is pinned for it.
from httpx._utils import get_environment_proxies

from segments_async._wire.replies import shown_url
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

IDLE_SECONDS = 30.0
"""How long an unused connection is kept; the service's load balancer keeps them longer."""
CLOSE_SECONDS = 2.0
"""How long closing a connection may take, whatever the other side does."""

Origin = tuple[str, str, int | None]


@functools.cache
def _shared_ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@functools.cache
def _unused_ssl_context() -> ssl.SSLContext:
    """Stand in where no TLS is spoken: it trusts nobody, and costs nothing to build."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _ssl_context_for(scheme: str, proxy: httpx.Proxy | None) -> ssl.SSLContext:
    if scheme == "http" and (proxy is None or proxy.url.scheme == "http"):
        return _unused_ssl_context()
    if not _shared_ssl_context.cache_info().currsize:
        # Reading the certificates takes 50 to 80 ms, too long for an event loop.
        return await anyio.to_thread.run_sync(_shared_ssl_context)
    return _shared_ssl_context()


@define(eq=False)
class _Slot:
    """One connection, and since when it has been idle."""

    transport: httpx.AsyncHTTPTransport
    idle_since: float = 0.0


class SlotTransport(httpx.AsyncBaseTransport):
    """
    Send each request over a connection of its own, at most *max_connections* at once.

    Args:
        max_connections: Connections open at the same time; further requests wait, first in first out, for as long
            as their ``pool`` timeout allows.
        proxy: Send everything through this proxy.

    Raises:
        httpx.PoolTimeout: No connection came free in time.
    """

    def __init__(self, max_connections: int, *, proxy: httpx.Proxy | None = None) -> None:
        self._max_connections = max_connections
        self._free = anyio.Semaphore(max_connections, fast_acquire=True)
        self._proxy = proxy
        self._idle: dict[Origin, deque[_Slot]] = {}
        self._closed = False
        self.connections = 0
        """Connections that are open now, idle ones included."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; its connection is free again when the response is closed."""
        await self._wait_for_place(request)
        origin: Origin = (request.url.scheme, request.url.host, request.url.port)
        slot = None
        try:
            slot = await self._take(origin)
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
        for slot in slots:
            await self._close(slot)

    async def _wait_for_place(self, request: httpx.Request) -> None:
        limit = request.extensions.get("timeout", {}).get("pool")
        if limit is None:
            await self._free.acquire()
            return
        try:
            with anyio.fail_after(limit):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(f"no connection came free within {limit:g} s", request=request) from None

    async def _take(self, origin: Origin) -> _Slot:
        if stack := self._idle.get(origin):
            # The bottom of the stack has waited longest.
            while len(stack) > 1 and anyio.current_time() - stack[0].idle_since > IDLE_SECONDS:
                await self._close(stack.popleft())
            if stack:
                return stack.pop()
        await self._make_room(origin)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)
        context = await _ssl_context_for(origin[0], self._proxy)
        self.connections += 1
        return _Slot(httpx.AsyncHTTPTransport(verify=context, limits=limits, proxy=self._proxy))

    async def _make_room(self, origin: Origin) -> None:
        """Close what is idle towards other hosts, so that the bound holds over all of them."""
        if self.connections < self._max_connections:
            return
        for other, stack in self._idle.items():
            if other != origin and stack:
                await self._close(stack.popleft())
                return

    async def _give_back(self, slot: _Slot, origin: Origin, *, clean: bool) -> None:
        if clean and not self._closed:
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
        self.connections -= 1
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await slot.transport.aclose()


class _NoCookies(CookieJar):
    """A jar that takes nothing: this API sets no cookie that matters, and looking for one costs at every reply."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass


class _MaskSignatures(logging.Filter):
    """Keep what signs a presigned URL out of httpx's log lines, which show whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(shown_url(str(arg)) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


_MASK = _MaskSignatures()


def pooled_client(
    transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None, max_connections: int
) -> httpx.AsyncClient:
    """
    Build an `httpx.AsyncClient` without credentials, headers or cookies of its own.

    The proxies that the environment names are honoured unless *transport* is an instance, which then has the last
    word, as it has with httpx.

    Raises:
        InputError: *transport* is something else.
    """
    mask_signatures()
    if isinstance(transport, httpx.AsyncBaseTransport):
        return httpx.AsyncClient(transport=transport, cookies=_NoCookies())
    if transport is None:
        make: Callable[[httpx.Proxy | None], httpx.AsyncBaseTransport] = functools.partial(_slots, max_connections)
    elif transport == "aiohttp":
        make = functools.partial(_aiohttp, max_connections)
    else:
        raise InputError(f'expected an httpx.AsyncBaseTransport or "aiohttp", got {transport!r}', path="transport")
    mounts = {
        pattern: None if url is None else make(httpx.Proxy(url)) for pattern, url in get_environment_proxies().items()
    }
    return httpx.AsyncClient(transport=make(None), mounts=mounts, cookies=_NoCookies())


def mask_signatures() -> None:
    """Have httpx's log lines show presigned URLs without their signature."""
    logging.getLogger("httpx").addFilter(_MASK)


def _slots(max_connections: int, proxy: httpx.Proxy | None) -> SlotTransport:
    return SlotTransport(max_connections, proxy=proxy)


def _aiohttp(max_connections: int, proxy: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
    try:
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise InputError(
            'needs the extra "aiohttp": pip install "segments-async[aiohttp]"', path="transport"
        ) from error
    limits = httpx.Limits(max_connections=max_connections, keepalive_expiry=IDLE_SECONDS)
    return AiohttpTransport(verify=_shared_ssl_context(), limits=limits, proxy=proxy)


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
