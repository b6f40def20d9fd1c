from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

    from segments_async.sandbox.webhooks import Delivery, Family, Webhooks

NOT_STARTED = "This sandbox is not started: enter it by `with` or `async with` first."


class WebhookCalls:
    """The part of `Sandbox` that tells URLs what changes."""

    _webhooks: Webhooks
    _loop: asyncio.AbstractEventLoop | None

    def add_webhook(self, url: str, *, events: Collection[str] | None = None, family: Family = "svix") -> str:
        """
        Tell *url* from now on what changes, by signed POST requests as the service sends them.

        Each change is sent to each URL in order, at most three times, until it is answered with a 2xx. Releases are
        told when they are done.

        Example:
            >>> with Sandbox() as sandbox:
            ...     secret = sandbox.add_webhook("http://127.0.0.1:8000/webhooks", events=["label.updated"])
            ...     print(secret[:6])
            whsec_

        Args:
            url: Of this machine: a server under test.
            events: Types of the events to send, such as ``"sample.created"``; None for all.
            family: What the names of the headers begin with; ``"webhook"`` is what the Standard Webhooks
                specification says, ``"svix"`` what the service's deliverer says.

        Returns:
            The secret that its messages are signed with.

        Raises:
            ValueError: *url* is not of this machine.
        """
        return self._webhooks.add(url, events, family)

    def send_event(self, event_type: str, *, dataset: str | None = None, object: Any = None) -> None:
        """
        Send a webhook without a change, such as one of a type that nobody knows yet.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.send_event("robot.created", dataset="jane/flowers", object={"name": "r2"})

        Args:
            event_type: What has happened.
            dataset: ``"owner/name"``.
            object: What it has happened to, as JSON.
        """
        if self._loop is None:
            raise RuntimeError(NOT_STARTED)
        self._loop.call_soon_threadsafe(self._webhooks.send, event_type, dataset, object)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The attempts to deliver webhooks so far, oldest first; at most the last 10,000."""
        return tuple(self._webhooks.deliveries)

    @property
    def pending_deliveries(self) -> int:
        """Webhooks that are neither delivered nor given up."""
        return self._webhooks.pending
