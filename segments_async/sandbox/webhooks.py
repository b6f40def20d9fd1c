"""Webhooks: the sandbox tells URLs of this machine what has changed, signed as the service signs."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from base64 import b64encode
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import httpx
import orjson
from attrs import define, field, frozen
from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

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
"""Before the second attempt; doubled before each further one. The service waits longer, a test should not."""
MAX_DELIVERIES = 10_000

Family = Literal["svix", "webhook"]


@frozen(kw_only=True)
class Delivery:
    """One attempt to deliver a webhook."""

    url: str
    """Where it was sent."""
    event_type: str
    """Such as ``"sample.created"``."""
    message_id: str
    """The same for all attempts."""
    attempt: int
    """From 1."""
    headers: dict[str, str] = field(repr=False)
    """As they were sent, the signature among them."""
    body: bytes = field(repr=False)
    """As it was sent."""
    status: int | None
    """Of the answer; None if there was none."""


@frozen(kw_only=True)
class Message:
    """An event on its way to its endpoints."""

    id: str
    event_type: str
    body: bytes


@define(eq=False, kw_only=True)
class Endpoint:
    """Who wants to know, and what is still to be told."""

    url: str
    events: frozenset[str] | None
    secret: str = field(repr=False)
    family: Family
    queue: deque[Message] = field(factory=deque)
    worker: asyncio.Task[None] | None = None

    def sign(self, message: Message) -> dict[str, str]:
        """Headers for *message* if it is sent now: by the machine's clock, as receivers compare with theirs."""
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            f"{self.family}-id": message.id,
            f"{self.family}-timestamp": str(int(now.timestamp())),
            f"{self.family}-signature": Webhook(self.secret).sign(message.id, now, message.body.decode()),
        }


class Webhooks:
    """
    The endpoints, and the deliveries to them; in order for each endpoint, at once for all.

    Endpoints may be added by any thread; all else happens in the server's own.

    Arguments:
        clock: Returns the seconds since the epoch, for ``created_at``.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._endpoints: list[Endpoint] = []
        self._client: httpx.AsyncClient | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)

    @property
    def pending(self) -> int:
        """Messages that are still to be delivered, or given up."""
        return sum(len(endpoint.queue) for endpoint in self._endpoints)

    def add(self, url: str, events: Collection[str] | None, family: Family) -> str:
        """Register an endpoint, and return its secret."""
        _check_loopback(url)
        secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
        wanted = None if events is None else frozenset(events)
        self._endpoints.append(Endpoint(url=url, events=wanted, secret=secret, family=family))
        return secret

    def tell(self, event_type: str, dataset: Dataset, describe: Callable[[], Record]) -> None:
        """Send an event about a thing in *dataset*, which is described only if somebody wants to know."""
        if self._wanting(event_type):
            self.send(event_type, dataset.full_name, describe())

    def send(self, event_type: str, dataset: str | None, thing: object, text: str | None = None) -> None:
        """Send an event, of a known type or not."""
        event = {
            "event_type": event_type,
            "created_at": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds"),
            "api_version": API_VERSION,
            "dataset": dataset,
            "object": thing,
            "text": _sentence(event_type, dataset, thing) if text is None else text,
        }
        message = Message(id=f"msg_{secrets.token_urlsafe(20)}", event_type=event_type, body=orjson.dumps(event))
        for endpoint in self._wanting(event_type):
            endpoint.queue.append(message)
            if endpoint.worker is None or endpoint.worker.done():
                endpoint.worker = asyncio.get_running_loop().create_task(self._work(endpoint))

    async def aclose(self) -> None:
        """Give up what is not delivered."""
        workers = [endpoint.worker for endpoint in self._endpoints if endpoint.worker is not None]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _wanting(self, event_type: str) -> list[Endpoint]:
        return [one for one in tuple(self._endpoints) if one.events is None or event_type in one.events]

    async def _work(self, endpoint: Endpoint) -> None:
        while endpoint.queue:
            await self._deliver(endpoint, endpoint.queue[0])
            endpoint.queue.popleft()  # after it was sent, as `pending` counts it until then

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
            # Neither proxies nor certificates: it speaks to this machine alone.
            self._client = httpx.AsyncClient(trust_env=False, verify=False, timeout=ATTEMPT_SECONDS)  # noqa: S501
        try:
            response = await self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return None
        return response.status_code


def _check_loopback(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if parts.scheme not in {"http", "https"} or not loopback:
        raise ValueError(f"The sandbox sends webhooks to URLs of this machine alone, not to {url!r}.")


def _sentence(event_type: str, dataset: str | None, thing: object) -> str:
    kind, _, happened = event_type.partition(".")
    name = thing.get("name", "") if isinstance(thing, dict) else ""
    subject = f"{kind.capitalize()} {name}".rstrip()
    return f"{subject} {happened}." if kind == "dataset" else f"{subject} {happened} in dataset {dataset}."
