"""Receive webhooks: verify a request, lease its message, then mark it done or release it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from anyio import CancelScope
from fastapi import HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from segments_async._threads import run_sync
from segments_async.errors import WebhookError
from segments_async.fastapi.problems import own_choice
from segments_async.webhooks import MessageIds, ReplayGuard, WebhookEvent, message_id, verify
from segments_async.webhooks._signatures import signers
from segments_async.webhooks._stores import Claim, check_claim, check_new, check_store

if TYPE_CHECKING:
    from types import FrameType

Secret = str | Sequence[str]
SecretSource = Secret | Callable[[], Secret | Awaitable[Secret]]

logger: logging.Logger = logging.getLogger("segments_async")


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
            signers(secret)
        if replay is not None:
            check_store(replay)
        self._secret = secret
        self._replay = replay
        self._max_body = max_body

    async def accept(self, request: Request) -> tuple[WebhookEvent, str]:
        """
        Verify a request and lease its message; returns its event and its id.

        Raises:
            HTTPException: The request is not genuine (400), too large (413), or its message is being processed (409)
                or was processed before (200).
        """
        body = await self._read(request)
        with own_choice():  # an invalid secret is a configuration error
            secret = await self._secrets()
        try:
            event = verify(body, request.headers, secret)
            name = message_id(request.headers)
            check_new(await self.claim(name), name)
        except WebhookError as error:
            logger.log(logging.INFO if error.status == HTTPStatus.OK else logging.WARNING, "%s", error)
            raise HTTPException(error.status, str(error)) from error
        return event, name

    async def claim(self, name: str) -> Claim:
        """Lease a message, or a part of one."""
        if self._replay is None:
            return Claim.NEW
        return check_claim(await self._call(self._replay.claim, name))

    async def settle(self, name: str, *, done: bool) -> None:
        """Mark a message, or a part of one, as done, or release it. Errors of the store are logged, not raised."""
        if self._replay is None:
            return
        with CancelScope(shield=True):
            try:
                await self._call(self._replay.finish if done else self._replay.release, name)
            except Exception:
                # The message has been processed; an error would only make the service deliver it again.
                logger.exception("webhook %s: the replay store failed", name)

    async def _call(self, method: Callable[[str], Any], name: str) -> Any:
        if iscoroutinefunction(method) or isinstance(self._replay, ReplayGuard):
            result = method(name)
        else:
            result = await run_sync(method, name)  # it may wait for a disk or a database
        return await result if isawaitable(result) else result

    async def _secrets(self) -> Secret:
        if not callable(self._secret):
            return self._secret
        secret: Any = self._secret() if iscoroutinefunction(self._secret) else await run_sync(self._secret)
        secret = await secret if isawaitable(secret) else secret
        signers(secret)
        return secret  # type: ignore[no-any-return]

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._max_body:
                    raise HTTPException(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"webhook larger than {self._max_body:,} bytes"
                    )
        except ClientDisconnect:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the webhook was cut off") from None
        return bytes(body)


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
