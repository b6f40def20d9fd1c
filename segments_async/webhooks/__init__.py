"""
Verify and parse webhooks of the service.

Example::

    from segments_async.webhooks import LabelUpdated, WebhookError, verify

    try:
        event = verify(body, headers, secret)
    except WebhookError as error:
        ...  # respond with error.status, and do nothing else
    match event:
        case LabelUpdated():
            print(event.dataset, event.text)

In FastAPI, `segments_async.fastapi.WebhookRouter` does all this. Source: docs.segments.ai/how-to-integrate/webhooks.
The service sends webhooks with Svix, which follows the specification of standardwebhooks.com.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

if find_spec("standardwebhooks") is None:
    raise ImportError('webhooks require standardwebhooks; install it with: pip install "segments-async[webhooks]"')

from segments_async._serialization.converter import decode_json, structure_answer
from segments_async._serialization.decoded_size import decoded_size, may_exceed
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
from segments_async.webhooks._redis import RedisReplayGuard
from segments_async.webhooks._signatures import check_signature, quote_id, signers, standard_headers
from segments_async.webhooks._sqlite import SqliteReplayGuard
from segments_async.webhooks._stores import Claim, MessageIds, ReplayGuard, check_blocking, check_new, claim_blocking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Claim",
    "DatasetCreated",
    "DatasetDeleted",
    "DatasetUpdated",
    "IssueCreated",
    "IssueUpdated",
    "LabelDeleted",
    "LabelUpdated",
    "MessageIds",
    "RedisReplayGuard",
    "ReleaseCreated",
    "ReplayGuard",
    "SampleCreated",
    "SampleDeleted",
    "SampleUpdated",
    "SqliteReplayGuard",
    "UnknownEvent",
    "WebhookError",
    "WebhookEvent",
    "message_id",
    "parse",
    "sign",
    "verify",
]

_MAX_EVENT_BYTES = 256_000_000
"""Maximum bytes of memory for a decoded event."""


def verify(
    body: bytes, headers: Mapping[str, str], secret: str | Sequence[str], *, replay: MessageIds | None = None
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
        replay: Leases the message, so that it is processed once. Call its ``finish`` with the `message_id` when the
            event is processed, or its ``release`` if that fails. An async store can only be awaited in a worker thread
            of anyio, such as that of a sync route of FastAPI.

    Returns:
        An instance of the event's class; an `UnknownEvent` for a type newer than this version.

    Raises:
        WebhookError: The webhook is forged, altered, stale or empty; is genuine, but not an event; or is being
            processed or was processed before. Respond with its `status`, and do nothing else.
        InputError: *body* is not bytes, *secret* is invalid, or *replay* is not a store that can be used here.
    """
    if not isinstance(body, bytes | bytearray):
        raise InputError(f"expected the raw bytes of the request body, got {type(body).__name__}", path="body")
    keys = signers(secret)
    if replay is not None:
        check_blocking(replay)  # also before a message that is refused, so that the mistake is noticed at once
    if not body:
        raise WebhookError("the body of the webhook is empty")
    sent = standard_headers(headers)
    check_signature(bytes(body), sent, keys)
    event = _parse_genuine(bytes(body), sent["webhook-id"])
    if replay is not None:
        check_new(claim_blocking(replay, sent["webhook-id"]), sent["webhook-id"])
    return event


def _parse_genuine(body: bytes, name: str) -> WebhookEvent:
    try:
        return parse(body)
    except WebhookError as error:
        # 200, as it would not be an event next time either, and senders disable an endpoint that refuses for days.
        raise WebhookError(f"webhook {quote_id(name)} is genuine, but {error}", status=200) from error


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
    if may_exceed(len(body), _MAX_EVENT_BYTES) and decoded_size(body) > _MAX_EVENT_BYTES:
        raise WebhookError("the webhook is not an event: decoded, it might take more than 256 MB of memory")
    try:
        payload = decode_json(body)
        kind = payload.get("event_type") if isinstance(payload, dict) else None
        return structure_answer(payload, EVENTS.get(kind, UnknownEvent) if isinstance(kind, str) else UnknownEvent)
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
    return standard_headers(headers)["webhook-id"]


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
    (signer,) = signers(secret)
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
