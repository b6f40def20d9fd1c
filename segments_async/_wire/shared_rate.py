"""
Share one rate limit between processes: how many calls each may send, and when. Time is an argument; nothing waits.

The rate is either fixed, or measured by one process at a time. That process alone sends while it measures, because only
then does it see every answer. The script of `RedisLimiter` follows the same rules; a test compares the two.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from attrs import define

from segments_async._validators import is_number
from segments_async._wire.pace import (
    EXPIRY_SECONDS,
    MAX_USABLE_WAIT,
    MIN_KEPT_SHARE,
    MIN_RATE,
    MIN_USABLE_WAIT,
    growth_after,
)
from segments_async._wire.retry import RETRY_AFTER_JITTER
from segments_async.errors import InputError

LEASE_SECONDS = 0.1
"""Turns that a process gets at once are spread over at most this many seconds."""
CATCH_UP_SECONDS = 0.05
"""Turns that were not taken in time are given to the next process that asks, if they are not older than this."""
MEASURE_SECONDS = 4.0
"""Seconds without a refusal after which a process stops measuring, since it alone does not reach the limit."""
MAX_MEASURE_SECONDS = 15.0
"""Maximum seconds for which one process alone sends."""
SILENT_SECONDS = 1.0
"""Seconds after which a process that measures, but asks no more, has ended or died; then another one measures."""
ASK_AGAIN_SECONDS = 0.1
"""Seconds after which a process asks again while another one measures."""
KEPT_SHARE = 0.98
"""
The share of a rate that is kept after a refusal. Refusals may be random, so `MIN_KEPT_SHARE` of what was measured is
kept in any case; once that is a minute old, it is measured again instead.
"""
MIN_SECONDS_BETWEEN_CUTS = 0.5
"""Refusals that follow within this time come from the same excess."""
MAX_WAIT_TO_MEASURE = MAX_USABLE_WAIT * (1 + RETRY_AFTER_JITTER)
"""A refusal with a longer wait does not start a measurement."""
MAX_STEP_BACK_SECONDS = 1.0
"""If the clock is set back by more, all times move with it: otherwise calls would wait for that long."""
MIN_FIXED_RATE, MAX_FIXED_RATE = 1e-6, 1e9
"""Bounds of a fixed rate, in calls per second; beyond them, times lose their precision."""

_TIMES = (
    "learned_at",
    "measured_at",
    "refused_at",
    "due",
    "held_until",
    "owner_at",
    "measuring_from",
    "measuring_until",
    "free_until",
)


def check_fixed_rate(rate: object) -> None:
    """Raise InputError if *rate* is neither None nor calls per second that a limiter can keep."""
    if rate is not None and not (is_number(rate) and MIN_FIXED_RATE <= rate < MAX_FIXED_RATE):
        raise InputError(f"expected calls per second from 0.000001, below 1e9, got {rate!r}", path="rate")


class Turns(NamedTuple):
    """
    An answer of a shared limiter: how many calls a process may send, and when.

    Example:
        >>> Turns(10, wait=0.25, spacing=0.01).measure
        False
    """

    calls: int
    """Number of calls; 0 means to ask again after `wait`."""
    wait: float = 0.0
    """Seconds until the first call."""
    spacing: float = 0.0
    """Seconds between two calls; 0 means that they are not spaced."""
    measure: bool = False
    """Whether no other process sends, so that this one can measure the rate limit."""


@define
class SharedRate:
    """
    The state of one key, shared by all processes; `owner` names a process in the calls below.

    Args:
        fixed: The calls per second that the service allows; None to measure them.
    """

    fixed: float | None = None
    learnt: float = 0.0
    """The rate that a process measured."""
    learned_at: float = -math.inf
    measured: float | None = None
    """The same, or what was left of it after the last cut; it grows from there."""
    measured_at: float = -math.inf
    refused_at: float = -math.inf
    """When the rate was last cut."""
    due: float = -math.inf
    """The time of the next free turn."""
    held_until: float = -math.inf
    """The end of the longest wait that the service asked for."""
    owner: str = ""
    """The process that measures; empty until the first one asks."""
    owner_at: float = -math.inf
    """When it asked last."""
    measuring_from: float = -math.inf
    measuring_until: float = -math.inf
    free_until: float = -math.inf
    """No measurement starts before this time, because the last one failed."""
    changed_at: float = -math.inf
    """When the state was last changed."""

    def rate(self, now: float) -> float | None:
        """Return the calls per second of all processes; None if they are not limited."""
        if self.fixed is not None or self.measured is None:
            return self.fixed
        if now - self.refused_at > EXPIRY_SECONDS:
            return None
        return max(MIN_RATE, self.measured * growth_after(max(0.0, now - self.measured_at)))

    def reserve(self, now: float, owner: str, most: int) -> Turns:
        """Give *owner* up to *most* turns; with 0, only return whether calls must wait now."""
        self._follow_clock(now)
        if now < self.held_until:
            return Turns(0, self.held_until - now)
        rate = self.rate(now)
        if rate is None:
            return self._unspaced(now, owner, most)
        if not most:
            return Turns(0)
        count = min(most, max(1, int(rate * LEASE_SECONDS)))
        first = max(self.due, now - CATCH_UP_SECONDS, self.held_until)
        self.due = first + count / rate
        self.changed_at = now
        return Turns(count, max(0.0, first - now), 1 / rate)

    def _unspaced(self, now: float, owner: str, most: int) -> Turns:
        if now >= self.measuring_until:
            return Turns(most)
        self.changed_at = now
        if not self.owner or now > max(self.owner_at, self.held_until) + SILENT_SECONDS:
            self.owner = owner
        if owner != self.owner:
            return Turns(0, min(ASK_AGAIN_SECONDS, self.measuring_until - now))
        self.owner_at = now
        return Turns(most, measure=True)

    def give_back(self, now: float, count: int) -> None:
        """Take back turns that were not used."""
        self._follow_clock(now)
        rate = self.rate(now)
        if rate is not None:
            self.due -= count / rate
            self.changed_at = now

    def refused(self, now: float, seconds: float) -> None:
        """Record that the service refused a call and asked to wait for *seconds*."""
        self._follow_clock(now)
        self.changed_at = now
        held = now < self.held_until
        self.held_until = max(self.held_until, now + seconds)
        if self.fixed is not None:
            return
        may_measure = now >= self.free_until and MIN_USABLE_WAIT <= seconds <= MAX_WAIT_TO_MEASURE
        rate = self.rate(now)
        if rate is not None and not (may_measure and self._is_outdated(now, rate)):
            self._cut(now, rate, held=held)
        elif now < self.measuring_until:
            self.measuring_until = min(self.held_until + MEASURE_SECONDS, self.measuring_from + MAX_MEASURE_SECONDS)
            self.free_until = self.measuring_until + EXPIRY_SECONDS
        elif may_measure:
            self.owner, self.owner_at, self.measured, self.measuring_from = "", -math.inf, None, now
            self.measuring_until = self.held_until + MEASURE_SECONDS
            self.free_until = self.measuring_until + EXPIRY_SECONDS

    def _is_outdated(self, now: float, rate: float) -> bool:
        """Return whether cuts have made the rate so low that the limit must have changed, or was measured wrongly."""
        return KEPT_SHARE * rate < MIN_KEPT_SHARE * self.learnt and now - self.learned_at > EXPIRY_SECONDS

    def _cut(self, now: float, rate: float, *, held: bool) -> None:
        if not held and now - self.refused_at >= MIN_SECONDS_BETWEEN_CUTS:
            self.measured = max(KEPT_SHARE * rate, MIN_KEPT_SHARE * self.learnt)
            self.measured_at = self.held_until
        self.refused_at = now

    def learned(self, now: float, owner: str, rate: float) -> None:
        """Record the rate that *owner* measured; ignored if it was not asked to."""
        self._follow_clock(now)
        if self.fixed is None and owner == self.owner and now < self.measuring_until:
            self.learnt = self.measured = rate
            self.learned_at = self.measured_at = self.refused_at = now
            self.due = self.measuring_until = -math.inf
            self.changed_at = now

    def _follow_clock(self, now: float) -> None:
        """Move all times if the clock was set back, such as by a server that took over from another one."""
        seconds = self.changed_at - now
        if seconds > MAX_STEP_BACK_SECONDS:
            for name in _TIMES:
                setattr(self, name, getattr(self, name) - seconds)
            self.changed_at = now
