"""The minimum rate of files: how it is measured, and what does not count."""

from __future__ import annotations

import anyio
import httpx
import pytest

from segments_async import RequestTimeoutError
from segments_async._http.exchange import EXCHANGE, Exchange
from segments_async._transfer import pace as pace_module
from segments_async._transfer.pace import MIN_RATE, WINDOW_SECONDS, Pace

pytestmark = pytest.mark.anyio


class Time:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time(monkeypatch):
    monkeypatch.setattr(pace_module, "POLL_SECONDS", 0.001)
    return Time()


async def run(pace, transfer):
    with anyio.fail_after(5):
        return await pace.run(transfer, method="GET", url="https://s3.test/a.png")


async def polls():
    """Wait until the rate was looked at."""
    await anyio.sleep(0.02)


@pytest.mark.parametrize(
    ("rate", "slack", "ends"), [(1.0, 0, False), (0.9, 0, True), (0.9, 128 * 1024, False), (0, 128 * 1024, True)]
)
async def test_rate(time, rate, slack, ends):
    pace = Pace(time, 60, slack=slack)

    async def transfer():
        pace.start_body()
        for _ in range(3):
            time.now += WINDOW_SECONDS
            pace.moved(int(WINDOW_SECONDS * MIN_RATE * rate))
            await polls()
        return "done"

    if ends:
        with pytest.raises(RequestTimeoutError, match=r"bytes/s over 180 s .* GET https://s3.test/a.png"):
            await run(pace, transfer)
    else:
        assert await run(pace, transfer) == "done"


async def test_what_this_side_takes_does_not_count(time):
    """A slow disk is no slow host."""
    pace = Pace(time, 60)

    async def transfer():
        pace.start_body()
        pace.pause()
        time.now += 10_000
        await polls()
        pace.resume()
        await polls()
        time.now += WINDOW_SECONDS - 1
        await polls()
        return "done"

    assert await run(pace, transfer) == "done"


async def test_waiting_for_a_connection_does_not_count(time):
    request = httpx.Request("GET", "https://s3.test/a.png")
    request.extensions[EXCHANGE] = exchange = Exchange()
    pace = Pace(time, 60)

    async def transfer():
        pace.expect_answer(request)
        exchange.is_queued = True
        for _ in range(3):
            time.now += 59
            await polls()
        exchange.is_queued = False
        time.now += 59
        await polls()
        time.now += 2
        await anyio.sleep_forever()

    with pytest.raises(RequestTimeoutError, match="no answer arrived within 61 s on GET"):
        await run(pace, transfer)


async def test_error_of_the_transfer(time):
    """It is raised as it is, and not in a group."""

    async def transfer():
        raise KeyError("a")

    with pytest.raises(KeyError):
        await run(Pace(time, 60), transfer)


async def test_cancelled(time):
    with anyio.move_on_after(0.02) as scope:
        await Pace(time, 60).run(anyio.sleep_forever, method="GET", url="")
    assert scope.cancelled_caught


async def test_stop(time):
    """What stops a transfer is raised instead of the cancellation."""
    pace = Pace(time, 60)

    async def transfer():
        pace.stop(ValueError("full"))
        await anyio.sleep_forever()

    with pytest.raises(ValueError, match="full"):
        await run(pace, transfer)


async def test_many_at_once(time):
    """Only the slow ones end, and the others are polled on."""
    results = []

    async def measure(rate):
        pace = Pace(time, 60)

        async def transfer():
            pace.start_body()
            for _ in range(3):
                pace.moved(int(WINDOW_SECONDS * MIN_RATE * rate))
                await moved.wait()
                await polls()

        try:
            await run(pace, transfer)
        except RequestTimeoutError:
            results.append(rate)

    moved = anyio.Event()
    async with anyio.create_task_group() as group:
        for rate in (0.1, 4.0, 0.5, 5.0):
            group.start_soon(measure, rate)
        await anyio.wait_all_tasks_blocked()
        time.now += WINDOW_SECONDS
        moved.set()

    assert sorted(results) == [0.1, 0.5]
