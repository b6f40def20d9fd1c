"""How well several processes use one limit, in virtual time: each row is a whole run of their gates."""

from __future__ import annotations

import pytest
from shared_world import Network, Service, Store, World

from segments_async._http.shared_turns import FRESH_SECONDS
from segments_async._wire.shared_rate import SharedRate

CALLS = 500


def run(
    told,
    *,
    redis=0.002,
    latency=0.02,
    burst=50,
    refusals=0.0,
    connections=(32,) * 4,
    calls=CALLS,
    seed=1,
    work=0.0,
    **store,
):
    """Run processes to their ends."""
    grace = 1.5 * latency + 3 * redis + FRESH_SECONDS + 0.01
    service = Service(burst=burst, random_refusals=refusals, grace=grace, seed=seed)
    world = World(service, Store(told, Network(redis), **store), latency)
    for count in connections:
        world.add(calls, connections=count, work=work)
    world.run(seed)
    return world


@pytest.mark.parametrize("burst", [10, 50])
@pytest.mark.parametrize("latency", [0.0, 0.002, 0.05])
@pytest.mark.parametrize("redis", [0.0, 0.002, 0.05])
def test_a_told_rate_is_kept(redis, latency, burst):
    """Within 2 % of the rate, without a refusal but for one, with equal shares."""
    world = run(100.0, redis=redis, latency=latency, burst=burst)
    total = CALLS * 4
    shares = world.shares(0.5)

    assert world.service.late == 0
    assert world.service.refused <= 1
    assert 0.98 * total / 100 <= world.seconds <= 1.02 * total / 100 + 1.1 * world.service.refused
    assert min(shares) >= 0.8 * max(shares)


def test_a_rate_that_is_not_told_is_learnt():
    world = run(None, calls=1000)
    shares = world.shares(0.4)

    assert world.ratio <= 1.25
    assert world.service.late == 0
    assert min(shares) >= 0.8 * max(shares)


@pytest.mark.parametrize(("latency", "apart"), [(0.005, 0.0), (0.02, 0.03), (0.05, 0.1)])
def test_the_rate_that_is_learnt_is_that_of_the_service(latency, apart):
    """Also by a process whose calls waited for their turns when its measurement began."""
    service = Service(grace=1.5 * latency + 0.1)
    world = World(service, Store(), latency)
    for number in range(4):
        world.add(CALLS, starts_at=number * apart)
    world.run()

    assert 90 <= world.store.state.learnt <= 110
    assert service.late == 0


@pytest.mark.parametrize("work", [0.0015, 0.0025, 0.005])
@pytest.mark.parametrize("redis", [0.001, 0.006])
def test_a_busy_process_measures_as_well(redis, work):
    """It takes longer to send the burst, of which a fast probe then shows little more."""
    world = run(None, redis=redis, work=work)
    assert 90 <= world.store.state.learnt <= 110


@pytest.mark.parametrize("latency", [0.005, 0.02])
def test_a_small_client_gets_its_share(latency):
    """With two connections, beside one with 32."""
    shares = run(100.0, latency=latency, connections=(32, 2)).shares(0.5)
    assert min(shares) >= 0.8 * max(shares)


def test_another_one_measures_if_the_first_is_silent():
    """As one that was killed, or has sent all it had."""
    state = SharedRate()
    state.refused(0.0, 1.0)
    assert state.reserve(1.5, "a", 3).measure
    assert state.reserve(2.4, "b", 3) == (0, 0.1, 0.0, False)
    assert state.reserve(2.6, "b", 3).measure
    assert not state.reserve(2.6, "a", 3).measure


@pytest.mark.parametrize(("told", "at_most"), [(80.0, 1.3), (102.0, 1.1), (120.0, 1.25)])
def test_a_rate_that_is_told_wrongly(told, at_most):
    """It costs no more than the error, or as much of the time as the service makes all wait."""
    world = run(told)
    assert world.ratio <= at_most
    assert world.service.late == 0


def test_refusals_at_random():
    """Each costs the second that the service names; the rate stays."""
    world = run(100.0, refusals=0.01)
    assert world.seconds <= (2000 / 100 + 1.05 * world.service.refused) * 1.05
    assert world.service.late == 0


@pytest.mark.parametrize("seed", [2, pytest.param(3, marks=pytest.mark.full), pytest.param(5, marks=pytest.mark.full)])
def test_refusals_at_random_do_not_hide_the_rate(seed):
    """While it is measured: a refusal of one call among others that are accepted does not show it."""
    world = run(None, refusals=0.01, seed=seed)
    assert 70 < world.store.state.learnt < 135
    assert world.seconds <= (2000 / 100 + 30) * 1.1
    assert world.service.late == 0


@pytest.mark.parametrize(("redis", "at_most"), [(0.1, 1.05), (0.2, 1.1)])
def test_a_told_rate_is_kept_over_a_slow_store(redis, at_most):
    """The turns of the next tenth of a second are asked for early."""
    world = run(100.0, redis=redis)
    assert world.ratio <= at_most
    assert world.service.refused == world.service.late == 0


@pytest.mark.parametrize(("redis", "at_most"), [(0.1, 1.15), (0.2, 1.6)])
def test_a_rate_is_learnt_over_a_slow_store(redis, at_most):
    """The process that measures does not wait for an answer before each call, as no other one sends."""
    world = run(None, redis=redis, calls=1000)
    assert world.ratio <= at_most
    assert world.service.late == 0


@pytest.mark.parametrize("skew", [3600.0, -50.0, -0.5])
def test_the_clock_of_the_store_is_set(skew):
    """In the middle of the run; at most the second in which calls go by themselves is lost."""
    world = run(100.0, skew=lambda now: skew if now > 5 else 0.0)
    assert world.seconds <= 1.05 * 2000 / 100
    assert world.service.refused <= 1


def test_the_clocks_of_the_processes_differ():
    service = Service(grace=0.1)
    world = World(service, Store(100.0))
    for ahead in (0.0, 1e6, -1e3):
        world.add(CALLS, clock_ahead=ahead)
    world.run()

    assert world.seconds <= 1.02 * 3 * CALLS / 100
    assert service.refused == 0


def test_a_process_that_measures_and_dies():
    """Another one measures after a second; the others have not waited for longer."""
    world = run_killed(dies_at=2.0)
    assert world.store.state.learnt > 0
    assert world.service.late == 0


def run_killed(dies_at):
    world = World(Service(grace=0.1), Store())
    for number in range(3):
        world.add(CALLS, dies_at=dies_at if number == 0 else float("inf"))
    world.run()
    assert [len(process.done_at) for process in world.processes[1:]] == [CALLS, CALLS]
    return world


def test_a_store_that_is_gone_for_ten_seconds():
    """Each process uses its own limit meanwhile."""
    world = run(100.0, is_down=lambda now: 5 < now < 15)
    assert world.ratio <= 1.35
