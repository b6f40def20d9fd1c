from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

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


@pytest.fixture
def clock() -> ManualClock:
    """Time that passes only when a client sleeps; it starts at second 1,000."""
    return ManualClock(1_000.0)


@pytest.fixture
async def patient(sandbox: Sandbox, clock: ManualClock, anyio_backend: str) -> AsyncIterator[AsyncSegments]:
    """A client of the sandbox whose waits cost no time; `clock.slept` lists them."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings) as client:
        yield client


class Guides:
    """The pages of the documentation, whose Python blocks run as they stand."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, page: str) -> str:
        return (DOCS / page).read_text(encoding="utf-8")

    def blocks(self, page: str) -> list[str]:
        return BLOCK.findall(self.text(page))

    def run(self, page: str) -> list[list[str]]:
        """Run the blocks, one after another, but for those that are tests; returns the lines that each has printed."""
        names: dict[str, Any] = {"__name__": "__main__"}
        printed = []
        for number, block in enumerate(self.blocks(page)):
            if not block.startswith("# test_"):
                source = block.replace("jane/flowers", "sandbox/flowers")
                exec(compile(source, f"{page}, Python block {number}", "exec"), names)
                printed.append(self._capsys.readouterr().out.splitlines())
        return printed


@pytest.fixture
def guides(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Guides:
    """The pages of the documentation, in an empty folder, with the sandbox as the service."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.chdir(tmp_path)
    return Guides(capsys)
