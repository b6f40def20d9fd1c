"""Blocking calls in threads: what they return is used, or discarded."""

from __future__ import annotations

import threading
from functools import partial

import anyio
import pytest
from waiting import cancel_once, until

from segments_async.bulk import interruptible
from segments_async.bulk.interruptible import run_interruptible

pytestmark = pytest.mark.anyio


class Call:
    """Returns an object once `go` is set."""

    def __init__(self):
        self.started, self.go = threading.Event(), threading.Event()
        self.discarded = []

    def __call__(self):
        self.started.set()
        assert self.go.wait(60)
        return "result"


async def test_a_result():
    call = Call()
    call.go.set()

    assert await run_interruptible(call, call.go.set, discard=call.discarded.append) == "result"
    assert call.discarded == []


async def test_a_call_that_ends_while_it_is_cancelled():
    """What it returned is received, or discarded, but not lost: an opened file must be closed."""
    call, received = Call(), []

    async def run():
        received.append(await run_interruptible(call, call.go.set, discard=call.discarded.append))

    await cancel_once(call.started.is_set, run)
    assert received + call.discarded == ["result"]


async def test_a_call_that_ends_later(monkeypatch):
    monkeypatch.setattr(interruptible, "END_SECONDS", 0.01)
    call = Call()
    run = partial(run_interruptible, call, lambda: None, discard=call.discarded.append)

    with anyio.fail_after(30):
        assert await cancel_once(call.started.is_set, run)
    assert call.discarded == []
    call.go.set()
    await until(lambda: call.discarded == ["result"])
