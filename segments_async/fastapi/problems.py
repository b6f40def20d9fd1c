"""Exception handlers that turn client errors into RFC 9457 problem responses."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse

from segments_async._wire.choices import notes_on_choices
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
    OutOfResourcesError,
    RateLimitError,
    RequestTimeoutError,
    SegmentsError,
    SubscriptionError,
    TransportError,
    ValidationError,
    WebhookError,
    WrongTypeError,
)
from segments_async.fastapi._paths import without_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

logger: logging.Logger = logging.getLogger("segments_async")

_ACCOUNT_REFUSED = "The labelling service does not accept the account of this server."
_STATUS_AND_DETAIL: dict[type[SegmentsError], tuple[HTTPStatus, str]] = {
    AuthenticationError: (HTTPStatus.BAD_GATEWAY, _ACCOUNT_REFUSED),
    AuthorizationError: (HTTPStatus.BAD_GATEWAY, _ACCOUNT_REFUSED),
    SubscriptionError: (HTTPStatus.BAD_GATEWAY, _ACCOUNT_REFUSED),
    RateLimitError: (HTTPStatus.SERVICE_UNAVAILABLE, "The labelling service is busy; try again later."),
    NotFoundError: (HTTPStatus.NOT_FOUND, "The labelling service cannot find this resource."),
    AlreadyExistsError: (HTTPStatus.CONFLICT, "The labelling service already has a resource with this name."),
    CollaboratorError: (HTTPStatus.CONFLICT, "This user is a collaborator already or cannot become one."),
    ValidationError: (HTTPStatus.UNPROCESSABLE_ENTITY, "The labelling service does not accept these values."),
    InputError: (HTTPStatus.UNPROCESSABLE_ENTITY, "These values are not valid."),
    OutOfResourcesError: (HTTPStatus.SERVICE_UNAVAILABLE, "This server is out of resources; try again later."),
    RequestTimeoutError: (HTTPStatus.GATEWAY_TIMEOUT, "The labelling service did not answer in time."),
    TransportError: (HTTPStatus.BAD_GATEWAY, "The labelling service cannot be reached."),
    DecodeError: (HTTPStatus.BAD_GATEWAY, "The labelling service sent an unreadable response."),
    ApiError: (HTTPStatus.BAD_GATEWAY, "The labelling service failed."),
    WebhookError: (HTTPStatus.BAD_REQUEST, "The webhook is not genuine."),
    ClientStateError: (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error in this server."),
    WrongTypeError: (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error in this server."),
    SegmentsError: (HTTPStatus.BAD_GATEWAY, "The labelling service failed."),
}
_MAX_ERRORS = 20
_CALLER_ERRORS = (NotFoundError, AlreadyExistsError, CollaboratorError, ValidationError, InputError)
_INTERNAL_ERROR = (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error in this server.")
_UNEXPECTED_ANSWER = (HTTPStatus.BAD_GATEWAY, "The labelling service does not have a resource this server needs.")


def add_error_handlers(app: FastAPI) -> None:
    """
    Answer client errors with ``application/problem+json`` responses (RFC 9457).

    Example::

        app = FastAPI(lifespan=lifespan(AsyncSegments))
        add_error_handlers(app)

    =====================================  ===========================
    `RateLimitError`                       503 with ``Retry-After``
    `OutOfResourcesError`                  503
    `RequestTimeoutError`                  504
    `NotFoundError`                        404
    `AlreadyExistsError`                   409, like `CollaboratorError`
    `InputError`                           422, like `ValidationError`
    any other, including a refused key     502
    =====================================  ===========================

    404, 409 and 422 say that the caller made a mistake. A 422 has ``errors``, a list of objects with the ``path`` of a
    value, such as ``attributes.annotations[0].points``, and what is wrong with it, as ``detail``. Where your
    application chose the name or value, use `own_choice`: the status is then 502, or 500 for an `InputError`. The
    response has a ``request_id`` to quote to the
    service's support; the service's own error text is only in the log. Your own handlers for any of these classes take
    precedence.

    Args:
        app: The application.
    """
    # Starlette's annotation requires a handler that accepts any exception.
    app.add_exception_handler(SegmentsError, _answer)  # type: ignore[arg-type]


@contextmanager
def own_choice() -> Iterator[None]:
    """
    Report errors in this block as 502, not as the caller's mistake.

    Example::

        with own_choice():
            training = await client.datasets.get(settings.training_dataset)  # 502 if missing, not 404
    """
    try:
        yield
    except _CALLER_ERRORS as error:
        error.__dict__[_OWN_CHOICE] = True
        raise


_OWN_CHOICE = "_segments_async_own_choice"

_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "A problem of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "To quote to the support of the labelling service."},
    },
}
_DOCUMENTED = {
    HTTPStatus.NOT_FOUND: "The labelling service cannot find the resource.",
    HTTPStatus.CONFLICT: "The labelling service already has a resource with this name.",
    HTTPStatus.BAD_GATEWAY: "The labelling service failed, or does not accept this server.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The labelling service or this server is busy; try again later.",
    HTTPStatus.GATEWAY_TIMEOUT: "The labelling service did not answer in time.",
}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    int(status): {"description": words, "content": {"application/problem+json": {"schema": _PROBLEM}}}
    for status, words in _DOCUMENTED.items()
}
"""
What routes answer when a call fails, for OpenAPI: ``FastAPI(responses=PROBLEM_RESPONSES)``, or ``responses=`` of a
route. The statuses are 404, 409, 502, 503 and 504; FastAPI adds 422 by itself.
"""


async def _answer(request: Request | WebSocket, error: SegmentsError) -> JSONResponse:
    if isinstance(request, WebSocket):
        raise error  # a WebSocket has no HTTP response to send
    cause = _first_failure(error)
    if isinstance(cause, SegmentsError):
        error = cause
    status, detail = _status_and_detail(error)
    problem: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    if status is HTTPStatus.UNPROCESSABLE_ENTITY and (errors := list(islice(_errors_by_path(error), _MAX_ERRORS))):
        problem["errors"] = errors
    request_id = getattr(error, "request_id", None)
    if request_id is not None:
        problem["request_id"] = request_id
    headers = {"Retry-After": str(_retry_after_seconds(error))} if isinstance(error, RateLimitError) else None
    level = logging.ERROR if status is HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
    logger.log(level, "%s %s: %d, as %s: %s", request.method, request.url.path, status, type(error).__name__, error)
    return JSONResponse(problem, status, headers, "application/problem+json")


def _errors_by_path(error: SegmentsError) -> Iterator[dict[str, str]]:
    """Say which values are wrong; the words are ours, as those of the service are only for the log."""
    if isinstance(error, InputError) and error.path:
        yield {"path": error.path, "detail": without_paths(error.problem)}
    elif isinstance(error, ValidationError):
        for path, problems in error.fields.items():
            known = [note.removeprefix(f"{path}: ") for note in notes_on_choices({path: problems})]
            yield {"path": path, "detail": " ".join(["The labelling service does not accept this value.", *known])}


def public_message(error: BaseException) -> str:
    """Return a description of the error that is safe to show to end users."""
    try:
        cause = _first_failure(error)
        return _status_and_detail(cause)[1] if isinstance(cause, SegmentsError) else _INTERNAL_ERROR[1]
    except Exception:
        logger.exception("an error of the class %s cannot be described", type(error).__name__)
        return _INTERNAL_ERROR[1]


def _first_failure(error: BaseException) -> BaseException:
    """Return the error of the first failed item for a `BulkError`, any other error as it is."""
    return error.__cause__ if isinstance(error, BulkError) and error.__cause__ is not None else error


def _status_and_detail(error: SegmentsError) -> tuple[HTTPStatus, str]:
    if error.__dict__.get(_OWN_CHOICE):
        return _INTERNAL_ERROR if isinstance(error, InputError) else _UNEXPECTED_ANSWER
    if isinstance(error, InputError):
        # Raised by this package about the caller's values; some of them are files of this server.
        return _STATUS_AND_DETAIL[InputError][0], without_paths(str(error))
    if isinstance(error, WebhookError) and error.status != HTTPStatus.BAD_REQUEST:
        return HTTPStatus(error.status), str(error)
    return next(_STATUS_AND_DETAIL[cls] for cls in type(error).__mro__ if cls in _STATUS_AND_DETAIL)


def _retry_after_seconds(error: RateLimitError) -> int:
    return max(1, math.ceil(error.retry_after or 0))
