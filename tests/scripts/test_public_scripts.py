"""Scripts that people published for this service, written anew for this client."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from script_inputs import PETS, picture

from segments_async import (
    FileSample,
    LabelPut,
    PointcloudCuboidAnnotation,
    SampleCreate,
    open_release,
)
from segments_async.images import load_image

pytestmark = pytest.mark.anyio


async def test_release_file_to_semantic_masks(client, segmented, tmp_path):
    """A release file on disk to masks in a folder of its own; from norlab-ulaval/droneSegmentation."""
    await client.releases.create(segmented, "V0.1")
    await client.releases.wait(segmented, "V0.1", poll=0.01)
    release = await client.releases.download(segmented, "V0.1", tmp_path / "Drone_dataset_2-V0.1.json")

    report = await client.releases.export(
        release, tmp_path / "data/annotations", "semantic", label_status=["labeled", "reviewed"]
    )

    masks = sorted(report.folder.glob("*_label_ground-truth_semantic.png"))
    assert [path.name[0] for path in masks] == ["0", "1"]
    with Image.open(masks[0]) as mask:
        assert np.asarray(mask)[2, 3] == 2


async def test_release_and_wait(client, segmented, state, tmp_path):
    """Create a release of the season, poll until it is there, export it; from a survey of seals ("Scott Base")."""
    name = "v1.2"
    if name not in [release.name for release in await client.releases.list(segmented)]:
        await client.releases.create(segmented, name)
    release = await client.releases.wait(segmented, name, poll=0.01)
    async with client.releases.open(release) as opened:
        labelled = [sample.name async for sample in opened.samples(label_status=["LABELED", "REVIEWED"])]
    report = await client.releases.export(release, tmp_path, "coco-instance", label_status=["LABELED", "REVIEWED"])

    assert labelled == ["0.png", "1.png"]
    assert len(json.loads(report.file.read_text())["images"]) == 2
    assert [release["name"] for release in state("/datasets/sandbox/forest/releases/")] == ["v1.2"]


async def test_folder_of_images_and_masks(client, state, tmp_path):
    """Upload a folder of images, each with the mask that an earlier tool made; from a notebook for a data lake."""
    images, masks = tmp_path / "image", tmp_path / "labels"
    images.mkdir()
    masks.mkdir()
    for number in range(1, 12):
        (images / f"cobble {number}.jpg").write_bytes(picture())
        Image.fromarray(np.eye(6, 8, dtype=np.uint8) * 255).save(masks / f"cobble {number}.png")
    (images / ".DS_Store").write_bytes(b"x")
    categories = {"format_version": "0.1", "categories": [{"id": 1, "name": "cobble"}]}
    dataset = await client.datasets.create("cobbles", task_type="segmentation-bitmap", task_attributes=categories)

    uploaded = await client.samples.upload_files(dataset, images)
    uploaded.raise_if_failed()
    bitmaps = []
    for outcome in uploaded.results:
        with Image.open(masks / f"{Path(outcome.key).stem}.png") as mask:
            ids = (np.asarray(mask) > 127).astype(np.uint32)
        bitmaps.append({"sample_uuid": outcome.uuid, "array": ids, "annotations": [{"id": 1, "category_id": 1}]})
    (await client.labels.put_bitmaps(bitmaps)).raise_if_failed()

    assert [outcome.key for outcome in uploaded.results] == [f"cobble {number}.jpg" for number in range(1, 12)]
    listed = state("/datasets/sandbox/cobbles/samples/", labelset="ground-truth")
    assert {sample["label"]["label_status"] for sample in listed} == {"PRELABELED"}
    assert len(listed) == 11


async def test_datasets_of_a_user(client, segmented, tmp_path):
    """List the datasets of a user, take one, and export it; from a classifier of litter."""
    names = [dataset.name async for dataset in client.datasets.list("sandbox")]
    dataset = await client.datasets.get(f"sandbox/{names[0]}")
    await client.releases.create(dataset, "export")
    release = await client.releases.wait(dataset, "export", poll=0.01)

    report = await client.releases.export(release, tmp_path, "coco-instance")

    assert names == ["forest"]
    found = json.loads(report.file.read_text())
    assert [category["name"] for category in found["categories"]] == ["cat", "dog", "other"]
    assert len(found["annotations"]) == report.samples == 3


async def test_bitmaps_as_boolean_arrays(client, segmented, tmp_path):
    """Fetch the bitmap of every labelled sample and save it for training; from a robot that walks through forests."""
    async with client.samples.stream(segmented, labelset="ground-truth") as samples:
        async for sample in samples:
            if sample.label is not None:
                array, _ = await client.labels.get_bitmap(sample)
                np.save(tmp_path / Path(sample.name).with_suffix(".npy"), array.astype(bool))

    saved = sorted(tmp_path.iterdir())
    assert [path.name for path in saved] == ["0.npy", "1.npy", "2.npy"]
    assert np.load(saved[0]).sum() == 8


async def test_sequence_of_point_clouds(client, state, tmp_path):
    """Clouds, camera images and ego poses of a drive, as one sample; from a student's ``Test_3D_1``."""
    for number in range(3):
        (tmp_path / f"{number}.pcd").write_bytes(b"# .PCD v.7 %d" % number)
        (tmp_path / f"{number}.jpg").write_bytes(picture())
    files = [path for number in range(3) for path in (tmp_path / f"{number}.pcd", tmp_path / f"{number}.jpg")]

    def frames(assets):
        return {
            "frames": [
                {
                    "name": f"frame_{number}",
                    "timestamp": str(1_600_000_000_000_000_000 + number),
                    "pcd": {"url": assets[2 * number].url, "type": "pcd"},
                    "images": [{"url": assets[2 * number + 1].url, "row": 0, "col": 0}],
                    "ego_pose": {
                        "position": {"x": 1.5 * number, "y": 0, "z": 0},
                        "heading": {"qx": 0, "qy": 0, "qz": 0, "qw": 1},
                    },
                }
                for number in range(3)
            ]
        }

    await client.datasets.create("Test_3D_1", task_type="pointcloud-cuboid-sequence")
    report = await client.samples.upload_files(
        "sandbox/Test_3D_1", [FileSample("sequence_6", files, attributes=frames, metadata={"drive": 6})]
    )
    report.raise_if_failed()

    [sample] = state("/datasets/sandbox/Test_3D_1/samples/")
    stored = state(f"/samples/{sample['uuid']}/")["attributes"]["frames"]
    assert [frame["ego_pose"]["position"]["x"] for frame in stored] == [0, 1.5, 3.0]
    assert [frame["timestamp"] for frame in stored][2] == "1600000000000000002"
    assert len({frame["pcd"]["url"] for frame in stored}) == 3
    assert sample["metadata"] == {"drive": 6}


async def test_cuboids_of_a_labels_file(client, state, tmp_path):
    """Put the cuboids of a release file back, moved by a calibration; from a script for LiDAR labels."""
    categories = {"format_version": "0.1", "categories": [{"id": 0, "name": "UNKNOWN"}, {"id": 1, "name": "CAR"}]}
    dataset = await client.datasets.create("lidar", task_type="pointcloud-cuboid", task_attributes=categories)
    clouds = (SampleCreate(f"{n}.pcd", {"pcd": {"url": f"https://e.com/{n}.pcd", "type": "pcd"}}) for n in range(3))
    created = await client.samples.create_many(dataset, clouds)
    car = PointcloudCuboidAnnotation.from_yaw((10, 2, 0.8), (4.5, 1.8, 1.6), 0.5, id=1, category_id=1)
    labels = [LabelPut(outcome.uuid, {"annotations": [car]}, label_status="LABELED") for outcome in created.results]
    (await client.labels.put_many(labels)).raise_if_failed()
    await client.releases.create(dataset, "before")
    await client.releases.wait(dataset, "before", poll=0.01)
    file = await client.releases.download(dataset, "before", tmp_path / "labels.json")

    async def moved():
        async with open_release(file) as release:
            async for sample in release.samples(labelset="ground-truth", label_status="labeled"):
                label = sample.labels["ground-truth"]
                for cuboid in label.attributes.annotations:
                    cuboid.position.z += 0.2
                yield LabelPut(sample.uuid, label.attributes, label_status="labeled")

    (await client.labels.put_many(moved(), dataset=dataset)).raise_if_failed()

    for outcome in created.results:
        stored = state(f"/labels/{outcome.uuid}/ground-truth/")
        [cuboid] = stored["attributes"]["annotations"]
        assert (cuboid["position"], cuboid["yaw"]) == ({"x": 10, "y": 2, "z": 1.0}, 0.5)
        assert (cuboid["type"], cuboid["category_id"], stored["label_status"]) == ("cuboid", 1, "LABELED")


async def test_split_by_metadata(client, state):
    """Write train, val and test into the metadata of samples, and read a split; as in many notebooks."""
    dataset = await client.datasets.create("split", task_type="bboxes", task_attributes={"categories": PETS})
    report = await client.samples.create_many(
        dataset, [{"name": f"{n}.jpg", "attributes": {"image": {"url": f"https://e.com/{n}.jpg"}}} for n in range(20)]
    )
    changes = [
        {"uuid": outcome.uuid, "metadata": {"split": "val" if number % 5 == 0 else "train", "fold": number % 4}}
        for number, outcome in enumerate(report.results)
    ]
    (await client.samples.update_many(changes)).raise_if_failed()

    val = await client.samples.list(dataset, metadata={"split": "val", "fold": 1})
    rejected = await client.samples.list(dataset, metadata="fold:>=3")
    deleted = await client.samples.delete_many(dataset, rejected)

    assert [sample.name for sample in val] == ["5.jpg"]
    assert (len(rejected), deleted.deleted_count) == (5, 5)
    left = state("/datasets/sandbox/split/samples/")
    assert len(left) == 15
    assert {sample["metadata"]["fold"] for sample in left} == {0, 1, 2}


async def test_images_for_inspection(client, segmented, tmp_path):
    """Download the images of a dataset under their own names, and open each; as people do before they train."""
    report = await client.assets.download_many(client.samples.list(segmented), tmp_path)
    report.raise_if_failed()

    paths = [path for outcome in report.results for path in outcome.value]
    assert [path.suffix for path in paths] == [".png"] * 4
    assert {load_image(path).size for path in paths} == {(8, 6)}
