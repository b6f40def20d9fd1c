"""The four ways in which a client sends requests, and bounds for how long a test may take."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpx
import pytest

from segments_async import AsyncSegments, RetryPolicy

WIRES = pytest.mark.parametrize(
    ("wire", "anyio_backend"),
    [
        pytest.param("slots", "asyncio", id="slots-asyncio"),
        pytest.param("slots", "trio", id="slots-trio"),
        pytest.param("aiohttp", "asyncio", id="aiohttp"),
        pytest.param("httpx", "asyncio", id="httpx"),
    ],
)
"""Run a test over each: our transport on both event loops, aiohttp, and a client of httpx that the caller made."""

OWN_WIRES = pytest.mark.parametrize(("wire", "anyio_backend"), WIRES.args[1][:3])
"""All but the caller's own client of httpx, where something is not ours to decide."""

QUICK = RetryPolicy(base=0, cap=0)
"""Three attempts, one right after the other."""
ONCE = RetryPolicy(attempts=1, bulk_attempts=1)
"""Nothing is sent again."""

KEY = "k3y-0f-jane-123456"


@asynccontextmanager
async def connected(wire: str, base_url: str, **options: Any) -> AsyncIterator[AsyncSegments]:
    """
    Open a client of *base_url* over *wire*, by default a quick one; at the end nothing is in flight.

    Args:
        wire: One of those in `WIRES`.
        base_url: The service.
        options: More arguments of `AsyncSegments`.
    """
    options = {"retry": QUICK, "api_key": KEY, **options}
    async with AsyncExitStack() as stack:
        if wire == "aiohttp":
            options["transport"] = "aiohttp"
        elif wire == "httpx":
            # Authorities are read where a test names its own; all those of the system would take 40 ms.
            theirs = httpx.AsyncClient(verify="SSL_CERT_FILE" in os.environ)
            options["http_client"] = await stack.enter_async_context(theirs)
        client = await stack.enter_async_context(AsyncSegments(base_url=base_url, **options))
        yield client
        stats = client.stats()
        assert (stats.in_flight, stats.waiting) == (0, 0)


PATIENCE = 3
"""How many times slower than usual a shared machine may be; the failures that these tests look for never end."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail the test if the block takes longer than *seconds*, times `PATIENCE`, whether it waits or computes."""
    seconds *= PATIENCE
    started = time.monotonic()
    with anyio.move_on_after(seconds) as scope:
        yield
    took = time.monotonic() - started
    if scope.cancelled_caught:
        pytest.fail(f"not over after {seconds:g} s; cancelled, which took {took - seconds:.1f} s")
    assert took <= seconds, f"took {took:.1f} s instead of {seconds:g} s at most"
