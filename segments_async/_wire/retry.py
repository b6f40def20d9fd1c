"""Decide whether and when a failed request is retried. Time and randomness are arguments."""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from attrs import define, frozen

from segments_async.errors import (
    ApiError,
    OutOfResourcesError,
    RateLimitError,
    SegmentsError,
    ServerError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.settings import RetryPolicy

RETRY_AFTER_JITTER = 0.05
"""Maximum share added to a ``Retry-After``, so that clients do not retry all at once."""

_TRANSIENT = frozenset({500, 502, 503, 504})
_REQUEST_TIMEOUT = 408
_S3_TIMEOUT = "RequestTimeout: "
"""How S3's 400 begins when a body arrived too slowly; its own clients repeat it (S3's "List of error codes")."""
_DRF_WAIT = re.compile(r"available in ([0-9]{1,12}) seconds?", re.IGNORECASE)


def parse_retry_after(headers: Mapping[str, str], *, now: float, detail: str = "") -> float | None:
    """
    Return the seconds that the service asks to wait (RFC 9110, 10.2.3); None if it did not say.

    A date counts from the response's own ``Date``, so that a wrong local clock does not matter; without one it counts
    from *now* (seconds since 1970). Without a ``Retry-After`` header, the wait is read from the message of Django REST
    Framework in *detail* (``docs/service.md``, "Throttling"). An invalid value (negative, infinite, not a number) is
    ignored; a date in the past is 0.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        match = _DRF_WAIT.search(detail)
        return float(match[1]) if match else None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, headers, now)
    return seconds if 0 <= seconds < math.inf else None


def _seconds_until(value: str, headers: Mapping[str, str], now: float) -> float | None:
    until = _http_date(value)
    if until is None:
        return None
    sent = _http_date(headers.get("date", ""))
    return max(0.0, until - (now if sent is None else sent))


def _http_date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except Exception:  # noqa: BLE001 (the standard library's parser may raise undocumented exceptions)
        return None


def is_throttled(error: BaseException) -> bool:
    """Return whether the service refused the request before doing any work (429, or 503 with ``Retry-After``)."""
    return isinstance(error, RateLimitError) or (
        isinstance(error, ApiError) and error.status == 503 and error.retry_after is not None  # noqa: PLR2004
    )


def is_ambiguous(error: BaseException) -> bool:
    """Return whether the request may have been carried out although it failed."""
    if isinstance(error, ServerError):
        return not is_throttled(error)
    return isinstance(error, TransportError) and error.sent


def is_retryable(error: BaseException) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, ApiError):
        is_timeout = error.status == _REQUEST_TIMEOUT or (
            error.status == 400 and error.detail.startswith(_S3_TIMEOUT)  # noqa: PLR2004
        )
        return is_throttled(error) or error.status in _TRANSIENT or is_timeout
    return isinstance(error, OutOfResourcesError) or (isinstance(error, TransportError) and error.retryable)


def backoff(policy: RetryPolicy, failures: int, jitter: float) -> float:
    """Return the seconds to wait after *failures* failures: ``jitter * min(cap, base * 2 ** (failures - 1))``."""
    # The exponent is bounded because 2.0 ** 1100 overflows.
    return jitter * min(policy.cap, policy.base * 2.0 ** min(failures - 1, 60))


@frozen
class RetryDecision:
    """The next step after a failed attempt."""

    wait: float | None
    """Seconds to wait before the next attempt; None makes no further attempt."""
    jump_queue: bool = False
    """Whether the next attempt goes to the head of the gate's queue, because this one was throttled."""
    at_gate: bool = False
    """Whether the gate applies the wait, for all calls, because the service asked for it."""
    charge_budget: bool = True
    """Whether the retry depends on the retry budget; False after throttling."""


@define
class RetryState:
    """
    Track the attempts of one call.

    Args:
        policy: The waits and their bounds.
        max_attempts: Maximum number of attempts: `attempts` or `bulk_attempts` of the policy.
        may_repeat: Whether the request may be repeated after an ambiguous failure.
    """

    policy: RetryPolicy
    max_attempts: int
    may_repeat: bool
    failures: int = 0
    """Failed attempts; they count against `max_attempts`."""
    throttles: int = 0
    """Throttled attempts; they do not count."""
    maybe_applied: bool = False
    """Whether a failed attempt may have been carried out."""

    @property
    def attempts(self) -> int:
        """Number of attempts that did not succeed."""
        return self.failures + self.throttles

    def wait_after(self, error: SegmentsError, *, elapsed: float, jitter: float) -> RetryDecision:
        """
        Record a failed attempt, and decide whether and when to retry.

        Args:
            error: The failure.
            elapsed: Seconds since the first attempt started.
            jitter: A random number from 0 to below 1.
        """
        throttled = is_throttled(error)
        self.maybe_applied = self.maybe_applied or is_ambiguous(error)
        if throttled:
            self.throttles += 1
        else:
            self.failures += 1
        retry_after = getattr(error, "retry_after", None) if throttled else None
        return RetryDecision(
            self._wait(error, retry_after, elapsed=elapsed, jitter=jitter),
            jump_queue=throttled,
            at_gate=bool(retry_after),
            charge_budget=not throttled,
        )

    def _wait(self, error: SegmentsError, retry_after: float | None, *, elapsed: float, jitter: float) -> float | None:
        if self.max_attempts == 1 or not is_retryable(error):
            return None
        if is_throttled(error):
            wait = (
                retry_after * (1 + RETRY_AFTER_JITTER * jitter)
                if retry_after
                else backoff(self.policy, self.throttles, jitter)
            )
        elif self.failures < self.max_attempts and (self.may_repeat or not is_ambiguous(error)):
            wait = backoff(self.policy, self.failures, jitter)
        else:
            return None
        return wait if elapsed + wait <= self.policy.total else None
