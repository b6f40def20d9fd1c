from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import anyio

from segments_async.sandbox.arguments import check_dataset
from segments_async.sandbox.exact_json import write_json
from segments_async.sandbox.webhooks import Delivery

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

    from segments_async.sandbox.webhooks import Family, Webhooks

NOT_STARTED = "The sandbox is not started; use it in a `with` or `async with` block."


DELIVERY_SECONDS = 30.0
POLL_SECONDS = 0.01


class Deliveries(tuple[Delivery, ...]):  # noqa: SLOT001 (a tuple of any length can have no slots)
    """Delivery attempts; calling it waits for those that are pending."""

    _webhooks: Webhooks

    @classmethod
    def of(cls, webhooks: Webhooks) -> Self:
        """Return the attempts of *webhooks* so far."""
        deliveries = cls(tuple(webhooks.deliveries))
        deliveries._webhooks = webhooks
        return deliveries

    async def __call__(self, timeout: float = DELIVERY_SECONDS) -> Self:
        """
        Wait until no webhook is pending.

        Args:
            timeout: Maximum seconds to wait.

        Returns:
            The attempts so far, oldest first.

        Raises:
            TimeoutError: A webhook is still pending after *timeout*.
        """
        with anyio.move_on_after(timeout):
            while self._webhooks.pending:  # noqa: ASYNC110 (another thread changes it)
                await anyio.sleep(POLL_SECONDS)
            return self.of(self._webhooks)
        raise TimeoutError(f"Webhooks that are not delivered after {timeout:g} s: {self._webhooks.pending}.")


class WebhookCalls:
    """The webhook methods of `Sandbox`."""

    _webhooks: Webhooks
    _loop: asyncio.AbstractEventLoop | None

    @property
    def is_listening(self) -> bool:
        """Whether the sandbox has sockets."""
        raise NotImplementedError

    def add_webhook(self, url: str, *, events: Collection[str] | None = None, family: Family = "svix") -> str:
        """
        Register a webhook: from now on, changes are sent to *url* as signed POST requests, as the service sends them.

        Events are delivered to each URL in order. Each is attempted at most three times, until the response is a 2xx.
        A release is reported once it is done.

        Example:
            >>> with Sandbox() as sandbox:
            ...     secret = sandbox.add_webhook("http://127.0.0.1:8000/webhooks", events=["label.updated"])
            ...     print(secret[:6])
            whsec_

        Args:
            url: The URL of the server under test; must be a loopback address.
            events: Event types to send, such as ``"sample.created"``; None for all.
            family: Prefix of the header names: ``"webhook"`` as in the Standard Webhooks specification, or ``"svix"``
                as sent by Svix, the service's webhook provider.

        Returns:
            The secret that signs the messages.

        Raises:
            ValueError: *url* is not a loopback address or has an impossible port, or *events* or *family* contains an
                unknown name.
            RuntimeError: The sandbox has no sockets.
        """
        if not self.is_listening:
            raise RuntimeError("A sandbox without sockets cannot send webhooks.")
        return self._webhooks.add(url, events, family)

    def send_event(self, event_type: str, *, dataset: str | None = None, object: Any = None) -> None:
        """
        Send a webhook without a change, for example with an unknown event type.

        It is in `pending_deliveries` when this returns, until it is delivered.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.send_event("robot.created", dataset="jane/flowers", object={"name": "r2"})

        Args:
            event_type: The type of the event.
            dataset: The dataset, as ``"owner/name"``.
            object: The object of the event, as JSON.

        Raises:
            RuntimeError: The sandbox is not started.
            ValueError: *event_type* is not a string, or empty; *dataset* is not ``"owner/name"``; or *object* is not
                JSON.
        """
        if self._loop is None or self._loop.is_closed():
            raise RuntimeError(NOT_STARTED)
        if not isinstance(event_type, str) or not event_type:
            raise ValueError(f'event_type: expected a type such as "sample.created", got {event_type!r}.')
        check_dataset("dataset", dataset)
        try:
            write_json(object)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"object: expected JSON: {error}.") from error
        self._webhooks.send(event_type, dataset, object)

    @property
    def deliveries(self) -> Deliveries:
        """
        The delivery attempts so far, oldest first; at most the last 10,000.

        ``await sandbox.deliveries()`` waits until no webhook is pending and returns the attempts until then.
        """
        return Deliveries.of(self._webhooks)

    @property
    def pending_deliveries(self) -> int:
        """Number of webhooks still to be delivered or retried."""
        return self._webhooks.pending
