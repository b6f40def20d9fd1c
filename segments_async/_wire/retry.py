"""When a failed request is sent again, and after how long. Time and chance are arguments."""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from attrs import define, frozen

from segments_async.errors import ApiError, RateLimitError, SegmentsError, ServerError, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.settings import RetryPolicy

RETRY_AFTER_JITTER = 0.05
"""A wait that the service named is stretched by up to this share, so that clients do not return in one instant."""

_TRANSIENT = frozenset({500, 502, 503, 504})
_REQUEST_TIMEOUT = 408
_DRF_WAIT = re.compile(r"available in (\d+) seconds?", re.IGNORECASE)


def parse_retry_after(headers: Mapping[str, str], *, now: float, detail: str = "") -> float | None:
    """
    Read how many seconds the service asks to wait; None if it did not say (RFC 9110, 10.2.3).

    A date counts from the reply's own ``Date``, so that a wrong local clock does no harm; *now* (seconds since 1970)
    stands in where there is none. Without the header, the words of Django REST Framework in *detail* are read
    (`api.md`). What makes no sense (negative, not a number) counts as not said; a date in the past is 0.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        match = _DRF_WAIT.search(detail)
        return float(match[1]) if match else None
    try:
        seconds = float(value)
    except ValueError:
        until = _http_date(value)
        if until is None:
            return None
        sent = _http_date(headers.get("date", ""))
        return max(0.0, until - (now if sent is None else sent))
    return seconds if 0 <= seconds < math.inf else None


def _http_date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def is_throttled(error: BaseException) -> bool:
    """Whether the service refused the request before any work was done (429, or a 503 that names a wait)."""
    return isinstance(error, RateLimitError) or (
        isinstance(error, ApiError) and error.status == 503 and error.retry_after is not None  # noqa: PLR2004
    )


def is_ambiguous(error: BaseException) -> bool:
    """Whether the request may have been carried out although it failed."""
    if isinstance(error, ServerError):
        return not is_throttled(error)
    return isinstance(error, TransportError) and error.sent


def is_retryable(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ApiError):
        return is_throttled(error) or error.status in _TRANSIENT or error.status == _REQUEST_TIMEOUT
    return isinstance(error, TransportError)


def backoff(policy: RetryPolicy, failures: int, jitter: float) -> float:
    """Seconds to wait after *failures* failures (from 1): ``jitter * min(cap, base * 2 ** (failures - 1))``."""
    # A power beyond the cap is not computed: 2.0 ** 1100 overflows.
    return jitter * min(policy.cap, policy.base * 2.0 ** min(failures - 1, 60))


@frozen
class RetryDecision:
    """What to do after a failed attempt."""

    wait: float | None
    """Seconds to wait before the next attempt; None gives up."""
    jump_queue: bool = False
    """Whether the next attempt goes ahead of the other calls at the gate, as the service refused this one."""
    at_gate: bool = False
    """Whether the service named the wait, which the gate then keeps for all calls."""
    charge_budget: bool = True
    """Whether another attempt is the client's own decision; after a refusal it is the service's."""


@define
class RetryState:
    """
    The attempts of one call so far.

    Args:
        policy: The waits and their bounds.
        max_attempts: How often the request is sent at most: `attempts` or `bulk_attempts` of the policy.
        may_repeat: Whether the endpoint may be sent again after an ambiguous failure.
    """

    policy: RetryPolicy
    max_attempts: int
    may_repeat: bool
    failures: int = 0
    """Attempts that failed, and count."""
    throttles: int = 0
    """Attempts that the service refused as too many, which do not count."""
    maybe_applied: bool = False
    """Whether a failed attempt may have been carried out."""

    @property
    def attempts(self) -> int:
        """Attempts that ended without a good answer."""
        return self.failures + self.throttles

    def wait_after(self, error: SegmentsError, *, elapsed: float, jitter: float) -> RetryDecision:
        """
        Count a failed attempt, and decide whether and when the next one is made.

        Args:
            error: What went wrong.
            elapsed: Seconds since the first attempt started.
            jitter: A random number from 0 to below 1.
        """
        throttled = is_throttled(error)
        self.maybe_applied = self.maybe_applied or is_ambiguous(error)
        if throttled:
            self.throttles += 1
        else:
            self.failures += 1
        named = getattr(error, "retry_after", None) if throttled else None
        return RetryDecision(
            self._wait(error, named, elapsed=elapsed, jitter=jitter),
            jump_queue=throttled,
            at_gate=bool(named),
            charge_budget=not throttled,
        )

    def _wait(self, error: SegmentsError, named: float | None, *, elapsed: float, jitter: float) -> float | None:
        if self.max_attempts == 1 or not is_retryable(error):
            return None
        if is_throttled(error):
            wait = named * (1 + RETRY_AFTER_JITTER * jitter) if named else backoff(self.policy, self.throttles, jitter)
        elif self.failures < self.max_attempts and (self.may_repeat or not is_ambiguous(error)):
            wait = backoff(self.policy, self.failures, jitter)
        else:
            return None
        return wait if elapsed + wait <= self.policy.total else None
