"""An event loop that needs no socket."""

from __future__ import annotations

import asyncio
import threading


class SocketlessLoop(asyncio.BaseEventLoop):
    """
    Runs callbacks and timers, and nothing that reads or writes.

    The loops of asyncio open a pair of sockets to be woken from other threads, which fails where sockets are blocked,
    for example by pytest-socket. This one waits on a lock instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Waiter()

    def _process_events(self, event_list: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        self._selector.wake()


class _Waiter:
    """Waits like a selector without files."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def select(self, timeout: float | None = None) -> list[object]:
        self._woken.wait(timeout)
        self._woken.clear()
        return []

    def wake(self) -> None:
        self._woken.set()
