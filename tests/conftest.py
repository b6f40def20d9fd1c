from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from waiting import listens, wait_until

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# The same examples at every run of CI, so that it fails only for a change; new ones at every run elsewhere.
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("local", max_examples=50, deadline=None)
if threading.current_thread() is threading.main_thread():
    # A job in the background of a shell ignores SIGINT, and so would the processes that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis of its own, without files; tests that need one are skipped where there is none."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip("there is no redis-server")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = ["--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([command, *options], stdout=subprocess.DEVNULL) as server:
        wait_until(lambda: server.poll() is not None or listens(port))
        yield f"redis://127.0.0.1:{port}/0"
        server.kill()


@pytest.fixture
def closed_port() -> int:
    """A port of this machine without a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


PYTEST_INI = "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
BOTH_LOOPS = """
import pytest

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param
"""


@pytest.fixture(scope="session")
def imported_client() -> None:
    """Import all modules of a client before `pytester` starts, which removes later ones: two copies would exist."""
    AsyncSegments("key", base_url="http://127.0.0.1:1")


@pytest.fixture
def run_pytest(imported_client: None, pytester: pytest.Pytester) -> Callable[..., tuple[dict[str, int], str]]:
    """``run_pytest({"test_it.py": source})``: run a project; returns the outcomes of its tests, and the output."""
    installed = any(point.value == "segments_async.pytest_plugin" for point in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", "segments_async.pytest_plugin")
    pytester.syspathinsert(Path(__file__).parents[1])

    def run(files: dict[str, str], *arguments: str, ini: str = PYTEST_INI) -> tuple[dict[str, int], str]:
        pytester.makeini(ini)
        for name, source in {"conftest.py": BOTH_LOOPS, **files}.items():
            (pytester.path / name).write_text(source, encoding="utf-8")
        result = pytester.runpytest_inprocess(*plugin, "-p", "no:cacheprovider", *arguments)
        return result.parseoutcomes(), str(result.stdout)

    return run
