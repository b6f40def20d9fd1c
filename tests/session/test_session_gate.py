"""One gate for a key: order, throttling, waits that the service asks for, and the retry budget."""

from __future__ import annotations

import gc
import math

import anyio
import attrs
import httpx
import pytest
from waiting import HOUR, until

from segments_async import (
    AsyncSegments,
    AuthenticationError,
    Clock,
    InputError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
)
from segments_async._http.gate import Gate
from segments_async._wire.limiter import TOKENS_PER_CONNECTION

pytestmark = pytest.mark.anyio


async def test_one_refusal_pauses_all_calls(sandbox, open_client, clock):
    """While one call waits for its ``Retry-After``, no other is sent; then the refused one goes first."""
    sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "7"})
    asleep, wake = anyio.Event(), anyio.Event()

    async def sleep(seconds):
        asleep.set()
        await wake.wait()
        clock.now += seconds

    options = attrs.evolve(clock.settings, sleep=sleep)
    async with open_client(max_connections=1, clock=options) as client, anyio.create_task_group() as group:
        group.start_soon(client.request, "GET", "/user")
        await asleep.wait()
        group.start_soon(client.request, "GET", "/users/jane")
        await anyio.wait_all_tasks_blocked()
        held = [call.path for call in sandbox.calls]
        wake.set()

    assert held == ["/user"]
    assert [call.path for call in sandbox.calls] == ["/user", "/user", "/users/jane"]
    assert clock.now >= 1_007.0


async def test_nothing_is_sent_early(sandbox, patient, clock):
    """A wait is stretched by 5 % at most, and never cut."""
    clock.jitter = 0.999
    sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "10"})
    await patient.request("GET", "/user")

    assert 10.0 <= sum(clock.slept) <= 10.5


async def test_the_limit_narrows_and_widens_again(sandbox, open_client, clock, together):
    """One halving for calls that were refused together; good answers under load bring the limit back."""
    async with open_client(max_connections=16, clock=clock.settings) as client:
        sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "1"}, times=16)
        await together(16, lambda _: client.request("GET", "/user"))
        narrowed = client.stats().limit
        await together(200, lambda _: client.request("GET", "/user"))

        assert 1 <= narrowed < 16
        assert client.stats().limit >= 13
        assert client.stats().throttled >= 16


async def test_next_call_watches_the_time_after_another_was_cancelled():
    """Calls are spaced, the one that watched for the time is cancelled, and no other is left waiting."""
    now, watching, tick = 0.0, [], anyio.Event()

    async def sleep(seconds):
        watching.append(seconds)
        await tick.wait()

    gate = Gate(32, Clock(monotonic=lambda: now, sleep=sleep))
    tickets = [await gate.enter() for _ in range(32)]
    for number, ticket in enumerate(tickets):
        if number < 10:
            gate.succeeded(ticket)
        else:
            gate.failed(ticket, RateLimitError(status=429, retry_after=1.0))
        gate.leave(ticket)
    now = 1.1
    await gate.enter()
    went = []

    async def call(number, scope):
        with scope:
            await gate.enter()
            went.append(number)

    scopes = [anyio.CancelScope() for _ in range(3)]
    async with anyio.create_task_group() as group:
        for number, scope in enumerate(scopes):
            group.start_soon(call, number, scope)
            await anyio.wait_all_tasks_blocked()
        assert len(watching) == 1
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        assert len(watching) == 2
        now += 1.0
        tick.set()

    assert went == [1, 2]


async def test_a_wait_that_ends_too_late_raises_at_once(sandbox, open_client, clock):
    """`retry.total` bounds the wait behind a closed gate, and nothing is sent during it."""
    async with open_client(clock=clock.settings, retry=RetryPolicy(total=5)) as client:
        sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "60"})
        with pytest.raises(RateLimitError) as first:
            await client.request("GET", "/user")
        with pytest.raises(RateLimitError) as second:
            await client.request("GET", "/user")

    assert first.value.status == 429
    assert (second.value.status, second.value.method, second.value.url) == (None, None, None)
    assert second.value.retry_after == pytest.approx(60.0, rel=0.06)
    assert clock.slept == []
    assert len(sandbox.calls) == 1


async def test_max_wait_behind_a_retry_after(sandbox, open_client, clock):
    """An interactive call fails at once instead of waiting longer; a patient one of the same key waits."""
    async with open_client(clock=clock.settings) as client:
        hasty = client.with_options(max_wait=2)
        sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "7"})
        with pytest.raises(RateLimitError) as refused:
            await hasty.request("GET", "/user")
        with pytest.raises(RateLimitError) as held:
            await hasty.request("GET", "/user")
        await client.request("GET", "/user")

    assert (refused.value.status, held.value.status) == (429, None)
    assert sum(clock.slept) >= 7.0


async def test_max_wait_behind_other_calls(sandbox, open_client):
    """The error of a call that waited for its turn does not blame the service."""
    fault = sandbox.fail("GET", "/user", times=None, status=None, delay=HOUR)
    async with open_client(max_connections=1) as client, anyio.create_task_group() as group:
        group.start_soon(client.request, "GET", "/user")
        await until(lambda: fault.hits)
        with pytest.raises(RequestTimeoutError, match=r"not sent: 1 call in flight for 0\.02 s") as caught:
            await client.with_options(max_wait=0.02).request("GET", "/user")
        group.cancel_scope.cancel()

    assert not caught.value.sent
    assert fault.hits == 1


async def test_cancelled_calls_give_their_turns_back(sandbox, open_client):
    """Whether cancelled in the queue, cancelled in flight, or answered: every turn is given back."""
    sandbox.latency = 0.02
    async with open_client(max_connections=2) as client:
        async with anyio.create_task_group() as group:

            async def call(patience):
                with anyio.move_on_after(patience):
                    await client.request("GET", "/user")

            for number in range(60):
                group.start_soon(call, number * 0.002)
        stats = client.stats()

        assert (stats.in_flight, stats.waiting, stats.limit) == (0, 0, 2)
        assert (await client.request("GET", "/user"))["username"] == "sandbox"


async def test_another_key_has_a_gate_of_its_own(sandbox, open_client, clock):
    """A ``Retry-After`` for one account does not affect others; each request has its account's key."""
    async with open_client(clock=clock.settings) as client:
        sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "50"})
        other = client.with_options(api_key="another-key", max_wait=1)
        same = client.with_options(api_key=sandbox.api_key, max_wait=1)
        with pytest.raises(RateLimitError):
            await same.request("GET", "/user")
        with pytest.raises(RateLimitError):
            await client.with_options(max_wait=1).request("GET", "/user")
        with pytest.raises(AuthenticationError, match="Invalid API key"):
            await other.request("GET", "/user")

        assert other.stats().requests == client.stats().requests


@pytest.mark.slow
async def test_many_keys_cost_little(open_client):
    """10,000 accounts: no connection, and gates only as long as they are used."""
    async with open_client() as client:
        pool = client._session.pool
        clients = [client.with_options(api_key=f"key-{number}") for number in range(10_000)]

        assert len(pool._gates) == 10_001
        assert client.stats().connections_opened == 0
        del clients
        gc.collect()
        assert len(pool._gates) == 1


async def test_derived_clients_are_closed_together(sandbox, open_client):
    """Closing a derived client does nothing; closing the original one closes all."""
    client = open_client()
    derived = client.with_options(timeout=5, retry=RetryPolicy(attempts=1))
    async with derived:
        await derived.request("GET", "/user")
    await derived.request("GET", "/user")
    await client.aclose()

    with pytest.raises(RuntimeError, match="closed"):
        await derived.request("GET", "/user")


@pytest.mark.parametrize(
    "options",
    [{"max_wait": -1}, {"max_wait": math.nan}, {"max_wait": "1"}, {"timeout": 0}, {"retry": 3}],
)
async def test_invalid_options(open_client, options):
    async with open_client() as client:
        with pytest.raises(InputError):
            client.with_options(**options)


async def test_retry_budget_limits_repeats(sandbox, open_client, clock):
    """Once the budget is empty, single calls fail at their first failure; bulk items continue, slowly."""
    async with open_client(max_connections=1, clock=clock.settings, retry=RetryPolicy(bulk_attempts=4)) as client:
        sandbox.fail("*", "/*", status=500, times=None)
        for _ in range(TOKENS_PER_CONNECTION):
            with pytest.raises(ServerError):
                await client.request("GET", "/user")
        sandbox.clear_calls()
        with pytest.raises(ServerError):
            await client.request("GET", "/user")
        assert len(sandbox.calls) == 1

        before = sum(clock.slept)
        [outcome] = (await client.labels.put_many([{"sample_uuid": "u", "attributes": {}}])).results
        assert outcome.attempts == 4
        assert sum(clock.slept) - before >= 3 * client._session.retry.cap * clock.jitter


async def test_stats_agree_with_the_service(sandbox, open_client):
    async with open_client(max_connections=4) as client:
        sandbox.fail("GET", "/user", status=502)
        await client.request("GET", "/user")
        await client.assets.upload(bytes(1000), "a.png")
        stats = client.stats()

    assert (stats.requests, stats.retries, stats.throttled) == (len(sandbox.calls), 1, 0)
    assert stats.connections_opened == len({(call.origin, call.peer_port) for call in sandbox.calls})
    assert stats.bytes_sent == sum(call.body_bytes for call in sandbox.calls)
    assert stats.bytes_received > 0
    assert (stats.in_flight, stats.waiting, stats.limit) == (0, 0, 4)


async def test_connections_of_a_custom_transport_are_unknown():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    async with AsyncSegments("some-key", transport=transport) as client:
        await client.request("GET", "/user")

        assert client.stats().connections_opened is None
        assert client.stats().requests == 1
