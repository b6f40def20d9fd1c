"""Download many files to a folder: each once, resumed, renewed; failures are reported."""

from __future__ import annotations

import anyio
import pytest

from segments_async import (
    ApiError,
    AsyncSegments,
    BulkError,
    DecodeError,
    InputError,
    NotFoundError,
    ReleaseSample,
    RetryPolicy,
    TransportError,
)
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
async def urls(patient, sandbox):
    """Five small files and a large one."""
    assets = [await patient.assets.upload(b"png %d" % number, f"{number}.png") for number in range(5)]
    assets.append(await patient.assets.upload(bytes(3_000_000), "large.bin"))
    sandbox.clear_calls()
    return [asset.url for asset in assets]


def sample(url, name="violet.png", uuid="u-1"):
    return {"uuid": uuid, "name": name, "attributes": {"image": {"url": url}}}


async def test_urls(patient, sandbox, urls, tmp_path):
    """One file for each URL, without the key; a second run requests nothing."""
    report = await patient.assets.download_many(urls, tmp_path / "new" / "folder")

    assert [outcome.status for outcome in report.results] == ["created"] * 6
    by_url = {outcome.item: outcome.value for outcome in report.results}
    assert [by_url[url][0].read_bytes() for url in urls[:5]] == [b"png %d" % number for number in range(5)]
    assert by_url[urls[5]][0].stat().st_size == 3_000_000
    assert {path for paths in by_url.values() for path in paths} == set((tmp_path / "new" / "folder").iterdir())
    assert len(sandbox.calls) == 6
    assert all("authorization" not in call.headers for call in sandbox.calls)

    again = await patient.assets.download_many(urls, tmp_path / "new" / "folder")

    assert again.counts["existing"] == 6
    assert {outcome.item: outcome.value for outcome in again.results} == by_url
    assert len(sandbox.calls) == 6


async def test_each_file_once(patient, sandbox, urls, tmp_path):
    """However many items share it, at the same time or signed in different ways."""
    items = [urls[0], urls[0], f"{urls[0]}#fragment", *(sample(urls[0], uuid=f"u-{n}", name=f"{n}") for n in range(5))]

    report = await patient.assets.download_many(items, tmp_path)

    assert sorted(outcome.status for outcome in report.results) == ["created"] + ["existing"] * 7
    assert len(sandbox.calls) == 1
    assert len(list(tmp_path.iterdir())) == 1


async def test_samples(patient, sandbox, urls, tmp_path):
    """All files of a sample, wherever in its attributes, under its name and inside the folder."""
    frames = [{"image": {"url": url}, "name": "frame"} for url in urls[:3]]
    items = [
        {"uuid": "u-1", "name": "../../etc/passwd", "attributes": {"frames": frames}},
        ReleaseSample(uuid="u-2", name="rose.png", attributes={"image": {"url": urls[3]}}),
    ]

    report = await patient.assets.download_many(items, tmp_path)

    report.raise_if_failed()
    first, second = sorted(report.results, key=lambda outcome: outcome.index)
    assert [path.read_bytes() for path in first.value] == [b"png 0", b"png 1", b"png 2"]
    assert {path.parent for path in first.value} == {tmp_path}
    assert all(path.name.startswith("etc_passwd-") for path in first.value)
    assert (second.key, second.uuid, second.value[0].read_bytes()) == ("rose.png", "u-2", b"png 3")


async def test_suffixes(patient, sandbox, tmp_path):
    """The URL's, or the name's, or that of the Content-Type; what is behind another dot belongs to the name."""
    for path, media_type in (("/download/1", "image/jpeg"), ("/2", "binary/octet-stream"), ("/v1.25", "image/png")):
        headers = {"Content-Type": media_type}
        sandbox.fail("GET", path, times=None, status=200, body=b"x", headers=headers, origin="storage")
    of = {name: f"{sandbox.storage_url}{name}" for name in ("/download/1", "/2", "/v1.25")}
    items = [sample(of["/download/1"], "rose"), sample(of["/2"], "violet.JPG"), sample(of["/v1.25"], "scan_0.25")]

    report = await patient.assets.download_many(items, tmp_path)

    names = [outcome.value[0].name for outcome in report.results]
    assert [(name[: name.rindex("-")], name[name.rindex("-") + 17 :]) for name in names] == [
        ("rose", ".jpg"), ("violet", ".jpg"), ("scan_0.25", ".png"),
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    again = await patient.assets.download_many(items, tmp_path)
    assert (again.counts["existing"], [outcome.value[0].name for outcome in again.results]) == (3, names)


async def test_suffix_of_several_files(patient, sandbox, tmp_path):
    """The suffix of a sample's name is not that of each of its files."""
    attributes = {"pcd": {"url": f"{sandbox.storage_url}/1.pcd", "type": "pcd"}, "images": []}
    attributes["images"] = [{"url": f"{sandbox.storage_url}/2", "row": 0, "col": 0}]
    for path in ("/1.pcd", "/2"):
        headers = {"Content-Type": "binary/octet-stream"}
        sandbox.fail("GET", path, times=None, status=200, body=b"x", headers=headers, origin="storage")
    item = {"uuid": "u-1", "name": "drive.pcd", "attributes": attributes}

    [outcome] = (await patient.assets.download_many([item], tmp_path)).results

    assert sorted(path.name.partition("-")[0] + path.suffix for path in outcome.value) == ["drive", "drive.pcd"]


async def test_listed_samples(patient, sandbox, urls, tmp_path):
    """A list of samples goes straight in."""
    await patient.datasets.create("flowers")
    for number in range(3):
        await patient.samples.create("sandbox/flowers", f"{number}", {"image": {"url": urls[number]}})

    report = await patient.assets.download_many(patient.samples.list("sandbox/flowers"), tmp_path)

    assert report.counts["created"] == 3


async def test_addresses_that_expired(tmp_path, clock):
    """The URLs of a sample are requested again, once for all of its files; a bare URL cannot be renewed."""
    with Sandbox(clock=clock.time) as sandbox:
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings) as client:
            await client.datasets.create("flowers", task_type="image-vector-sequence")
            assets = [await client.assets.upload(b"png", f"{number}.png") for number in range(3)]
            frames = [{"image": {"url": asset.url}} for asset in assets]
            made = await client.samples.create("sandbox/flowers", "a", {"frames": frames})
            sandbox.url_seconds = 60
            signed = await client.samples.get(made.uuid, include_signed_urls=True)
            clock.now += 120
            sandbox.clear_calls()

            report = await client.assets.download_many([signed], tmp_path)
            alone = await client.assets.download_many([signed.attributes.frames[0].image.signed_url], tmp_path / "new")

    assert report.counts["created"] == 1
    assert len([call for call in sandbox.calls if call.origin == "api"]) == 1
    [failed] = alone.failures
    assert type(failed.error) is ApiError
    assert failed.error.status == 403
    assert "Signature" not in str(failed.error)


async def test_private_bucket(patient, sandbox, urls, tmp_path):
    """An address that only the service can sign is asked for."""
    await patient.datasets.create("flowers")
    made = await patient.samples.create("sandbox/flowers", "a", {"image": {"url": "s3://bucket/a.png"}})
    answer = {"uuid": made.uuid, "name": "a", "attributes": {"image": {"url": "s3://bucket/a.png"}}}
    signed = {**answer, "attributes": {"image": {"url": "s3://bucket/a.png", "signed_url": urls[0]}}}
    sandbox.fail("GET", f"/samples/{made.uuid}/", status=200, json=signed)
    sandbox.fail("GET", f"/samples/{made.uuid}/", status=200, json=answer)

    report = await patient.assets.download_many([made], tmp_path)
    other = await patient.assets.download_many([made], tmp_path / "new")

    assert report.results[0].value[0].read_bytes() == b"png 0"
    assert isinstance(other.failures[0].error, DecodeError)
    assert "s3://bucket/a.png" in str(other.failures[0].error)


async def test_failures_are_reported_and_the_rest_continues(patient, sandbox, urls, tmp_path):
    """Each item has its own outcome, and names what was wrong."""
    sandbox.fail(
        "GET", urls[1].rpartition("/")[2], origin="storage", status=200, body="<html>", content_type="text/html"
    )
    sandbox.fail("GET", urls[2].rpartition("/")[2], origin="storage", times=None, drop="before")
    items = [urls[0], urls[1], urls[2], f"{sandbox.storage_url}/none.png", 7, "ftp://x", {"uuid": "u", "name": "n"}]
    items.append("http://[x/a.png")

    report = await patient.assets.download_many(items, tmp_path)

    outcomes = {outcome.index: outcome for outcome in report.results}
    assert {index: outcome.status for index, outcome in outcomes.items()} == {0: "created"} | dict.fromkeys(
        range(1, 8), "failed"
    )
    assert isinstance(outcomes[1].error, DecodeError)
    assert isinstance(outcomes[2].error, TransportError)
    assert isinstance(outcomes[3].error, NotFoundError)
    assert urls[1] in str(outcomes[1].error)
    assert [str(outcomes[index].error) for index in (4, 5, 6)] == [
        "items[4]: expected a URL or a sample, got int",
        "items[5]: expected a URL that begins with https:// or http://, got 'ftp://x'",
        "items[6].attributes: the sample has no files",
    ]
    assert set(report.retry_items) == {urls[2], items[7]}
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(BulkError):
        await patient.assets.download_many(items, tmp_path, on_error="raise")


async def test_cut(patient, sandbox, urls, tmp_path):
    """The download of a large file resumes."""
    sandbox.fail("GET", "*", origin="storage", times=2, drop="middle")

    report = await patient.assets.download_many([urls[5]], tmp_path)

    assert report.results[0].value[0].stat().st_size == 3_000_000
    assert [call.status for call in sandbox.calls] == [200, 206, 206]
    assert (report.requests, report.retries) == (3, 2)


async def test_full_disk(patient, urls, tmp_path, monkeypatch):
    """Items fail with the folder's file in their words."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segments_async._transfer.partial.AtomicFile._flush", full)

    report = await patient.assets.download_many(urls, tmp_path, max_failures=2)

    assert report.stopped == "max_failures"
    assert all("No space left on device" in str(outcome.error) for outcome in report.failures if outcome.error)
    assert list(tmp_path.iterdir()) == []


async def test_invalid_folder(patient, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below", "a\0b"):
        with pytest.raises(InputError, match="cannot be used") as caught:
            await patient.assets.download_many([], folder)
        assert caught.value.path == "folder"


async def test_cancelled(patient, sandbox, urls, tmp_path):
    """No partial file is left."""
    sandbox.fail("GET", "*", origin="storage", times=None, status=None, rate=100_000)
    with anyio.move_on_after(0.2):
        await patient.assets.download_many(urls[5:], tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_bounded(sandbox, urls, tmp_path, clock):
    """No more at once than allowed."""
    async with AsyncSegments(
        sandbox.api_key, base_url=sandbox.url, clock=clock.settings, max_connections=2, retry=RetryPolicy(attempts=1)
    ) as client:
        most, gate = 0, client._session.pool.storage_gate_for(urls[0])

        async def watch():
            nonlocal most
            while True:
                most = max(most, gate.limiter.in_flight)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await client.assets.download_many(urls, tmp_path)
            group.cancel_scope.cancel()
    assert 1 <= most <= 2


class TestRead:
    async def test_content(self, patient, sandbox, urls):
        assert await patient.assets.read(urls[0]) == b"png 0"
        sandbox.fail("GET", "*", origin="storage", drop="middle")
        assert await patient.assets.read(urls[5], max_bytes=3_000_000) == bytes(3_000_000)

    async def test_too_large(self, patient, urls):
        with pytest.raises(InputError, match="is larger than 2,999,999 bytes") as caught:
            await patient.assets.read(urls[5], max_bytes=2_999_999)
        assert caught.value.path == "url"

    async def test_redirect(self, patient, sandbox, urls):
        """It is followed without the key; a redirect loop ends with an error."""
        name = urls[0].rpartition("/")[2]
        sandbox.fail("GET", name, origin="storage", status=302, headers={"Location": urls[1]})
        assert await patient.assets.read(urls[0]) == b"png 1"
        sandbox.fail("GET", name, origin="storage", times=None, status=302, headers={"Location": urls[0]})
        with pytest.raises(DecodeError, match="redirected more than 5 times"):
            await patient.assets.read(urls[0])

    @pytest.mark.parametrize("url", [7, "", "a.png", "file:///etc/passwd", "s3://bucket/a.png"])
    async def test_value_that_is_not_a_url(self, patient, url):
        with pytest.raises(InputError, match="expected a URL") as caught:
            await patient.assets.read(url)
        assert caught.value.path == "url"

    async def test_invalid_bytes(self, patient):
        with pytest.raises(InputError) as caught:
            await patient.assets.read("https://s3.test/a.png", max_bytes=0)
        assert caught.value.path == "max_bytes"
