"""The example application with many concurrent users and one worker: no errors, and its response times."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from benchmarks.app_parts import running_application
from benchmarks.harness import Case, Check, Contestant, Scale
from benchmarks.payloads import painted_image
from benchmarks.stopwatch import Run, Stopwatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    import aiohttp

USERS = 200
SECONDS = 60
ARRIVAL = 10.0
"""Seconds within which all users arrive."""
PAUSE = (10.0, 30.0)
"""Minimum and maximum seconds between two drops of a user."""
IMAGES = 2
TIMEOUT = 30.0
"""Seconds after which missing activity is an error."""
FILES = ("/", "/static/page.css", "/static/page.js", "/static/samples.js", "/static/uploads.js")


def case(scale: Scale) -> Case:
    """Return the case."""
    users, long = scale.of(USERS, least=2), scale.of(SECONDS, least=3)
    short = max(1, long // 3)
    names = {seconds: f"{users} users, {seconds} seconds" for seconds in (short, long)}
    return Case(
        name="app",
        about=f"{users} concurrent users of examples/fastapi_app, one worker; CPU and memory of the application",
        unit="request",
        contestants=[
            Contestant(name=name, work=visit, arguments={"users": users, "seconds": seconds}, needs=("aiohttp",))
            for seconds, name in names.items()
        ],
        checks=[
            Check(
                name=f"additional MB for {long} seconds over {short}",
                value=lambda turn: turn[names[long]].memory - turn[names[short]].memory,
                contestants=list(names.values()),
                target=20,
            )
        ],
        turns=1,
        has_server=False,
    )


def visit(users: int, seconds: float) -> Run:
    """Simulate *users* users for *seconds* seconds: drop images, wait until they appear and are labeled, pause."""
    with running_application() as app:
        measured = Times()
        with Stopwatch() as watch:
            asyncio.run(_visit(app.url, users, seconds, measured))
    print(f"{users} users, {seconds} seconds, no error: {measured}", file=sys.stderr)
    run = watch.run(len(measured.requests), measured.requests)
    return evolve(run, cpu=app.cost["cpu"], memory=app.cost["memory"])


@define
class Times:
    """Measured times in seconds."""

    requests: list[float] = field(factory=list)
    """From a request to the last byte of its response."""
    samples: list[float] = field(factory=list)
    """From dropping images until all of them are on the page."""
    labels: list[float] = field(factory=list)
    """From the click until the label arrives on the page by webhook."""

    def __str__(self) -> str:
        return "; ".join(
            f"{name} {len(times):,}, median {statistics.median(times) * 1e3:,.0f} ms, p99 "
            f"{sorted(times)[int(len(times) * 0.99)] * 1e3:,.0f} ms"
            for name, times in (("requests", self.requests), ("drops", self.samples), ("labels", self.labels))
            if times
        )


async def _visit(url: str, users: int, seconds: float, times: Times) -> None:
    import aiohttp

    deadline = time.perf_counter() + seconds
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(users):
            group.create_task(User(session, number, deadline, times).stay(arrival=min(ARRIVAL, seconds / 2)))


class User:
    """
    A simulated user with the page open.

    Args:
        session: An HTTP session with the application.
        number: Identifies the user.
        deadline: When to leave, in terms of ``time.perf_counter``.
        times: Where to record the measured times.
    """

    def __init__(self, session: aiohttp.ClientSession, number: int, deadline: float, times: Times) -> None:
        self._session = session
        self._number = number
        self._deadline = deadline
        self._times = times
        self._random = random.Random(number)  # noqa: S311 (reproducible behavior in every run)
        self._expected: dict[str, asyncio.Future[str]] = {}

    async def stay(self, arrival: float) -> None:
        """Arrive within *arrival* seconds, open the page, and drop images from time to time."""
        await self._pause(0, arrival)
        for file in FILES:
            await self._request("GET", file)
        page = json.loads(await self._request("GET", "/samples"))
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(page["position"]))
            drops = 0
            while time.perf_counter() < self._deadline or not drops:  # at least once
                await self._drop(drops)
                drops += 1
                await self._request("GET", "/samples")
                await self._pause(*PAUSE)
            listening.cancel()

    async def _pause(self, least: float, most: float) -> None:
        left = max(0.0, self._deadline - time.perf_counter())
        await asyncio.sleep(min(left, self._random.uniform(least, most)))

    async def _drop(self, number: int) -> None:
        names = [f"user-{self._number}-{number}-{which}.jpg" for which in range(IMAGES)]
        appear = [self._expect(f'"name":"{name}"') for name in names]
        started = time.perf_counter()
        form = _form(names)
        accepted = json.loads(await self._request("POST", "/images", data=form))
        assert accepted["refused"] == [], accepted
        await self._follow(accepted["upload"]["id"])
        events = [await event for event in appear]
        self._times.samples.append(time.perf_counter() - started)
        uuid = json.loads(events[0])["uuid"]
        labeled = self._expect(f'"uuid":"{uuid}","label":{{')
        started = time.perf_counter()
        await self._request("POST", f"/samples/{uuid}/label", json={"width": 64, "height": 64})
        assert json.loads(await labeled)["label"]["objects"] == {"flower": 1}
        self._times.labels.append(time.perf_counter() - started)

    async def _follow(self, upload: str) -> None:
        while True:
            async for event, data in _events(self._session, f"/uploads/{upload}/events"):
                if event == "end":
                    status = json.loads(data)
                    assert (status["state"], status["done"], status["failed"]) == ("done", IMAGES, 0), status
                    return

    def _expect(self, text: str) -> Coroutine[Any, Any, str]:
        """Return an awaitable for the next event whose data contains *text*."""
        future = self._expected[text] = asyncio.get_running_loop().create_future()
        return asyncio.wait_for(future, TIMEOUT)

    async def _listen(self, position: int) -> None:
        """Read the events like a browser, which reopens an ended stream at the last position."""
        last_id = str(position)

        def record_id(id: str) -> None:
            nonlocal last_id
            last_id = id

        while True:
            async for event, data in _events(self._session, f"/events?after={position}", last_id, record_id):
                assert event != "reload", "fell behind"
                for text in [text for text in self._expected if text in data]:
                    self._expected.pop(text).set_result(data)

    async def _request(self, method: str, path: str, **options: Any) -> str:
        started = time.perf_counter()
        async with self._session.request(method, path, **options) as response:
            text = await response.text()
        self._times.requests.append(time.perf_counter() - started)
        assert response.status < 400, (method, path, response.status, text)  # noqa: PLR2004
        return text


def _form(names: list[str]) -> aiohttp.FormData:
    import aiohttp

    form = aiohttp.FormData()
    for name in names:
        form.add_field("images", painted_image(), filename=name, content_type="image/jpeg")
    return form


async def _events(
    session: aiohttp.ClientSession, path: str, last_id: str | None = None, on_id: Callable[[str], None] = lambda _: None
) -> AsyncIterator[tuple[str, str]]:
    """Read a stream of server-sent events and yield their names and data."""
    import aiohttp

    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    name = ""
    async with session.get(path, headers=headers, timeout=aiohttp.ClientTimeout(sock_read=TIMEOUT)) as response:
        assert response.status == 200, (path, response.status)  # noqa: PLR2004
        async for line in response.content:
            key, _, value = line.decode().strip().partition(": ")
            if key == "id":
                on_id(value)
            elif key == "event":
                name = value
            elif key == "data":
                yield name, value
