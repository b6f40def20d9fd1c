"""Webhook delivery: the sandbox sends events to loopback URLs, signed as the service signs them."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from base64 import b64encode
from collections import deque
from collections.abc import Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

import httpx
from attrs import define, field, frozen
from standardwebhooks import Webhook

from segments_async.sandbox.exact_json import write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async.sandbox.state import Dataset, Record

EVENT_TYPES = (
    "dataset.created",
    "dataset.updated",
    "dataset.deleted",
    "sample.created",
    "sample.updated",
    "sample.deleted",
    "label.updated",
    "label.deleted",
    "issue.created",
    "issue.updated",
    "release.created",
)
API_VERSION = "2021-08-01"
ATTEMPTS = 3
ATTEMPT_SECONDS = 5.0
PAUSE_SECONDS = 0.05
"""Delay before the second attempt, doubled for each further one; shorter than the service's, for fast tests."""
MAX_DELIVERIES = 10_000

Family = Literal["svix", "webhook"]


@frozen(kw_only=True)
class Delivery:
    """One attempt to deliver a webhook."""

    url: str
    """The URL of the endpoint."""
    event_type: str
    """The type of the event, such as ``"sample.created"``."""
    message_id: str
    """The id of the message, the same for all attempts."""
    attempt: int
    """The number of the attempt, from 1."""
    headers: dict[str, str] = field(repr=False)
    """The headers as sent, including the signature."""
    body: bytes = field(repr=False)
    """The body as sent."""
    status: int | None
    """The status of the response; None without a response."""


@frozen(kw_only=True)
class Message:
    """An event to deliver to its endpoints."""

    id: str
    event_type: str
    body: bytes


@define(eq=False, kw_only=True)
class Endpoint:
    """A registered webhook URL and its pending messages."""

    url: str
    events: frozenset[str] | None
    secret: str = field(repr=False)
    family: Family
    queue: deque[Message] = field(factory=deque)
    worker: asyncio.Task[None] | None = None

    def sign(self, message: Message) -> dict[str, str]:
        """Return the headers of *message*, signed with the system time, as receivers compare it with their clock."""
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            f"{self.family}-id": message.id,
            f"{self.family}-timestamp": str(int(now.timestamp())),
            f"{self.family}-signature": Webhook(self.secret).sign(message.id, now, message.body.decode()),
        }


class Webhooks:
    """
    Delivers events to endpoints: in order for each endpoint, concurrently across endpoints.

    Any thread may add endpoints and events; everything else runs in the server's thread.

    Arguments:
        clock: Returns the seconds since the Unix epoch, for ``created_at``.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._endpoints: list[Endpoint] = []
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)

    @property
    def pending(self) -> int:
        """Number of messages still to be delivered or retried."""
        return sum(len(endpoint.queue) for endpoint in self._endpoints)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver in *loop* from now on."""
        self._loop = loop

    def reset(self) -> None:
        """Forget all endpoints and deliveries, and drop pending messages."""
        for endpoint in self._endpoints:
            endpoint.queue.clear()
            if endpoint.worker is not None:
                endpoint.worker.cancel()
        self._endpoints.clear()
        self.deliveries.clear()

    def add(self, url: str, events: Collection[str] | None, family: Family) -> str:
        """Register an endpoint and return its secret."""
        _check_loopback(url)
        _check_events(events)
        if family not in get_args(Family):
            raise ValueError(f"family: expected one of {', '.join(map(repr, get_args(Family)))}, got {family!r}.")
        secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
        subscribed = None if events is None else frozenset(events)
        self._endpoints.append(Endpoint(url=url, events=subscribed, secret=secret, family=family))
        return secret

    def notify(self, event_type: str, dataset: Dataset, describe: Callable[[], Record]) -> None:
        """Send an event about an object in *dataset*; *describe* is called only if an endpoint is subscribed."""
        if self._subscribers(event_type):
            self.send(event_type, dataset.full_name, describe())

    def send(self, event_type: str, dataset: str | None, subject: object, text: str | None = None) -> None:
        """Send an event of any type, known or unknown."""
        event = {
            "event_type": event_type,
            "created_at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds"),
            "api_version": API_VERSION,
            "dataset": dataset,
            "object": subject,
            "text": _event_text(event_type, dataset, subject) if text is None else text,
        }
        message = Message(id=f"msg_{secrets.token_urlsafe(20)}", event_type=event_type, body=write_json(event))
        subscribers = self._subscribers(event_type)
        for endpoint in subscribers:
            endpoint.queue.append(message)
        if subscribers:
            assert self._loop is not None  # changes and events need a started sandbox
            self._loop.call_soon_threadsafe(self._start_workers)

    def _start_workers(self) -> None:
        for endpoint in self._endpoints:
            if endpoint.queue and (endpoint.worker is None or endpoint.worker.done()):
                endpoint.worker = asyncio.get_running_loop().create_task(self._deliver_queued(endpoint))

    async def aclose(self) -> None:
        """Stop delivering; pending messages are dropped."""
        workers = [endpoint.worker for endpoint in self._endpoints if endpoint.worker is not None]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for endpoint in self._endpoints:
            endpoint.queue.clear()
        if self._client is not None:
            await self._client.aclose()

    def _subscribers(self, event_type: str) -> list[Endpoint]:
        return [one for one in tuple(self._endpoints) if one.events is None or event_type in one.events]

    async def _deliver_queued(self, endpoint: Endpoint) -> None:
        while endpoint.queue:
            await self._deliver(endpoint, endpoint.queue[0])
            endpoint.queue.popleft()  # after delivery, so that `pending` counts it until then

    async def _deliver(self, endpoint: Endpoint, message: Message) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                await asyncio.sleep(PAUSE_SECONDS * 2 ** (attempt - 2))
            headers = endpoint.sign(message)
            status = await self._post(endpoint.url, message.body, headers)
            self.deliveries.append(
                Delivery(
                    url=endpoint.url,
                    event_type=message.event_type,
                    message_id=message.id,
                    attempt=attempt,
                    headers=headers,
                    body=message.body,
                    status=status,
                )
            )
            if status is not None and httpx.codes.is_success(status):
                return

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        if self._client is None:
            # Only loopback URLs, so proxies and certificate checks are not needed.
            self._client = httpx.AsyncClient(trust_env=False, verify=False, timeout=ATTEMPT_SECONDS)  # noqa: S501
        try:
            response = await self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return None
        return response.status_code


def _check_loopback(url: object) -> None:
    if not isinstance(url, str):
        raise ValueError(f"url: expected a URL such as 'http://127.0.0.1:8000', got {url!r}.")  # noqa: TRY004
    try:
        parts, target = urlsplit(url), httpx.URL(url)
        port = parts.port
    except (ValueError, httpx.InvalidURL) as error:
        raise ValueError(f"url: expected a URL such as 'http://127.0.0.1:8000', got {url!r}: {error}.") from error
    if port == 0:
        raise ValueError(f"url: expected a port from 1 to 65535, got {url!r}.")
    host = target.host
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if target.scheme not in {"http", "https"} or not loopback:
        raise ValueError(
            f"The sandbox sends webhooks only to loopback URLs such as http://127.0.0.1:8000, got {url!r}."
        )


def _check_events(events: object) -> None:
    if events is None:
        return
    if isinstance(events, str) or not isinstance(events, Collection):
        raise ValueError(f"events: expected a list of event types or None for all, got {events!r}.")  # noqa: TRY004
    if not events:
        raise ValueError("events: expected at least one event type, or None for all.")
    for event in events:
        if event not in EVENT_TYPES:
            near = get_close_matches(str(event), EVENT_TYPES, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(EVENT_TYPES)}."
            raise ValueError(f"events: unknown event type {event!r}; {hint}")


def _event_text(event_type: str, dataset: str | None, subject: object) -> str:
    kind, _, action = event_type.partition(".")
    name = subject.get("name", "") if isinstance(subject, dict) else ""
    sentence = f"{kind.capitalize()} {name}".rstrip() + f" {action}"
    return f"{sentence}." if kind == "dataset" else f"{sentence} in dataset {dataset}."
