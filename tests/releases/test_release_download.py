"""Releases from the service: on disk however often they are cut, and read sample by sample."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import httpx
import pytest

from segments_async import (
    ApiError,
    AsyncSegments,
    DecodeError,
    InputError,
    OutOfResourcesError,
    Progress,
    Release,
    ReleaseFailedError,
    RetryPolicy,
    TransportError,
)
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"


@pytest.fixture
async def large(sandbox, patient, tmp_path, monkeypatch):
    """A client whose release ``v1`` has 3 MB, and a folder for temporary files that is empty."""
    await patient.datasets.create("flowers", task_type="vector")
    sandbox.add_release(DATASET, "v1", samples=1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox.clear_calls()
    return patient


def storage_calls(sandbox):
    return [call for call in sandbox.calls if call.origin == "storage"]


async def test_resumes_after_a_cut(large, sandbox, clock, tmp_path):
    """Only what is missing is asked for again, and the file is that of one piece."""
    sandbox.fail("GET", "*", origin="storage", times=4, drop="middle")

    path = await large.releases.download(DATASET, "v1", tmp_path / "v1.json")

    calls = storage_calls(sandbox)
    starts = [int(call.headers["range"].removeprefix("bytes=").removesuffix("-")) for call in calls[1:]]
    assert [call.status for call in calls] == [200, 206, 206, 206, 206]
    assert starts == sorted(starts)
    assert len(set(starts)) == 4
    assert starts[0] > 1_000_000
    assert {call.headers["if-range"] for call in calls[1:]} == {calls[1].headers["if-range"]}
    assert all("authorization" not in call.headers for call in calls)
    assert len(json.loads(path.read_bytes())["dataset"]["samples"]) == 1000
    assert list(tmp_path.iterdir()) == [path]


async def test_download_that_progresses_is_not_abandoned(sandbox, patient, tmp_path):
    """Ten cuts, where three attempts are allowed for what does not move."""
    await patient.datasets.create("flowers", task_type="vector")
    sandbox.add_release(DATASET, "v1", samples=1, make=lambda _: {"pad": "x" * 40_000_000})
    cuts = sandbox.fail("GET", "*", origin="storage", times=5, drop="middle")

    path = await patient.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert cuts.hits == 5
    assert path.stat().st_size > 40_000_000


async def test_file_that_changes_during_the_download(large, sandbox, tmp_path):
    """The halves of two files do not become one."""
    sandbox.fail("GET", "*", origin="storage", drop="middle")
    cut = large._session.pool.reports.notify_retry

    def change(*arguments, **more):
        key = next(iter(sandbox._store.objects))
        sandbox.add_release(DATASET, "other", samples=10)
        sandbox._store.objects[key] = list(sandbox._store.objects.values())[-1]
        cut(*arguments, **more)

    large._session.pool.reports.notify_retry = change

    path = await large.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert len(json.loads(path.read_bytes())["dataset"]["samples"]) == 10
    assert [call.status for call in storage_calls(sandbox)] == [200, 200]


async def test_signature_that_expires_on_the_way(tmp_path, clock):
    """A new URL is requested, and the download resumes."""
    slow = RetryPolicy(base=100, cap=100, total=1000)
    with Sandbox(clock=clock.time) as sandbox:
        sandbox.url_seconds = 20
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings, retry=slow) as client:
            await client.datasets.create("flowers", task_type="vector")
            sandbox.add_release(DATASET, "v1", samples=1000)
            sandbox.fail("GET", "*", origin="storage", drop="middle")
            sandbox.clear_calls()
            path = await client.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert clock.slept == [50.0]
    assert [(call.origin, call.status) for call in sandbox.calls] == [
        ("api", 200),
        ("storage", 200),
        ("storage", 403),
        ("api", 200),
        ("storage", 206),
    ]
    assert len(json.loads(path.read_bytes())["dataset"]["samples"]) == 1000


async def test_signature_that_is_never_taken(large, sandbox, tmp_path):
    """A new URL is requested once; a second refusal is an error."""
    sandbox.url_seconds = -1

    with pytest.raises(ApiError, match="Request has expired") as caught:
        await large.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert caught.value.status == 403
    assert [call.origin for call in sandbox.calls] == ["api", "storage"] * 2
    assert list(tmp_path.iterdir()) == []


async def test_page_of_html(large, sandbox, tmp_path):
    """It is refused by its type, before anything is written."""
    sandbox.fail("GET", "*", origin="storage", status=200, body="<html>Sign in</html>", content_type="text/html")

    with pytest.raises(DecodeError, match=r"received an HTML page instead of a file") as caught:
        await large.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert f"{sandbox.storage_url}/releases/" in str(caught.value)
    assert "Signature" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_progress(large, sandbox, tmp_path):
    """Bytes so far and in all, and once that it has ended."""
    reported: list[Progress] = []

    path = await large.releases.download(DATASET, "v1", tmp_path / "v1.json", progress=reported.append)

    size = path.stat().st_size
    assert (reported[-1].done, reported[-1].total, reported[-1].finished) == (size, size, True)
    assert [progress.done for progress in reported] == sorted(progress.done for progress in reported)


@pytest.mark.parametrize("answer", ["short", "wrong part", "no such part", "no range"])
async def test_storage_that_does_not_keep_to_the_rules(clock, tmp_path, answer):
    """What does not fit is not put together."""
    whole, asked = b'{"name": "v1"}' * 10, []

    def serve(request):  # noqa: PLR0911 (one answer for each case)
        if request.url.host != "s3.test":
            url = "https://s3.test/v1.json?X-Amz-Signature=1"
            return httpx.Response(200, json={"name": "v1", "status": "SUCCEEDED", "attributes": {"url": url}})
        asked.append(request.headers.get("range"))
        headers = {"ETag": '"1"', "Content-Length": str(len(whole))}
        if len(asked) == 1:
            return httpx.Response(200, content=whole[:50], headers=headers)
        if answer == "short" and len(asked) == 2:
            part = {"ETag": '"1"', "Content-Range": f"bytes 50-98/{len(whole)}"}
            return httpx.Response(206, content=whole[50:99], headers=part)
        if request.headers.get("range") and answer == "wrong part":
            return httpx.Response(206, content=b"x", headers={"Content-Range": "bytes 3-4/9"})
        if request.headers.get("range") and answer == "no such part":
            return httpx.Response(416)
        if request.headers.get("range") == "bytes=99-":
            part = {"ETag": '"1"', "Content-Range": f"bytes 99-139/{len(whole)}"}
            return httpx.Response(206, content=whole[99:], headers=part)
        return httpx.Response(200, content=whole, headers=headers)

    transport = httpx.MockTransport(serve)
    async with AsyncSegments("key", transport=transport, clock=clock.settings) as client:
        path = await client.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert path.read_bytes() == whole
    assert asked[:2] == [None, "bytes=50-"]
    assert asked[2:] == {"short": ["bytes=99-"], "no range": []}.get(answer, [None])


async def test_compressed_file_starts_again(clock, tmp_path):
    """The place in what was unpacked is none in the file."""
    packed, asked = gzip.compress(b"x" * 1000), []

    def serve(request):
        if request.url.host != "s3.test":
            url = "https://s3.test/v1.json"
            return httpx.Response(200, json={"name": "v1", "status": "SUCCEEDED", "attributes": {"url": url}})
        asked.append(request.headers.get("range"))
        headers = {"ETag": '"1"', "Content-Encoding": "gzip"}
        if len(asked) == 1:
            return httpx.Response(503)
        return httpx.Response(200, content=packed, headers=headers)

    transport = httpx.MockTransport(serve)
    async with AsyncSegments("key", transport=transport, clock=clock.settings) as client:
        path = await client.releases.download(DATASET, "v1", tmp_path / "v1.json")

    assert path.read_bytes() == b"x" * 1000
    assert asked == [None, None]


class TestOpen:
    @pytest.fixture(params=["name", "release", "url", "path", "text", "opened"])
    async def source(self, request, large, tmp_path):
        if request.param == "name":
            return (DATASET, "v1")
        if request.param == "release":
            return (await large.releases.get(DATASET, "v1"),)
        if request.param == "url":
            return ((await large.releases.get(DATASET, "v1")).attributes.url,)
        path = await large.releases.download(DATASET, "v1", tmp_path / "mine.json")
        return (str(path) if request.param == "text" else path,)

    async def test_sources(self, large, source, tmp_path):
        """Wherever it comes from, it is read in the same way, and only the user's own file is left."""
        async with large.releases.open(*source) as release:
            assert release.name == "v1"
            assert len([sample async for sample in release.samples(label_status="REVIEWED")]) == 250
            async with large.releases.open(release) as same:
                assert same is release
        async with large.releases.stream_samples(*source, labelset="ground-truth", metadata="even:true") as samples:
            assert (await anext(samples)).metadata == {"number": 0, "even": True}
        summary = await large.releases.summary(*source)

        assert summary.samples == 1000
        assert summary.labelsets["ground-truth"].statuses == {"LABELED": 750, "REVIEWED": 250}
        assert {path.name for path in tmp_path.iterdir()} <= {"mine.json"}

    async def test_nothing_is_left_after_an_error(self, large, tmp_path):
        with pytest.raises(ZeroDivisionError):
            async with large.releases.open(DATASET, "v1"):
                raise ZeroDivisionError
        with pytest.raises(InputError, match="no labelset 'nobody'; it has 'ground-truth'"):
            async with large.releases.stream_samples(DATASET, "v1", labelset="nobody"):
                pass
        assert list(tmp_path.iterdir()) == []

    async def test_full_disk(self, large, tmp_path, monkeypatch):
        """The error of the disk names the file."""

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("segments_async._transfer.partial.AtomicFile._flush", full)
        with pytest.raises(OutOfResourcesError, match=r"cannot be written \(No space left on device\): .*release.json"):
            await large.releases.summary(DATASET, "v1")
        assert list(tmp_path.iterdir()) == []

    async def test_value_that_is_not_a_source(self, large, sandbox, tmp_path):
        pending = Release(name="v2", status="PENDING")
        for arguments, words in (
            ((7,), "expected a Release, a URL or a path, got int"),
            ((pending,), "is PENDING; wait for it"),
            ((pending, "v2"), "expected a dataset with the release's name, got Release"),
            ((Path("x.json"), "v2"), "got PosixPath"),
            ((await large.datasets.get(DATASET),), "needs the release's name"),
        ):
            with pytest.raises(InputError, match=words):
                await large.releases.summary(*arguments)
        with pytest.raises(ReleaseFailedError):
            await large.releases.summary(Release(name="v2", status="FAILED"))
        assert list(tmp_path.iterdir()) == []

    async def test_cut_for_good(self, large, sandbox, tmp_path):
        sandbox.fail("GET", "*", origin="storage", times=None, drop="before")
        with pytest.raises(TransportError, match=f"GET {sandbox.storage_url}/releases/"):
            await large.releases.summary(DATASET, "v1")
        assert list(tmp_path.iterdir()) == []
