"""Uploads by presigned POST and downloads by presigned URL; no partial file is left."""

from __future__ import annotations

import asyncio
import io
import os
import resource
import threading
from pathlib import Path

import anyio
import httpx
import orjson
import pytest

from segments_async import (
    ApiError,
    DecodeError,
    InputError,
    NotFoundError,
    ReleaseFailedError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    TransportError,
)
from segments_async._transfer import upload as upload_module

pytestmark = pytest.mark.anyio

LARGE = os.urandom(700_000)
"""Three pieces."""


@pytest.fixture
def anyio_backend(way):
    return "trio" if way == "trio" else "asyncio"


@pytest.fixture
async def patient(open_client, options, anyio_backend):
    async with open_client(**options) as client:
        yield client


@pytest.fixture
async def released(world, tmp_path):
    """A world whose release ``v1`` is built, and a folder of its own."""
    await world.client.releases.create(world.dataset, "v1")
    (tmp_path / "in").mkdir()
    world.folder = tmp_path / "in"
    return world


async def download(world, name="v1.json"):
    return await world.client.releases.download(world.dataset, "v1", world.folder / name)


class TestUpload:
    @pytest.mark.parametrize("content", [b"p", LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("kind", ["path", "text", "bytes", "bytearray", "memoryview", "file", "buffer"])
    async def test_source(self, sandbox, patient, tmp_path, content, kind):
        path = tmp_path / "violet é.png"
        path.write_bytes(content)
        with path.open("rb") as file:
            sources = {
                "path": (path,),
                "text": (str(path),),
                "bytes": (content, "violet é.png"),
                "bytearray": (bytearray(content), "violet é.png"),
                "memoryview": (memoryview(content), "violet é.png"),
                "file": (file,),
                "buffer": (io.BytesIO(content), "violet é.png"),
            }
            asset = await patient.assets.upload(*sources[kind])

        assert asset.filename == "violet é.png"
        assert sandbox.assets() == {asset.url: content}
        storage = sandbox.calls[-1]
        assert int(storage.headers["content-length"]) == storage.body_bytes
        assert "transfer-encoding" not in storage.headers
        assert storage.headers["user-agent"].startswith("segments-async/")

    async def test_open_file_is_read_from_where_it_stands(self, sandbox, patient, tmp_path):
        path = tmp_path / "a.png"
        path.write_bytes(b"skip:content")
        with path.open("rb") as file:
            file.seek(5)
            asset = await patient.assets.upload(file, "b.png")
            assert not file.closed

        assert sandbox.assets() == {asset.url: b"content"}
        assert asset.filename == "b.png"

    async def test_invalid_file(self, sandbox, patient, tmp_path):
        """An InputError that names the file, before anything is sent."""
        empty, huge, secret, pipe = (tmp_path / name for name in ("empty.png", "huge.png", "text.txt", "pipe.png"))
        empty.touch()
        with huge.open("wb") as file:
            file.truncate(100_000_001)
        secret.write_bytes(b"\xff\xfe no text")
        os.mkfifo(pipe)

        async def read():
            return b""

        class Asynchronous:
            name = "a.png"

            def read(self, _):
                return read()

        with secret.open("r", encoding="utf-8") as text, huge.open("rb") as huge_file:
            for file, words in (
                (tmp_path / "missing.png", "missing.png"),
                (empty, "is empty: .*empty.png"),
                (huge, "100 MB.*huge.png"),
                (huge_file, "100 MB.*huge.png"),
                (tmp_path, "is not a file: "),
                (pipe, "is not a file: .*pipe.png"),
                ("a\0b.png", "null"),
                (b"", "filename"),
                (io.BytesIO(b"png"), "needs a filename"),
                (io.StringIO("text"), "mode 'rb'"),
                (text, "cannot be read"),
                (Asynchronous(), "returns bytes"),
                (7, "expected a path, bytes or an open file, got int"),
                (None, "NoneType"),
            ):
                with pytest.raises(InputError, match=words) as caught:
                    await patient.assets.upload(file)
                assert caught.value.path == "file"
        for content in (b"", io.BytesIO()):
            with pytest.raises(InputError, match=r"is empty: a\.png"):
                await patient.assets.upload(content, "a.png")
        with pytest.raises(InputError) as caught:
            await patient.assets.upload(b"png", 7)
        assert caught.value.path == "filename"
        assert sandbox.calls == ()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    async def test_file_that_may_not_be_read(self, patient, tmp_path):
        path = tmp_path / "a.png"
        path.touch(0)
        with pytest.raises(InputError, match="Permission denied"):
            await patient.assets.upload(path)

    @pytest.mark.parametrize("kind", ["path", "bytes"])
    @pytest.mark.parametrize(
        "fault",
        [{"status": 503}, {"drop": "before"}, {"drop": "after"}, {"status": 500, "handled": True}],
        ids=["503", "before", "after", "500"],
    )
    async def test_repeated(self, sandbox, patient, clock, tmp_path, kind, fault):
        """The whole file is sent again, from its start; no second asset is created."""
        path = tmp_path / "a.png"
        path.write_bytes(LARGE)
        sandbox.fail("POST", "/", origin="storage", **fault)

        asset = await patient.assets.upload(path if kind == "path" else LARGE, "a.png")

        assert sandbox.assets() == {asset.url: LARGE}
        assert [call.origin for call in sandbox.calls] == ["api", "storage", "storage"]
        assert clock.slept == [0.125]

    async def test_lost_answer_of_the_api(self, sandbox, patient):
        """Creating an asset again does no harm: the first one is never uploaded to."""
        sandbox.fail("POST", "/assets/", drop="after")

        asset = await patient.assets.upload(b"png", "a.png")

        assert list(sandbox.assets()) == [asset.url]

    async def test_refused_by_the_storage(self, sandbox, patient):
        """Its 403 speaks of a signature and not of the key."""
        body = "<Error><Code>AccessDenied</Code><Message>Policy expired.</Message></Error>"
        sandbox.fail("POST", "/", origin="storage", status=403, body=body, content_type="application/xml")

        with pytest.raises(ApiError, match="AccessDenied: Policy expired") as caught:
            await patient.assets.upload(b"png", "a.png")

        assert type(caught.value) is ApiError
        assert len(sandbox.calls) == 2

    async def test_storage_that_stays_down(self, sandbox, patient, tmp_path):
        path = tmp_path / "a.png"
        path.write_bytes(LARGE)
        fault = sandbox.fail("POST", "/", origin="storage", times=None, drop="before")

        with pytest.raises(TransportError, match=f"POST {sandbox.storage_url}"):
            await patient.assets.upload(path)

        assert fault.hits == 3

    @pytest.mark.parametrize("change", ["longer", "shorter", "gone"])
    async def test_file_that_changes_during_the_upload(self, sandbox, patient, clock, tmp_path, change, monkeypatch):
        """It was looked at before; then it is not silently cut, nor called a lost connection."""
        path = tmp_path / "a.png"
        path.write_bytes(LARGE)
        put_file = upload_module.put_file

        async def change_before(*arguments):
            if change == "gone":
                path.unlink()
            else:
                path.write_bytes(LARGE + b"more" if change == "longer" else LARGE[:-1])
            await put_file(*arguments)

        monkeypatch.setattr("segments_async.resources.assets.upload_once.put_file", change_before)
        with pytest.raises(InputError, match="cannot be read" if change == "gone" else "was changed") as caught:
            await patient.assets.upload(path)

        assert caught.value.path == "file"
        assert str(path) in str(caught.value)
        assert sandbox.assets() == {}
        assert clock.slept == []

    @pytest.mark.parametrize(
        "url", ["", "s3", "/form", "ftp://s3.test/", "http://", "http://s3.test:port/", "http://\0"]
    )
    async def test_address_that_is_none(self, sandbox, patient, url):
        answer = {"url": "https://s3.test/a", "presignedPostFields": {"url": url, "fields": {}}}
        sandbox.fail("POST", "/assets/", status=201, json=answer)

        with pytest.raises(DecodeError, match="invalid file URL"):
            await patient.assets.upload(b"png", "a.png")

    async def test_no_address(self, sandbox, patient):
        sandbox.fail("POST", "/assets/", status=201, json={"url": "https://s3.test/a"})

        with pytest.raises(DecodeError, match="presignedPostFields"):
            await patient.assets.upload(b"png", "a.png")

    async def test_memory(self, sandbox, patient, tmp_path):
        """A file on disk is not read whole: only a few pieces of 30 MB are in memory."""
        import tracemalloc  # noqa: PLC0415

        path = tmp_path / "a.png"
        with path.open("wb") as file:
            file.truncate(30_000_000)
        sandbox.fail("POST", "/", origin="storage", status=204, body=b"")  # so that the sandbox keeps nothing
        upload = await upload_module.inspect_source(path, None)
        tracemalloc.start()
        try:
            form = upload_module.MultipartStream(b"head", upload, b"tail")
            size = 0
            async for piece in form:
                size += len(piece)
            limit = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert size == 30_000_008
        assert limit < 2_000_000


class TestDownload:
    @pytest.mark.parametrize("kind", [str, Path])
    async def test_file(self, released, kind):
        target = kind(released.folder / "v1.json")

        path = await released.client.releases.download(released.dataset, "v1", target)

        assert path == Path(target)
        assert [sample["name"] for sample in orjson.loads(path.read_bytes())["dataset"]["samples"]] == ["violet"]
        assert list(released.folder.iterdir()) == [path]

    async def test_file_is_replaced(self, released):
        (released.folder / "v1.json").write_text("old" * 100_000)

        path = await download(released)

        assert orjson.loads(path.read_bytes())["name"] == "v1"

    @pytest.mark.parametrize(
        "fault",
        [{"drop": "middle"}, {"drop": "before"}, {"status": 503}, {"status": 500}],
        ids=["middle", "before", "503", "500"],
    )
    async def test_repeated(self, released, fault):
        """The bytes of the first attempt are discarded."""
        released.sandbox.fail("GET", "*", origin="storage", **fault)

        path = await download(released)

        assert orjson.loads(path.read_bytes())["name"] == "v1"
        assert released.clock.slept == [0.125]
        assert list(released.folder.iterdir()) == [path]

    @pytest.mark.parametrize("there", [False, True], ids=["new", "replaced"])
    async def test_cut_for_good(self, released, there):
        """Whole or not there: what was there before stays."""
        if there:
            (released.folder / "v1.json").write_text("old")
        released.sandbox.fail("GET", "*", origin="storage", times=None, drop="middle")

        with pytest.raises(TransportError, match=f"GET {released.sandbox.storage_url}/releases/.*json") as caught:
            await download(released)

        assert "Signature" not in str(caught.value)
        assert [path.read_text() for path in released.folder.iterdir()] == ["old"] * there

    async def test_gone(self, released):
        released.sandbox.fail("GET", "*", origin="storage", status=404, body="<Error><Code>NoSuchKey</Code></Error>")

        with pytest.raises(NotFoundError, match="NoSuchKey"):
            await download(released)

        assert list(released.folder.iterdir()) == []

    async def test_too_slow(self, released, open_client, options):
        released.sandbox.fail("GET", "*", origin="storage", times=None, delay=1)

        async with open_client(timeout=0.1, retry=RetryPolicy(attempts=1), **options) as released.client:
            with pytest.raises(RequestTimeoutError):
                await download(released)

        assert list(released.folder.iterdir()) == []

    async def test_invalid_path(self, released):
        for path, words in (
            (released.folder, "is a folder"),
            (released.folder / "missing" / "v1.json", "cannot be written in .*missing"),
        ):
            with pytest.raises(InputError, match=words) as caught:
                await released.client.releases.download(released.dataset, "v1", path)
            assert caught.value.path == "path"
        assert [path for _, path in released.sent if "releases/v1" in path] == []

    async def test_folder_that_vanishes(self, released, monkeypatch):
        """An error of the disk is an InputError with the path, and is not retried."""
        monkeypatch.setattr(
            "segments_async.resources.releases.resource.check_writable", lambda path: path.parent.rmdir()
        )

        with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\): .*v1.json"):
            await download(released)

        assert released.clock.slept == []

    async def test_disk_that_is_full(self, released, open_client, options):
        """The write error is raised, the connection is not used again, and no file is left."""
        released.sandbox.fail("GET", "*", origin="storage", status=200, body=bytes(4_000_000))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        try:
            with pytest.raises(InputError, match=r"cannot be written \(File too large\): .*v1.json"):
                await download(released)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        assert list(released.folder.iterdir()) == []
        assert released.clock.slept == []
        assert (await download(released)).exists()

    async def test_cancelled(self, released, way):
        """Whenever the cancellation comes, no file is left, and there is no warning."""
        released.sandbox.fail("GET", "*", origin="storage", times=None, status=200, body=bytes(8_000_000))

        for turn in range(15):
            with anyio.move_on_after(turn * 0.004):
                await download(released)
            if (path := released.folder / "v1.json").exists():
                path.unlink()
            assert list(released.folder.iterdir()) == []

        if way != "aiohttp":
            pool = released.client._session.pool.storage._transport
            assert pool._free.value == 32
            assert pool.connections <= 1

    async def test_cancelled_task(self, released, way):
        """After asyncio's own cancellation a thread still runs; it must not create the file again."""
        if way == "trio":
            return
        released.sandbox.fail("GET", "*", origin="storage", times=None, status=200, body=bytes(8_000_000))

        for turn in range(25):
            task = asyncio.create_task(download(released))
            await asyncio.sleep(turn * 0.002)
            task.cancel()
            await asyncio.wait([task])
            (released.folder / "v1.json").unlink(missing_ok=True)
            await anyio.to_thread.run_sync(lambda: None)
            assert list(released.folder.iterdir()) == []

    async def test_state_of_the_release(self, released):
        released.sandbox.release_seconds = 60
        await released.client.releases.create(released.dataset, "v2")
        released.sandbox.release_seconds, released.sandbox.fail_releases = 0, True
        await released.client.releases.create(released.dataset, "v3")

        target = released.folder / "a.json"
        with pytest.raises(InputError, match=r"is PENDING; wait for it") as caught:
            await released.client.releases.download(released.dataset, "v2", target)
        assert caught.value.path == "name"
        with pytest.raises(ReleaseFailedError, match="v3"):
            await released.client.releases.download(released.dataset, "v3", target)
        with pytest.raises(NotFoundError):
            await released.client.releases.download(released.dataset, "v4", target)
        assert list(released.folder.iterdir()) == []

    @pytest.mark.parametrize("url", [None, "", "v1.json", "file:///etc/passwd"])
    async def test_release_without_a_file(self, released, url):
        release = {"name": "v1", "status": "SUCCEEDED", "attributes": {"url": url}}
        released.sandbox.fail("GET", "/releases/v1/", status=200, json=release)

        with pytest.raises(DecodeError, match=r"attributes\.url"):
            await download(released)

    async def test_release_at_no_address(self, released):
        release = {"name": "v1", "status": "SUCCEEDED", "attributes": {"url": "http://s3.test:port/v1.json"}}
        released.sandbox.fail("GET", "/releases/v1/", status=200, json=release)

        with pytest.raises(DecodeError, match="invalid file URL"):
            await download(released)

        assert list(released.folder.iterdir()) == []

    async def test_compressed_file(self, released):
        """What S3 keeps compressed is decompressed on the way."""
        import gzip  # noqa: PLC0415

        content = gzip.compress(b'{"name": "v1"}' * 100_000)
        headers = {"Content-Encoding": "gzip"}
        released.sandbox.fail("GET", "*", origin="storage", status=200, body=content, headers=headers)

        assert (await download(released)).read_bytes() == b'{"name": "v1"}' * 100_000


class TestWait:
    async def test_until_it_is_built(self, world):
        """It looks, waits, and looks again, until the service has built it."""
        await world.client.releases.create(world.dataset, "v1")
        pending = {"name": "v1", "status": "PENDING"}
        world.sandbox.fail("GET", "/releases/v1/", times=3, status=200, json=pending)

        release = await world.client.releases.wait(world.dataset, "v1", poll=5)

        assert release.status == "SUCCEEDED"
        assert world.clock.slept == [5.0] * 3

    async def test_back_off(self, world):
        """What takes long is looked at less often, and not seldom."""
        world.sandbox.release_seconds = 36_000
        await world.client.releases.create(world.dataset, "v1")

        with pytest.raises(RequestTimeoutError):
            await world.client.releases.wait(world.dataset, "v1", timeout=1000, poll=2)

        slept = world.clock.slept
        assert slept[:10] == [2.0] * 10
        assert slept[11] == pytest.approx(2.2)
        assert slept[:-1] == sorted(slept[:-1])
        assert max(slept) == 30
        assert sum(slept) == pytest.approx(1000)

    async def test_too_long(self, world):
        world.sandbox.release_seconds = 3600
        await world.client.releases.create(world.dataset, "v1")

        with pytest.raises(RequestTimeoutError, match="still PENDING after 5 s"):
            await world.client.releases.wait(world.dataset, "v1", timeout=5, poll=2)

        assert world.clock.slept == [2.0, 2.0, 1.0]

    async def test_failed(self, world):
        world.sandbox.fail_releases = True
        await world.client.releases.create(world.dataset, "v1")

        with pytest.raises(ReleaseFailedError) as caught:
            await world.client.releases.wait(world.dataset, "v1")

        assert (caught.value.dataset, caught.value.name) == (world.dataset, "v1")

    async def test_faults_between(self, world):
        await world.client.releases.create(world.dataset, "v1")
        world.sandbox.fail("GET", "/releases/v1/", times=2, status=502)

        assert (await world.client.releases.wait(world.dataset, "v1")).status == "SUCCEEDED"

        world.sandbox.fail("GET", "/releases/v1/", times=None, status=502)
        with pytest.raises(ServerError):
            await world.client.releases.wait(world.dataset, "v1")

    @pytest.mark.parametrize("argument", ["timeout", "poll"])
    @pytest.mark.parametrize("seconds", [0, float("nan"), "1"])
    async def test_invalid_seconds(self, world, argument, seconds):
        with pytest.raises(InputError) as caught:
            await world.client.releases.wait(world.dataset, "v1", **{argument: seconds})

        assert caught.value.path == argument
        assert world.sent == []


async def test_no_thread_is_left(patient, tmp_path):
    """A large upload and its threads: none of them outlives the pool of anyio's."""
    path = tmp_path / "a.png"
    path.write_bytes(LARGE)
    await patient.assets.upload(path)
    assert threading.active_count() < 50


async def test_transport_without_a_connection(clock, tmp_path):
    """A download over a transport of the user's that streams."""

    async def parts():
        yield b'{"name": '
        yield b'"v1"}'

    def answer(request):
        if request.url.host == "s3.test":
            return httpx.Response(200, content=parts())
        release = {"name": "v1", "status": "SUCCEEDED", "attributes": {"url": "https://s3.test/v1.json?X-Signature=1"}}
        return httpx.Response(200, json=release)

    from segments_async import AsyncSegments  # noqa: PLC0415

    async with AsyncSegments("some-key", transport=httpx.MockTransport(answer), clock=clock.settings) as client:
        path = await client.releases.download("jane/flowers", "v1", tmp_path / "v1.json")

    assert path.read_bytes() == b'{"name": "v1"}'
