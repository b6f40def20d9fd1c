"""The functions that make calls, against the sandbox."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from segments_async import (
    XYZ,
    XYZW,
    AlreadyExistsError,
    CalibratedImage,
    CameraExtrinsics,
    DecodeError,
    InputError,
    NotFoundError,
    PointcloudSampleAttributes,
    PointcloudSequenceSampleAttributes,
)
from segments_async.pointclouds import array_to_pcd, camera_rotations, find_camera_rotation, load_pointcloud_from_url

pytestmark = pytest.mark.anyio


async def test_load(client, tmp_path):
    """What was uploaded, by its address or by the `PCD` of its sample."""
    array_to_pcd([[1, 2, 3]], tmp_path / "a.pcd", intensity=[7], encoding="binary_compressed")
    asset = await client.assets.upload(tmp_path / "a.pcd")
    attributes = PointcloudSampleAttributes.from_url(asset.url)
    for address in (asset.url, attributes.pcd):
        cloud = await load_pointcloud_from_url(client, address)
        assert (cloud.positions.tolist(), cloud.intensity.tolist()) == ([[1, 2, 3]], [7])
    binary = await client.assets.upload(bytes(20), "a.bin")
    assert len(await load_pointcloud_from_url(client, binary.url, "nuscenes")) == 1


async def test_load_nothing(client):
    asset = await client.assets.upload(b"# .PCD\nDATA ascii\n", "a.pcd")
    with pytest.raises(DecodeError, match="url: the file is not a PCD file: its header has no FIELDS"):
        await load_pointcloud_from_url(client, asset.url)
    with pytest.raises(InputError, match="is larger than 5 bytes"):
        await load_pointcloud_from_url(client, asset.url, max_bytes=5)
    with pytest.raises(NotFoundError):
        await load_pointcloud_from_url(client, f"{asset.url}.missing")


OWN = XYZW(0.5, 0.5, 0.5, 0.5)


@pytest.fixture
async def drives(client):
    """A dataset of a sequence with two cameras, one of which is not calibrated, and a sample without cameras."""
    dataset = await client.datasets.create("drives", task_type="pointcloud-cuboid-sequence")
    extrinsics = CameraExtrinsics(translation=XYZ(1, 2, 3), rotation=OWN)
    images = [
        CalibratedImage(url="https://example.com/0.png", extrinsics=extrinsics),
        CalibratedImage(url="https://example.com/1.png"),
    ]
    frame = PointcloudSampleAttributes.from_url("https://example.com/0.pcd", images=images)
    await client.samples.create(dataset.full_name, "a", PointcloudSequenceSampleAttributes(frames=[frame]))
    await client.samples.create(
        dataset.full_name, "b", PointcloudSequenceSampleAttributes.from_urls(["https://example.com/1.pcd"])
    )
    return dataset.full_name


def shows(client, wanted, seen):
    """Look at the clone, as a person would, and recognise one rotation."""

    async def is_right(clone, candidate, number):
        samples = await client.samples.list(clone.full_name)
        rotation = samples[0].attributes.frames[0].images[0].extrinsics.rotation
        assert rotation == candidate.apply(OWN)
        seen.append(number)
        return candidate == wanted

    return is_right


async def test_find_camera_rotation(client, drives):
    """The clone shows each candidate in turn, and is deleted when one is right."""
    wanted, seen = camera_rotations()[5], []
    found = await find_camera_rotation(client, drives, is_right=shows(client, wanted, seen))
    assert (found, seen) == (wanted, [1, 2, 3, 4, 5, 6])
    assert [dataset.full_name for dataset in await client.datasets.list()] == [drives]
    [first, _] = await client.samples.list(drives)
    assert first.attributes.frames[0].images[0].extrinsics.rotation == OWN


async def test_no_rotation_is_right(client, drives):
    seen = []
    with pytest.raises(InputError, match="is_right: none of the 48 rotations is right"):
        await find_camera_rotation(client, drives, is_right=shows(client, None, seen))
    assert len(seen) == 48
    assert len(await client.datasets.list()) == 1


async def test_the_clone_is_deleted_whatever_happens(client, drives):
    async def fails(*_):
        raise RuntimeError("no screen")

    async def hangs(started, *_):
        started.set()
        await anyio.sleep_forever()

    with pytest.raises(InputError, match="is_right: raised RuntimeError: no screen"):
        await find_camera_rotation(client, drives, is_right=fails)
    started = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(partial(find_camera_rotation, client, drives, is_right=partial(hangs, started)))
        await started.wait()
        group.cancel_scope.cancel()
    assert len(await client.datasets.list()) == 1


async def test_a_dataset_of_the_clones_name_is_left_alone(client, drives):
    """The official SDK deletes it."""
    await client.datasets.create("drives-find-camera-rotation")
    with pytest.raises(AlreadyExistsError):
        await find_camera_rotation(client, drives)
    assert len(await client.datasets.list()) == 2


async def test_without_cameras(client):
    dataset = await client.datasets.create("flowers")
    with pytest.raises(InputError, match="dataset: has no sequences of point clouds with cameras"):
        await find_camera_rotation(client, dataset.full_name)


async def test_the_question_on_the_terminal(client, drives, monkeypatch):
    """It is asked until the answer is one."""
    answers, asked = iter(["", "maybe", "N", " Yes "]), []

    def answer(question):
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    assert await find_camera_rotation(client, drives) == camera_rotations()[1]
    assert (
        asked[-1]
        == "Do the images in sandbox/drives-find-camera-rotation fit the point clouds (rotation 2 of 48)? [y/n] "
    )
