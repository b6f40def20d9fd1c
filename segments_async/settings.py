"""Settings: small frozen values with safe defaults. All times are seconds."""

from __future__ import annotations

import math
import os
import random
import time
from typing import TYPE_CHECKING

import anyio
import httpx
from attrs import field, frozen

from segments_async._validators import count, is_number, number
from segments_async.errors import AuthenticationError, InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEFAULT_BASE_URL = "https://api.segments.ai"

DEFAULT_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=None)
"""Waiting for a free connection is not limited: every call ahead in the queue is."""


@frozen
class RetryPolicy:
    """
    Say how often and how patiently a failed request is sent again.

    Before attempt *n* + 1 the client waits ``random() * min(cap, base * 2 ** (n - 1))`` seconds (full jitter).
    Where the service names a wait (``Retry-After``), at least that is waited instead, and the refused attempt does
    not count. What may be sent again at all is decided by the endpoint, not here.

    Example:
        >>> RetryPolicy(attempts=1)  # never send anything twice
        RetryPolicy(attempts=1, bulk_attempts=8, base=0.25, cap=20.0, total=60.0)
    """

    attempts: int = field(default=3, validator=count())
    """How often a single call is sent at most; 1 turns repeating off."""
    bulk_attempts: int = field(default=8, validator=count())
    """How often an item of a bulk run is sent at most; 1 turns repeating off."""
    base: float = field(default=0.25, validator=number(0))
    """Upper bound of the first wait, in seconds."""
    cap: float = field(default=20.0, validator=number(0))
    """Upper bound of every wait that the service did not name, in seconds."""
    total: float = field(default=60.0, validator=number(0))
    """No attempt starts later than this after the first one, in seconds."""


@frozen
class Clock:
    """
    Say where time and chance come from; tests give their own, so that nothing sleeps.

    Example:
        >>> Clock(random=lambda: 0.0).random()
        0.0
    """

    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some start; only differences mean something."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """Wait for so many seconds."""
    time: Callable[[], float] = time.time
    """Seconds since 1970; used only where the service names a date without saying what time it has."""
    random: Callable[[], float] = random.random
    """A number from 0 to below 1, for jitter."""


def timeout_from(value: float | httpx.Timeout | None) -> httpx.Timeout:
    """
    Read the `timeout` argument: None is the default, a number bounds each phase.

    The ``pool`` phase of an `httpx.Timeout` is not used: calls wait for their turn at the gate, which
    ``with_options(max_wait=)`` bounds.
    """
    if value is None:
        return DEFAULT_TIMEOUT
    if isinstance(value, httpx.Timeout):
        return httpx.Timeout(connect=value.connect, read=value.read, write=value.write, pool=None)
    if not is_number(value) or not 0 < value < math.inf:
        raise InputError(f"expected seconds above 0 or an httpx.Timeout, got {value!r}", path="timeout")
    return httpx.Timeout(value, pool=None)


def base_url_from(value: object) -> str:
    """
    Read the `base_url` argument; the trailing slash goes.

    Raises:
        InputError: It is no http(s) URL with a host, or has a user, a query or a fragment.
    """
    try:
        url = httpx.URL(value) if isinstance(value, str) else None
    except httpx.InvalidURL:
        url = None
    if url is not None and url.userinfo:
        raise InputError("must not hold a user or a password", path="base_url")
    if url is None or url.scheme not in {"http", "https"} or not url.host:
        shown = "something with an '@'" if "@" in str(value) else repr(value)  # which may be a password
        raise InputError(f'expected a URL such as "https://api.segments.ai", got {shown}', path="base_url")
    if url.query or url.fragment:
        raise InputError(f"must not hold a query or a fragment: {value!r}", path="base_url")
    return str(url.copy_with(query=None, fragment=None)).rstrip("/")


def api_key_from(api_key: str | None) -> str:
    """
    Read the `api_key` argument, else the environment.

    Raises:
        AuthenticationError: There is none, or it cannot be one.
    """
    key = os.environ.get("SEGMENTS_API_KEY") if api_key is None else api_key
    if not isinstance(key, str) or not key.strip():
        raise AuthenticationError(
            detail="no API key: pass api_key, or set SEGMENTS_API_KEY to one from https://segments.ai/account"
        )
    key = key.strip()  # a key read from a file ends with a line break
    if not key.isascii() or not key.isprintable() or " " in key:
        # The key itself is not shown, not even a wrong one.
        raise AuthenticationError(
            detail="the API key holds characters that no key has; look at api_key, or SEGMENTS_API_KEY"
        )
    return key
