"""A client for each process, and how routes get at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Annotated, Any, cast

import httpx  # noqa: TC002 (FastAPI reads types at run time)
from fastapi import Depends, HTTPException, Request, params
from starlette.requests import HTTPConnection  # noqa: TC002 (likewise)

from segments_async._client import AsyncSegments
from segments_async.errors import InputError
from segments_async.fastapi._groups import passing_group
from segments_async.settings import RetryPolicy

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]
"""Given the application, a context that yields its state."""
OwnLifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""The same, or without state."""

CLIENT_CLOSED_REQUEST = 499
"""What servers log for a client that hung up; nobody sees it."""


def lifespan(factory: Callable[[], AsyncSegments], own: OwnLifespan | None = None) -> Lifespan:
    """
    Open a client when the application starts, and close it when it stops.

    Example:
        ::

            app = FastAPI(lifespan=lifespan(AsyncSegments))
            app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(max_connections=64), own_lifespan))

    Every start makes a new one: each worker process has its own, and so has each start of a test client, which comes
    with a new event loop. It is in the lifespan state as ``segments``, and, for code without a request at hand, in
    ``app.state.segments``.

    Args:
        factory: Makes a client; called without arguments at each start.
        own: A lifespan of yours. It starts after the client and stops before it; what it yields is kept.

    Raises:
        InputError: *factory* is no function.
    """
    if isinstance(factory, AsyncSegments) or not callable(factory):
        raise InputError(
            f"expected what makes a client, such as AsyncSegments itself, got {factory!r}: one client serves one loop",
            path="factory",
        )

    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[Mapping[str, Any]]:
        client = factory()
        if not isinstance(client, AsyncSegments):
            raise InputError(f"expected it to make an AsyncSegments, got {client!r}", path="factory")
        async with client:
            before = getattr(app.state, "segments", None)
            app.state.segments = client
            try:
                if own is None:
                    yield {"segments": client}
                else:
                    async with own(app) as state:
                        yield {"segments": client, **(state or {})}
            finally:
                app.state.segments = before

    return run


async def get_segments(connection: HTTPConnection) -> AsyncSegments:
    """
    Give the process's client; what `Segments` depends on, and what tests override.

    Example:
        ::

            app.dependency_overrides[get_segments] = lambda: segments_client

    Args:
        connection: The request, or the WebSocket.

    Raises:
        RuntimeError: The application was not started, or without `lifespan`.
    """
    return client_of(connection)


def client_of(holder: Any) -> AsyncSegments:
    """Give the client that `lifespan` put into the state of a request or an application."""
    client = getattr(holder.state, "segments", None)
    if not isinstance(client, AsyncSegments):
        raise RuntimeError(  # noqa: TRY004 (it is the application's state that is wrong)
            "There is no Segments client: FastAPI(lifespan=segments_async.fastapi.lifespan(AsyncSegments)) makes one "
            "when the application starts; a TestClient starts it if it is entered by `with`."
        )
    return client


Segments = Annotated[AsyncSegments, Depends(get_segments)]
"""The process's client, as the type of a route's parameter."""


def interactive(
    *,
    timeout: float | httpx.Timeout | None = 5.0,
    max_wait: float = 1.0,
    retry: RetryPolicy | None = RetryPolicy(attempts=2, total=5.0),  # noqa: B008 (frozen)
) -> params.Depends:
    """
    Make a dependency for routes that somebody waits for: impatient, and cancelled when that somebody hangs up.

    Example:
        ::

            Quick = Annotated[AsyncSegments, interactive(timeout=2, max_wait=0.5)]

            @app.get("/datasets")
            async def datasets(client: Quick) -> list[str]:
                return [dataset.name for dataset in await client.datasets.list()]

    The whole route is cancelled, so nothing in it should have to be carried to its end. The body of the request is read
    before the route runs, as only then a hang-up shows.

    Args:
        timeout: Seconds for each phase of a request.
        max_wait: Seconds that a call waits for its turn at most.
        retry: How often and how patiently a failed request is sent again.
    """

    async def dependency(request: Request, client: Segments) -> AsyncGenerator[AsyncSegments, None]:
        quick = client.with_options(timeout=timeout, max_wait=max_wait, retry=retry)
        async with _cancelled_by_hang_up(request):
            yield quick

    # Left before the answer is sent: after that, every server says that the client is gone.
    return cast("params.Depends", Depends(dependency, scope="function"))


InteractiveSegments = Annotated[AsyncSegments, interactive()]
"""The process's client for routes that somebody waits for; `interactive` says what that means."""


@asynccontextmanager
async def _cancelled_by_hang_up(request: Request) -> AsyncIterator[None]:
    hung_up = left = False

    async def watch() -> None:
        nonlocal hung_up
        while (await request.receive())["type"] != "http.disconnect":
            pass
        hung_up = True
        group.cancel_scope.cancel()

    with suppress(RuntimeError):  # read before, as a form
        await request.body()
    async with passing_group() as group:
        group.start_soon(watch)
        yield
        left = True
    if hung_up and not left:
        raise HTTPException(CLIENT_CLOSED_REQUEST)
