"""Before a tunnel exists, nothing was sent to the service: no outcome is unknown, and every wait ends."""

from __future__ import annotations

import logging

import pytest
from raw_proxy import PROXY_FAULTS, hang, relay
from raw_server import RawServer, answer
from wires import ONCE, OWN_WIRES, WIRES, within

from segments_async import ApiError, ConnectError, OutcomeUnknownError, RequestTimeoutError, TransportError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:.* deprecated and will be removed in:DeprecationWarning"),  # by httpx-aiohttp
]

SERVICE = "https://127.0.0.1:9"
"""Reachable only through the proxy."""
TIMEOUT = 0.5


@pytest.fixture
def proxied(trusted, monkeypatch):
    """``proxied(server)``: have all clients go through it, with a password."""

    def use(proxy):
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://jane:hunter2@127.0.0.1:{proxy.port}")

    return use


@WIRES
async def test_relay(connect, proxied, trusted):
    """Calls arrive through a working proxy."""
    with (
        RawServer(lambda peer, request: peer.send(answer({"asked": request.path})), context=trusted.context()) as api,
        RawServer(relay) as proxy,
        within(3),
    ):
        proxied(proxy)
        async with connect(api.url) as client:
            assert await client.request("GET", "/x/") == {"asked": "/x/"}

    assert proxy.requests[0].method == "CONNECT"
    assert "proxy-authorization" in proxy.requests[0].headers
    assert "proxy-authorization" not in api.requests[0].headers


@WIRES
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", PROXY_FAULTS)
async def test_no_tunnel(connect, proxied, fault, method):
    """Nothing was sent, so even a POST is tried again; but for a 407, which stays what it is."""
    with RawServer(PROXY_FAULTS[fault]) as proxy, within(TIMEOUT * 3 + 1.5):
        proxied(proxy)
        async with connect(SERVICE, timeout=TIMEOUT) as client:
            with pytest.raises(TransportError) as caught:
                await client.request(method, "/x/")

    error = caught.value
    assert not isinstance(error, OutcomeUnknownError)
    assert error.sent is False
    assert error.__cause__ is not None
    assert isinstance(error, TimeoutError if fault == "hangs" else ConnectError)
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    assert len(proxy.requests) == (1 if fault == "407" else 3)
    if fault in {"407", "502"}:
        assert fault in str(error)
    assert "hunter2" not in str(error) + repr(error)


@WIRES
@pytest.mark.parametrize("place", ["API", "read", "download"])
async def test_proxy_that_hangs(connect, proxied, tmp_path, place):
    """Waiting for a tunnel is waiting for a connection, and ends with `timeout`."""
    with RawServer(PROXY_FAULTS["hangs"]) as proxy, within(TIMEOUT + 1):
        proxied(proxy)
        async with connect(SERVICE, timeout=TIMEOUT, retry=ONCE) as client:
            if place == "download":
                [outcome] = (await client.assets.download_many([f"{SERVICE}/a.png"], tmp_path)).results
                assert isinstance(outcome.error, TimeoutError)
                assert outcome.retryable
            else:
                with pytest.raises(TimeoutError):
                    await (client.users.me() if place == "API" else client.assets.read(f"{SERVICE}/a.png"))


@WIRES
async def test_many_behind_a_407(connect, proxied):
    """In a bulk run nothing is unknown, and all failures are one group."""
    with RawServer(PROXY_FAULTS["407"]) as proxy, within(4):
        proxied(proxy)
        async with connect(SERVICE, timeout=TIMEOUT) as client:
            report = await client.labels.delete_many([str(number) for number in range(4)], labelset="gt")

    assert report.unknown == 0
    assert report.succeeded == 0
    assert len(report.error_groups) == 1
    assert len(proxy.requests) <= 4


@WIRES
async def test_plain_http_behind_a_407(connect, proxied):
    """Where there is no tunnel, the proxy's answer to the request itself is as final."""
    with RawServer(PROXY_FAULTS["407"]) as proxy, within(3):
        proxied(proxy)
        async with connect(SERVICE.replace("https", "http"), timeout=TIMEOUT) as client:
            with pytest.raises((ApiError, ConnectError), match="407") as caught:
                await client.request("POST", "/x/", json={})

    assert not isinstance(caught.value, OutcomeUnknownError)
    assert len(proxy.requests) == 1
    assert "hunter2" not in str(caught.value)


@OWN_WIRES
@pytest.mark.parametrize("service", [SERVICE, SERVICE.replace("https", "http")])
async def test_socks_proxy_that_hangs(connect, wire, monkeypatch, caplog, service):
    """Its handshake is part of connecting too: `timeout` ends it, nothing was sent, and no log has the password."""
    if wire == "aiohttp":
        pytest.skip("aiohttp uses no SOCKS proxy")
    caplog.set_level(logging.DEBUG)
    with RawServer(hang, on_connect=lambda peer: peer.stall()) as proxy, within(TIMEOUT * 3 + 1):
        monkeypatch.setenv("ALL_PROXY", f"socks5://jane:hunter2@127.0.0.1:{proxy.port}")
        async with connect(service, timeout=TIMEOUT) as client:
            with pytest.raises(RequestTimeoutError) as caught:
                await client.request("POST", "/x/")

    assert caught.value.sent is False
    assert len(proxy.connections) == 3
    assert "setup_socks5_connection" in caplog.text
    assert "hunter2" not in caplog.text
