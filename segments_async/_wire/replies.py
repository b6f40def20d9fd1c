"""Map responses to errors: the status to an error class, a Django REST Framework body to a message and fields."""

from __future__ import annotations

import codecs
import re
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from attrs import field, frozen

from segments_async._counting import counted
from segments_async._wire.choices import notes_on_choices
from segments_async._wire.retry import parse_retry_after
from segments_async.errors import (
    AlreadyExistsError,
    ApiError,
    AuthenticationError,
    AuthorizationError,
    CollaboratorError,
    DecodeError,
    NotFoundError,
    RateLimitError,
    ServerError,
    SubscriptionError,
    ValidationError,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_REQUEST_ID = 128
"""Maximum characters of a request id that are kept; longer values are not ids."""
MAX_LOCATION = 200
MAX_DEPTH = 16
"""Maximum nesting of an error body that is read; deeper parts are replaced by a note."""
MAX_MASKED_DEPTH = 100
"""Maximum nesting of an error body that is kept if it may contain a URL."""
_TOO_DEEP = "(nested too deeply to show)"
MAX_PROBLEMS = 1000
"""Maximum number of problems that are read from an error body."""
MAX_PATH = 200
"""Maximum characters of the path of a field that are kept: a long one would be repeated for each of its problems."""
MAX_DETAIL = 500
"""Maximum characters of the service's message that an error shows; its `body` has the rest."""
MAX_BODY = 100_000
"""Maximum bytes of a response that is not JSON kept in an error."""

DEFAULT_PORTS = {"http": 80, "https": 443}
"""The ports of URLs that name none."""
REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-requestid", "x-amz-request-id", "x-amzn-trace-id", "cf-ray")

_BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    402: SubscriptionError,
    403: AuthorizationError,
    404: NotFoundError,
    429: RateLimitError,
}

_BY_PHRASE: tuple[tuple[str, type[ApiError], frozenset[int]], ...] = (
    ("credentials were not provided", AuthenticationError, frozenset({403})),
    ("invalid api key", AuthenticationError, frozenset({403})),
    ("cannot be added as collaborator", CollaboratorError, frozenset({400, 402, 403})),
    ("is already a collaborator", CollaboratorError, frozenset({400, 402, 403})),
    ("free trial ended", SubscriptionError, frozenset({400, 402, 403})),
    ("exceeded user limit", SubscriptionError, frozenset({400, 402, 403})),
    ("already exists", AlreadyExistsError, frozenset({400, 402, 403, 409})),
    ("already have", AlreadyExistsError, frozenset({400, 402, 403, 409})),
    ("does not exist", NotFoundError, frozenset({400})),
    ("administrator", AuthorizationError, frozenset({400, 403})),
)
"""By phrase and status; the first match counts. See ``docs/service.md``, "Errors and their wording"."""

_THROTTLED = "throttled"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_FIELDS = frozenset({"detail", "code", "messages"})
# No pattern reads past the next tag, as one that looks for an end that is not there takes seconds for 64 KiB.
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_XML_ELEMENT = re.compile(r"<([\w-]+)>[^<]*")
_XML_MESSAGE = re.compile(r"<(?:Code|Message)>([^<]*)</")


@frozen
class Reply:
    """A complete response."""

    status: int
    method: str
    url: str
    """The request's URL without secrets; see `redact_url`."""
    headers: Mapping[str, str] = field(repr=False)
    """Keys are looked up in lower case."""
    content: bytes = field(repr=False)

    @property
    def request_id(self) -> str | None:
        """The ID to quote to the service's support."""
        return request_id_in(self.headers)

    def body(self) -> Any:
        """Return the decoded JSON, or the text if it is not JSON."""
        return decoded_body(self.content)


def decoded_body(content: bytes) -> Any:
    """Return the decoded JSON of a response, or the beginning of its text if it is not JSON."""
    try:
        return orjson.loads(content.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        return content[:MAX_BODY].decode("utf-8", "replace")


def request_id_in(headers: Mapping[str, str]) -> str | None:
    """Return the ID of a response to quote to the service's support."""
    found = next((headers[name] for name in REQUEST_ID_HEADERS if name in headers), None)
    return None if found is None else printable(found[:MAX_REQUEST_ID])[:MAX_REQUEST_ID]


_SECRET = re.compile(
    r"(^|[-_.])(sig|sign|auth|policy|hmac|jwt|code)=|(signature|token|secret|credential|password|key(-?pair)?-?id|apikey)"
    r"|=[^&]{40,}$",
    re.IGNORECASE,
)
"""Matches a ``key=value`` pair of a query that may be a secret, by its name or by its length."""


def origin_of(url: str) -> tuple[str, str, int | None]:
    """
    Return scheme, host and port of *url*; an invalid URL is its own origin.

    Example:
        >>> origin_of("https://Files.test/a.png") == origin_of("https://files.test:443")
        True
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", url, None
    return parts.scheme, parts.hostname or "", DEFAULT_PORTS.get(parts.scheme) if port is None else port


def redact_url(url: str) -> str:
    """Remove the credentials and the signature of a URL, so that it can be shown and logged."""
    if "@" not in url and "?" not in url and "[" not in url:
        return url  # the common case, without parsing
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    if "@" in parts.netloc:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    if any(map(_SECRET.search, parts.query.split("&"))):
        parts = parts._replace(query="...")
    return parts.geturl()


_QUERY = re.compile(r"\?[^\s'\"<>]+")
_USERINFO = re.compile(r"//[^\s/'\"<>]*@")


def redact_urls(text: str) -> str:
    """Remove the credentials and the signatures of the URLs, relative ones included, in *text*."""

    def redact_query(found: re.Match[str]) -> str:
        return "?..." if any(map(_SECRET.search, found[0][1:].split("&"))) else found[0]

    return _QUERY.sub(redact_query, _USERINFO.sub("//", text))


def _masked_body(reply: Reply) -> Any:
    """Return the body of an error without the signatures of the URLs in it."""
    body = reply.body()
    return _mask(body, MAX_MASKED_DEPTH) if any(sign in reply.content for sign in (b"?", b"@", b"<")) else body


def _mask(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return _XML_ELEMENT.sub(_mask_element, redact_urls(value))
    if isinstance(value, dict | list) and not levels:
        return _TOO_DEEP
    if isinstance(value, dict):
        return {_mask(key, levels): _mask(inner, levels - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask(inner, levels - 1) for inner in value]
    return value


def _mask_element(found: re.Match[str]) -> str:
    """Mask what S3 repeats of a refused request: its signature, what was signed, and the session token."""
    name = found[1].lower()
    is_secret = "sign" in name or name.startswith(("canonical", "token", "awsaccesskeyid"))
    return f"<{found[1]}>..." if is_secret else found[0]


def error_for(reply: Reply, *, now: float) -> ApiError:
    """Return the error for an unsuccessful response of the API. The status decides; the message only refines it."""
    body = _masked_body(reply)
    detail, fields = read_problems(body)
    cls = _BY_STATUS.get(reply.status, ServerError if reply.status >= 500 else ApiError)  # noqa: PLR2004
    cls = _refine(cls, detail.lower(), reply.status)
    if reply.status in _REDIRECTS:
        target = redact_url(reply.headers.get("location", "nowhere"))[:MAX_LOCATION]
        detail = f"redirected to {target}; is base_url right?"
    elif reply.status == 304:  # noqa: PLR2004
        detail = "the answer has no content, although the request has no condition; a cache may be misconfigured"
    error = _build(cls, reply, detail, fields, body, now)
    for note in notes_on_choices(fields):
        error.add_note(note)
    return error


def non_result(reply: Reply, payload: Any, *, now: float) -> RateLimitError | DecodeError | None:
    """
    Return the error for a successful status whose body says that nothing was done; None for a result.

    A body with ``detail`` alone is Django REST Framework's form of an error. The official SDK looks for "throttled"
    in such bodies too.
    """
    if not may_be_no_result(payload):
        return None
    payload = _mask(payload, MAX_MASKED_DEPTH)
    detail, fields = read_problems(payload)
    if _THROTTLED in detail.lower():
        error = _build(RateLimitError, reply, detail, fields, payload, now)
        assert isinstance(error, RateLimitError)
        return error
    return DecodeError(
        f"the answer has no result: {detail}",
        payload=payload,
        status=reply.status,
        method=reply.method,
        url=reply.url,
        request_id=reply.request_id,
    )


def may_be_no_result(payload: Any) -> bool:
    """Return whether a body has the form of an error."""
    return isinstance(payload, dict) and "detail" in payload and not payload.keys() - _NOT_FIELDS


def may_be_throttled(content: bytes) -> bool:
    """Return whether a successful body may be that of a throttled call; cheap, because it runs for every response."""
    return len(content) <= MAX_DETAIL and b'"detail"' in content and _THROTTLED.encode() in content.lower()


def storage_error_for(reply: Reply, *, now: float) -> ApiError:
    """
    Return the error for an unsuccessful response of the storage host.

    A 401 or 403 of storage concerns a signature and not the API key, so it is a plain `ApiError`.
    """
    table: dict[int, type[ApiError]] = {404: NotFoundError, 429: RateLimitError}
    cls = table.get(reply.status, ServerError if reply.status >= 500 else ApiError)  # noqa: PLR2004
    body = _masked_body(reply)
    detail, fields = read_problems(body)
    return _build(cls, reply, detail, fields, body, now)


def _refine(cls: type[ApiError], message: str, status: int) -> type[ApiError]:
    return next((refined for phrase, refined, statuses in _BY_PHRASE if status in statuses and phrase in message), cls)


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
    problems = list(islice(_flatten(body, "", MAX_DEPTH), MAX_PROBLEMS))
    fields: dict[str, list[str]] = {}
    for path, message in problems:
        if path and path not in _NOT_FIELDS:
            fields.setdefault(path, []).append(message)
    lines = [message if not path or path in _NOT_FIELDS else f"{path}: {message}" for path, message in problems]
    return _one_line("; ".join(lines)), fields


def _flatten(value: Any, path: str, levels: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list) and not levels:
        yield path, _TOO_DEEP
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, (f"{path}.{key}" if path else str(key))[:MAX_PATH], levels - 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            # A list of strings has the messages of its field; a list of objects has one object per item sent.
            inner_path = f"{path}[{index}]"[:MAX_PATH] if isinstance(inner, dict | list) else path
            yield from _flatten(inner, inner_path, levels - 1)
    elif value is not None and value != "":
        yield path, str(value)


def _page_message(text: str) -> str:
    """Return the message of an S3 error in XML, or the title of an HTML page; plain text stays as it is."""
    if messages := _XML_MESSAGE.findall(text):
        return ": ".join(messages)
    if title := _TITLE.search(text):
        return title[1]
    return text if "<" not in text else f"a page of {counted(len(text), 'character')} instead of JSON"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL else f"{line[: MAX_DETAIL - 3]}..."


def error_for_item(error: ApiError, index: int) -> ApiError:
    """Return the part of a rejected list's error that concerns the item at *index*."""
    body = error.body[index]
    detail, fields = read_problems(body)
    return type(error)(error.status, error.method, error.url, detail, fields, error.request_id, body)
