"""Map exceptions of the transport to errors that name the call and say whether anything was sent."""

from __future__ import annotations

import httpx

from segments_async.errors import ConnectError, RequestTimeoutError, TransportError

_PHASES: tuple[tuple[type[httpx.TimeoutException], str], ...] = (
    (httpx.PoolTimeout, "no connection became free in time"),
    (httpx.ConnectTimeout, "no connection was made in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.ReadTimeout, "no answer arrived in time"),
)
_UNCONNECTED = httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol


def transport_error(error: Exception, method: str, url: str) -> TransportError:
    """Return the error for a failed exchange; `sent` is False only if nothing can have reached the server."""
    aiohttp_names = _aiohttp_class_names(error.__cause__)
    if isinstance(error, httpx.DecodingError):
        return TransportError(_describe("the answer could not be decompressed", error), method=method, url=url)
    if "ClientConnectorError" in aiohttp_names or isinstance(error, _UNCONNECTED):
        return ConnectError(_describe("no connection", error), method=method, url=url, sent=False)
    if aiohttp_names and isinstance(error, httpx.ConnectTimeout) and not isinstance(error.__cause__, TimeoutError):
        # httpx-aiohttp reports a lost connection as a connect timeout, which would mean that nothing was sent.
        return TransportError(_describe("the connection was lost", error), method=method, url=url)
    if isinstance(error, httpx.TimeoutException):
        problem = next((text for cls, text in _PHASES if isinstance(error, cls)), "timed out")
        unsent = isinstance(error, httpx.PoolTimeout | httpx.ConnectTimeout)
        return RequestTimeoutError(_describe(problem, error), method=method, url=url, sent=not unsent)
    return TransportError(_describe("the connection was lost", error), method=method, url=url)


def is_transport_failure(error: Exception) -> bool:
    """Return whether *error* is a failed exchange; httpx-aiohttp passes some exceptions of aiohttp through."""
    return isinstance(error, httpx.TransportError | httpx.DecodingError) or "ClientError" in _aiohttp_class_names(error)


def _aiohttp_class_names(error: BaseException | None) -> frozenset[str]:
    """Return the names of the aiohttp classes that *error* is an instance of; aiohttp need not be installed."""
    return frozenset(cls.__name__ for cls in type(error).__mro__ if cls.__module__.partition(".")[0] == "aiohttp")


def _describe(problem: str, error: BaseException) -> str:
    """Add the message of *error*, or of its cause if it has none (as with trio)."""
    cause: BaseException | None = error
    while cause is not None:
        if message := str(cause):
            return f"{problem} ({message})"
        cause = cause.__cause__ or cause.__context__
    return problem
