"""Uploads on a disk that fails, with damaged records and with functions that misbehave: the application runs on."""

import asyncio
import errno
import json
import os
import shutil
import threading
import unicodedata
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from fastapi import FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings, strategies as st

from segments_async import AsyncSegments, InputError, NotFoundError
from segments_async.fastapi import Upload, UploadJobs, UploadStatus, _records, add_error_handlers, lifespan
from segments_async.fastapi._paths import without_paths

ACTIVE = {"queued", "running"}


class Server:
    """An application with uploads of several kinds; `release` lets those that wait return."""

    def __init__(self, folder, **options):
        self.jobs = UploadJobs(folder, **options)
        self.release = threading.Event()
        self.ran = []
        self.app = FastAPI(lifespan=lifespan(lambda: AsyncSegments("k", base_url="http://127.0.0.1:9")))
        self.app.include_router(self.jobs, prefix="/uploads")
        add_error_handlers(self.app)

        @self.jobs.kind
        async def waits(upload: Upload, client: AsyncSegments, *, number: int = 0) -> None:
            self.ran.append(number)
            await anyio.to_thread.run_sync(self.release.wait, abandon_on_cancel=True)

        @self.jobs.kind
        async def returns(upload: Upload, client: AsyncSegments) -> None: ...

        @self.jobs.kind
        async def raises(upload: Upload, client: AsyncSegments, *, error: str = "OSError") -> None:
            raise ERRORS[error]

        @self.jobs.kind
        async def changes(upload: Upload, client: AsyncSegments, *, names: list) -> None:
            self.ran.append(list(names))
            names[:] = [{b"of bytes": object()}]

        @self.app.post("/start/{kind}")
        async def start(kind: str, arguments: dict, owner: str | None = None) -> UploadStatus:
            return await self.jobs.start(kind, owner=owner, **arguments)

        @self.app.get("/ok")
        async def ok() -> str:
            return "ok"

    def web(self, backend="asyncio"):
        return TestClient(self.app, backend=backend, raise_server_exceptions=False)


class OddError(BaseException):
    pass


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError


ERRORS = {
    "OSError": OSError(errno.ENOSPC, "No space left on device", "/srv/secret"),
    "SystemExit": SystemExit(1),
    "CancelledError": asyncio.CancelledError(),
    "OddError": OddError(),
    "Group": BaseExceptionGroup("odd", [OddError(), ValueError()]),
    "StopAsyncIteration": StopAsyncIteration(),
}


def begin(web, kind, owner=None, **arguments):
    answer = web.post(f"/start/{kind}", json=arguments, params={"owner": owner} if owner else {})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def state(web, job):
    return web.get(f"/uploads/{job}").json()["state"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "uploads"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("error", ERRORS)
def test_what_a_function_raises_ends_its_upload_alone(folder, until, error, backend):
    if backend == "trio" and error == "CancelledError":
        pytest.skip("an exception of asyncio")
    server = Server(folder)
    with server.web(backend) as web:
        other = begin(web, "waits")
        job = begin(web, "raises", error=error)
        until(lambda: state(web, job) == "failed")
        assert web.get(f"/uploads/{job}").json()["detail"] == "Internal error in this server."
        assert web.get("/ok").status_code == 200
        assert state(web, other) == "running"
        server.release.set()
        until(lambda: state(web, other) == "done")


def test_an_error_that_cannot_be_printed(folder, until, monkeypatch):
    monkeypatch.setitem(ERRORS, "OSError", UnprintableError())
    with Server(folder).web() as web:
        job = begin(web, "raises")
        until(lambda: state(web, job) == "failed")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_function_that_changes_its_arguments(folder, until, backend):
    """Its record keeps those that it was started with, so that it can be resumed."""
    server = Server(folder)
    with server.web(backend) as web:
        job = begin(web, "changes", names=["rose", "tulip"])
        until(lambda: state(web, job) == "done")
        assert json.loads((folder / f"{job}.json").read_text())["arguments"] == {"names": ["rose", "tulip"]}
        assert web.post(f"/uploads/{job}/resume").status_code == 200
        until(lambda: state(web, job) == "done")
        assert web.get("/ok").status_code == 200
    assert server.ran == [["rose", "tulip"]] * 2


def test_a_record_that_is_no_longer_json(folder, until, caplog):
    """It is kept in memory, like one that the disk refuses."""
    server = Server(folder)
    with server.web() as web:

        @server.jobs.kind
        async def damages(upload: Upload, client: AsyncSegments) -> None:
            upload.record.arguments["odd"] = object()

        job = begin(web, "damages")
        until(lambda: state(web, job) == "done")
        assert web.get("/ok").status_code == 200
    assert "the folder of the uploads: write failed" in caplog.text


def test_a_folder_that_vanishes(folder, until, caplog):
    """As when its mount is gone: uploads are kept in memory, and the log says what went wrong."""
    server = Server(folder)
    with server.web() as web:
        other = begin(web, "waits")
        shutil.rmtree(folder)
        job = begin(web, "raises")
        until(lambda: state(web, job) == "failed")
        assert state(web, other) == "running"
        assert {upload["id"] for upload in web.get("/uploads/").json()} == {other, job}
        assert web.delete(f"/uploads/{other}").json()["state"] == "cancelled"
        assert state(web, other) == "cancelled"
        assert web.post(f"/uploads/{job}/resume").json()["state"] == "running"
        until(lambda: state(web, job) == "failed")
        assert web.get("/ok").status_code == 200
    assert "FileNotFoundError" in caplog.text


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_a_disk_that_is_full(folder, until, monkeypatch, caplog, step):
    """Records that were not written before are written at the end, if there is room again."""
    full = True

    def fails(real):
        def function(*arguments, **options):
            if full and (step != "open" or "x" in arguments):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **options)

        return function

    where, name = {"fsync": (os, "fsync"), "replace": (Path, "replace"), "open": (Path, "open")}[step]
    server = Server(folder)
    with server.web() as web:
        monkeypatch.setattr(where, name, fails(getattr(where, name)))
        job = begin(web, "returns")
        until(lambda: state(web, job) == "done")
        assert web.get("/ok").status_code == 200
        assert "No space left" in caplog.text
        assert not list(folder.glob("*.json"))
        assert not list(folder.glob("*.new"))
        full = False
    with Server(folder).web() as web:
        assert [upload["id"] for upload in web.get("/uploads/").json()] == [job]
        assert state(web, job) == "done"


def test_a_folder_that_cannot_be_made(tmp_path, until, caplog):
    (tmp_path / "file").touch()
    with Server(tmp_path / "file" / "uploads").web() as web:
        job = begin(web, "returns")
        until(lambda: state(web, job) == "done")
        assert "kept in memory" in caplog.text
        assert [upload["id"] for upload in web.get("/uploads/").json()] == [job]


def test_a_lock_that_is_damaged(folder, until):
    folder.mkdir()
    (folder / "lock.sqlite").write_bytes(b"not a database" * 100)
    server = Server(folder)
    with server.web() as web:
        job = begin(web, "returns")
        until(lambda: state(web, job) == "done")
        with pytest.raises(InputError, match="in use by another process or another UploadJobs"), Server(folder).web():
            pass


def write(folder, name, content):
    folder.mkdir(exist_ok=True)
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


ID = "0" * 31 + "1"
GOOD = {"id": ID, "kind": "returns", "arguments": {}, "state": "running", "result": {}}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="binary"),
        pytest.param("{", id="cut"),
        pytest.param("[" * 100_000, id="nested"),
        pytest.param([], id="list"),
        pytest.param({**GOOD, "id": "../x"}, id="outside"),
        pytest.param({**GOOD, "id": "0" * 32}, id="of another"),
        pytest.param({**GOOD, "kind": 7}, id="kind"),
        pytest.param({**GOOD, "kind": "\ud800"}, id="surrogate"),
        pytest.param({**GOOD, "arguments": []}, id="arguments"),
        pytest.param({**GOOD, "state": "odd"}, id="state"),
        pytest.param({**GOOD, "state": []}, id="unhashable"),
        pytest.param({**GOOD, "result": {"done": "x"}}, id="result"),
        pytest.param({**GOOD, "result": {"id": "x"}}, id="result with an id"),
        pytest.param({**GOOD, "owner": 7}, id="owner"),
        pytest.param({**GOOD, "unreadable": True}, id="flag"),
        pytest.param({**GOOD, "more": 1}, id="another version"),
        pytest.param({**GOOD, "kind": "waits", "arguments": {"number": float("nan")}}, id="not a number"),
        pytest.param({**GOOD, "arguments": {"number": [float("-inf")]}}, id="infinity"),
    ],
)
def test_a_damaged_record(folder, until, content, caplog):
    """It is listed as such, the others run, and it can be forgotten."""
    write(folder, f"{ID}.json", content)
    other = uuid4().hex
    write(folder, f"{other}.json", {**GOOD, "id": other})
    server = Server(folder)

    @server.app.delete("/forget/{id}")
    async def forget(id: str) -> None:
        await server.jobs.forget(id)

    with server.web() as web:
        until(lambda: state(web, other) == "done")
        found = web.get(f"/uploads/{ID}").json()
        assert (found["state"], found["detail"]) == ("failed", _records.DAMAGED)
        assert {upload["id"] for upload in web.get("/uploads/").json()} == {ID, other}
        assert web.post(f"/uploads/{ID}/resume").status_code == 422
        assert web.delete(f"/uploads/{ID}").json()["state"] == "failed"
        assert web.delete(f"/forget/{ID}").status_code == 200
        assert web.get(f"/uploads/{ID}").status_code == 404
        assert web.delete(f"/forget/{ID}").status_code == 404
    assert sorted(path.name for path in folder.parent.iterdir()) == ["uploads"]
    assert ID in caplog.text


def test_files_of_others(folder, until):
    """A file that is not called by an id, a pipe, a link and a folder: none is run, read or followed."""
    write(folder, "notes.json", {**GOOD, "id": "../x"})
    write(folder, "\udcff?.json", "{}")
    (folder / f"{1:032x}.json").mkdir()
    os.mkfifo(folder / f"{2:032x}.json")
    (folder / f"{3:032x}.json").symlink_to(folder / "notes.json")
    (folder / f"{4:032x}.json").symlink_to(folder / "nowhere")
    server = Server(folder)
    with server.web() as web:
        found = web.get("/uploads/").json()
        assert len(found) == 6
        assert {upload["state"] for upload in found} == {"failed"}
        assert all(len(upload["id"]) == 32 for upload in found)
        assert "notes" not in json.dumps(found)
        for upload in found:
            assert web.get(f"/uploads/{upload['id']}").json() == upload
        assert web.get("/uploads/..%2Fx").status_code == 404
        assert web.get("/uploads/notes").status_code == 404
    assert (folder / "notes.json").exists()


@given(
    content=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "owner", "unreadable", "x"]), inner),
        max_leaves=10,
    ).map(lambda one: json.dumps(one).encode())
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_record_or_not_one(folder, content):
    write(folder, f"{ID}.json", content)
    record = _records.RecordFolder(folder)._read(folder / f"{ID}.json")
    assert record.id == ID
    assert record.unreadable or json.loads(content)["id"] == ID


def test_a_write_that_was_cut_leaves_the_record_whole(folder, until):
    """What a killed process left of it is deleted."""
    write(folder, f"{ID}.json", {**GOOD, "state": "done", "result": {"done": 3}})
    write(folder, f"{ID}.{uuid4().hex}.new", "{")
    write(folder, f"{ID}.json.new", "{")  # as an earlier version called it
    write(folder, "mine.new", "{")
    with Server(folder).web() as web:
        assert web.get(f"/uploads/{ID}").json()["done"] == 3
    assert sorted(path.name for path in folder.iterdir()) == [f"{ID}.json", "lock.sqlite", "mine.new"]


def test_ended_uploads_leave_memory(folder, until):
    server = Server(folder)
    with server.web() as web:
        ids = [begin(web, "returns") for _ in range(20)]
        until(lambda: all(state(web, job) == "done" for job in ids))
        assert server.jobs._runner._uploads == {}
        assert not server.jobs._runner._locks
        assert {upload["id"] for upload in web.get("/uploads/").json()} == set(ids)
        assert server.jobs.status(ids[0]).state == "done"
        with pytest.raises(NotFoundError):
            server.jobs.status("none")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_at_most_so_many_run(folder, until, backend):
    """The others are queued, in order, also after a restart."""
    server = Server(folder, max_running=2)
    with server.web(backend) as web:
        ids = [begin(web, "waits", number=number) for number in range(6)]
        assert [state(web, job) for job in ids] == ["running"] * 2 + ["queued"] * 4
        until(lambda: sorted(server.ran) == [0, 1])  # trio starts tasks in any order
        assert web.delete(f"/uploads/{ids[3]}").json()["state"] == "cancelled"
        assert web.post(f"/uploads/{ids[4]}/resume").json()["state"] == "queued"
        assert web.delete(f"/uploads/{ids[0]}").json()["state"] == "cancelled"
        until(lambda: server.ran[2:] == [2])
    server = Server(folder, max_running=2)
    with server.web(backend) as web:
        until(lambda: sorted(server.ran) == [1, 2])
        assert [state(web, job) for job in ids] == ["cancelled", "running", "running", "cancelled", "queued", "queued"]
        assert web.post(f"/uploads/{ids[0]}/resume").json()["state"] == "queued"
        server.release.set()
        until(lambda: not ACTIVE & {upload["state"] for upload in web.get("/uploads/").json()})
        assert (sorted(server.ran), sorted(server.ran[2:4])) == ([0, 1, 2, 4, 5], [4, 5])


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "4", None])
def test_a_wrong_limit(folder, wrong):
    with pytest.raises(InputError, match="max_running: expected an integer"):
        UploadJobs(folder, max_running=wrong)


def test_each_caller_has_its_own(folder, until):
    async def caller(x_user: str = Header()) -> str | None:
        return x_user if x_user != "nobody" else None

    server = Server(folder, owner=caller)
    with server.web() as web:
        of = {name: {"X-User": name} for name in ("jane", "john", "nobody")}
        jane, john = (begin(web, "waits", owner=name) for name in ("jane", "john"))
        unowned = begin(web, "waits")

        def seen(name):
            return [upload["id"] for upload in web.get("/uploads/", headers=of[name]).json()]

        assert (seen("jane"), seen("john")) == ([jane], [john])
        for job in (john, unowned):
            for method, path in [("GET", ""), ("GET", "/events"), ("DELETE", ""), ("POST", "/resume")]:
                answer = web.request(method, f"/uploads/{job}{path}", headers=of["jane"])
                assert (answer.status_code, answer.json()) == (404, {"detail": "upload does not exist"})
        assert server.jobs.status(john).state == "running"
        assert web.get("/uploads/").status_code == 422  # from the dependency
        assert web.get("/uploads/", headers=of["nobody"]).status_code == 500  # a mistake of the operator
        assert web.delete(f"/uploads/{john}", headers=of["john"]).json()["state"] == "cancelled"
        assert web.get(f"/uploads/{john}", headers=of["jane"]).status_code == 404  # also once it is only on disk
        assert seen("john") == [john]
        assert web.post(f"/uploads/{john}/resume", headers=of["john"]).json()["state"] == "running"
    with Server(folder, owner=caller).web() as web:
        assert web.get(f"/uploads/{jane}", headers=of["jane"]).json()["state"] == "running"
        assert web.get(f"/uploads/{jane}", headers=of["john"]).status_code == 404


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_queued_uploads_of_several_callers(folder, until, backend):
    """Also after a restart; a record whose id was edited is nobody's, and a name of an owner is no path."""

    def caller(x_user: str = Header()) -> str:
        if x_user == "blocked":
            raise HTTPException(403, "blocked")
        return x_user

    def of(web, name):
        return [(one["id"], one["state"]) for one in web.get("/uploads/", headers={"X-User": name}).json()]

    server = Server(folder, owner=caller, max_running=1)
    with server.web(backend) as web:
        jane, john, odd = (begin(web, "waits", name, number=n) for n, name in enumerate(("jane", "john", "../x")))
        assert [of(web, name) for name in ("jane", "john", "../x")] == [
            [(jane, "running")],
            [(john, "queued")],
            [(odd, "queued")],
        ]
        assert web.delete(f"/uploads/{john}", headers={"X-User": "jane"}).status_code == 404
        assert web.delete(f"/uploads/{john}", headers={"X-User": "john"}).json()["state"] == "cancelled"
        assert web.post(f"/uploads/{john}/resume", headers={"X-User": "john"}).json()["state"] == "queued"
        for method, path in [("GET", ""), ("GET", jane), ("GET", f"{jane}/events"), ("DELETE", jane)]:
            assert web.request(method, f"/uploads/{path}", headers={"X-User": "blocked"}).status_code == 403
    assert list(folder.parent.iterdir()) == [folder]
    record = folder / f"{odd}.json"
    record.write_text(record.read_text().replace(odd, jane))
    server = Server(folder, owner=caller, max_running=1)
    with server.web(backend) as web:
        assert (of(web, "jane"), of(web, "john"), of(web, "../x")) == ([(jane, "running")], [(john, "queued")], [])
        server.release.set()
        until(lambda: of(web, "john") == [(john, "done")])
        assert server.ran == [0, 1]


@pytest.mark.parametrize("name", ["Zoë", "Zoe\u0308", "张伟", "👩\u200d🚀", "jane\n", "\u202ejane", "ÿ" * 500, "a/b"])
def test_an_owner_in_any_script(folder, until, name):
    """It is kept as it is, also after a restart; one that only looks the same is another one."""
    server = Server(folder, owner=lambda: server.caller)
    server.caller = name
    with server.web() as web:
        upload = begin(web, "returns", owner=name)
        until(lambda: web.get(f"/uploads/{upload}").json()["state"] == "done")
    server = Server(folder, owner=lambda: server.caller)
    with server.web() as web:
        for caller in (name, name.upper() + "x", unicodedata.normalize("NFC", name) + "\u0301", "jane"):
            server.caller = caller
            assert len(web.get("/uploads/").json()) == (caller == name)
            assert web.get(f"/uploads/{upload}").status_code == (200 if caller == name else 404)


def test_a_wrong_owner(folder):
    with pytest.raises(InputError, match="owner: expected a dependency"):
        UploadJobs(folder, owner="jane")
    with Server(folder).web() as web, pytest.raises(InputError, match="owner: expected a name"):
        web.portal.call(lambda: Server(folder).jobs.start("returns", owner=7))


PATHS = [
    ("file: is empty: /srv/data/a b/rose.png", "file: is empty: rose.png"),
    ("is empty: images/rose.png", "is empty: rose.png"),
    ("checkpoint: /srv/uploads/1.checkpoint is of another run", "checkpoint: 1.checkpoint is of another run"),
    (r"file: cannot be read: C:\data\rose.png", "file: cannot be read: rose.png"),
    ("folder: expected a name, got PosixPath('/srv/data')", "folder: expected a name, got PosixPath('data')"),
    ("is empty: a/b/c", "is empty: c"),
    ("is empty: ~/data", "is empty: data"),
    ("url: file:///srv/data", "url: data"),
    ("is empty: //srv/(a)", "is empty: (a)"),
    ("is empty: /@a/b", "is empty: b"),
    ("expected 'owner/name', got 'a'", "expected 'owner/name', got 'a'"),
    ("dataset: jane/flowers: missing", "dataset: jane/flowers: missing"),
    ("samples[3].name: missing", "samples[3].name: missing"),
    ('expected a URL such as "https://example.com/a"', 'expected a URL such as "https://example.com/a"'),
    ("expected 1/2", "expected 1/2"),
    ("file: cannot be read: I/O operation on closed file.", "file: cannot be read: I/O operation on closed file."),
]


@pytest.mark.parametrize(("message", "shown"), PATHS)
def test_paths_are_not_shown(message, shown):
    assert without_paths(message) == shown


def test_no_path_reaches_an_end_user(tmp_path, until, monkeypatch):
    """Neither in the `detail` of an upload nor in the body of a 422."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    server = Server(tmp_path / "uploads")

    @server.jobs.kind
    async def reads(upload: Upload, client: AsyncSegments, *, path: str) -> None:
        await client.assets.upload(path)

    @server.app.post("/now")
    async def now(path: str) -> None:
        await server.app.state.segments.assets.upload(path)

    with server.web() as web:
        for path in (f"{tmp_path}/none.png", "pictures/none.png", f"{tmp_path}", "pictures", "./pictures"):
            job = begin(web, "reads", path=path)
            until(lambda: state(web, job) == "failed")  # noqa: B023 (called at once)
            assert str(tmp_path) not in web.get(f"/uploads/{job}").text
            answer = web.post("/now", params={"path": path})
            assert answer.status_code == 422
            assert str(tmp_path) not in answer.text
            assert "/" not in answer.json()["detail"]
