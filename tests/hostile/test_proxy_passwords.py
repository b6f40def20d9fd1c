"""The password of a proxy is in no error, repr or log, however the proxy fails and however it is written."""

from __future__ import annotations

import logging
import pickle
import traceback
from base64 import b64encode

import pytest
from raw_proxy import PROXY_FAULTS, relay
from raw_server import RawServer, answer
from wires import ONCE, OWN_WIRES, connected, within

from segments_async import SegmentsError, TransportError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:.* deprecated and will be removed in:DeprecationWarning"),  # by httpx-aiohttp
]

PASSWORD = "hunter2-0f-th3-0ffice"
SPECIAL = "hunter2%400f%3Ath3%2F0ffice"
"""With an @, a colon and a slash."""
LOGINS = {"plain": f"jane:{PASSWORD}", "special": f"jane:{SPECIAL}", "no user": f":{PASSWORD}", "token": PASSWORD}
SECRETS = ["hunter2", *(b64encode(f"{user}hunter2".encode()).decode()[:8] for user in ("jane:", ":", ""))]


def check(*texts):
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text]


def texts_of(error):
    lines = "".join(traceback.format_exception(error))
    return lines, repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1")


def frames_of(error):
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.fixture
def behind(monkeypatch):
    """``behind(scheme, login, port)``: all clients go through this proxy."""

    def use(scheme, login, port, host="127.0.0.1"):
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"{scheme}://{LOGINS[login]}@{host}:{port}")

    return use


async def fail_through_it(connect, caplog, service):
    """Make calls that fail; whatever shows anything does not show the password."""
    caplog.set_level(logging.DEBUG)
    async with connect(service, timeout=0.5, retry=ONCE) as client:
        with pytest.raises(SegmentsError) as of_call:
            await client.request("GET", "/x/")
        with pytest.raises(SegmentsError) as of_file:
            await client.assets.read(f"{service}/a.png")
        report = await client.labels.delete_many(["075525b3-2ead-4137-8326-e1459ce1b291"])
        check(repr(client), repr(vars(client)), repr(client.stats()), repr(client._session.pool.api._transport))
    for error in (of_call.value, of_file.value):
        check(*texts_of(error), frames_of(error))
    check(repr(report.results), str(report.error_groups), caplog.text)
    return of_call.value


@OWN_WIRES
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("service", ["http://service.test", "https://service.test"])
@pytest.mark.parametrize("fault", PROXY_FAULTS)
async def test_proxy_that_fails(connect, caplog, behind, fault, service, login):
    with RawServer(PROXY_FAULTS[fault]) as proxy, within(5):
        behind("http", login, proxy.port)
        await fail_through_it(connect, caplog, service)


@OWN_WIRES
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_dead_proxy(connect, caplog, behind, closed_port, scheme):
    with within(5):
        behind(scheme, "special", closed_port)
        error = await fail_through_it(connect, caplog, "https://service.test")
    assert isinstance(error, TransportError)
    assert not error.sent


@OWN_WIRES
async def test_proxy_that_cannot_be_found(connect, caplog, behind):
    with within(5):
        behind("http", "plain", 3128, host="proxy.invalid")
        await fail_through_it(connect, caplog, "https://service.test")


@OWN_WIRES
@pytest.mark.parametrize("fault", ["407", "hangs", "cut"])
async def test_proxy_over_tls(connect, caplog, behind, trusted, fault):
    with RawServer(PROXY_FAULTS[fault], context=trusted.context()) as proxy, within(5):
        behind("https", "special", proxy.port)
        await fail_through_it(connect, caplog, "https://service.test")


@OWN_WIRES
async def test_proxy_of_an_unknown_authority(connect, caplog, behind, authority):
    with RawServer(PROXY_FAULTS["407"], context=authority.context()) as proxy, within(5):
        behind("https", "plain", proxy.port)
        await fail_through_it(connect, caplog, "https://service.test")


@OWN_WIRES
async def test_proxy_that_works(connect, caplog, behind, trusted):
    """The service refuses."""

    def refuse(peer, request):
        peer.send(answer({"detail": "No."}, 403))

    with RawServer(refuse, context=trusted.context()) as api, RawServer(relay) as proxy:
        behind("http", "special", proxy.port)
        with within(5):
            await fail_through_it(connect, caplog, api.url)


BAD = {
    "no scheme": "{login}@127.0.0.1:3128",
    "wrong scheme": "ftp://{login}@127.0.0.1:3128",
    "port of letters": "http://{login}@127.0.0.1:port",
    "port 99999": "http://{login}@127.0.0.1:99999",
    "no host": "http://{login}@",
    "bracket": "http://{login}@[::1",
    "control character": "http://{login}@127.0.0.1\x01:1",
    "space": "http://{login}@127.0.0.1 :1",
    "label": "http://{login}@" + "x" * 70 + ".test",
    "unescaped slash": "http://jane:hunter2/0ffice@127.0.0.1:3128",
    "unescaped hash": "http://jane:hunter2#0ffice@127.0.0.1:3128",
    "unescaped question mark": "http://jane:hunter2?0ffice@127.0.0.1:3128",
    "unescaped at sign": "ftp://jane:hunter2@0ffice@127.0.0.1:3128",
    "escaped at sign": "http://jane:hunter2%400ffice:80",
    "no at sign": "http://jane:hunter2",
    "password alone": "hunter2:jane",
    "two": "http://{login}@127.0.0.1:1 http://{login}@127.0.0.1:2",
}


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("name", BAD)
async def test_bad_url(monkeypatch, caplog, anyio_backend, transport, login, name):
    """Refused at construction, or at the first call."""
    if transport == "aiohttp" and anyio_backend == "trio":
        transport = None
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTP_PROXY", BAD[name].format(login=LOGINS[login]))
    wire = "aiohttp" if transport else "slots"

    async def call():
        async with connected(wire, "http://service.test", timeout=0.5, retry=ONCE) as client:
            check(repr(client))
            await client.request("GET", "/x/")

    with within(10), pytest.raises(SegmentsError) as caught:
        await call()
    check(*texts_of(caught.value), caplog.text)
