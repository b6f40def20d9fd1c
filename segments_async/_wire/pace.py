"""
How fast a service lets calls through: what the gate learns from refusals. Time is an argument; nothing here waits.

HTTP names waits in whole seconds (RFC 9110, 10.2.3), and that makes a refusal dear: what the service would have let
through in most of the second is lost. So once refusals show a limit by rate, calls are spaced, a little below it.

The figures below were chosen by simulating services of many rates, bursts and latencies, as in tests/wire/test_pace.py.
"""

from __future__ import annotations

import math
from collections import deque

from attrs import Factory, define

MIN_LESSON_SECONDS, MAX_LESSON_SECONDS = 0.5, 2.0
"""Seconds. Less costs little and is exact; in more, what is lost by rounding is little."""
ENOUGH_EVIDENCE = 4.0
"""So many refusals beyond what chance would bring show a limit by rate."""
CHANCE_FACTOR = 5.0
"""A service that fails at random hardly ever refuses so many times as often after a refusal as it did before."""
MIN_CREDIBLE_SHARE = 0.5
"""A rate that fell to so much of the one first measured was none: what it followed was chance."""
MEMORY_SECONDS = 60.0
"""Seconds after which nothing of a refusal is remembered."""

PROBE = 4.0
PROBE_SECONDS = 0.4
"""The first pace is `PROBE` times the guess, and ``(t / PROBE_SECONDS) ** 3`` times the guess more after t seconds."""
HEADROOM = 0.02
GROWTH = 0.01
PLATEAU_SECONDS = 12.0
"""Seconds until the plateau at ``1 - HEADROOM`` of the measured rate, before which and after which the pace grows."""
MIN_KEPT_SHARE, MAX_KEPT_SHARE = 0.85, 0.97
"""What stays of a pace that was refused although nothing better was measured."""
MAX_GROWTH = 1.5
"""The rate is so many times the first measurement at most."""
RAMP_SECONDS = 2.0
"""Seconds in which the pace grows to the most that the first measurement may mean."""
MIN_RATE = 4.0
"""Calls a second that always may go, so that none waits longer than a quarter of a second for the spacing."""

CATCH_UP_SECONDS = 0.01
"""Seconds that a late timer may make up for."""
MIN_MEASURED_SECONDS = 0.1
"""Seconds that a measurement takes at least."""
MAX_ANSWERS = 1000
"""Calls that a measurement looks at."""


@define(eq=False)
class Round:
    """The calls that went between two waits, and when they were answered."""

    start: float
    """When the first went."""
    first: float = math.inf
    """When the first good answer came."""
    last: float = -math.inf
    """When the last good answer came."""
    went: float = -math.inf
    """When the call went that this was the answer to."""
    good: int = 0
    refused: int = 0
    good_before: int = 0
    """Good answers that came before the first refusal."""
    wait: float = 0.0
    """Seconds; the longest that the service named."""
    answers: deque[float] = Factory(lambda: deque(maxlen=MAX_ANSWERS))
    """When good answers came to calls that were spaced."""

    @property
    def seconds(self) -> tuple[float, float]:
        """What those with a good answer took at least, and at most: to go, and to be answered."""
        going, answers = self.went - self.start, self.last - self.first
        return max(0.0, min(going, answers)), max(going, answers)

    @property
    def excess(self) -> float:
        """How many more calls were refused, of those on their way at the first refusal, than chance would bring."""
        return self.refused - 1 - (self.good - self.good_before) * min(1.0, CHANCE_FACTOR / max(1, self.good_before))


class Pace:
    """
    Space calls by what refusals tell; until they show a limit by rate, and a minute after the last, not at all.

    Whatever rate r a service allows and burst b it saves up, it lets at most ``b + r * t`` calls through in any time t.
    The good answers of the first round, n in a time T, tell ``b + r * T``. So any later span of k in a time t shows
    that ``r >= (k - n) / (t - T)``, and the calls from the end of one round to the end of the next that r is at least
    their number by that time; the best of these is what r is taken for. As a span shows something only if its calls
    come faster than r, the first pace is a probe, from `PROBE` times the guess ``n / max(T, wait)`` ever faster, until
    it is refused. From then on, after CUBIC (RFC 9438), t seconds after the wait::

        pace = r * (1 - HEADROOM + GROWTH * ((t - PLATEAU_SECONDS) / PLATEAU_SECONDS) ** 3)

    Connections that are being opened blur T; so the first measurement has a least and a most, and the pace begins at
    the least. A round is judged when the next one begins, as its answers are there by then.
    """

    def __init__(self) -> None:
        self._round: Round | None = None
        self._closed_to_lessons_until = -math.inf
        self._forget()

    def _forget(self) -> None:
        self.due: float = -math.inf
        """When the next call may go."""
        self._spacing = 0.0
        self._evidence = 0.0
        self._burst: Round | None = None
        """The first round; there is a pace from then on."""
        self._rate = 0.0
        self._doubt = 0.0
        self._first_rate: float | None = None
        """None while it is a guess."""
        self._last_end = -math.inf

    def rate(self, now: float) -> float:
        """Calls a second that may go now; infinite if they are not spaced."""
        if self._burst is None or self._round is None:
            return math.inf
        seconds = now - self._round.start
        if self._first_rate is None:
            share = PROBE + (seconds / PROBE_SECONDS) ** 3
        else:
            share = 1 - HEADROOM + GROWTH * ((seconds - PLATEAU_SECONDS) / PLATEAU_SECONDS) ** 3
        return max(MIN_RATE, (self._rate + self._doubt * min(1.0, seconds / RAMP_SECONDS)) * share)

    def admitted(self, now: float) -> Round:
        """Note that a call goes, and when the next is due; the first after a wait tells how the last round went."""
        if self._round is None:
            self._round = Round(now)
        elif self._round.refused:
            self._learn(self._round, now)
            self._round = Round(now)
        elif self._burst is not None and now - self._round.start > MEMORY_SECONDS:
            self._forget()
        if self._burst is not None:
            self._spacing = 1 / self.rate(now)
            self.due = max(self.due, now - CATCH_UP_SECONDS) + self._spacing
        return self._round

    def withdrawn(self) -> None:
        """Give the turn of a call that never went to the next."""
        self.due -= self._spacing

    def succeeded(self, of: Round, now: float, went: float) -> None:
        """Note a good answer to a call of a round, and when that call went."""
        if not of.good:
            of.first = now
        of.good += 1
        of.last, of.went = now, went
        if self._burst is not None:
            of.answers.append(now)

    def refused(self, of: Round, wait: float) -> None:
        """Note that a call of a round was refused, and the *wait* in seconds that the service named."""
        if not of.refused:
            of.good_before = of.good
        of.refused += 1
        of.wait = max(of.wait, wait)

    def _learn(self, last: Round, now: float) -> None:
        """Judge a round that is over."""
        if not MIN_LESSON_SECONDS <= last.wait <= MAX_LESSON_SECONDS or now < self._closed_to_lessons_until:
            self._forget()
            return
        self.due = -math.inf
        if not last.good:
            return
        self._evidence = min(ENOUGH_EVIDENCE, max(0.0, self._evidence + last.excess))
        if self._burst is not None:
            self._measure(last, self._burst, now)
        elif self._evidence >= ENOUGH_EVIDENCE:
            self._burst, self._rate = last, last.good / max(last.last - last.start, last.wait)
        self._last_end = last.last

    def _measure(self, last: Round, burst: Round, now: float) -> None:
        """Take the best of what the round shows that the rate is at least, or a bit less than the pace."""
        pace = self.rate(last.last)
        whole = last.good / max(MIN_MEASURED_SECONDS, last.last - self._last_end)
        without_burst = pace - burst.good / max(MIN_MEASURED_SECONDS, last.last - last.start)
        less = min(self._rate, MAX_KEPT_SHARE * pace, max(MIN_KEPT_SHARE * pace, without_burst))
        shortest, longest = burst.seconds
        self._rate = min(pace, max(whole, _rate_of_spans(last, burst.good, shortest), less))
        self._doubt = 0.0
        if self._first_rate is None:
            most = min(pace, _rate_of_spans(last, burst.good, longest), MAX_GROWTH * self._rate)
            self._first_rate, self._doubt = self._rate, max(0.0, most - self._rate)
        elif self._rate < MIN_CREDIBLE_SHARE * self._first_rate:
            self._forget()
            self._closed_to_lessons_until = now + MEMORY_SECONDS


def _rate_of_spans(last: Round, burst: int, seconds: float) -> float:
    spans = ((last.last - at - seconds, calls) for calls, at in enumerate(reversed(last.answers), 1))
    return max(((calls - burst) / time for time, calls in spans if time >= MIN_MEASURED_SECONDS), default=0.0)
