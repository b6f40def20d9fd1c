"""Calls from code that is not async."""

from __future__ import annotations

import asyncio

import pytest

from segments_async import AsyncSegments, InputError, NotFoundError
from segments_async.sandbox import Sandbox
from segments_async.sync import run


async def owner_of(url, key, name):
    async with AsyncSegments(key, base_url=url) as client:
        await client.datasets.create("flowers", exist_ok=True)
        return (await client.datasets.get(name)).owner.username


def test_run():
    """It returns what the function returns, and raises what it raises, as often as it is called."""
    with Sandbox() as sandbox:
        for _ in range(2):
            assert run(owner_of, sandbox.url, sandbox.api_key, "sandbox/flowers") == "sandbox"
        with pytest.raises(NotFoundError):
            run(owner_of, sandbox.url, sandbox.api_key, "sandbox/roses")


def test_where_a_loop_is_running():
    """As in a cell of Jupyter, where `asyncio.run` is refused."""

    async def cell(sandbox):
        return run(owner_of, sandbox.url, sandbox.api_key, "sandbox/flowers")

    with Sandbox() as sandbox:
        assert asyncio.run(cell(sandbox)) == "sandbox"


@pytest.mark.parametrize("value", [None, "main", owner_of("", "", "")], ids=["none", "name", "coroutine"])
def test_what_is_no_function(value):
    """A coroutine is closed, so that Python does not warn about it."""
    with pytest.raises(InputError, match="without its parentheses"):
        run(value)
