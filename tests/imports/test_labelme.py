"""LabelMe: a folder of JSON files."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from segments_async import InputError
from segments_async.imports import read_annotations


def shape(kind="polygon", points=((1, 2), (9, 2), (9, 8)), label="rose", **more):
    given = {"label": label, "points": [list(point) for point in points], "group_id": None, "description": ""}
    return {**given, "shape_type": kind, "flags": {}, "mask": None, **more}


def labelme(*shapes, path="a.jpg", **more):
    size = {"imageHeight": 48, "imageWidth": 64}
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": path,
        "imageData": None,
        **size,
        **more,
    }


@pytest.fixture
def folder(tmp_path):
    """``folder({"a.json": labelme(...)})``: a folder of files."""

    def make(files):
        root = tmp_path / "labels"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, str | bytes) else json.dumps(content)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return root

    return make


def read(path, task_type=None, **options):
    with read_annotations(path, **options) as annotations:
        return list(annotations.labels(task_type))


def png(bits, mode="L"):
    file = io.BytesIO()
    Image.fromarray(bits.astype(np.uint8) * 255).convert(mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_all_shapes(folder):
    shapes = [
        shape(),
        shape("rectangle", [(30, 20), (10, 5)]),
        shape("rectangle", [(1, 1), (5, 1), (5, 4), (1, 4)]),
        shape("rotation", [(5, 0), (10, 5), (5, 10), (0, 5)], direction=0.785),
        shape("circle", [(20, 20), (23, 24)]),
        shape("line", [(0, 0), (5, 5)]),
        shape("linestrip", [(0, 0), (5, 5), (9, 5)]),
        shape("point", [(3, 4)]),
        shape("points", [(3, 4), (5, 6)]),
    ]
    root = folder({"a.json": labelme(*shapes)})
    for path in (root, root / "a.json"):
        with read_annotations(path) as annotations:
            assert (annotations.format, len(annotations)) == ("labelme", 1)
            [label] = annotations
    found = label.attributes["annotations"]
    kinds = [one["type"] for one in found]
    assert kinds == ["polygon", "bbox", "bbox", "polygon", "polygon", "polyline", "polyline", "point", "point", "point"]
    assert found[1]["points"] == [[10, 5], [30, 20]]
    assert found[2]["points"] == [[1, 1], [5, 4]]
    assert found[3]["points"] == [[5, 0], [10, 5], [5, 10], [0, 5]]
    assert found[3]["attributes"] == {"direction": 0.785}
    assert (len(found[4]["points"]), found[4]["points"][0]) == (36, [25, 20])
    assert label.changed == {
        "turned boxes that became polygons of four points": 1,
        "circles that became polygons of 36 points": 1,
        "sets of points, imported as single points": 1,
    }
    assert (label.size, label.problems, label.left_out) == ((64, 48), [], {})


def test_attributes_and_flags(folder):
    details = {"flags": {"torn": False}, "group_id": 3, "description": "look", "difficult": True, "score": 0.5}
    more = {"attributes": {"color": "red"}, "kie_linking": [[1, 2]], "text": None}
    root = folder({"a.json": labelme(shape(**details, **more), flags={"night": True}, otherData={"x": 1})})
    with read_annotations(root) as annotations:
        [label] = annotations
        [rose] = annotations.categories
    [found] = label.attributes["annotations"]
    assert found["attributes"] == {
        "torn": False, "group_id": 3, "description": "look", "difficult": True, "score": 0.5, "color": "red"
    }  # fmt: skip
    assert {one.name: one.input_type for one in rose.attributes}["torn"] == "checkbox"
    assert label.attributes["image_attributes"] == {"night": True}
    assert label.left_out == {"fields 'kie_linking' of shapes": 1, "fields 'otherData' of files": 1}


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
@pytest.mark.parametrize("corner", [(10, 5), (60, 44), (-3, -2), (200, 200), (-50, 3)])
def test_masks_are_placed_and_clipped(folder, mode, corner):
    bits = np.random.default_rng(2).random((9, 12)) > 0.4
    expected = np.zeros((300, 300), bool)
    left, top = corner[0] + 100, corner[1] + 100
    expected[top : top + 9, left : left + 12] = bits[: 300 - top, : 300 - left]
    expected = expected[100:148, 100:164]
    mask = shape("mask", [corner, (corner[0] + 11, corner[1] + 8)], mask=png(bits, mode))
    root = folder({"a.json": labelme(mask)})
    [label] = read(root, "segmentation-bitmap")
    assert (label.bitmap.astype(bool) == expected).all()
    [label] = read(root)
    assert sum(label.left_out.values()) == 1


BROKEN = {
    "expected an object": 5,
    "label: missing": shape(label=None),
    "points: missing": shape(points=[]),
    "points[1]: expected 2 numbers": shape(points=[(1, 2), (3,)]),
    "expected a finite number": shape(points=[(1, 2), (3, None)]),
    "no area": shape("rectangle", [(1, 2), (1, 5)]),
    "a rectangle has 2, got 3": shape("rectangle"),
    "a circle has 2, got 3": shape("circle"),
    "the circle has no area": shape("circle", [(1, 2), (1, 2)]),
    "LabelMe has no 'star'": shape("star"),
    "mask: missing": shape("mask", [(1, 2), (3, 4)]),
    "flags": shape(flags=[1]),
}


@pytest.mark.parametrize("words", BROKEN)
def test_one_broken_shape_is_named_and_the_rest_arrives(folder, words):
    [label] = read(folder({"a.json": labelme(shape(), BROKEN[words], shape())}))
    assert len(label.attributes["annotations"]) == 2
    [problem] = label.problems
    assert str(problem).startswith("a.json: shapes[1] (a.jpg): ")
    assert words in str(problem) or words == "flags"


@pytest.mark.parametrize("data", ["x", "AAAA", png(np.ones((2, 2)))[:-40]])
def test_a_damaged_mask_is_named(folder, data):
    mask = shape("mask", [(1, 2), (3, 4)], mask=data)
    [label] = read(folder({"a.json": labelme(mask, shape())}), "segmentation-bitmap")
    assert len(label.attributes["annotations"]) == 1
    assert "mask: expected a PNG in base64" in str(label.problems[0])


BROKEN_FILES = {
    "is not JSON, or is truncated": json.dumps(labelme(shape()))[:-30],
    "expected an object": "[]",
    "it has no list 'shapes'": {"imagePath": "b.jpg"},
    "imagePath: missing": labelme(path=None),
    "expected the name of the image": labelme(path="../.."),
}


@pytest.mark.parametrize("words", BROKEN_FILES)
def test_a_broken_file_is_named_and_the_rest_arrives(folder, words):
    with read_annotations(folder({"a.json": labelme(shape()), "b.json": BROKEN_FILES[words]})) as annotations:
        assert [label.name for label in annotations] == ["a.jpg"]
        assert len(annotations) == 1
        [problem] = annotations.problems
    assert problem.where == "b.json"
    assert words in str(problem)


def test_names_and_files_of_images(folder, photos):
    names = {
        "a.json": ("a.jpg", "a.jpg", "a.jpg"),
        "wood/b.json": ("b rosé.jpg", "wood/b rosé.jpg", "wood/b rosé.jpg"),
        "json/c.json": ("..\\images\\c.jpg", "images/c.jpg", "images/c.jpg"),
        "d.json": ("/home/jane/d.jpg", "d.jpg", "d.jpg"),
        "e.json": ("../../photos/e.jpg", None, "photos/e.jpg"),
        "f.json": ("lost.jpg", None, "lost.jpg"),
    }
    root = folder({name: labelme(path=stated) for name, (stated, _, _) in names.items()})
    for _, place, _ in names.values():
        if place is not None:
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_bytes(b"...")
    photos("e.jpg")
    found = {label.name: label.file and label.file.relative_to(root).as_posix() for label in read(root)}
    assert found == {name: place for _, place, name in names.values()}
    assert {label.name: label.file for label in read(root, images=photos())}["photos/e.jpg"] == photos() / "e.jpg"


def test_images_inside_the_files(folder, photos):
    root = folder({"a.json": labelme(imageData="AAAA")})
    [label] = read(root)
    assert label.left_out == {"images inside the JSON files (imageData), which are not imported; pass images=": 1}
    [label] = read(root, images=photos("a.jpg"))
    assert label.left_out == {}


def test_sizes_of_images_that_the_file_does_not_state(folder, photos):
    mask = shape("mask", [(1, 2), (3, 4)], mask=png(np.ones((3, 3))))
    root = folder({"a.json": labelme(mask, imageHeight=None, imageWidth=None)})
    [label] = read(root, "segmentation-bitmap", images=photos("a.jpg"))
    assert label.bitmap.sum() == 9
    [label] = read(root, "segmentation-bitmap")
    assert "the size of the image is unknown" in str(label.problems[0])


def test_sizes_that_no_image_has_are_refused(folder):
    mask = shape("mask", [(1, 2), (3, 4)], mask=png(np.ones((3, 3))))
    root = folder({"a.json": labelme(mask, imageHeight=10**6, imageWidth=10**6)})
    [label] = read(root, "bboxes")
    assert label.problems == []
    with read_annotations(root) as annotations:
        [label] = annotations.labels("vector", lossy=True)
    assert "1000000 x 1000000 pixels is too large" in str(label.problems[0])


@pytest.mark.parametrize("code", ["utf-8-sig", "utf-16"])
def test_other_encodings(folder, code):
    root = folder({"a.json": json.dumps(labelme(shape(label="rosé"), path="é.jpg"), ensure_ascii=False).encode(code)})
    with read_annotations(root, "labelme") as annotations:
        assert [one.name for one in annotations.categories] == ["rosé"]


@pytest.mark.parametrize("content", ["", "{}", '{"shapes": 5, "imagePath": "a"}'])
def test_a_folder_without_annotations(folder, content):
    root = folder({"a.json": content})
    with pytest.raises(InputError, match="not recognized"):
        read(root)
    with pytest.raises(InputError, match="has no annotations that can be read"):
        read(root, format="labelme")


@given(st.lists(st.tuples(st.floats(-99, 999), st.floats(-99, 999)), min_size=3, max_size=9))
def test_polygons_keep_their_numbers(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("a") / "a.json"
    path.write_text(json.dumps(labelme(shape(points=points))))
    [label] = read(path)
    assert [tuple(point) for point in label.attributes["annotations"][0]["points"]] == points


@pytest.mark.anyio
async def test_import(client, folder, photos):
    root = folder({"a.json": labelme(shape()), "b.json": labelme(shape("rectangle", [(1, 2), (3, 4)]), path="b.jpg")})
    report = await client.datasets.import_annotations("roses", root, images=photos("a.jpg", "b.jpg"), create=True)
    report.raise_if_failed()
    assert (report.problems, report.left_out, report.changed) == ([], {}, {})
