from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

    from segments_async.sandbox.webhooks import Delivery, Family, Webhooks

NOT_STARTED = "The sandbox is not started; use it in a `with` or `async with` block."


class WebhookCalls:
    """The webhook methods of `Sandbox`."""

    _webhooks: Webhooks
    _loop: asyncio.AbstractEventLoop | None

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
            ValueError: *url* is not a loopback address.
        """
        return self._webhooks.add(url, events, family)

    def send_event(self, event_type: str, *, dataset: str | None = None, object: Any = None) -> None:
        """
        Send a webhook without a change, for example with an unknown event type.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.send_event("robot.created", dataset="jane/flowers", object={"name": "r2"})

        Args:
            event_type: The type of the event.
            dataset: The dataset, as ``"owner/name"``.
            object: The object of the event, as JSON.

        Raises:
            RuntimeError: The sandbox is not started.
        """
        if self._loop is None:
            raise RuntimeError(NOT_STARTED)
        self._loop.call_soon_threadsafe(self._webhooks.send, event_type, dataset, object)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The delivery attempts so far, oldest first; at most the last 10,000."""
        return tuple(self._webhooks.deliveries)

    @property
    def pending_deliveries(self) -> int:
        """Number of webhooks still to be delivered or retried."""
        return self._webhooks.pending
