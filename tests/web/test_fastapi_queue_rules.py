"""What a queue of uploads keeps when its processes die: in one process, on a real Redis."""

from __future__ import annotations

import asyncio
import socket
import uuid
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import redis.asyncio
from fastapi import FastAPI
from fastapi.testclient import TestClient
from saq import Worker
from waiting import until

from segments_async import AsyncSegments, InputError, NotFoundError
from segments_async.fastapi import QueueBackend, Upload, UploadJobs, _routes, lifespan
from segments_async.fastapi._queue_store import LOST, MAX_LOST, QueueStore, QueueUnavailableError
from segments_async.fastapi._records import Record, serialize
from segments_async.fastapi.uploads import UploadStatus

pytestmark = pytest.mark.filterwarnings("ignore:.*iscoroutinefunction:DeprecationWarning")  # of saq


@pytest.fixture
def backend(redis_url):
    return QueueBackend(redis_url, name=uuid.uuid4().hex, takeover=20)


@pytest_asyncio.fixture
async def client(redis_url):
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def store(backend, client):
    return QueueStore(client, backend.name, backend.takeover)


async def create(store):
    name = uuid.uuid4().hex
    assert await store.create(name, serialize(Record(id=name, kind="boxes", arguments={}))) == 1
    return name


async def state(store, name):
    return (await store.find(name))[1].state


async def die(client, backend, name):
    """The upload of a worker that was killed, once its lease has ended."""
    await client.delete(f"{backend.name}:lease:{name}")


PROGRESS = UploadStatus(id="", kind="", state="running", done=3, total=7)


@pytest.mark.asyncio
async def test_one_worker_at_a_time(store):
    """Another one waits for the lease; a run that was replaced, or has ended, does not begin."""
    name = await create(store)
    assert await store.begin(name, 1, "a") == "begun"
    assert await store.begin(name, 1, "b") == "wait"
    assert await store.begin(name, 2, "b") == "over"
    assert await store.beat(name, "a", PROGRESS, ["labels"]) == ""
    assert await store.beat(name, "b", PROGRESS, []) == "lost"
    assert not await store.end(name, "b", PROGRESS, [], "done", None)
    assert await store.resume(name) == 0
    assert not await store.forget(name)

    assert await store.end(name, "a", PROGRESS, ["labels"], "failed", "No.")
    _, status = await store.find(name)
    assert (status.state, status.done, status.total, status.detail) == ("failed", 3, 7, "No.")
    assert await store.parts(name) == ["labels"]
    assert await store.begin(name, 1, "c") == "over"
    assert await store.resume(name) == 2
    assert (await store.find(name))[1] == UploadStatus(id=name, kind="boxes", state="queued")
    assert await store.begin(name, 1, "c") == "over"
    assert await store.begin(name, 2, "c") == "begun"


@pytest.mark.asyncio
async def test_an_upload_that_kills_its_workers_ends(store, client, backend):
    """It fails after several of them, and can be resumed; however the next worker comes to it."""
    name = await create(store)
    for number in range(MAX_LOST):
        ((_, run),) = await store.reclaim()
        assert await store.begin(name, run, "a") == "begun"
        assert await store.reclaim() == []  # while it is held
        await die(client, backend, name)
        if number % 2:
            assert await store.begin(name, run, "b") == "begun"  # the same run, if the queue itself gives it back
            await store.end(name, "b", PROGRESS, [], "queued", None)
    assert await state(store, name) == "running"
    ((_, run),) = await store.reclaim()
    await store.begin(name, run, "a")
    await die(client, backend, name)
    assert await store.reclaim() == []
    _, status = await store.find(name)
    assert (status.state, status.detail) == ("failed", LOST)
    assert await store.resume(name) == run + 1


@pytest.mark.asyncio
async def test_cancelling(store, client, backend):
    """At once if no worker has it, else by its worker; also if that one stops or dies meanwhile."""
    waiting = await create(store)
    assert await store.cancel(waiting) == 0
    assert await state(store, waiting) == "cancelled"

    for dies in (False, True):
        running = await create(store)
        await store.begin(running, 1, "a")
        assert await store.cancel(running) == 1
        assert await store.cancel(running, 2) == 0  # another run
        assert await store.beat(running, "a", PROGRESS, []) == "cancel"
        if dies:
            await die(client, backend, running)
            assert await store.reclaim() == []
        else:
            await store.end(running, "a", PROGRESS, [], "queued", None)
        assert await state(store, running) == "cancelled"
        assert await store.cancel(running) == 0


@pytest.mark.asyncio
async def test_listing(store, client, backend):
    """The least recently started or ended first; what cannot be read is listed, and can be forgotten."""
    names = [await create(store) for _ in range(3)]
    await store.cancel(names[0])
    damaged = "0" * 32
    await client.hset(f"{backend.name}:upload:{damaged}", mapping={"state": "done", "record": "{}"})
    await client.zadd(f"{backend.name}:ids", {damaged: 0})
    assert [record.id for record, _ in await store.all()] == [damaged, *names[1:], names[0]]
    assert (await store.find(damaged))[0].unreadable
    assert await store.forget(damaged)
    assert await store.find(damaged) is None
    assert await store.find("no id") is None


class Site:
    """An application of one web process, and its worker, in this event loop."""

    def __init__(self, backend, sandbox):
        self.jobs = jobs = UploadJobs(backend)
        self.factory = lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url)
        self.app = FastAPI(lifespan=lifespan(self.factory))
        self.app.include_router(jobs, prefix="/uploads")
        self.app.include_router(jobs, prefix="/again")
        self.held = asyncio.Event()

        @jobs.kind
        async def waits(upload: Upload, client: AsyncSegments) -> None:
            upload.options("one")
            upload.update(done=1)
            await self.held.wait()

    @asynccontextmanager
    async def worker(self):
        settings = self.jobs.worker(self.factory)
        worker = Worker(**settings)
        task = asyncio.create_task(worker.start())
        yield worker
        worker.event.set()
        await task
        await settings["queue"].disconnect()


@pytest.fixture
def site(backend, sandbox):
    return Site(backend, sandbox)


@pytest.mark.asyncio
async def test_a_web_process_that_died_before_it_queued(site, store, monkeypatch):
    """A worker finds the record and runs it; progress and changes arrive where they are watched."""

    async def dies(*_):
        raise ConnectionResetError

    async with site.app.router.lifespan_context(site.app):
        with monkeypatch.context() as patch:
            patch.setattr(QueueBackend, "enqueue", dies)
            assert (await site.jobs.start("waits")).state == "queued"
        ((record, _),) = await store.all()
        async with site.worker():
            seen = []
            async for status in site.jobs.watch(record.id):
                seen.append(status.state)
                if status.done:
                    site.held.set()
            assert seen[-1] == "done"
            assert (await site.jobs.resume(record.id)).state in {"queued", "running", "done"}
            await until(lambda: site.jobs.status(record.id).state == "done")
            await site.jobs.forget(record.id)
            with pytest.raises(NotFoundError):
                await site.jobs.cancel(record.id)


@pytest.mark.asyncio
async def test_a_lease_that_is_lost(site, store, client, backend):
    """Its worker stops, and changes nothing any more."""
    async with site.app.router.lifespan_context(site.app), site.worker():
        name = (await site.jobs.start("waits")).id
        await until(lambda: site.jobs.status(name).state == "running")
        await client.set(f"{backend.name}:lease:{name}", "another")
        await until(lambda: not waits_of(site))
        assert await state(store, name) == "running"
        assert await client.get(f"{backend.name}:lease:{name}") == b"another"


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # of saq
@pytest.mark.asyncio
async def test_what_the_queue_takes_for_dead_goes_on(site, backend):
    """As after a pause of the server, or when it sweeps a job that a worker has just taken."""
    async with site.app.router.lifespan_context(site.app), site.worker() as worker:
        name = (await site.jobs.start("waits")).id
        await until(lambda: site.jobs.status(name).done == 1)
        (job,) = worker.job_task_contexts
        await worker.queue.abort(job, error="swept")
        await asyncio.sleep(0)
        for _ in range(3):
            await worker.abort(worker.timers["abort"])
        site.held.set()
        await until(lambda: site.jobs.status(name).state == "done")


def waits_of(site):
    """The events for which the upload function waits."""
    return site.held._waiters


@pytest.mark.asyncio
async def test_a_kind_that_this_version_does_not_have(site, store, backend):
    """It fails with the reason, and can be resumed by another version."""
    async with site.app.router.lifespan_context(site.app), site.worker():
        name = await create(store)
        async with backend.client() as client:
            await backend.enqueue(backend.queue(client), name, 1)
        await until(lambda: site.jobs.status(name).state == "failed")
        assert "kind 'boxes'" in site.jobs.status(name).detail
        with pytest.raises(InputError, match="boxes"):
            await site.jobs.resume(name)


ID = "0" * 32
ROUTES = [("GET", "/"), ("GET", f"/{ID}"), ("GET", f"/{ID}/events"), ("POST", f"/{ID}/resume"), ("DELETE", f"/{ID}")]


def answers(url, sandbox):
    """The statuses of all routes, and of the calls that have none, with their texts."""
    jobs = UploadJobs(QueueBackend(url))

    @jobs.kind
    async def nothing(upload: Upload, client: AsyncSegments) -> None: ...

    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url)))
    app.include_router(jobs)
    app.add_api_route("/now/x", lambda: jobs.status(ID))

    @app.post("/start/x")
    async def start() -> UploadStatus:
        return await jobs.start(nothing)

    with TestClient(app) as web:
        found = [web.request(*route) for route in [*ROUTES, ("GET", "/now/x"), ("POST", "/start/x")]]
    return {answer.status_code for answer in found}, "".join(answer.text for answer in found)


def test_a_server_that_cannot_be_reached(closed_port, sandbox, caplog):
    """The application starts, and answers 503; each reason is logged once, without the password."""
    statuses, text = answers(f"redis://:secret@127.0.0.1:{closed_port}", sandbox)
    assert statuses == {503}
    assert "secret" not in text + caplog.text
    assert len([one for one in caplog.records if "cannot be used" in one.message]) <= 2  # two clients word it


def test_a_server_that_refuses(redis_url, sandbox, caplog):
    """A database that does not exist; likewise a wrong password, or a user that is allowed too little."""
    assert answers(redis_url.removesuffix("0") + "99", sandbox)[0] == {503}
    assert "DB index is out of range" in caplog.text


def test_a_server_that_does_not_answer(sandbox, caplog):
    """Such as one that is frozen: each call ends."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        statuses, _ = answers(f"redis://127.0.0.1:{silent.getsockname()[1]}?socket_timeout=0.1", sandbox)
    assert statuses == {503}
    assert "TimeoutError" in caplog.text


@pytest.mark.asyncio
async def test_an_outage_does_not_end_the_events(site, store, monkeypatch):
    """A browser whose stream is answered with 503 would not reconnect."""
    monkeypatch.setattr(_routes, "_UNAVAILABLE_SECONDS", 0.01)
    async with site.app.router.lifespan_context(site.app):
        name = (await site.jobs.start("waits")).id
        outage = iter([QueueUnavailableError(), QueueUnavailableError()])

        async def find(self, id, find=QueueStore.find):
            if seen and (failure := next(outage, None)) is not None:
                raise failure
            return await find(self, id)

        monkeypatch.setattr(QueueStore, "find", find)
        seen = []
        async for event in _routes._stream(site.jobs._runner.follow(name, site.jobs.status(name)), None):
            seen.append(event)
            if len(seen) == 2:
                await store.cancel(name)
        assert "event: end" in seen[-1]
        assert next(outage, None) is None


@pytest.mark.asyncio
async def test_damaged_uploads_do_not_harm_the_others(store, client, backend):
    """Each is listed and can be forgotten, whatever another program wrote; the others are queued again."""
    good, odd, text = [await create(store) for _ in range(3)]
    await client.hset(f"{backend.name}:upload:{odd}", mapping={"run": "x", "parts": "5", "progress": "[1]"})
    await client.set(f"{backend.name}:upload:{text}", "no hash")
    await client.sadd(f"{backend.name}:open", b"\xff")
    await client.zadd(f"{backend.name}:ids", {b"\xff": 1})

    assert await store.reclaim() == [(good, 1)]
    assert {record.id: record.unreadable for record, _ in await store.all()} == {good: False, odd: True, text: True}
    assert (await store.find(text))[1].state == "failed"
    assert await store.parts(odd) == await store.parts(text) == []
    assert await store.forget(text)
    assert await store.find(text) is None


@pytest.mark.asyncio
async def test_text_answers_of_the_url(redis_url):
    """An option of the URL does not change what the queue reads."""
    backend = QueueBackend(f"{redis_url}?decode_responses=true", name=uuid.uuid4().hex)
    async with backend.client() as client:
        store = QueueStore(client, backend.name, backend.takeover)
        name = await create(store)
        assert [record.id for record, _ in await store.all()] == [name]
    with backend.blocking_client() as client:
        assert client.hget(f"{backend.name}:upload:{name}", "state") == b"queued"


def test_trio(backend, sandbox):
    """It is refused with the reason, as redis-py works on asyncio only."""
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url)))
    app.include_router(UploadJobs(backend))
    with pytest.raises(InputError, match="asyncio only"), TestClient(app, backend="trio"):
        pass


def test_bad_arguments(redis_url):
    """Each is refused before anything is sent, and no password is shown."""
    with pytest.raises(InputError, match="url"):
        QueueBackend("http://:secret@localhost")
    with pytest.raises(InputError, match="url"):
        QueueBackend("redis://localhost", socket_timeot=5)
    with pytest.raises(InputError, match="takeover"):
        QueueBackend(redis_url, takeover=0.5)
    with pytest.raises(InputError, match="name"):
        QueueBackend(redis_url, name="")
    with pytest.raises(InputError, match="QueueBackend"):
        UploadJobs("uploads").worker(AsyncSegments)
    with pytest.raises(InputError, match="factory"):
        UploadJobs(QueueBackend(redis_url)).worker(None)
    assert "secret" not in repr(QueueBackend("redis://:secret@localhost"))
