"""A checkpoint that cannot be written is refused before anything is sent, and the error says why."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from bulk_checks import samples
from echo_operation import Echo, bulk

from segments_async import InputError

pytestmark = pytest.mark.anyio
NOBODY = 65534


@pytest.fixture
def place():
    """A folder that another user reaches; the test runs as such a user if permissions do not bind its own."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        if is_root:
            os.chown(path, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield path
        path.chmod(0o700)
        os.seteuid(os.getuid())


class Numbers(Echo):
    """Numbers that the checkpoint identifies by their values."""

    kind, scope, service = "numbers", "all", "https://example.com"


async def used(place):
    path = place / "run.db"
    await bulk([1], Numbers(), checkpoint=path).collect()
    return path


async def read_only_file(place):
    (await used(place)).chmod(0o400)


async def unreadable_file(place):
    (await used(place)).chmod(0o200)


async def empty_read_only_file(place):
    (place / "run.db").touch(0o400)


async def read_only_folder(place):
    place.chmod(0o500)


async def used_in_a_read_only_folder(place):
    await used(place)
    place.chmod(0o500)


async def read_only_file_in_a_read_only_folder(place):
    await read_only_file(place)
    place.chmod(0o500)


CASES = [
    (read_only_file, "run.db cannot be written: it is read-only"),
    (empty_read_only_file, "run.db cannot be written: it is read-only"),
    (unreadable_file, "run.db cannot be read: permission denied"),
    (read_only_folder, "run.db cannot be written: its folder is read-only"),
    (used_in_a_read_only_folder, "run.db cannot be written: its folder is read-only"),
    (read_only_file_in_a_read_only_folder, "run.db cannot be written: its folder is read-only"),
]


@pytest.mark.parametrize(("make", "words"), CASES, ids=[make.__name__ for make, _ in CASES])
async def test_read_only(place, make, words):
    await make(place)
    operation = Numbers()
    with pytest.raises(InputError, match=words) as caught:
        await bulk(range(5), operation, checkpoint=place / "run.db").collect()
    assert caught.value.path == "checkpoint"
    assert operation.requests == []


async def test_every_call(client, sandbox, flowers, place):
    """Also where a run starts only after another one."""
    (place / "1.png").write_bytes(b"\x89PNG")
    (place / "out").mkdir()
    place.chmod(0o500)
    path = place / "run.db"
    sandbox.clear_calls()
    for call in (
        lambda: client.samples.create_many(flowers, samples(2), checkpoint=path),
        lambda: client.samples.upload_files(flowers, place, checkpoint=path),
        lambda: client.samples.update_many([{"uuid": "a", "priority": 1}], checkpoint=path),
        lambda: client.samples.delete_many(flowers, ["a"], checkpoint=path),
        lambda: client.labels.put_many([{"sample_uuid": "a", "attributes": {}}], labelset="a", checkpoint=path),
        lambda: client.labels.update_many([{"sample_uuid": "a", "label_status": "REVIEWED"}], checkpoint=path),
        lambda: client.labels.get_many(["a"], checkpoint=path),
        lambda: client.labels.delete_many(["a"], checkpoint=path),
        lambda: client.assets.download_many(client.samples.list(flowers), place / "out", checkpoint=path),
    ):
        with pytest.raises(InputError, match="its folder is read-only"):
            await call()
    assert not sandbox.calls
