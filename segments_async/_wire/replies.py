"""From an answer to what it means: a status to its error, a Django REST Framework body to words and fields."""

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
"""Characters of an answer's words that an error shows; its `body` holds more."""
MAX_BODY = 100_000
"""Characters of an answer that is not JSON which an error keeps."""

REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-requestid", "x-amz-request-id", "x-amzn-trace-id", "cf-ray")

_BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    402: SubscriptionError,
    403: AuthorizationError,
    404: NotFoundError,
    429: RateLimitError,
}

_BY_WORDS: tuple[tuple[str, type[ApiError]], ...] = (
    ("cannot be added as collaborator", CollaboratorError),
    ("is already a collaborator", CollaboratorError),
    ("free trial ended", SubscriptionError),
    ("exceeded user limit", SubscriptionError),
    ("already exists", AlreadyExistsError),
    ("already have", AlreadyExistsError),
)
"""Read on a 400, 402 or 403 only; the first that fits counts (`api.md`)."""

_REFINED = frozenset({400, 402, 403})
_NO_CREDENTIALS = "credentials were not provided"
_NOT_FIELDS = frozenset({"detail", "code", "messages"})
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_XML_WORDS = re.compile(r"<(?:Code|Message)>(.*?)</(?:Code|Message)>", re.DOTALL)


@frozen
class Reply:
    """An answer, read to its end."""

    status: int
    method: str
    url: str
    """Where it came from, fit to be shown: see `redact_url`."""
    headers: Mapping[str, str]
    """Looked up in lower case."""
    content: bytes

    @property
    def request_id(self) -> str | None:
        """What names this answer to the service's support."""
        return request_id_in(self.headers)

    def body(self) -> Any:
        """The answer as JSON if it is, else as text."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return self.content[:MAX_BODY].decode("utf-8", "replace")


def request_id_in(headers: Mapping[str, str]) -> str | None:
    """What names an answer to the service's support."""
    return next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), None)


def redact_url(url: str) -> str:
    """Cut a password and what signs a presigned URL, so that the rest can be shown and logged."""
    if "@" not in url and "ignature=" not in url and "[" not in url:
        return url  # nearly always
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
    """Choose the error for an answer of the API that is no success: the status decides, words only refine."""
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
    Choose the error for a refusal of the storage host.

    Its 401 and 403 speak of a signature and not of our API key, so they are plain `ApiError`.
    """
    table: dict[int, type[ApiError]] = {404: NotFoundError, 429: RateLimitError}
    cls = table.get(reply.status, ServerError if reply.status >= 500 else ApiError)  # noqa: PLR2004
    body = reply.body()
    detail, fields = read_problems(body)
    return _build(cls, reply, detail, fields, body, now)


def _refine(cls: type[ApiError], words: str, status: int) -> type[ApiError]:
    if status == 403 and _NO_CREDENTIALS in words:  # noqa: PLR2004
        return AuthenticationError
    return next((refined for phrase, refined in _BY_WORDS if phrase in words), cls)


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
    Read a Django REST Framework error body into one line and the problems by field.

    Nested problems get a path as their field: ``{"attributes": {"image": ["Required."]}}`` is
    ``{"attributes.image": ["Required."]}``, and the third item of a refused list is ``[2].name``.
    """
    if isinstance(body, str):
        return _one_line(_words_of_page(body)), {}
    problems = list(_flatten(body, ""))
    fields: dict[str, list[str]] = {}
    for path, words in problems:
        if path and path not in _NOT_FIELDS:
            fields.setdefault(path, []).append(words)
    lines = [words if not path or path in _NOT_FIELDS else f"{path}: {words}" for path, words in problems]
    return _one_line("; ".join(lines)), fields


def _flatten(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            # A list of sentences belongs to its field; a list of objects is one object for each item sent.
            yield from _flatten(inner, f"{path}[{index}]" if isinstance(inner, dict | list) else path)
    elif value is not None and value != "":
        yield path, str(value)


def _words_of_page(text: str) -> str:
    if words := _XML_WORDS.findall(text):
        return ": ".join(words)
    if title := _TITLE.search(text):
        return title[1]
    return text if "<" not in text else f"a page of {len(text)} characters instead of JSON"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL else f"{line[: MAX_DETAIL - 3]}..."


def error_for_item(error: ApiError, index: int) -> ApiError:
    """The part of a refused list's error that concerns the item at *index*."""
    body = error.body[index]
    detail, fields = read_problems(body)
    return type(error)(error.status, error.method, error.url, detail, fields, error.request_id, body)
