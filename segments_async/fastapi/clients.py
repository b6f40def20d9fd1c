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

    Example::

        app = FastAPI(lifespan=lifespan(AsyncSegments))
        app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(max_connections=64), own_lifespan))

    Each start creates a new client: each worker process has its own, and so does each start of a test client, which
    runs a new event loop. The client is in ``app.state.segments``, and in the lifespan state as ``segments`` if *own*
    yields a state (some servers support none).

    Args:
        factory: Creates a client. It is called without arguments at each start.
        own: Your own lifespan. It starts after the client and stops before it. The state it yields becomes the
            lifespan state; it may yield None.

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
    async def run(app: Any) -> AsyncIterator[Mapping[str, Any] | None]:
        client = factory()
        if not isinstance(client, AsyncSegments):
            raise InputError(f"expected it to return an AsyncSegments, got {client!r}", path="factory")
        async with client:
            previous = getattr(app.state, "segments", None)
            app.state.segments = _CLIENTS[id(app.router)] = client
            try:
                if own is None:
                    yield None  # some servers support no lifespan state, and Starlette then refuses to start
                else:
                    async with own(app) as state:
                        yield None if state is None else {"segments": client, **state}
            finally:
                app.state.segments = previous
                _CLIENTS.pop(id(app.router), None)

    return cast("Lifespan", run)  # FastAPI's annotation has either a state or None, not both


async def get_segments(connection: HTTPConnection) -> AsyncSegments:
    """
    Return the client of this process: of the lifespan state, or of ``app.state.segments``.

    `Segments` depends on this function; tests override it.

    Example::

        app.dependency_overrides[get_segments] = lambda: segments_client

    Args:
        connection: The request or the WebSocket.

    Raises:
        RuntimeError: There is none, because the application is not started or does not use `lifespan`.
    """
    scope = connection.scope
    state, router = scope.get("state"), scope.get("router")
    for client in (
        state.get("segments") if isinstance(state, Mapping) else getattr(state, "segments", None),
        _client_of(scope.get("app")),
        # Of the application that this one is mounted in: a request names its router, which names a FastAPI application.
        _CLIENTS.get(id(router)),
        _client_of(getattr(router, "dependency_overrides_provider", None)),
    ):
        if isinstance(client, AsyncSegments):
            return client
    raise RuntimeError(_NO_CLIENT)


def client_from_app(app: Any) -> AsyncSegments:
    """Return the client in the state of an application."""
    client = _client_of(app)
    if not isinstance(client, AsyncSegments):
        raise RuntimeError(_NO_CLIENT)  # noqa: TRY004 (the application's state is wrong, not an argument)
    return client


def _client_of(app: Any) -> Any:
    return getattr(getattr(app, "state", None), "segments", None)


_CLIENTS: dict[int, AsyncSegments] = {}
"""The clients of started applications, by the id of their router, which a request in a mounted application names."""
_NO_CLIENT = (
    "There is no Segments client. Create the application with "
    "FastAPI(lifespan=segments_async.fastapi.lifespan(AsyncSegments)), and start it; "
    "a TestClient starts the application when used in a `with` block. "
    "A client of your own goes into `app.state.segments`."
)

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

    Example::

        Quick = Annotated[AsyncSegments, interactive(timeout=2, max_wait=0.5)]

        @app.get("/datasets")
        async def datasets(client: Quick) -> list[str]:
            return [dataset.name for dataset in await client.datasets.list()]

    The whole route is cancelled, so use it only where stopping halfway is safe. The request body is read before the
    route runs, because a disconnect can only be detected after that. The route of a WebSocket is not cancelled: it
    sees the disconnect itself.

    Args:
        timeout: Seconds for each phase of a request.
        max_wait: Maximum seconds that a call waits for its turn behind other calls.
        retry: How often a failed request is sent again, and for how long.
    """

    async def dependency(connection: HTTPConnection, client: Segments) -> AsyncGenerator[AsyncSegments, None]:
        quick = client.with_options(timeout=timeout, max_wait=max_wait, retry=retry)
        if isinstance(connection, Request):
            async with _cancel_on_disconnect(connection):
                yield quick
        else:  # only the route of a WebSocket may receive its messages, so only it can see the disconnect
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
