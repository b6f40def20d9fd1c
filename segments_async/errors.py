"""
Everything that can go wrong, as one tree.

::

    SegmentsError
      ApiError                  the service answered, and said no
        ValidationError           400
        AuthenticationError       401, or no key at all
        SubscriptionError         402
        AuthorizationError        403
        NotFoundError             404
        RateLimitError            429 (APILimitError is another name for it)
        ServerError               5xx
        AlreadyExistsError        400 whose words say so
        CollaboratorError         400 whose words say so
      TransportError            no usable answer came
        ConnectError              no connection; nothing was sent
        RequestTimeoutError       too slow (also a builtin TimeoutError)
        OutcomeUnknownError       sent, answer lost, and sending again might do it twice
      DecodeError               the answer is not what it should be
      InputError                refused before anything was sent (also a ValueError)
      ReleaseFailedError        the service could not build a release
      ExportError               a sample that cannot be exported
      segments_async.BulkError  a bulk run that was asked to raise
      ClientStateError          the client is closed, or belongs to another event loop (also a RuntimeError)
      WebhookError              a webhook that is forged, altered, stale, replayed, empty, or no event

Any call may raise `ApiError`, `TransportError` and `DecodeError`; docstrings of methods list only what is special
to them. Every error pickles, and none shows the API key.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SegmentsError(Exception):
    """
    Base of all errors of this package.

    Example:
        >>> try:
        ...     raise NotFoundError(404, "GET", "https://api.segments.ai/user", "Not found.")
        ... except SegmentsError as error:
        ...     print(error)
        404 Not Found on GET https://api.segments.ai/user: Not found.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(cls: type[SegmentsError], args: tuple[Any, ...], state: dict[str, Any]) -> SegmentsError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class ApiError(SegmentsError):
    """
    The service answered with an error status.

    Attributes:
        status: The HTTP status; None for an error raised locally.
        method: The request's method; None for an error raised locally.
        url: The request's URL, without the signature of a presigned one; None for an error raised locally.
        detail: The service's own words in one line.
        fields: Problems by field, as Django REST Framework reports them: ``{"name": ["This field is required."]}``.
        request_id: What to quote to the service's support; None if the answer had none.
        body: The answer, decoded if it was JSON, else its text.
        retry_after: Seconds the service asked to wait; None if it did not say.
    """

    def __init__(
        self,
        status: int | None = None,
        method: str | None = None,
        url: str | None = None,
        detail: str = "",
        fields: Mapping[str, Sequence[str]] | None = None,
        request_id: str | None = None,
        body: Any = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.method = method
        self.url = url
        self.detail = detail
        self.fields: dict[str, list[str]] = {name: list(problems) for name, problems in (fields or {}).items()}
        self.request_id = request_id
        self.body = body
        self.retry_after = retry_after
        super().__init__(_describe(status, method, url, detail, request_id))


class ValidationError(ApiError):
    """HTTP 400: the service does not accept what was sent; `fields` says where, if it said."""


class AuthenticationError(ApiError):
    """HTTP 401 or a missing key: the API key is absent, wrong or revoked."""


class SubscriptionError(ApiError):
    """HTTP 402, or words to that effect: the plan, the trial or the number of users is used up."""


class AuthorizationError(ApiError):
    """HTTP 403: the key is valid but may not do this."""


class NotFoundError(ApiError):
    """HTTP 404: there is no such thing, or the key may not see it."""


class RateLimitError(ApiError):
    """
    HTTP 429: refused before any work was done, so sending again is always safe.

    Attributes:
        retry_after: Seconds the service asked to wait; None if it did not say.
    """


APILimitError = RateLimitError
"""The official SDK's name for `RateLimitError`."""


class ServerError(ApiError):
    """HTTP 5xx: the service or a gateway in front of it failed."""


class AlreadyExistsError(ApiError):
    """A thing of this name exists."""


class CollaboratorError(ApiError):
    """This user cannot be added as a collaborator, or is one already."""


class TransportError(SegmentsError):
    """
    No usable answer came.

    Attributes:
        method: The request's method.
        url: The request's URL, without the signature of a presigned one.
        sent: False if surely nothing reached the server, so that sending again is safe.
    """

    def __init__(self, problem: str, *, method: str | None = None, url: str | None = None, sent: bool = True) -> None:
        self.method = method
        self.url = url
        self.sent = sent
        super().__init__(problem if method is None else f"{problem} on {method} {url}")


class ConnectError(TransportError):
    """No connection could be made, so nothing was sent."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The connection or the service was slower than `timeout` allows."""


class OutcomeUnknownError(TransportError):
    """The request was sent, its answer was lost, and sending it again might do it twice."""


class DecodeError(SegmentsError):
    """
    The answer is not what it should be.

    Attributes:
        path: Where in the answer, such as ``[3].attributes.image.url``; empty for the whole.
        payload: The answer as it came: decoded JSON, or text if it was not JSON; if a row of a list is at fault, that
            row alone.
        status, method, url, request_id: Of the call; None where a value was structured without one.
        page: If a row of a list is at fault: the number of its page, from 1.
        row: Its index in the whole list, from 0.
    """

    def __init__(
        self,
        problem: str,
        *,
        path: str = "",
        payload: Any = None,
        status: int | None = None,
        method: str | None = None,
        url: str | None = None,
        request_id: str | None = None,
        page: int | None = None,
        row: int | None = None,
    ) -> None:
        self.problem = problem
        self.path = path
        self.payload = payload
        self.status = status
        self.method = method
        self.url = url
        self.request_id = request_id
        self.page = page
        self.row = row
        place = path if row is None else f"{path} (row {row} of the list, on page {page})"
        where = f"{place}: {problem}" if place else problem
        if method is None:
            super().__init__(where)
        else:
            super().__init__(_describe(status, method, url, where, request_id))


class InputError(SegmentsError, ValueError):
    """
    An argument was refused before anything was sent.

    Attributes:
        path: Where in the arguments, such as ``samples[17].attributes.image.url``; empty if it has no place.
        problem: What is wrong there.
    """

    def __init__(self, problem: str, *, path: str = "") -> None:
        self.problem = problem
        self.path = path
        super().__init__(f"{path}: {problem}" if path else problem)

    def under(self, parent: str) -> Self:
        """The same problem, one level further out: ``under("samples[3]")`` puts that before `path`."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return type(self)(self.problem, path=f"{parent}{joint}{self.path}")


class ReleaseFailedError(SegmentsError):
    """
    The service could not build a release.

    Attributes:
        dataset: ``"owner/name"``.
        name: The release's name.
    """

    def __init__(self, dataset: str, name: str) -> None:
        self.dataset = dataset
        self.name = name
        super().__init__(f"release {name!r} of {dataset} failed; create another one, or ask the service why")


class ExportError(SegmentsError):
    """
    A sample of a release cannot be exported; ``__cause__`` is the error behind it, if there is one.

    Attributes:
        sample: The sample's name.
        uuid: The sample's uuid; None if the release does not say.
        problem: What is wrong with it.
    """

    def __init__(self, problem: str, *, sample: str, uuid: str | None = None) -> None:
        self.problem = problem
        self.sample = sample
        self.uuid = uuid
        super().__init__(f"sample {sample!r}: {problem}")


class ClientStateError(SegmentsError, RuntimeError):
    """The client cannot be used here: it is closed, or belongs to another event loop."""


class WebhookError(SegmentsError):
    """A webhook that is forged, altered, stale, replayed, empty, or no event: answer 400, and do nothing else."""


def _describe(status: int | None, method: str | None, url: str | None, detail: str, request_id: str | None) -> str:
    if status is None:
        return detail
    try:
        reason = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        reason = str(status)
    text = f"{reason} on {method} {url}: {detail or 'the service gave no reason'}"
    return f"{text} [request id {request_id}]" if request_id else text
