"""A host that does not answer ends a script with one readable error, whose causes can still be looked up."""

from __future__ import annotations

import socket
import subprocess
import sys
from textwrap import dedent

import anyio
import pytest

from segments_async import AsyncSegments, ConnectError, RetryPolicy
from segments_async._wire.causes import all_causes_of

SCRIPT = dedent("""
    import {backend}
    from segments_async import AsyncSegments, RetryPolicy

    async def main():
        retry = RetryPolicy(attempts=2, base=0.01)
        async with AsyncSegments("key", base_url={url!r}, retry=retry, transport={transport!r}) as client:
            await client.users.me()

    {backend}.run(main{call})
""")


@pytest.fixture
def dead_url():
    """An address at which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(params=["refused", "no such name"])
def url(request, dead_url):
    return dead_url if request.param == "refused" else "http://nothing.invalid"


@pytest.mark.parametrize(("backend", "transport"), [("asyncio", None), ("asyncio", "aiohttp"), ("trio", None)])
def test_script(url, backend, transport):
    """One line for what the transport said, our frames once, and the error last: what a person reads."""
    call = "()" if backend == "asyncio" else ""
    script = SCRIPT.format(backend=backend, call=call, url=url, transport=transport)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    lines = run.stderr.splitlines()
    error, note = lines[-2:]
    assert run.returncode == 1
    assert error.startswith("segments_async.errors.ConnectError: no connection (")
    assert ("refused" in error) or ("not known" in error) or ("resolution" in error)
    assert error.endswith(f"on GET {url}/user")
    assert note == "sent 2 times"
    assert lines[0].startswith(("httpx.ConnectError: ", "httpx.ConnectTimeout: "))
    assert run.stderr.count("direct cause") == 1
    assert len(lines) <= 40, run.stderr


@pytest.mark.anyio
async def test_causes_are_kept(dead_url):
    """What the system reported can be reached from the error, and none of it has frames, which show the key."""
    async with AsyncSegments("key", base_url=dead_url, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ConnectError, match="Connection refused") as caught:
            await client.users.me()

    causes = list(all_causes_of(caught.value.__cause__))
    assert type(causes[0]).__module__ == "httpx"
    assert any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    assert all(cause.__traceback__ is None for cause in causes)


@pytest.mark.anyio
async def test_equal_errors(dead_url):
    """Failures of one reason are one group in a report."""
    messages = set()
    async with AsyncSegments("key", base_url=dead_url, retry=RetryPolicy(attempts=1)) as client:

        async def call():
            with pytest.raises(ConnectError) as caught:
                await client.users.me()
            messages.add(str(caught.value))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(call)
    assert len(messages) == 1
