"""The limiter in a real Redis: the same rules, its clock, several processes."""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import os
import pickle
import subprocess
import sys
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
import pytest_asyncio
import redis
from hypothesis import given, settings, strategies as st
from redis_servers import RedisServer
from waiting import wait_until

from segments_async import AsyncSegments, InputError, RateLimitError
from segments_async._http import shared_access
from segments_async._wire.shared_rate import SharedRate, Turns
from segments_async.limits import RedisLimiter
from segments_async.limits._redis import _SCRIPT

STEPS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 20), st.floats(-100, 0)),
        st.sampled_from("ab"),
        st.one_of(
            st.tuples(st.just("reserve"), st.integers(0, 40)),
            st.tuples(st.just("refused"), st.sampled_from([0.1, 1.0, 2.05, 2.2, 30.0])),
            st.tuples(st.just("learned"), st.floats(1, 500)),
            st.tuples(st.just("give_back"), st.integers(1, 10)),
        ),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from([None, 50.0]))
@settings(max_examples=100)
def test_the_script_follows_the_rules(redis_url, steps, fixed):
    """Step by step, the same answers as those of `SharedRate`."""
    server = redis.Redis.from_url(redis_url)
    script, key = server.register_script(_SCRIPT), uuid.uuid4().hex
    state, now = SharedRate(fixed), 1_000.0
    for seconds, owner, (step, value) in steps:
        now += seconds
        answer = script(keys=[key], args=[step, owner, repr(value), repr(fixed or 0), repr(now)])
        if step == "reserve":
            calls, wait, spacing, measure = answer
            expected = state.reserve(now, owner, value)
            assert Turns(int(calls), float(wait), float(spacing), bool(measure)) == pytest.approx(expected, abs=1e-9)
        else:
            getattr(state, step)(now, *((owner,) if step == "learned" else ()), value)
    server.delete(key)
    server.close()


@pytest_asyncio.fixture
async def limiter(redis_url):
    limiter = RedisLimiter(redis_url, prefix=f"{uuid.uuid4().hex}:")
    yield limiter
    await limiter.aclose()


@pytest.mark.asyncio
async def test_a_wait_requested_of_one_client_pauses_all(sandbox, redis_url):
    """Two clients of one key, each with a limiter of its own."""
    prefix = f"{uuid.uuid4().hex}:"
    one, other = (
        RedisLimiter(redis_url, rate=1000, prefix=prefix, decode_responses=decode) for decode in (False, True)
    )
    sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "30"})
    async with (
        AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=one) as first,
        AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=other) as second,
    ):
        with pytest.raises(RateLimitError):
            await first.with_options(max_wait=1).request("GET", "/user")
        with pytest.raises(RateLimitError, match="wait for another") as caught:
            await second.with_options(max_wait=1).users.me()

    assert 25 < caught.value.retry_after <= 31.5
    assert len(sandbox.calls) == 1
    await one.aclose()
    await other.aclose()


@pytest.mark.asyncio
async def test_the_state_expires(limiter, redis_url):
    """Long waits aside, it is forgotten after two minutes."""
    await limiter.refused("k", 1.0)
    await limiter.refused("long", 600.0)
    async with redis.asyncio.Redis.from_url(redis_url) as server:
        assert 100 < await server.ttl(limiter._prefix + "k") <= 121
        assert 700 < await server.ttl(limiter._prefix + "long") <= 721


@pytest.mark.asyncio
async def test_a_turn_far_ahead_is_not_forgotten(redis_url):
    """A call in five minutes: the state is kept until then."""
    limiter = RedisLimiter(redis_url, rate=1 / 300, prefix=f"{uuid.uuid4().hex}:")
    assert (await limiter.reserve("k", 1)).wait == 0
    async with redis.asyncio.Redis.from_url(redis_url) as server:
        assert await server.ttl(limiter._prefix + "k") > 300
    assert (await limiter.reserve("k", 1)).wait == pytest.approx(300, abs=10)
    await limiter.aclose()


@pytest.mark.asyncio
async def test_connections_that_were_closed_are_replaced(limiter, redis_url):
    """By a server that was restarted, or a firewall between."""
    await limiter.reserve("k", 1)
    async with redis.asyncio.Redis.from_url(redis_url) as server:
        await server.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    assert (await limiter.reserve("k", 1)).calls == 1


@pytest.mark.asyncio
async def test_a_forked_process_is_another_one(limiter, monkeypatch):
    """One process measures; its child, which has the same limiter, does not."""
    await limiter.refused("k", 0.5)
    await anyio.sleep(0.6)
    first = await limiter.reserve("k", 1)
    monkeypatch.setattr("os.getpid", lambda: -1)
    second = await limiter.reserve("k", 1)

    assert (first.calls, first.measure) == (1, True)
    assert (second.calls, second.measure) == (0, False)


@pytest.mark.asyncio
async def test_the_server_may_lose_the_script(limiter, redis_url):
    assert (await limiter.reserve("k", 3)).calls == 3
    async with redis.asyncio.Redis.from_url(redis_url) as server:
        await server.script_flush()

    assert (await limiter.reserve("k", 3)).calls == 3


@pytest.mark.asyncio
async def test_a_server_that_is_gone(sandbox, closed_port, caplog):
    """The call goes through; a warning says why the limit is not shared, without a password."""
    limiter = RedisLimiter(f"redis://:hunter2@127.0.0.1:{closed_port}")
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=limiter) as client:
        await client.users.me()
        await client.users.me()

    [warning] = [record.message for record in caplog.records if "shared limiter" in record.message]
    assert "hunter2" not in warning
    assert "hunter2" not in repr(limiter)
    await limiter.aclose()


@pytest.fixture
def restricted_url(redis_url):
    """The URL of a user who may use other keys only."""
    with redis.Redis.from_url(redis_url) as server:
        server.acl_setuser("restricted", enabled=True, passwords="+hunter2", keys=["other:*"], commands=["+@all"])
        yield redis_url.replace("redis://", "redis://restricted:hunter2@")
        server.acl_deluser("restricted")


async def log_of(sandbox, limiter, caplog):
    """What is logged of two calls, which go through."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=limiter) as client:
        await client.users.me()
        await client.users.me()
    await limiter.aclose()
    (text,) = [record.message for record in caplog.records if "shared limiter" in record.message]
    assert "hunter2" not in caplog.text
    return text


@pytest.mark.asyncio
async def test_a_server_that_refuses(sandbox, redis_url, restricted_url, caplog):
    """A warning says why; the calls go through."""
    for url, reason in [
        (restricted_url, "NoPermissionError"),
        (restricted_url.replace("hunter2", "hunter22"), "AuthenticationError"),
        (redis_url.removesuffix("0") + "99", "DB index is out of range"),
    ]:
        caplog.clear()
        assert reason in await log_of(sandbox, RedisLimiter(url), caplog)


@pytest.mark.asyncio
async def test_a_key_that_contains_something_else(sandbox, redis_url, caplog):
    prefix = f"{uuid.uuid4().hex}:"
    async with redis.asyncio.Redis.from_url(redis_url) as server:
        async with AsyncSegments(
            sandbox.api_key, base_url=sandbox.url, limiter=(limiter := RedisLimiter(redis_url, 100, prefix=prefix))
        ) as client:
            await client.users.me()
        await limiter.aclose()
        (key,) = await server.keys(f"{prefix}*")
        await server.set(key, "no hash")
    assert "WRONGTYPE" in await log_of(sandbox, RedisLimiter(redis_url, 100, prefix=prefix), caplog)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_server_that_restarts_and_freezes(sandbox, caplog, monkeypatch):
    """Calls go through meanwhile, and then share the limit again; each change is said once."""
    monkeypatch.setattr(shared_access, "ALONE_SECONDS", 0.2)
    monkeypatch.setattr(shared_access, "QUIET_SECONDS", 0)
    caplog.set_level(logging.INFO, logger="segments_async")
    with RedisServer() as server:
        limiter = RedisLimiter(server.url, rate=1000)
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=limiter) as client:

            async def call_until(text):
                with anyio.fail_after(60):
                    while text not in caplog.text:
                        await client.users.me()
                        await anyio.sleep(0.02)
                caplog.clear()

            await client.users.me()
            for stop, start in [(server.stop, server.start), (server.freeze, server.thaw)]:
                stop()
                await call_until("cannot be used")
                for _ in range(3):
                    await client.users.me()
                start()
                await call_until("can be used again")
        await limiter.aclose()


@pytest.mark.parametrize("prefix", [None, 5, b"limit:", "\ud800"])
def test_an_invalid_prefix(prefix):
    with pytest.raises(InputError, match="expected text") as caught:
        RedisLimiter("redis://localhost", prefix=prefix)
    assert caught.value.path == "prefix"


@pytest.mark.parametrize(
    ("url", "options"), [("redis://localhost?sockettimeout=5", {}), ("redis://localhost", {"x": 1})]
)
def test_an_option_that_does_not_exist(url, options):
    """It is refused at once, not taken for a server that cannot be reached."""
    with pytest.raises(InputError, match="options of redis-py"):
        RedisLimiter(url, **options)


@pytest.mark.asyncio
@pytest.mark.parametrize("prefix", ["", "a b:", "ключ:", "{x}:", "\n\0"])
async def test_any_text_is_a_prefix(redis_url, prefix):
    limiter = RedisLimiter(redis_url, 100, prefix=prefix)
    assert (await limiter.reserve(uuid.uuid4().hex, 3)).calls == 3
    await limiter.aclose()


async def reserve(limiter):
    turns = await limiter.reserve("k", 2)
    await limiter.aclose()
    return turns.calls


def test_several_event_loops(redis_url):
    """One after the other, and two at the same time in threads, with one limiter."""
    limiter = RedisLimiter(redis_url, 100, prefix=f"{uuid.uuid4().hex}:")
    with ThreadPoolExecutor(2) as pool:
        found = [anyio.run(reserve, limiter), *pool.map(lambda _: anyio.run(reserve, limiter), range(4))]
    assert found == [2] * 5


def test_event_loops_without_an_end(redis_url):
    """The connections of a loop that is closed are freed with the next loop, also if nobody closed the limiter."""
    name = uuid.uuid4().hex
    limiter = RedisLimiter(redis_url, 100, client_name=name)
    with warnings.catch_warnings(), redis.Redis.from_url(redis_url) as server:
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(5):
            anyio.run(limiter.reserve, "k", 1)
            gc.collect()
            wait_until(lambda: sum(client["name"] == name for client in server.client_list()) <= 1)
        anyio.run(limiter.reserve, "k", 1)
        anyio.run(reserve, limiter)
        gc.collect()


def test_a_fork_after_use(redis_url):
    """The child has connections of its own, and counts as another process."""
    limiter = RedisLimiter(redis_url, 100, prefix=f"{uuid.uuid4().hex}:")
    assert anyio.run(reserve, limiter) == 2
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os._exit(anyio.run(reserve, limiter))
        os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert anyio.run(reserve, limiter) == 2


@pytest.mark.asyncio
async def test_two_rates_for_one_key(redis_url):
    """As while a new version is started: each takes its turns at its own rate, so the total is between them."""
    prefix = f"{uuid.uuid4().hex}:"
    slow, fast = (RedisLimiter(redis_url, rate, prefix=prefix) for rate in (50, 100))
    waits = [(await limiter.reserve("k", 5)).wait for limiter in [slow, fast] * 10]
    assert 20 * 5 / 100 < waits[-1] + 0.1 < 20 * 5 / 50
    await slow.aclose()
    await fast.aclose()


@pytest.mark.asyncio
async def test_a_full_memory(redis_url):
    """The limit is still shared: the state replaces what is there."""
    limiter = RedisLimiter(redis_url, 100, prefix=f"{uuid.uuid4().hex}:")
    async with redis.asyncio.Redis.from_url(redis_url) as server:
        await server.config_set("maxmemory", 1)
        try:
            turns = [await limiter.reserve("k", 10) for _ in range(3)]
        finally:
            await server.config_set("maxmemory", 0)
    assert turns[-1].wait > 0.1
    await limiter.aclose()


def test_it_works_on_asyncio_only(sandbox, redis_url):
    async def call():
        limiter = RedisLimiter(redis_url)
        try:
            async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, limiter=limiter) as client:
                await client.users.me()
        finally:
            await limiter.aclose()

    with pytest.raises(InputError, match="asyncio only"):
        anyio.run(call, backend="trio")


@pytest.mark.parametrize("rate", [0, -1, 1e-7, 1e9, math.inf, math.nan, "100", True])
def test_an_invalid_rate(rate):
    with pytest.raises(InputError, match="calls per second") as caught:
        RedisLimiter("redis://localhost", rate)
    assert caught.value.path == "rate"


def test_an_invalid_url():
    with pytest.raises(InputError, match="expected a URL") as caught:
        RedisLimiter("http://:hunter2@localhost")
    assert "hunter2" not in str(caught.value)


def test_it_can_be_pickled(redis_url):
    """For the processes of a cluster; each copy counts as a process."""
    limiter = RedisLimiter(redis_url, 100, prefix="p:", decode_responses=True)
    copy = pickle.loads(pickle.dumps(limiter))

    assert (copy._rate, copy._prefix) == (100, "p:")
    assert copy._owner != limiter._owner


WORKER = """
import asyncio, sys, time
from segments_async.limits import RedisLimiter

async def main(url, prefix, seconds):
    limiter, calls, started = RedisLimiter(url, rate=500, prefix=prefix), 0, time.monotonic()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds
    while True:
        turns = await limiter.reserve("k", 16)
        await asyncio.sleep(turns.wait + turns.calls * turns.spacing)
        if time.monotonic() > end:
            break
        calls += turns.calls
    print(calls)
    await limiter.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


def test_processes_keep_one_rate(redis_url):
    """Three processes; one of them is killed, and the others continue."""
    prefix = f"{uuid.uuid4().hex}:"
    command = [sys.executable, "-c", WORKER, redis_url, prefix]
    workers = [
        subprocess.Popen([*command, seconds], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seconds in ("2", "2", "60")
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    started = time.monotonic()
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    workers[2].kill()
    one, other = (int(worker.communicate()[0]) for worker in workers[:2])
    workers[2].communicate()

    assert min(one, other) > 0
    assert one + other <= 500 * (time.monotonic() - started)
