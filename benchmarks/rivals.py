"""Competing clients: each function makes *requests* calls over *connections* connections and returns the cost."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import httpx
from attrs import frozen

from benchmarks.payloads import DATASET, LABEL, SCORE, UUID, VECTOR, new_sample
from benchmarks.stopwatch import Run, measure_tasks, measure_threads
from segments_async import AsyncSegments

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 60.0
SAMPLE = new_sample(0)
KEY = {"Authorization": "APIKey key"}


@frozen
class Action:
    """A call on the wire, and a field that its response must contain."""

    method: str
    path: str
    body: dict[str, Any]
    expected: tuple[str, object]

    def check(self, result: Any) -> None:
        """Assert that *result*, JSON or a model, contains the expected field."""
        name, value = self.expected
        assert (result[name] if isinstance(result, dict) else getattr(result, name)) == value


ACTIONS = {
    "put": Action(
        "PUT",
        f"/labels/{UUID}/ground-truth/",
        {"attributes": VECTOR, "label_status": LABEL["label_status"], "score": SCORE},
        ("score", SCORE),
    ),
    "create": Action("POST", f"/datasets/{DATASET}/samples/", SAMPLE, ("name", SAMPLE["name"])),
}


def ours(url: str, action: str, requests: int, connections: int, transport: Literal["aiohttp"] | None = None) -> Run:
    """Run this package's client."""

    async def run() -> Run:
        async with AsyncSegments("key", base_url=url, max_connections=connections, transport=transport) as client:

            async def put() -> None:
                ACTIONS[action].check(await client.labels.put(UUID, "ground-truth", VECTOR, score=SCORE))

            async def create() -> None:
                ACTIONS[action].check(await client.samples.create(DATASET, **SAMPLE))

            call = {"put": put, "create": create}[action]
            return await measure_tasks(call, url, requests, connections)

    return asyncio.run(run())


def official(url: str, action: str, requests: int, connections: int) -> Run:
    """Run the official SDK, with one client for all threads, as its users do."""
    from segments import SegmentsClient

    client = SegmentsClient("key", url)
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: client.add_label(UUID, "ground-truth", VECTOR, score=SCORE),
        "create": lambda: client.add_sample(DATASET, **SAMPLE),
    }
    return measure_threads(lambda: ACTIONS[action].check(calls[action]()), url, requests, connections)


def stock(url: str, action: str, requests: int, connections: int) -> Run:
    """Run plain httpx, with its limits raised to the number of connections."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return _plain(lambda: httpx.AsyncClient(limits=limits, timeout=TIMEOUT), url, action, requests, connections)


def httpx2(url: str, action: str, requests: int, connections: int) -> Run:
    """Run httpx2, configured like httpx."""
    module = import_module("httpx2")
    limits = module.Limits(max_connections=connections, max_keepalive_connections=connections)
    return _plain(lambda: module.AsyncClient(limits=limits, timeout=TIMEOUT), url, action, requests, connections)


def slots(url: str, action: str, requests: int, connections: int) -> Run:
    """Run a bare httpx client on our transport."""
    from segments_async._http.transport import SlotTransport

    transport = SlotTransport(connections)
    return _plain(lambda: httpx.AsyncClient(transport=transport, timeout=TIMEOUT), url, action, requests, connections)


def over_aiohttp(url: str, action: str, requests: int, connections: int) -> Run:
    """Run httpx over aiohttp."""
    from httpx_aiohttp import HttpxAiohttpClient

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return _plain(lambda: HttpxAiohttpClient(limits=limits, timeout=TIMEOUT), url, action, requests, connections)


def bare_aiohttp(url: str, action: str, requests: int, connections: int) -> Run:
    """Run plain aiohttp, which only sends and reads JSON: the lower bound of the cost."""
    import aiohttp

    spec = ACTIONS[action]

    async def run() -> Run:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

            async def call() -> None:
                async with session.request(spec.method, url + spec.path, json=spec.body, headers=KEY) as response:
                    spec.check(await response.json())

            return await measure_tasks(call, url, requests, connections)

    return asyncio.run(run())


def _plain(make: Callable[[], Any], url: str, action: str, requests: int, connections: int) -> Run:
    """Run a client with the interface of httpx, which only sends and reads JSON."""
    spec = ACTIONS[action]

    async def run() -> Run:
        async with make() as client:

            async def call() -> None:
                response = await client.request(spec.method, url + spec.path, json=spec.body, headers=KEY)
                spec.check(response.json())

            return await measure_tasks(call, url, requests, connections)

    return asyncio.run(run())
