"""
Which requests are repeated, and with what result: every endpoint, with every way to lose an answer.

`CALLS` has a row for each endpoint, `EXPECTED` the behaviour of each kind of endpoint under each fault.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from attrs import frozen
from repeating_calls import (
    APART,
    CALLS,
    DELETE,
    DOWNLOAD,
    NAMED,
    NEVER,
    READ,
    SAMPLE,
    UPLOAD,
    WRITE,
    Call,
    World,
)

from segments_async import (
    AsyncSegments,
    BulkError,
    DecodeError,
    OutcomeUnknownError,
    SegmentsError,
    ServerError,
)
from segments_async._http.transport import SlotTransport, shared_ssl_context
from segments_async._wire import routes
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

PAGE = "<html><title>Be right back</title></html>"
READ_SECONDS = 2.0
"""Seconds to wait for an answer, where the clock is real: enough for all calls at once on a busy machine."""


FAULTS: dict[str, list[dict[str, Any]]] = {
    "503 503": [{"times": 2}],
    "reset reset": [{"times": 2, "drop": "before"}],
    "reset 503": [{"drop": "before"}, {}],
    "reset after commit": [{"drop": "after"}],
    "429 date": [
        {
            "status": 429,
            "headers": {"Date": "Sun, 22 Nov 2026 07:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 07:00:07 GMT"},
        }
    ],
    "truncated": [{"drop": "middle"}],
    "html 200": [{"status": 200, "body": PAGE, "content_type": "text/html"}],
}
TIMEOUT = "timeout after sending"
TIMEOUT_FAULT = {"status": None, "stall": 30.0}


@frozen
class Expected:
    """The result of a call."""

    requests: int
    """Requests to the endpoint that gets the fault."""
    error: type[SegmentsError] | None = None
    done: bool = True
    """Whether it took effect on the server, which it does once at most."""


UNKNOWN = Expected(1, OutcomeUnknownError, done=False)
UNKNOWN_BUT_DONE = Expected(1, OutcomeUnknownError)
NOT_JSON = Expected(1, DecodeError, done=False)
ONCE, TWICE, THRICE = Expected(1), Expected(2), Expected(3)
IGNORED = Expected(1, done=False)
"""Any 2xx is a success; its body is ignored."""

_KINDS = (READ, WRITE, DELETE, NAMED, SAMPLE, NEVER, UPLOAD, DOWNLOAD)
_FAILED = Expected(1, ServerError, done=False)
EXPECTED: dict[str, dict[str, Expected]] = {
    fault: dict(zip(_KINDS, row, strict=True))
    for fault, row in {
        #                      read      write     delete    named     sample    never             upload    download
        "503 503":            (THRICE,   THRICE,   THRICE,   THRICE,   ONCE,     _FAILED,          THRICE,   THRICE),
        "reset reset":        (THRICE,   THRICE,   THRICE,   THRICE,   ONCE,     UNKNOWN,          THRICE,   THRICE),
        "reset 503":          (THRICE,   THRICE,   THRICE,   THRICE,   ONCE,     UNKNOWN,          THRICE,   THRICE),
        "reset after commit": (TWICE,    TWICE,    TWICE,    ONCE,     ONCE,     UNKNOWN_BUT_DONE, TWICE,    TWICE),
        "429 date":           (TWICE,    TWICE,    TWICE,    TWICE,    TWICE,    TWICE,            TWICE,    TWICE),
        # An answer without a body, as to a DELETE and an upload, cannot be truncated.
        "truncated":          (TWICE,    TWICE,    ONCE,     ONCE,     ONCE,     UNKNOWN_BUT_DONE, ONCE,     TWICE),
        "html 200":           (NOT_JSON, NOT_JSON, NOT_JSON, NOT_JSON, NOT_JSON, NOT_JSON,         IGNORED,  NOT_JSON),
        TIMEOUT:              (TWICE,    TWICE,    TWICE,    ONCE,     ONCE,     UNKNOWN_BUT_DONE, TWICE,    TWICE),
    }.items()
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty(sandbox: Sandbox) -> None:
    """Keep lists short."""
    sandbox.clear_faults()
    sandbox._state.datasets.clear()


WIRES = pytest.mark.parametrize(
    ("wire", "anyio_backend"),
    [
        pytest.param("slots", "asyncio", id="slots-asyncio"),
        pytest.param("slots", "trio", id="slots-trio"),
        pytest.param("aiohttp", "asyncio", id="aiohttp"),
        pytest.param("httpx", "asyncio", id="httpx"),
    ],
)


@asynccontextmanager
async def connected(sandbox: Sandbox, wire: str, clock: Any, **options: Any) -> AsyncIterator[AsyncSegments]:
    """Open a client over *wire*; at the end nothing is in flight, and no connection of the client stays open."""
    if wire == "aiohttp":
        options["transport"] = "aiohttp"
    async with AsyncExitStack() as stack:
        if wire == "httpx":
            theirs = httpx.AsyncClient(verify=shared_ssl_context())  # its own would take 40 ms
            options["http_client"] = await stack.enter_async_context(theirs)
        client = AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings, **options)
        async with client:
            yield client
            pool = client._session.pool
            stats = client.stats()
            assert (stats.in_flight, stats.waiting) == (0, 0)
            limiters = [gate.limiter for gate in pool._storage_gates.values()]
            assert {(limiter.in_flight, limiter.waiting) for limiter in limiters} <= {(0, 0)}
        if wire == "slots":
            for transport in (pool.api._transport, pool.storage._transport):
                assert isinstance(transport, SlotTransport)
                assert (transport.connections, transport._free.value) == (0, client._session.max_connections)


def strike(call: Call, world: World, fault: dict[str, Any]) -> None:
    world.sandbox.fail(call.method, call.target(world), origin=call.origin, **fault)


async def check(call: Call, world: World, expected: Expected) -> None:
    """Make the call, and compare everything with what is expected."""
    assert call.done(world) == call.before
    error: BaseException | None = None
    try:
        world.result = await call.make(world)
    except BulkError as caught:
        error = caught.__cause__
    except SegmentsError as caught:
        error = caught
    message = f"{call.name}: {error!r}"
    assert type(error) is (expected.error or type(None)), message
    assert call.requests(world) == expected.requests, message
    assert call.done(world) == (call.after if expected.done else call.before), message


def endpoints():
    """All that the package declares."""
    return {value for value in vars(routes).values() if isinstance(value, Endpoint)}


@pytest.mark.parametrize("endpoint", sorted(endpoints(), key=str), ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_has_a_row(endpoint, anyio_backend):
    """Each endpoint declares whether it may be repeated, and the table checks that."""
    template = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(endpoint.path.replace("{dataset}", "owner/flowers")))
    names = {"dataset": "owner/flowers", "uuid": "u", "issue": "i", "name": "n"}
    rows = [row for row in CALLS if row.origin == "api" and row.method == endpoint.method]
    kinds = {row.kind for row in rows if re.fullmatch(template, row.path.format(**names))}
    assert kinds
    if endpoint.repeat is Repeat.NEVER:
        assert kinds <= {NAMED, SAMPLE, NEVER}
    else:
        assert kinds - {NEVER} <= {READ, WRITE, DELETE}


@WIRES
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_repeating(sandbox, clock, tmp_path, call, fault, wire):
    """Each endpoint does what its kind demands, and leaves the server as it should be."""
    async with connected(sandbox, wire, clock) as client:
        world = World(sandbox, client, tmp_path)
        await call.prepare(world)
        sandbox.clear_calls()
        clock.slept.clear()
        for one in FAULTS[fault]:
            strike(call, world, one)

        await check(call, world, EXPECTED[fault][call.kind])

        if fault == "429 date":
            assert clock.slept == [pytest.approx(7.0, rel=0.05)]
            assert min(clock.slept) >= 7.0


@WIRES
async def test_repeating_after_a_timeout(sandbox, clock, tmp_path, wire):
    """All endpoints at once, for here time is real: the request was carried out, and its answer is too slow."""
    async with connected(sandbox, wire, clock, timeout=httpx.Timeout(30, read=READ_SECONDS)) as client:
        worlds = [World(sandbox, client.with_options(timeout=30), tmp_path) for _ in CALLS]
        for call, world in zip(CALLS, worlds, strict=True):
            await call.prepare(world)
            world.client = client
        for together in (set(CALLS) - APART, APART):
            sandbox.clear_calls()
            async with anyio.create_task_group() as group:
                for call, world in zip(CALLS, worlds, strict=True):
                    if call in together:
                        strike(call, world, TIMEOUT_FAULT)
                        group.start_soon(check, call, world, EXPECTED[TIMEOUT][call.kind])


@pytest.mark.parametrize(
    ("patience", "delays"),
    [
        pytest.param(0.5, [1.5], id="second"),
        pytest.param(1.0, [1.5, 0.6], id="first"),
    ],
)
async def test_creations_that_are_carried_out_late(sandbox, clock, tmp_path, anyio_backend, patience, delays):
    """The server handles the first request only after the client has given up, looked it up, and is sending another."""
    creations = [call for call in CALLS if call.kind in {NAMED, SAMPLE}]
    async with connected(sandbox, "slots", clock, timeout=httpx.Timeout(30, read=patience)) as client:
        worlds = [World(sandbox, client, tmp_path) for _ in creations]
        for call, world in zip(creations, worlds, strict=True):
            await call.prepare(world)
        sandbox.clear_calls()
        for call, world in zip(creations, worlds, strict=True):
            for delay in delays:
                strike(call, world, {"status": None, "delay": delay})

        async def create(call: Call, world: World) -> None:
            world.result = await call.make(world)
            with anyio.fail_after(10):
                while call.requests(world) < (1 if call.kind == SAMPLE else 2):  # noqa: ASYNC110 (another thread's)
                    await anyio.sleep(0.01)
            assert call.done(world) == call.after, call.name

        async with anyio.create_task_group() as group:
            for call, world in zip(creations, worlds, strict=True):
                group.start_soon(create, call, world)
