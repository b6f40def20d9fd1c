"""A download that was cancelled, failed or killed resumes in the next call, and never from a part of another file."""

from __future__ import annotations

import json
import sys

import anyio
import httpx
import pytest

from segments_async import AsyncSegments, NotFoundError, OutOfResourcesError, RetryPolicy, TransportError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        sys.platform == "win32", reason="nothing stays where there are no locks that end with a process"
    ),
]

DATASET = "sandbox/flowers"
SCRIPT = """
import sys, anyio
from segments_async import AsyncSegments

async def main(url, key, path):
    async with AsyncSegments(key, base_url=url) as client:
        await client.releases.download("sandbox/flowers", "v1", path)

anyio.run(main, *sys.argv[1:])
"""


@pytest.fixture
async def release(sandbox, client, tmp_path):
    """The bytes of a release ``v1`` of 8 MB."""
    await client.datasets.create("flowers", task_type="vector")
    sandbox.add_release(DATASET, "v1", samples=1, make=lambda _: {"pad": "x" * 8_000_000})
    path = await client.releases.download(DATASET, "v1", tmp_path / "whole.json")
    content = path.read_bytes()
    path.unlink()
    sandbox.clear_calls()
    return content


@pytest.fixture
def path(tmp_path):
    return tmp_path / "v1.json"


def part_of(path):
    return path.with_name(f".{path.name}.part")


def note_of(path):
    return path.with_name(f".{path.name}.part.json")


def asked(sandbox):
    """Status and ``Range`` of each request to the storage."""
    return [(call.status, call.headers.get("range")) for call in sandbox.calls if call.origin == "storage"]


async def wait_for_part(folder, size):
    """Wait until *size* bytes of a part are on disk."""
    with anyio.fail_after(20):
        while not any(part.stat().st_size >= size for part in folder.glob(".*.part")):  # noqa: ASYNC110 (others write it)
            await anyio.sleep(0.005)


async def leave_part(client, sandbox, path):
    """Cancel a download in the middle."""
    sandbox.fail("GET", "*", origin="storage", status=None, rate=4_000_000)
    async with anyio.create_task_group() as group:
        group.start_soon(client.releases.download, DATASET, "v1", path)
        await wait_for_part(path.parent, 1_200_000)
        group.cancel_scope.cancel()
    sandbox.clear_calls()
    assert not path.exists()
    return part_of(path).stat().st_size


async def test_killed(sandbox, release, path):
    """A process that is killed leaves a part from which the next one resumes."""
    sandbox.fail("GET", "*", origin="storage", status=None, rate=4_000_000)
    command = [sys.executable, "-c", SCRIPT, sandbox.url, sandbox.api_key, str(path)]
    async with await anyio.open_process(command, stdin=None, stdout=None, stderr=None) as process:
        await wait_for_part(path.parent, 1_200_000)
        process.kill()
    left = part_of(path).stat().st_size

    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.releases.download(DATASET, "v1", path)
        received = client.stats().bytes_received

    assert asked(sandbox)[1:] == [(206, f"bytes={left - 1}-")]
    assert received < len(release) - left + 10_000
    assert path.read_bytes() == release
    assert list(path.parent.iterdir()) == [path]


async def test_cancelled(client, sandbox, release, path):
    left = await leave_part(client, sandbox, path)

    reported = []
    await client.releases.download(DATASET, "v1", path, progress=reported.append)

    assert asked(sandbox) == [(206, f"bytes={left - 1}-")]
    assert reported[-1].done == len(release)
    assert path.read_bytes() == release
    assert list(path.parent.iterdir()) == [path]


async def test_cancelled_in_a_cache(client, sandbox, release, tmp_path):
    """What an iteration keeps is gone on with in the same way."""

    async def iterate():
        async with client.releases.iterate(DATASET, "v1", images=False, cache=tmp_path):
            pass

    sandbox.fail("GET", "*", origin="storage", status=None, rate=4_000_000)
    async with anyio.create_task_group() as group:
        group.start_soon(iterate)
        await wait_for_part(tmp_path, 1_200_000)
        group.cancel_scope.cancel()
    sandbox.clear_calls()

    await iterate()

    assert [status for status, _ in asked(sandbox)] == [206]
    assert [entry.read_bytes() for entry in tmp_path.iterdir() if not entry.name.endswith(".sha256")] == [release]
    assert len(list(tmp_path.iterdir())) == 2


async def test_failed(patient, sandbox, release, path):
    """Whatever the error, also twice; the existing file is not touched until the end."""
    path.write_text("the old one")
    for answers in ({"drop": "middle"}, {"status": 404}):
        sandbox.fail("GET", "*", origin="storage", **answers)
    with pytest.raises(NotFoundError):
        await patient.releases.download(DATASET, "v1", path)
    sandbox.fail("GET", "*", origin="storage", status=404)
    with pytest.raises(NotFoundError):
        await patient.releases.download(DATASET, "v1", path)
    assert path.read_text() == "the old one"
    sandbox.clear_calls()

    await patient.releases.download(DATASET, "v1", path)

    [(status, part)] = asked(sandbox)
    assert status == 206
    assert int(part[6:-1]) > 1_000_000
    assert path.read_bytes() == release


async def test_part_that_is_whole(client, sandbox, release, path):
    """It was killed before it was renamed: the server is asked whether it is still that."""
    await leave_part(client, sandbox, path)
    part_of(path).write_bytes(release)

    await client.releases.download(DATASET, "v1", path)

    assert asked(sandbox) == [(206, f"bytes={len(release) - 1}-")]
    assert path.read_bytes() == release


async def test_content_that_changed(client, sandbox, release, path):
    """The download starts again, and the tag of the new content is recorded."""
    await leave_part(client, sandbox, path)
    key = next(iter(sandbox._store.objects))
    sandbox.add_release(DATASET, "other", samples=1100)
    sandbox._store.objects[key] = list(sandbox._store.objects.values())[-1]
    for answers in ({"drop": "middle"}, {"status": 404}):
        sandbox.fail("GET", "*", origin="storage", **answers)

    with pytest.raises(NotFoundError):
        await client.releases.download(DATASET, "v1", path)
    await client.releases.download(DATASET, "v1", path)

    assert [status for status, _ in asked(sandbox)] == [200, 404, 206]
    assert len(json.loads(path.read_bytes())["dataset"]["samples"]) == 1100


async def test_another_release_to_the_same_path(client, sandbox, release, path):
    await leave_part(client, sandbox, path)
    sandbox.add_release(DATASET, "v2", samples=3)

    await client.releases.download(DATASET, "v2", path)

    assert asked(sandbox) == [(200, None)]
    assert len(json.loads(path.read_bytes())["dataset"]["samples"]) == 3
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("note", [b"", b"[]", b'{"etag": "x"}', b'{"address": 7, "etag": "x"}', b"\xff", None])
async def test_note_that_says_nothing(client, sandbox, release, path, note):
    """A part of unknown origin is discarded."""
    part_of(path).write_bytes(b"x" * 2_000_000)
    if note is not None:
        note_of(path).write_bytes(note)

    await client.releases.download(DATASET, "v1", path)

    assert asked(sandbox) == [(200, None)]
    assert path.read_bytes() == release
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("laid", ["folder", "symlink", "dangling symlink", "symlink of the note"])
async def test_something_else_of_that_name(client, release, path, tmp_path, laid):
    """It is neither written to nor followed."""
    other = tmp_path / "other"
    if laid == "folder":
        part_of(path).mkdir()
    else:
        (note_of if laid.endswith("note") else part_of)(path).symlink_to(other)
    if not laid.startswith("dangling"):
        other.write_text("mine")

    await client.releases.download(DATASET, "v1", path)

    assert path.read_bytes() == release
    assert not other.exists() if laid.startswith("dangling") else other.read_text() == "mine"


async def test_names_that_leave_no_room(client, release, tmp_path):
    """A name of 255 bytes has none for a part beside it."""
    path = tmp_path / ("n" * 255)

    await client.releases.download(DATASET, "v1", path)

    assert path.read_bytes() == release
    assert list(tmp_path.iterdir()) == [path]


async def test_two_at_once(client, sandbox, release, path):
    """The first has the lock on the part; the second downloads on its own."""
    sandbox.fail("GET", "*", origin="storage", status=None, rate=6_000_000)
    async with anyio.create_task_group() as group:
        group.start_soon(client.releases.download, DATASET, "v1", path)
        await wait_for_part(path.parent, 1_200_000)
        await client.releases.download(DATASET, "v1", path)
        assert path.read_bytes() == release
        assert part_of(path).exists()

    assert asked(sandbox) == [(200, None)] * 2
    assert path.read_bytes() == release
    assert list(path.parent.iterdir()) == [path]


async def test_cancelled_beside_another(client, sandbox, release, path):
    """A download without the lock leaves nothing, and does not touch the part."""
    sandbox.fail("GET", "*", origin="storage", times=2, status=None, rate=4_000_000)
    async with anyio.create_task_group() as group:
        group.start_soon(client.releases.download, DATASET, "v1", path)
        await wait_for_part(path.parent, 1_200_000)
        with anyio.move_on_after(0.2):
            await client.releases.download(DATASET, "v1", path)
        group.cancel_scope.cancel()

    assert set(path.parent.iterdir()) == {part_of(path), note_of(path)}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"x" * 1_000_000, {"ETag": '"1"'}),
        (b"x" * 3_000_000, {"ETag": 'W/"1"'}),
        (b"x" * 3_000_000, {}),
    ],
    ids=["too little", "weak tag", "no tag"],
)
async def test_what_is_not_worth_it_does_not_stay(clock, path, content, headers):
    def serve(request):
        if request.url.host != "s3.test":
            url = "https://s3.test/v1.json"
            return httpx.Response(200, json={"name": "v1", "status": "SUCCEEDED", "attributes": {"url": url}})
        return httpx.Response(200, content=content, headers={"Content-Length": "9000000", **headers})

    transport, once = httpx.MockTransport(serve), RetryPolicy(attempts=1)
    async with AsyncSegments("key", transport=transport, clock=clock.settings, retry=once) as client:
        with pytest.raises(TransportError, match=r"received [0-9,]+ of 9,000,000 bytes"):
            await client.releases.download(DATASET, "v1", path)

    assert list(path.parent.iterdir()) == []


async def test_full_disk(client, release, path, monkeypatch):
    """What came is in the way then."""

    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, chunk):
            if self._file.tell() > 1_500_000:
                raise OSError(28, "No space left on device")
            return self._file.write(chunk)

        def __getattr__(self, name):
            return getattr(self._file, name)

    from segments_async._transfer import resumable  # noqa: PLC0415

    opened = resumable._open_locked
    monkeypatch.setattr(resumable, "_open_locked", lambda part: Full(opened(part)))

    with pytest.raises(OutOfResourcesError, match="No space left on device"):
        await client.releases.download(DATASET, "v1", path)

    assert list(path.parent.iterdir()) == []
