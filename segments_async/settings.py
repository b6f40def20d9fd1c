"""
Settings of a client: small immutable values with safe defaults. All times are in seconds.

httpx is imported when the first client is created: its import takes as long as that of the rest.
"""

from __future__ import annotations

import math
import os
import random
import time
from functools import cache
from typing import TYPE_CHECKING

import anyio
from attrs import field, frozen

from segments_async._validators import count, is_number, number
from segments_async.errors import AuthenticationError, InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

DEFAULT_BASE_URL = "https://api.segments.ai"


@frozen
class RetryPolicy:
    """
    Configure how often, and after which delays, a failed request is retried.

    Before attempt *n* + 1 the client waits ``random() * min(cap, base * 2 ** (n - 1))`` seconds (full jitter).
    If the service requests a delay (``Retry-After``), the client waits at least that long instead, and the throttled
    attempt does not count. Which requests may be retried at all depends on the endpoint, not on this policy.

    Example:
        >>> RetryPolicy(attempts=1)  # never send anything twice
        RetryPolicy(attempts=1, bulk_attempts=8, base=0.25, cap=20.0, total=60.0)
    """

    attempts: int = field(default=3, validator=count())
    """Maximum attempts of a single call; 1 disables retries."""
    bulk_attempts: int = field(default=8, validator=count())
    """Maximum attempts of an item of a bulk run; 1 disables retries."""
    base: float = field(default=0.25, validator=number(0))
    """Upper bound of the first delay, in seconds."""
    cap: float = field(default=20.0, validator=number(0))
    """Upper bound of every delay that the service did not request, in seconds."""
    total: float = field(default=60.0, validator=number(0))
    """Seconds after the start of the first attempt, after which no further attempt starts."""


@frozen
class Clock:
    """
    The sources of time and randomness; tests replace them to avoid real delays.

    Example:
        >>> Clock(random=lambda: 0.0).random()
        0.0
    """

    monotonic: Callable[[], float] = time.monotonic
    """Seconds since an arbitrary start; only differences are meaningful."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """Wait for the given number of seconds."""
    time: Callable[[], float] = time.time
    """Seconds since 1970; used only if the service sends a date without its own current time."""
    random: Callable[[], float] = random.random
    """Return a number from 0 (inclusive) to 1 (exclusive), for jitter."""


@cache
def default_timeout() -> httpx.Timeout:
    """Return the timeouts of a call; there is none for a connection: each call ahead in the queue has its own."""
    import httpx  # noqa: PLC0415 (as above)

    return httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=None)


def timeout_from(value: float | httpx.Timeout | None) -> httpx.Timeout:
    """
    Convert the `timeout` argument: None is the default, a number applies to each phase.

    The ``pool`` phase of an `httpx.Timeout` is not used: calls wait in the client's own queue, which
    ``with_options(max_wait=)`` limits.
    """
    if value is None:
        return default_timeout()
    import httpx  # noqa: PLC0415 (as above)

    if isinstance(value, httpx.Timeout):
        return httpx.Timeout(connect=value.connect, read=value.read, write=value.write, pool=None)
    if not is_number(value) or not 0 < value < math.inf:
        raise InputError(f"expected seconds above 0 or an httpx.Timeout, got {value!r}", path="timeout")
    return httpx.Timeout(value, pool=None)


def base_url_from(value: object) -> str:
    """
    Check the `base_url` argument, and remove its trailing slash.

    Raises:
        InputError: It is not an http(s) URL with a host, or it contains a username, a query or a fragment.
    """
    import httpx  # noqa: PLC0415 (as above)

    if isinstance(value, str) and "@" in value:
        value = Masked(value)
    try:
        url = httpx.URL(str(value)) if isinstance(value, str) else None
        host = url.host if url is not None else ""
    except Exception:  # noqa: BLE001 (parsers of URLs and host names may raise undocumented exceptions)
        url, host = None, ""
    if url is not None and url.userinfo:
        raise InputError("must not contain a username or a password", path="base_url")
    if url is None or url.scheme not in {"http", "https"} or not host:
        displayed = "a value with an '@'" if "@" in str(value) else repr(value)  # it may contain a password
        raise InputError(f'expected a URL such as "https://api.segments.ai", got {displayed}', path="base_url")
    if url.port is not None and not 0 < url.port < 2**16:
        raise InputError(f"expected a port from 1 to 65535, got {url.port}", path="base_url")
    if url.query or url.fragment:
        raise InputError(f"must not contain a query or a fragment, got {value!r}", path="base_url")
    return str(url.copy_with(query=None, fragment=None)).rstrip("/")


class Masked(str):
    """A string whose repr does not show it: tracebacks with local variables show reprs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def masked(value: str | None) -> str | None:
    """Hide *value* in reprs, if it is a string."""
    return Masked(value) if isinstance(value, str) else value


def api_key_from(api_key: str | None) -> str:
    """
    Return the `api_key` argument, or the key from the environment.

    Raises:
        AuthenticationError: There is no key, or it cannot be an API key.
    """
    api_key = masked(api_key)
    key = masked(os.environ.get("SEGMENTS_API_KEY")) if api_key is None else api_key
    if not isinstance(key, str) or not key.strip():
        raise AuthenticationError(
            detail="no API key: pass api_key, or set SEGMENTS_API_KEY to one from https://segments.ai/account"
        )
    key = Masked(key.strip())  # a key read from a file ends with a line break
    if not key.isascii() or not key.isprintable() or " " in key:
        # The message must not contain the key, even if it is wrong.
        raise AuthenticationError(detail="the API key contains invalid characters; check api_key or SEGMENTS_API_KEY")
    return key
