"""The example application under many users at once: one worker, no error, and how it answers meanwhile."""

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
"""Seconds within which all users have come."""
PAUSE = (10.0, 30.0)
"""Seconds that a user looks at what came, before the next images."""
IMAGES = 2
PATIENCE = 30.0
"""Seconds after which a user who saw nothing happen has found an error."""
FILES = ("/", "/static/page.css", "/static/page.js", "/static/samples.js", "/static/uploads.js")


def case(scale: Scale) -> Case:
    """Describe the case."""
    users, long = scale.of(USERS, least=2), scale.of(SECONDS, least=3)
    short = max(1, long // 3)
    names = {seconds: f"{users} users, {seconds} seconds" for seconds in (short, long)}
    return Case(
        name="app",
        about=f"{users} users of examples/fastapi_app at once, one worker; CPU and memory are the application's",
        unit="request",
        contestants=[
            Contestant(name=name, work=visit, arguments={"users": users, "seconds": seconds}, needs=("aiohttp",))
            for seconds, name in names.items()
        ],
        checks=[
            Check(
                name=f"MB that {long} seconds need more than {short}",
                value=lambda turn: turn[names[long]].memory - turn[names[short]].memory,
                contestants=list(names.values()),
                target=20,
            )
        ],
        turns=1,
        has_server=False,
    )


def visit(users: int, seconds: float) -> Run:
    """Let so many users come, drop images, see them appear and be labelled, and pause; for so many seconds."""
    with running_application() as app:
        measured = Times()
        with Stopwatch() as watch:
            asyncio.run(_visit(app.url, users, seconds, measured))
    print(f"{users} users, {seconds} seconds, no error: {measured}", file=sys.stderr)
    run = watch.run(len(measured.requests), measured.requests)
    return evolve(run, cpu=app.cost["cpu"], memory=app.cost["memory"])


@define
class Times:
    """Seconds that things took."""

    requests: list[float] = field(factory=list)
    """Until the last byte of an answer."""
    samples: list[float] = field(factory=list)
    """From the drop of images until each of them is on the page."""
    labels: list[float] = field(factory=list)
    """From the click until the label is on the page, by webhook."""

    def __str__(self) -> str:
        return "; ".join(
            f"{name} {len(times):,}, median {statistics.median(times) * 1e3:,.0f} ms, p99 "
            f"{sorted(times)[int(len(times) * 0.99)] * 1e3:,.0f} ms"
            for name, times in (("requests", self.requests), ("drops", self.samples), ("labels", self.labels))
            if times
        )


async def _visit(url: str, users: int, seconds: float, times: Times) -> None:
    import aiohttp

    ends = time.perf_counter() + seconds
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(users):
            group.create_task(User(session, number, ends, times).stay(arrival=min(ARRIVAL, seconds / 2)))


class User:
    """
    Somebody with the page open.

    Args:
        session: To the application.
        number: Tells users apart.
        ends: When to leave, by ``time.perf_counter``.
        times: Where to note how long things take.
    """

    def __init__(self, session: aiohttp.ClientSession, number: int, ends: float, times: Times) -> None:
        self._session = session
        self._number = number
        self._ends = ends
        self._times = times
        self._random = random.Random(number)  # noqa: S311 (the same users at every run)
        self._awaited: dict[str, asyncio.Future[str]] = {}

    async def stay(self, arrival: float) -> None:
        """Come within *arrival* seconds, open the page, and drop images now and then."""
        await self._pause(0, arrival)
        for file in FILES:
            await self._ask("GET", file)
        album = json.loads(await self._ask("GET", "/samples"))
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(album["position"]))
            drops = 0
            while time.perf_counter() < self._ends or not drops:  # everybody once at least
                await self._drop(drops)
                drops += 1
                await self._ask("GET", "/samples")
                await self._pause(*PAUSE)
            listening.cancel()

    async def _pause(self, least: float, most: float) -> None:
        left = max(0.0, self._ends - time.perf_counter())
        await asyncio.sleep(min(left, self._random.uniform(least, most)))

    async def _drop(self, number: int) -> None:
        names = [f"user-{self._number}-{number}-{which}.jpg" for which in range(IMAGES)]
        appear = [self._await(f'"name":"{name}"') for name in names]
        begun = time.perf_counter()
        form = _form(names)
        accepted = json.loads(await self._ask("POST", "/images", data=form))
        assert accepted["refused"] == [], accepted
        await self._follow(accepted["upload"]["id"])
        told = [await appearing for appearing in appear]
        self._times.samples.append(time.perf_counter() - begun)
        uuid = json.loads(told[0])["uuid"]
        labelled = self._await(f'"uuid":"{uuid}","label":{{')
        begun = time.perf_counter()
        await self._ask("POST", f"/samples/{uuid}/label", json={"width": 64, "height": 64})
        assert json.loads(await labelled)["label"]["objects"] == {"flower": 1}
        self._times.labels.append(time.perf_counter() - begun)

    async def _follow(self, upload: str) -> None:
        while True:
            async for event, data in _events(self._session, f"/uploads/{upload}/events"):
                if event == "end":
                    status = json.loads(data)
                    assert (status["state"], status["done"], status["failed"]) == ("done", IMAGES, 0), status
                    return

    def _await(self, words: str) -> Coroutine[Any, Any, str]:
        """Wait for an event whose data has these words."""
        future = self._awaited[words] = asyncio.get_running_loop().create_future()
        return asyncio.wait_for(future, PATIENCE)

    async def _listen(self, position: int) -> None:
        """Hear what happens, as a browser does: a stream that ends is opened anew where it was."""
        last = str(position)

        def note(id: str) -> None:
            nonlocal last
            last = id

        while True:
            async for event, data in _events(self._session, f"/events?after={position}", last, note):
                assert event != "reload", "fell behind"
                for words in [words for words in self._awaited if words in data]:
                    self._awaited.pop(words).set_result(data)

    async def _ask(self, method: str, path: str, **options: Any) -> str:
        begun = time.perf_counter()
        async with self._session.request(method, path, **options) as response:
            text = await response.text()
        self._times.requests.append(time.perf_counter() - begun)
        assert response.status < 400, (method, path, response.status, text)  # noqa: PLR2004
        return text


def _form(names: list[str]) -> aiohttp.FormData:
    import aiohttp

    form = aiohttp.FormData()
    for name in names:
        form.add_field("images", painted_image(), filename=name, content_type="image/jpeg")
    return form


async def _events(
    session: aiohttp.ClientSession, path: str, last: str | None = None, note: Callable[[str], None] = lambda _: None
) -> AsyncIterator[tuple[str, str]]:
    """Read a stream of server-sent events: their names and data."""
    import aiohttp

    headers = {} if last is None else {"Last-Event-ID": last}
    name = ""
    async with session.get(path, headers=headers, timeout=aiohttp.ClientTimeout(sock_read=PATIENCE)) as response:
        assert response.status == 200, (path, response.status)  # noqa: PLR2004
        async for line in response.content:
            key, _, value = line.decode().strip().partition(": ")
            if key == "id":
                note(value)
            elif key == "event":
                name = value
            elif key == "data":
                yield name, value
