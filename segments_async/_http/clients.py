"""Build the `httpx.AsyncClient`s: transport, proxies, cookies, and log records without signatures."""

from __future__ import annotations

import functools
import logging
import os
import re
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import httpx

from segments_async._http.direct import Originals
from segments_async._http.transport import IDLE_SECONDS, SlotTransport, shared_ssl_context
from segments_async._logging import log_safely
from segments_async._wire.proxies import NoProxy, no_proxy_in, proxies_in
from segments_async._wire.redaction import redact_keys
from segments_async._wire.replies import DEFAULT_PORTS, redact_urls
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from segments_async._http.aiohttp_transport import SegmentsAiohttpTransport
    from segments_async._http.direct import DirectTransport

    OwnTransport: TypeAlias = SlotTransport | SegmentsAiohttpTransport

logger = logging.getLogger("segments_async")
_httpx_logger = logging.getLogger("httpx")

_SOCKS_LOGIN = re.compile(r"\bauth=\(.*\)$")
"""The name and the password for a SOCKS proxy, in httpcore's records of its handshake."""
_SOCKS_LOGGER = "httpcore.socks"
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", _SOCKS_LOGGER)
_ORIGINALS = Originals((httpx.AsyncClient, "send"))
_ignores_proxies: ContextVar[bool] = ContextVar("_ignores_proxies", default=False)


@contextmanager
def no_proxies() -> Iterator[None]:
    """Ignore the proxies of the environment for the clients that are created in this context."""
    token = _ignores_proxies.set(True)
    try:
        yield
    finally:
        _ignores_proxies.reset(token)


class _EmptyCookies(httpx.Cookies):
    """A cookie jar that stays empty: the API needs no cookies, and extracting them costs time on every response."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _SecretsFilter(logging.Filter):
    """Remove secrets from log records of httpx and httpcore, which contain full URLs and the headers of responses."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 (its arguments do not fit; a handler reports that)
            return True
        redacted = redact_keys(redact_urls(message))
        if record.name == _SOCKS_LOGGER:
            redacted = _SOCKS_LOGIN.sub("auth=...", redacted)
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_SECRETS_FILTER = _SecretsFilter()


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
    mask_secrets()
    if isinstance(transport, httpx.AsyncBaseTransport):
        return _without_cookies(httpx.AsyncClient(transport=transport))
    if transport is None:
        make: Callable[[httpx.Proxy | None], OwnTransport] = functools.partial(
            _slot_transport, max_connections, on_connect
        )
    elif transport == "aiohttp":
        make = functools.partial(_aiohttp_transport, max_connections)
    else:
        raise InputError(f'expected an httpx.AsyncBaseTransport or "aiohttp", got {transport!r}', path="transport")
    direct = make(None)
    environment: Mapping[str, str] = {} if _ignores_proxies.get() else os.environ
    proxies = {scheme: make(_proxy(url, transport)) for scheme, url in proxies_in(environment).items()}
    if not proxies:
        return _without_cookies(PlainClient(direct, direct))
    return _without_cookies(PlainClient(ProxyRouter(direct, proxies, _no_proxy())))


def _no_proxy() -> NoProxy:
    no_proxy = no_proxy_in(os.environ)
    for entry in no_proxy.unreadable:
        logger.warning("ignored an entry of NO_PROXY that is not a host, an address or a range: %r", entry)
    return no_proxy


class PlainClient(httpx.AsyncClient):
    """
    A client that sends a request and does no more.

    httpx wraps each request in generators for authentication and redirects, and each body in another one. Requests of
    this package need none of them. Instrumentations of ``AsyncClient.send`` and of the transports see every request.

    Args:
        transport: Sends all requests.
        direct: The same, if it can do without httpx.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, direct: DirectTransport | None = None) -> None:
        super().__init__(transport=transport)
        self._direct = direct

    async def _send_handling_auth(
        self, request: httpx.Request, auth: object, follow_redirects: object, history: object
    ) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        response.request = request
        if _httpx_logger.isEnabledFor(logging.INFO):
            log_safely(  # the caller does not have the response yet, so it could not close it
                _httpx_logger,
                logging.INFO,
                'HTTP Request: %s %s "%s %d %s"',
                request.method,
                request.url,
                response.http_version,
                response.status_code,
                response.reason_phrase,
            )
        return response

    @property
    def direct(self) -> DirectTransport | None:
        """The transport, if it can do without httpx, and nobody watches or replaces what would be left out."""
        transport: Any = self._direct
        is_watched = (
            self._transport is not transport  # somebody has wrapped it
            or "send" in self.__dict__
            or not _ORIGINALS.are_in_place()
            or _httpx_logger.isEnabledFor(logging.INFO)
        )
        return None if is_watched or transport is None or transport.is_watched() else transport


def direct_transport(client: httpx.AsyncClient) -> DirectTransport | None:
    """Return the transport of *client* for exchanges without httpx; None if they must go over the client."""
    return client.direct if isinstance(client, PlainClient) else None


class ProxyRouter(httpx.AsyncBaseTransport):
    """Send each request directly or through the proxy that the environment names for its host."""

    def __init__(
        self, direct: httpx.AsyncBaseTransport, proxies: Mapping[str, httpx.AsyncBaseTransport], no_proxy: NoProxy
    ) -> None:
        self._direct = direct
        self._proxies = proxies
        self._no_proxy = no_proxy

    def transport_for(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        """Return the transport for *url*."""
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or self._no_proxy.covers(url.host, url.port or DEFAULT_PORTS.get(url.scheme)):
            return self._direct
        return proxy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        return await self.transport_for(request.url).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        async with AsyncExitStack() as stack:  # closes the others even if closing one fails
            for transport in (self._direct, *self._proxies.values()):
                stack.push_async_callback(transport.aclose)


def _without_cookies(client: httpx.AsyncClient) -> httpx.AsyncClient:
    client._cookies = _EmptyCookies()  # noqa: SLF001 (the public setter copies it into an ordinary jar)
    return client


def mask_secrets() -> None:
    """Remove API keys and the signatures of presigned URLs from the log records of httpx and httpcore."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_SECRETS_FILTER)


def _proxy(url: str, transport: str | None) -> httpx.Proxy:
    """Parse a proxy of the environment, and reject one that would fail at the first call."""
    try:
        proxy = httpx.Proxy(url)
    except Exception:  # noqa: BLE001 (and its message may contain the password of the proxy)
        raise InputError(f"the environment names an invalid proxy: {_scheme_of(url)!r}", path="proxy") from None
    if proxy.url.scheme.startswith("socks"):
        if transport == "aiohttp":
            raise InputError("the environment names a SOCKS proxy, which aiohttp cannot use", path="proxy")
        if find_spec("socksio") is None:
            raise InputError('the environment names a SOCKS proxy; pip install "httpx[socks]"', path="proxy")
    return proxy


def _scheme_of(url: str) -> str:
    """Return the scheme alone: where the password is in the rest, a URL that cannot be parsed does not say."""
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url)
    return f"{match[0] if match else ''}..."


def _slot_transport(max_connections: int, on_connect: Callable[[], None], proxy: httpx.Proxy | None) -> SlotTransport:
    return SlotTransport(max_connections, proxy=proxy, on_connect=on_connect)


def _aiohttp_transport(max_connections: int, proxy: httpx.Proxy | None) -> SegmentsAiohttpTransport:
    try:
        from segments_async._http.aiohttp_transport import SegmentsAiohttpTransport  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise InputError(
            'needs the extra "aiohttp": pip install "segments-async[aiohttp]"', path="transport"
        ) from error
    context = shared_ssl_context()
    return SegmentsAiohttpTransport(max_connections, idle_seconds=IDLE_SECONDS, context=context, proxy=proxy)
