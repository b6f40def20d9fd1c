"""Map every exception that a request provokes to an error that names the call and says whether it was sent."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

import httpx

from segments_async._wire.causes import all_causes_of, causes_of, hide_cause
from segments_async._wire.content_coding import CodingError
from segments_async._wire.replies import redact_urls
from segments_async._wire.shortages import shortage_hint
from segments_async.errors import ConnectError, RequestTimeoutError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

_PHASES: tuple[tuple[type[httpx.TimeoutException], str], ...] = (
    (httpx.PoolTimeout, "no connection became free in time"),
    (httpx.ConnectTimeout, "no connection was made in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.ReadTimeout, "no answer arrived in time"),
)
_UNCONNECTED = httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol | httpx.InvalidURL
_TRANSPORT = httpx.TransportError | httpx.DecodingError | CodingError | OSError
_PROXY_LOGIN = re.compile(r"\b407\b")
_OBJECT = re.compile(r"<[^<>]*>| at 0x[0-9a-fA-F]+|\b(?:0x)?[0-9a-fA-F]{10,}\b")
MAX_MESSAGE = 300
_REFUSALS = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ETIMEDOUT})
"""Error numbers of a host that cannot be reached; libraries report that all attempts failed, and not why."""


class MaskedError(Exception):
    """Takes the place of an exception whose message contains a secret, such as a malformed header with the API key."""


def request_error(
    error: Exception,
    method: str,
    url: str,
    *,
    sent: bool | None = None,
    redact: Callable[[str], str] = redact_urls,
) -> TransportError:
    """
    Return the error for a failed exchange; its ``__cause__`` is *error*, or a `MaskedError` in its place.

    A traceback shows *error* in one line: what the layers below httpx raised repeats its message. Its ``__context__``
    leads there.

    Every exception is mapped, because a URL, a proxy, TLS, a response or a library may raise undocumented exceptions.

    Args:
        error: The exception; not an error of this package.
        method: The request's method.
        url: The request's URL without secrets.
        sent: Whether bytes of the request may have reached the server; None if the transport does not say, and then
            the exception decides.
        redact: Removes the secrets from a message.
    """
    failure = _classify(error, method, url, sent)
    failure.args = tuple(redact(arg) if isinstance(arg, str) else arg for arg in failure.args)
    failure.__cause__ = _without_secrets(error, redact)
    if isinstance(error, httpx.TransportError):
        hide_cause(error)
    return failure


def _without_secrets(error: Exception, redact: Callable[[str], str]) -> Exception:
    if all(redact(text := str(cause)) == text for cause in causes_of(error)):
        return error
    return MaskedError(f"{type(error).__name__}: {redact(str(error))}")


def _classify(error: Exception, method: str, url: str, sent: bool | None) -> TransportError:  # noqa: FBT001
    aiohttp_names = _aiohttp_class_names(error) | _aiohttp_class_names(error.__cause__)
    if isinstance(error, CodingError | httpx.DecodingError):
        return TransportError(_describe("the answer could not be decompressed", error), method=method, url=url)
    if isinstance(error, httpx.TimeoutException) and not _is_lost_in_aiohttp(error, aiohttp_names):
        problem = next((text for cls, text in _PHASES if isinstance(error, cls)), "timed out")
        unsent = sent is False or isinstance(error, httpx.PoolTimeout | httpx.ConnectTimeout)
        return RequestTimeoutError(_describe(problem, error), method=method, url=url, sent=not unsent)
    if sent is False or "ClientConnectorError" in aiohttp_names or isinstance(error, _UNCONNECTED):
        return ConnectError(
            _describe("no connection", error), method=method, url=url, sent=False, retryable=_may_succeed_later(error)
        )
    if isinstance(error, _TRANSPORT) or aiohttp_names:
        return TransportError(_describe("the connection was lost", error), method=method, url=url)
    return TransportError(_describe(f"the exchange failed with {type(error).__name__}", error), method=method, url=url)


def _is_lost_in_aiohttp(error: Exception, aiohttp_names: frozenset[str]) -> bool:
    """httpx-aiohttp reports a lost connection as a connect timeout, which would mean that nothing was sent."""
    return bool(aiohttp_names) and (
        isinstance(error, httpx.ConnectTimeout) and not isinstance(error.__cause__, TimeoutError)
    )


def _may_succeed_later(error: Exception) -> bool:
    """Return whether connecting may work later: not with a wrong address, nor with a proxy that wants a login."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return False
    if isinstance(error, httpx.ProxyError) and _PROXY_LOGIN.search(str(error)):
        return False
    # Addresses that no resolver or socket takes raise these; failures of the network are an OSError.
    return not any(isinstance(cause, ValueError | OverflowError | TypeError) for cause in causes_of(error))


def _aiohttp_class_names(error: BaseException | None) -> frozenset[str]:
    """Return the names of the aiohttp classes that *error* is an instance of; aiohttp need not be installed."""
    return frozenset(cls.__name__ for cls in type(error).__mro__ if cls.__module__.partition(".")[0] == "aiohttp")


def _describe(problem: str, error: BaseException) -> str:
    """
    Add the message of *error*, or of its cause if it has none (as with trio).

    Addresses of objects and names of cancel scopes are removed, so that equal failures have equal messages.
    """
    hint = shortage_hint(error)
    if hint is not None:
        return f"{problem} ({hint})"
    for cause in causes_of(error):
        if isinstance(cause, Exception) and (message := _OBJECT.sub("", str(cause)).strip()):
            return f"{problem} ({message[:MAX_MESSAGE]}{_refusal(error, message)})"
    return problem


def _refusal(error: BaseException, message: str) -> str:
    """Return why a host cannot be reached, unless *message* says so."""
    codes = _REFUSALS.intersection(cause.errno for cause in all_causes_of(error) if isinstance(cause, OSError))
    unsaid = [reason for reason in sorted(map(os.strerror, codes)) if reason not in message]
    return f": {', '.join(unsaid)}" if unsaid else ""
