"""
End transfers that are too slow.

Files have no limit on their whole time, because a large one may take hours on a slow line. A minimum rate ends the
transfer of a host that sends or takes only a byte now and then.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from segments_async._http.exchange import EXCHANGE
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
        self._scope = anyio.CancelScope()
        self._problem: Exception | str = ""
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

    def stop(self, problem: Exception) -> None:
        """Cancel the transfer, so that `run` raises *problem*."""
        self._problem = problem
        self._scope.cancel()

    async def run(self, transfer: Callable[..., Awaitable[T]], *arguments: object, method: str, url: str) -> T:
        """
        Call *transfer* with *arguments*, and raise its exception, if any.

        Raises:
            RequestTimeoutError: It was too slow, and was cancelled; *method* and *url*, redacted, name it.
        """
        with self._scope:
            loop = current_token().native_token
            if not hasattr(loop, "call_later"):  # trio
                return await self._run_beside_task(transfer, *arguments)
            polls = _polls_of(loop)
            polls.add(self, loop)
            try:
                return await transfer(*arguments)
            finally:
                polls.remove(self)
        if isinstance(self._problem, Exception):
            raise self._problem
        raise RequestTimeoutError(self._problem, method=method, url=redact_url(url))

    async def _run_beside_task(self, transfer: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Call *transfer* while another task measures it."""
        result: list[T] = []
        errors: list[Exception] = []

        async def measure() -> None:
            while True:
                await anyio.sleep(POLL_SECONDS)
                self.poll()

        async with anyio.create_task_group() as group:
            group.start_soon(measure)
            try:
                result.append(await transfer(*arguments))
            except Exception as error:  # noqa: BLE001 (raised below, bare instead of in a group)
                errors.append(error)
            group.cancel_scope.cancel()
        if errors:
            raise errors[0]
        return result[0]

    def poll(self) -> None:
        """Cancel the transfer if it is too slow."""
        self._problem = self._problem or self._check()
        if self._problem:
            self._scope.cancel()

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


class _Polls:
    """
    Polls the transfers of one event loop of asyncio, every `POLL_SECONDS` while there are any.

    One timer for all costs less than one for each, and much less than a task for each.
    """

    def __init__(self) -> None:
        self._paces: set[Pace] = set()
        self._is_scheduled = False

    def add(self, pace: Pace, loop: Any) -> None:
        """Begin to poll a transfer."""
        self._paces.add(pace)
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_later(POLL_SECONDS, self._poll, loop)

    def remove(self, pace: Pace) -> None:
        """Stop to poll a transfer."""
        self._paces.discard(pace)

    def _poll(self, loop: Any) -> None:
        self._is_scheduled = bool(self._paces)
        if self._is_scheduled:
            loop.call_later(POLL_SECONDS, self._poll, loop)
        for pace in tuple(self._paces):
            pace.poll()


_polls: WeakKeyDictionary[Any, _Polls] = WeakKeyDictionary()


def _polls_of(loop: Any) -> _Polls:
    polls = _polls.get(loop)
    if polls is None:
        polls = _polls[loop] = _Polls()
    return polls
