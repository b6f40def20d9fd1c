"""
Verify and parse webhooks of the service.

Example:
    ::

        from segments_async.webhooks import LabelUpdated, WebhookError, verify

        try:
            event = verify(body, headers, secret)
        except WebhookError as error:
            ...  # respond with 400, and do nothing else
        match event:
            case LabelUpdated():
                print(event.dataset, event.text)

In FastAPI, `segments_async.fastapi.WebhookRouter` does all this. Source: docs.segments.ai/how-to-integrate/webhooks.
The service sends webhooks with Svix, which follows the specification of standardwebhooks.com.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import uuid4

if find_spec("standardwebhooks") is None:
    raise ImportError('webhooks require standardwebhooks; install it with: pip install "segments-async[webhooks]"')

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

_HEADER_PREFIXES = ("svix", "webhook")
"""Prefixes of the header names: that of the service (Svix), and that of the specification."""


class MessageIds(Protocol):
    """
    A store of message ids, such as a database table that several processes share.

    With `segments_async.fastapi`, both methods may be ``async``.
    """

    def claim(self, message_id: str, /) -> bool | Awaitable[bool]:
        """Store *message_id*; return False if it is already stored."""

    def release(self, message_id: str, /) -> object:
        """Remove *message_id* because its processing failed, so that it can be delivered again."""


class ReplayGuard:
    """
    Remember the ids of received messages in this process, so that each message is accepted only once.

    Example:
        >>> guard = ReplayGuard()
        >>> guard.claim("msg_1"), guard.claim("msg_1")
        (True, False)

    Args:
        seconds: How long an id is remembered. At least 600, because timestamps are accepted from five minutes ahead
            to five minutes old.
        most: Maximum number of ids; the oldest ones are removed first.
        clock: Returns seconds since an arbitrary start; for tests.

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
        self._claimed: OrderedDict[str, float] = OrderedDict()

    def claim(self, message_id: str, /) -> bool:
        """
        Remember a message id; return False if it was already remembered.

        Example:
            >>> ReplayGuard().claim("msg_1")
            True
        """
        now = self._clock()
        while self._claimed and next(iter(self._claimed.values())) <= now - self._seconds:
            self._claimed.popitem(last=False)
        if message_id in self._claimed:
            return False
        self._claimed[message_id] = now
        if len(self._claimed) > self._most:
            self._claimed.popitem(last=False)
        return True

    def release(self, message_id: str, /) -> None:
        """
        Forget a message id because its processing failed, so that the message can be delivered again.

        Example:
            >>> ReplayGuard().release("msg_1")
        """
        self._claimed.pop(message_id, None)


def verify(
    body: bytes, headers: Mapping[str, str], secret: str | Sequence[str], *, replay: ReplayGuard | None = None
) -> WebhookEvent:
    """
    Verify and parse a webhook: its signature must match, and its timestamp must be within five minutes of now.

    Example:
        >>> body = b'{"event_type": "sample.created", "dataset": "jane/flowers"}'
        >>> secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
        >>> event = verify(body, sign(body, secret), secret)
        >>> isinstance(event, SampleCreated), event.dataset
        (True, 'jane/flowers')

    Args:
        body: The raw bytes of the request body. JSON that was decoded and encoded again has another signature.
        headers: The request headers: ``svix-id``, ``svix-timestamp`` and ``svix-signature``, or the same with
            ``webhook-``.
        secret: The signing secret of the endpoint, ``whsec_...``; several during a rotation.
        replay: Rejects messages that were already accepted. Release the `message_id` if the processing fails.

    Returns:
        An instance of the event's class; an `UnknownEvent` for a type newer than this version.

    Raises:
        WebhookError: The webhook is forged, altered, stale, replayed, empty, or not an event. Respond with 400, and do
            nothing else.
        InputError: *body* is not bytes, or *secret* is invalid.
    """
    if not isinstance(body, bytes | bytearray):
        raise InputError(f"expected the raw bytes of the request body, got {type(body).__name__}", path="body")
    signers = _signers(secret)
    if not body:
        raise WebhookError("the body of the webhook is empty")
    sent = _standard_headers(headers)
    _check_signature(bytes(body), sent, signers)
    event = parse(bytes(body))
    if replay is not None and not replay.claim(sent["webhook-id"]):
        raise WebhookError(f"webhook {sent['webhook-id']} was already received")
    return event


def parse(body: bytes) -> WebhookEvent:
    """
    Parse the body of a webhook without verifying its signature; to verify it, use `verify`.

    Example:
        >>> parse(b'{"event_type": "robot.created"}').event_type
        'robot.created'

    Args:
        body: The JSON body of the request.

    Returns:
        An instance of the event's class; an `UnknownEvent` for a type newer than this version.

    Raises:
        WebhookError: The body is not an event.
    """
    try:
        payload = decode_json(body)
        kind = payload.get("event_type") if isinstance(payload, dict) else None
        return structure(payload, EVENTS.get(kind, UnknownEvent) if isinstance(kind, str) else UnknownEvent)
    except DecodeError as error:
        raise WebhookError(f"the webhook is not an event: {error}") from error


def message_id(headers: Mapping[str, str]) -> str:
    """
    Return the id of a webhook, which stays the same when it is delivered again.

    Example:
        >>> message_id({"svix-id": "msg_1", "svix-timestamp": "1614265330", "svix-signature": "v1,..."})
        'msg_1'

    Args:
        headers: The request headers.

    Raises:
        WebhookError: These are not the headers of a webhook.
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
        body: The raw bytes of the request body.
        secret: The signing secret of the endpoint.
        message_id: The id of the message; by default a new one.
        timestamp: An aware datetime; by default now.
        family: The prefix of the header names.

    Returns:
        The headers to send.

    Raises:
        InputError: *secret* is invalid, *timestamp* has no time zone, or *body* is not UTF-8.
    """
    (signer,) = _signers(secret)
    at = datetime.now(UTC) if timestamp is None else timestamp
    if at.tzinfo is None:
        raise InputError("expected a datetime with a time zone", path="timestamp")
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
    """Parse the secrets; error messages must not contain them."""
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise InputError("expected at least one secret", path="secret")
    return [_signer(one) for one in secrets]


def _signer(secret: object) -> Webhook:
    if not isinstance(secret, str):
        raise InputError(f"expected a string such as 'whsec_...', got {type(secret).__name__}", path="secret")
    try:
        return Webhook(secret.strip())
    except (ValueError, EmptyWebhookSecretError):
        pass  # its traceback could contain the secret
    raise InputError("expected 'whsec_' followed by base64, as displayed on the page of the endpoint", path="secret")


def _standard_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers under the names of the specification; both families are never mixed."""
    lowercase = {name.lower(): value for name, value in headers.items() if isinstance(name, str)}
    for family in _HEADER_PREFIXES:
        found: dict[str, Any] = {part: lowercase.get(f"{family}-{part}") for part in ("id", "timestamp", "signature")}
        if all(isinstance(value, str) and value for value in found.values()):
            return {f"webhook-{part}": value for part, value in found.items()}
    raise WebhookError("the webhook is not signed: it lacks some svix-* headers and some webhook-* headers")


def _check_signature(body: bytes, headers: dict[str, str], signers: Sequence[Webhook]) -> None:
    problem = ""
    for signer in signers:
        try:
            signer.verify(body, headers, json_parse=False)
        except WebhookVerificationError as error:
            problem = str(error)
        except ValueError:  # malformed, or not UTF-8
            problem = "malformed signature or body"
        else:
            return
    raise WebhookError(f"webhook {headers['webhook-id']} refused: {problem}")
