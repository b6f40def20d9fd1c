"""Webhooks as a route: nothing runs for one that is not genuine."""

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

logger: logging.Logger = logging.getLogger("segments_async")


def verified_webhook(
    secret: Secret | Callable[[], Secret], *, replay: MessageIds | None = None, max_body: int = MAX_BODY_BYTES
) -> Callable[[Request], AsyncGenerator[WebhookEvent, None]]:
    """
    Make a dependency that hands a route the webhook it was sent, once that is proven to be genuine.

    Example:
        ::

            Webhook = Annotated[WebhookEvent, Depends(verified_webhook(os.environ["WEBHOOK_SECRET"]))]

            @app.post("/webhooks/segments", status_code=204)
            async def receive(event: Webhook, client: Segments) -> None:
                print(event.text)

    Whatever is forged, altered, stale, replayed, empty or no event is answered with 400, and the route is not run.

    Args:
        secret: The endpoint's; several while it is being replaced; or a function that gives them, asked each time.
        replay: Takes each message only once, such as a `ReplayGuard`. A message whose route fails is forgotten, so
            that its repetition is welcome.
        max_body: Bytes of a body at most; more is answered with 413.
    """

    async def dependency(request: Request) -> AsyncGenerator[WebhookEvent, None]:
        body = await _read(request, max_body)
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
    if replay is not None and not await _value(replay.claim(message_id(request.headers))):
        raise WebhookError(f"webhook {message_id(request.headers)} was already received")


async def _release(request: Request, replay: MessageIds | None) -> None:
    if replay is not None:
        await _value(replay.release(message_id(request.headers)))


class WebhookRouter(APIRouter):
    """
    A route that takes webhooks, and runs what was registered for their events.

    Example:
        ::

            hooks = WebhookRouter(os.environ["WEBHOOK_SECRET"])

            @hooks.on(LabelUpdated)
            async def labelled(event: LabelUpdated) -> None:
                print(event.text)

            app.include_router(hooks, prefix="/webhooks/segments")

    It answers 204 once all that was registered has run, in the order of registration. If something raises, the
    answer is an error, and the service sends the webhook again later. For a route with dependencies of its own take
    `verified_webhook`.

    Args:
        secret: The endpoint's; several while it is being replaced; or a function that gives them, asked each time.
        path: Of the route, after the prefix of the router.
        replay: Takes each message only once, such as a `ReplayGuard`.
        max_body: Bytes of a body at most; more is answered with 413.
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
        Register a function, async or not, for events of these classes and of what is derived from them.

        Example:
            ::

                @hooks.on(SampleCreated, SampleUpdated)
                async def changed(event: SampleCreated | SampleUpdated) -> None: ...

                @hooks.on(UnknownEvent)
                def odd(event: UnknownEvent) -> None: ...

        Args:
            events: Classes of `segments_async.webhooks`; `WebhookEvent` for all.

        Raises:
            InputError: There is none, or one of them is no class of events.
        """
        if not events or not all(isinstance(one, type) and issubclass(one, WebhookEvent) for one in events):
            raise InputError(f"expected classes of events, such as LabelUpdated, got {events!r}", path="events")

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
                    await _value(await run_in_threadpool(handler, event))


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a webhook has at most {most:,} bytes")
    return bytes(body)


async def _value(value: Any | Awaitable[Any]) -> Any:
    return await value if isawaitable(value) else value
