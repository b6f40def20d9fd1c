"""``SEGMENTS_LOG``: the log without code."""

from __future__ import annotations

import re
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


def test_the_log_of_a_call_that_fails(closed_port):
    """The request, and why there was no answer; the next attempt is announced."""
    code = CALL.replace(", base_url", ", retry=RetryPolicy(attempts=2, base=0.001, cap=0.001), base_url")
    code = code.replace("import AsyncSegments", "import AsyncSegments, RetryPolicy")
    command = [sys.executable, "-c", code, f"http://127.0.0.1:{closed_port}", "some-key"]
    run = subprocess.run(command, env={"SEGMENTS_LOG": "debug"}, capture_output=True, text=True, check=False)

    lines = [line.partition(" segments_async ")[2] for line in run.stderr.splitlines() if " segments_async " in line]
    failure = rf"no connection \(.*\) on GET http://127.0.0.1:{closed_port}/user"
    assert [line.partition(" ")[0] for line in lines] == ["DEBUG", "INFO", "DEBUG"]
    assert re.fullmatch(rf"DEBUG {failure}; after 0\.\d+ s", lines[0])
    assert re.fullmatch(rf"INFO {failure}; attempt 2 is next, in \S+ s", lines[1])
