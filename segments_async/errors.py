"""
The errors of this package.

Their tree::

    SegmentsError
      ApiError                  the service returned an error status
        ValidationError           400
        AuthenticationError       401, or a missing API key
        SubscriptionError         402
        AuthorizationError        403
        NotFoundError             404
        RateLimitError            429 (APILimitError is another name for it)
        ServerError               5xx
        AlreadyExistsError        400 with a message that says so
        CollaboratorError         400 with a message that says so
      TransportError            no usable response was received
        ConnectError              no connection; nothing was sent
        RequestTimeoutError       a timeout expired (also a builtin TimeoutError)
        OutcomeUnknownError       sent, but the response was lost; sending again might do it twice
      DecodeError               the response has an unexpected form
      ListChangedError          your own write would make a list that is being read skip rows
      InputError                an invalid argument; nothing was sent (also a ValueError)
      OutOfResourcesError       this machine ran out of files, memory or disk space; try again later
      ReleaseFailedError        the service could not build a release
      ExportError               a sample that cannot be exported
      WrongTypeError            a sample or label is of another type than its property (also an AttributeError)
      segments_async.BulkError  a bulk run that was configured to raise
      ClientStateError          the client is closed, or belongs to another event loop (also a RuntimeError)
      WebhookError              a webhook that is forged, altered, stale, replayed, empty, or not an event

Any call may raise `ApiError`, `TransportError` and `DecodeError`; the docstrings of methods list only errors that are
specific to them. Every error can be pickled, and no error contains the API key. ``type(error)(str(error))`` is an error
with the same message, whose other attributes are unknown: PyTorch rebuilds errors of its workers so.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from segments_async._misuse import with_await
from segments_async._pickling import can_be_pickled, picklable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T", bound="SegmentsError")


class SegmentsError(Exception):
    """
    Base class of all errors of this package.

    Example:
        >>> try:
        ...     raise NotFoundError(404, "GET", "https://api.segments.ai/user", "Not found.")
        ... except SegmentsError as error:
        ...     print(error)
        404 Not Found on GET https://api.segments.ai/user: Not found.
    """

    _pickles_cause: ClassVar[bool] = False
    """Whether a pickle contains any ``__cause__``. An exception of a transport has a request, which has the API key."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(_message(arg) if isinstance(arg, str) else arg for arg in args))

    def add_note(self, note: str) -> None:
        """Add *note*, safe to print like the message."""
        super().add_note(printable(note))

    def __reduce__(self) -> tuple[Any, ...]:
        args = tuple(map(picklable, self.args))
        state = {name: picklable(value) for name, value in self.__dict__.items()}
        cause = self.__cause__
        keep = (self._pickles_cause or isinstance(cause, SegmentsError)) and can_be_pickled(cause)
        return _restore, (type(self), args, state, cause if keep else None)


def printable(text: str) -> str:
    r"""
    Escape what a terminal or a log would interpret: control, escape and bidirectional characters.

    Example:
        >>> print(printable("a\x1b[31mb\u202ec"))
        a\x1b[31mb\u202ec
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


_traceback_of_worker = re.compile(r"Caught \w+ in .+\.\nOriginal Traceback \(most recent call last\):\n").match


def _message(text: str) -> str:
    """Escape a message, but keep the lines of the traceback that torch adds to the text of a worker's error."""
    if _traceback_of_worker(text):
        return "\n".join(map(printable, text.split("\n")))
    return printable(text)


def _restore(
    cls: type[SegmentsError], args: tuple[Any, ...], state: dict[str, Any], cause: BaseException | None
) -> SegmentsError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    error.__cause__ = cause
    return error


class ApiError(SegmentsError):
    """
    The service returned an error status.

    Attributes:
        status: The HTTP status; None for an error raised locally.
        method: The request's method; None for an error raised locally.
        url: The request's URL, without the signature of a presigned one; None for an error raised locally.
        detail: The error message of the service, in one line.
        fields: Error messages by field, as in Django REST Framework: ``{"name": ["This field is required."]}``.
        request_id: The id to quote when contacting Segments.ai support; None if the response had none.
        body: The body of the response, decoded if it was JSON, otherwise as text.
        retry_after: Seconds to wait, as requested by the service; None if it did not specify any.
    """

    def __init__(
        self,
        status: int | str | None = None,
        method: str | None = None,
        url: str | None = None,
        detail: str = "",
        fields: Mapping[str, Sequence[str]] | None = None,
        request_id: str | None = None,
        body: Any = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        if isinstance(status, str):  # rebuilt from its text alone, as torch does for errors of its workers
            detail, status = status, None
        self.status: int | None = status
        self.method = method
        self.url = url
        self.detail = detail
        self.fields: dict[str, list[str]] = {name: list(problems) for name, problems in (fields or {}).items()}
        self.request_id = request_id
        self.body = body
        self.retry_after = retry_after
        super().__init__(_describe(status, method, url, detail, request_id))


class ValidationError(ApiError):
    """HTTP 400: the service rejected the request as invalid; `fields` says where, if known."""


class AuthenticationError(ApiError):
    """
    HTTP 401 or a missing key: the API key is absent, wrong or revoked.

    A note of the error says where the key came from.
    """


class SubscriptionError(ApiError):
    """HTTP 402, or a message that says so: the plan, the trial or the number of users is exhausted."""


class AuthorizationError(ApiError):
    """HTTP 403: the key is valid but may not do this."""


class NotFoundError(ApiError):
    """HTTP 404: the resource does not exist, or the key may not see it."""


class RateLimitError(ApiError):
    """
    HTTP 429: rejected before any work was done, so sending again is always safe.

    Attributes:
        retry_after: Seconds to wait, as requested by the service; None if it did not specify any.
    """


APILimitError = RateLimitError
"""The official SDK's name for `RateLimitError`."""


class ServerError(ApiError):
    """HTTP 5xx: the service or a gateway in front of it failed."""


class AlreadyExistsError(ApiError):
    """Something with this name already exists."""


class CollaboratorError(ApiError):
    """The user cannot be added as a collaborator, or already is one."""


class TransportError(SegmentsError):
    """
    No usable response was received.

    Attributes:
        method: The request's method.
        url: The request's URL, without the signature of a presigned one.
        sent: False if certainly nothing reached the server, so that sending again is safe.
        retryable: Whether the same request may succeed later; False for an address or a proxy that cannot work.
    """

    def __init__(
        self,
        problem: str,
        *,
        method: str | None = None,
        url: str | None = None,
        sent: bool = True,
        retryable: bool = True,
    ) -> None:
        self.method = method
        self.url = url
        self.sent = sent
        self.retryable = retryable
        super().__init__(problem if method is None else f"{problem} on {method} {url}")


class ConnectError(TransportError):
    """No connection could be established, so nothing was sent."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The connection or the service took longer than `timeout` allows."""


class OutcomeUnknownError(TransportError):
    """The request was sent but its response was lost; sending it again might do it twice."""


class DecodeError(SegmentsError):
    """
    The response has an unexpected form.

    Attributes:
        problem: What is wrong.
        path: Location in the response, such as ``[3].attributes.image.url``; empty for the whole response.
        payload: The response as received: decoded JSON, or text if it was not JSON. If a row of a list is invalid,
            only that row.
        status, method, url, request_id: The call; None if the value did not come from a call.
        page: If a row of a list is invalid: the number of its page, from 1.
        row: The index of that row in the whole list, from 0.
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
        location = path if row is None else f"{path} (row {row} of the list, on page {page})"
        where = f"{location}: {problem}" if location else problem
        if method is None:
            super().__init__(where)
        else:
            super().__init__(_describe(status, method, url, where, request_id))


class ListChangedError(SegmentsError):
    """
    A list was changed while it was read, by a call of this client or of one that shares its connections.

    The service numbers pages, so rows may be skipped. Read the list to its end before you change it::

        rows = await client.samples.list("jane/flowers")
        for sample in rows:
            await client.samples.delete(sample.uuid)

    The message names the call. If another task made it, such as one that uploads samples meanwhile, start it after the
    list, or list again afterwards.
    """


class InputError(SegmentsError, ValueError):
    """
    An argument is invalid; nothing was sent.

    Attributes:
        path: Location in the arguments, such as ``samples[17].attributes.image.url``; empty if there is none.
        problem: What is wrong.
    """

    _pickles_cause = True

    def __init__(self, problem: str, *, path: str = "") -> None:
        self.problem: str = with_await(problem)
        self.path = path
        super().__init__(f"{path}: {self.problem}" if path else self.problem)

    def under(self, parent: str) -> Self:
        """Return a copy whose `path` is prefixed with *parent*, such as ``samples[3]``."""
        return _copy_details(self, type(self)(self.problem, path=_join(parent, self.path)))


class OutOfResourcesError(SegmentsError):
    """
    This machine ran out of open files, sockets, memory or disk space; the same call may succeed later.

    So may a run whose checkpoint is in a Redis that is full. The message says what to raise or lower, such as
    ``ulimit -n`` or `max_connections`.

    Attributes:
        problem: What failed and why, without `path`.
        path: Location in the arguments, such as ``files[17]``; empty if there is none.
        errno: The error number of the operating system, such as `errno.EMFILE`; None if there is none.
    """

    _pickles_cause = True

    def __init__(self, problem: str, *, path: str = "", errno: int | None = None) -> None:
        self.problem = problem
        self.path = path
        self.errno = errno
        super().__init__(f"{path}: {problem}" if path else problem)

    def under(self, parent: str) -> Self:
        """Return a copy whose `path` is prefixed with *parent*, such as ``files[3]``."""
        return _copy_details(self, type(self)(self.problem, path=_join(parent, self.path), errno=self.errno))


def _join(parent: str, path: str) -> str:
    return f"{parent}{'' if not path or path.startswith('[') else '.'}{path}"


def _copy_details(error: SegmentsError, copied: T) -> T:
    """Give *copied* the cause and the notes of *error*, and return it."""
    copied.__cause__ = error.__cause__
    for note in getattr(error, "__notes__", ()):
        copied.add_note(note)
    return copied


class ReleaseFailedError(SegmentsError):
    """
    The service could not build a release.

    Attributes:
        dataset: ``"owner/name"``.
        name: The release's name.
    """

    def __init__(self, dataset: str, name: str | None = None) -> None:
        self.dataset: str = "" if name is None else dataset
        self.name: str = name or ""
        if name is None:  # rebuilt from its text alone
            super().__init__(dataset)
        else:
            super().__init__(
                f"release {name!r} of {dataset} failed; create another one, or contact Segments.ai support"
            )


class ExportError(SegmentsError):
    """
    A sample of a release cannot be exported; ``__cause__`` is the underlying error, if any.

    Attributes:
        sample: The sample's name; empty if unknown.
        uuid: The sample's uuid; None if the release does not contain it.
        problem: What is wrong with the sample.
    """

    def __init__(self, problem: str, *, sample: str | None = None, uuid: str | None = None) -> None:
        self.problem = problem
        self.sample: str = sample or ""
        self.uuid = uuid
        super().__init__(problem if sample is None else f"sample {sample!r}: {problem}")


class WrongTypeError(SegmentsError, AttributeError):
    """
    A sample or label is of another type than asked for, such as ``sample.image`` of a point cloud; says which it is.

    It is an AttributeError, so ``hasattr(sample, "image")`` and ``getattr(sample, "image", None)`` work.
    """


class ClientStateError(SegmentsError, RuntimeError):
    """The client cannot be used: it is closed, or belongs to another event loop."""


class WebhookError(SegmentsError):
    """
    A webhook is not to be processed: respond with `status`, and do nothing else.

    Attributes:
        status: The HTTP status to respond with. 400: it is forged, altered, stale or empty. 200: it was processed
            before, or it is genuine but not an event, and would not be one if it were delivered again. 409: it is being
            processed, and should be delivered again in case that fails.
    """

    status: int = 400

    def __init__(self, message: str = "", *, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def _describe(status: int | None, method: str | None, url: str | None, detail: str, request_id: str | None) -> str:
    if status is None:
        return detail
    try:
        reason = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        reason = str(status)
    text = f"{reason} on {method} {url}: {detail or 'no details from the service'}"
    return f"{text} [request id {request_id}]" if request_id else text
