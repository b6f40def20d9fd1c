"""Where the sandbox listens, and the addresses that it signs."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import httpx
import pytest

from segments_async.sandbox import Sandbox


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def upload(web: httpx.Client, sandbox: Sandbox, base: str) -> tuple[dict, bytes]:
    """Upload a file and read it, and a signed address, as a client of *base* does."""
    key = {"Authorization": f"APIKey {sandbox.api_key}"}
    asset = web.post(f"{base}/assets/", json={"filename": "a.png"}, headers=key).json()
    form = asset["presignedPostFields"]
    assert web.post(form["url"], data=form["fields"], files={"file": b"image"}).status_code == 204
    web.post(f"{base}/user/datasets/", json={"name": "flowers"}, headers=key)
    sample = {"name": "rose", "attributes": {"image": {"url": asset["url"]}}}
    uuid = web.post(f"{base}/datasets/sandbox/flowers/samples/", json=sample, headers=key).json()["uuid"]
    found = web.get(f"{base}/samples/{uuid}/?include_signed_urls=1", headers=key).json()
    return asset, web.get(found["attributes"]["image"]["signed_url"]).content


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_all_addresses(name):
    """Files are at the host that the client called."""
    with Sandbox(host="0.0.0.0") as sandbox, httpx.Client(trust_env=False) as web:
        assert sandbox.url.startswith("http://127.0.0.1:")
        base = sandbox.url.replace("127.0.0.1", name)
        asset, content = upload(web, sandbox, base)
        assert content == b"image"
        assert asset["url"].startswith(f"http://{name}:{sandbox.storage_url.rpartition(':')[2]}/")


def test_a_client_elsewhere():
    """A container calls it by a name that this machine does not know."""
    with Sandbox(host="0.0.0.0") as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as web:
        headers = {"Authorization": f"APIKey {sandbox.api_key}", "Host": "sandbox.test:1234"}
        asset = web.post("/assets/", json={"filename": "a.png"}, headers=headers).json()
        port = sandbox.storage_url.rpartition(":")[2]
        assert asset["url"].startswith(f"http://sandbox.test:{port}/assets/")
        assert asset["presignedPostFields"]["url"] == f"http://sandbox.test:{port}/"


@pytest.mark.parametrize("host", ["::1", "::"])
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(host):
    with Sandbox(host=host) as sandbox, httpx.Client(trust_env=False) as web:
        assert sandbox.url.startswith("http://[::1]:")
        asset, content = upload(web, sandbox, sandbox.url)
        assert content == b"image"
        assert asset["url"].startswith(f"{sandbox.storage_url}/")


@pytest.mark.parametrize("port", [-1, 65536, 2.5, "8000", None, True])
@pytest.mark.parametrize("argument", ["port", "storage_port"])
def test_impossible_ports(argument, port):
    with pytest.raises(ValueError, match=f"^{argument}: expected a port from 0 to 65535"):
        Sandbox(**{argument: port})


@pytest.mark.parametrize("host", ["8.8.8.8", "no.such.host.invalid", "a" * 64])
def test_a_host_that_is_not_here(host):
    with pytest.raises((OSError, ValueError), match=f"cannot listen on host '{host}': "):
        Sandbox(host=host).start()


def test_a_port_that_is_not_permitted(monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied (while attempting to bind on address ('127.0.0.1', 80))")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(PermissionError) as caught:
        Sandbox(port=80).start()
    assert caught.value.strerror == "cannot listen on host '127.0.0.1', port 80: Permission denied"


@pytest.mark.parametrize("program", [["segments_async.sandbox"], ["segments_async", "sandbox"]])
@pytest.mark.parametrize("option", ["--port", "--storage-port"])
def test_a_port_in_use(program, option):
    """The command ends with one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", *program, option, str(port)], capture_output=True, text=True, check=False
        )
    name = option.removeprefix("--").replace("-", "_")
    expected = f"error: cannot listen on host '127.0.0.1', {name} {port}: {os.strerror(errno.EADDRINUSE)}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_ports_of_the_command():
    command = [sys.executable, "-m", "segments_async.sandbox"]
    done = subprocess.run([*command, "--storage-port", "65536"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "storage_port: expected a port from 0 to 65535, got 65536" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with subprocess.Popen([*command, "--storage-port", str(port)], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        assert httpx.get(f"http://127.0.0.1:{port}/x", trust_env=False).status_code == 404
        process.terminate()
