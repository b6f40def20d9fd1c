"""Files in bulk, to the storage that plays S3 and then to the service, on real sockets."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
from bulk_checks import check_report, names_on, posts

from segments_async import (
    URL,
    ApiError,
    AsyncSegments,
    AuthenticationError,
    FileSample,
    ImageSampleAttributes,
    InputError,
    NotFoundError,
    RetryPolicy,
    ServerError,
)

pytestmark = pytest.mark.anyio


def pictures(folder, count):
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(b"picture " + path.name.encode())
    return paths


def uploads(sandbox):
    return [call for call in sandbox.calls if call.origin == "storage"]


def stored(sandbox, dataset="sandbox/flowers"):
    """What the storage has for each sample, by name."""
    assets = sandbox.assets()
    return {record["name"]: assets[record["attributes"]["image"]["url"]] for record in sandbox.samples(dataset)}


async def test_paths(client, sandbox, flowers, tmp_path):
    paths = pictures(tmp_path, 20)

    report = await client.samples.upload_files(flowers, tmp_path.glob("*.png"))

    check_report(report)
    assert dict(report.counts) == {"created": 20}
    assert stored(sandbox) == {path.name: path.read_bytes() for path in paths}
    assert len(uploads(sandbox)) == 20
    assert len(posts(sandbox)) == 2
    assert {outcome.uuid for outcome in report.results} == {r["uuid"] for r in sandbox.samples(flowers)}


async def test_no_credentials_reach_the_storage(client, sandbox, flowers):
    await client.samples.upload_files(flowers, [("a.png", b"a")])
    [call] = uploads(sandbox)
    assert "authorization" not in call.headers
    assert int(call.headers["content-length"]) == call.body_bytes


async def test_kinds_of_items(client, sandbox, flowers, tmp_path):
    path = pictures(tmp_path, 1)[0]
    opened = io.BytesIO(b"opened")
    given = {"name": "mapping", "files": b"mapping", "priority": 2}
    with path.open("rb") as file:
        report = await client.samples.upload_files(
            flowers,
            [
                str(path),
                ("pair.png", b"pair"),
                ("pair of a path", path),
                ("memory", memoryview(b"memory")),
                FileSample("opened", opened),
                FileSample("file", file, metadata={"a": 1}, priority=3, assigned_labeler="jane", readme="# Hi"),
                given,
            ],
        )

    check_report(report)
    assert dict(report.counts) == {"created": 7}, report.failures
    picture = path.read_bytes()
    assert stored(sandbox) == {
        "000.png": picture,
        "pair.png": b"pair",
        "pair of a path": picture,
        "memory": b"memory",
        "opened": b"opened",
        "file": picture,
        "mapping": b"mapping",
    }
    records = {record["name"]: record for record in sandbox.samples(flowers)}
    assert (records["file"]["metadata"], records["file"]["priority"]) == ({"a": 1}, 3)
    assert (records["file"]["assigned_labeler"], records["file"]["readme"]) == ("jane", "# Hi")
    assert records["mapping"]["priority"] == 2
    assert given == {"name": "mapping", "files": b"mapping", "priority": 2}


async def test_several_files_for_one_sample(client, sandbox, flowers, tmp_path):
    """The callable gets the assets in the order of the files."""
    paths = pictures(tmp_path, 3)
    clip = FileSample(
        "clip",
        [str(paths[0]), b"second", paths[2]],
        lambda assets: {"frames": [{"image": {"url": asset.url}} for asset in assets]},
    )
    model = FileSample("model", b"x", lambda assets: ImageSampleAttributes(image=URL(url=assets[0].url)))

    report = await client.samples.upload_files(flowers, [clip, model])

    assert dict(report.counts) == {"created": 2}
    assets = sandbox.assets()
    [record] = [record for record in sandbox.samples(flowers) if record["name"] == "clip"]
    contents = [assets[frame["image"]["url"]] for frame in record["attributes"]["frames"]]
    assert contents == [paths[0].read_bytes(), b"second", paths[2].read_bytes()]


class TestBadInput:
    """One file is bad, the others are uploaded."""

    async def test_files(self, client, sandbox, flowers, tmp_path):
        good = pictures(tmp_path, 2)
        empty, large = tmp_path / "empty.png", tmp_path / "large.png"
        empty.touch()
        with large.open("wb") as file:
            file.truncate(100_000_001)
        missing = tmp_path / "missing.png"

        report = await client.samples.upload_files(flowers, [good[0], missing, empty, large, tmp_path, good[1]])

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["created", *["failed"] * 4, "created"]
        words = [str(outcome.error) for outcome in report.failures]
        assert words[0].startswith("files[1]: cannot be read (No such file or directory): ")
        assert words[1] == f"files[2]: is empty: {empty}"
        assert words[2].startswith("files[3]: ")
        assert "100 MB" in words[2]
        assert words[3].startswith("files[4]: ")
        for outcome, path in zip(report.failures, [missing, empty, large, tmp_path], strict=True):
            assert type(outcome.error) is InputError
            assert str(path) in str(outcome.error)
        assert sorted(names_on(sandbox)) == ["000.png", "001.png"]
        assert len(uploads(sandbox)) == 2

    @pytest.mark.parametrize(
        ("item", "words"),
        [
            (5, "files[0]: expected a path, a (name, content) pair or a FileSample, got int"),
            (b"bytes", "files[0]: expected a path, a (name, content) pair or a FileSample, got bytes"),
            (("a", b"b", "c"), "files[0]: expected a path, a (name, content) pair or a FileSample, got tuple"),
            ("", "files[0].name: expected a name, got ''"),
            (("", b"x"), "files[0].name: expected a name, got ''"),
            ((7, b"x"), "files[0].name: expected a string, got int"),
            (("a.png", b""), "files[0]: is empty: a.png"),
            (("a.png", 7), "files[0]: expected a path, bytes or an open file, got int"),
            (("a.png", None), "files[0]: expected a path, bytes or an open file, got NoneType"),
            (
                FileSample("a", io.StringIO("text")),
                "files[0]: expected a file whose read() returns bytes; open it with mode 'rb'",
            ),
            (FileSample("a", b"1", {"image": {}}), "files[0].attributes: expected a callable, got dict"),
            (FileSample("a", []), "files[0].files: a sample needs a file"),
            (
                FileSample("a", [b"1", b"2"]),
                "files[0]: a sample of 2 files needs 'attributes', a function of their assets",
            ),
            (
                FileSample("a", b"1", lambda _: {"image": {"url": 7}}),
                "files[0].attributes.image.url: expected a string, got int",
            ),
            (FileSample("a", b"1", lambda _: None), "files[0].attributes: expected an object, got null"),
            (FileSample("a", b"1", metadata={"x": float("nan")}), "files[0].metadata.x: NaN is not JSON"),
        ],
    )
    async def test_items(self, client, flowers, item, words):
        report = await client.samples.upload_files(flowers, [item, ("good", b"x")])
        check_report(report)
        assert [outcome.status for outcome in report.results] == ["failed", "created"]
        assert str(report.results[0].error) == words

    async def test_mapping_that_does_not_fit(self, client, flowers):
        report = await client.samples.upload_files(flowers, [{"name": "a", "file": b"x"}, {1: 2}])
        assert report.failed == 2
        assert "does not fit FileSample" in str(report.results[0].error)

    async def test_local_mistakes_cost_no_upload(self, client, sandbox, flowers):
        """What can be known before the upload is refused before it."""
        items = [FileSample("a", [b"1", b"2"]), FileSample("b", b"1", metadata={"x": float("nan")})]
        report = await client.samples.upload_files(flowers, items)
        assert report.failed == 2
        assert uploads(sandbox) == []

    @pytest.mark.parametrize("concurrency", [1, None])
    async def test_callable_that_raises(self, client, sandbox, flowers, concurrency):
        """Its sample fails alone, and the caller's own exception is the cause."""

        def attributes(assets):
            raise error

        error = ZeroDivisionError()
        items = [("good", b"x"), FileSample("bad", b"x", attributes), *((f"{n}", b"x") for n in range(50))]
        report = await client.samples.upload_files(flowers, items, concurrency=concurrency)
        assert dict(report.counts) == {"created": 51, "failed": 1}
        failure = report.results[1].error
        assert str(failure) == "files[1].attributes: raised ZeroDivisionError"
        assert failure.__cause__ is error
        assert failure.__notes__[0].startswith("raised in attributes (test_upload_files.py, line ")

    async def test_duplicates(self, client, sandbox, flowers, tmp_path):
        report = await client.samples.upload_files(flowers, [("a", b"1"), ("a", b"2")])
        assert dict(report.counts) == {"created": 1, "failed": 1}
        assert len(uploads(sandbox)) == 1


class TestOnce:
    """An uploaded file is not sent again."""

    async def test_batch_that_is_halved(self, client, sandbox, flowers):
        fault = sandbox.fail("POST", "/samples_bulk/", status=413, times=3)
        report = await client.samples.upload_files(flowers, [(f"{n}", b"x") for n in range(8)], batch_size=8)
        check_report(report)
        assert fault.hits == 3
        assert dict(report.counts) == {"created": 8}
        assert len(uploads(sandbox)) == 8

    async def test_batch_that_is_repeated(self, patient, sandbox):
        await patient.datasets.create("flowers")
        sandbox.fail("POST", "/samples_bulk/", status=502, times=3)
        sandbox.fail("POST", "/samples_bulk/", drop="after")
        report = await patient.samples.upload_files("sandbox/flowers", [(f"{n}", b"x") for n in range(5)])
        assert dict(report.counts) == {"created": 5}
        assert len(uploads(sandbox)) == 5

    async def test_one_bad_sample(self, client, sandbox, flowers):
        bad = FileSample("bad", b"x", lambda assets: {"nonsense": assets[0].url})
        report = await client.samples.upload_files(flowers, [("a", b"x"), bad, ("b", b"x")])
        assert [outcome.status for outcome in report.results] == ["created", "failed", "created"]
        assert len(uploads(sandbox)) == 3

    async def test_batches_by_bytes(self, client, sandbox, flowers):
        """Sizes are known only after the uploads, and still limit the batches."""
        items = [FileSample(f"{n}", b"x", metadata={"text": "x" * 1_500_000}) for n in range(5)]
        report = await client.samples.upload_files(flowers, items)
        assert report.succeeded == 5
        assert len(posts(sandbox)) == 3


class TestFaults:
    """What the storage and the service do to uploads."""

    @pytest.mark.parametrize("fault", [{"status": 503}, {"drop": "before"}, {"drop": "after"}])
    async def test_storage_that_stumbles(self, patient, sandbox, fault):
        await patient.datasets.create("flowers")
        sandbox.fail("POST", "/", origin="storage", times=3, **fault)
        report = await patient.samples.upload_files("sandbox/flowers", [(f"{n}", b"x") for n in range(5)])
        check_report(report)
        assert dict(report.counts) == {"created": 5}
        assert len(uploads(sandbox)) == 8

    async def test_storage_that_refuses(self, client, sandbox, flowers):
        """Its 403 concerns a signature, not our key: the run continues."""
        sandbox.fail("POST", "/", origin="storage", status=403, body="<Error><Code>AccessDenied</Code></Error>")
        report = await client.samples.upload_files(flowers, [(f"{n}", b"x") for n in range(5)])
        check_report(report)
        assert (dict(report.counts), report.stopped) == ({"failed": 1, "created": 4}, None)
        error = report.failures[0].error
        assert type(error) is ApiError
        assert (error.status, error.detail) == (403, "AccessDenied")
        assert "ignature" not in str(error)

    async def test_failed_upload_may_be_tried_again(self, sandbox):
        """The sample was not sent, so its outcome is failed and not unknown."""
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=RetryPolicy(bulk_attempts=1)) as client:
            await client.datasets.create("flowers")
            sandbox.fail("POST", "/", origin="storage", drop="before")
            sandbox.fail("POST", "/assets/", status=500)
            items = [(f"{n}", b"x") for n in range(5)]
            report = await client.samples.upload_files("sandbox/flowers", items)
            check_report(report)
            assert dict(report.counts) == {"failed": 2, "created": 3}
            assert any(type(outcome.error) is ServerError for outcome in report.failures)
            again = await client.samples.upload_files("sandbox/flowers", report.retry_items)
        assert dict(again.counts) == {"created": 2}
        assert len(names_on(sandbox)) == 5

    async def test_fatal(self, client, sandbox, flowers):
        sandbox.fail("POST", "/assets/", status=401, times=None)
        items = [(f"{n}", b"x") for n in range(100)]
        report = await client.samples.upload_files(flowers, items, concurrency=2)
        check_report(report)
        assert report.stopped == "fatal"
        assert type(report.failures[0].error) is AuthenticationError
        assert report.failed <= 2
        assert len(report.retry_items) == 100
        assert uploads(sandbox) == []

    async def test_dataset_that_is_not_there(self, client, sandbox):
        report = await client.samples.upload_files("sandbox/nothing", [(f"{n}", b"x") for n in range(100)])
        check_report(report)
        assert (report.stopped, report.succeeded) == ("fatal", 0)


@pytest.mark.parametrize(
    ("concurrency", "connections", "batch_size", "most"),
    [(1, 32, None, 1), (3, 32, 1, 3), (3, 32, 100, 3), (None, 4, None, 4), (50, 5, 2, 5)],
)
async def test_concurrency(sandbox, client, flowers, concurrency, connections, batch_size, most):
    """The number of uploads in flight reaches the limit and does not exceed it."""
    running = peak = 0

    class Counting(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            nonlocal running, peak
            is_file = request.url.port != httpx.URL(sandbox.url).port
            running += is_file
            peak = max(peak, running)
            try:
                return await super().handle_async_request(request)
            finally:
                running -= is_file

    async with AsyncSegments(
        sandbox.api_key, base_url=sandbox.url, max_connections=connections, transport=Counting()
    ) as counted:
        items = [(f"{n}", b"x") for n in range(15)]
        report = await counted.samples.upload_files(flowers, items, concurrency=concurrency, batch_size=batch_size)
    check_report(report)
    assert report.succeeded == 15
    assert 1 <= peak <= most


async def test_if_exists_error(client, sandbox, flowers):
    await client.samples.upload_files(flowers, [("a", b"1")])
    report = await client.samples.upload_files(flowers, [("a", b"2"), ("b", b"2")], if_exists="error")
    assert [outcome.status for outcome in report.results] == ["failed", "created"]


async def test_endless_input(client, sandbox, flowers, tmp_path):
    """Files are taken only when there is room, and left alone after a stop."""
    taken = 0

    def files():
        nonlocal taken
        while True:
            taken += 1
            yield (f"{taken}", b"" if taken > 40 else b"x")

    report = await client.samples.upload_files(flowers, files(), max_failures=3)
    check_report(report)
    assert (report.stopped, report.exhausted) == ("max_failures", False)
    assert taken == report.total < 200


async def test_file_that_vanishes(client, sandbox, flowers, tmp_path):
    """Between the look and the upload: an error of that file, and of no other."""
    paths = pictures(tmp_path, 3)
    sandbox.fail("POST", "/assets/", status=None, delay=0.05, times=1)
    vanished = False

    class Vanishing(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            nonlocal vanished
            if request.url.path == "/assets/" and not vanished:
                vanished = True
                paths[0].unlink()
            return await super().handle_async_request(request)

    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=Vanishing()) as other:
        report = await other.samples.upload_files(flowers, [Path(path) for path in paths], concurrency=1)
    check_report(report)
    assert dict(report.counts) == {"failed": 1, "created": 2}
    assert str(paths[0]) in str(report.failures[0].error)
    assert type(report.failures[0].error) is InputError


@pytest.mark.parametrize("item", ["scan.pcd", ("frame 1", "scan.LAZ"), FileSample("a.ply", b"ply")])
async def test_a_point_cloud_is_not_uploaded_as_an_image(client, item, tmp_path, monkeypatch):
    """A dataset would have an image that cannot be opened; the error shows how to upload it."""
    monkeypatch.chdir(tmp_path)
    report = await client.samples.upload_files("jane/flowers", [item])

    [failure] = report.failures
    assert isinstance(failure.error, InputError)
    assert "is a point cloud, but a sample of one file without 'attributes' is an image; write FileSample(" in str(
        failure.error
    )


def questions(sandbox):
    return [call for call in sandbox.calls if (call.method, call.path) == ("GET", "/datasets/sandbox/flowers/")]


async def test_a_missing_dataset(client, sandbox, tmp_path):
    """It is asked for first, so that no file is sent."""
    files = pictures(tmp_path, 40)

    report = await client.samples.upload_files("sandbox/nowhere", files)

    assert report.stopped == "fatal"
    assert {type(outcome.error) for outcome in report.failures} == {NotFoundError}
    assert (report.failed + report.unsent, len(report.retry_items)) == (40, 40)
    assert [call.method for call in sandbox.calls if call.path != "/user"] == ["GET"]
    assert str(report).endswith("(there is no dataset 'sandbox/nowhere', or the key has no access to it)")


async def test_the_dataset_is_asked_for_once(client, sandbox, flowers, tmp_path):
    """One that the service has returned need not be asked for; a dry run sends nothing."""
    files = pictures(tmp_path, 40)
    await client.samples.upload_files(flowers, files, dry_run=True)
    assert not questions(sandbox)
    check_report(await client.samples.upload_files(flowers, files))
    assert len(questions(sandbox)) == 1

    dataset = await client.datasets.get(flowers)
    check_report(await client.samples.upload_files(dataset, files))
    assert len(questions(sandbox)) == 2


async def test_a_question_that_fails(client, sandbox, flowers, tmp_path):
    """Whatever else is wrong with it, the files are sent."""
    sandbox.fail("GET", "/datasets/sandbox/flowers/", status=400, times=1)
    check_report(await client.samples.upload_files(flowers, pictures(tmp_path, 3)))
    assert len(uploads(sandbox)) == 3


async def test_a_refused_key_sends_no_file(client, sandbox, flowers, tmp_path):
    report = await client.with_options(api_key="wrong-key").samples.upload_files(flowers, pictures(tmp_path, 3))
    assert (report.stopped, {type(outcome.error) for outcome in report.failures}) == ("fatal", {AuthenticationError})
    assert {call.method for call in sandbox.calls if "wrong" in call.headers.get("authorization", "")} == {"GET"}
