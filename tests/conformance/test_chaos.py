"""
A client under random faults and cancellations, for some time, on a real socket; then the faults end.

Faults, calls and cancellations are drawn from a seed, which is printed; ``CHAOS_SEED`` sets another one.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio
from attrs import Factory, define

from segments_async import (
    AsyncSegments,
    Clock,
    DecodeError,
    ListChangedError,
    RateLimitError,
    ServerError,
    TransportError,
)
from segments_async._http.transport import SlotTransport
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

SEED = int(os.environ.get("CHAOS_SEED", "20261122"))
SECONDS = 10.0
FULL_SECONDS = 300.0
ROUND_SECONDS, FULL_ROUND_SECONDS = 1.5, 8.0
"""Seconds of a round, at whose end the faults stop and everything is checked."""

CONNECTIONS = 8
WORKERS = 3 * CONNECTIONS
SPEED = 20.0
"""The client's clock runs this many times faster, so that waits that the service asks for are short."""
READ_SECONDS = 0.15
SLOWEST = 0.3
PATIENT = 20.0
MAX_GROWTH = 2_000_000

PAGE = "<html><title>Be right back</title></html>"
LOSSES = (ServerError, RateLimitError, TransportError, DecodeError)
"""The errors that a call may end with under these faults."""


def a_fault(chance: random.Random) -> dict[str, Any]:
    """Draw a random fault."""
    method = chance.choice(["*", "*", "GET", "POST", "PUT"])
    faults: list[dict[str, Any]] = [
        {"status": 429},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"status": 503, "headers": {"Retry-After": "1"}},
        {"status": chance.choice([500, 502, 503])},
        {"status": 502, "handled": True},
        {"drop": "before"},
        {"drop": "after"},
        {"drop": "middle"},
        {"status": None, "delay": chance.uniform(0, SLOWEST)},
        {"status": None, "stall": chance.uniform(0, SLOWEST)},
    ]
    fault = {"method": method, "path": "*", **chance.choice(faults)}
    if chance.random() < 0.15:
        fault["origin"] = "storage"
    elif chance.random() < 0.15:
        # Of an answer to a DELETE, and of one from storage, only the status is looked at.
        fault = {"method": "GET" if method == "*" else method, "path": "*", "status": 200, "body": PAGE}
    return fault


async def blow(sandbox: Sandbox, chance: random.Random) -> None:
    """Inject new faults all the time, and sometimes all at once."""
    while True:
        sandbox.clear_faults()
        for _ in range(8):
            sandbox.fail(**a_fault(chance), skip=chance.randrange(12), times=chance.randint(1, 2))
        if chance.random() < 0.1:
            sandbox.fail("*", "*", status=chance.choice([429, 500, 503]), times=None)
        await anyio.sleep(0.05)


def image(name: str) -> dict[str, Any]:
    return {"image": {"url": f"https://example.com/{name}.jpg"}}


def box(number: int) -> dict[str, Any]:
    return {
        "format_version": "0.1",
        "annotations": [{"id": number, "category_id": 1, "type": "bbox", "points": [[number, 2], [3, 4]]}],
    }


@define
class Round:
    """Calls of all kinds in one dataset, and the results that the client reported."""

    sandbox: Sandbox
    client: AsyncSegments
    name: str
    uuids: list[str] = Factory(list)
    """Samples that nothing was written to yet; each is written to once, so that a late request does no harm."""
    names: dict[str, str] = Factory(dict)
    """Their names."""
    number: int = 0
    samples: dict[str, Any] = Factory(dict)
    """Attributes by name, of samples that were created."""
    labels: dict[str, Any] = Factory(dict)
    priorities: dict[str, int] = Factory(dict)
    deleted: set[str] = Factory(set)
    releases: set[str] = Factory(set)
    uploads: dict[str, bytes] = Factory(dict)
    """Contents by the URL of the asset."""
    ended: int = 0
    lost: int = 0
    cancelled: int = 0

    @property
    def dataset(self) -> str:
        return f"sandbox/{self.name}"

    def next(self) -> int:
        self.number += 1
        return self.number

    async def prepare(self, samples: int) -> None:
        calm = self.client.with_options(timeout=PATIENT)
        await calm.datasets.create(self.name, task_type="vector")
        names = [f"first-{number}" for number in range(samples)]
        report = await calm.samples.create_many(
            self.dataset, [{"name": name, "attributes": image(name)} for name in names]
        )
        report.raise_if_failed()
        self.samples = {name: image(name) for name in names}
        self.names = {str(outcome.uuid): str(outcome.key) for outcome in report.results}
        self.uuids = list(self.names)

    # Each of these makes one call, and records the result that the client reports.
    async def create(self) -> None:
        name = f"single-{self.next()}"
        sample = await self.client.samples.create(self.dataset, name, image(name))
        assert sample.name == name
        self.samples[name] = image(name)

    async def create_many(self) -> None:
        names = [f"bulk-{self.next()}" for _ in range(12)]
        report = await self.client.samples.create_many(
            self.dataset, [{"name": name, "attributes": image(name)} for name in names], batch_size=4
        )
        assert report.total == len(names)
        self.samples |= {o.key: image(o.key) for o in report.results if o.key and o.succeeded}
        self.lost += report.total - report.succeeded

    async def upload_files(self) -> None:
        files = {f"file-{self.next()}.png": b"%d" % self.number for _ in range(3)}
        report = await self.client.samples.upload_files(self.dataset, list(files.items()))
        for outcome in report.results:
            if outcome.value is not None:
                url = outcome.value.attributes.image.url
                self.samples[outcome.value.name] = {"image": {"url": url}}
                self.uploads[url] = files[outcome.value.name]
        self.lost += report.total - report.succeeded

    async def put(self) -> None:
        uuid, label = self.uuids.pop(), box(self.next())
        await self.client.labels.put(uuid, "ground-truth", label)
        self.labels[uuid] = label

    async def put_many(self) -> None:
        labels = {self.uuids.pop(): box(self.next()) for _ in range(6)}
        report = await self.client.labels.put_many(
            {"sample_uuid": uuid, "attributes": label} for uuid, label in labels.items()
        )
        self.labels |= {o.uuid: labels[o.uuid] for o in report.results if o.uuid and o.succeeded}
        self.lost += report.total - report.succeeded

    async def update(self) -> None:
        uuid, priority = self.uuids.pop(), self.next()
        await self.client.samples.update(uuid, priority=priority)
        self.priorities[uuid] = priority

    async def delete(self) -> None:
        uuid = self.uuids.pop()
        # It may have been deleted although the call was cancelled or its answer lost.
        del self.samples[self.names[uuid]]
        await self.client.samples.delete(uuid)
        self.deleted.add(uuid)

    async def release(self) -> None:
        name = f"v{self.next()}"
        await self.client.releases.create(self.dataset, name)
        self.releases.add(name)

    async def upload(self) -> None:
        content = b"%d" % self.next()
        asset = await self.client.assets.upload(content, "violet.png")
        self.uploads[asset.url] = content

    async def read(self) -> None:
        assert (await self.client.datasets.get(self.dataset)).name == self.name

    async def list(self) -> None:
        with suppress(ListChangedError):  # the other workers create samples meanwhile
            names = [sample.name async for sample in self.client.samples.list(self.dataset, per_page=200, lookahead=2)]
            assert "first-0" in names

    async def look(self) -> None:
        assert (await self.client.request("GET", "/user"))["username"] == "sandbox"

    async def post(self) -> None:
        name = f"posted-{self.next()}"
        body = {"name": name, "attributes": image(name)}
        await self.client.request("POST", f"/datasets/{self.dataset}/samples/", json=body)
        self.samples[name] = image(name)

    async def work(self, chance: random.Random, deadline: float) -> None:
        """Make calls; some are cancelled at a random moment."""
        single: list[Callable[[], Awaitable[None]]] = [
            self.create, self.put, self.update, self.delete, self.upload, self.read, self.look, self.look, self.post,
        ]  # fmt: skip
        rare: list[Callable[[], Awaitable[None]]] = [
            self.create_many, self.put_many, self.upload_files, self.release, self.list,
        ]  # fmt: skip
        while time.monotonic() < deadline:
            call = chance.choice(rare if chance.random() < 0.15 else single)
            if len(self.uuids) < WORKERS * 6:
                call = chance.choice([self.create, self.look, self.create_many])
            try:
                await self._disturbed(call, chance)
            except LOSSES:
                self.lost += 1
            self.ended += 1

    async def _disturbed(self, call: Callable[[], Awaitable[None]], chance: random.Random) -> None:
        patience = chance.random() * 0.2
        dice = chance.random()
        if dice > 0.35:
            await call()
        elif dice > 0.15 or not is_asyncio():
            with anyio.move_on_after(patience) as scope:
                await call()
            self.cancelled += scope.cancelled_caught
        else:
            task = asyncio.ensure_future(call())
            await asyncio.wait([task], timeout=patience)
            task.cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
                task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                self.cancelled += 1

    async def check(self) -> None:
        """Compare what the client reported with what the server has, once late requests are done."""
        await anyio.sleep(2 * SLOWEST)
        there = self.sandbox.samples(self.dataset)
        by_name = {sample["name"]: sample for sample in there}
        by_uuid = {sample["uuid"]: sample for sample in there}
        assert len(by_name) == len(by_uuid) == len(there), "a name exists twice"
        for name, attributes in self.samples.items():
            assert by_name[name]["attributes"] == attributes, name
        for uuid, label in self.labels.items():
            found = self.sandbox.label(uuid)
            assert found is not None, uuid
            assert found["attributes"] == label
        for uuid, priority in self.priorities.items():
            assert by_uuid[uuid]["priority"] == priority
        assert not self.deleted & set(by_uuid)
        releases = [release["name"] for release in self.sandbox.releases(self.dataset)]
        assert len(set(releases)) == len(releases)
        assert self.releases <= set(releases)
        assets = self.sandbox.assets()
        for url, content in self.uploads.items():
            assert assets[url] == content


def is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def tasks() -> int:
    """Tasks that are alive now."""
    return len(asyncio.all_tasks()) if is_asyncio() else trio.lowlevel.current_statistics().tasks_living


def sockets() -> int:
    """Count the open sockets of this process, the server's included; 0 where that is unknown."""
    count, folder = 0, Path("/proc/self/fd")
    for link in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # it has been closed since
            count += str(link.readlink()).startswith("socket:")
    return count


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the other thread, or the loop, does later."""
    with anyio.move_on_after(PATIENT):
        while not condition():  # noqa: ASYNC110 (the server is in another thread)
            await anyio.sleep(0.01)
    assert condition(), what


async def recover(client: AsyncSegments) -> None:
    """The client has recovered: a full pool of calls succeeds at once, and the limit rises again."""
    calm = client.with_options(timeout=PATIENT)

    async def call() -> None:
        assert (await calm.request("GET", "/user"))["username"] == "sandbox"

    with anyio.fail_after(PATIENT):
        for _ in range(20):
            async with anyio.create_task_group() as group:
                for _ in range(CONNECTIONS):
                    group.start_soon(call)
    pool = client._session.pool
    stats = client.stats()
    assert (stats.in_flight, stats.waiting) == (0, 0)
    assert stats.limit >= 0.8 * CONNECTIONS
    limiters = [gate.limiter for gate in pool._storage_gates.values()]
    assert {(limiter.in_flight, limiter.waiting) for limiter in limiters} <= {(0, 0)}
    for transport in (pool.api._transport, pool.storage._transport):
        assert isinstance(transport, SlotTransport)
        assert transport._free.value == CONNECTIONS
        assert transport.connections <= CONNECTIONS


@asynccontextmanager
async def weather(sandbox: Sandbox, chance: random.Random) -> AsyncIterator[None]:
    """Inject faults while the block runs."""
    async with anyio.create_task_group() as group:
        group.start_soon(blow, sandbox, chance)
        try:
            yield
        finally:
            group.cancel_scope.cancel()
    sandbox.clear_faults()


async def endure(sandbox: Sandbox, seconds: float, round_seconds: float, seed: int) -> None:
    """Use a client under faults for *seconds*, in rounds; check that it recovers after each and leaves nothing."""
    print(f"CHAOS_SEED={seed}")  # noqa: T201 (shown if the test fails)
    tasks_before, sockets_before = tasks(), sockets()
    clock = Clock(
        monotonic=lambda: time.monotonic() * SPEED,
        sleep=lambda seconds: anyio.sleep(seconds / SPEED),
        random=random.Random(seed).random,
    )
    ended = lost = cancelled = 0
    started = time.monotonic()
    async with AsyncSegments(
        sandbox.api_key,
        base_url=sandbox.url,
        max_connections=CONNECTIONS,
        timeout=httpx.Timeout(PATIENT, read=READ_SECONDS),
        clock=clock,
    ) as client:
        number = 0
        while number < 2 or time.monotonic() - started < seconds - round_seconds:
            number += 1
            now = Round(sandbox, client, f"flowers-{number}")
            await now.prepare(samples=int(250 * round_seconds))
            deadline = time.monotonic() + round_seconds
            chance = random.Random(f"{seed} weather {number}")
            with anyio.fail_after(round_seconds + PATIENT):  # no call hangs
                async with weather(sandbox, chance), anyio.create_task_group() as group:
                    for worker in range(WORKERS):
                        group.start_soon(now.work, random.Random(f"{seed} {number} {worker}"), deadline)
            await now.check()
            await recover(client)
            ended, lost, cancelled = ended + now.ended, lost + now.lost, cancelled + now.cancelled
            del now
            forget(sandbox)
            if time.monotonic() - started > seconds * 0.4 and not tracemalloc.is_tracing():
                gc.collect()
                tracemalloc.start()
        gc.collect()
        growth, _ = tracemalloc.get_traced_memory()  # of what was made since the middle, and is still there
        assert growth < MAX_GROWTH
        stats = client.stats()
    print(f"{number} rounds, {ended} calls, {lost} lost, {cancelled} cancelled, {growth:,} bytes more; {stats}")  # noqa: T201
    for transport in (client._session.pool.api._transport, client._session.pool.storage._transport):
        assert (transport.connections, transport._free.value) == (0, CONNECTIONS)
    await until(lambda: sockets() <= sockets_before, "a connection is left")
    await until(lambda: tasks() <= tasks_before, "a task is left")
    assert min(ended, cancelled, stats.retries) > 0, "this was no chaos"


def forget(sandbox: Sandbox) -> None:
    """Empty the server, whose memory is this process's."""
    sandbox.clear_calls()
    sandbox._state.datasets.clear()
    sandbox._state.samples.clear()
    sandbox._store.objects.clear()


@pytest.fixture(autouse=True)
def _no_tracing():
    yield
    tracemalloc.stop()


@pytest.fixture(autouse=True)
def _no_records(caplog):
    """pytest keeps what is logged, and with it errors and the data in their frames, which would look like a leak."""
    caplog.set_level(logging.ERROR, logger="segments_async")


@pytest.mark.slow
async def test_chaos(sandbox, anyio_backend):
    """Seconds of it, at every run."""
    await endure(sandbox, SECONDS, ROUND_SECONDS, SEED)


@pytest.mark.full
async def test_chaos_for_long(sandbox, anyio_backend):
    """Minutes of chaos, to be run before a release."""
    await endure(sandbox, FULL_SECONDS, FULL_ROUND_SECONDS, SEED)
