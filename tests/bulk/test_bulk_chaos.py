"""
Bulk runs with random faults on a real socket: afterwards the server has each item, once.

One request in twelve meets a random fault. The seed is printed; ``CHAOS_SEED`` sets another one.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from functools import partial

import anyio
import httpx
import pytest
from bulk_checks import check_report, sample

from segments_async import AsyncSegments, Clock, LabelPut, LabelUpdate, NotFoundError, RetryPolicy, SampleUpdate
from segments_async.sandbox import Sandbox, origin

pytestmark = pytest.mark.anyio

SEED = int(os.environ.get("CHAOS_SEED", "20261124"))
SHARE = 1 / 12
"""The share of requests that meet a fault."""
SPEED = 50.0
"""The client's clock runs this many times faster, so that waits that the service asks for are short."""
READ_SECONDS = 0.3
FLOWERS = "sandbox/flowers"
STALE = "stale"
"""The server closes the connection while it is idle."""
FAULTS = {
    "429": {"status": 429},
    "429 for a second": {"status": 429, "headers": {"Retry-After": "1"}},
    "502": {"status": 502},
    "502 after it was done": {"status": 502, "handled": True},
    "reset before": {"drop": "before"},
    "reset after": {"drop": "after"},
    "cut in the middle": {"drop": "middle"},
    "half of the JSON": {"status": 200, "body": b'[{"name": "0', "handled": True},
    "slow": {"status": None, "stall": 0.05},
    "too slow": {"status": None, "stall": 2 * READ_SECONDS},
}


class Weather:
    """Replaces the fault script of a sandbox: each request gets a random fault, or none."""

    def __init__(self, sandbox, seed):
        self.chance = random.Random(seed)
        self.struck = Counter()
        self.requests = 0
        self.connections = []
        for fault in FAULTS.values():
            sandbox.fail("*", "*", times=None, **fault)
        self.faults = dict(zip(FAULTS, sandbox._faults._faults, strict=True))
        sandbox.clear_faults()

    def take(self, origin, method, path):
        self.requests += 1
        if self.chance.random() >= SHARE:
            return None
        kind = self.chance.choice([STALE, *self.faults])
        if kind == STALE:
            self.close_an_idle_one()
            return None
        self.struck[kind] += 1
        return self.faults[kind]

    def close_an_idle_one(self):
        idle = [c for c in self.connections if c.cycle is not None and c.cycle.response_complete]
        open_ones = [connection for connection in idle if not connection.transport.is_closing()]
        if open_ones:
            self.chance.choice(open_ones).transport.close()
            self.struck[STALE] += 1

    @contextmanager
    def over(self, sandbox, monkeypatch):
        """Inject the faults into *sandbox* while the block runs."""
        with monkeypatch.context() as patch:
            patch.setattr(sandbox._faults, "take", self.take)
            yield


@pytest.fixture
def weather(monkeypatch):
    """A sandbox, and the faults of its requests."""
    made = origin._Protocol.connection_made

    def connection_made(protocol, transport):
        made(protocol, transport)
        weather.connections.append(protocol)

    monkeypatch.setattr(origin._Protocol, "connection_made", connection_made)
    with Sandbox() as sandbox:
        weather = Weather(sandbox, SEED)
        yield sandbox, weather


@pytest.fixture(params=["asyncio", "trio", "aiohttp", "http_client"])
def way(request):
    """Each event loop and each transport."""
    return request.param


@pytest.fixture
def anyio_backend(way):
    return "trio" if way == "trio" else "asyncio"


@pytest.fixture
async def client(weather, way, anyio_backend):
    sandbox, _ = weather
    clock = Clock(
        monotonic=lambda: time.monotonic() * SPEED,
        sleep=lambda seconds: anyio.sleep(seconds / SPEED),
        random=random.Random(SEED).random,
    )
    connect = partial(
        AsyncSegments,
        sandbox.api_key,
        base_url=sandbox.url,
        timeout=httpx.Timeout(20, read=READ_SECONDS),
        retry=RetryPolicy(total=1e6),
        clock=clock,
        max_connections=16,
    )
    async with AsyncExitStack() as stack:
        more = {"transport": "aiohttp"} if way == "aiohttp" else {}
        if way == "http_client":
            more = {"http_client": await stack.enter_async_context(httpx.AsyncClient())}
        yield await stack.enter_async_context(connect(**more))


async def until_done(run, items, gone=()):
    """
    Run, and retry what may succeed later, until nothing is left; returns every successful outcome.

    An item that an earlier run may have done, and that this run finds *gone*, is done.
    """
    done = []
    left = items
    for turn in range(12):
        report = await run(left)
        check_report(report)
        assert (report.total, report.stopped) == (len(left), None)
        assert [outcome.item for outcome in report.results] == left
        done += [outcome for outcome in report.results if outcome.succeeded]
        expected = gone if turn else ()
        bad = [o for o in report.failures if not o.retryable and not isinstance(o.error, expected)]
        assert not bad, report.error_groups
        left = report.retry_items
        if not left:
            return done
    raise AssertionError(f"{len(left)} are left, such as {report.failures[0]}")


def box(number):
    return {"annotations": [{"id": number, "category_id": 1, "type": "bbox", "points": [[number, 2], [3, 4]]}]}


async def live_through(sandbox, weather, client, monkeypatch, count, labels, batch_size):
    """Create, label, read, change and delete; compare with the server after each."""
    items = [sample(f"{number:06}", priority=number) for number in range(count)]
    await client.with_options(timeout=20).datasets.create("flowers", task_type="bboxes")
    with weather.over(sandbox, monkeypatch):
        done = await until_done(lambda left: client.samples.create_many(FLOWERS, left, batch_size=batch_size), items)
    there = {record["name"]: record for record in sandbox.samples(FLOWERS)}
    assert len(sandbox.samples(FLOWERS)) == len(there) == count
    assert {n: (r["attributes"], r["priority"]) for n, r in there.items()} == {
        item["name"]: (item["attributes"], item["priority"]) for item in items
    }
    assert {outcome.key: outcome.uuid for outcome in done} == {name: r["uuid"] for name, r in there.items()}
    assert len(done) == count

    uuids = [there[item["name"]]["uuid"] for item in items[:labels]]
    with weather.over(sandbox, monkeypatch):
        puts = [LabelPut(uuid, box(number)) for number, uuid in enumerate(uuids)]
        await until_done(client.labels.put_many, puts)
    assert {uuid: label["attributes"] for uuid, label in sandbox.labels(FLOWERS).items()} == {
        uuid: box(number) for number, uuid in enumerate(uuids)
    }

    few = uuids[: labels // 4]
    rest = [there[item["name"]]["uuid"] for item in items[labels : labels + len(few)]]
    with weather.over(sandbox, monkeypatch):
        await until_done(client.labels.update_many, [LabelUpdate(uuid, score=0.5) for uuid in few])
        await until_done(client.samples.update_many, [SampleUpdate(uuid, readme=uuid) for uuid in few])
        got = await until_done(client.labels.get_many, [*few, *rest])
        await until_done(client.labels.delete_many, uuids[-len(few) :], gone=NotFoundError)
        await until_done(lambda left: client.samples.delete_many(FLOWERS, left, batch_size=20), rest)
    assert {o.uuid: o.value and (o.value.attributes.annotations[0].id, o.value.score) for o in got} == {
        **{uuid: (number, 0.5) for number, uuid in enumerate(few)},
        **dict.fromkeys(rest),
    }
    assert {r["uuid"]: r["readme"] for r in sandbox.samples(FLOWERS) if r["readme"]} == dict(zip(few, few, strict=True))
    assert set(sandbox.labels(FLOWERS)) == set(uuids[: labels - len(few)])
    assert {record["uuid"] for record in sandbox.samples(FLOWERS)} == {
        record["uuid"] for record in there.values()
    } - set(rest)


@pytest.mark.slow
@pytest.mark.parametrize(("batch_size", "count", "labels"), [(25, 2000, 500), (1, 200, 50)])
async def test_chaos(weather, client, monkeypatch, batch_size, count, labels):
    """A tenth of it, at every run."""
    sandbox, faults = weather
    print(f"CHAOS_SEED={SEED}")  # noqa: T201 (shown if the test fails)
    await live_through(sandbox, faults, client, monkeypatch, count, labels, batch_size)
    assert sum(faults.struck.values()) > faults.requests * SHARE / 3


@pytest.mark.full
@pytest.mark.parametrize("batch_size", [25, 1])
async def test_chaos_in_full(weather, client, monkeypatch, batch_size):
    """20,000 samples and 5,000 labels."""
    sandbox, faults = weather
    print(f"CHAOS_SEED={SEED}")  # noqa: T201 (shown if the test fails)
    await live_through(sandbox, faults, client, monkeypatch, 20_000, 5_000, batch_size)
    assert set(faults.struck) == {STALE, *FAULTS}
    assert 0.05 <= sum(faults.struck.values()) / faults.requests <= 0.1
