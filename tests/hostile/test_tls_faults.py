"""What breaks in TLS after the handshake is a lost connection like any other."""

from __future__ import annotations

import pytest
from raw_server import RawServer, answer, head
from raw_storage import uploads_go_to
from raw_tls import TLS_FAULTS
from wires import WIRES, within

from segments_async import LabelPut, OutcomeUnknownError, TransportError

pytestmark = pytest.mark.anyio

UUID = "075525b3-2ead-4137-8326-e1459ce1b29{}"
FAULTS = pytest.mark.parametrize("fault", TLS_FAULTS)
TIMEOUT = 3.0


def has_foreign_cause(error):
    """Whether what the transport has said is kept."""
    while error.__cause__ is not None:
        error = error.__cause__
    return not type(error).__module__.startswith("segments_async")


@WIRES
@FAULTS
async def test_instead_of_an_answer(connect, trusted, fault):
    """A GET is repeated, and ends as a TransportError whose cause is kept; the outcome of a POST is unknown."""
    with RawServer(lambda peer, _: TLS_FAULTS[fault](peer), context=trusted.context()) as api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            with pytest.raises(TransportError) as caught:
                await client.request("GET", "/x/")
            assert type(caught.value) is TransportError
            assert has_foreign_cause(caught.value)
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.request("POST", "/x/", json={})
            assert has_foreign_cause(caught.value)

    assert [request.method for request in api.requests] == ["GET"] * 3 + ["POST"]


@WIRES
@FAULTS
async def test_within_an_answer(connect, trusted, fault):
    """The same after half of it."""

    def script(peer, request):
        peer.send(head(200, {"Content-Length": 1000}) + b'{"a":')
        TLS_FAULTS[fault](peer)

    with RawServer(script, context=trusted.context()) as api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            with pytest.raises(TransportError):
                await client.request("GET", "/x/")
            with pytest.raises(TransportError):
                await client.assets.read(f"{api.url}/a.png")

    assert len(api.requests) == 6


@WIRES
@FAULTS
async def test_while_idle(connect, trusted, fault):
    """A kept connection that broke meanwhile costs a call nothing."""

    def script(peer, request):
        peer.send(answer({"asked": request.path}))
        if request.number == 0:
            TLS_FAULTS[fault](peer)

    with RawServer(script, context=trusted.context()) as api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            for path in ("/first/", "/second/"):
                assert await client.request("GET", path) == {"asked": path}


@WIRES
async def test_certificate_that_is_wanted(connect, trusted):
    """Under TLS 1.3 a client hears only after its handshake that it should have shown a certificate."""
    api = RawServer(lambda peer, _: peer.send(answer({})), context=trusted.context(wants_certificate=True))
    with api, within(5):
        async with connect(api.url, timeout=TIMEOUT) as client:
            with pytest.raises(TransportError):
                await client.request("GET", "/x/")
            with pytest.raises(TransportError):
                await client.request("POST", "/x/", json={})

    assert api.requests == []
    assert len(api.connections) >= 4


@WIRES
@FAULTS
async def test_one_of_many(connect, trusted, fault):
    """In a bulk run the affected item is sent again, and all are done."""

    def script(peer, request):
        if request.number == 2:
            TLS_FAULTS[fault](peer)
        elif request.method == "DELETE":
            peer.send(head(204))
        else:
            peer.send(answer({"label_status": "LABELED", "attributes": {"annotations": []}}))

    uuids = [UUID.format(number) for number in range(8)]
    for run in ("delete", "put"):
        with RawServer(script, context=trusted.context()) as api, within(5):
            async with connect(api.url, timeout=TIMEOUT, max_connections=2) as client:
                if run == "delete":
                    report = await client.labels.delete_many(uuids, labelset="gt")
                else:
                    report = await client.labels.put_many([LabelPut(uuid, {"annotations": []}) for uuid in uuids])
        assert str(report) == "8 items: 8 done"


@WIRES
@FAULTS
async def test_upload(connect, trusted, fault):
    """A storage host whose TLS breaks is asked again; in the end it is a lost connection."""
    with (
        RawServer(lambda peer, _: TLS_FAULTS[fault](peer), context=trusted.context()) as storage,
        uploads_go_to(storage.url) as api,
        within(5),
    ):
        async with connect(api.url, timeout=TIMEOUT) as client:
            with pytest.raises(TransportError):
                await client.assets.upload(b"png" * 1000, "a.png")

    assert len(storage.requests) == 3
