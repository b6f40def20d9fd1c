"""Worker threads of this package, whose number does not depend on the threads of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_THREADS = 40

_limiter: RunVar[CapacityLimiter] = RunVar("segments_async threads")


async def run_sync(
    function: Callable[..., T],
    *args: object,
    abandon_on_cancel: bool = False,
    limiter: CapacityLimiter | None = None,
) -> T:
    """
    Call *function* in a worker thread.

    anyio's default limiter is shared with the application: FastAPI's sync routes occupy its 40 tokens while they wait
    for this client, which would then never get one.

    Args:
        function: What to call; it must not wait for other calls of this function.
        args: Its positional arguments.
        abandon_on_cancel: Return at once when cancelled, and leave the thread running.
        limiter: Limits the threads instead of the one that all callers share.
    """
    if limiter is None:
        limiter = _limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(function, *args, abandon_on_cancel=abandon_on_cancel, limiter=limiter)
