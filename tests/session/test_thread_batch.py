"""Tasks that share one call in a worker thread."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest

from segments_async._transfer import thread_batch
from segments_async._transfer.thread_batch import ThreadBatcher

pytestmark = pytest.mark.anyio


@pytest.fixture
def hops(monkeypatch):
    """How many tasks ran in each hop."""
    counted, run_all = [], thread_batch._run_all

    def count(batch):
        counted.append(len(batch))
        run_all(batch)

    monkeypatch.setattr(thread_batch, "_run_all", count)
    return counted


async def test_steps_share_hops(hops):
    """Steps that arrive during one call run together in the next."""
    batcher, taken = ThreadBatcher(), []

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(batcher.run, lambda number=number: taken.append((number, threading.current_thread())))

    assert sorted(number for number, _ in taken) == list(range(50))
    assert threading.main_thread() not in {thread for _, thread in taken}
    assert hops == [1, 49]


async def test_each_gets_its_own_error():
    batcher, errors = ThreadBatcher(), {}

    async def take(number):
        def step():
            if number % 2:
                raise OSError(number, "no")

        try:
            await batcher.run(step)
        except OSError as error:
            errors[number] = error.errno

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(take, number)

    assert errors == {number: number for number in range(1, 10, 2)}


async def test_one_that_goes_is_cancelled(anyio_backend):
    """Other tasks of the batch do not wait for ever, also where asyncio abandons the thread."""
    batcher, started, go_on, taken = ThreadBatcher(), threading.Event(), threading.Event(), []

    def slow():
        started.set()
        go_on.wait(10)

    async def others():
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(batcher.run, lambda number=number: taken.append(number))

    if anyio_backend == "trio":
        async with anyio.create_task_group() as group:
            group.start_soon(batcher.run, slow)
            await anyio.to_thread.run_sync(started.wait, 10)
            group.start_soon(others)
            await anyio.lowlevel.checkpoint()
            go_on.set()
    else:
        first = asyncio.create_task(batcher.run(slow))
        await anyio.to_thread.run_sync(started.wait, 10)
        rest = asyncio.create_task(others())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        go_on.set()
        await rest
        assert first.cancelled()
    assert sorted(taken) == list(range(5))


async def test_one_that_is_to_start_the_next_batch_is_cancelled():
    """Then another one starts it."""
    batcher, started, go_on, taken = ThreadBatcher(), threading.Event(), threading.Event(), []
    second = anyio.CancelScope()

    def slow():
        started.set()
        go_on.wait(10)
        taken.append("first")

    async def take_second():
        with second:
            await batcher.run(lambda: taken.append("second"))

    async def take_first():
        await batcher.run(slow)
        second.cancel()  # it is awake, and does not run yet

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(take_first)
            await anyio.to_thread.run_sync(started.wait, 10)
            group.start_soon(take_second)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(batcher.run, lambda: taken.append("third"))
            await anyio.wait_all_tasks_blocked()
            go_on.set()

    assert taken[0] == "first"
    assert taken[-1] == "third"
