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


def transport_error(error: httpx.TransportError | httpx.DecodingError, method: str, url: str) -> TransportError:
    """Choose the error for a failed exchange; it is `sent` unless nothing can have reached the server."""
    if _is_lost_in_aiohttp(error):
        return TransportError(_say("the connection was lost", error), method=method, url=url)
    if isinstance(error, httpx.TimeoutException):
        phase = next((words for cls, words in _PHASES if isinstance(error, cls)), "too slow")
        unsent = isinstance(error, httpx.PoolTimeout | httpx.ConnectTimeout)
        return RequestTimeoutError(_say(phase, error), method=method, url=url, sent=not unsent)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol):
        return ConnectError(_say("no connection", error), method=method, url=url, sent=False)
    if isinstance(error, httpx.DecodingError):
        return TransportError(_say("the answer could not be decompressed", error), method=method, url=url)
    return TransportError(_say("the connection was lost", error), method=method, url=url)


def _is_lost_in_aiohttp(error: Exception) -> bool:
    """Whether httpx-aiohttp calls a lost connection a connect timeout, which reads as "never sent"."""
    cause = error.__cause__
    from_aiohttp = type(cause).__module__.partition(".")[0] == "aiohttp"
    return from_aiohttp and isinstance(error, httpx.ConnectTimeout) and not isinstance(cause, TimeoutError)


def _say(what: str, error: Exception) -> str:
    words = str(error)
    return f"{what} ({words})" if words else what
