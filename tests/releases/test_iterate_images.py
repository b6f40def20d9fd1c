"""Releases whose samples have several images, whose signed URLs have expired, or that are read again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from segments_async import (
    ApiError,
    AsyncSegments,
    DecodeError,
    InputError,
    NotFoundError,
    OutOfResourcesError,
    structure,
)
from segments_async._releases.images import views_of
from segments_async.images import encode_bitmap
from segments_async.models import Label, ReleaseSample
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

IDS = np.ones((4, 6), np.uint32)


def png_of(number):
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (number, 0, 0)).save(file, "PNG")
    return file.getvalue()


def url_of(name):
    return f"https://example.com/{name}"


def frames_of(*names):
    return {"frames": [{"image": {"url": url_of(name)}} for name in names]}


def cloud_of(*cameras):
    images = [{"url": url_of(camera), "name": camera} for camera in cameras]
    return {"pcd": {"url": url_of("a.pcd"), "type": "pcd"}, "images": images}


def box(number):
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[0, 0], [1, 1]], "track_id": number}


def drawn(*numbers):
    """The label of a sequence, with a box in each frame."""
    return {"frames": [{"annotations": [box(number)]} for number in numbers]}


def sensors_of(task_type="image-vector-sequence", **sensors):
    return {"sensors": [{"name": name, "task_type": task_type, "attributes": given} for name, given in sensors.items()]}


@pytest.mark.parametrize(
    ("attributes", "label", "views"),
    [
        ({"image": {"url": url_of("a")}}, {"annotations": [box(1)]}, [("a", None, None, None, [1])]),
        ({"image": {"url": url_of("a")}}, None, [("a", None, None, None, [])]),
        (
            frames_of("a", "b", "c"),
            drawn(1, 2),
            [("a", 0, None, None, [1]), ("b", 1, None, None, [2]), ("c", 2, None, None, [])],
        ),
        (cloud_of("left", "right"), None, [("left", None, None, "left", []), ("right", None, None, "right", [])]),
        ({"frames": [cloud_of("left"), cloud_of()]}, None, [("left", 0, None, "left", [])]),
        (
            sensors_of(front=frames_of("f0", "f1"), back=frames_of("b0", "b1")),
            sensors_of(front=drawn(1, 2), back=drawn(3)),
            [
                ("f0", 0, "front", None, [1]),
                ("b0", 0, "back", None, [3]),
                ("f1", 1, "front", None, [2]),
                ("b1", 1, "back", None, []),
            ],
        ),
        (cloud_of(), None, []),
        ({"text": "of an unknown kind"}, None, []),
        (None, None, []),
    ],
)
def test_views(attributes, label, views):
    """Frame by frame, and in each sensor by sensor, camera by camera; each with its part of the label."""
    sample = structure({"uuid": "u", "name": "n", "attributes": attributes}, ReleaseSample)
    given = None if label is None else structure({"attributes": label}, Label).attributes
    assert [
        (
            view.image.url.removeprefix(url_of("")),
            view.frame,
            view.sensor,
            view.camera and view.camera.name,
            [annotation.id for annotation in view.annotations],
        )
        for view in views_of(sample.attributes, given)
    ] == views


class Service:
    """A sandbox whose clock is set by hand, with methods that make images, samples and releases."""

    def __init__(self, client, sandbox, clock):
        self.client, self.sandbox, self.clock = client, sandbox, clock

    async def image(self, number, *, content=None):
        asset = await self.client.assets.upload(content or png_of(number), f"{number}.png")
        return asset.url

    async def signed(self, url):
        """Sign an address for a minute."""
        sample = await self.client.samples.create("sandbox/signed", url[-40:], {"image": {"url": url}})
        signed = await self.client.samples.get(sample.uuid, include_signed_urls=True)
        return signed.attributes.image.signed_url

    async def release(self, *, later=0):
        await self.client.releases.create("sandbox/flowers", "v1")
        release = await self.client.releases.wait("sandbox/flowers", "v1", poll=0.01)
        self.clock.now += later
        self.sandbox.url_seconds = 3600
        self.sandbox.clear_calls()
        return await self.client.releases.get("sandbox/flowers", "v1") if later else release

    def calls(self, origin, start):
        return [call for call in self.sandbox.calls if call.origin == origin and call.path.startswith(start)]


@pytest.fixture
async def service(clock, anyio_backend):
    with Sandbox(clock=clock.time) as sandbox:
        sandbox.url_seconds = 60
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, clock=clock.settings) as client:
            await client.datasets.create("signed", task_type="vector")
            yield Service(client, sandbox, clock)


async def test_sequences_and_sensors(service):
    """An item for each image, with its own bitmap and annotations; they can still be unpacked as four."""
    client = service.client
    await client.datasets.create("flowers", task_type="multisensor-sequence")
    urls = [await service.image(number) for number in range(4)]
    sensors = {
        name: {"frames": [{"image": {"url": url}} for url in pair]}
        for name, pair in (("front", urls[:2]), ("back", urls[2:]))
    }
    sample = await client.samples.create("sandbox/flowers", "s", sensors_of("image-segmentation-sequence", **sensors))
    bitmap = await service.image(0, content=encode_bitmap(IDS))
    one = {"id": 1, "category_id": 1, "track_id": 1}
    labels = {
        "front": {"frames": [{"annotations": [], "segmentation_bitmap": None}] * 2},
        "back": {
            "frames": [
                {"annotations": [one], "segmentation_bitmap": {"url": bitmap}},
                {"annotations": [], "segmentation_bitmap": None},
            ]
        },
    }
    await client.labels.put(sample.uuid, "ground-truth", sensors_of("image-segmentation-sequence", **labels))

    async with client.releases.iterate(await service.release()) as items:
        found = [item async for item in items]

    assert [(item.image.getpixel((0, 0))[0], item.sensor, item.frame, len(item.annotations)) for item in found] == [
        (0, "front", 0, 0),
        (2, "back", 0, 1),
        (1, "front", 1, 0),
        (3, "back", 1, 0),
    ]
    assert [item.bitmap is not None for item in found] == [False, True, False, False]
    assert np.array_equal(found[1].bitmap, IDS)
    _, image, label, bitmap = found[1]
    assert image.size == (6, 4)
    assert label is found[0].label
    assert bitmap is found[1].bitmap


async def test_cameras(service):
    """Images beside a point cloud: the camera says how the image is rotated; without a camera there is no image."""
    client = service.client
    await client.datasets.create("flowers", task_type="pointcloud-cuboid")
    camera = {"url": await service.image(7), "name": "left", "rotation": 3.0}
    await client.samples.create("sandbox/flowers", "a", {**cloud_of(), "images": [camera]})
    await client.samples.create("sandbox/flowers", "b", cloud_of())
    release = await service.release()

    async with client.releases.iterate(release) as items:
        item = await anext(items)
        with pytest.raises(InputError, match="images: sample 'b' has no image; pass images=False"):
            await anext(items)
    assert item.image.getpixel((0, 0))[0] == 7
    assert (item.camera.name, item.camera.rotation, item.frame, item.annotations) == ("left", 3.0, None, ())

    async with client.releases.iterate(release, images=False) as items:
        assert [item.sample.name async for item in items] == ["a", "b"]


@pytest.mark.parametrize("cached", [False, True])
async def test_addresses_that_expired(service, tmp_path, cached):
    """They are renewed, once for each sample; the label's current URL is used only for the same bitmap."""
    client = service.client
    await client.datasets.create("flowers", task_type="image-segmentation-sequence")
    now, old = [await service.image(number, content=encode_bitmap(IDS)) for number in range(2)]
    urls = [await service.signed(await service.image(number)) for number in range(2)]
    sample = await client.samples.create("sandbox/flowers", "s", {"frames": [{"image": {"url": url}} for url in urls]})
    one = {"id": 1, "category_id": 1, "track_id": 1}
    frames = [{"annotations": [one], "segmentation_bitmap": {"url": await service.signed(url)}} for url in (now, old)]
    await client.labels.put(sample.uuid, "ground-truth", {"frames": frames}, label_status="LABELED")
    release = await service.release(later=120)
    frames = [{"annotations": [one], "segmentation_bitmap": {"url": now}}] * 2
    await client.labels.put(sample.uuid, "ground-truth", {"frames": frames}, label_status="LABELED")
    service.sandbox.clear_calls()

    cache = tmp_path if cached else None
    async with client.releases.iterate(release, on_error="skip", cache=cache) as items:
        found = [item async for item in items]

    assert [item.image.getpixel((0, 0))[0] for item in found] == [0]
    assert np.array_equal(found[0].bitmap, IDS)
    [(skipped, error)] = items.skipped
    assert skipped.name == "s"
    assert type(error) is ApiError
    assert error.status == 403
    assert "Request has expired" in str(error)
    assert error.__notes__[-1] == "while fetching the label bitmap of sample 's', frame 1"
    assert len(service.calls("api", f"/samples/{sample.uuid}")) == 1


async def test_url_that_cannot_be_renewed(service):
    """A sample that was deleted since is named, and what was wanted of it."""
    client = service.client
    await client.datasets.create("flowers", task_type="vector")
    url = await service.signed(await service.image(1))
    sample = await client.samples.create("sandbox/flowers", "s", {"image": {"url": url}})
    release = await service.release(later=120)
    await client.samples.delete(sample.uuid)
    with pytest.raises(NotFoundError) as caught:
        async with client.releases.iterate(release) as items:
            await anext(items)
    shown = url.partition("?")[0]
    assert caught.value.__notes__ == [
        f"there is no sample {sample.uuid!r}, or the key has no access to it",
        f"raised while requesting a new URL for {shown}?..., because the last one expired",
        "while fetching the image of sample 's'",
    ]


async def test_cache(service, tmp_path):
    """The second epoch fetches nothing; content that is not an image is not kept; several may share the folder."""
    client = service.client
    await client.datasets.create("flowers", task_type="segmentation-bitmap")
    for number in range(3):
        url = await service.image(number, content=b"no image" if number == 2 else None)
        sample = await client.samples.create("sandbox/flowers", f"s{number}", {"image": {"url": url}})
        await client.labels.put_bitmap(sample, "ground-truth", IDS, [{"id": 1, "category_id": 1}])
    await service.release()
    path = await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")
    cache = tmp_path / "new" / "cache"
    report = await client.assets.download_many([url], cache)
    assert report.counts["created"] == 1

    for requests in (5, 1):  # what is not an image is fetched again: once if it was in the cache, and in each epoch
        service.sandbox.clear_calls()
        async with client.releases.iterate(path, cache=cache, on_error="skip") as items:
            found = [item async for item in items]
        assert [item.image.getpixel((0, 0))[0] for item in found] == [0, 1]
        assert all(np.array_equal(item.bitmap, IDS) for item in found)
        assert isinstance(items.skipped[0].error, DecodeError)
        assert len(service.sandbox.calls) == requests
        assert len(list(cache.iterdir())) == 4
        assert {name.name.partition("-")[0] for name in cache.iterdir()} == {"s0", "s1"}


async def test_cache_of_the_release_itself(service, tmp_path):
    """Its file is kept too, however it is named; that of another release is another."""
    client = service.client
    await client.datasets.create("flowers", task_type="vector")
    await client.samples.create("sandbox/flowers", "s", {"image": {"url": await service.image(1)}})
    release = await service.release()
    for source, fetched in ((("sandbox/flowers", "v1"), 2), ((release,), 0), (("sandbox/flowers", "v1"), 0)):
        service.sandbox.clear_calls()
        async with client.releases.iterate(*source, cache=tmp_path) as items:
            assert [item.sample.name async for item in items] == ["s"]
        assert len(service.calls("storage", "/")) == fetched
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == [".v1", "s", "v1"]

    await client.samples.create("sandbox/flowers", "t", {"image": {"url": await service.image(2)}})
    await client.releases.delete("sandbox/flowers", "v1")
    await service.release()
    async with client.releases.iterate("sandbox/flowers", "v1", cache=tmp_path) as items:
        assert [item.sample.name async for item in items] == ["s", "t"]


async def test_cache_that_cannot_be_written(service, tmp_path, monkeypatch):
    """It ends the run also where samples are skipped, as it would be the same for all of them."""
    client = service.client
    await client.datasets.create("flowers", task_type="vector")
    await client.samples.create("sandbox/flowers", "s", {"image": {"url": await service.image(1)}})
    release = await service.release()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match=r"cache: cannot be used \(File exists\)"):
        await client.releases.iterate(release, cache=file).__aenter__()

    def full(*_):
        raise OSError(28, "No space left on device")

    async with client.releases.iterate(release, cache=tmp_path, on_error="skip") as items:
        monkeypatch.setattr("segments_async._transfer.partial.AtomicFile._flush", full)
        with pytest.raises(OutOfResourcesError, match=r"cache: cannot be written \(No space left on device\)"):
            await anext(items)
