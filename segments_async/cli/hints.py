"""What to do about an error, in one line."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from segments_async._wire.proxies import no_proxy_in, proxies_in
from segments_async._wire.replies import DEFAULT_PORTS
from segments_async.cli import keys
from segments_async.cli.statuses import CommandError
from segments_async.errors import (
    AuthenticationError,
    AuthorizationError,
    ConnectError,
    OutcomeUnknownError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)

_HINTS: tuple[tuple[type[Exception], str], ...] = (
    (AuthorizationError, "the key is valid, but its user may not do this; see `segments-async whoami`"),
    (RateLimitError, "try again later, or with a smaller --concurrency"),
    (OutcomeUnknownError, "look whether it was done before you do it again"),
    (RequestTimeoutError, "try again later"),
    (ServerError, "try again later"),
)


def hint_for(error: Exception) -> str:
    """Return the hint for *error*; empty if there is none."""
    if isinstance(error, CommandError):
        return error.hint
    if isinstance(error, AuthenticationError):
        key = keys.find_key()
        return f"the key of {key.place} was refused; `segments-async login` keeps another" if key else ""
    if isinstance(error, ConnectError) and (variable := _proxy_variable(error.url or "")):
        return f"does the proxy of {variable} work? NO_PROXY names the hosts that need none"
    if isinstance(error, ConnectError) and (error.url or "").startswith(keys.base_url()):
        return f"is {keys.base_url()} the right address? It is SEGMENTS_API_URL, or the service's own"
    return next((hint for cls, hint in _HINTS if isinstance(error, cls)), "")


def _proxy_variable(url: str) -> str:
    """Return the environment variable with the proxy that is used for *url*; empty if there is none."""
    parts = urlsplit(url)
    if no_proxy_in(os.environ).covers(parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)):
        return ""
    proxies = proxies_in(os.environ)
    return next((f"{name.upper()}_PROXY" for name in (parts.scheme, "all") if name in proxies), "")
