"""A forked process opens its own connections instead of sharing sockets with its parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKS = """
import asyncio, os, sys, warnings
from segments_async import AsyncSegments, ClientStateError

warnings.simplefilter("error")
client = AsyncSegments("sandbox-key", base_url=sys.argv[1])  # at import time, before a loop

def in_child():
    async def use():
        assert (await client.request("GET", "/users/jane"))["username"] == "jane"
        assert client.stats().in_flight == 0
        await client.aclose()
    asyncio._set_running_loop(None)
    asyncio.set_event_loop(None)
    asyncio.run(use())

async def main():
    await client.request("GET", "/user")
    child = os.fork()
    if child == 0:
        try:
            in_child()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await client.request("GET", "/user")  # over the connection it had
    await client.aclose()

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_takes_no_socket_along(sandbox):
    """The child's call goes over a connection of its own, and the parent's stays as it was."""
    subprocess.run([sys.executable, "-c", FORKS, sandbox.url], check=True, timeout=60)

    first, child, again = sandbox.calls
    assert child.path == "/users/jane"
    assert child.peer_port != first.peer_port == again.peer_port
