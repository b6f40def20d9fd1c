"""
Webhooks of the service: proven to be genuine, and read.

Example:
    ::

        from segments_async.webhooks import LabelUpdated, WebhookError, verify

        try:
            event = verify(body, headers, secret)
        except WebhookError as error:
            ...  # answer 400, and do nothing else
        match event:
            case LabelUpdated():
                print(event.dataset, event.text)

In FastAPI, `segments_async.fastapi.WebhookRouter` does all this. Source: docs.segments.ai/how-to-integrate/webhooks;
the service sends by Svix, whose scheme is that of standardwebhooks.com.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import uuid4

if find_spec("standardwebhooks") is None:
    raise ImportError(
        'Webhooks need standardwebhooks, which their extra installs: pip install "segments-async[webhooks]"'
    )

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from segments_async._serialization.converter import decode_json, structure
from segments_async.errors import DecodeError, InputError, WebhookError
from segments_async.models.webhooks import (
    EVENTS,
    DatasetCreated,
    DatasetDeleted,
    DatasetUpdated,
    IssueCreated,
    IssueUpdated,
    LabelDeleted,
    LabelUpdated,
    ReleaseCreated,
    SampleCreated,
    SampleDeleted,
    SampleUpdated,
    UnknownEvent,
    WebhookEvent,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

__all__ = [
    "DatasetCreated",
    "DatasetDeleted",
    "DatasetUpdated",
    "IssueCreated",
    "IssueUpdated",
    "LabelDeleted",
    "LabelUpdated",
    "MessageIds",
    "ReleaseCreated",
    "ReplayGuard",
    "SampleCreated",
    "SampleDeleted",
    "SampleUpdated",
    "UnknownEvent",
    "WebhookError",
    "WebhookEvent",
    "message_id",
    "parse",
    "sign",
    "verify",
]

FAMILIES = ("svix", "webhook")
"""What the names of the headers begin with: as the service sends them, and as the specification calls them."""


class MessageIds(Protocol):
    """
    What remembers the ids of messages, such as a table that several processes share.

    Either method may be ``async`` where `segments_async.fastapi` uses it.
    """

    def claim(self, message_id: str, /) -> bool | Awaitable[bool]:
        """Remember *message_id*; False if it was known."""

    def release(self, message_id: str, /) -> object:
        """Forget *message_id*, as what it asked for could not be done: its repetition is welcome."""


class ReplayGuard:
    """
    Remember in this process which messages were taken, so that each is taken once.

    Example:
        >>> guard = ReplayGuard()
        >>> guard.claim("msg_1"), guard.claim("msg_1")
        (True, False)

    Args:
        seconds: How long a message is remembered: at least 600, as the time it names may be five minutes ahead and
            is accepted until it is five minutes old.
        most: How many are remembered; the oldest ones are forgotten first.
        clock: Seconds since some start; for tests.

    Raises:
        InputError: *seconds* or *most* is too small.
    """

    def __init__(
        self, *, seconds: float = 86_400.0, most: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not seconds >= 600:  # noqa: PLR2004 (twice the tolerance)
            raise InputError(f"expected at least 600, got {seconds!r}", path="seconds")
        if most < 1:
            raise InputError(f"expected at least 1, got {most!r}", path="most")
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._taken: OrderedDict[str, float] = OrderedDict()

    def claim(self, message_id: str, /) -> bool:
        """
        Remember a message; False if it was taken before.

        Example:
            >>> ReplayGuard().claim("msg_1")
            True
        """
        now = self._clock()
        while self._taken and next(iter(self._taken.values())) <= now - self._seconds:
            self._taken.popitem(last=False)
        if message_id in self._taken:
            return False
        self._taken[message_id] = now
        if len(self._taken) > self._most:
            self._taken.popitem(last=False)
        return True

    def release(self, message_id: str, /) -> None:
        """
        Forget a message, as what it asked for could not be done: the sender will repeat it.

        Example:
            >>> ReplayGuard().release("msg_1")
        """
        self._taken.pop(message_id, None)


def verify(
    body: bytes, headers: Mapping[str, str], secret: str | Sequence[str], *, replay: ReplayGuard | None = None
) -> WebhookEvent:
    """
    Read a webhook, if it is genuine, whole, and not older or newer than five minutes.

    Example:
        >>> body = b'{"event_type": "sample.created", "dataset": "jane/flowers"}'
        >>> secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
        >>> event = verify(body, sign(body, secret), secret)
        >>> isinstance(event, SampleCreated), event.dataset
        (True, 'jane/flowers')

    Args:
        body: The body of the request, byte for byte: JSON that was decoded and written again has another signature.
        headers: Of the request: ``svix-id``, ``svix-timestamp`` and ``svix-signature``, or the same with ``webhook-``.
        secret: The endpoint's, ``whsec_...``; several while it is being replaced.
        replay: Takes each message only once. Release the `message_id` if what the event asks for cannot be done.

    Returns:
        An instance of the event's class; an `UnknownEvent` for a type newer than this version.

    Raises:
        WebhookError: It is forged, altered, stale, replayed, empty, or no event. Answer 400, and do nothing else.
        InputError: *body* is no bytes, or *secret* no secret.
    """
    if not isinstance(body, bytes | bytearray):
        raise InputError(f"expected the bytes of the request as they came, got {type(body).__name__}", path="body")
    signers = _signers(secret)
    if not body:
        raise WebhookError("the webhook is empty")
    sent = _standard_headers(headers)
    _check_signature(bytes(body), sent, signers)
    event = parse(bytes(body))
    if replay is not None and not replay.claim(sent["webhook-id"]):
        raise WebhookError(f"webhook {sent['webhook-id']} was taken before")
    return event


def parse(body: bytes) -> WebhookEvent:
    """
    Read the body of a webhook without asking whether it is genuine, which `verify` does.

    Example:
        >>> parse(b'{"event_type": "robot.created"}').event_type
        'robot.created'

    Args:
        body: JSON.

    Returns:
        An instance of the event's class; an `UnknownEvent` for a type newer than this version.

    Raises:
        WebhookError: It is no event.
    """
    try:
        payload = decode_json(body)
        kind = payload.get("event_type") if isinstance(payload, dict) else None
        return structure(payload, EVENTS.get(kind, UnknownEvent) if isinstance(kind, str) else UnknownEvent)
    except DecodeError as error:
        raise WebhookError(f"the webhook is no event: {error}") from error


def message_id(headers: Mapping[str, str]) -> str:
    """
    Tell the id of a webhook, which stays the same when it is repeated.

    Example:
        >>> message_id({"svix-id": "msg_1", "svix-timestamp": "1614265330", "svix-signature": "v1,..."})
        'msg_1'

    Args:
        headers: Of the request.

    Raises:
        WebhookError: They are not the headers of a webhook.
    """
    return _standard_headers(headers)["webhook-id"]


def sign(
    body: bytes,
    secret: str,
    *,
    message_id: str | None = None,
    timestamp: datetime | None = None,
    family: Literal["svix", "webhook"] = "svix",
) -> dict[str, str]:
    """
    Sign a webhook as the service does; for tests.

    Example:
        >>> headers = sign(b"{}", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", message_id="msg_1")
        >>> sorted(headers)
        ['svix-id', 'svix-signature', 'svix-timestamp']

    Args:
        body: What is sent, byte for byte.
        secret: The endpoint's.
        message_id: By default a new one.
        timestamp: An aware time; by default now.
        family: What the names of the headers begin with.

    Returns:
        The headers to send.

    Raises:
        InputError: *secret* is no secret, *timestamp* has no zone, or *body* is not UTF-8.
    """
    (signer,) = _signers(secret)
    at = datetime.now(UTC) if timestamp is None else timestamp
    if at.tzinfo is None:
        raise InputError("expected a time with a zone", path="timestamp")
    name = f"msg_{uuid4().hex}" if message_id is None else message_id
    try:
        signature = signer.sign(name, at.astimezone(UTC), body.decode())
    except UnicodeDecodeError as error:
        raise InputError("expected UTF-8", path="body") from error
    return {
        f"{family}-id": name,
        f"{family}-timestamp": str(int(at.timestamp())),
        f"{family}-signature": signature,
    }


def _signers(secret: str | Sequence[str]) -> list[Webhook]:
    """Read the secrets; what is wrong with one is told without showing it."""
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise InputError("expected one secret at least", path="secret")
    return [_signer(one) for one in secrets]


def _signer(secret: object) -> Webhook:
    if not isinstance(secret, str):
        raise InputError(f"expected a string such as 'whsec_...', got {type(secret).__name__}", path="secret")
    try:
        return Webhook(secret.strip())
    except (ValueError, EmptyWebhookSecretError):
        pass  # whose traceback might show it
    raise InputError("expected 'whsec_' and base64, as the page of the endpoint shows it", path="secret")


def _standard_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Give the headers the names of the specification; those of one family, never mixed."""
    given = {name.lower(): value for name, value in headers.items() if isinstance(name, str)}
    for family in FAMILIES:
        found: dict[str, Any] = {part: given.get(f"{family}-{part}") for part in ("id", "timestamp", "signature")}
        if all(isinstance(value, str) and value for value in found.values()):
            return {f"webhook-{part}": value for part, value in found.items()}
    raise WebhookError("the webhook is not signed: it has neither all svix-* nor all webhook-* headers")


def _check_signature(body: bytes, headers: dict[str, str], signers: Sequence[Webhook]) -> None:
    problem = ""
    for signer in signers:
        try:
            signer.verify(body, headers, json_parse=False)
        except WebhookVerificationError as error:
            problem = str(error)
        except ValueError:  # what is not even the form of a signature, or not UTF-8
            problem = "malformed signature or body"
        else:
            return
    raise WebhookError(f"webhook {headers['webhook-id']} refused: {problem}")
