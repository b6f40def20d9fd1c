"""
pytest fixtures for tests of code that uses segments_async; docs/testing.md describes them.

pytest imports this module at every start, so other modules of this package are imported only when a test requests a
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
    """A clock that advances only on sleep or when set, for the sandbox and the client of this test."""
    from segments_async.testing import ManualClock  # noqa: PLC0415 (only if a test requests it)

    return ManualClock()


@pytest.fixture
def segments_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """An in-memory Segments.ai service on a local socket, new for each test."""
    from segments_async.sandbox import Sandbox  # noqa: PLC0415 (likewise)

    options: dict[str, Any] = {"clock": _clock(request).time} if _wants_clock(request) else {}
    with Sandbox(**options) as sandbox:
        yield sandbox


@pytest.fixture
def segments_client(request: pytest.FixtureRequest) -> AsyncSegments:
    """A client of `segments_sandbox`, for async tests with pytest-asyncio or the plugin of anyio."""
    client: AsyncSegments = request.getfixturevalue(_fixture_for(request))
    return client


@pytest.fixture
async def _segments_client_anyio(
    request: pytest.FixtureRequest,
    anyio_backend: object,  # noqa: ARG001 (makes anyio's plugin run this fixture)
) -> AsyncIterator[AsyncSegments]:
    async with _open_client(request) as client:
        yield client


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures that only pytest-asyncio can run, one for each loop scope."""
    if any(map(config.pluginmanager.hasplugin, ("asyncio", "pytest_asyncio", "pytest_asyncio.plugin"))):
        plugin = ModuleType("segments_async.asyncio")
        for scope in _LOOP_SCOPES:
            setattr(plugin, f"_segments_client_asyncio_{scope}", _asyncio_fixture(scope))
        config.pluginmanager.register(plugin, plugin.__name__)


def _asyncio_fixture(scope: _LoopScope) -> object:
    import pytest_asyncio  # noqa: PLC0415 (only if its plugin is loaded)

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
        "segments_client requires an async test: mark it with pytest.mark.asyncio or pytest.mark.anyio. In a "
        "synchronous test, create a client instead: "
        "AsyncSegments(segments_sandbox.api_key, base_url=segments_sandbox.url)."
    )


@asynccontextmanager
async def _open_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncSegments]:
    from segments_async import AsyncSegments  # noqa: PLC0415 (only if a test requests it)

    sandbox: Sandbox = request.getfixturevalue("segments_sandbox")
    options: dict[str, Any] = {"clock": _clock(request).settings} if _wants_clock(request) else {}
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, **options) as client:
        yield client


def _wants_clock(request: pytest.FixtureRequest) -> bool:
    return "segments_clock" in request.fixturenames


def _clock(request: pytest.FixtureRequest) -> ManualClock:
    clock: ManualClock = request.getfixturevalue("segments_clock")
    return clock
