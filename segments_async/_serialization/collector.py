"""
Read a document without pauses of the garbage collector.

Decoding allocates many objects and frees none, and each few hundred of them start a collection, which looks at the
objects that were just made, finds no garbage, and in a large document takes as long as the decoding itself.
"""

from __future__ import annotations

import gc
import os
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Pause:
    """Counts the functions that run while the garbage collector of this process is off."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0

    def begin(self) -> bool:
        """Switch the collector off; return False if the program itself has switched it off."""
        with self._lock:
            if not self._running and not gc.isenabled():
                return False
            self._running += 1
            gc.disable()
            return True

    def end(self) -> None:
        """Switch the collector on again, unless another thread still needs it off."""
        with self._lock:
            self._running -= 1
            if not self._running:
                gc.enable()

    def reset_after_fork(self) -> None:
        """Forget the threads of the parent process, which do not run in this one."""
        self._lock = Lock()
        if self._running:
            self._running = 0
            gc.enable()


_pause = _Pause()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pause.reset_after_fork)


def without_collections(function: Callable[..., T], *arguments: object) -> T:
    """
    Call *function*, which frees no memory by itself, without collections of garbage meanwhile.

    Example:
        >>> without_collections(len, [1, 2])
        2

    Args:
        function: It runs for a short time, as other threads are without collections too.
        arguments: Its arguments.
    """
    paused = False
    try:
        paused = _pause.begin()
        return function(*arguments)
    finally:
        if paused:
            _pause.end()
