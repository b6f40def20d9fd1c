"""
Fixtures for tests of code that uses segments_async: docs/testing.md tells what they do.

pytest imports this at every start, so nothing but the lazy package around it is imported before a test asks for a
fixture.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from segments_async import AsyncSegments
    from segments_async.sandbox import Sandbox
    from segments_async.testing import ManualClock

_LoopScope = Literal["function", "class", "module", "package", "session"]
_LOOP_SCOPES: tuple[_LoopScope, ...] = get_args(_LoopScope)


@pytest.fixture
def segments_clock() -> ManualClock:
    """Time that passes when somebody sleeps or the test says so, for the sandbox and the client of this test."""
    from segments_async.testing import ManualClock  # noqa: PLC0415 (not before a test asks)

    return ManualClock()


@pytest.fixture
def segments_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The Segments.ai service in memory, on a socket of this machine, new for each test."""
    from segments_async.sandbox import Sandbox  # noqa: PLC0415 (likewise)

    options: dict[str, Any] = {"clock": _clock(request).time} if _wants_clock(request) else {}
    with Sandbox(**options) as sandbox:
        yield sandbox


@pytest.fixture
def segments_client(request: pytest.FixtureRequest) -> AsyncSegments:
    """A client of `segments_sandbox`, for async tests under pytest-asyncio or the plugin of anyio."""
    client: AsyncSegments = request.getfixturevalue(_fixture_for(request))
    return client


@pytest.fixture
async def _segments_client_anyio(
    request: pytest.FixtureRequest,
    anyio_backend: object,  # noqa: ARG001 (what has anyio's plugin run this)
) -> AsyncIterator[AsyncSegments]:
    async with _open_client(request) as client:
        yield client


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures that only pytest-asyncio can run, one for each kind of loop that it has."""
    if any(map(config.pluginmanager.hasplugin, ("asyncio", "pytest_asyncio", "pytest_asyncio.plugin"))):
        plugin = ModuleType("segments_async.asyncio")
        for scope in _LOOP_SCOPES:
            setattr(plugin, f"_segments_client_asyncio_{scope}", _asyncio_fixture(scope))
        config.pluginmanager.register(plugin, plugin.__name__)


def _asyncio_fixture(scope: _LoopScope) -> object:
    import pytest_asyncio  # noqa: PLC0415 (its plugin is loaded, so this costs nothing)

    @pytest_asyncio.fixture(loop_scope=scope)
    async def open_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncSegments]:
        async with _open_client(request) as client:
            yield client

    return open_client


def _fixture_for(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        return "_segments_client_anyio"
    asyncio = request.node.get_closest_marker("asyncio")
    if asyncio is not None and request.config.pluginmanager.hasplugin("segments_async.asyncio"):
        default = request.config.getini("asyncio_default_test_loop_scope")
        scope = asyncio.kwargs.get("loop_scope") or asyncio.kwargs.get("scope") or default or "function"
        return f"_segments_client_asyncio_{scope}"
    raise pytest.UsageError(
        "segments_client is for async tests: mark this one with pytest.mark.asyncio or pytest.mark.anyio. In any other "
        "make a client where it is used: AsyncSegments(segments_sandbox.api_key, base_url=segments_sandbox.url)."
    )


@asynccontextmanager
async def _open_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncSegments]:
    from segments_async import AsyncSegments  # noqa: PLC0415 (not before a test asks)

    sandbox: Sandbox = request.getfixturevalue("segments_sandbox")
    options: dict[str, Any] = {"clock": _clock(request).settings} if _wants_clock(request) else {}
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, **options) as client:
        yield client


def _wants_clock(request: pytest.FixtureRequest) -> bool:
    return "segments_clock" in request.fixturenames


def _clock(request: pytest.FixtureRequest) -> ManualClock:
    clock: ManualClock = request.getfixturevalue("segments_clock")
    return clock
