"""Call the async client from code that is not async, also where an event loop is running, as in Jupyter."""

from __future__ import annotations

from inspect import iscoroutine
from typing import TYPE_CHECKING, TypeVar

from anyio.from_thread import start_blocking_portal

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def run(function: Callable[..., Awaitable[T]], *args: object) -> T:
    """
    Run an async function to its end on an event loop of its own, in another thread, and return its result.

    Example:
        >>> async def shout(word: str) -> str:
        ...     return word.upper()
        >>> run(shout, "rose")
        'ROSE'

    A client belongs to one event loop, so create it in *function*. Unlike `asyncio.run`, this works where an event loop
    is running; it blocks that loop until *function* is done. To use one client from several sync calls, keep a portal:
    ``docs/migrating.md``.

    Args:
        function: An async function, without its parentheses.
        args: Its arguments.

    Returns:
        What *function* returns; what it raises is raised.

    Raises:
        InputError: *function* is not a function, but what calling it returned.
    """
    if not callable(function):
        if iscoroutine(function):
            function.close()  # Python would warn that it was never awaited
        raise InputError(
            f"expected an async function without its parentheses, such as run(main), got {type(function).__name__}",
            path="function",
        )
    with start_blocking_portal() as portal:
        return portal.call(function, *args)
