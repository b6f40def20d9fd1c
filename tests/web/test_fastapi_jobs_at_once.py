"""Concurrent operations on uploads, routers included in unusual places, and events through proxies."""

import asyncio
import functools
import gc
import json
import subprocess
import sys
import threading
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.testclient import TestClient

from segments_async import AsyncSegments, InputError
from segments_async.fastapi import Segments, Upload, UploadJobs, UploadStatus, _routes, lifespan

TIMES = 200


def make_client():
    return AsyncSegments("k", base_url="http://127.0.0.1:9")


class Server:
    """An application whose uploads fail, run on, or return; `most` is how many of one id ran at the same time."""

    def __init__(self, folder, **options):
        self.jobs = UploadJobs(folder, **options)
        self.now: dict[str, int] = {}
        self.most = 0
        self.release = threading.Event()
        self.app = FastAPI(lifespan=lifespan(make_client))
        self.app.include_router(self.jobs, prefix="/uploads")

        async def counted(upload, work):
            self.now[upload.id] = self.now.get(upload.id, 0) + 1
            self.most = max(self.most, self.now[upload.id])
            try:
                await work()
            finally:
                self.now[upload.id] -= 1

        @self.jobs.kind
        async def fails(upload: Upload, client: AsyncSegments) -> None:
            async def work():
                raise ValueError("the folder is gone")

            await counted(upload, work)

        @self.jobs.kind
        async def ends(upload: Upload, client: AsyncSegments) -> None:
            await counted(upload, functools.partial(anyio.sleep, 0))

        @self.jobs.kind
        async def runs(upload: Upload, client: AsyncSegments) -> None:
            await counted(upload, anyio.sleep_forever)

        @self.app.post("/start/{kind}")
        async def start(kind: str) -> UploadStatus:
            return await self.jobs.start(kind)

        @self.app.delete("/forget/{id}")
        async def forget(id: str) -> None:
            await self.jobs.forget(id)

        @self.app.get("/ok")
        async def ok(client: Segments) -> str:
            return "ok"


@asynccontextmanager
async def started(app):
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as web:
            yield web


PAIRS = {
    "resume": [("POST", "/uploads/{}/resume")] * 2,
    "cancel": [("DELETE", "/uploads/{}")] * 2,
    "forget": [("DELETE", "/forget/{}")] * 2,
    "resume and cancel": [("POST", "/uploads/{}/resume"), ("DELETE", "/uploads/{}")],
    "resume and forget": [("POST", "/uploads/{}/resume"), ("DELETE", "/forget/{}")],
}


@pytest.mark.asyncio
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fails", "ends", "runs"])
@pytest.mark.parametrize("pair", PAIRS)
async def test_two_at_once(tmp_path, kind, pair, caplog):
    """The application answers throughout, an upload runs once at a time, and none runs that is not listed."""
    server = Server(tmp_path / "uploads")
    caplog.set_level("CRITICAL", "segments_async")
    async with started(server.app) as web:
        job = (await web.post(f"/start/{kind}")).json()["id"]
        for _ in range(TIMES):
            answers = await asyncio.gather(*(web.request(method, path.format(job)) for method, path in PAIRS[pair]))
            for answer in answers:
                assert answer.status_code in {200, 404, 500}, answer.text
                assert answer.status_code != 500 or "forget" in pair  # of one that runs, which is a mistake
            assert (await web.get("/ok")).status_code == 200
            listed = {upload["id"]: upload["state"] for upload in (await web.get("/uploads/")).json()}
            assert {one for one, count in server.now.items() if count} <= set(listed)
            if job not in listed:
                job = (await web.post(f"/start/{kind}")).json()["id"]
        assert server.most == 1
    assert not any(server.now.values())
    assert server.jobs._runner._running == 0


@pytest.mark.asyncio
async def test_a_second_resume_gets_the_status_of_the_running_upload(tmp_path):
    server = Server(tmp_path / "uploads")
    async with started(server.app) as web:
        job = (await web.post("/start/runs")).json()["id"]
        await web.delete(f"/uploads/{job}")
        first, second = await asyncio.gather(*(web.post(f"/uploads/{job}/resume") for _ in range(2)))
        assert first.json()["state"] == second.json()["state"] == "running"
        await anyio.wait_all_tasks_blocked()
        assert server.now[job] == 1


@pytest.mark.asyncio
async def test_a_caller_that_hangs_up_leaves_nothing_half_done(tmp_path):
    """Whatever the moment at which its request is cancelled, what runs is listed, and can be cancelled."""
    server = Server(tmp_path / "uploads", max_running=100)
    async with started(server.app) as web:
        for ticks in range(40):
            task = asyncio.create_task(server.jobs.start("runs"))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await anyio.wait_all_tasks_blocked()
        listed = (await web.get("/uploads/")).json()
        running = {one for one, count in server.now.items() if count}
        assert running == {upload["id"] for upload in listed if upload["state"] == "running"}
        assert running
        for upload in listed:
            assert (await web.delete(f"/uploads/{upload['id']}")).json()["state"] == "cancelled"
        assert not any(server.now.values())


@pytest.mark.asyncio
async def test_a_lifespan_that_is_cancelled(tmp_path):
    """As some servers end it: the upload ends with it, nothing else is raised, and the next start resumes it."""
    server = Server(tmp_path / "uploads")
    started_one = asyncio.Event()

    async def run():
        async with server.app.router.lifespan_context(server.app):
            await server.jobs.start("runs")
            started_one.set()
            await anyio.sleep_forever()

    task = asyncio.create_task(run())
    await started_one.wait()
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(server.now.values())
    async with started(server.app) as web:
        assert [upload["state"] for upload in (await web.get("/uploads/")).json()] == ["running"]


@pytest.mark.asyncio
async def test_locks_are_not_kept(tmp_path):
    server = Server(tmp_path / "uploads")
    async with started(server.app) as web:
        job = (await web.post("/start/fails")).json()["id"]
        await web.post(f"/uploads/{job}/resume")
        gc.collect()
        assert not server.jobs._runner._locks


def test_included_twice(tmp_path):
    """Started once, and seen under both prefixes."""
    server = Server(tmp_path / "uploads")
    server.app.include_router(server.jobs, prefix="/v2")
    inner = APIRouter(prefix="/v3")
    inner.include_router(server.jobs, prefix="/uploads")
    server.app.include_router(inner)
    for _ in range(2):
        with TestClient(server.app) as web:
            job = web.post("/start/runs").json()["id"]
            for prefix in ("/uploads", "/v2", "/v3/uploads"):
                assert web.get(f"{prefix}/{job}").json()["state"] == "running"
            web.delete(f"/v2/{job}")


def test_in_a_mounted_application(tmp_path):
    """503 with the reason where nothing starts it; it works where the outer application does."""
    inner = Server(tmp_path / "uploads")
    outer = FastAPI()
    outer.mount("/inner", inner.app)
    with TestClient(outer) as web:
        for method, path in [
            ("GET", "/uploads/"),
            ("GET", "/uploads/x"),
            ("GET", "/uploads/x/events"),
            ("DELETE", "/uploads/x"),
            ("POST", "/uploads/x/resume"),
            ("POST", "/start/runs"),
        ]:
            answer = web.request(method, f"/inner{path}")
            assert answer.status_code == 503
            assert "not started" in answer.json()["detail"]

    @asynccontextmanager
    async def starts_inner(app):
        async with inner.app.router.lifespan_context(inner.app):
            yield

    outer = FastAPI(lifespan=starts_inner)
    outer.mount("/inner", inner.app)
    with TestClient(outer) as web:
        job = web.post("/inner/start/runs").json()["id"]
        assert web.get(f"/inner/uploads/{job}").json()["state"] == "running"
        assert web.get("/inner/ok").json() == "ok"


def test_the_router_of_the_outer_application_in_a_mounted_one(tmp_path):
    server = Server(tmp_path / "uploads")
    inner = FastAPI()
    inner.include_router(server.jobs, prefix="/uploads")
    server.app.mount("/inner", inner)
    with TestClient(server.app) as web:
        job = web.post("/start/runs").json()["id"]
        assert web.get(f"/inner/uploads/{job}").json()["state"] == "running"


def test_behind_a_root_path(tmp_path):
    server = Server(tmp_path / "uploads")
    with TestClient(server.app, root_path="/api") as web:
        job = web.post("/start/ends").json()["id"]
        assert web.get(f"/uploads/{job}").status_code == 200
        assert web.get(f"/api/uploads/{job}").status_code == 200  # a proxy that does not strip it


def test_two_applications_at_once(tmp_path):
    """In another event loop nothing can be shared."""
    server = Server(tmp_path / "uploads")
    other = FastAPI(lifespan=lifespan(make_client))
    other.include_router(server.jobs, prefix="/uploads")
    with TestClient(server.app) as web:
        with pytest.raises(InputError, match="run in another event loop already"), TestClient(other):
            pass
        assert web.get("/uploads/").json() == []


def sync(upload, client): ...


async def too_few(upload): ...


async def reserved(upload, client, *, owner): ...


async def by_position(upload, client, dataset, /): ...


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (sync, "'sync' must be an async function"),
        (lambda upload, client: None, "expected an async function with a name"),
        (functools.partial(too_few), "expected an async function with a name"),
        (7, "expected an async function with a name"),
        (too_few, "'too_few' must accept the upload and the client"),
        (reserved, "'reserved' cannot have an argument 'owner'"),
        (by_position, "'by_position' requires 'dataset' by position"),
    ],
)
def test_a_kind_that_cannot_run(tmp_path, work, words):
    with pytest.raises(InputError, match=words):
        UploadJobs(tmp_path).kind(work)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"datset": "x"}, r"arguments.datset: 'work' has no such argument; expected one of \['dataset', 'count'\]"),
        ({}, "arguments.dataset: missing; 'work' requires it"),
        ({"dataset": "x", "client": 1}, "arguments.client: 'work' has no such argument"),
        ({"dataset": "x", "upload": 1}, "arguments.upload: 'work' has no such argument"),
        ({"dataset": "x", "count": float("nan")}, "arguments: expected JSON"),
        ({"dataset": "x" * 20_000_000}, "arguments: larger than"),
    ],
)
async def test_arguments_that_do_not_fit(tmp_path, arguments, words):
    server = Server(tmp_path / "uploads")

    @server.jobs.kind
    async def work(upload, client, *, dataset, count=1): ...

    async with started(server.app) as web:
        with pytest.raises(InputError, match=words):
            await server.jobs.start(work, **arguments)
        assert (await web.get("/uploads/")).json() == []


@pytest.mark.asyncio
async def test_arguments_are_the_same_as_after_a_restart(tmp_path):
    server, seen = Server(tmp_path / "uploads"), []

    @server.jobs.kind
    async def work(upload, client, **arguments):
        seen.append(arguments)

    async with started(server.app):
        given = {"pair": (1, 2), "numbers": {1: "a"}}
        status = await server.jobs.start(work, **given)
        [_ async for _ in server.jobs.watch(status.id)]
        await server.jobs.resume(status.id)
        [_ async for _ in server.jobs.watch(status.id)]
    assert seen == [{"pair": [1, 2], "numbers": {"1": "a"}}] * 2


def events(lines):
    found, event = [], {}
    for line in lines:
        if line.startswith(":"):
            continue
        name, _, value = line.partition(": ")
        if name:
            event[name] = value
        else:
            found.append(event)
            event = {}
    return [event for event in found if "event" in event]


@pytest.mark.parametrize("origin", [None, "https://page.example"])
def test_events_pass_proxies(tmp_path, origin):
    """Neither kept back nor compressed; with an id each; and allowed to a page of another origin."""
    server = Server(tmp_path / "uploads")
    server.app.add_middleware(GZipMiddleware, minimum_size=1)
    server.app.add_middleware(CORSMiddleware, allow_origins=["https://page.example"])
    headers = {"Origin": origin} if origin else {}
    with TestClient(server.app) as web:
        job = web.post("/start/ends").json()["id"]
        with web.stream("GET", f"/uploads/{job}/events", headers=headers) as stream:
            found = events(stream.iter_lines())
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["cache-control"] == "no-cache, no-transform"
        assert "content-encoding" not in stream.headers
        assert stream.headers.get("access-control-allow-origin") == origin
        assert found[-1]["event"] == "end"
        assert json.loads(found[-1]["data"])["state"] == "done"
        assert all(len(event["id"]) == 16 for event in found)
        again = web.get(f"/uploads/{job}/events", headers={"Last-Event-ID": found[-1]["id"]})
        assert (again.status_code, again.content) == (204, b"")  # the browser connects no more
        again = web.get(f"/uploads/{job}/events", headers={"Last-Event-ID": "odd"})
        assert events(again.text.splitlines())[-1] == found[-1]
    with TestClient(server.app) as web:  # the same ids after a restart
        assert web.get(f"/uploads/{job}/events", headers={"Last-Event-ID": found[-1]["id"]}).status_code == 204


def test_a_stream_resumes_after_the_last_event(tmp_path, monkeypatch):
    """What the client has is not sent again."""
    monkeypatch.setattr(_routes, "STREAM_SECONDS", 0.1)
    server = Server(tmp_path / "uploads")
    with TestClient(server.app) as web:
        job = web.post("/start/runs").json()["id"]
        first = events(web.get(f"/uploads/{job}/events").text.splitlines())
        assert [event["event"] for event in first] == ["progress"]
        headers = {"Last-Event-ID": first[0]["id"]}
        assert events(web.get(f"/uploads/{job}/events", headers=headers).text.splitlines()) == []
        web.delete(f"/uploads/{job}")
        last = events(web.get(f"/uploads/{job}/events", headers=headers).text.splitlines())
        assert [json.loads(event["data"])["state"] for event in last] == ["cancelled"]


@pytest.mark.asyncio
@pytest.mark.parametrize("forgotten", [False, True])
async def test_an_upload_that_ends_while_the_folder_is_read(tmp_path, forgotten):
    """It is listed as what it is then, not as interrupted."""
    server = Server(tmp_path / "uploads")
    async with started(server.app) as web:
        job = (await web.post("/start/runs")).json()["id"]
        store = server.jobs._runner._store
        read = store.records

        async def read_slowly():
            records = await read()
            await web.delete(f"/uploads/{job}")
            if forgotten:
                await web.delete(f"/forget/{job}")
            return records

        store.records = read_slowly
        listed = (await web.get("/uploads/")).json()
    assert [upload["state"] for upload in listed] == ([] if forgotten else ["cancelled"])


@pytest.mark.asyncio
async def test_an_upload_that_ends_while_its_record_is_read(tmp_path):
    server = Server(tmp_path / "uploads")
    async with started(server.app) as web:
        job = (await web.post("/start/runs")).json()["id"]
        await web.delete(f"/uploads/{job}")
        store = server.jobs._runner._store
        read = store.read
        twice = []

        async def read_slowly(id):
            if twice:
                return await read(id)
            twice.append(id)
            await web.post(f"/uploads/{job}/resume")
            record = await read(id)
            await web.delete(f"/uploads/{job}")
            return record

        store.read = read_slowly
        assert (await web.get(f"/uploads/{job}")).json()["state"] == "cancelled"


OTHER_PROCESS = """
import sys
from fastapi import FastAPI
from fastapi.testclient import TestClient
from segments_async import AsyncSegments
from segments_async.fastapi import UploadJobs, lifespan

app = FastAPI(lifespan=lifespan(lambda: AsyncSegments("k", base_url="http://127.0.0.1:9")))
app.include_router(UploadJobs(sys.argv[1]))
with TestClient(app):
    print("started", flush=True)
    sys.stdin.read()
"""


def test_a_folder_of_another_process(tmp_path):
    """Such as another worker of pytest-xdist, which the error names."""
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "uploads")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "started\n"
        server = Server(tmp_path / "uploads")
        with (
            pytest.raises(InputError, match=r"in use by another process .*QueueBackend.* pytest-xdist"),
            TestClient(server.app),
        ):
            pass
        other.communicate()
    with TestClient(server.app) as web:
        assert web.get("/uploads/").json() == []
