"""
End transfers that are too slow.

Files have no limit on their whole time, because a large one may take hours on a slow line. A minimum rate ends the
transfer of a host that sends or takes only a byte now and then.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.lowlevel import current_token

from segments_async._http.network import EXCHANGE
from segments_async._wire.replies import redact_url
from segments_async.errors import RequestTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

T = TypeVar("T")

MIN_RATE = 1024
"""Minimum bytes per second."""
WINDOW_SECONDS = 180.0
"""Seconds over which the rate is measured, on the client's clock."""
POLL_SECONDS = 0.5
"""Seconds between two checks, on the clock of the event loop."""


class Pace:
    """
    Measure one transfer, and end it if it is too slow.

    The transfer either waits for an answer, which has a time limit, or moves a body, which has a minimum rate.

    Args:
        now: Returns the time in seconds; the client's clock.
        answer_seconds: Maximum seconds to wait for an answer.
        slack: Bytes by which the count may lag behind, because they are counted in pieces of this size.
    """

    def __init__(self, now: Callable[[], float], answer_seconds: float, *, slack: int = 0) -> None:
        self._now = now
        self._answer_seconds = answer_seconds
        self._slack = slack
        self._awaited: httpx.Request | None = None
        """The request whose answer the transfer waits for; None while it moves a body."""
        self._started = now()
        """When the wait or the window of measurement began."""
        self._paused: float | None = None
        self._bytes = 0
        """Bytes moved in this window."""
        self._problem = ""
        """Why the transfer was cancelled."""

    def expect_answer(self, request: httpx.Request) -> None:
        """Start to wait for the answer to *request*; waiting for a connection does not count."""
        self._awaited = request
        self._started = self._now()

    def start_body(self) -> None:
        """Start to move a body."""
        self._awaited = None
        self._started, self._bytes = self._now(), 0

    def moved(self, size: int) -> None:
        """Count *size* bytes of the body."""
        self._bytes += size

    def pause(self) -> None:
        """Pause the measurement while this side is busy, for example writing to the disk."""
        self._paused = self._now()

    def resume(self) -> None:
        """Resume the measurement."""
        assert self._paused is not None
        self._started += self._now() - self._paused
        self._paused = None

    async def run(self, transfer: Callable[[], Awaitable[T]], *, method: str, url: str) -> T:
        """
        Run *transfer*, and raise its exception, if any.

        Raises:
            RequestTimeoutError: It was too slow, and was cancelled; *method* and *url*, redacted, name it.
        """
        with anyio.CancelScope() as scope:
            # A timer of asyncio costs a tenth of a task, which matters for small files; trio has none.
            call_later = getattr(current_token().native_token, "call_later", None)
            if call_later is None:
                return await self._run_beside_task(transfer, scope)
            timer = _Timer(call_later, partial(self._cancel_if_slow, scope))
            try:
                return await transfer()
            finally:
                timer.stop()
        raise RequestTimeoutError(self._problem, method=method, url=redact_url(url))

    async def _run_beside_task(self, transfer: Callable[[], Awaitable[T]], scope: anyio.CancelScope) -> T:
        """Run *transfer* while another task measures it."""
        result: list[T] = []
        errors: list[Exception] = []

        async def measure() -> None:
            while True:
                await anyio.sleep(POLL_SECONDS)
                self._cancel_if_slow(scope)

        async with anyio.create_task_group() as group:
            group.start_soon(measure)
            try:
                result.append(await transfer())
            except Exception as error:  # noqa: BLE001 (raised below, bare instead of in a group)
                errors.append(error)
            group.cancel_scope.cancel()
        if errors:
            raise errors[0]
        return result[0]

    def _cancel_if_slow(self, scope: anyio.CancelScope) -> None:
        self._problem = self._problem or self._check()
        if self._problem:
            scope.cancel()

    def _check(self) -> str:
        """Return why the transfer is too slow; empty if it is not. Start the next window when one is over."""
        now = self._now() if self._paused is None else self._paused
        elapsed = now - self._started
        if self._awaited is not None:
            exchange = self._awaited.extensions.get(EXCHANGE)
            if exchange is not None and exchange.is_queued:
                self._started = now
                return ""
            return f"no answer arrived within {elapsed:.3g} s" if elapsed > self._answer_seconds else ""
        if elapsed < WINDOW_SECONDS:
            return ""
        moved, self._bytes, self._started = self._bytes, 0, now
        if moved + self._slack >= math.floor(elapsed) * MIN_RATE:
            return ""
        return f"{moved / elapsed:.3g} bytes/s over {elapsed:.3g} s are less than the minimum of {MIN_RATE} bytes/s"


class _Timer:
    """Calls a function every `POLL_SECONDS`, on asyncio."""

    def __init__(self, call_later: Callable[..., Any], function: Callable[[], None]) -> None:
        self._call_later = call_later
        self._function = function
        self._handle = call_later(POLL_SECONDS, self._call)

    def _call(self) -> None:
        self._handle = self._call_later(POLL_SECONDS, self._call)
        self._function()

    def stop(self) -> None:
        self._handle.cancel()
