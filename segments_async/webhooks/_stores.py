"""Stores that remember which messages were received: what a store is, and one in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from enum import Enum
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol

from anyio import from_thread
from attrs import define

from segments_async.errors import InputError, WebhookError
from segments_async.webhooks._signatures import quote_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECONDS = 86_400.0
LEASE = 600.0


class Claim(Enum):
    """
    The answer of a store to a claim; only `NEW` is true.

    Example:
        >>> bool(Claim.NEW), bool(Claim.LEASED), bool(Claim.DONE)
        (True, False, False)
    """

    NEW = "new"
    """The message is the caller's to process: it is new, was released, or its lease has expired."""
    LEASED = "leased"
    """The message is being processed, by another request or another process."""
    DONE = "done"
    """The message has been processed."""

    def __bool__(self) -> bool:
        return self is Claim.NEW


class MessageIds(Protocol):
    """
    A store of message ids, such as a database table that several processes share.

    A message is leased when it is claimed. It becomes done with `finish`, and can be claimed again after `release` or
    when its lease has expired, because its process was killed. All methods may be ``async`` in
    `segments_async.fastapi`, and in `verify` where it runs in a worker thread of anyio.

    A store may have an attribute `lease`, the seconds of a lease. `segments_async.fastapi` then does not call `release`
    for a message whose processing failed later than that, as another delivery may have claimed the message since.
    """

    def claim(self, message_id: str, /) -> Claim | Awaitable[Claim]:
        """
        Lease *message_id*, in one atomic step, unless it is leased already or done; return what it was.

        Args:
            message_id: The ``svix-id`` of a webhook.

        Returns:
            What the message was before: new, leased or done.
        """

    def finish(self, message_id: str, /) -> object:
        """
        Mark *message_id* as done.

        Args:
            message_id: The ``svix-id`` of a webhook.
        """

    def release(self, message_id: str, /) -> object:
        """
        End the lease of *message_id*, because its processing failed; one that is done stays done.

        Args:
            message_id: The ``svix-id`` of a webhook.
        """


@define
class _Message:
    """A message that was claimed."""

    since: float
    done: bool = False


class ReplayGuard:
    """
    Remember the ids of received messages in this process, so that each message is processed once.

    Example:
        >>> guard = ReplayGuard()
        >>> guard.claim("msg_1"), guard.claim("msg_1")
        (<Claim.NEW: 'new'>, <Claim.LEASED: 'leased'>)
        >>> guard.finish("msg_1")
        >>> guard.claim("msg_1")
        <Claim.DONE: 'done'>

    Args:
        seconds: How long an id is remembered. At least 600, because timestamps are accepted from five minutes ahead
            to five minutes old.
        most: Maximum number of ids; the oldest ones are removed first.
        clock: Returns seconds since an arbitrary start; for tests.
        lease: Seconds after which a message that was claimed, but neither finished nor released, can be claimed again.
            Longer than any handler takes.

    Raises:
        InputError: *seconds*, *most* or *lease* is too small.
    """

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        most: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
        lease: float = LEASE,
    ) -> None:
        check_times(seconds, lease)
        if most < 1:
            raise InputError(f"expected at least 1, got {most!r}", path="most")
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self.lease = lease
        self._messages: OrderedDict[str, _Message] = OrderedDict()
        self._lock = threading.Lock()

    def claim(self, message_id: str, /) -> Claim:
        """
        Lease a message, unless it is leased or done.

        Example:
            >>> ReplayGuard().claim("msg_1")
            <Claim.NEW: 'new'>

        Args:
            message_id: The ``svix-id`` of a webhook.

        Returns:
            What the message was before: new, leased or done.
        """
        with self._lock:
            now = self._clock()
            while self._messages and next(iter(self._messages.values())).since <= now - self._seconds:
                self._messages.popitem(last=False)
            message = self._messages.get(message_id)
            if message is not None and message.done:
                return Claim.DONE
            if message is not None and message.since > now - self.lease:
                return Claim.LEASED
            self._remember(message_id, _Message(now))
            return Claim.NEW

    def finish(self, message_id: str, /) -> None:
        """
        Mark a message as done, so that it is not processed again.

        Example:
            >>> ReplayGuard().finish("msg_1")

        Args:
            message_id: The ``svix-id`` of a webhook.
        """
        with self._lock:
            self._remember(message_id, _Message(self._clock(), done=True))

    def release(self, message_id: str, /) -> None:
        """
        End the lease of a message, because its processing failed, so that it can be delivered again.

        Example:
            >>> ReplayGuard().release("msg_1")

        Args:
            message_id: The ``svix-id`` of a webhook.
        """
        with self._lock:
            message = self._messages.get(message_id)
            if message is not None and not message.done:
                del self._messages[message_id]

    def _remember(self, message_id: str, message: _Message) -> None:
        self._messages[message_id] = message
        self._messages.move_to_end(message_id)
        if len(self._messages) > self._most:
            self._messages.popitem(last=False)


def check_times(seconds: float, lease: float) -> None:
    """Check the arguments that all stores have."""
    if not seconds >= 600:  # noqa: PLR2004 (twice the tolerance)
        raise InputError(f"expected at least 600, got {seconds!r}", path="seconds")
    if not 0 < lease <= seconds:
        raise InputError(f"expected more than 0, and at most {seconds!r} (seconds), got {lease!r}", path="lease")


def check_store(store: Any) -> None:
    """Check that *store* has the methods of `MessageIds`."""
    if isinstance(store, type):
        raise InputError(f"expected a store, got the class {store.__name__}; call it", path="replay")
    for name in ("claim", "finish", "release"):
        if not callable(getattr(store, name, None)):
            raise InputError(
                "expected a store with the methods claim, finish and release, such as ReplayGuard(); "
                f"{type(store).__name__} lacks {name}",
                path="replay",
            )


def check_claim(result: object) -> Claim:
    """Check what the `claim` of a store returned."""
    if not isinstance(result, Claim):
        raise TypeError(f"claim() of the replay store returned {result!r}; expected a segments_async.webhooks.Claim")
    return result


def check_new(claim: Claim, message_id: str) -> None:
    """Raise a `WebhookError` for a message that is not new, with the status to respond with."""
    if claim is Claim.DONE:
        raise WebhookError(f"webhook {quote_id(message_id)} was already processed", status=200)
    if claim is Claim.LEASED:
        raise WebhookError(f"webhook {quote_id(message_id)} is being processed", status=409)


def check_blocking(store: MessageIds) -> None:
    """
    Check that *store* can be used here, by code that is not async.

    Raises:
        InputError: It is not a store, or it is async, and this is not a worker thread of anyio, which could await it.
    """
    check_store(store)
    if iscoroutinefunction(store.claim):
        try:
            from_thread.check_cancelled()
        except RuntimeError:
            raise _async_store(store) from None


def claim_blocking(store: MessageIds, message_id: str) -> Claim:
    """
    Claim a message from code that is not async, after `check_blocking`.

    Raises:
        InputError: The result of the store must be awaited.
    """
    if iscoroutinefunction(store.claim):
        return check_claim(from_thread.run(store.claim, message_id))
    result = store.claim(message_id)
    if isawaitable(result):
        if iscoroutine(result):
            result.close()
        raise _async_store(store)
    return check_claim(result)


def _async_store(store: MessageIds) -> InputError:
    return InputError(
        f"{type(store).__name__} is async, and verify() cannot await it here; "
        "use WebhookRouter or verified_webhook of segments_async.fastapi, call verify() in a worker thread of anyio, "
        "or claim the message_id() yourself",
        path="replay",
    )
