"""Map responses to errors: the status to an error class, a Django REST Framework body to a message and fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from attrs import frozen

from segments_async._wire.retry import parse_retry_after
from segments_async.errors import (
    AlreadyExistsError,
    ApiError,
    AuthenticationError,
    AuthorizationError,
    CollaboratorError,
    NotFoundError,
    RateLimitError,
    ServerError,
    SubscriptionError,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DETAIL = 500
"""Maximum characters of the service's message that an error shows; its `body` has the rest."""
MAX_BODY = 100_000
"""Maximum bytes of a response that is not JSON kept in an error."""

REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-requestid", "x-amz-request-id", "x-amzn-trace-id", "cf-ray")

_BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    402: SubscriptionError,
    403: AuthorizationError,
    404: NotFoundError,
    429: RateLimitError,
}

_BY_PHRASE: tuple[tuple[str, type[ApiError]], ...] = (
    ("cannot be added as collaborator", CollaboratorError),
    ("is already a collaborator", CollaboratorError),
    ("free trial ended", SubscriptionError),
    ("exceeded user limit", SubscriptionError),
    ("already exists", AlreadyExistsError),
    ("already have", AlreadyExistsError),
)
"""For a 400, 402 or 403 only; the first match counts. See ``docs/service.md``, "Errors and their wording"."""

_REFINED = frozenset({400, 402, 403})
_NO_CREDENTIALS = "credentials were not provided"
_NOT_FIELDS = frozenset({"detail", "code", "messages"})
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_XML_MESSAGE = re.compile(r"<(?:Code|Message)>(.*?)</(?:Code|Message)>", re.DOTALL)


@frozen
class Reply:
    """A complete response."""

    status: int
    method: str
    url: str
    """The request's URL without secrets; see `redact_url`."""
    headers: Mapping[str, str]
    """Keys are looked up in lower case."""
    content: bytes

    @property
    def request_id(self) -> str | None:
        """The ID to quote to the service's support."""
        return request_id_in(self.headers)

    def body(self) -> Any:
        """Return the decoded JSON, or the text if it is not JSON."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return self.content[:MAX_BODY].decode("utf-8", "replace")


def request_id_in(headers: Mapping[str, str]) -> str | None:
    """Return the ID of a response to quote to the service's support."""
    return next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), None)


def redact_url(url: str) -> str:
    """Remove the credentials and the signature of a URL, so that it can be shown and logged."""
    if "@" not in url and "ignature=" not in url and "[" not in url:
        return url  # the common case, without parsing
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    if "@" in parts.netloc:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    if "signature=" in parts.query.lower():
        parts = parts._replace(query="...")
    return parts.geturl()


def error_for(reply: Reply, *, now: float) -> ApiError:
    """Return the error for an unsuccessful response of the API. The status decides; the message only refines it."""
    body = reply.body()
    detail, fields = read_problems(body)
    cls = _BY_STATUS.get(reply.status, ServerError if reply.status >= 500 else ApiError)  # noqa: PLR2004
    if reply.status in _REFINED:
        cls = _refine(cls, detail.lower(), reply.status)
    if 300 <= reply.status < 400:  # noqa: PLR2004
        detail = f"redirected to {redact_url(reply.headers.get('location', 'nowhere'))}; is base_url right?"
    return _build(cls, reply, detail, fields, body, now)


def storage_error_for(reply: Reply, *, now: float) -> ApiError:
    """
    Return the error for an unsuccessful response of the storage host.

    A 401 or 403 of storage concerns a signature and not the API key, so it is a plain `ApiError`.
    """
    table: dict[int, type[ApiError]] = {404: NotFoundError, 429: RateLimitError}
    cls = table.get(reply.status, ServerError if reply.status >= 500 else ApiError)  # noqa: PLR2004
    body = reply.body()
    detail, fields = read_problems(body)
    return _build(cls, reply, detail, fields, body, now)


def _refine(cls: type[ApiError], message: str, status: int) -> type[ApiError]:
    if status == 403 and _NO_CREDENTIALS in message:  # noqa: PLR2004
        return AuthenticationError
    return next((refined for phrase, refined in _BY_PHRASE if phrase in message), cls)


def _build(
    cls: type[ApiError], reply: Reply, detail: str, fields: dict[str, list[str]], body: Any, now: float
) -> ApiError:
    return cls(
        reply.status,
        reply.method,
        reply.url,
        detail,
        fields,
        reply.request_id,
        body,
        retry_after=parse_retry_after(reply.headers, now=now, detail=detail),
    )


def read_problems(body: Any) -> tuple[str, dict[str, list[str]]]:
    """
    Parse a Django REST Framework error body into a one-line message and the problems by field.

    The field of a nested problem is its path: ``{"attributes": {"image": ["Required."]}}`` becomes
    ``{"attributes.image": ["Required."]}``, and a field of the third item of a rejected list becomes ``[2].name``.
    """
    if isinstance(body, str):
        return _one_line(_page_message(body)), {}
    problems = list(_flatten(body, ""))
    fields: dict[str, list[str]] = {}
    for path, message in problems:
        if path and path not in _NOT_FIELDS:
            fields.setdefault(path, []).append(message)
    lines = [message if not path or path in _NOT_FIELDS else f"{path}: {message}" for path, message in problems]
    return _one_line("; ".join(lines)), fields


def _flatten(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            # A list of strings has the messages of its field; a list of objects has one object per item sent.
            yield from _flatten(inner, f"{path}[{index}]" if isinstance(inner, dict | list) else path)
    elif value is not None and value != "":
        yield path, str(value)


def _page_message(text: str) -> str:
    """Return the message of an S3 error in XML, or the title of an HTML page; plain text stays as it is."""
    if messages := _XML_MESSAGE.findall(text):
        return ": ".join(messages)
    if title := _TITLE.search(text):
        return title[1]
    return text if "<" not in text else f"a page of {len(text)} characters instead of JSON"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL else f"{line[: MAX_DETAIL - 3]}..."


def error_for_item(error: ApiError, index: int) -> ApiError:
    """Return the part of a rejected list's error that concerns the item at *index*."""
    body = error.body[index]
    detail, fields = read_problems(body)
    return type(error)(error.status, error.method, error.url, detail, fields, error.request_id, body)
