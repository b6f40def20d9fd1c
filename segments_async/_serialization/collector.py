"""
Read a document without pauses of the garbage collector.

Decoding allocates many objects and frees none, and each few hundred of them start a collection, which looks at the
objects that were just made, finds no garbage, and in a large document takes as long as the decoding itself.
"""

from __future__ import annotations

import gc
import os
from threading import Lock, get_ident
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Pause:
    """
    Counts the threads that need the garbage collector of this process off.

    A thread is remembered by its number: an exception such as a KeyboardInterrupt, which can come between any two
    lines, leaves at most an entry that the thread's next pause removes.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads: set[int] = set()

    def begin(self) -> None:
        """Switch the collector off, unless the program itself has switched it off."""
        with self._lock:
            if self._threads or gc.isenabled():
                self._threads.add(get_ident())
                gc.disable()

    def end(self) -> None:
        """Switch the collector on again, unless another thread still needs it off."""
        with self._lock:
            if get_ident() in self._threads:
                self._threads.remove(get_ident())
                if not self._threads:
                    gc.enable()

    def reset_after_fork(self) -> None:
        """Forget the threads of the parent process, which do not run in this one."""
        self._lock = Lock()
        if self._threads:
            self._threads = set()
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
    try:
        _pause.begin()
        return function(*arguments)
    finally:
        _pause.end()
