"""The content of each format, where it is more or better than the official SDK's."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from release_builder import FOLDER, ReleaseBuilder, blobs, jpeg

from segments_async import ExportError
from segments_async.export._pycocotools import compress
from segments_async.export.categories import Categories, SegmentColours
from segments_async.images.runs import runs_of
from segments_async.models import TaskAttributeCategory

loud = pytest.mark.filterwarnings("default::DeprecationWarning:pycocotools")
SMALL = arrays(np.uint32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))
anyio = pytest.mark.anyio


def pixels_of(folder, suffix):
    [path] = (folder / FOLDER).glob(f"*{suffix}")
    with Image.open(path) as image:
        return image.mode, np.asarray(image)


@given(SMALL)
def test_run_lengths_are_those_of_pycocotools(array):
    """To the letter, for objects of any shape, the last pixel included."""
    for number, part in runs_of(array, by_columns=True).items():
        expected = coco_mask.encode(np.asfortranarray(array == number).astype(np.uint8))

        assert compress(part, *array.shape) == {"size": expected["size"], "counts": expected["counts"].decode()}


@anyio
@loud
async def test_pycocotools_reads_it(client, segmentation, tmp_path, capsys):
    """The masks it finds are the bitmap's."""
    report = await client.releases.export(segmentation.write(tmp_path), tmp_path, "coco-instance")

    coco = COCO(str(report.file))
    for image_id, name in [(1, "violet.jpg"), (3, "a rose.png")]:
        ids = {a["id"]: a["category_id"] for a in coco.loadAnns(coco.getAnnIds(image_id))}
        masks = [coco.annToMask(coco.anns[number]) for number in ids]
        assert np.array_equal(sum(masks), segmentation.bitmaps[name] > 0)
    assert (report.samples, report.unlabeled) == (2, 1)
    assert report.left_out == {"annotations without pixels": 1}


@anyio
@loud
async def test_pycocotools_reads_shapes(client, shapes, tmp_path, capsys):
    """Boxes and polygons have a segmentation that it draws."""
    report = await client.releases.export(shapes.write(tmp_path), tmp_path, "coco-instance")

    coco = COCO(str(report.file))
    box, polygon, point, _ = coco.loadAnns(coco.getAnnIds())
    assert (box["bbox"], box["area"]) == ([1, 2, 30.5, 38], 1159)
    assert coco.annToMask(polygon).sum() == pytest.approx(polygon["area"], abs=6)
    assert (polygon["bbox"], polygon["area"]) == ([0, 0, 10, 5.5], 52.5)
    assert (point["keypoints"], point["num_keypoints"]) == ([7.25, 8, 1], 1)


@anyio
async def test_a_box_drawn_from_the_other_corner(client, tmp_path):
    """Width and height are never negative."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [{"id": 1, "category_id": 1, "type": "bbox", "points": [[30, 40], [10, 47]]}])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    assert json.loads(report.file.read_text())["annotations"][0]["bbox"] == [10, 40, 20, 7]


@anyio
async def test_polylines_are_counted(client, tmp_path):
    """The official SDK writes annotations without any shape for them."""
    builder = ReleaseBuilder(client, "vector")
    await builder.drawn("a.jpg", [{"id": 1, "category_id": 1, "type": "polyline", "points": [[1, 2], [3, 4]]}])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    assert json.loads(report.file.read_text())["annotations"] == []
    assert report.left_out == {"polylines": 1}


@anyio
async def test_pixels_of_no_annotation_are_unlabelled(client, tmp_path):
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    await builder.segmented("a.png", np.array([[0, 5, 5], [1, 1, 9]]), [{"id": 1, "category_id": 2}])
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path, "semantic")
    panoptic = await client.releases.export(path, tmp_path, "coco-panoptic")

    assert pixels_of(tmp_path, "semantic.png")[1].tolist() == [[0, 0, 0], [2, 2, 0]]
    assert (pixels_of(tmp_path, "panoptic.png")[1].sum(axis=2) > 0).tolist() == [[False] * 3, [True, True, False]]
    assert (report.samples, panoptic.left_out) == (1, {"pixels of no annotation": 3})


@anyio
async def test_large_ids(client, tmp_path):
    """The official SDK cuts ids to 8 or 16 bits."""
    cv2 = pytest.importorskip("cv2", reason="polygons need OpenCV")
    array = np.zeros((9, 9), np.uint32)
    array[2:5, 2:6], array[7, 7] = 300, 16_777_215
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    await builder.segmented("a.png", array, [{"id": 300, "category_id": 2}, {"id": 16_777_215, "category_id": 3}])
    path = builder.write(tmp_path)

    polygons = json.loads((await client.releases.export(path, tmp_path, "polygon")).file.read_text())["annotations"]
    coco = json.loads((await client.releases.export(path, tmp_path, "coco-instance")).file.read_text())["annotations"]
    await client.releases.export(path, tmp_path, "instance-color")

    assert cv2.contourArea(np.array(polygons[0]["polygons"][0])) == 6
    assert polygons[1]["polygons"] == [[[7, 7]]]  # a list of points, be there only one
    assert [annotation["area"] for annotation in coco] == [12, 1]
    _, pixels = pixels_of(tmp_path, "instance_colored.png")
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) == 3


@anyio
async def test_categories_above_a_byte(client, tmp_path):
    """The PNGs of all samples then have 16 bits; the official SDK scales such ids down to nonsense."""
    builder = ReleaseBuilder(
        client, "segmentation-bitmap", categories=[{"id": 5, "name": "a"}, {"id": 700, "name": "b"}]
    )
    await builder.segmented(
        "a.png", np.array([[0, 1, 2]]), [{"id": 1, "category_id": 5}, {"id": 2, "category_id": 700}]
    )

    await client.releases.export(builder.write(tmp_path), tmp_path, "semantic")

    mode, pixels = pixels_of(tmp_path, "semantic.png")
    assert (mode, pixels.tolist()) == ("I;16", [[0, 5, 700]])


@anyio
async def test_colours_are_the_categories_own(client, tmp_path):
    """The official SDK takes the colour at the place of the id, which is another's, or there is none."""
    categories = [{"id": 9, "name": "a", "color": [1, 2, 3]}, {"id": 1, "name": "b", "color": [4, 5, 6]}]
    builder = ReleaseBuilder(client, "segmentation-bitmap", categories=categories)
    await builder.segmented("a.png", np.array([[0, 1, 2]]), [{"id": 1, "category_id": 9}, {"id": 2, "category_id": 1}])

    await client.releases.export(builder.write(tmp_path), tmp_path, "semantic-color")

    assert pixels_of(tmp_path, "colored.png")[1].tolist() == [[[0, 0, 0], [1, 2, 3], [4, 5, 6]]]


@anyio
async def test_stuff_is_one_segment(client, tmp_path):
    """The official SDK writes two segments of one id."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    await builder.segmented(
        "a.png", np.array([[1, 0, 2], [0, 0, 2]]), [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 1}]
    )

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-panoptic")

    [image] = json.loads(report.file.read_text())["annotations"]
    [segment] = image["segments_info"]
    assert (segment["area"], segment["bbox"]) == (3, [0, 0, 3, 2])
    assert segment["id"] == 10 + 256 * 120 + 65_536 * 230


def test_colours_of_segments_are_distinct_and_always_the_same(monkeypatch):
    """However many objects there are, whatever colours the categories have; none is black."""
    monkeypatch.setattr("segments_async.export.categories._COLOUR_DISTANCE", 5)  # of which there are 216
    categories = Categories.of(
        [
            TaskAttributeCategory(id=1, name="sky", color=[0, 0, 0]),
            TaskAttributeCategory(id=2, name="sea", color=[0, 0, 0]),
            TaskAttributeCategory(id=3, name="fish", color=[255, 255, 255], has_instances=True),
        ]
    )
    objects = [(1, 1), (2, 2), *((number, 3) for number in range(3, 3_000))]

    colours = SegmentColours(categories).of_image(objects)

    assert len(set(colours.values()) | {(0, 0, 0)}) == len(objects) + 1
    assert colours[3] == (255, 255, 255)
    assert SegmentColours(categories).of_image(objects) == colours


@anyio
async def test_an_image_without_objects(client, tmp_path):
    """A label without annotations needs no bitmap: its masks are empty, as large as the image."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    attributes = {"annotations": [], "segmentation_bitmap": {"url": ""}}
    builder.add("a.png", await builder.put(jpeg(4, 3), "image.jpg"), attributes)
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path, "coco-instance", images=False)
    await client.releases.export(path, tmp_path, "semantic")

    assert json.loads(report.file.read_text())["images"][0]["width"] == 4
    assert pixels_of(tmp_path, "semantic.png")[1].tolist() == [[0] * 4] * 3
    builder.samples[0]["attributes"]["image"]["url"] = "s3://bucket/a.png"
    for kind in ("coco-instance", "coco-panoptic", "semantic"):
        with pytest.raises(ExportError, match=r"sample 'a.png': neither its bitmap nor its image can be fetched"):
            await client.releases.export(builder.write(tmp_path), tmp_path, kind)


@anyio
async def test_a_turned_image_has_the_size_of_its_bitmap(client, tmp_path):
    """Sizes are those of the image upright, as it is labelled."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    array = blobs(30, 20, [1], seed=1)
    await builder.segmented("a.jpg", array, [{"id": 1, "category_id": 2}], image=jpeg(20, 30, orientation=6))

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    [image] = json.loads(report.file.read_text())["images"]
    assert (image["width"], image["height"]) == (30, 20)


@anyio
async def test_frames_become_images(client, tmp_path):
    """Sequences go into YOLO frame by frame; frames without boxes have an empty file."""
    builder = ReleaseBuilder(client, "image-vector-sequence")
    box = {"id": 1, "category_id": 2, "track_id": 1, "is_keyframe": True, "index": 0}
    box |= {"type": "bbox", "points": [[0, 0], [20, 10]]}
    builder.add("drive/one.mp4", "", {"frames": [{"annotations": [box]}, {"annotations": []}, {"annotations": [box]}]})
    url = await builder.put(jpeg(40, 20), "frame.jpg")
    builder.samples[0]["attributes"] = {
        "frames": [{"image": {"url": url}, "name": "f1"}, {"image": {"url": url}}, {"image": {"url": url}}]
    }

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "yolo", id_increment=-1)

    assert report.samples == 3
    folder = report.folder / "drive"
    assert sorted(path.name for path in folder.iterdir()) == [
        "one-00002.jpg", "one-00002.txt", "one-00003.jpg", "one-00003.txt", "one-f1.jpg", "one-f1.txt",
    ]  # fmt: skip
    assert (folder / "one-f1.txt").read_text() == "1 0.250000 0.250000 0.500000 0.500000\n"
    assert (folder / "one-00002.txt").read_text() == ""


@anyio
async def test_given_sizes(client, sandbox, shapes, tmp_path):
    """Then images need not be fetched."""
    path = shapes.write(tmp_path)
    sandbox.clear_calls()

    report = await client.releases.export(path, tmp_path, "yolo", images=False, image_size=(128, 96))

    assert not sandbox.calls
    assert (report.folder / "rose.txt").read_text() == "2 0.250000 0.250000 0.500000 0.500000\n"
    assert report.left_out == {"polygons": 1, "points": 1}


@anyio
async def test_numbers_stay_numbers(client, tmp_path):
    """Coordinates are neither rounded nor turned into text."""
    builder = ReleaseBuilder(client, "vector")
    points = [[0.1, 1e-7], [12_345.678_901_2, math.pi], [77, 1.1]]
    await builder.drawn("a.jpg", [{"id": 1, "category_id": 1, "type": "polygon", "points": points}])

    report = await client.releases.export(
        builder.write(tmp_path), tmp_path, "coco-instance", images=False, image_size=(20_000, 10_000)
    )

    [annotation] = json.loads(report.file.read_text())["annotations"]
    assert annotation["points"] == points
    assert annotation["segmentation"] == [[part for point in points for part in point]]


@anyio
async def test_an_annotation_with_the_id_of_nothing(client, tmp_path):
    """0 is unlabelled, whatever an annotation says."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    await builder.segmented("a.png", np.array([[0, 1]]), [{"id": 0, "category_id": 3}, {"id": 1, "category_id": 2}])
    path = builder.write(tmp_path)

    for kind in ("semantic", "semantic-color", "coco-panoptic"):
        await client.releases.export(path, tmp_path, kind)

    assert pixels_of(tmp_path, "semantic.png")[1].tolist() == [[0, 2]]
    assert pixels_of(tmp_path, "colored.png")[1][0, 0].tolist() == [0, 0, 0]
    assert pixels_of(tmp_path, "panoptic.png")[1][0, 0].tolist() == [0, 0, 0]
