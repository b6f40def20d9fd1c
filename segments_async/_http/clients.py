"""The httpx clients that everything travels over: their transport, proxies, cookies and log lines."""

from __future__ import annotations

import functools
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import httpx
from anyio.lowlevel import current_token

# No public way leads to the proxies that httpx would take from the environment; the version is pinned for it.
from httpx._utils import get_environment_proxies

from segments_async._http.transport import IDLE_SECONDS, SlotTransport, shared_ssl_context
from segments_async._wire.replies import redact_url
from segments_async.errors import ClientStateError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp


class _NoCookies(httpx.Cookies):
    """Takes none: this API sets no cookie that matters, and looking for one costs at every reply."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _SignatureFilter(logging.Filter):
    """Keep what signs a presigned URL out of httpx's log lines, which show whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(redact_url(str(arg)) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


_MASK = _SignatureFilter()


def pooled_client(
    transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None,
    max_connections: int,
    on_connect: Callable[[], None],
) -> httpx.AsyncClient:
    """
    Build an `httpx.AsyncClient` without credentials, headers or cookies of its own.

    The proxies that the environment names are honoured unless *transport* is an instance, which then has the last
    word, as it has with httpx.

    Args:
        transport: The argument of `AsyncSegments`.
        max_connections: Likewise.
        on_connect: Called with each connection that a transport of ours makes.

    Raises:
        InputError: *transport* is something else.
    """
    mask_signatures()
    if isinstance(transport, httpx.AsyncBaseTransport):
        return _without_cookies(httpx.AsyncClient(transport=transport))
    if transport is None:
        make: Callable[[httpx.Proxy | None], httpx.AsyncBaseTransport] = functools.partial(
            _slots, max_connections, on_connect
        )
    elif transport == "aiohttp":
        make = functools.partial(_aiohttp, max_connections)
    else:
        raise InputError(f'expected an httpx.AsyncBaseTransport or "aiohttp", got {transport!r}', path="transport")
    mounts = {
        pattern: None if url is None else make(_proxy(url, transport))
        for pattern, url in get_environment_proxies().items()
    }
    return _without_cookies(httpx.AsyncClient(transport=make(None), mounts=mounts))


def _without_cookies(client: httpx.AsyncClient) -> httpx.AsyncClient:
    client._cookies = _NoCookies()  # noqa: SLF001 (handed over in the open, it would be copied to one that takes all)
    return client


def mask_signatures() -> None:
    """Have httpx's log lines show presigned URLs without their signature."""
    logging.getLogger("httpx").addFilter(_MASK)


def _proxy(url: str, transport: str | None) -> httpx.Proxy:
    """Read a proxy of the environment, and refuse here what would fail at the first call."""
    try:
        proxy = httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise InputError(f"the environment names a proxy that is none: {error}", path="proxy") from error
    if proxy.url.scheme.startswith("socks"):
        if transport == "aiohttp":
            raise InputError("the environment names a SOCKS proxy, which aiohttp cannot use", path="proxy")
        if find_spec("socksio") is None:
            raise InputError('the environment names a SOCKS proxy; pip install "httpx[socks]"', path="proxy")
    return proxy


def _slots(max_connections: int, on_connect: Callable[[], None], proxy: httpx.Proxy | None) -> SlotTransport:
    return SlotTransport(max_connections, proxy=proxy, on_connect=on_connect)


def _aiohttp(max_connections: int, proxy: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
    import asyncio  # noqa: PLC0415 (needless on trio, and aiohttp loads it anyway)

    try:
        import aiohttp  # noqa: PLC0415 (an extra)
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            'needs the extra "aiohttp": pip install "segments-async[aiohttp]"', path="transport"
        ) from error
    context = shared_ssl_context()

    def open_session() -> aiohttp.ClientSession:
        if not isinstance(current_token().native_token, asyncio.AbstractEventLoop):
            raise ClientStateError('transport="aiohttp" runs on asyncio only; leave it out on trio')
        connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=IDLE_SECONDS, ssl=context)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # aiohttp sends a lost request again by itself. Then a DELETE that was carried out would end as a 404.
        session._retry_connection = False  # noqa: SLF001
        return session

    return AiohttpTransport(verify=context, proxy=proxy, client=open_session)
