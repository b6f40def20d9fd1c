"""The rules of a rate limit that processes share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.pace import EXPIRY_SECONDS, MIN_RATE
from segments_async._wire.shared_rate import (
    ASK_AGAIN_SECONDS,
    CATCH_UP_SECONDS,
    KEPT_SHARE,
    LEASE_SECONDS,
    MAX_MEASURE_SECONDS,
    MEASURE_SECONDS,
    SharedRate,
    Turns,
)


def measuring(state=None, *, now=100.0, wait=1.0):
    """A state in which ``a`` has been asked to measure, at ``now + wait``."""
    state = state or SharedRate()
    state.refused(now, wait)
    assert state.reserve(now + wait, "a", 8) == Turns(8, measure=True)
    return state


def test_without_a_limit_everything_may_be_sent_at_once():
    assert SharedRate().reserve(5.0, "a", 32) == Turns(32)


def test_a_fixed_rate_is_spread_over_the_processes():
    """Each gets a tenth of a second's turns, one lease after the other."""
    state = SharedRate(fixed=100.0)
    first, second, third = (state.reserve(50.0, owner, 32) for owner in "aba")

    assert first == Turns(10, 0.0, 0.01)
    assert second == Turns(10, pytest.approx(0.1 - CATCH_UP_SECONDS), 0.01)
    assert third == Turns(10, pytest.approx(0.2 - CATCH_UP_SECONDS), 0.01)


@given(
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 40), st.sampled_from("abcd")), min_size=1, max_size=60),
)
def test_a_fixed_rate_is_never_exceeded(rate, asked):
    """In any time, beyond the turns that were late by `CATCH_UP_SECONDS` at most."""
    state, now, sent = SharedRate(fixed=rate), 1000.0, []
    for seconds, most, owner in asked:
        now += seconds
        turns = state.reserve(now, owner, most)
        sent += [now + turns.wait + number * turns.spacing for number in range(turns.calls)]

    sent.sort()
    for first, start in enumerate(sent):
        for last, end in enumerate(sent[first:], first):
            assert last - first <= rate * (end - start + CATCH_UP_SECONDS) + 1


@given(st.floats(10, 1000), st.integers(1, 5))
def test_a_fixed_rate_is_used(rate, processes):
    """If each process asks again when its turns are over, there is no gap."""
    state, now, calls = SharedRate(fixed=rate), 0.0, 0
    free_at = dict.fromkeys(map(str, range(processes)), 0.0)
    while now < 20.0:
        owner = min(free_at, key=free_at.__getitem__)
        now = free_at[owner]
        turns = state.reserve(now, owner, 32)
        free_at[owner] = now + turns.wait + turns.calls * turns.spacing
        calls += turns.calls

    assert calls == pytest.approx(rate * 20, rel=0.02, abs=33 * processes + 0.2 * rate)


def test_a_wait_pauses_every_process():
    state = SharedRate(fixed=100.0)
    state.refused(10.0, 3.0)

    assert state.reserve(11.0, "b", 5) == Turns(0, 2.0)
    assert state.reserve(11.0, "b", 0) == Turns(0, 2.0)
    assert state.reserve(13.0, "b", 5).calls == 5
    assert state.reserve(13.0, "b", 5).wait <= 0.1


def test_the_longest_wait_counts():
    state = SharedRate(fixed=100.0)
    state.refused(10.0, 30.0)
    state.refused(11.0, 1.0)

    assert state.reserve(12.0, "b", 5) == Turns(0, 28.0)


def test_turns_that_were_not_used_are_given_to_others():
    state = SharedRate(fixed=100.0)
    state.reserve(10.0, "a", 10)
    state.give_back(10.0, 10)

    assert state.reserve(10.0, "b", 10).wait == 0.0


def test_a_process_that_died_takes_no_turns_with_it():
    """What it had is over when its time is over."""
    state = SharedRate(fixed=100.0)
    state.reserve(10.0, "dead", 10)

    assert state.reserve(10.2, "b", 10) == Turns(10, 0.0, 0.01)


def test_one_process_measures_and_the_others_wait():
    state = measuring()

    assert state.reserve(101.0, "b", 8) == Turns(0, ASK_AGAIN_SECONDS)
    assert state.reserve(102.0, "a", 8) == Turns(8, measure=True)
    state.learned(103.0, "b", 1.0)
    assert state.rate(103.0) is None, "b was not asked to measure"
    state.learned(103.0, "a", 100.0)
    assert state.reserve(103.0, "b", 8) == Turns(8, 0.0, pytest.approx(1 / 97, rel=0.01))


def test_a_process_that_meets_no_limit_measures_for_some_seconds():
    state = measuring()
    end = 101.0 + MEASURE_SECONDS
    now = 101.0
    while now < end:
        assert state.reserve(now, "a", 8).measure
        assert state.reserve(now, "b", 8).calls == 0
        now += 0.5

    assert state.reserve(end, "b", 8) == Turns(8)
    state.refused(end, 1.0)
    assert state.reserve(end + 1.0, "b", 8) == Turns(8), "not again within a minute"


def test_refusals_prolong_a_measurement_up_to_a_limit():
    state, now = measuring(), 101.0
    while now < 100.0 + MAX_MEASURE_SECONDS - 1:
        state.refused(now, 1.0)
        now += 1.0
        assert state.reserve(now, "b", 8).calls == 0
    state.refused(now, 1.0)

    assert state.reserve(100.1 + MAX_MEASURE_SECONDS, "b", 8) == Turns(8)


@pytest.mark.parametrize("wait", [0.01, 0.4, 2.2, 600.0])
def test_waits_that_say_nothing_about_a_rate_are_not_measured(wait):
    state = SharedRate()
    state.refused(10.0, wait)

    assert state.reserve(10.0 + wait, "a", 8) == Turns(8)


def test_a_refusal_cuts_a_measured_rate_once():
    """The calls that were in flight are refused too; the rate grows again later."""
    state = measuring()
    state.learned(103.0, "a", 100.0)
    before = state.rate(110.0)
    for _ in range(5):
        state.refused(110.0, 1.0)
    for _ in range(5):
        state.refused(110.1, 1.0)

    assert state.rate(111.1) == pytest.approx(before * KEPT_SHARE, rel=0.03)
    assert state.rate(145.0) > state.rate(111.1)


def test_a_measured_rate_is_forgotten_after_a_minute_without_a_refusal():
    state = measuring()
    state.learned(103.0, "a", 100.0)

    assert state.rate(103.0 + EXPIRY_SECONDS) is not None
    assert state.reserve(103.1 + EXPIRY_SECONDS, "b", 32) == Turns(32)


def test_a_measured_rate_has_a_lower_bound():
    state = measuring()
    state.learned(103.0, "a", 0.1)

    assert state.rate(104.0) == MIN_RATE


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["reserve", "refused", "learned", "give_back"])), max_size=60)
)
def test_every_process_gets_turns_in_the_end(steps):
    """Whatever happened before, a process that asks again and again gets turns within a bounded time."""
    state, now = SharedRate(), 0.0
    for seconds, step in steps:
        now += seconds
        if step == "reserve":
            turns = state.reserve(now, "a", 8)
            assert turns.calls >= 0
            assert 0 <= turns.wait < math.inf
        elif step == "refused":
            state.refused(now, 1.0)
        elif step == "learned":
            state.learned(now, "a", 50.0)
        else:
            state.give_back(now, 2)
    end = now + MAX_MEASURE_SECONDS + MEASURE_SECONDS + LEASE_SECONDS * len(steps)
    while not (turns := state.reserve(now, "b", 8)).calls:
        assert turns.wait > 0
        now += turns.wait
        assert now < end


def test_a_wait_of_two_seconds_and_its_jitter_is_measured():
    state = SharedRate()
    state.refused(10.0, 2.1)

    assert state.reserve(12.2, "a", 8).measure


def test_a_clock_that_is_set_back_delays_nothing():
    """By an hour: turns and waits keep their distance from now."""
    state = SharedRate(fixed=10.0)
    state.refused(5000.0, 3.0)
    assert state.reserve(1400.0, "a", 1) == (0, pytest.approx(3.0), 0.0, False)
    state.reserve(1403.0, "a", 1)
    assert state.reserve(803.0, "a", 1).wait == pytest.approx(0.1)
