"""One rival in a process of its own: put labels with so many at a time, and print what a request cost."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.bare_server import LABEL

UUID = LABEL["sample_uuid"]
ATTRIBUTES = LABEL["attributes"]
WARM_UP = 100
Put = Callable[[], Awaitable[object]]


async def in_tasks(put: Put, requests: int, concurrency: int) -> None:
    """Call *put* so often, from so many tasks."""
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            await put()

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def ours(url: str, requests: int, concurrency: int) -> float:
    """Run this client."""
    from segments_async import AsyncSegments

    async with AsyncSegments("key", base_url=url, max_connections=concurrency) as client:

        async def put() -> None:
            label = await client.labels.put(UUID, "ground-truth", ATTRIBUTES, score=0.9254)
            assert label.score == LABEL["score"]

        return await timed(put, requests, concurrency)


async def over(client: httpx.AsyncClient, url: str, requests: int, concurrency: int) -> float:
    """Run a bare httpx client, which does no more than send JSON and read JSON."""
    target = f"{url}/labels/{UUID}/ground-truth/"
    body = {"attributes": ATTRIBUTES, "label_status": "PRELABELED", "score": 0.9254}

    async def put() -> None:
        response = await client.put(target, json=body, headers={"Authorization": "APIKey key"})
        assert response.json()["score"] == LABEL["score"]

    async with client:
        return await timed(put, requests, concurrency)


async def stock(url: str, requests: int, concurrency: int) -> float:
    """Run httpx as it comes, with its limits raised to the concurrency."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    return await over(httpx.AsyncClient(limits=limits, timeout=60), url, requests, concurrency)


async def slots(url: str, requests: int, concurrency: int) -> float:
    """Run a bare httpx client on our transport."""
    from segments_async._transport import SlotTransport

    client = httpx.AsyncClient(transport=SlotTransport(concurrency), timeout=60)
    return await over(client, url, requests, concurrency)


async def timed(put: Put, requests: int, concurrency: int) -> float:
    """CPU seconds of this process for a request, once warm."""
    await in_tasks(put, WARM_UP, concurrency)
    before = time.process_time()
    await in_tasks(put, requests, concurrency)
    return (time.process_time() - before) / requests


def official(url: str, requests: int, concurrency: int) -> float:
    """Run the official SDK, one client for all threads as its users have it."""
    from segments import SegmentsClient

    client = SegmentsClient("key", url)

    def put(_: int) -> None:
        label = client.add_label(UUID, "ground-truth", ATTRIBUTES, score=0.9254)
        assert label.score == LABEL["score"]

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(put, range(WARM_UP)))
        before = time.process_time()
        list(pool.map(put, range(requests)))
        return (time.process_time() - before) / requests


ASYNC = {"ours": ours, "stock httpx": stock, "httpx on slots": slots}

if __name__ == "__main__":
    rival, url, requests, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if rival == "official SDK":
        cost = official(url, requests, concurrency)
    else:
        cost = asyncio.run(ASYNC[rival](url, requests, concurrency))
    print(json.dumps({"cpu_seconds": cost}))
