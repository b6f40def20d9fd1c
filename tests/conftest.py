from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio.lowlevel
import pytest
from hypothesis import settings

from segments_async import AsyncSegments, Clock
from segments_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# The same examples at every run of CI, so that it fails only for a change; new ones at every run elsewhere.
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("local", max_examples=50, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run a test marked ``anyio`` on both event loops."""
    return str(request.param)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The service in memory, on a real socket, in a thread of its own."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox, anyio_backend: str) -> AsyncIterator[AsyncSegments]:
    """A client of the sandbox, for tests marked ``anyio``; its waits are real and short."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        yield client


class FakeClock:
    """Time that passes only when somebody sleeps; `slept` tells how long, `settings` is for the client."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        self.jitter = 0.5
        self.settings = Clock(
            monotonic=lambda: self.now, sleep=self.sleep, time=lambda: self.now, random=lambda: self.jitter
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def patient(sandbox: Sandbox, clock: FakeClock, anyio_backend: str) -> AsyncIterator[AsyncSegments]:
    """A client of the sandbox whose waits cost no time; `clock.slept` lists them."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings) as client:
        yield client
