"""From an exception of the transport to an error that names the call and says whether anything was sent."""

from __future__ import annotations

import httpx

from segments_async.errors import ConnectError, RequestTimeoutError, TransportError

_PHASES: tuple[tuple[type[httpx.TimeoutException], str], ...] = (
    (httpx.PoolTimeout, "no connection came free in time"),
    (httpx.ConnectTimeout, "no connection was made in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.ReadTimeout, "no answer came in time"),
)
_UNCONNECTED = httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol


def transport_error(error: Exception, method: str, url: str) -> TransportError:
    """Choose the error for a failed exchange; it is `sent` unless nothing can have reached the server."""
    aiohttp_names = _names_in_aiohttp(error.__cause__)
    if isinstance(error, httpx.DecodingError):
        return TransportError(_say("the answer could not be decompressed", error), method=method, url=url)
    if "ClientConnectorError" in aiohttp_names or isinstance(error, _UNCONNECTED):
        return ConnectError(_say("no connection", error), method=method, url=url, sent=False)
    if aiohttp_names and isinstance(error, httpx.ConnectTimeout) and not isinstance(error.__cause__, TimeoutError):
        # httpx-aiohttp calls a connection that was lost a connect timeout, which reads as "never sent".
        return TransportError(_say("the connection was lost", error), method=method, url=url)
    if isinstance(error, httpx.TimeoutException):
        phase = next((words for cls, words in _PHASES if isinstance(error, cls)), "too slow")
        unsent = isinstance(error, httpx.PoolTimeout | httpx.ConnectTimeout)
        return RequestTimeoutError(_say(phase, error), method=method, url=url, sent=not unsent)
    return TransportError(_say("the connection was lost", error), method=method, url=url)


def is_transport_failure(error: Exception) -> bool:
    """Whether an exception of the transport says that an exchange failed; httpx-aiohttp lets some of aiohttp's out."""
    return isinstance(error, httpx.TransportError | httpx.DecodingError) or "ClientError" in _names_in_aiohttp(error)


def _names_in_aiohttp(error: BaseException | None) -> frozenset[str]:
    """What an exception of aiohttp, an extra that may be absent, is called, and its base classes; else nothing."""
    return frozenset(cls.__name__ for cls in type(error).__mro__ if cls.__module__.partition(".")[0] == "aiohttp")


def _say(what: str, error: BaseException) -> str:
    """Add the words of *error*, or of what caused it if it has none (trio's have none)."""
    cause: BaseException | None = error
    while cause is not None:
        if words := str(cause):
            return f"{what} ({words})"
        cause = cause.__cause__ or cause.__context__
    return what
