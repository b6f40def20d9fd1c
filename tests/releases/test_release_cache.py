"""What is in a cache is checked, and what killed processes left there is swept."""

from __future__ import annotations

import io
import os
import sys
import time

import anyio
import pytest
from PIL import Image

from segments_async import DecodeError
from segments_async._transfer import shared_folder
from segments_async._transfer.file_names import file_name

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"


def png_of(number):
    file = io.BytesIO()
    Image.new("RGB", (60, 40), (number, number * 7, number * 13)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
async def cache(client, sandbox, tmp_path):
    """A cache with the files of three samples and their release."""
    await client.datasets.create("flowers", task_type="vector")
    for number in range(3):
        asset = await client.assets.upload(png_of(number), f"s{number}.png")
        await client.samples.create(DATASET, f"s{number}", {"image": {"url": asset.url}})
    await client.releases.create(DATASET, "v1")
    await client.releases.wait(DATASET, "v1", poll=0.01)
    folder = tmp_path / "cache"
    await epoch(client, folder)
    sandbox.clear_calls()
    return folder


async def epoch(client, cache, **options):
    async with client.releases.iterate(DATASET, "v1", cache=cache, **options) as items:
        return [item.image.getpixel((0, 0))[0] async for item in items]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def fetched(sandbox):
    return len([call for call in sandbox.calls if call.origin == "storage"])


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "damaged": lambda path: path.write_bytes(path.read_bytes()[:50] + b"????" + path.read_bytes()[54:]),
    "one bit": flip_a_bit,
    "other": lambda path: path.write_bytes(b"<html>Sign in</html>"),
}


async def test_a_release_made_again_under_its_name_is_fetched(client, sandbox, cache):
    """Its file has another address; the images are those of before."""
    await client.samples.delete((await client.samples.uuids(DATASET))["s0"])
    await client.releases.delete(DATASET, "v1")
    await client.releases.create(DATASET, "v1")
    await client.releases.wait(DATASET, "v1", poll=0.01)

    assert await epoch(client, cache) == [1, 2]
    assert fetched(sandbox) == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["s1-", "v1-"])
async def test_a_cached_file_that_is_bad_is_fetched_again(client, sandbox, cache, name, damage):
    """Once; afterwards the cache is good."""
    [path] = cache.glob(f"{name}*")
    DAMAGES[damage](path)

    assert await epoch(client, cache) == [0, 1, 2]
    assert fetched(sandbox) == 1
    assert await epoch(client, cache) == [0, 1, 2]
    assert fetched(sandbox) == 1


async def test_an_image_that_is_deleted_meanwhile(client, sandbox, cache):
    """The folder is listed once; a file that is gone later is fetched again."""
    async with client.releases.iterate(DATASET, "v1", cache=cache, prefetch=1) as items:
        await anext(items)
        for path in cache.glob("s*"):
            path.unlink()
        assert [item.image.getpixel((0, 0))[0] async for item in items][-1] == 2


async def test_an_image_that_stays_bad_is_reported(client, sandbox, cache):
    """It is fetched again once, not for ever."""
    asset = await client.assets.upload(b"bad", "bad.png")
    await client.samples.create(DATASET, "bad", {"image": {"url": asset.url}})
    await client.releases.create(DATASET, "v2")
    release = await client.releases.wait(DATASET, "v2", poll=0.01)
    (cache / file_name(asset.url, "bad")).write_bytes(b"worse")
    sandbox.clear_calls()

    async with client.releases.iterate(release, cache=cache, on_error="skip") as items:
        assert len([item async for item in items]) == 3

    [failure] = items.skipped
    assert isinstance(failure.error, DecodeError)
    assert str(failure.error).startswith("the image of sample 'bad'")
    assert "begins with b'bad'" in str(failure.error)
    assert fetched(sandbox) == 2  # the release and the image


async def test_a_cache_without_a_checksum(client, sandbox, cache):
    """That of an earlier version of this package: the release file is parsed once."""
    for path in cache.glob(".v1-*"):
        path.unlink()

    assert await epoch(client, cache) == [0, 1, 2]
    assert fetched(sandbox) == 0
    [release] = cache.glob("v1-*")
    for path in cache.glob(".v1-*"):
        path.unlink()
    release.write_bytes(release.read_bytes()[:-3])
    assert await epoch(client, cache) == [0, 1, 2]
    assert fetched(sandbox) == 1


def leave(folder, *names, age=0.0):
    for name in names:
        path = folder / name
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)


PARTS = [f".{'0123456789abcdef'[index] * 16}.part" for index in range(12)]


async def test_parts_of_killed_downloads_are_swept(client, cache):
    """Whatever their age if no other process uses the folder; other hidden files stay."""
    leave(cache, *PARTS, ".part", ".hidden", ".gitignore", ".notes.part")

    await epoch(client, cache)

    assert {path.name for path in cache.glob(".*") if not path.name.endswith("sha256")} == {
        ".part", ".hidden", ".gitignore", ".notes.part",
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on folders")
async def test_parts_of_others_stay_while_they_use_the_folder(client, cache):
    """Only those that did not grow for a day are swept then."""
    async with client.releases.iterate(DATASET, "v1", cache=cache) as items:
        await anext(items)
        leave(cache, *PARTS[:2])
        leave(cache, *PARTS[2:4], age=2 * shared_folder.MAX_AGE)
        report = await client.assets.download_many([], cache)
        assert report.total == 0
        assert {path.name for path in cache.glob(".*.part")} == set(PARTS[:2])
    await client.assets.download_many([], cache)
    assert not list(cache.glob(".*.part"))


async def test_resumable_parts_are_kept_for_a_week(client, cache):
    names = [".v1-0123456789abcdef.json.part", ".v1-0123456789abcdef.json.part.json"]
    leave(cache, *names)
    await epoch(client, cache)
    assert {path.name for path in cache.glob(".*part*")} == set(names)
    leave(cache, *names, age=8 * 24 * 3600)
    await epoch(client, cache)
    assert not list(cache.glob(".*part*"))


async def test_three_kills(sandbox, cache, client, tmp_path):
    """Processes that are killed during downloads leave parts, and the next one that uses the folder deletes them."""
    code = """
import contextlib, os, pathlib, sys, threading, time, anyio
from segments_async import AsyncSegments
async def main():
    async with AsyncSegments(sys.argv[1], base_url=sys.argv[2]) as client:
        async with client.releases.iterate("sandbox/flowers", "v1", cache=sys.argv[3]) as items:
            await anyio.sleep(30)
def big_parts():
    # The big image alone is still on its way when a tenth of a megabyte is here.
    return {part for part in pathlib.Path(sys.argv[3]).glob(".*.part") if part.stat().st_size > 100_000}
def kill_when_one_is_new(left):
    while True:
        with contextlib.suppress(FileNotFoundError):  # a small one was whole meanwhile
            if big_parts() - left:
                os._exit(9)
        time.sleep(0.01)
threading.Thread(target=kill_when_one_is_new, args=[big_parts()], daemon=True).start()
anyio.run(main)
"""
    folder = tmp_path / "killed"
    big = os.urandom(600_000)
    asset = await client.assets.upload(big, "big.png")
    await client.samples.create(DATASET, "big", {"image": {"url": asset.url}})
    await client.releases.delete(DATASET, "v1")
    await client.releases.create(DATASET, "v1")
    await client.releases.wait(DATASET, "v1", poll=0.01)
    sandbox.fail("GET", ".png", origin="storage", times=None, status=None, rate=300_000)
    for _ in range(3):
        command = [sys.executable, "-c", code, sandbox.api_key, sandbox.url, str(folder)]
        assert (await anyio.run_process(command, check=False)).returncode == 9
        assert list(folder.glob(".*.part"))
    await client.assets.download_many([], folder)

    assert not list(folder.glob(".*.part"))
