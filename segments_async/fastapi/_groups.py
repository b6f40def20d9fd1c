"""Background tasks scoped to a block of code."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup


@asynccontextmanager
async def background_task_group() -> AsyncIterator[TaskGroup]:
    """
    Open a task group that is cancelled at the end of the block.

    An exception raised in the block propagates as it is, not wrapped in an exception group.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        try:
            yield group
        except Exception as error:  # noqa: BLE001 (raised again below, outside the group that would wrap it)
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
