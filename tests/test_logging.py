"""``SEGMENTS_LOG``: the log without code."""

from __future__ import annotations

import subprocess
import sys

import pytest

CALL = """
import asyncio, sys
from segments_async import AsyncSegments

async def main():
    async with AsyncSegments(sys.argv[2], base_url=sys.argv[1]) as client:
        await client.users.me()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", "DEBUG GET "),
        ("DEBUG", "DEBUG GET "),
        ("warning", ""),
        ("", ""),
        ("loud", "SEGMENTS_LOG is not one of"),
    ],
)
def test_the_log_of_a_call(sandbox, level, shown):
    """It goes to standard error, without the key."""
    command = [sys.executable, "-c", CALL, sandbox.url, sandbox.api_key]
    run = subprocess.run(command, env={"SEGMENTS_LOG": level}, capture_output=True, text=True, check=True)

    assert shown in run.stderr
    assert bool(run.stderr) is bool(shown)
    assert run.stdout == ""
    assert sandbox.api_key not in run.stderr
