"""Uploads in the background: their progress, their end, and how they resume after a restart."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from segments_async import AsyncSegments, BulkReport, InputError, LabelPut, NotFoundError
from segments_async.fastapi import Upload, UploadJobs, UploadStatus, lifespan

FILES = 40


@pytest.fixture(params=["asyncio", "trio"])
def backend(request):
    return request.param


class World:
    """An application that uploads, and how to start it again, as a server does."""

    def __init__(self, sandbox, folder, backend="asyncio"):
        self.sandbox, self.folder, self.backend = sandbox, folder, backend
        self.held = threading.Event()
        self.held.set()
        self.handed = 0

    def app(self):
        jobs = self.jobs = UploadJobs(self.folder)
        world = self

        @jobs.kind
        async def flowers(upload: Upload, client: AsyncSegments, *, dataset: str, count: int) -> BulkReport[Any]:
            async def files():
                for number in range(count):
                    if number >= count // 2:  # the test delays the second half
                        await anyio.to_thread.run_sync(world.held.wait, abandon_on_cancel=True)
                    world.handed += 1
                    yield f"{number}.png", b"..."

            return await client.samples.upload_files(dataset, files(), concurrency=2, **upload.options())

        @jobs.kind
        async def broken(upload: Upload, client: AsyncSegments) -> None:
            raise OSError("/secret/path is gone")

        app = FastAPI(
            lifespan=lifespan(lambda: AsyncSegments(self.sandbox.api_key, base_url=self.sandbox.url, max_connections=4))
        )
        app.include_router(jobs, prefix="/uploads")

        @app.post("/begin/{kind}")
        async def begin(kind: str, arguments: dict) -> UploadStatus:
            return await jobs.start(kind, **arguments)

        return app

    def started(self):
        return TestClient(self.app(), backend=self.backend)

    def begin(self, web, count=FILES, dataset="sandbox/flowers"):
        answer = web.post("/begin/flowers", json={"dataset": dataset, "count": count})
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    @property
    def names(self):
        return {sample["name"] for sample in self.sandbox.samples("sandbox/flowers")}


@pytest.fixture
def world(sandbox, tmp_path, backend):
    headers = {"Authorization": f"APIKey {sandbox.api_key}"}
    httpx.post(f"{sandbox.url}/user/datasets/", json={"name": "flowers"}, headers=headers, trust_env=False)
    sandbox.clear_calls()
    return World(sandbox, tmp_path / "uploads", backend)


def ended(web, name):
    return web.get(f"/uploads/{name}").json()["state"] != "running"


def test_a_poll_returns_the_progress(world, until):
    world.held.clear()
    with world.started() as web:
        name = world.begin(web)
        until(lambda: web.get(f"/uploads/{name}").json()["done"] > 0)
        status = web.get(f"/uploads/{name}").json()
        assert (status["state"], status["kind"], status["failed"]) == ("running", "flowers", 0)
        assert status["done"] < FILES
        world.held.set()
        until(lambda: ended(web, name))
        status = web.get(f"/uploads/{name}").json()
        assert (status["state"], status["done"], status["failed"]) == ("done", FILES, 0)
        assert web.get("/uploads/").json() == [status]
    assert len(world.names) == FILES


def test_a_restart_resumes(world, until):
    """Nothing that was done is sent again, and every later start knows it."""
    world.held.clear()
    with world.started() as web:
        name = world.begin(web)
        until(lambda: web.get(f"/uploads/{name}").json()["done"] >= FILES // 4)
    assert 0 < len(world.names) < FILES
    world.held.set()
    before = [call.path for call in world.sandbox.calls].count("/assets/")
    with world.started() as web:
        until(lambda: ended(web, name))
        status = web.get(f"/uploads/{name}").json()
        assert (status["state"], status["done"], status["failed"]) == ("done", FILES, 0)
    after = [call.path for call in world.sandbox.calls].count("/assets/") - before
    assert after <= FILES - FILES // 4
    assert len(world.names) == FILES
    world.sandbox.clear_calls()
    with world.started() as web:
        assert web.get(f"/uploads/{name}").json() == status
    assert world.sandbox.calls == ()


def test_a_cancelled_upload_can_resume(world, until):
    world.held.clear()
    with world.started() as web:
        name = world.begin(web)
        until(lambda: web.get(f"/uploads/{name}").json()["done"] > 0)
        assert web.delete(f"/uploads/{name}").json()["state"] == "cancelled"
        assert web.delete(f"/uploads/{name}").json()["state"] == "cancelled"
    with world.started() as web:  # a restart does not start it again
        assert web.get(f"/uploads/{name}").json()["state"] == "cancelled"
        world.held.set()
        assert web.post(f"/uploads/{name}/resume").json()["state"] == "running"
        until(lambda: ended(web, name))
        assert web.get(f"/uploads/{name}").json()["done"] == FILES
    assert len(world.names) == FILES


def test_items_that_fail_are_counted_and_sent_again_on_demand(world, until):
    world.sandbox.fail("POST", "/assets/", times=3, status=400)
    with world.started() as web:
        name = world.begin(web)
        until(lambda: ended(web, name))
        status = web.get(f"/uploads/{name}").json()
        assert (status["state"], status["done"], status["failed"]) == ("done", FILES, 3)
        web.post(f"/uploads/{name}/resume")
        until(lambda: ended(web, name))
        assert web.get(f"/uploads/{name}").json()["failed"] == 0
    assert len(world.names) == FILES


only_once = pytest.mark.parametrize("backend", ["asyncio"], indirect=True)


@only_once
def test_events_arrive_while_it_runs(world, serving):
    """On a real server: the first events come before the end, the last one has the result."""
    world.held.clear()
    seen = []
    with serving(world.app()) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
        name = world.begin(web)
        with web.stream("GET", f"/uploads/{name}/events", timeout=20) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            kind = ""
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    status = json.loads(line.removeprefix("data: "))
                    seen.append((kind, status["state"], status["done"]))
                    if status["done"] > 0:
                        world.held.set()
    assert seen[0] == ("progress", "running", 0)
    assert seen[-1] == ("end", "done", FILES)
    assert any(kind == "progress" and 0 < done < FILES for kind, _, done in seen)
    assert [done for *_, done in seen] == sorted(done for *_, done in seen)


@only_once
def test_a_failed_upload_shows_its_reason(world, until, caplog):
    world.sandbox.fail("POST", "*", times=None, status=401, json={"detail": "raw words"})
    with world.started() as web:
        name = world.begin(web)
        until(lambda: ended(web, name))
        answer = web.get(f"/uploads/{name}")
    assert answer.json()["state"] == "failed"
    assert answer.json()["detail"] == "The labelling service does not accept the account of this server."
    assert "raw words" not in answer.text
    assert "raw words" in caplog.text


@only_once
def test_a_broken_upload_does_not_affect_others(world, until, caplog):
    with world.started() as web:
        name = web.post("/begin/broken", json={}).json()["id"]
        until(lambda: ended(web, name))
        answer = web.get(f"/uploads/{name}")
        assert answer.json()["detail"] == "Internal error in this server."
        other = world.begin(web, 2)
        until(lambda: ended(web, other))
        assert web.get(f"/uploads/{other}").json()["state"] == "done"
    assert "/secret/path" in caplog.text
    assert "/secret/path" not in answer.text


@only_once
@pytest.mark.parametrize("path", ["", "/events", "/resume"])
def test_an_upload_that_is_not_there(world, path):
    with world.started() as web:
        method = "POST" if path == "/resume" else "GET"
        assert web.request(method, f"/uploads/none{path}").status_code == 404
        assert web.delete("/uploads/none").status_code == 404
        with pytest.raises(NotFoundError):
            world.jobs.status("none")


@only_once
def test_mistakes_are_named(world):
    with world.started() as web:
        with pytest.raises(InputError, match=r"work: expected one of \['broken', 'flowers'\], got 'robots'"):
            web.post("/begin/robots", json={})
        with pytest.raises(InputError, match=r"folder: .* is in use by another process"), world.started():
            pass
    jobs = UploadJobs(world.folder)

    async def flowers(upload, client) -> None: ...

    jobs.kind(flowers)
    with pytest.raises(InputError, match="a kind 'flowers' is registered already"):
        jobs.kind(flowers)
    with pytest.raises(RuntimeError, match="not started"):
        anyio.run(jobs.start, flowers)
    app = FastAPI()
    app.include_router(jobs)
    with pytest.raises(RuntimeError, match="no Segments client"), TestClient(app):
        pass


@only_once
def test_one_that_ended_can_be_forgotten(world, until):
    app = world.app()

    @app.delete("/forget/{name}")
    async def forget(name: str) -> None:
        await world.jobs.forget(name)

    world.held.clear()
    with TestClient(app) as web:
        name = world.begin(web)
        with pytest.raises(InputError, match="the upload is running"):
            web.delete(f"/forget/{name}")
        world.held.set()
        until(lambda: ended(web, name))
        web.delete(f"/forget/{name}")
        assert web.get(f"/uploads/{name}").status_code == 404
    assert [file.name for file in world.folder.iterdir()] == ["lock.sqlite"]


@only_once
def test_a_failed_start_raises_its_reason(world):
    """Bare, with no group of exceptions around it; and the folder is free again."""

    @asynccontextmanager
    async def later(app):
        raise OSError("no table")
        yield

    app = world.app()
    app.include_router(APIRouter(lifespan=later))
    with pytest.raises(OSError, match="no table"), TestClient(app):
        pass
    with world.started() as web:
        assert web.get("/uploads/").json() == []


@only_once
def test_several_calls_in_one_upload(world, until):
    """Each has a checkpoint of its own; what they do is summed up."""
    app, box = world.app(), {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}

    @world.jobs.kind
    async def labelled(upload: Upload, client: AsyncSegments) -> None:
        with pytest.raises(InputError, match="part: expected a name"):
            upload.options("../labels")
        files = [(f"{number}.png", b"...") for number in range(6)]
        samples = await client.samples.upload_files("sandbox/flowers", files, **upload.options())
        labels = [LabelPut(one.uuid, {"annotations": [box]}) for one in samples.results[:4]]
        await client.labels.put_many(labels, **upload.options("labels"))

    with TestClient(app) as web:
        name = web.post("/begin/labelled", json={}).json()["id"]
        until(lambda: ended(web, name))
        status = web.get(f"/uploads/{name}").json()
    assert (status["state"], status["done"], status["total"]) == ("done", 10, 10)
    assert len(world.sandbox.labels("sandbox/flowers")) == 4
    assert {file.name for file in world.folder.glob("*.checkpoint")} == {
        f"{name}.checkpoint",
        f"{name}-labels.checkpoint",
    }


@only_once
def test_the_documentation_of_the_application_names_the_routes(world):
    paths = world.app().openapi()["paths"]
    summaries = {route["summary"] for path, routes in paths.items() if "/uploads" in path for route in routes.values()}
    assert summaries == {"List Uploads", "Get Upload", "Watch Upload", "Resume Upload", "Cancel Upload"}


@only_once
def test_arguments_are_json(world):
    """Else they could not be given again after a restart."""
    app = world.app()

    @app.post("/odd")
    async def odd() -> None:
        await world.jobs.start("flowers", dataset=object())

    with TestClient(app) as web, pytest.raises(InputError, match="arguments: expected JSON"):
        web.post("/odd")


@only_once
def test_a_kind_that_went_away(world):
    """Its upload waits for a version that knows the kind."""
    world.held.clear()
    with world.started() as web:
        name = world.begin(web)
    jobs = UploadJobs(world.folder)
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(world.sandbox.api_key, base_url=world.sandbox.url)))
    app.include_router(jobs)
    with TestClient(app) as web:
        assert web.get(f"/{name}").json()["state"] == "failed"
        assert "kind 'flowers'" in web.get(f"/{name}").json()["detail"]
        with pytest.raises(InputError):
            web.post(f"/{name}/resume")
    world.held.set()
    with world.started() as web:
        assert web.get(f"/uploads/{name}").json()["state"] in {"running", "done"}


@only_once
def test_it_can_be_watched_from_code(world):
    app, seen = world.app(), []

    @app.get("/watch/{name}")
    async def watch(name: str) -> None:
        seen.extend([status.done async for status in world.jobs.watch(name)])

    with TestClient(app) as web:
        web.get(f"/watch/{world.begin(web)}")
    assert seen[-1] == FILES


APPLICATION = """
from fastapi import FastAPI
from segments_async import AsyncSegments
from segments_async.fastapi import UploadJobs, UploadStatus, lifespan

jobs = UploadJobs("uploads")

@jobs.kind
async def flowers(upload, client, *, count):
    files = [(f"{number}.png", b"...") for number in range(count)]
    return await client.samples.upload_files("sandbox/flowers", files, concurrency=2, **upload.options())

app = FastAPI(lifespan=lifespan(AsyncSegments))
app.include_router(jobs, prefix="/uploads")

@app.post("/begin/{count}")
async def begin(count: int) -> UploadStatus:
    return await jobs.start(flowers, count=count)
"""


@pytest.mark.slow
@only_once
def test_a_server_that_was_killed(world, tmp_path, until):
    """The next one resumes its uploads, though the killed one could not clean up."""
    (tmp_path / "application.py").write_text(APPLICATION)
    environment = {
        **os.environ,
        "SEGMENTS_API_URL": world.sandbox.url,
        "SEGMENTS_API_KEY": world.sandbox.api_key,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "application:app", "--port", str(port), "--log-level", "error"]
    web = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def answers():
        try:
            return web.get("/uploads/").status_code == 200
        except httpx.TransportError:
            return False

    @contextmanager
    def running():
        server = subprocess.Popen(command, cwd=tmp_path, env=environment)
        try:
            until(answers)
            yield
        finally:
            server.kill()
            server.wait(20)

    world.sandbox.latency = 0.03
    with running():
        name = web.post(f"/begin/{FILES}").json()["id"]
        until(lambda: web.get(f"/uploads/{name}").json()["done"] >= FILES // 4)
    before = len(world.names)
    world.sandbox.latency = 0.0
    with running():
        until(lambda: ended(web, name))
        status = web.get(f"/uploads/{name}").json()
    web.close()
    assert FILES // 4 <= before < FILES
    assert (status["state"], status["done"], status["failed"]) == ("done", FILES, 0)
    assert len(world.names) == FILES
