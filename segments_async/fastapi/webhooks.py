"""Routes that receive and verify webhooks."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgeneratorfunction, signature
from typing import Any, TypeVar, overload

from attrs import frozen
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException

from segments_async.errors import InputError
from segments_async.fastapi._webhook_receiver import Lease, Receiver, SecretSource, sent_status
from segments_async.webhooks import Claim, MessageIds, WebhookEvent

E = TypeVar("E", bound=WebhookEvent)
T = TypeVar("T")
H = TypeVar("H", bound=Callable[..., Any])

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Default limit for the body of a webhook."""

logger: logging.Logger = logging.getLogger("segments_async")


def verified_webhook(
    secret: SecretSource, *, replay: MessageIds | None = None, max_body: int = MAX_BODY_BYTES
) -> Callable[[Request], AsyncGenerator[WebhookEvent, None]]:
    """
    Create a dependency that verifies a webhook and passes its event to the route.

    Example::

        Webhook = Annotated[WebhookEvent, Depends(verified_webhook(os.environ["WEBHOOK_SECRET"]))]

        @app.post("/webhooks/segments", status_code=204)
        async def receive(event: Webhook, client: Segments) -> None:
            print(event.text)

    A webhook that is forged, altered, stale or empty is answered with 400, without running the route. One that is
    genuine but not an event is logged as an error and answered with 200, as it would not be an event next time either.

    Args:
        secret: The secret of the endpoint; several while it is being rotated; or a function that returns them, async or
            not, called for each request.
        replay: A store that lets each message be processed once, such as a `ReplayGuard`. A message is done when the
            route has returned a status below 400; it is released, to be delivered again, when the route raises or
            returns an error. A message that is done is answered with 200 without running the route, and one that is
            being processed with 409, so that it is delivered again.
        max_body: Maximum size of a body in bytes; a larger one is answered with 413.

    Raises:
        InputError: *secret* is not a secret, or *replay* is not a store.
    """
    receiver = Receiver(secret, replay, max_body)

    async def dependency(request: Request) -> AsyncGenerator[WebhookEvent, None]:
        event, lease = await receiver.accept(request)
        try:
            yield event
        except BaseException as error:
            await receiver.settle(
                lease, done=isinstance(error, HTTPException) and error.status_code < HTTPStatus.BAD_REQUEST
            )
            raise
        status = sent_status()
        await receiver.settle(lease, done=status is None or status < HTTPStatus.BAD_REQUEST)

    return dependency


_OPTIONAL_SLASH = "segments_optional_slash"


class _OptionalSlash(Convertor[str]):
    """The end of a path that may be requested with and without a slash."""

    regex = "/?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor(_OPTIONAL_SLASH, _OptionalSlash())


@frozen
class _Handler:
    """A function for events of some classes."""

    name: str
    """Identifies it in the store, also after a restart."""
    classes: tuple[type[WebhookEvent], ...]
    function: Callable[[Any], object]

    async def __call__(self, event: WebhookEvent) -> object:
        if iscoroutinefunction(self.function):
            return await self.function(event)
        result = await run_in_threadpool(self.function, event)
        return await result if isawaitable(result) else result


def _check_handler(handler: Any) -> None:
    if not callable(handler):
        raise InputError(f"expected a function, got {handler!r}", path="handler")
    name = getattr(handler, "__qualname__", repr(handler))
    for function in (handler, type(handler).__call__):
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise InputError(f"{name} contains a yield, so calling it would run nothing", path="handler")
    try:
        parameters = signature(handler)
    except ValueError:  # some functions written in C have none
        return
    try:
        parameters.bind(None)
    except TypeError as error:
        raise InputError(
            f"{name}{parameters} must accept the event as its only argument ({error}); "
            "a route with dependencies of its own uses verified_webhook",
            path="handler",
        ) from None


class WebhookRouter(APIRouter):
    """
    A router that verifies webhooks and calls the handlers registered for their events.

    Example::

        hooks = WebhookRouter(os.environ["WEBHOOK_SECRET"])

        @hooks.on(LabelUpdated)
        async def labelled(event: LabelUpdated) -> None:
            print(event.text)

        app.include_router(hooks, prefix="/webhooks/segments")

    All handlers of an event run, in the order of registration; the response is 204 once each has succeeded. If one
    raises, or returns a response with a status of 400 or more, the response is an error and the service delivers the
    webhook again later. With *replay*, only the handlers that have not succeeded yet run then; without, all of them.
    For a route with its own dependencies, and for what is answered with 400, see `verified_webhook`.

    Args:
        secret: The secret of the endpoint; several while it is being rotated; or a function that returns them, async or
            not, called for each request.
        path: The path of the route, after the prefix of the router; ``"/"`` if there is no prefix. It may be requested
            with and without a trailing slash.
        replay: A store that lets each message be processed once, such as a `ReplayGuard`. A message that is done is
            answered with 200, and one that is being processed with 409, so that it is delivered again.
        max_body: Maximum size of a body in bytes; a larger one is answered with 413.
        options: Passed to FastAPI's APIRouter.

    Raises:
        InputError: *secret* is not a secret, or *replay* is not a store.
    """

    def __init__(
        self,
        secret: SecretSource,
        *,
        path: str = "",
        replay: MessageIds | None = None,
        max_body: int = MAX_BODY_BYTES,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._handlers: list[_Handler] = []
        self._receiver = Receiver(secret, replay, max_body)

        async def receive_webhook(request: Request) -> Response:
            return await self._receive(request)

        self.add_api_route(path, receive_webhook, methods=["POST"], status_code=HTTPStatus.NO_CONTENT)
        # Senders do not follow a redirect to the other spelling.
        either = f"{path.removesuffix('/')}{{slash:{_OPTIONAL_SLASH}}}"
        self.add_api_route(either, receive_webhook, methods=["POST"], include_in_schema=False)

    @overload
    def on(self, event: type[E], /) -> Callable[[Callable[[E], T]], Callable[[E], T]]: ...
    @overload
    def on(self, *events: type[WebhookEvent]) -> Callable[[H], H]: ...
    def on(self, *events: type[WebhookEvent]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """
        Register a handler, sync or async, for events of these classes and their subclasses.

        Example::

            @hooks.on(SampleCreated, SampleUpdated)
            async def changed(event: SampleCreated | SampleUpdated) -> None: ...

            @hooks.on(UnknownEvent)
            def odd(event: UnknownEvent) -> None: ...

        Args:
            events: Event classes of `segments_async.webhooks`; `WebhookEvent` for all events.

        Raises:
            InputError: No class is given, one of them is not an event class, or the function cannot be called with an
                event alone.
        """
        if not events or not all(isinstance(one, type) and issubclass(one, WebhookEvent) for one in events):
            raise InputError(f"expected event classes, such as LabelUpdated, got {events!r}", path="events")

        def register(handler: Callable[..., Any]) -> Callable[..., Any]:
            _check_handler(handler)
            self._handlers.append(_Handler(self._name(handler), events, handler))
            return handler

        return register

    def _name(self, handler: Callable[..., Any]) -> str:
        name = f"{getattr(handler, '__module__', '')}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
        number = sum(known.name.partition("#")[0] == name for known in self._handlers)
        return f"{name}#{number + 1}" if number else name

    async def _receive(self, request: Request) -> Response:
        event, lease = await self._receiver.accept(request)
        done = False
        try:
            response = await self._run(event, lease.name)
            done = response.status_code < HTTPStatus.BAD_REQUEST
        finally:
            await self._receiver.settle(lease, done=done)
        return response

    async def _run(self, event: WebhookEvent, message_id: str) -> Response:
        """Run the handlers that have not succeeded yet; a failure does not stop the later ones."""
        handlers = [handler for handler in self._handlers if isinstance(event, handler.classes)]
        response = Response(status_code=HTTPStatus.NO_CONTENT)
        failure: Exception | None = None
        for handler in handlers:
            # Also of a single handler: the number of handlers may change between two deliveries.
            part = Lease(f"{message_id}/{handler.name}")
            if await self._receiver.claim(part) is Claim.DONE:
                continue
            done = False
            try:
                result = await handler(event)
            except Exception as error:
                done = isinstance(error, HTTPException) and error.status_code < HTTPStatus.BAD_REQUEST
                if failure is not None:  # only the first one is raised
                    logger.exception("webhook %s: %s failed", message_id, handler.name)
                failure = failure or (None if done else error)
            else:
                done = not (isinstance(result, Response) and result.status_code >= HTTPStatus.BAD_REQUEST)
                if isinstance(result, Response) and not done:
                    response = result
            await self._receiver.settle(part, done=done)
        if failure is not None:
            raise failure
        return response
