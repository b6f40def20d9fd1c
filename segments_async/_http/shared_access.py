"""Ask a shared limiter, and do without it while it cannot be used."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import anyio

from segments_async._caller_errors import describe
from segments_async._logging import log_safely
from segments_async.errors import InputError, printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async.settings import Clock

T = TypeVar("T")

logger = logging.getLogger("segments_async")

ANSWER_SECONDS = 1.0
"""Seconds of an attempt to ask."""
ATTEMPTS = 2
"""Attempts in a row without an answer after which the limiter is lost; then one is enough."""
ALONE_SECONDS = 5.0
"""Seconds before a limiter that could not be used is asked again."""
QUIET_SECONDS = 60.0
"""Minimum seconds between two warnings, so that a limiter that comes and goes does not fill the log."""
ASKING_SHARE = 0.9
"""Share of the time that a call has left for which it waits for a lost limiter; without an answer, it is sent alone."""


class SharedAccess:
    """
    The way of one gate to its shared limiter.

    Args:
        clock: The source of time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._alone_until = -math.inf
        self._silent = 0.0
        """Seconds for which calls have waited since the last answer; calls that were cancelled add theirs."""
        self._is_lost = False
        self._is_warned = False
        """Whether a warning says that the limiter cannot be used."""
        self._warned_at = -math.inf

    @property
    def is_alone(self) -> bool:
        """Whether calls are sent without asking."""
        return self._clock.monotonic() < self._alone_until

    async def ask(self, call: Callable[[], Awaitable[T]], at_most: float) -> T | None:
        """
        Ask the limiter; return None if it does not answer.

        Args:
            call: Asks it.
            at_most: Seconds that the caller has left.
        """
        if self._is_lost:
            self._alone_until = self._clock.monotonic() + ANSWER_SECONDS  # other calls do not wait for this attempt
            at_most *= ASKING_SHARE
        try:
            return await self._ask(call, at_most)
        except InputError:  # it cannot work here, for example on trio
            raise
        except Exception as error:  # noqa: BLE001 (a limiter is an aid; its failures must not stop a call)
            self._lose(printable(describe(error)))
            return None
        finally:
            if self._is_silent:  # also if the call was cancelled
                self._lose(f"no answer within {ANSWER_SECONDS:g} s")

    @property
    def _is_silent(self) -> bool:
        return self._silent >= ATTEMPTS * ANSWER_SECONDS or (self._is_lost and self._silent > 0)

    async def _ask(self, call: Callable[[], Awaitable[T]], at_most: float) -> T | None:
        """Ask once more if no answer came: the event loop may have been blocked for as long."""
        while at_most > 0 and not self._is_silent:
            seconds = min(ANSWER_SECONDS, at_most)
            with anyio.move_on_after(seconds), suppress(TimeoutError):
                return await self._attempt(call)
            at_most -= seconds
        return None

    async def _attempt(self, call: Callable[[], Awaitable[T]]) -> T:
        started = anyio.current_time()
        try:
            answer = await call()
        except anyio.get_cancelled_exc_class():
            self._silent += min(ANSWER_SECONDS, anyio.current_time() - started)
            raise
        except TimeoutError:  # of the limiter itself
            self._silent += ANSWER_SECONDS
            raise
        self._find()
        return answer

    def _find(self) -> None:
        self._silent = 0.0
        self._is_lost = False
        self._alone_until = -math.inf
        if self._is_warned:
            self._is_warned = False
            log_safely(logger, logging.INFO, "the shared limiter can be used again")

    def _lose(self, reason: str) -> None:
        now = self._clock.monotonic()
        self._silent = 0.0
        self._is_lost = True
        self._alone_until = now + ALONE_SECONDS
        if not self._is_warned and now - self._warned_at >= QUIET_SECONDS:
            self._is_warned = True
            self._warned_at = now
            message = "the shared limiter cannot be used; this client uses its own: %s"
            log_safely(logger, logging.WARNING, message, reason)
