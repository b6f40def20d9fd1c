"""
Against a service that allows 100 calls a second: no time is wasted, and its ``Retry-After`` is obeyed.

Time is virtual and jumps to the next event, so nothing depends on the machine. Only trio offers that.
"""

from __future__ import annotations

import random

import anyio
import pytest
import trio
import trio.testing
from rate_limited import RATE, Bucket

from segments_async import AsyncSegments, Clock

AT_MOST = 1.15
"""Of the ideal time, (calls - burst) / rate."""


def timed(bucket, work):
    """Seconds that *work*, given a client, took by the clock of both sides."""

    async def run():
        now = trio.current_time
        clock = Clock(monotonic=now, sleep=anyio.sleep, time=now, random=random.Random(1).random)
        async with AsyncSegments("key", base_url="https://x", transport=bucket, clock=clock) as client:
            started = now()
            await work(client)
            return now() - started

    return trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


def labels(count, start=0):
    return ({"sample_uuid": f"u-{number}", "attributes": {}} for number in range(start, start + count))


@pytest.mark.parametrize(
    ("latency", "burst", "whole_seconds", "count"),
    [
        (0.01, 20, False, 800),
        (0.05, 20, False, 800),
        (0.2, 100, False, 800),
        (0.05, 100, True, 2000),
        (0.05, 50, True, 3000),
        (0.01, 10, True, 3000),
    ],
)
def test_a_run_takes_little_more_than_the_ideal_time(latency, burst, whole_seconds, count):
    """Whether the service names its waits exactly or in whole seconds, where the rate has to be found out first."""

    async def work(client):
        report = await client.labels.put_many(labels(count))
        assert report.succeeded == count
        assert report.throttled == bucket.refused > 0
        assert client.stats().rate == (pytest.approx(RATE, rel=0.1) if whole_seconds else None)

    bucket = Bucket(burst=burst, latency=latency, whole_seconds=whole_seconds)
    seconds = timed(bucket, work)

    assert seconds <= AT_MOST * (count - burst) / RATE
    assert bucket.too_early == 0


def test_two_runs_share_the_gate():
    """A wait requested of one run applies to both, and to single calls; together they take as long as one run."""
    count = 400

    async def work(client):
        async def put(start):
            report = await client.labels.put_many(labels(count, start))
            assert report.succeeded == count

        async def get():
            for _ in range(10):
                await client.labels.get("u-1")

        async with anyio.create_task_group() as group:
            group.start_soon(put, 0)
            group.start_soon(put, count)
            group.start_soon(get)

    bucket = Bucket(burst=50, latency=0.05)
    seconds = timed(bucket, work)

    assert seconds <= AT_MOST * (2 * count + 10 - bucket.burst) / RATE
    assert bucket.too_early == 0
    assert bucket.most_running <= 32
    assert bucket.refused > 0


def test_without_a_limit_nothing_waits():
    """The gate costs a run no time that the service does not ask for."""
    count, connections, latency = 640, 32, 0.05

    async def work(client):
        assert (await client.labels.put_many(labels(count))).succeeded == count
        assert client.stats().rate is None

    bucket = Bucket(burst=10**6, latency=latency)
    assert timed(bucket, work) <= AT_MOST * count / connections * latency
    assert bucket.refused == 0
