"""Environment variables for keys, proxies and certificates."""

from __future__ import annotations

import pickle
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from segments_async import AsyncSegments, AuthenticationError, ConnectError, InputError, RetryPolicy, TransportError
from segments_async._http.transport import shared_ssl_context

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(way):
    return "trio" if way == "trio" else "asyncio"


def _copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Proxy:
    """A forward proxy: it tunnels, or sends one request on, as the last of its connection."""

    def __init__(self):
        self.requests = []

    def __call__(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := client.recv(65536)):
                return
            head += data
        line = head.split(b"\r\n", 1)[0].decode()
        self.requests.append((line, b"proxy-authorization" in head.lower()))
        method, target, _ = line.split()
        address, _, path = target.removeprefix("http://").partition("/")
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                start = f"{method} /{path} HTTP/1.1\r\nConnection: close\r\n".encode()
                server.sendall(start + head.split(b"\r\n", 1)[1])
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            _copy(server, client)


@pytest.fixture
def proxy(serving):
    proxy = Proxy()
    with serving(proxy) as port:
        proxy.port = port
        yield proxy


async def test_http_proxy(sandbox, open_client, options, proxy, monkeypatch, tmp_path):
    """API and storage go through it; the key does not turn up in the proxy's own header."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")

    async with open_client(**options) as client:
        await client.datasets.create("flowers")
        asset = await client.assets.upload(b"png" * 100_000, "violet.png")

    lines = [line for line, _ in proxy.requests]
    assert lines[0] == f"POST {sandbox.url}/user/datasets/ HTTP/1.1"
    assert any(line.startswith(f"POST {sandbox.storage_url}/") for line in lines)
    assert not any(authorized for _, authorized in proxy.requests)
    assert sandbox.assets() == {asset.url: b"png" * 100_000}


@pytest.mark.filterwarnings("ignore:.* deprecated and will be removed in:DeprecationWarning")  # by httpx-aiohttp
async def test_proxy_with_a_password(sandbox, open_client, options, proxy, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", f"http://jane:hunter2@127.0.0.1:{proxy.port}")

    async with open_client(**options) as client:
        await client.request("GET", "/user")
        assert "hunter2" not in repr(vars(client._session.pool.api))

    assert proxy.requests == [(f"GET {sandbox.url}/user HTTP/1.1", True)]


@pytest.mark.parametrize("hosts", ["127.0.0.1", "*", "example.com,127.0.0.1"])
async def test_no_proxy(sandbox, open_client, options, proxy, monkeypatch, hosts):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", hosts)

    async with open_client(**options) as client:
        await client.request("GET", "/user")

    assert proxy.requests == []
    assert len(sandbox.calls) == 1


async def test_proxy_that_is_down(open_client, options, closed_port, monkeypatch):
    """Nothing was sent, so even a POST is repeated."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")

    async with open_client(**options) as client:
        with pytest.raises(ConnectError) as caught:
            await client.request("POST", "/clone", json={})

    assert caught.value.__notes__ == ["sent 3 times"]


@pytest.mark.parametrize(
    ("url", "words"),
    [("socks5://jane:hunter2@127.0.0.1:1", "SOCKS"), ("gopher://jane:hunter2@127.0.0.1:1", "gopher")],
)
def test_proxy_that_cannot_be_used(options, monkeypatch, url, words):
    """The error is raised when the client is made, not in the middle of a call."""
    monkeypatch.setattr("segments_async._http.clients.find_spec", lambda _: None)
    monkeypatch.setenv("ALL_PROXY", url)

    with pytest.raises(InputError, match=words) as caught:
        AsyncSegments("some-key", **options)

    assert "hunter2" not in str(caught.value)


def test_variables_of_the_client(monkeypatch):
    monkeypatch.setenv("SEGMENTS_API_KEY", "key-of-the-environment")
    monkeypatch.setenv("SEGMENTS_API_URL", "https://on-premises.test/api/")

    assert repr(AsyncSegments()) == "<AsyncSegments https://on-premises.test/api>"
    assert repr(AsyncSegments(base_url="https://other.test")) == "<AsyncSegments https://other.test>"


def test_variable_that_is_not_a_url(monkeypatch):
    monkeypatch.setenv("SEGMENTS_API_URL", "on-premises")

    with pytest.raises(InputError, match="on-premises"):
        AsyncSegments("some-key")


def test_no_key():
    with pytest.raises(AuthenticationError, match="SEGMENTS_API_KEY"):
        AsyncSegments()


async def test_a_refused_key_says_where_it_came_from(sandbox, open_client, monkeypatch):
    """Not the key itself."""
    monkeypatch.setenv("SEGMENTS_API_KEY", "the-wrong-key")
    argument, variable = "the argument api_key", "the environment variable SEGMENTS_API_KEY"
    async with AsyncSegments(base_url=sandbox.url) as client:
        for derived, place in ((client, variable), (client.with_options(timeout=3), variable)):
            await check_refusal(derived, place)
        await check_refusal(client.with_options(api_key="another-wrong-key"), argument)
        await client.with_options(api_key=sandbox.api_key).datasets.list()
    async with AsyncSegments("another-wrong-key", base_url=sandbox.url) as client:
        await check_refusal(client, argument)


async def check_refusal(client, place):
    with pytest.raises(AuthenticationError) as caught:
        await client.datasets.list()
    notes = caught.value.__notes__
    assert notes == pickle.loads(pickle.dumps(caught.value)).__notes__ == [f"the key came from {place}"]
    report = await client.samples.create_many("jane/flowers", [{"name": "a", "attributes": {}}])
    assert report.failures[0].error.__notes__ == notes


async def test_key_and_url_are_used(sandbox, monkeypatch):
    monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url + "/")

    async with AsyncSegments() as client:
        assert (await client.request("GET", "/user"))["username"] == "sandbox"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that signed itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


@pytest.fixture
def https(serving, certificate):
    """A server that speaks TLS and knows one user."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def answer(connection):
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                while tls.recv(65536):
                    tls.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"username":"jane"}')
        except OSError:
            pass

    with serving(answer) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "tunnel"])
async def test_certificate_file(https, certificate, open_client, options, monkeypatch, together, proxy, proxied):
    """SSL_CERT_FILE names whom to trust, for clients made from then on; a proxy is tunnelled through."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    if proxied:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

    async with open_client(base_url=https, **options) as client:
        answers = await together(5, lambda _: client.request("GET", "/user"))

    assert answers == [{"username": "jane"}] * 5
    assert {line for line, _ in proxy.requests} <= {f"CONNECT {https[8:]} HTTP/1.1"}
    assert bool(proxy.requests) is proxied


async def test_unknown_authority(https, open_client, options):
    """An unknown authority is not trusted, and nothing was sent."""
    async with open_client(base_url=https, retry=RetryPolicy(attempts=1), **options) as client:
        with pytest.raises(ConnectError, match="certificate"):
            await client.request("POST", "/clone", json={})


async def test_plain_http_towards_tls(https, open_client, options):
    async with open_client(base_url=https.replace("https", "http"), **options) as client:
        with pytest.raises(TransportError):
            await client.request("GET", "/user")


async def test_certificate_file_that_is_missing(https, open_client, way, monkeypatch):
    """The same clear error each time, not a crash in the middle of a call."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    for _ in range(2):
        if way == "aiohttp":
            with pytest.raises(InputError, match=r"SSL_CERT_FILE: .*/nowhere/ca.pem"):
                open_client(transport="aiohttp")
        else:
            async with open_client(base_url=https) as client:
                with pytest.raises(InputError, match=r"SSL_CERT_FILE: .*/nowhere/ca.pem"):
                    await client.request("GET", "/user")


def test_context_is_shared(certificate, monkeypatch):
    """Reading the certificates costs 50 to 80 ms, so it is done once for the same environment."""
    usual = shared_ssl_context()
    assert shared_ssl_context() is usual

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    own = shared_ssl_context()
    assert own is not usual
    assert len(own.get_ca_certs()) == 1
    assert own.verify_mode is ssl.CERT_REQUIRED
