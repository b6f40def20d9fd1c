"""Blocking calls in worker threads that end when the run is cancelled."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint_if_cancelled

from segments_async._threads import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

END_SECONDS = 2.0
"""Seconds to wait for the end of an interrupted call; then its thread is abandoned."""


async def run_interruptible(
    call: Callable[[], T],
    interrupt: Callable[[], object],
    *,
    discard: Callable[[T], object] | None = None,
    patience: float = 0.0,
) -> T:
    """
    Run *call* in a worker thread. A cancellation interrupts it, so that it takes effect soon.

    Args:
        call: The blocking call.
        interrupt: Makes it end early; called in the event loop.
        discard: Called with the result of a call that no task awaits any more.
        patience: Seconds after a cancellation until the call is interrupted.
    """
    thread = _Thread(call, discard)
    ended = anyio.Event()
    failure: Exception | None = None

    async def watch() -> None:
        try:
            await ended.wait()
        except get_cancelled_exc_class():
            with anyio.move_on_after(patience, shield=True):
                await ended.wait()
            interrupt()
            scope.deadline = anyio.current_time() + END_SECONDS
            raise

    try:
        async with anyio.create_task_group() as group:
            with anyio.CancelScope(shield=True) as scope:
                group.start_soon(watch)
                try:
                    await run_sync(thread.run, abandon_on_cancel=True)
                except Exception as error:  # noqa: BLE001 (raised below, unless this is cancelled)
                    failure = error
                except BaseException:
                    thread.abandon()
                    interrupt()
                    raise
                finally:
                    ended.set()
    except BaseException:
        thread.abandon()
        raise
    if failure is not None:
        await checkpoint_if_cancelled()
        raise failure
    if not thread.results:
        await checkpoint_if_cancelled()
        raise TimeoutError("the interrupted call did not end")
    return thread.results[0]


class _Thread(Generic[T]):
    """A call whose result is discarded if no task awaits it any more."""

    def __init__(self, call: Callable[[], T], discard: Callable[[T], object] | None) -> None:
        self._call = call
        self._discard = discard
        self._lock = Lock()
        self._abandoned = False
        self.results: list[T] = []

    def run(self) -> None:
        result = self._call()
        with self._lock:
            self.results.append(result)
            unused = self._abandoned
        if unused and self._discard is not None:
            self._discard(result)

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            unused = self.results.copy()
            self.results.clear()
        if unused and self._discard is not None:
            self._discard(unused[0])
