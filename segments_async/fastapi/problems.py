"""Errors of the client as HTTP answers, in the form of RFC 9457."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse

from segments_async.bulk import BulkError
from segments_async.errors import (
    AlreadyExistsError,
    ApiError,
    AuthenticationError,
    AuthorizationError,
    ClientStateError,
    CollaboratorError,
    DecodeError,
    InputError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    SegmentsError,
    SubscriptionError,
    TransportError,
    ValidationError,
    WebhookError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

logger: logging.Logger = logging.getLogger("segments_async")

_REFUSED_US = "The labelling service does not accept the account of this server."
_BY_CLASS: dict[type[SegmentsError], tuple[HTTPStatus, str]] = {
    AuthenticationError: (HTTPStatus.BAD_GATEWAY, _REFUSED_US),
    AuthorizationError: (HTTPStatus.BAD_GATEWAY, _REFUSED_US),
    SubscriptionError: (HTTPStatus.BAD_GATEWAY, _REFUSED_US),
    RateLimitError: (HTTPStatus.SERVICE_UNAVAILABLE, "The labelling service is busy; try again later."),
    NotFoundError: (HTTPStatus.NOT_FOUND, "The labelling service has no such thing."),
    AlreadyExistsError: (HTTPStatus.CONFLICT, "The labelling service has a thing of this name."),
    CollaboratorError: (HTTPStatus.CONFLICT, "This user is a collaborator already, or cannot become one."),
    ValidationError: (HTTPStatus.UNPROCESSABLE_ENTITY, "The labelling service does not accept these values."),
    InputError: (HTTPStatus.UNPROCESSABLE_ENTITY, "These values make no sense."),
    RequestTimeoutError: (HTTPStatus.GATEWAY_TIMEOUT, "The labelling service did not answer in time."),
    TransportError: (HTTPStatus.BAD_GATEWAY, "The labelling service cannot be reached."),
    DecodeError: (HTTPStatus.BAD_GATEWAY, "The labelling service sent an answer that cannot be read."),
    ApiError: (HTTPStatus.BAD_GATEWAY, "The labelling service failed."),
    WebhookError: (HTTPStatus.BAD_REQUEST, "The webhook is not genuine."),
    ClientStateError: (HTTPStatus.INTERNAL_SERVER_ERROR, "This server made a mistake."),
    SegmentsError: (HTTPStatus.BAD_GATEWAY, "The labelling service failed."),
}
_OF_THE_CALLER = (NotFoundError, AlreadyExistsError, CollaboratorError, ValidationError, InputError)
_MISTAKE = (HTTPStatus.INTERNAL_SERVER_ERROR, "This server made a mistake.")
_MISSED = (HTTPStatus.BAD_GATEWAY, "The labelling service does not have what this server expects.")


def add_error_handlers(app: FastAPI) -> None:
    """
    Answer errors of the client in the application's name, as ``application/problem+json`` (RFC 9457).

    Example:
        ::

            app = FastAPI(lifespan=lifespan(AsyncSegments))
            add_error_handlers(app)

    =====================================  ===========================
    `RateLimitError`                       503 with ``Retry-After``
    `RequestTimeoutError`                  504
    `NotFoundError`                        404
    `AlreadyExistsError`                   409, like `CollaboratorError`
    `InputError`                           422, like `ValidationError`
    anything else, a refused key included  502
    =====================================  ===========================

    Where your application, not its caller, chose what is named, say so by `own_choice`: then these are 502, and an
    `InputError` is 500. The answer has a ``request_id`` to quote to the service's support; the service's own words
    are in the log alone. A handler of yours for one of the classes goes first.

    Args:
        app: The application.
    """
    # Starlette's type has it that a handler takes every exception.
    app.add_exception_handler(SegmentsError, _answer)  # type: ignore[arg-type]


@contextmanager
def own_choice() -> Iterator[None]:
    """
    Mark what is named in this block as the application's own choice, so that an error is not its caller's.

    Example:
        ::

            with own_choice():
                training = await client.datasets.get(settings.training_dataset)  # gone? 502, not 404
    """
    try:
        yield
    except _OF_THE_CALLER as error:
        error.__dict__[_OWN] = True
        raise


_OWN = "_segments_async_own_choice"


async def _answer(request: Request | WebSocket, error: SegmentsError) -> JSONResponse:
    if isinstance(request, WebSocket):
        raise error  # there is no answer to give
    root = _root(error)
    if isinstance(root, SegmentsError):
        error = root
    status, detail = _verdict(error)
    problem: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    request_id = getattr(error, "request_id", None)
    if request_id is not None:
        problem["request_id"] = request_id
    headers = {"Retry-After": str(_seconds(error))} if isinstance(error, RateLimitError) else None
    level = logging.ERROR if status is HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
    logger.log(level, "%s %s: %d, as %s: %s", request.method, request.url.path, status, type(error).__name__, error)
    return JSONResponse(problem, status, headers, "application/problem+json")


def public_words(error: BaseException) -> str:
    """Say what went wrong in a sentence that end users may see."""
    root = _root(error)
    return _verdict(root)[1] if isinstance(root, SegmentsError) else _MISTAKE[1]


def _root(error: BaseException) -> BaseException:
    """What went wrong with the first item, where a bulk run failed."""
    return error.__cause__ if isinstance(error, BulkError) and error.__cause__ is not None else error


def _verdict(error: SegmentsError) -> tuple[HTTPStatus, str]:
    if error.__dict__.get(_OWN):
        return _MISTAKE if isinstance(error, InputError) else _MISSED
    if isinstance(error, InputError):
        return _BY_CLASS[InputError][0], str(error)  # our own words, about what the caller gave
    return next(_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS)


def _seconds(error: RateLimitError) -> int:
    return max(1, math.ceil(error.retry_after or 0))
