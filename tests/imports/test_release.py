"""A release file, imported into another dataset."""

from __future__ import annotations

import json

import numpy as np
import pytest
from coco_files import CATEGORIES, write
from round_trips import exported

from segments_async import DecodeError
from segments_async._serialization.converter import unstructure
from segments_async.images import decode_bitmap, encode_bitmap
from segments_async.imports import read_annotations
from segments_async.resources.importing.bitmaps import bitmap_urls, with_bitmap_urls

BOX = {"id": 5, "category_id": 7, "type": "bbox", "points": [[1, 2], [31.5, 40]], "attributes": {"torn": True}}
CUBOID = {
    "id": 1,
    "category_id": 1,
    "type": "cuboid",
    "position": {"x": 1, "y": 2, "z": 3},
    "dimensions": {"x": 1, "y": 2, "z": 3},
    "yaw": 0.5,
}


def release(samples, task_type="vector", labelsets=("ground-truth",)):
    return {
        "name": "v1",
        "dataset": {
            "name": "flowers",
            "owner": "jane",
            "task_type": task_type,
            "task_attributes": {"categories": CATEGORIES},
            "labelsets": [{"name": name} for name in labelsets],
            "samples": samples,
        },
    }


def sample(name, annotations=None, labelset="ground-truth", **more):
    label = None if annotations is None else {"label_status": "REVIEWED", "attributes": {"annotations": annotations}}
    image = {"image": {"url": f"https://example.com/{name}"}}
    return {"name": name, "attributes": image, "metadata": {"city": "Ulm"}, "labels": {labelset: label}, **more}


@pytest.mark.anyio
async def test_labels_stay_as_they_are(client, tmp_path):
    path = write(tmp_path, release([sample("a.jpg", [BOX]), sample("b.jpg")]))
    report = await client.datasets.import_annotations("copy", path, create=True)
    report.raise_if_failed()
    assert report.unlabeled == 1
    found = {
        one.name: one
        async for one in client.samples.list("sandbox/copy", labelset="ground-truth", include_full_label=True)
    }
    assert found["a.jpg"].attributes.image.url == "https://example.com/a.jpg"
    assert found["b.jpg"].metadata == {"city": "Ulm"}
    label = found["a.jpg"].label
    assert label.label_status == "REVIEWED"
    [shape] = label.attributes.annotations
    assert (shape.id, shape.category_id, shape.points, shape.attributes) == (5, 7, [[1, 2], [31.5, 40]], {"torn": True})


@pytest.mark.anyio
async def test_categories_get_the_ids_of_the_dataset(client, tmp_path):
    """In frames and sensors too."""
    categories = [{"id": 70, "name": "violet"}]
    await client.datasets.create("copy", task_type="vector", task_attributes={"categories": categories})
    path = write(tmp_path, release([sample("a.jpg", [BOX, {**BOX, "category_id": 1}])]))
    report = await client.datasets.import_annotations("sandbox/copy", path)
    report.raise_if_failed()
    assert report.left_out == {"annotations of category 'rose', which the dataset does not have": 1}
    [found] = [
        one async for one in client.samples.list("sandbox/copy", labelset="ground-truth", include_full_label=True)
    ]
    assert [one.category_id for one in found.label.attributes.annotations] == [70]


@pytest.mark.anyio
async def test_other_task_types(client, tmp_path):
    """Point clouds stay as they are; shapes become bitmaps where the dataset has bitmaps."""
    cloud = {**sample("a.pcd", [CUBOID]), "attributes": {"pcd": {"url": "https://example.com/a.pcd", "type": "pcd"}}}
    report = await client.datasets.import_annotations(
        "clouds", write(tmp_path, release([cloud], "pointcloud-cuboid")), create=True
    )
    report.raise_if_failed()
    label = await client.labels.get(report.samples.results[0].uuid)
    assert label.attributes.annotations[0].yaw == 0.5
    with read_annotations(write(tmp_path, release([sample("a.jpg", [BOX])]))) as annotations:
        assert annotations.format == "release"
        [label] = annotations.labels("bboxes")
        assert label.attributes["annotations"][0]["points"] == [[1, 2], [31.5, 40]]


@pytest.mark.anyio
async def test_bitmaps_are_copied(client, photos, tmp_path):
    dataset = await client.datasets.create("flowers", task_attributes={"categories": CATEGORIES})
    content = (photos("a.png") / "a.png").read_bytes()
    uploaded = await client.samples.upload_files(dataset, [("a.png", content)])
    array = np.kron(np.arange(12).reshape(3, 4), np.ones((16, 16), int))
    annotations = [{"id": number, "category_id": 1} for number in range(1, 12)]
    await client.labels.put_bitmap(
        uploaded.results[0].value, "ground-truth", array, annotations, label_status="LABELED"
    )
    await exported(client, dataset, tmp_path / "one", "coco-instance")
    path = await client.releases.download(dataset, "v1", tmp_path / "v1.json")
    report = await client.datasets.import_annotations("copy", path, create=True)
    report.raise_if_failed()
    found, _ = await client.labels.get_bitmap(report.samples.results[0].uuid)
    assert np.array_equal(found, array)
    old, new = [
        (await client.labels.get(one)).attributes.segmentation_bitmap.url
        for one in (uploaded.results[0].uuid, report.samples.results[0].uuid)
    ]
    assert old != new


@pytest.mark.anyio
async def test_bitmaps_of_frames_and_sensors_are_copied(client, tmp_path):
    """Each once; a frame without a bitmap stays without one."""
    arrays = [np.full((2, 3), number, np.uint32) for number in (1, 2)]
    old = [(await client.assets.upload(encode_bitmap(array), filename="bitmap.png")).url for array in arrays]
    frames = [
        {"annotations": [{"id": 1, "category_id": 1, "track_id": 4}], "segmentation_bitmap": url and {"url": url}}
        for url in (old[0], None, old[1], old[0])
    ]
    camera = {"name": "front", "task_type": "image-segmentation-sequence"}
    sensors = [
        {**camera, "attributes": {"frames": frames[:2]}},
        {**camera, "attributes": {"frames": frames[2:3]}},
    ]
    labels = {"image-segmentation-sequence": {"frames": frames}, "multisensor-sequence": {"sensors": sensors}}
    for task_type, attributes in labels.items():
        content = release([sample("drive", [])], task_type)
        content["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"] = attributes
        report = await client.datasets.import_annotations(task_type, write(tmp_path, content), create=True)
        report.raise_if_failed()
        label = await client.labels.get(report.samples.results[0].uuid)
        copied = unstructure(label.attributes)
        new = bitmap_urls(copied)
        assert len(new) == 2
        assert not set(old) & set(new)
        for array, url in zip(arrays, new, strict=True):
            assert np.array_equal(decode_bitmap(await client.assets.read(url)), array)
        assert bitmap_urls(with_bitmap_urls(copied, dict(zip(new, old, strict=True)))) == old
    assert copied["sensors"][0]["attributes"]["frames"][1].get("segmentation_bitmap") is None


@pytest.mark.anyio
async def test_a_bitmap_that_is_gone_fails_its_label(client, sandbox, tmp_path):
    """The next run with the checkpoint copies only what is missing."""
    url = (await client.assets.upload(encode_bitmap(np.ones((2, 3), np.uint32)), filename="bitmap.png")).url
    frames = [{"annotations": [], "segmentation_bitmap": {"url": one}} for one in (url, url + "-gone")]
    content = release([sample("drive", [])], "image-segmentation-sequence")
    content["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"] = {"frames": frames}
    path, checkpoint = write(tmp_path, content), tmp_path / "run.db"
    report = await client.datasets.import_annotations("copy", path, create=True, checkpoint=checkpoint)
    assert report.labels.counts == {"failed": 1}
    frames[1]["segmentation_bitmap"]["url"] = url
    sandbox.clear_calls()
    report = await client.datasets.import_annotations("sandbox/copy", write(tmp_path, content), checkpoint=checkpoint)
    assert report.labels.counts == {"done": 1}
    assert not [call for call in sandbox.calls if "assets" in call.path]


@pytest.mark.anyio
async def test_uploaded_files_keep_the_other_attributes_of_their_samples(client, photos, tmp_path):
    """A point cloud stays one, and the frames of a sequence keep their addresses."""
    cloud = {
        **sample("a.pcd", []),
        "attributes": {"pcd": {"url": "https://example.com/a.pcd", "type": "pcd"}, "name": "x"},
    }
    frames = [{"name": "1", "image": {"url": "https://example.com/1.jpg"}}]
    folder = photos("a.pcd", "drive")
    for task_type, one in {
        "pointcloud-cuboid": cloud,
        "image-vector-sequence": {**sample("drive", []), "attributes": {"frames": frames}},
    }.items():
        path = write(tmp_path, release([one], task_type))
        report = await client.datasets.import_annotations(task_type, path, create=True, images=folder)
        report.raise_if_failed()
    [found] = [one async for one in client.samples.list("sandbox/pointcloud-cuboid")]
    assert (found.attributes.pcd.type, found.attributes.name) == ("pcd", "x")
    assert "example.com" not in found.attributes.pcd.url
    [found] = [one async for one in client.samples.list("sandbox/image-vector-sequence")]
    assert found.attributes.frames[0].image.url == "https://example.com/1.jpg"


def test_broken_samples_are_named(tmp_path):
    bad = [5, {"name": "x"}, sample("b.jpg", [{**BOX, "points": [[1, "x"]]}, BOX])]
    with read_annotations(write(tmp_path, release([sample("a.jpg", [BOX]), *bad]))) as annotations:
        labels = list(annotations.labels("bboxes"))
        assert [label.name for label in labels if label.attributes] == ["a.jpg", "b.jpg"]
        problems = [*annotations.problems, *(problem for label in labels for problem in label.problems)]
    assert [problem.where.partition(".labels")[0] for problem in problems] == [
        "dataset.samples[1]",
        "dataset.samples[2]",
        "dataset.samples[3]",
    ]


def test_labelsets(tmp_path):
    with read_annotations(write(tmp_path, release([sample("a.jpg", [BOX], "model")]))) as annotations:
        [label] = annotations
        assert len(label.attributes["annotations"]) == 1
    both = sample("a.jpg", [BOX])
    both["labels"]["model"] = both["labels"]["ground-truth"]
    with read_annotations(write(tmp_path, release([both]))) as annotations:
        assert annotations.left_out == {"labels of other labelsets": 1}


def test_truncated(tmp_path):
    path = write(tmp_path, json.dumps(release([sample("a.jpg", [BOX])]))[:-30])
    with pytest.raises(DecodeError, match="truncated"):
        read_annotations(path).__enter__()
