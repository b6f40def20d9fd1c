"""Build the `httpx.AsyncClient`s: transport, proxies, cookies, and log records without signatures."""

from __future__ import annotations

import functools
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import httpx
from anyio.lowlevel import current_token

# httpx has no public function for the proxies of the environment; its version is pinned for this import.
from httpx._utils import get_environment_proxies

from segments_async._http.transport import IDLE_SECONDS, SlotTransport, shared_ssl_context
from segments_async._wire.replies import redact_url
from segments_async.errors import ClientStateError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp


class _EmptyCookies(httpx.Cookies):
    """A cookie jar that stays empty: the API needs no cookies, and extracting them costs time on every response."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _SignatureFilter(logging.Filter):
    """Remove the signatures of presigned URLs from httpx's log records, which contain full URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(redact_url(str(arg)) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


_SIGNATURE_FILTER = _SignatureFilter()


def pooled_client(
    transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None,
    max_connections: int,
    on_connect: Callable[[], None],
) -> httpx.AsyncClient:
    """
    Build an `httpx.AsyncClient` without credentials, headers or cookies of its own.

    Proxies of the environment are used unless *transport* is an instance, as with httpx.

    Args:
        transport: The argument of `AsyncSegments`.
        max_connections: The argument of `AsyncSegments`.
        on_connect: Called for each connection that the default transport opens.

    Raises:
        InputError: *transport* is of another type, or a proxy of the environment is invalid or cannot be used.
    """
    mask_signatures()
    if isinstance(transport, httpx.AsyncBaseTransport):
        return _without_cookies(httpx.AsyncClient(transport=transport))
    if transport is None:
        make: Callable[[httpx.Proxy | None], httpx.AsyncBaseTransport] = functools.partial(
            _slot_transport, max_connections, on_connect
        )
    elif transport == "aiohttp":
        make = functools.partial(_aiohttp_transport, max_connections)
    else:
        raise InputError(f'expected an httpx.AsyncBaseTransport or "aiohttp", got {transport!r}', path="transport")
    mounts = {
        pattern: None if url is None else make(_proxy(url, transport))
        for pattern, url in get_environment_proxies().items()
    }
    return _without_cookies(httpx.AsyncClient(transport=make(None), mounts=mounts))


def _without_cookies(client: httpx.AsyncClient) -> httpx.AsyncClient:
    client._cookies = _EmptyCookies()  # noqa: SLF001 (the public setter copies it into an ordinary jar)
    return client


def mask_signatures() -> None:
    """Remove the signatures of presigned URLs from httpx's log records."""
    logging.getLogger("httpx").addFilter(_SIGNATURE_FILTER)


def _proxy(url: str, transport: str | None) -> httpx.Proxy:
    """Parse a proxy of the environment, and reject one that would fail at the first call."""
    try:
        proxy = httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise InputError(f"the environment names an invalid proxy: {error}", path="proxy") from error
    if proxy.url.scheme.startswith("socks"):
        if transport == "aiohttp":
            raise InputError("the environment names a SOCKS proxy, which aiohttp cannot use", path="proxy")
        if find_spec("socksio") is None:
            raise InputError('the environment names a SOCKS proxy; pip install "httpx[socks]"', path="proxy")
    return proxy


def _slot_transport(max_connections: int, on_connect: Callable[[], None], proxy: httpx.Proxy | None) -> SlotTransport:
    return SlotTransport(max_connections, proxy=proxy, on_connect=on_connect)


def _aiohttp_transport(max_connections: int, proxy: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
    import asyncio  # noqa: PLC0415 (not needed on trio; aiohttp imports it anyway)

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
            raise ClientStateError('transport="aiohttp" runs on asyncio only; omit it on trio')
        connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=IDLE_SECONDS, ssl=context)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # aiohttp retries on a lost connection by itself, so a DELETE that was carried out would end in a 404.
        session._retry_connection = False  # noqa: SLF001
        return session

    return AiohttpTransport(verify=context, proxy=proxy, client=open_session)
