"""An exception that an item's value, file or function raises is that item's failure, in each operation."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import anyio
import hostile_values as hostile
import pytest
from bulk_checks import check_report, sample, samples
from hypothesis import HealthCheck, given, settings, strategies as st

from segments_async import (
    AsyncSegments,
    AuthenticationError,
    BulkError,
    ClientStateError,
    ConnectError,
    FileSample,
    InputError,
    NotFoundError,
    OutOfResourcesError,
    RetryPolicy,
)
from segments_async._transfer import local_files
from segments_async.sandbox import Sandbox

DATASET = "sandbox/flowers"
POLICY = RetryPolicy(attempts=1, bulk_attempts=1)


async def call(client, name, items, folder, **options):
    """Make a bulk call, which sends each request once."""
    client = client.with_options(retry=POLICY)
    resource, _, method = name.partition(".")
    run = getattr(getattr(client, resource), method)
    if name in {"samples.create_many", "samples.delete_many", "samples.upload_files"}:
        return await run(DATASET, items, **options)
    if name == "assets.download_many":
        return await run(items, folder, **options)
    return await run(items, **options)


async def good_items(client, name):
    """Two items that the service accepts."""
    if name == "samples.create_many":
        return samples(2)
    if name == "samples.upload_files":
        return [("good-0", b"x"), ("good-1", b"x")]
    await client.samples.create_many(DATASET, [sample("a"), sample("b")])
    uuids = [s.uuid for s in await client.samples.list(DATASET)]
    await client.labels.put_many([{"sample_uuid": uuid, "attributes": hostile.BOXES} for uuid in uuids])
    if name == "assets.download_many":
        return [(await client.assets.upload(b"picture", f"{n}.png")).url for n in range(2)]
    return {
        "samples.update_many": [{"uuid": uuid, "priority": 1} for uuid in uuids],
        "labels.put_many": [{"sample_uuid": uuid, "attributes": hostile.BOXES} for uuid in uuids],
        "labels.update_many": [{"sample_uuid": uuid, "score": 1} for uuid in uuids],
        "labels.put_bitmaps": [
            {"sample_uuid": uuid, "array": [[0, 1]], "annotations": [{"id": 1, "category_id": 1}]} for uuid in uuids
        ],
    }.get(name, uuids)


CASES = [(name, what) for name, items in hostile.ITEMS.items() for what in items]


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "what"), CASES)
async def test_only_that_item_fails(client, flowers, tmp_path, name, what):
    error = ZeroDivisionError("no")
    first, last = await good_items(client, name)
    bad = hostile.ITEMS[name][what](hostile.Trap(error))

    report = await call(client, name, [first, bad, last], tmp_path / "files")

    check_report(report)
    assert report.stopped is None
    assert report.succeeded >= 2
    failure = report.results[1]
    if failure.status == "failed":  # a value that is not asked for again is sent as it is
        assert failure.item is bad
        assert isinstance(failure.error, InputError | NotFoundError | ConnectError)
    if isinstance(failure.error, InputError) and "ZeroDivisionError" in str(failure.error):
        assert failure.error.__cause__ is error
        assert "[1]" in failure.error.path
        assert failure.error.__cause__.__traceback__ is None
    pickle.loads(pickle.dumps(report.as_error()))


@pytest.mark.anyio
@pytest.mark.parametrize("name", hostile.ITEMS)
async def test_a_failure_of_every_operation_has_its_cause(client, flowers, tmp_path, name):
    """In each operation, at least one value raises, and its error has a path and the cause."""
    error = ZeroDivisionError("no")
    items = [make(hostile.Trap(error)) for make in hostile.ITEMS[name].values()]
    report = await call(client, name, items, tmp_path / "files", check_duplicates=False)
    check_report(report)
    assert any(o.error is not None and o.error.__cause__ is error for o in report.results)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error",
    [
        ClientStateError("of another client"),
        AuthenticationError(401, "GET", "https://elsewhere/"),
        NotFoundError(404, "GET", "https://elsewhere/"),
        ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
        hostile.Unreadable(),
        StopIteration(),
        StopAsyncIteration(),
        TimeoutError(),
        RecursionError("too deep"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", ["name", "attributes", "read", "value"])
async def test_exceptions_of_any_class(client, flowers, tmp_path, error, place):
    """Errors of this package too: from a function of the caller, they say nothing about this client."""
    trap = hostile.Trap(error)
    path = tmp_path / "bad.png"
    path.write_bytes(b"x")
    bad = {
        "name": path,
        "attributes": FileSample("bad", b"x", hostile.function(trap)),
        "read": ("bad", hostile.Opened(trap)),
        "value": FileSample("bad", b"x", metadata={"at": hostile.moment(trap)}),
    }[place]
    name = {"name": hostile.function(trap)} if place == "name" else {}
    report = await client.samples.upload_files(flowers, [("good", b"x"), bad, ("last", b"x")], **name)

    check_report(report)
    assert (report.succeeded, report.failed, report.stopped) == (2, 1, None)
    failure = report.results[1]
    assert type(failure.error) is InputError
    assert failure.error.__cause__ is error or isinstance(error, RecursionError)
    assert not failure.retryable


@pytest.mark.anyio
@pytest.mark.parametrize("error", [ClientStateError("closed"), AuthenticationError(401)], ids=["closed", "key"])
async def test_a_name_that_raises_as_if_the_run_could_not_continue(client, flowers, error):
    """At any use of it, also as the name of the file."""
    for at in range(1, 20):
        trap = hostile.Trap(error, at)
        items = [hostile.ITEMS["samples.upload_files"]["name"](trap), (f"good-{at}", b"x")]
        report = await call(client, "samples.upload_files", items, None)
        assert (report.total, report.failed, report.stopped) == (2, trap.calls >= at, None)
    assert trap.calls < at  # every use was tried


@pytest.mark.anyio
async def test_an_input_error_of_the_caller_stays(client, flowers):
    """As when a function builds a model that refuses its arguments."""
    error = InputError("expected a camera", path="cameras[2]")
    report = await client.samples.upload_files(flowers, [FileSample("a", b"x", hostile.function(hostile.Trap(error)))])
    assert str(report.results[0].error) == "files[0].cameras[2]: expected a camera"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EMFILE, "Too many open files"), errno.EMFILE),
        (OSError(errno.ENFILE, "Too many open files in system"), errno.ENFILE),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), errno.EAGAIN),
        (MemoryError(), errno.ENOMEM),
        (RuntimeError("can't start new thread"), errno.EAGAIN),
    ],
)
@pytest.mark.parametrize("place", ["read", "attributes", "value"])
async def test_shortages_are_retryable(client, flowers, error, code, place):
    trap = hostile.Trap(error, once=True)
    bad = {
        "read": ("bad", hostile.Opened(trap)),
        "attributes": FileSample("bad", b"x", lambda assets: trap() or hostile.ASSETS(assets)),
        "value": FileSample("bad", b"x", metadata={"at": hostile.moment(trap)}),
    }[place]
    report = await client.samples.upload_files(flowers, [("good", b"x"), bad])
    if place == "value" and report.succeeded == 2:
        return  # the second look at the value found nothing wrong
    failure = report.results[1]
    assert type(failure.error) is OutOfResourcesError
    assert failure.error.errno == code
    assert failure.error.__cause__ is not None
    assert str(failure.error).startswith("files[1]")
    assert any(word in str(failure.error) for word in ("lower", "raise"))
    [again] = report.retry_items
    assert (await client.samples.upload_files(flowers, [again])).succeeded == 1


@pytest.mark.anyio
async def test_too_many_open_files(client, flowers, tmp_path, monkeypatch):
    """The limit of this process: the files that could be opened arrive, and the others come back to be sent again."""
    paths = [tmp_path / f"{n}.png" for n in range(12)]
    for path in paths:
        path.write_bytes(b"x" * 10)
    real = local_files._open
    opened = 0

    def few(path, name):
        nonlocal opened
        opened += 1
        if opened % 3 == 0:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)
        return real(path, name)

    monkeypatch.setattr(local_files, "_open", few)
    report = await client.samples.upload_files(flowers, paths)
    check_report(report)
    assert report.succeeded + len(report.retry_items) == 12
    assert {type(o.error) for o in report.failures} == {OutOfResourcesError}
    assert len(report.error_groups) == 1
    assert "ulimit -n" in next(iter(report.error_groups))
    monkeypatch.undo()
    assert (await client.samples.upload_files(flowers, report.retry_items)).succeeded == len(report.retry_items)


@pytest.mark.parametrize(("backend", "transport"), [("asyncio", None), ("trio", None), ("asyncio", "aiohttp")])
@pytest.mark.parametrize(
    "fault", [{"drop": "before"}, {"drop": "after"}, {"status": 500}, {"status": 200, "body": b"{"}]
)
def test_equal_failures_are_one_group_on_every_transport(backend, transport, fault):
    async def run():
        options = {} if transport is None else {"transport": transport}
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=POLICY, **options) as client:
            labels = [{"sample_uuid": f"{hostile.UUID[:-3]}{n:03}", "attributes": hostile.BOXES} for n in range(60)]
            reports.append(await client.labels.put_many(labels))
        async with AsyncSegments("a-key-123456", base_url="http://127.0.0.1:1", retry=POLICY, **options) as client:
            reports.append(await client.labels.put_many(labels))

    reports = []
    with Sandbox() as sandbox:
        sandbox.fail("PUT", "*", times=None, **fault)
        anyio.run(run, backend=backend)
    for report in reports:
        check_report(report)
        assert len(report.failures) == 60
        assert len(report.error_groups) == 1, list(report.error_groups)


def test_limit_of_open_files(sandbox, tmp_path):
    """The limit of a process, as ``ulimit -n`` sets it: nothing is taken for bad input, and all arrive in the end."""
    for n in range(150):
        (tmp_path / f"{n}.png").write_bytes(b"x" * 600_000)
    code = """
import asyncio, json, resource, sys
from segments_async import AsyncSegments, OutOfResourcesError, RetryPolicy, TransportError

async def main(url, key, folder):
    async with AsyncSegments(key, base_url=url, max_connections=100, retry=RetryPolicy(bulk_attempts=2)) as client:
        await client.datasets.create("limited")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (110, limits[1]))
        report = await client.samples.upload_files("sandbox/limited", folder)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert all(isinstance(o.error, OutOfResourcesError | TransportError) and o.retryable for o in report.failures)
        assert report.succeeded + len(report.retry_items) == 150
        again = await client.samples.upload_files("sandbox/limited", report.retry_items, concurrency=8)
        print(json.dumps([sum(isinstance(o.error, OutOfResourcesError) for o in report.failures), again.failed]))

asyncio.run(main(*sys.argv[1:]))
"""
    command = [sys.executable, "-c", code, sandbox.url, sandbox.api_key, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    short, failed = json.loads(done.stdout)
    assert short > 0
    assert failed == 0
    assert len(sandbox.samples("sandbox/limited")) == 150


@pytest.mark.anyio
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
async def test_full_disk_of_a_download(client, sandbox, flowers, tmp_path, monkeypatch, code):
    """It is not tried again at once, and says what to free; the other files continue."""
    urls = [(await client.assets.upload(b"x" * 3_000_000, f"{n}.png")).url for n in range(3)]

    def full(file):
        if file._path.name.startswith("1-"):
            raise OSError(code, os.strerror(code))
        real(file)

    from segments_async._transfer.partial import AtomicFile  # noqa: PLC0415

    real = AtomicFile._flush
    monkeypatch.setattr(AtomicFile, "_flush", full)
    sandbox.clear_calls()
    names = [{"uuid": f"u-{n}", "name": str(n), "attributes": {"image": {"url": url}}} for n, url in enumerate(urls)]
    report = await client.assets.download_many(names, tmp_path / "files")

    assert (report.succeeded, report.failed) == (2, 1)
    failure = report.results[1]
    assert type(failure.error) is OutOfResourcesError
    assert failure.error.errno == code
    assert "free" in str(failure.error)
    assert failure.retryable
    assert report.retry_items == [names[1]]
    assert len(list((tmp_path / "files").iterdir())) == 2
    assert len([c for c in sandbox.calls if c.method == "GET"]) == 3


@pytest.mark.anyio
async def test_one_corrupt_member_of_an_archive(client, flowers):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for n in range(20):
            archive.writestr(f"{n}.jpg", os.urandom(500))
    content = bytearray(buffer.getvalue())
    content[content.find(b"7.jpg") + 200] ^= 0xFF
    archive = zipfile.ZipFile(io.BytesIO(bytes(content)))
    report = await client.samples.upload_files(flowers, ((name, archive.open(name)) for name in archive.namelist()))
    check_report(report)
    assert dict(report.counts) == {"created": 19, "failed": 1}
    assert str(report.failures[0].error) == "files[7]: cannot be read (BadZipFile: Bad CRC-32 for file '7.jpg')"
    assert isinstance(report.failures[0].error.__cause__, zipfile.BadZipFile)


@pytest.mark.anyio
async def test_a_name_is_asked_for_once(client, sandbox, flowers, tmp_path):
    """A function that counts gives each sample one name, also if its item comes back to be sent again."""
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path in paths:
        path.write_bytes(b"x")
    asked = []

    def name(path):
        asked.append(path.name)
        return f"sample {len(asked)}"

    sandbox.fail("POST", "/samples_bulk/", status=401)
    failed = await client.samples.upload_files(flowers, paths, name=name)
    assert failed.stopped == "fatal"
    assert sorted(asked) == ["0.png", "1.png", "2.png"]
    assert [item.name for item in failed.retry_items] == ["sample 1", "sample 2", "sample 3"]


@pytest.mark.anyio
class TestSingleCalls:
    """An InputError with a path and the cause, before anything is sent."""

    @pytest.mark.parametrize("what", ["time", "mapping", "array", "uuid"])
    async def test_values(self, client, sandbox, flowers, what):
        created = await client.samples.create(flowers, "a", hostile.IMAGE)
        sandbox.clear_calls()

        def bad():
            return hostile.VALUES[what](hostile.Trap(error))

        error = ZeroDivisionError("no")
        calls = {
            "metadata.x": lambda: client.samples.create(flowers, "b", hostile.IMAGE, metadata={"x": bad()}),
            "attributes.x[0]": lambda: client.labels.put(created.uuid, "ground-truth", {**hostile.BOXES, "x": [bad()]}),
            "metadata.y": lambda: client.samples.update(created.uuid, metadata={"y": bad()}),
            "attributes.z": lambda: client.labels.update(created.uuid, "ground-truth", attributes={"z": bad()}),
        }
        for path, run in calls.items():
            with pytest.raises(InputError) as caught:
                await run()
            assert caught.value.path == path
            assert caught.value.__cause__ is error
            assert "ZeroDivisionError: no" in str(caught.value)
        assert sandbox.calls == ()

    @pytest.mark.parametrize(
        "make",
        [hostile.Opened, hostile.Located, hostile.attributed],
    )
    async def test_files(self, client, sandbox, make):
        error = ZeroDivisionError("no")
        sandbox.clear_calls()
        with pytest.raises(InputError) as caught:
            await client.assets.upload(make(hostile.Trap(error)), "x.png")
        assert caught.value.path == "file"
        assert caught.value.__cause__ is error
        assert sandbox.calls == ()

    async def test_bitmap(self, client, sandbox, flowers):
        created = await client.samples.create(flowers, "a", hostile.IMAGE)
        error = ZeroDivisionError("no")
        sandbox.clear_calls()
        with pytest.raises(InputError) as caught:
            await client.labels.put_bitmap(
                created.uuid, "ground-truth", hostile.array(hostile.Trap(error)), [{"id": 1, "category_id": 1}]
            )
        assert caught.value.path == "array"
        assert caught.value.__cause__ is error
        assert sandbox.calls == ()

    async def test_identifiers(self, client, sandbox, flowers):
        sandbox.clear_calls()
        for run in (
            client.samples.get,
            client.labels.get,
            client.samples.delete,
            lambda bad: client.labels.put(bad, "ground-truth", hostile.BOXES),
        ):
            error = ZeroDivisionError("no")
            with pytest.raises(InputError) as caught:
                await run(hostile.identifier(hostile.Trap(error)))
            assert caught.value.__cause__ is error
            assert caught.value.path in {"uuid", "sample_uuid"}
        assert sandbox.calls == ()


errors = st.sampled_from(
    [
        ValueError("no"),
        KeyError("width"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.EIO, "Input/output error"),
        MemoryError(),
        RecursionError(),
        RuntimeError("can't start new thread"),
        StopIteration(),
        StopAsyncIteration(),
        ClientStateError("closed"),
        AuthenticationError(401),
        InputError("no", path="x"),
        hostile.Unreadable(),
        ExceptionGroup("several", [ValueError()]),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "no"),
    ]
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(hostile.ITEMS)),
    data=st.data(),
    error=errors,
    at=st.integers(1, 12),
    once=st.booleans(),
    input_fails=st.booleans(),
    checkpointed=st.booleans(),
    options=st.fixed_dictionaries(
        {
            "on_error": st.sampled_from(["collect", "raise"]),
            "keep": st.sampled_from(["all", "failures"]),
            "concurrency": st.none() | st.integers(1, 3),
        }
    ),
)
def test_one_outcome_whatever_raises(
    tmp_path_factory, backend, name, data, error, at, once, input_fails, checkpointed, options
):
    """Any exception, of any value or function, at any call of it; also of the input, and of the progress."""
    folder = tmp_path_factory.mktemp("run")
    whats = data.draw(st.lists(st.sampled_from(sorted(hostile.ITEMS[name])), min_size=1, max_size=4))
    progress_at = data.draw(st.none() | st.integers(1, 3))
    taken = 0

    def given_items():
        nonlocal taken
        for what in whats:
            taken += 1
            yield hostile.ITEMS[name][what](hostile.Trap(error, at, once=once))
        if input_fails:
            raise error

    async def run():
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=POLICY) as client:
            await client.datasets.create("flowers")
            more = {"checkpoint": folder / "run.db"} if checkpointed else {}
            if progress_at is not None:
                more["progress"] = hostile.Trap(error, progress_at)
            try:
                report = await call(client, name, given_items(), folder / "files", **options, **more)
            except BulkError as caught:
                assert options["on_error"] == "raise" or input_fails
                return caught.report
            assert not input_fails or report.stopped is not None
            return report

    with Sandbox() as sandbox:
        report = anyio.run(run, backend=backend)
    assert report.total == taken
    if options["keep"] == "all":
        check_report(report)
    copy = pickle.loads(pickle.dumps(report.as_error()))
    assert copy.report.counts == report.counts
