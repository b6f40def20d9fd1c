"""Pauses that the service asks for: they are bounded, and apply only to the calls that they concern."""

from __future__ import annotations

import anyio
import pytest
from raw_server import RawServer, answer, head
from raw_storage import uploads_go_to
from wires import ONCE, WIRES, within

from segments_async import ApiError, InputError, RateLimitError, RetryPolicy, SegmentsError, ServerError
from segments_async.testing import ManualClock

pytestmark = pytest.mark.anyio

QUARTER = 15 * 60
DAY = 86_400
OK = answer({"done": True})
PNG = answer(b"png", 200, {"Content-Type": "image/png"})


def throttled(seconds, status=429):
    return answer({"detail": "Too many."}, status, {"Retry-After": seconds})


@pytest.fixture
def clock():
    return ManualClock(1_000_000.0)


NO_WAITS = {
    "inf": throttled("inf"),
    "-inf": throttled("-inf"),
    "infinity": throttled("Infinity"),
    "nan": throttled("nan"),
    "1e400": throttled("1e400"),
    "400 digits": throttled("9" * 400),
    "5,000 digits": throttled("9" * 5_000),
    "negative": throttled("-5"),
    "words": throttled("soon"),
    "year 99999": throttled("Sun, 22 Nov 99999 07:00:07 GMT"),
    "empty": throttled(""),
    "400 digits in words": answer({"detail": f"Expected available in {'9' * 400} seconds."}, 429),
    "5,000 digits in words": answer({"detail": f"Expected available in {'9' * 5000} seconds."}, 429),
    "inf of a 503": throttled("inf", 503),
}


@WIRES
@pytest.mark.parametrize("wait", NO_WAITS)
async def test_wait_that_is_none(connect, clock, wait):
    """A wait that is not finite is ignored: the call is sent again as usual, and no other call waits."""

    def script(peer, request):
        peer.send(NO_WAITS[wait] if request.number == 0 else OK)

    with RawServer(script) as api, within(3):
        async with connect(api.url, clock=clock.settings) as client:
            assert await client.request("GET", "/x/") == {"done": True}
            assert await client.request("GET", "/y/") == {"done": True}

    assert sum(clock.slept) < 1
    assert len(api.requests) == 3


@WIRES
@pytest.mark.parametrize("wait", NO_WAITS)
async def test_an_invalid_wait_is_not_reported(connect, clock, wait):
    """Nor is it in the error."""
    with RawServer(lambda peer, _: peer.send(NO_WAITS[wait])) as api, within(3):
        async with connect(api.url, clock=clock.settings, retry=ONCE) as client:
            with pytest.raises(ApiError) as caught:
                await client.request("GET", "/x/")
            with pytest.raises(ApiError):
                await client.request("GET", "/x/")

    assert caught.value.retry_after is None
    assert len(api.requests) == 2


@WIRES
@pytest.mark.parametrize("seconds", [2 * QUARTER, DAY, 10**12, 10**30])
async def test_pause_of_a_quarter_of_an_hour(connect, clock, seconds):
    """Whatever the service asks for, calls are sent again after a quarter of an hour."""

    def script(peer, request):
        peer.send(throttled(seconds) if request.number == 0 else OK)

    with RawServer(script) as api, within(3):
        async with connect(api.url, clock=clock.settings) as client:
            for _ in range(2):
                with pytest.raises(RateLimitError):
                    await client.request("GET", "/x/")
            assert len(api.requests) == 1
            clock.now += QUARTER * 1.05 + 1
            assert await client.request("GET", "/x/") == {"done": True}

    assert clock.slept == []


@WIRES
async def test_one_call_tries(connect, clock, together):
    """After the pause one call tries; if it is refused again, the others are not sent."""
    with RawServer(lambda peer, _: peer.send(throttled(DAY))) as api, within(3):
        async with connect(api.url, clock=clock.settings) as client:
            with pytest.raises(RateLimitError):
                await client.request("GET", "/x/")
            clock.now += QUARTER * 1.05 + 1
            results = await together(10, lambda _: client.request("GET", "/x/"))

    assert {type(result) for result in results} == {RateLimitError}
    assert len(api.requests) == 2


@WIRES
async def test_wait_beyond_the_limits(connect, clock):
    """A wait beyond a call's `total` is raised at once."""
    with RawServer(lambda peer, _: peer.send(throttled(60))) as api, within(3):
        async with connect(api.url, clock=clock.settings, retry=RetryPolicy(total=5)) as client:
            for _ in range(2):
                with pytest.raises(RateLimitError) as caught:
                    await client.request("GET", "/x/")
                assert caught.value.retry_after == pytest.approx(60, rel=0.06)

    assert clock.slept == []
    assert len(api.requests) == 1


MAINTENANCE = {
    "503": throttled(600, 503),
    "429": throttled(600),
    "503 without a wait": answer(b"<html>back soon</html>", 503),
    "500": answer(b"", 500),
}


@WIRES
@pytest.mark.parametrize("state", MAINTENANCE)
async def test_one_gate_for_each_storage_host(connect, clock, state):
    """An image host in maintenance does not stop uploads, other hosts or other accounts."""

    def take(peer, request):
        peer.send(head(204) if request.method == "POST" else PNG)

    with (
        RawServer(lambda peer, _: peer.send(MAINTENANCE[state])) as down,
        RawServer(take) as storage,
        uploads_go_to(storage.url) as api,
        within(4),
    ):
        async with connect(api.url, clock=clock.settings, retry=RetryPolicy(base=0, cap=0, total=5)) as client:
            other = client.with_options(api_key="another-key-123456")
            for _ in range(40):
                with pytest.raises((RateLimitError, ServerError)):
                    await client.assets.read(f"{down.url}/a.png")
            asked = len(down.requests)
            for one in (client, other):
                assert await one.assets.read(f"{storage.url}/a.png") == b"png"
                await one.assets.upload(b"png", "a.png")

    assert asked == 1 or "wait" in state or state == "500"
    assert clock.slept == [] or set(clock.slept) == {0}
    assert [request.method for request in storage.requests] == ["GET", "POST", "GET", "POST"]


@WIRES
async def test_budget_of_each_storage_host(connect, clock):
    """Each host has its own retry budget."""

    def flaky(peer, request):
        peer.send(PNG if request.number % 2 else answer(b"", 500))

    with RawServer(lambda peer, _: peer.reset()) as down, RawServer(flaky) as host, within(6):
        async with connect("http://127.0.0.1:1", clock=clock.settings, max_connections=2) as client:
            for _ in range(60):
                with pytest.raises(SegmentsError):
                    await client.assets.read(f"{down.url}/a.png")
            assert await client.assets.read(f"{host.url}/a.png") == b"png"

    assert len(host.requests) == 2


@WIRES
async def test_downloads_from_several_hosts(connect, clock, tmp_path):
    """A run over several hosts fetches all that can be fetched."""
    with (
        RawServer(lambda peer, _: peer.send(throttled(600, 503))) as down,
        RawServer(lambda peer, _: peer.send(PNG)) as host,
        within(5),
    ):
        async with connect("http://127.0.0.1:1", clock=clock.settings, retry=RetryPolicy(total=5)) as client:
            addresses = [f"{(host, down)[number % 2].url}/{number}.png" for number in range(20)]
            report = await client.assets.download_many(addresses, tmp_path)

    assert report.counts == {"created": 10, "failed": 10}
    assert len(report.retry_items) == 10


@WIRES
async def test_pause_and_cancellation(connect, clock):
    """A call that is cancelled while it waits leaves the gate as it was."""

    def script(peer, request):
        peer.send(throttled(DAY) if request.number == 0 else OK)

    with RawServer(script) as api, within(3):
        async with connect(api.url, clock=clock.settings) as client:
            with pytest.raises(RateLimitError):
                await client.request("GET", "/x/")
            clock.now += QUARTER * 1.05 + 1
            with anyio.CancelScope() as scope:
                scope.cancel()
                await client.request("GET", "/x/")
            assert await client.request("GET", "/x/") == {"done": True}


def test_the_limit_is_no_option():
    """`max_wait` concerns its own client only, and must be a number."""
    from segments_async import AsyncSegments  # noqa: PLC0415

    with pytest.raises(InputError):
        AsyncSegments("some-key").with_options(max_wait=float("nan"))
