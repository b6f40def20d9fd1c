"""Wait for what a test needs, so that its result does not depend on how busy the machine is."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Awaitable, Callable

import anyio

from segments_async import AsyncSegments

HOUR = 3600.0
"""A timeout that does not pass by itself."""
LIMIT = 60.0
"""Seconds after which a test has failed."""
POLL = 0.002


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until *condition* is true, by what another thread or process does."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {LIMIT:g} seconds"
        time.sleep(POLL)


def listens(port: int) -> bool:
    """Whether a server of this machine takes connections at *port*."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


async def until(condition: Callable[[], object]) -> None:
    """Wait until *condition* is true, for example until the sandbox has received a request."""
    with anyio.fail_after(LIMIT):
        while not condition():  # noqa: ASYNC110 (another thread changes it)
            await anyio.sleep(POLL)


async def settle(client: AsyncSegments) -> None:
    """Wait until *client* has no call in flight and no task of this event loop can continue."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    with anyio.fail_after(LIMIT):
        while True:
            await anyio.wait_all_tasks_blocked()
            stats = client.stats()
            if not (stats.in_flight or stats.waiting or limiter.borrowed_tokens):
                return
            await anyio.sleep(POLL)


async def expire(scope: anyio.CancelScope) -> None:
    """Let the deadline of *scope* pass once no other task can continue."""
    await anyio.wait_all_tasks_blocked()
    scope.deadline = -math.inf


async def cancel_once(condition: Callable[[], object], call: Callable[[], Awaitable[object]]) -> bool:
    """Await *call*, cancel it once *condition* is true, and return whether it was cancelled."""
    finished = False

    async def run() -> None:
        nonlocal finished
        await call()
        finished = True

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await until(condition)
        group.cancel_scope.cancel()
    return not finished
