"""What the pace learns from refusals: rounds and rates, and whole runs against services with different limits."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from statistics import fmean

import pytest

from segments_async._wire import pace
from segments_async._wire.limiter import Limiter, Ticket
from segments_async._wire.pace import (
    CATCH_UP_SECONDS,
    EXPIRY_SECONDS,
    MIN_EXCESS_REFUSALS,
    MIN_RATE,
    Pace,
    chance_of_similar,
)

WORKERS = 32


def taught(*, burst=10, refused=22, wait=1.0):
    """A pace after a first round at time 0, of which *refused* calls were answered with 429."""
    pace = Pace()
    tickets = [pace.admitted(0.0) for _ in range(burst + refused)]
    for calls in tickets[:burst]:
        pace.succeeded(calls, 0.0, admitted_at=0.0)
    for calls in tickets[burst:]:
        pace.refused(calls, wait)
    return pace


@pytest.mark.parametrize(
    ("good_before", "refused", "good_after", "shows"),
    [
        (10, 22, 0, True),  # a burst of 10, and all that came after it
        (10, 5, 0, True),
        (10, 4, 0, False),
        (10, 22, 20, True),
        (10, 5, 20, False),
        (1000, 7, 20, True),  # of 1000 none, and then a quarter
        (20, 2, 30, False),
        (0, 32, 0, False),  # that is not a rate limit: the service is down
    ],
)
def test_which_refusals_show_a_limit_by_rate(good_before, refused, good_after, shows):
    pace = Pace()
    calls = pace.admitted(0.0)
    for _ in range(good_before):
        pace.succeeded(calls, 0.0, admitted_at=0.0)
    for _ in range(refused):
        pace.refused(calls, 1.0)
    for _ in range(good_after):
        pace.succeeded(calls, 0.0, admitted_at=0.0)
    pace.admitted(1.0)

    assert (pace.rate(1.0) < math.inf) is shows


def test_weak_signs_add_up():
    """With few calls in flight, one round says little."""
    pace = Pace()
    spaced = []
    for number in range(4):
        now = 2.0 * number
        calls = pace.admitted(now)
        spaced.append(pace.rate(now) < math.inf)
        pace.succeeded(calls, now, admitted_at=now)
        for _ in range(3):
            pace.refused(calls, 1.0)

    assert spaced == [False, False, True, True]
    assert MIN_EXCESS_REFUSALS <= 2 * (3 - 1)


@pytest.mark.parametrize(
    ("wait", "spaced"), [(0.01, False), (0.49, False), (0.5, True), (1.0, True), (2.0, True), (3.0, False)]
)
def test_only_rounded_waits_count(wait, spaced):
    """A shorter one is exact and costs little; in a longer one a second is little."""
    pace = taught(wait=wait)
    pace.admitted(wait)

    assert (pace.due > wait) is spaced


@pytest.mark.parametrize(
    ("runs", "shows"),
    [
        ([12, 12, 12], False),
        ([12, 12, 13, 12], True),
        ([100, 102, 99], True),
        ([100, 160, 130, 110, 140], False),
        ([3, 40, 12, 1, 30, 9], False),
        ([1, 1, 1, 1], False),
        ([0, 0, 0, 0, 0, 0], False),
    ],
)
def test_rounds_of_one_refusal_each(runs, shows):
    """Made one at a time, equally many calls succeed in each round if there is a limit by rate."""
    pace = Pace()
    for number, good in enumerate(runs):
        now = 2.0 * number
        calls = pace.admitted(now)
        for _ in range(good):
            pace.succeeded(calls, now, admitted_at=now)
        pace.refused(calls, 1.0)
    pace.admitted(2.0 * len(runs))

    assert (pace.rate(2.0 * len(runs)) < math.inf) is shows


@pytest.mark.parametrize("runs", [[9, 11, 10], [30, 35, 40], [100, 130, 115, 120], [50, 80, 60, 70, 65]])
def test_chance_of_similar_runs(runs):
    """The formula agrees with trying."""
    chance = random.Random(7)
    ratio = (max(runs) + 1) / min(runs)
    tries = 100_000
    found = 0
    for _ in range(tries):
        lengths = [chance.expovariate(1) for _ in runs]
        found += max(lengths) <= ratio * min(lengths)

    assert chance_of_similar(runs) == pytest.approx(found / tries, rel=0.2)


def test_calls_go_at_once_until_then():
    pace = Pace()
    for _ in range(1000):
        pace.admitted(0.0)

    assert pace.due == -math.inf
    assert pace.rate(0.0) == math.inf


def test_calls_are_spaced_evenly():
    """A late one may make up for a hundredth of a second, and no more."""
    pace = taught(burst=10)
    pace.admitted(1.0)
    first = pace.due
    pace.admitted(first + 0.001)
    second = pace.due
    pace.admitted(1.5)
    late = pace.due

    assert first == pytest.approx(1.0 - CATCH_UP_SECONDS + 1 / pace.rate(1.0))
    assert second == pytest.approx(first + 1 / pace.rate(first + 0.001))
    assert late == pytest.approx(1.5 - CATCH_UP_SECONDS + 1 / pace.rate(1.5))


def test_a_call_that_never_went_gives_its_turn_back():
    pace = taught()
    pace.admitted(1.0)
    due = pace.due
    pace.admitted(due)
    pace.withdrawn()

    assert pace.due == pytest.approx(due)


def test_no_call_waits_longer_than_a_quarter_of_a_second_for_the_spacing():
    pace = taught(burst=1, refused=31, wait=2.0)
    pace.admitted(2.0)

    assert pace.rate(2.0) == MIN_RATE
    assert pace.due <= 2.0 + 1 / MIN_RATE


def test_all_is_forgotten_after_a_minute_without_a_refusal():
    pace = taught()
    pace.admitted(1.0)
    assert pace.rate(1.0 + EXPIRY_SECONDS) < math.inf
    pace.admitted(1.1 + EXPIRY_SECONDS)

    assert pace.rate(1.1 + EXPIRY_SECONDS) == math.inf
    assert pace.due == -math.inf


def test_the_rate_is_measured_after_the_burst():
    """After a burst of 10, 100 calls a second for a second: 110 calls at most, and so at least 100 a second."""
    pace = taught(burst=10)
    calls = pace.admitted(1.0)
    for number in range(110):
        pace.succeeded(calls, 1.0 + number / 110, admitted_at=1.0 + number / 110)
    pace.refused(calls, 1.0)
    now = 3.0
    pace.admitted(now)

    assert pace.rate(now + 12.0) == pytest.approx(0.98 * 101, rel=0.02)
    assert pace.rate(now) < pace.rate(now + 12.0) < pace.rate(now + 30.0)


def test_a_wrong_rate_is_dropped():
    """Refusals that come at any rate of calls follow no rate limit; they are ignored for a minute."""
    pace = taught(burst=30, refused=30)
    now, rates = 1.0, []
    while True:
        calls = pace.admitted(now)
        if pace.rate(now) == math.inf:
            break
        rates.append(pace.rate(now))
        pace.succeeded(calls, now, admitted_at=now)
        pace.refused(calls, 1.0)
        now += 2.0
    for _ in range(30):
        pace.refused(calls, 1.0)
    pace.admitted(now + 1.0)

    assert len(rates) > 3
    assert min(rates) >= 0.5 * rates[2]  # the first two are guesses
    assert pace.rate(now + 1.0) == math.inf


class Bucket:
    """Allows a number of calls per second, with a burst; its waits are whole seconds."""

    def __init__(self, rate, burst):
        self.rate, self.burst = rate, burst
        self._tokens, self._filled = float(burst), 0.0

    def ask(self, now):
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        if self._tokens < 1:
            return math.ceil((1 - self._tokens) / self.rate)
        self._tokens -= 1
        return None


class Window:
    """Allows a number of calls in any window of some seconds, as Django REST Framework does."""

    def __init__(self, calls, seconds):
        self.rate, self.burst = calls / seconds, calls
        self._seconds = seconds
        self._calls = deque()

    def ask(self, now):
        while self._calls and self._calls[0] <= now - self._seconds:
            self._calls.popleft()
        if len(self._calls) >= self.burst:
            return max(1, math.ceil(self._seconds - (now - self._calls[0])))
        self._calls.append(now)
        return None


class Chance:
    """Refuses at random, however slowly calls come."""

    def __init__(self, share, seed):
        self._share, self._chance = share, random.Random(seed)

    def ask(self, now):
        return 1 if self._chance.random() < self._share else None


class Run:
    """A number of calls to a service, in virtual time that jumps from one event to the next."""

    def __init__(self, service, *, calls, latency, seed=7, workers=WORKERS):
        self.limiter = Limiter(workers)
        self.service = service
        self.now = 0.0
        self.done = self.refused = 0
        self.was_spaced = False
        self._left, self._latency = calls, latency
        self._chance = random.Random(seed)
        self._events, self._order = [], itertools.count()
        self._watched_until = -math.inf
        for _ in range(min(workers, calls)):
            self._enter()
        while self.done < calls:
            self.now, _, step, arguments = heapq.heappop(self._events)
            step(*arguments)
            self._watch()

    def _at(self, time, step, *arguments):
        heapq.heappush(self._events, (time, next(self._order), step, arguments))

    def _watch(self):
        until = self.limiter.closed_until
        if self.limiter.waiting and self.now < until != self._watched_until:
            self._watched_until = until
            self._at(until, self._look)

    def _look(self):
        self.limiter.advance(self.now)

    def _enter(self, *, first=False):
        self._left -= not first
        ticket = Ticket(lambda: None)
        ticket.notify = lambda: self._send(ticket) if ticket.admitted else None
        self.limiter.enter(ticket, self.now, first=first)

    def _send(self, ticket):
        assert self.now >= self.limiter.paused_until
        self.was_spaced |= self.limiter.rate(self.now) < math.inf
        there = self._latency / 2 * self._chance.uniform(0.8, 1.2)
        self._at(self.now + there, self._arrive, ticket, there)

    def _arrive(self, ticket, back):
        self._at(self.now + back, self._answer, ticket, self.service.ask(self.now))

    def _answer(self, ticket, wait):
        if wait is None:
            self.done += 1
            self.limiter.succeeded(ticket, self.now)
        else:
            self.refused += 1
            self.limiter.throttled(ticket, wait)
            self.limiter.pause(self.now + wait * self._chance.uniform(1.0, 1.05))
        self.limiter.leave(ticket, self.now)
        if wait is not None or self._left > 0:
            self._enter(first=wait is not None)


@pytest.mark.parametrize(
    ("service", "latency", "at_most"),
    [
        (lambda: Bucket(100, 10), 0.002, 1.15),
        (lambda: Bucket(100, 10), 0.05, 1.2),
        (lambda: Bucket(100, 50), 0.01, 1.15),
        (lambda: Bucket(100, 50), 0.1, 1.15),
        (lambda: Bucket(100, 100), 0.05, 1.15),
        (lambda: Bucket(100, 200), 0.05, 1.15),
        (lambda: Window(100, 1.0), 0.002, 1.15),
        (lambda: Window(100, 1.0), 0.05, 1.15),
        (lambda: Window(1000, 60.0), 0.05, 1.15),
    ],
    ids=[
        "burst-10-2ms",
        "burst-10-50ms",
        "burst-50-10ms",
        "burst-50-100ms",
        "burst-100",
        "burst-200",
        "window-2ms",
        "window-50ms",
        "window-minute",
    ],
)
def test_whole_seconds_cost_little(service, latency, at_most):
    """Of the ideal time, (calls - burst) / rate, for 3,000 calls; with no pace, a burst of 10 takes ten times that."""
    calls = 3000

    def share(seed):
        limits = service()
        run = Run(limits, calls=calls, latency=latency, seed=seed)
        assert run.refused < calls * 0.15
        return run.now * limits.rate / (calls - limits.burst)

    assert fmean(map(share, range(3))) <= at_most


@pytest.mark.parametrize(
    ("service", "workers", "latency", "at_most"),
    [
        (lambda: Bucket(100, 10), 1, 0.002, 1.25),  # 8.8 without comparing rounds
        (lambda: Bucket(100, 10), 1, 0.005, 1.25),
        (lambda: Bucket(20, 5), 1, 0.009, 1.15),
        (lambda: Window(100, 1.0), 1, 0.005, 1.25),
        (lambda: Bucket(100, 10), 2, 0.01, 1.25),
        (lambda: Bucket(100, 10), 8, 0.05, 1.35),  # 2.2 with one probe
        (lambda: Bucket(100, 10), 16, 0.1, 1.35),
        (lambda: Bucket(100, 10), 32, 0.2, 1.25),
        (lambda: Bucket(100, 50), 32, 0.2, 1.2),
        (lambda: Window(20, 1.0), 32, 0.2, 1.2),
    ],
    ids=["1-2ms", "1-5ms", "1-slow", "1-window", "2-10ms", "8-50ms", "16-100ms", "200ms", "200ms-50", "200ms-window"],
)
def test_few_calls_in_flight_and_long_latencies(service, workers, latency, at_most):
    """Of the ideal time for 3,000 calls, of which the first seconds show the limit."""
    calls = 3000

    def share(seed):
        limits = service()
        run = Run(limits, calls=calls, latency=latency, seed=seed, workers=workers)
        return run.now * limits.rate / (calls - limits.burst)

    assert fmean(map(share, range(3))) <= at_most


@pytest.mark.parametrize(("share", "workers"), [(0.02, 32), (0.05, 32), (0.1, 32), (0.02, 1), (0.02, 8)])
def test_a_service_that_refuses_at_random_is_not_slowed_down_for(share, workers):
    def is_spaced(seed):
        return Run(Chance(share, seed), calls=1000, latency=0.01, seed=seed, workers=workers).was_spaced

    assert not any(map(is_spaced, range(10)))


@pytest.mark.parametrize("workers", [1, 8, 32])
def test_a_mistake_about_refusals_at_random_costs_little(workers):
    """With one refusal in ten calls, some rounds are alike by chance."""

    def seconds(seed, service):
        return Run(service, calls=1000, latency=0.05, seed=seed, workers=workers).now

    taken = fmean(seconds(seed, Chance(0.1, seed)) for seed in range(10))
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(pace, "MAX_CHANCE", 0.0)
        without = fmean(seconds(seed, Chance(0.1, seed)) for seed in range(10))
    assert taken <= 1.05 * without
