"""Receive webhooks: verify a request, lease its message, then mark it done or release it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from anyio import CancelScope
from attrs import field, frozen
from fastapi import HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from segments_async._counting import counted
from segments_async._threads import run_sync
from segments_async._validators import is_number
from segments_async.errors import WebhookError
from segments_async.fastapi.problems import own_choice
from segments_async.webhooks import MessageIds, ReplayGuard, WebhookEvent, message_id, verify
from segments_async.webhooks._signatures import check_secrets
from segments_async.webhooks._stores import Claim, check_claim, check_new, check_store

if TYPE_CHECKING:
    from types import FrameType

Secret = str | Sequence[str]
SecretSource = Secret | Callable[[], Secret | Awaitable[Secret]]

logger: logging.Logger = logging.getLogger("segments_async")


@frozen
class Lease:
    """A message, or a part of one, from when it is claimed."""

    name: str
    since: float = field(factory=time.monotonic)


class Receiver:
    """
    Verify requests, and track their messages.

    Args:
        secret: The secret of the endpoint; several; or a function that returns them, async or not.
        replay: The store of message ids, async or not; None to process each delivery.
        max_body: Maximum size of a body in bytes.

    Raises:
        InputError: *secret* is not a secret, or *replay* is not a store.
    """

    def __init__(self, secret: SecretSource, replay: MessageIds | None, max_body: int) -> None:
        if not callable(secret):
            check_secrets(secret)
        if replay is not None:
            check_store(replay)
        self._secret = secret
        self._replay = replay
        self._max_body = max_body

    async def accept(self, request: Request) -> tuple[WebhookEvent, Lease]:
        """
        Verify a request and lease its message; returns its event and the lease.

        Raises:
            HTTPException: The request is not genuine (400), too large (413), or its message is being processed (409),
                was processed before (200), or is genuine but not an event (200).
        """
        body = await self._read(request)
        with own_choice():  # an invalid secret is a configuration error
            secret = await self._secrets()
        with _refusing(ok_level=logging.ERROR):  # what is lost must not go unnoticed
            event = verify(body, request.headers, secret)
        lease = Lease(message_id(request.headers))
        with _refusing(ok_level=logging.INFO):
            check_new(await self.claim(lease), lease.name)
        return event, lease

    async def claim(self, lease: Lease) -> Claim:
        """Lease a message, or a part of one."""
        if self._replay is None:
            return Claim.NEW
        return check_claim(await self._call(self._replay.claim, lease.name))

    async def settle(self, lease: Lease, *, done: bool) -> None:
        """
        Mark a message, or a part of one, as done, or release it. Errors of the store are logged, not raised.

        A lease that has expired is not released: another delivery may have claimed the message since.
        """
        if self._replay is None or (not done and self._has_expired(lease)):
            return
        with CancelScope(shield=True):
            try:
                await self._call(self._replay.finish if done else self._replay.release, lease.name)
            except Exception:
                # The message has been processed; an error would only make the service deliver it again.
                logger.exception("webhook %s: the replay store failed", lease.name)

    def _has_expired(self, lease: Lease) -> bool:
        seconds = getattr(self._replay, "lease", None)
        return is_number(seconds) and time.monotonic() - lease.since >= seconds

    async def _call(self, method: Callable[[str], Any], name: str) -> Any:
        # Only the methods of ReplayGuard itself never wait; those of a subclass may.
        if iscoroutinefunction(method) or type(self._replay) is ReplayGuard:
            result = method(name)
        else:
            result = await run_sync(method, name)  # it may wait for a disk or a database
        return await result if isawaitable(result) else result

    async def _secrets(self) -> Secret:
        if not callable(self._secret):
            return self._secret
        secret: Any = self._secret() if iscoroutinefunction(self._secret) else await run_sync(self._secret)
        secret = await secret if isawaitable(secret) else secret
        check_secrets(secret)
        return secret  # type: ignore[no-any-return]

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._max_body:
                    raise HTTPException(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"webhook larger than {counted(self._max_body, 'byte')}"
                    )
        except ClientDisconnect:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the webhook was cut off") from None
        return bytes(body)


@contextmanager
def _refusing(*, ok_level: int) -> Iterator[None]:
    """Turn a `WebhookError` into a response; *ok_level* is the log level of one with status 200."""
    try:
        yield
    except WebhookError as error:
        logger.log(ok_level if error.status == HTTPStatus.OK else logging.WARNING, "%s", error)
        raise HTTPException(error.status, str(error)) from error


def sent_status() -> int | None:
    """
    Return the status of the response that the route of the calling dependency has returned; None if unknown.

    FastAPI passes a dependency the exception of its route, but not its response. The response is a local variable of
    the function in which FastAPI ends the dependency.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (documented as specific to CPython)
    while frame is not None:
        if frame.f_globals.get("__name__") == "fastapi.routing":
            response = frame.f_locals.get("response")
            if isinstance(response, Response):
                return response.status_code
        frame = frame.f_back
    return None
