"""Starting and stopping: in threads, asyncio, trio and a command, without leaving anything behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import signal
import socket
import subprocess
import sys
import threading
import time

import anyio
import httpx
import pytest
from waiting import HOUR, LIMIT, wait_until

import segments_async.sandbox
from segments_async.sandbox import Sandbox
from segments_async.sandbox.origin import Origin


def fetch_user(sandbox: Sandbox) -> str:
    headers = {"Authorization": f"APIKey {sandbox.api_key}"}
    reply = httpx.get(f"{sandbox.url}/user", headers=headers, verify=False, trust_env=False)
    return reply.json()["username"]


def sandbox_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "segments-sandbox"}


@pytest.fixture
def others() -> set[threading.Thread]:
    """The threads of sandboxes that serve a whole session of tests."""
    return sandbox_threads()


def test_with(others):
    with Sandbox(user="jane") as sandbox:
        assert fetch_user(sandbox) == "jane"
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert sandbox.storage_url != sandbox.url
        assert repr(sandbox) == f"<Sandbox {sandbox.url}>"
    assert sandbox_threads() == others
    with pytest.raises(httpx.ConnectError):
        fetch_user(sandbox)


@pytest.mark.anyio
async def test_async_with(anyio_backend, others):
    async with Sandbox() as sandbox, httpx.AsyncClient(verify=False, trust_env=False) as client:
        headers = {"Authorization": f"APIKey {sandbox.api_key}"}
        reply = await client.get(f"{sandbox.url}/user", headers=headers)
        assert reply.json()["username"] == "sandbox"
    assert sandbox_threads() == others


@pytest.mark.anyio
async def test_async_with_under_cancellation(anyio_backend, others):
    """A cancellation that arrives while it starts or runs still stops it."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with Sandbox():
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert sandbox_threads() == others


def test_with_in_another_thread():
    names = []

    def run():
        with Sandbox() as sandbox:
            names.append(fetch_user(sandbox))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert names == ["sandbox"]


def test_start_and_stop(others):
    sandbox = Sandbox()
    sandbox.stop()  # harmless
    sandbox.start()
    assert fetch_user(sandbox) == "sandbox"
    sandbox.stop()
    sandbox.stop()
    assert sandbox_threads() == others


def test_two_at_a_time():
    with Sandbox(user="jane") as one, Sandbox(user="bert") as other:
        assert (fetch_user(one), fetch_user(other)) == ("jane", "bert")


def test_used_before_start():
    with pytest.raises(RuntimeError, match="not started"):
        _ = Sandbox().url


def test_used_again():
    sandbox = Sandbox()
    with sandbox:
        pass
    with pytest.raises(RuntimeError, match="started before"), sandbox:
        pass


def test_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sandbox = Sandbox(storage_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            sandbox.start()


def test_fixed_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with Sandbox(port=port) as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{port}"


def test_stop_with_open_connections(others):
    """Idle connections, half a request, and a request that takes an hour: none of them delays the end."""
    sandbox = Sandbox()
    sandbox.start()
    slow = sandbox.fail("GET", "/user", status=None, delay=HOUR)
    address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    request = b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: APIKey sandbox-key\r\n\r\n"
    with (
        socket.create_connection(address) as idle,
        socket.create_connection(address) as half,
        socket.create_connection(address) as busy,
    ):
        idle.sendall(request % b"/api_status/")
        answer = b""
        while not answer.endswith(b"}"):
            answer += idle.recv(4096)
        half.sendall(b"POST /user/datasets/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        busy.sendall(request % b"/user")
        wait_until(lambda: slow.hits)
        started = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - started < LIMIT
        for connection in (idle, half, busy):
            connection.settimeout(LIMIT)
            with contextlib.suppress(ConnectionResetError):  # which is as good
                assert connection.recv(1) == b""
    assert sandbox_threads() == others


def test_state_is_readable_after_the_end(api, sandbox, rose):
    sandbox.stop()
    assert [sample["name"] for sample in sandbox.samples("sandbox/flowers")] == ["rose.png"]


def test_extra_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "segments-async\[sandbox\]"'):
        importlib.reload(segments_async.sandbox)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command(number):
    """It prints its URL and key, serves, and ends with status 0 and without output."""
    command = [sys.executable, "-W", "error", "-m", "segments_async.sandbox", "--api-key", "k-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        url = lines[1].removeprefix("export SEGMENTS_API_URL=").strip()
        assert lines[2].strip() == "export SEGMENTS_API_KEY=k-1"
        headers = {"Authorization": "APIKey k-1"}
        assert httpx.get(f"{url}/user", headers=headers, verify=False, trust_env=False).status_code == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=LIMIT)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.asyncio
@pytest.mark.parametrize("iterations", range(6))
async def test_stop_while_a_connection_is_accepted(iterations):
    """It takes several iterations of the event loop, and is closed after any number of them."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = Origin(None, listener)
    await origin.start()
    with socket.create_connection(listener.getsockname()) as connection:
        for _ in range(iterations):
            await asyncio.sleep(0)
        await origin.stop()
        connection.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    gc.collect()  # a socket that was left open would warn
