"""
Infer a service's rate limit from its 429 responses and space calls to stay just below it.

``Retry-After`` counts whole seconds (RFC 9110, 10.2.3), so every refusal is expensive: most of a second's quota goes
unused. Once refusals show a rate limit, calls are therefore spaced. Time is an argument; nothing here waits.

The constants were chosen by simulating services of many rates, bursts and latencies, as in tests/wire/test_pace.py.
"""

from __future__ import annotations

import math
from collections import deque

from attrs import Factory, define

MIN_USABLE_WAIT, MAX_USABLE_WAIT = 0.5, 2.0
"""Seconds; other waits are not evaluated. A shorter one is cheap and exact; a longer one loses little to rounding."""
MIN_EXCESS_REFUSALS = 4.0
"""Refusals, beyond those that random failures explain, that show a rate limit."""
RANDOM_FAILURE_FACTOR = 5.0
"""How much the share of refusals may rise after the first one and still be explained by random failures."""
MAX_CHANCE = 0.001
"""Rounds so similar that random failures make them less often than this show a rate limit, too."""
MIN_SIMILAR, MAX_SIMILAR = 3, 6
"""Numbers of rounds that are compared."""
MIN_CREDIBLE_SHARE = 0.5
"""A rate that falls below this share of the first measurement is discarded: the refusals were random."""
EXPIRY_SECONDS = 60.0
"""Seconds without a refusal after which calls are no longer spaced."""

PROBE_FACTOR = 4.0
PROBE_SECONDS = 0.4
"""While probing, t seconds after the wait, the pace is ``PROBE_FACTOR + (t / PROBE_SECONDS) ** 3`` times the guess."""
MIN_PROBE_GAIN = 1.25
"""A probe with fewer accepted calls, as a multiple of the first round's, is repeated with half of the factor."""
MIN_PROBE_FACTOR = 2.0
"""Lower bound of the factor."""
HEADROOM = 0.02
GROWTH = 0.01
PLATEAU_SECONDS = 12.0
"""The pace levels off at ``1 - HEADROOM`` of the measured rate, after this many seconds, and then grows again."""
MIN_KEPT_SHARE, MAX_KEPT_SHARE = 0.85, 0.97
"""Bounds of the share of a refused pace that is kept if the round gave no better measurement."""
MAX_GROWTH = 1.5
"""Upper bound of the rate, as a multiple of the first measurement."""
RAMP_SECONDS = 2.0
"""Seconds over which the pace rises from the lower to the upper bound of a measurement."""
MIN_RATE = 4.0
"""Lower bound of the pace in calls per second, so that spacing delays a call by a quarter of a second at most."""

CATCH_UP_SECONDS = 0.01
"""Maximum lateness of a timer that the next calls compensate for."""
MIN_MEASURED_SECONDS = 0.1
"""Minimum duration of a measurement."""
MAX_ANSWERS = 1000
"""Maximum number of responses kept for a measurement."""


def growth_after(seconds: float) -> float:
    """Return the pace, *seconds* after a refusal, as a multiple of the measured rate (CUBIC, RFC 9438)."""
    return 1 - HEADROOM + GROWTH * ((seconds - PLATEAU_SECONDS) / PLATEAU_SECONDS) ** 3


def chance_of_similar(runs: list[int]) -> float:
    """
    Return how likely it is that refusals at random follow runs of calls whose lengths are as similar as *runs*.

    Their lengths are distributed exponentially. The chance that the longest of k is at most ``1 + a`` times the
    shortest is ``(k - 1)! / ((k / a + 1) * ... * (k / a + k - 1))``. Where one call is in flight at a time, each round
    has a single refusal, and this is all that can be known.
    """
    shortest, longest = min(runs), max(runs) + 1  # lengths are rounded down
    if not shortest:
        return 1.0
    ratio = len(runs) * shortest / (longest - shortest)
    return math.prod(number / (ratio + number) for number in range(1, len(runs)))


@define(eq=False)
class Round:
    """The calls that were sent between two waits, and the times of their responses."""

    start: float
    """When the first call was sent."""
    first_answer: float = math.inf
    """When the first successful response arrived."""
    last_answer: float = -math.inf
    """When the last successful response arrived."""
    last_admitted_at: float = -math.inf
    """When the call with the last successful response was sent."""
    good: int = 0
    """Number of successful responses."""
    refused: int = 0
    """Number of refusals."""
    good_before: int = 0
    """Number of successful responses before the first refusal."""
    wait: float = 0.0
    """Seconds; the longest wait that the service asked for."""
    answers: deque[float] = Factory(lambda: deque(maxlen=MAX_ANSWERS))
    """Times of successful responses to calls that were spaced."""

    @property
    def duration_bounds(self) -> tuple[float, float]:
        """The shortest and longest time in which the service may have accepted the successful calls."""
        sending, answering = self.last_admitted_at - self.start, self.last_answer - self.first_answer
        return max(0.0, min(sending, answering)), max(sending, answering)

    @property
    def excess_refusals(self) -> float:
        """Refusals of calls in flight at the first refusal, beyond those that random failures explain."""
        good_after = self.good - self.good_before
        return self.refused - 1 - good_after * min(1.0, RANDOM_FAILURE_FACTOR / max(1, self.good_before))


class Pace:
    """
    Space calls once refusals show a rate limit, until none was refused for a minute.

    A service that allows a rate r and a burst b accepts at most ``b + r * t`` calls in any time t. If the first round
    has n successful responses in a time T, then ``n = b + r * T``. Two lower bounds of r follow: ``(k - n) / (t - T)``
    for any later k calls in a time t, and the number of calls from the end of one round to the end of the next, divided
    by that time. The highest bound is taken as r.

    A measurement is only useful if calls are sent faster than r. So the first pace is a probe: it starts at
    `PROBE_FACTOR` times the guess ``n / max(T, wait)`` and rises until a call is refused. After that the pace follows
    CUBIC (RFC 9438), t seconds after the wait::

        pace = r * (1 - HEADROOM + GROWTH * ((t - PLATEAU_SECONDS) / PLATEAU_SECONDS) ** 3)

    T is imprecise while connections are being opened, so the first measurement has a lower and an upper bound, and the
    pace starts at the lower one. A round is evaluated when the next one starts, when its responses have arrived.
    """

    def __init__(self) -> None:
        self.round: Round | None = None
        """The calls that are being sent; None before the first one."""
        self._ignore_until = -math.inf
        self._reset()

    def _reset(self) -> None:
        self.due: float = -math.inf
        """The earliest time for the next call."""
        self._spacing = 0.0
        self._excess_refusals = 0.0
        self._runs: deque[int] = deque(maxlen=MAX_SIMILAR)
        """How many calls succeeded in each of the last rounds before the first refusal."""
        self._first_round: Round | None = None
        """The round that showed the rate limit; calls are spaced while it is set."""
        self._rate = 0.0
        self._uncertainty = 0.0
        """Difference between the upper and the lower bound of the last measurement."""
        self._first_rate: float | None = None
        """None while the rate is a guess."""
        self._probe_factor = PROBE_FACTOR
        self._last_end = -math.inf
        self._had_single_refusal = False
        """Whether the last round of the probe had one, and one accepted call after it."""

    def rate(self, now: float) -> float:
        """Return the calls per second allowed now; infinite if calls are not spaced."""
        if self._first_round is None or self.round is None:
            return math.inf
        seconds = now - self.round.start
        is_probing = self._first_rate is None
        share = self._probe_factor + (seconds / PROBE_SECONDS) ** 3 if is_probing else growth_after(seconds)
        return max(MIN_RATE, (self._rate + self._uncertainty * min(1.0, seconds / RAMP_SECONDS)) * share)

    def measured(self, now: float) -> float | None:
        """
        Return the measured rate; None until a call was refused while the calls were spaced.

        While the pace still rises from the lower to the upper bound of the first measurement, it is also None.
        """
        if self._first_rate is None or self.round is None:
            return None
        is_rising = self._uncertainty > 0 and now - self.round.start < RAMP_SECONDS
        return None if is_rising else self.rate(now)

    def admitted(self, now: float) -> Round:
        """Record that a call is sent and schedule the next; the first call after a wait starts a new round."""
        if self.round is None:
            self.round = Round(now)
        elif self.round.refused:
            self._evaluate(self.round, now)
            self.round = Round(now)
        elif self._first_round is not None and now - self.round.start > EXPIRY_SECONDS:
            self._reset()
        if self._first_round is not None:
            self._spacing = 1 / self.rate(now)
            self.due = max(self.due, now - CATCH_UP_SECONDS) + self._spacing
        return self.round

    def withdrawn(self) -> None:
        """Pass the turn of a call that was not sent to the next one."""
        self.due -= self._spacing

    def interrupted(self) -> None:
        """Start a new round, because calls wait for the refusal of another process."""
        if self.round is not None and not self.round.refused:
            self.round = None

    def succeeded(self, calls: Round, now: float, admitted_at: float) -> None:
        """Record a successful response to one of *calls*, which was sent at *admitted_at*."""
        if not calls.good:
            calls.first_answer = now
        calls.good += 1
        calls.last_answer, calls.last_admitted_at = now, admitted_at
        if self._first_round is not None:
            calls.answers.append(now)

    def refused(self, calls: Round, wait: float) -> None:
        """Record that one of *calls* was refused, and the *wait* in seconds that the service asked for."""
        if not calls.refused:
            calls.good_before = calls.good
        calls.refused += 1
        calls.wait = max(calls.wait, wait)

    def _evaluate(self, ended: Round, now: float) -> None:
        """Update the rate from a round that ended."""
        if not MIN_USABLE_WAIT <= ended.wait <= MAX_USABLE_WAIT or now < self._ignore_until:
            self._reset()
            return
        self.due = -math.inf
        if not ended.good:
            return
        self._runs.append(ended.good_before)
        self._excess_refusals = min(MIN_EXCESS_REFUSALS, max(0.0, self._excess_refusals + ended.excess_refusals))
        if self._first_round is not None and self._first_rate is None and self._is_random(ended):
            return
        if self._first_round is not None and self._has_too_few(ended, self._first_round):
            self._probe_factor /= 2
        elif self._first_round is not None:
            self._measure(ended, self._first_round, now)
        elif self._excess_refusals >= MIN_EXCESS_REFUSALS or self._is_regular:
            self._first_round, self._rate = ended, ended.good / max(ended.last_answer - ended.start, ended.wait)
        self._last_end = ended.last_answer

    @property
    def _is_regular(self) -> bool:
        """Whether about as many calls succeeded in each of the last rounds, unlike with refusals at random."""
        runs = list(self._runs)
        return any(chance_of_similar(runs[-count:]) <= MAX_CHANCE for count in range(MIN_SIMILAR, len(runs) + 1))

    def _is_random(self, ended: Round) -> bool:
        """Whether the only refusal of a probe does not show the limit, which the probe soon exceeds by far."""
        good_after = ended.good - ended.good_before
        is_single = ended.refused == 1 and good_after == 1
        is_first = is_single and not self._had_single_refusal
        self._had_single_refusal = is_single
        return is_first or (ended.refused == 1 and good_after > 1)

    def _has_too_few(self, ended: Round, first_round: Round) -> bool:
        """Whether a probe has hardly more calls than the first round, so that both show little but the burst."""
        if self._first_rate is not None or self._probe_factor <= MIN_PROBE_FACTOR:
            return False
        return ended.good < MIN_PROBE_GAIN * first_round.good

    def _measure(self, ended: Round, first_round: Round, now: float) -> None:
        """Set the rate to the highest lower bound that the round shows, or to slightly less than the pace."""
        pace = self.rate(ended.last_answer)
        whole_round = ended.good / max(MIN_MEASURED_SECONDS, ended.last_answer - self._last_end)
        without_burst = pace - first_round.good / max(MIN_MEASURED_SECONDS, ended.last_answer - ended.start)
        fallback = min(self._rate, MAX_KEPT_SHARE * pace, max(MIN_KEPT_SHARE * pace, without_burst))
        shortest, longest = first_round.duration_bounds
        self._rate = min(pace, max(whole_round, _rate_of_spans(ended, first_round.good, shortest), fallback))
        self._uncertainty = 0.0
        if self._first_rate is None:
            most = min(pace, _rate_of_spans(ended, first_round.good, longest), MAX_GROWTH * self._rate)
            self._first_rate, self._uncertainty = self._rate, max(0.0, most - self._rate)
        elif self._rate < MIN_CREDIBLE_SHARE * self._first_rate:
            self._reset()
            self._ignore_until = now + EXPIRY_SECONDS
        elif ended.refused == 1:  # the pace was hardly too high
            self._uncertainty = max(0.0, MAX_KEPT_SHARE * pace - self._rate)


def _rate_of_spans(ended: Round, burst: int, seconds: float) -> float:
    """Return the highest rate of the spans up to the last response, after subtracting *burst* calls in *seconds*."""
    spans = ((ended.last_answer - at - seconds, calls) for calls, at in enumerate(reversed(ended.answers), 1))
    return max(((calls - burst) / time for time, calls in spans if time >= MIN_MEASURED_SECONDS), default=0.0)
