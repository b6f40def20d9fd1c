"""Routes that receive and verify webhooks."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from http import HTTPStatus
from inspect import isawaitable, iscoroutinefunction
from typing import Any, TypeVar, overload

from anyio import CancelScope
from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from segments_async.errors import InputError, WebhookError
from segments_async.webhooks import MessageIds, WebhookEvent, message_id, verify

Secret = str | Sequence[str]
E = TypeVar("E", bound=WebhookEvent)
T = TypeVar("T")
H = TypeVar("H", bound=Callable[..., Any])

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Default limit for the body of a webhook."""

logger: logging.Logger = logging.getLogger("segments_async")


def verified_webhook(
    secret: Secret | Callable[[], Secret], *, replay: MessageIds | None = None, max_body: int = MAX_BODY_BYTES
) -> Callable[[Request], AsyncGenerator[WebhookEvent, None]]:
    """
    Create a dependency that verifies a webhook and passes its event to the route.

    Example:
        ::

            Webhook = Annotated[WebhookEvent, Depends(verified_webhook(os.environ["WEBHOOK_SECRET"]))]

            @app.post("/webhooks/segments", status_code=204)
            async def receive(event: Webhook, client: Segments) -> None:
                print(event.text)

    A webhook that is forged, altered, stale, replayed, empty or not an event is answered with 400, without running the
    route.

    Args:
        secret: The secret of the endpoint; several while it is being rotated; or a function that returns them, called
            for each request.
        replay: Rejects repeated messages, such as a `ReplayGuard`. If the route fails, the message is released, so
            that it is accepted when the service sends it again.
        max_body: Maximum size of a body in bytes; a larger one is answered with 413.
    """

    async def dependency(request: Request) -> AsyncGenerator[WebhookEvent, None]:
        body = await _read_body(request, max_body)
        try:
            event = verify(body, request.headers, secret() if callable(secret) else secret)
            await _claim(request, replay)
        except WebhookError as error:
            logger.warning("%s", error)
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
        try:
            yield event
        except BaseException:
            with CancelScope(shield=True):
                await _release(request, replay)
            raise

    return dependency


async def _claim(request: Request, replay: MessageIds | None) -> None:
    if replay is not None and not await _maybe_await(replay.claim(message_id(request.headers))):
        raise WebhookError(f"webhook {message_id(request.headers)} was already received")


async def _release(request: Request, replay: MessageIds | None) -> None:
    if replay is not None:
        await _maybe_await(replay.release(message_id(request.headers)))


class WebhookRouter(APIRouter):
    """
    A router that verifies webhooks and calls the handlers registered for their events.

    Example:
        ::

            hooks = WebhookRouter(os.environ["WEBHOOK_SECRET"])

            @hooks.on(LabelUpdated)
            async def labelled(event: LabelUpdated) -> None:
                print(event.text)

            app.include_router(hooks, prefix="/webhooks/segments")

    Handlers run in the order of registration; the response is 204 once all have run. If a handler raises, the
    response is an error and the service sends the webhook again later. For a route with its own dependencies, use
    `verified_webhook`.

    Args:
        secret: The secret of the endpoint; several while it is being rotated; or a function that returns them, called
            for each request.
        path: The path of the route, after the prefix of the router.
        replay: Rejects repeated messages, such as a `ReplayGuard`.
        max_body: Maximum size of a body in bytes; a larger one is answered with 413.
        options: Passed to FastAPI's APIRouter.
    """

    def __init__(
        self,
        secret: Secret | Callable[[], Secret],
        *,
        path: str = "",
        replay: MessageIds | None = None,
        max_body: int = MAX_BODY_BYTES,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._handlers: list[tuple[tuple[type[WebhookEvent], ...], Callable[[Any], object]]] = []
        dependency = Depends(verified_webhook(secret, replay=replay, max_body=max_body))

        async def receive_webhook(event: WebhookEvent = dependency) -> None:
            await self._run(event)

        self.add_api_route(path, receive_webhook, methods=["POST"], status_code=HTTPStatus.NO_CONTENT)

    @overload
    def on(self, event: type[E], /) -> Callable[[Callable[[E], T]], Callable[[E], T]]: ...
    @overload
    def on(self, *events: type[WebhookEvent]) -> Callable[[H], H]: ...
    def on(self, *events: type[WebhookEvent]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """
        Register a handler, sync or async, for events of these classes and their subclasses.

        Example:
            ::

                @hooks.on(SampleCreated, SampleUpdated)
                async def changed(event: SampleCreated | SampleUpdated) -> None: ...

                @hooks.on(UnknownEvent)
                def odd(event: UnknownEvent) -> None: ...

        Args:
            events: Event classes of `segments_async.webhooks`; `WebhookEvent` for all events.

        Raises:
            InputError: No class is given, or one of them is not an event class.
        """
        if not events or not all(isinstance(one, type) and issubclass(one, WebhookEvent) for one in events):
            raise InputError(f"expected event classes, such as LabelUpdated, got {events!r}", path="events")

        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            self._handlers.append((events, handler))
            return handler

        return register

    async def _run(self, event: WebhookEvent) -> None:
        for classes, handler in self._handlers:
            if isinstance(event, classes):
                if iscoroutinefunction(handler):
                    await handler(event)
                else:
                    await _maybe_await(await run_in_threadpool(handler, event))


async def _read_body(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"webhook larger than {max_bytes:,} bytes")
    return bytes(body)


async def _maybe_await(value: Any | Awaitable[Any]) -> Any:
    return await value if isawaitable(value) else value
