"""One client per process, and dependencies that pass it to routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Annotated, Any, cast

import httpx  # noqa: TC002 (FastAPI evaluates annotations at run time)
from fastapi import Depends, HTTPException, Request, params
from starlette.requests import HTTPConnection  # noqa: TC002 (FastAPI evaluates annotations at run time)

from segments_async._client import AsyncSegments
from segments_async.errors import InputError
from segments_async.fastapi._groups import background_task_group
from segments_async.settings import RetryPolicy

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]
"""A function that takes the application and returns an async context manager that yields the lifespan state."""
OwnLifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""Like `Lifespan`, but may yield None instead of a state."""

CLIENT_CLOSED_REQUEST = 499
"""The status that servers such as nginx log for a client that disconnected; it is never received."""


def lifespan(factory: Callable[[], AsyncSegments], own: OwnLifespan | None = None) -> Lifespan:
    """
    Open a client when the application starts and close it when the application stops.

    Example:
        ::

            app = FastAPI(lifespan=lifespan(AsyncSegments))
            app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(max_connections=64), own_lifespan))

    Each start creates a new client: each worker process has its own, and so does each start of a test client, which
    runs a new event loop. The client is in the lifespan state as ``segments``. Code without a request finds it in
    ``app.state.segments``.

    Args:
        factory: Creates a client. It is called without arguments at each start.
        own: Your own lifespan. It starts after the client and stops before it. The state it yields is added to the
            lifespan state.

    Raises:
        InputError: *factory* is not callable.
    """
    if isinstance(factory, AsyncSegments) or not callable(factory):
        raise InputError(
            f"expected a function that creates a client, such as AsyncSegments itself, got {factory!r}; "
            "a client serves one event loop, so each start needs a new one",
            path="factory",
        )

    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[Mapping[str, Any]]:
        client = factory()
        if not isinstance(client, AsyncSegments):
            raise InputError(f"expected it to return an AsyncSegments, got {client!r}", path="factory")
        async with client:
            previous = getattr(app.state, "segments", None)
            app.state.segments = client
            try:
                if own is None:
                    yield {"segments": client}
                else:
                    async with own(app) as state:
                        yield {"segments": client, **(state or {})}
            finally:
                app.state.segments = previous

    return run


async def get_segments(connection: HTTPConnection) -> AsyncSegments:
    """
    Return the client of this process.

    `Segments` depends on this function; tests override it.

    Example:
        ::

            app.dependency_overrides[get_segments] = lambda: segments_client

    Args:
        connection: The request or the WebSocket.

    Raises:
        RuntimeError: The application is not started, or it does not use `lifespan`.
    """
    return client_from_state(connection)


def client_from_state(source: Any) -> AsyncSegments:
    """Return the client that `lifespan` stored in the state of a request or an application."""
    client = getattr(source.state, "segments", None)
    if not isinstance(client, AsyncSegments):
        raise RuntimeError(  # noqa: TRY004 (the application's state is wrong, not an argument)
            "There is no Segments client. Create the application with "
            "FastAPI(lifespan=segments_async.fastapi.lifespan(AsyncSegments)), and start it; "
            "a TestClient starts the application when used in a `with` block."
        )
    return client


Segments = Annotated[AsyncSegments, Depends(get_segments)]
"""The client of this process, as the annotation of a route parameter."""


def interactive(
    *,
    timeout: float | httpx.Timeout | None = 5.0,
    max_wait: float = 1.0,
    retry: RetryPolicy | None = RetryPolicy(attempts=2, total=5.0),  # noqa: B008 (frozen)
) -> params.Depends:
    """
    Create a dependency for routes that users wait for: short timeouts, cancelled when the caller disconnects.

    Example:
        ::

            Quick = Annotated[AsyncSegments, interactive(timeout=2, max_wait=0.5)]

            @app.get("/datasets")
            async def datasets(client: Quick) -> list[str]:
                return [dataset.name for dataset in await client.datasets.list()]

    The whole route is cancelled, so use it only where stopping halfway is safe. The request body is read before the
    route runs, because a disconnect can only be detected after that.

    Args:
        timeout: Seconds for each phase of a request.
        max_wait: Maximum seconds that a call waits for its turn behind other calls.
        retry: How often a failed request is sent again, and for how long.
    """

    async def dependency(request: Request, client: Segments) -> AsyncGenerator[AsyncSegments, None]:
        quick = client.with_options(timeout=timeout, max_wait=max_wait, retry=retry)
        async with _cancel_on_disconnect(request):
            yield quick

    # Exit before the response is sent: after that, every server reports the client as disconnected.
    return cast("params.Depends", Depends(dependency, scope="function"))


InteractiveSegments = Annotated[AsyncSegments, interactive()]
"""The client of this process for routes that users wait for, with the defaults of `interactive`."""


@asynccontextmanager
async def _cancel_on_disconnect(request: Request) -> AsyncIterator[None]:
    disconnected = completed = False

    async def watch() -> None:
        nonlocal disconnected
        while (await request.receive())["type"] != "http.disconnect":
            pass
        disconnected = True
        group.cancel_scope.cancel()

    with suppress(RuntimeError):  # already consumed, for example as a form
        await request.body()
    async with background_task_group() as group:
        group.start_soon(watch)
        yield
        completed = True
    if disconnected and not completed:
        raise HTTPException(CLIENT_CLOSED_REQUEST)
