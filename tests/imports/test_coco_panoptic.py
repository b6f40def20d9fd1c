"""COCO panoptic: PNGs of segments, and what the JSON file says about them."""

from __future__ import annotations

import numpy as np
import pytest
from coco_files import CATEGORIES, coco, image, write
from PIL import Image
from round_trips import exported, without_names

from segments_async.imports import read_annotations

CROWD, PLAIN = 3 + 256 * 7, 255 * 65536 + 9


def panoptic(folder, segments, *, ids=None, name="rose.png", subfolder="panoptic"):
    """A file with one image, and its PNG."""
    if ids is not None:
        (folder / subfolder).mkdir(exist_ok=True)
        channels = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
        Image.fromarray(channels).save(folder / subfolder / name)
    categories = [{**CATEGORIES[0], "isthing": 1, "color": [9, 8, 7]}, {**CATEGORIES[1], "isthing": 0}]
    entry = {"image_id": 1, "file_name": name, "segments_info": segments}
    return write(folder, coco([image()], [entry], categories), "panoptic.json")


def segment(number, category_id=1, **more):
    return {"id": number, "category_id": category_id, "bbox": [0, 0, 4, 5], "area": 20, "iscrowd": 0, **more}


@pytest.fixture
def ids():
    array = np.zeros((48, 64), np.uint32)
    array[5:20, 5:30] = PLAIN
    array[30:40, 30:40] = CROWD
    array[0, 0] = 5
    return array


def test_segments(tmp_path, ids):
    path = panoptic(tmp_path, [segment(PLAIN, 7), segment(CROWD, iscrowd=1), segment(99)], ids=ids)
    with read_annotations(path) as annotations:
        assert (annotations.format, annotations.task_type) == ("coco-panoptic", "segmentation-bitmap")
        assert [category.has_instances for category in annotations.categories] == [True, False]
        assert annotations.categories[0].color == [9, 8, 7]
        [label] = annotations
        [boxes] = annotations.labels("bboxes")
        [shapes] = annotations.labels("vector", lossy=True)
    assert label.attributes["annotations"] == [
        {"id": 1, "category_id": 7},
        {"id": 2, "category_id": 1, "attributes": {"iscrowd": True}},
    ]
    assert (label.bitmap == (ids == PLAIN) + 2 * (ids == CROWD)).all()
    assert label.left_out == {
        "pixels of no object": 1,
        "objects without pixels: outside the image, smaller than a pixel, or covered by later ones": 1,
    }
    assert [one["points"] for one in boxes.attributes["annotations"]] == [[[0, 0], [4, 5]]] * 3
    assert shapes.attributes["annotations"][0]["points"] == [[5, 5], [5, 19], [29, 19], [29, 5]]


@pytest.mark.parametrize("number", [0, -1, 2**24, "5", None])
def test_ids_that_no_pixel_has_are_named(tmp_path, ids, number):
    path = panoptic(tmp_path, [segment(PLAIN), segment(number)], ids=ids)
    with read_annotations(path) as annotations:
        [label] = annotations
    assert len(label.attributes["annotations"]) == 1
    assert label.problems[0].where == "annotations[0].segments_info[1]"


@pytest.mark.parametrize("name", ["missing.png", "../rose.png"])
def test_a_png_that_is_not_there(tmp_path, name):
    with read_annotations(panoptic(tmp_path, [segment(1)], name=name)) as annotations:
        [label] = annotations
    assert label.attributes is None
    assert name in str(label.problems[0])


def test_a_damaged_png(tmp_path, ids):
    path = panoptic(tmp_path, [segment(PLAIN)], ids=ids)
    png = tmp_path / "panoptic" / "rose.png"
    png.write_bytes(png.read_bytes()[:60])
    with read_annotations(path) as annotations:
        [label] = annotations
    assert label.attributes is None
    assert "damaged" in str(label.problems[0])


@pytest.mark.anyio
async def test_round_trip(client, photos, tmp_path):
    """Export, import and export give equal files, PNGs included."""
    categories = [
        {**CATEGORIES[0], "has_instances": True, "color": [10, 20, 30]},
        {**CATEGORIES[1], "has_instances": False},
    ]
    dataset = await client.datasets.create("flowers", task_attributes={"categories": categories})
    names = ["rose.png", "wood/a violet 蔷薇.png"]
    report = await client.samples.upload_files(dataset, [(name, (photos(name) / name).read_bytes()) for name in names])
    generator = np.random.default_rng(3)
    for sample in report.results:
        array = np.kron(generator.choice([0, 5, 6, 70_000, 2**24 - 1], (12, 16)), np.ones((4, 4), int))
        known = {2**24 - 1: 7, 70_000: 7, 5: 1, 6: 1}
        annotations = [{"id": number, "category_id": category} for number, category in known.items()]
        await client.labels.put_bitmap(sample.value, "ground-truth", array, annotations, label_status="LABELED")
    first, one = await exported(client, dataset, tmp_path / "one", "coco-panoptic")
    report = await client.datasets.import_annotations("again", first.file, images=first.folder, create=True)
    report.raise_if_failed()
    assert (report.problems, report.left_out, report.changed) == ([], {}, {})
    second, two = await exported(client, report.dataset, tmp_path / "two", "coco-panoptic")
    assert without_names(second.file.read_bytes()) == without_names(first.file.read_bytes())
    pngs = {name for name in one if name.endswith("coco-panoptic.png")}
    assert len(pngs) == 2
    assert all(one[name] == two[name] for name in pngs)
