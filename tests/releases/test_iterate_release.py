"""Releases with their images, labels and bitmaps, as a training loop reads them."""

from __future__ import annotations

import gc
import io
import sys
import threading
from contextlib import AsyncExitStack

import anyio
import numpy as np
import pytest
from PIL import Image
from waiting import settle, until

from segments_async import (
    ClientStateError,
    DecodeError,
    InputError,
    Label,
    NotFoundError,
    ReleaseItem,
)
from segments_async.images import encode_bitmap

pytestmark = pytest.mark.anyio

DATASET = "sandbox/flowers"
COUNT = 8
SIZE = (6, 4)


def png_of(number):
    file = io.BytesIO()
    Image.new("RGB", SIZE, (number * 10, 0, 0)).save(file, "PNG")
    return file.getvalue()


def ids_of(number):
    ids = np.zeros(SIZE[::-1], np.uint32)
    ids[:2] = number + 1
    return ids


@pytest.fixture
async def release(client, sandbox):
    """Eight images, of which those with an even number have a bitmap, as a release that is built."""
    await client.datasets.create("flowers", task_type="segmentation-bitmap")
    for number in range(COUNT):
        image = await client.assets.upload(png_of(number), f"s{number}.png")
        sample = await client.samples.create(DATASET, f"s{number}", {"image": {"url": image.url}})
        if number % 2 == 0:
            annotations = [{"id": number + 1, "category_id": 1}]
            await client.labels.put_bitmap(sample, "ground-truth", ids_of(number), annotations, label_status="LABELED")
    await client.releases.create(DATASET, "v1")
    release = await client.releases.wait(DATASET, "v1", poll=0.01)
    sandbox.clear_calls()
    return release


async def names_of(block):
    async with block as items:
        return [item.sample.name async for item in items]


def fetched(sandbox, ending=".png"):
    return [call for call in sandbox.calls if call.origin == "storage" and call.path.endswith(ending)]


async def test_items(client, release):
    """Sample, image, label and bitmap, in the order of the file; they can be unpacked."""
    async with client.releases.iterate(release) as items:
        assert items.release.dataset.task_type == "segmentation-bitmap"
        found = [item async for item in items]

    assert [item.sample.name for item in found] == [f"s{number}" for number in range(COUNT)]
    for number, item in enumerate(found):
        _, image, label, bitmap = item
        assert isinstance(item, ReleaseItem)
        assert image.size == SIZE
        assert image.getpixel((0, 0)) == (number * 10, 0, 0)
        if number % 2 == 0:
            assert isinstance(label, Label)
            assert label.attributes.annotations[0].id == number + 1
            assert np.array_equal(bitmap, ids_of(number))
        else:
            assert label is None
            assert bitmap is None


async def test_file_on_disk(client, release, tmp_path):
    """A downloaded file is iterated over repeatedly, without requests to the API."""
    path = await client.releases.download(DATASET, "v1", tmp_path / "v1.json")
    for source in (path, str(path)):
        assert len(await names_of(client.releases.iterate(source, prefetch=3))) == COUNT


async def test_filters_and_shards(client, release, sandbox):
    assert await names_of(client.releases.iterate(release, label_status="LABELED")) == ["s0", "s2", "s4", "s6"]
    shards = [await names_of(client.releases.iterate(release, shard=(index, 3), images=False)) for index in range(3)]
    assert shards == [["s0", "s3", "s6"], ["s1", "s4", "s7"], ["s2", "s5"]]
    assert await names_of(client.releases.iterate(release, shard=(9, 10))) == []


async def test_what_is_not_wanted_is_not_fetched(client, release, sandbox):
    async with client.releases.iterate(release, images=False, bitmaps=False) as items:
        assert all([item.image is None and item.bitmap is None async for item in items])
    assert fetched(sandbox) == []
    async with client.releases.iterate(release, images=False) as items:
        assert [item.bitmap is not None async for item in items] == [True, False] * 4
    assert len(fetched(sandbox)) == 4


async def test_prefetch_is_bounded(client, release, sandbox):
    """No more samples than *prefetch* are fetched ahead of the consumer."""
    async with client.releases.iterate(release, prefetch=2, bitmaps=False) as items:
        for count in (2, 3):
            await until(lambda: len(fetched(sandbox)) >= count)  # noqa: B023 (called at once)
            await settle(client)
            assert len(fetched(sandbox)) == count
            await anext(items)


async def test_decoding_is_off_the_event_loop(client, release, monkeypatch):
    threads = set()

    def note(content):
        threads.add(threading.get_ident())

    monkeypatch.setattr("segments_async.images.load_image", note)
    monkeypatch.setattr("segments_async.images.decode_bitmap", note)
    assert len(await names_of(client.releases.iterate(release))) == COUNT
    assert threads
    assert threading.get_ident() not in threads


async def test_leaving_early(client, release, sandbox):
    """Requests in flight are cancelled, and the temporary file is removed."""
    async with client.releases.iterate(release) as items:
        path = items.release.path
        assert path.exists()
        async for _ in items:
            break
    assert not path.exists()
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012
        async with client.releases.iterate(release) as items:
            await anext(items)
            raise LookupError("mine")
    with anyio.CancelScope() as scope:
        async with client.releases.iterate(release) as items:
            await anext(items)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    gc.collect()
    assert len(await names_of(client.releases.iterate(release))) == COUNT


async def break_image(client, sandbox, *, missing):
    """A ninth sample, first by its name, whose image is missing or invalid."""
    asset = await client.assets.upload(b"<html>no image</html>", "broken.png")
    url = asset.url + "-gone" if missing else asset.url
    await client.samples.create(DATASET, "s", {"image": {"url": url}})
    await client.releases.create(DATASET, "v2")
    return await client.releases.wait(DATASET, "v2", poll=0.01)


@pytest.mark.parametrize(
    ("missing", "error", "words"),
    [
        (False, DecodeError, r"the image of sample 's' \(http.*\.png\): is not an image; it begins with b'<html>"),
        (True, NotFoundError, r"404 Not Found on GET http.*\.png-gone"),
    ],
)
async def test_broken_image(client, sandbox, release, missing, error, words):
    """The error names the sample; with "skip" the rest continues, and the report lists it."""
    broken = await break_image(client, sandbox, missing=missing)
    with pytest.raises(error, match=words) as caught:
        await names_of(client.releases.iterate(broken))
    assert "sample 's'" in str(caught.value) + "".join(getattr(caught.value, "__notes__", []))

    async with client.releases.iterate(broken, on_error="skip") as items:
        assert len([item async for item in items]) == COUNT
    [(sample, problem)] = items.skipped
    assert sample.name == "s"
    assert isinstance(problem, error)


async def test_sample_that_does_not_decode(client, release, tmp_path):
    path = await client.releases.download(DATASET, "v1", tmp_path / "v1.json")
    path.write_bytes(path.read_bytes().replace(b'"s3"', b"3"))
    with pytest.raises(DecodeError, match=r"samples\[3\].name"):
        await names_of(client.releases.iterate(path))
    async with client.releases.iterate(path, on_error="skip") as items:
        assert len([item async for item in items]) == COUNT - 1
    [(sample, error)] = items.skipped
    assert sample is None
    assert error.path.endswith("samples[3].name")


async def test_sample_that_is_not_an_image(client, sandbox):
    await client.datasets.create("clouds", task_type="pointcloud-cuboid")
    cloud = {"pcd": {"url": "https://example.com/1.pcd", "type": "pcd"}}
    await client.samples.create("sandbox/clouds", "c", cloud)
    await client.releases.create("sandbox/clouds", "v1")
    release = await client.releases.wait("sandbox/clouds", "v1", poll=0.01)
    with pytest.raises(InputError, match="images: sample 'c' has no image; pass images=False"):
        await names_of(client.releases.iterate(release))
    assert await names_of(client.releases.iterate(release, images=False)) == ["c"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prefetch": 0}, "prefetch: expected a whole number"),
        ({"prefetch": "16"}, "prefetch: expected a whole number"),
        ({"images": 1}, "images: expected True or False"),
        ({"bitmaps": None}, "bitmaps: expected True or False"),
        ({"on_error": "ignore"}, "on_error: expected 'raise' or 'skip'"),
        ({"shard": (3, 3)}, "shard: expected"),
        ({"shard": 1}, "shard: expected"),
    ],
)
async def test_invalid_arguments(client, options, words):
    with pytest.raises(InputError, match=words):
        client.releases.iterate("v1.json", **options)


async def test_release_that_cannot_be_iterated(client, release, tmp_path):
    with pytest.raises(InputError, match=r"v1\.json"):
        await names_of(client.releases.iterate(tmp_path / "v1.json"))
    with pytest.raises(InputError, match="predictions"):
        await names_of(client.releases.iterate(release, labelset="predictions"))
    items = client.releases.iterate(release)
    with pytest.raises(ClientStateError, match="inside its 'async with'"):
        await anext(items)
    async with items:
        pass
    for use in (items.__aenter__, items.__anext__):
        with pytest.raises(ClientStateError):
            await use()


async def test_missing_extra_is_named(client, monkeypatch):
    """Where it is asked for, and not at the first image; without images nothing is missing."""
    for name in [name for name in sys.modules if name.startswith("segments_async.images")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "segments-async\[images\]"'):
        client.releases.iterate("v1.json")
    client.releases.iterate("v1.json", images=False, bitmaps=False)


async def test_several_consumers(client, release):
    names = []

    async def work(items):
        async for item in items:
            names.append(item.sample.name)  # noqa: PERF401 (as it comes)

    async with AsyncExitStack() as stack:
        items = await stack.enter_async_context(client.releases.iterate(release, prefetch=3))
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(work, items)
    assert sorted(names) == [f"s{number}" for number in range(COUNT)]


async def test_bitmap_that_is_none(client, release, sandbox):
    """A bitmap is fetched and checked as an image is."""
    sample = await client.samples.list(DATASET).first()
    asset = await client.assets.upload(encode_bitmap(ids_of(0))[:60], "cut.png")
    attributes = {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": asset.url}}
    await client.labels.put(sample.uuid, "ground-truth", attributes)
    await client.releases.create(DATASET, "v3")
    cut = await client.releases.wait(DATASET, "v3", poll=0.01)
    with pytest.raises(DecodeError, match=r"the label bitmap of sample 's0' .*damaged"):
        await names_of(client.releases.iterate(cut))
