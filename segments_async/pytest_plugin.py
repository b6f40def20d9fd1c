"""
pytest fixtures for tests of code that uses segments_async; docs/testing.md describes them.

pytest imports this module at every start, in every project of an environment. It therefore has no hooks, imports
nothing else of this package, and registers only synchronous fixtures. Everything else happens when a test requests a
fixture.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from segments_async import AsyncSegments
    from segments_async.sandbox import Sandbox
    from segments_async.testing import ManualClock

_LoopScope = Literal["function", "class", "module", "package", "session"]

_MIN_ASYNCIO = (0, 21)
_LATE_FIXTURES = (1, 1)
"""The first pytest-asyncio that runs async fixtures which are registered during a run."""


@pytest.fixture
def segments_clock(request: pytest.FixtureRequest) -> Iterator[ManualClock]:
    """A clock that advances only on sleep or when set, for the sandbox and the client of this test."""
    from segments_async.testing import ManualClock  # noqa: PLC0415 (only if a test requests it)

    clock = ManualClock()
    if not _is_shared(request, "segments_sandbox"):
        yield clock
        return
    sandbox: Sandbox = request.getfixturevalue("segments_sandbox")
    before, sandbox.clock = sandbox.clock, clock.time
    try:
        yield clock
    finally:
        sandbox.clock = before


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
    if "anyio_backend" in request.fixturenames:
        return _fixture_value(request, "_segments_client_anyio", _anyio_fixture)
    marker = request.node.get_closest_marker("asyncio")
    if marker is not None and request.config.pluginmanager.hasplugin("asyncio"):
        installed = _release("pytest-asyncio")
        if installed >= _LATE_FIXTURES:
            scope = _loop_scope(request, marker)
            return _fixture_value(request, f"_segments_client_asyncio_{scope}", lambda: _asyncio_fixture(scope))
        if installed >= _MIN_ASYNCIO:
            return _client_on(_loop_of(request), request)
        raise pytest.UsageError(
            f"segments_client requires pytest-asyncio 0.21 or newer, not {version('pytest-asyncio')}; update it, or "
            "create a client: AsyncSegments(segments_sandbox.api_key, base_url=segments_sandbox.url)."
        )
    raise pytest.UsageError(
        "segments_client requires an async test: mark it with pytest.mark.asyncio or pytest.mark.anyio. In a "
        "synchronous test, create a client instead: "
        "AsyncSegments(segments_sandbox.api_key, base_url=segments_sandbox.url)."
    )


def _fixture_value(request: pytest.FixtureRequest, name: str, make: Callable[[], object]) -> AsyncSegments:
    """Return the value of an async fixture, which is registered when a test needs it for the first time."""
    plugin_name = f"segments_async.{name}"
    if not request.config.pluginmanager.hasplugin(plugin_name):
        plugin = ModuleType(plugin_name)
        setattr(plugin, name, make())
        request.config.pluginmanager.register(plugin, plugin_name)
    client: AsyncSegments = request.getfixturevalue(name)
    return client


def _anyio_fixture() -> object:
    @pytest.fixture
    async def open_client(
        request: pytest.FixtureRequest,
        anyio_backend: object,  # noqa: ARG001 (makes anyio's plugin run this fixture)
    ) -> AsyncIterator[AsyncSegments]:
        async with _open_client(request) as client:
            yield client

    return open_client


def _asyncio_fixture(scope: _LoopScope) -> object:
    import pytest_asyncio  # noqa: PLC0415 (only if its plugin is loaded)

    @pytest_asyncio.fixture(loop_scope=scope)
    async def open_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncSegments]:
        async with _open_client(request) as client:
            yield client

    return open_client


def _loop_scope(request: pytest.FixtureRequest, marker: pytest.Mark) -> _LoopScope:
    default = request.config.getini("asyncio_default_test_loop_scope")
    scope: _LoopScope = marker.kwargs.get("loop_scope") or marker.kwargs.get("scope") or default or "function"
    return scope


def _loop_of(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoop:
    """Return the event loop of a test under a pytest-asyncio before 1.1, which has a fixture for each loop."""
    name = next(name for name in request.node.fixturenames if "event_loop" in name and "policy" not in name)
    loop: asyncio.AbstractEventLoop = request.getfixturevalue(name)
    return loop


def _client_on(loop: asyncio.AbstractEventLoop, request: pytest.FixtureRequest) -> AsyncSegments:
    """Open a client on *loop*, and close it there when the test ends."""
    context = _open_client(request)
    client = loop.run_until_complete(context.__aenter__())
    request.addfinalizer(lambda: loop.run_until_complete(context.__aexit__(None, None, None)))
    return client


@asynccontextmanager
async def _open_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncSegments]:
    from segments_async import AsyncSegments  # noqa: PLC0415 (only if a test requests it)
    from segments_async._http.clients import no_proxies  # noqa: PLC0415 (likewise)

    sandbox: Sandbox = request.getfixturevalue("segments_sandbox")
    options: dict[str, Any] = {"clock": _clock(request).settings} if _wants_clock(request) else {}
    if not sandbox.is_listening:
        options["transport"] = sandbox.transport()
    with no_proxies():
        client = AsyncSegments(sandbox.api_key, base_url=sandbox.url, **options)
    async with client:
        yield client


def _release(distribution: str) -> tuple[int, ...]:
    """Return the first two numbers of the version of an installed package."""
    return tuple(int(part) for part in version(distribution).split(".")[:2])


def _wants_clock(request: pytest.FixtureRequest) -> bool:
    return "segments_clock" in request.fixturenames


def _clock(request: pytest.FixtureRequest) -> ManualClock:
    clock: ManualClock = request.getfixturevalue("segments_clock")
    return clock


def _is_shared(request: pytest.FixtureRequest, fixture: str) -> bool:
    """Return whether the test requests *fixture*, and another project's version of it serves several tests."""
    info = getattr(request.node, "_fixtureinfo", None)
    definitions: Sequence[Any] = getattr(info, "name2fixturedefs", {}).get(fixture, ())
    return bool(definitions) and definitions[-1].scope != "function"
