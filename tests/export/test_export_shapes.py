"""Shapes that a format cannot represent are left out and counted; at the edge of the image they are clipped."""

from __future__ import annotations

import json
import math

import pytest
from release_builder import ReleaseBuilder

from segments_async import DecodeError, ExportError
from segments_async.export.geometry import area, clip_polygon, has_area

pytestmark = pytest.mark.anyio
SIZE = (40, 20)


def shape(kind, *points, **keys):
    return {"id": 1, "category_id": 1, "type": kind, "points": [list(point) for point in points], **keys}


async def export(client, tmp_path, annotation, kind):
    builder = ReleaseBuilder(client, "vector")
    await builder.drawn("a.jpg", [annotation], size=SIZE)
    report = await client.releases.export(builder.write(tmp_path), tmp_path / kind, kind)
    if kind == "yolo":
        return [line.split() for line in (report.folder / "a.txt").read_text().splitlines()], report.left_out
    return json.loads(report.file.read_text())["annotations"], report.left_out


LEFT_OUT = [
    (shape("polygon"), "polygons without points"),
    (shape("polygon", (1, 1)), "polygons of one or two points"),
    (shape("polygon", (10, 2), (30, 4)), "polygons of one or two points"),
    (shape("polygon", (1, 1), (5, 5), (9, 9)), "polygons without area"),
    (shape("polygon", (1, 1), (1, 1), (1, 1)), "polygons without area"),
    (shape("polygon", (-5, -5), (-1, -5), (-5, -1)), "shapes outside the image"),
    (shape("polygon", (50, 1), (60, 1), (60, 9)), "shapes outside the image"),
    (shape("polygon", (math.nan, 1), (5, 1), (5, 5)), "shapes with coordinates that are not finite or beyond 1e9"),
    (shape("bbox"), "boxes that do not have two corners"),
    (shape("bbox", (1, 1)), "boxes that do not have two corners"),
    (shape("bbox", (1, 1), (5, 5), (9, 9)), "boxes that do not have two corners"),
    (shape("bbox", (1, 1), (5, 1), (5, 5), (1, 5)), "boxes that do not have two corners"),
    (shape("bbox", (2, 2), (2, 9)), "boxes without area"),
    (shape("bbox", (5, 5), (5, 5)), "boxes without area"),
    (shape("bbox", (50, 50), (60, 60)), "shapes outside the image"),
    (shape("bbox", (40, 0), (50, 20)), "shapes outside the image"),
    (shape("bbox", (1, 1), (1e308, 1e308)), "shapes with coordinates that are not finite or beyond 1e9"),
    (shape("bbox", (2**70, 1), (5, 5)), "shapes with coordinates that are not finite or beyond 1e9"),
    (shape("bbox", (10**400, 1), (5, 5)), "shapes with coordinates that are not finite or beyond 1e9"),
    (shape("bbox", (math.inf, 1), (5, 5)), "shapes with coordinates that are not finite or beyond 1e9"),
    (shape("point"), "points that do not have one place"),
    (shape("point", (1, 1), (5, 5)), "points that do not have one place"),
    (shape("point", (50, 5)), "shapes outside the image"),
    (shape("point", (math.nan, 5)), "shapes with coordinates that are not finite or beyond 1e9"),
    (shape("polyline", (1, 1), (5, 5)), "polylines"),
]


@pytest.mark.parametrize(("annotation", "reason"), LEFT_OUT)
async def test_left_out_of_coco(client, tmp_path, annotation, reason):
    assert await export(client, tmp_path, annotation, "coco-instance") == ([], {reason: 1})


@pytest.mark.parametrize(("annotation", "reason"), LEFT_OUT)
async def test_left_out_of_yolo(client, tmp_path, annotation, reason):
    """Everything except boxes is counted by its type."""
    expected = reason if annotation["type"] == "bbox" else f"{annotation['type']}s"

    assert await export(client, tmp_path, annotation, "yolo") == ([], {expected: 1})


async def test_a_box_too_thin_for_yolo(client, tmp_path):
    """Six digits cannot represent its width; in COCO it is a box."""
    annotation = shape("bbox", (39.99999, 0), (40, 20))

    assert await export(client, tmp_path, annotation, "yolo") == ([], {"boxes without area": 1})
    [found], left_out = await export(client, tmp_path, annotation, "coco-instance")
    assert (found["bbox"][0], left_out) == (39.99999, {})


@pytest.mark.parametrize(
    ("points", "bbox", "line"),
    [
        ([(-5, -5), (10, 10)], [0, 0, 10, 10], "0 0.125000 0.250000 0.250000 0.500000"),
        ([(30, 10), (60, 30)], [30, 10, 10, 10], "0 0.875000 0.750000 0.250000 0.500000"),
        ([(60, 30), (30, 10)], [30, 10, 10, 10], "0 0.875000 0.750000 0.250000 0.500000"),
        ([(-9, -9), (99, 99)], [0, 0, 40, 20], "0 0.500000 0.500000 1.000000 1.000000"),
        ([(0, 0), (40, 20)], [0, 0, 40, 20], "0 0.500000 0.500000 1.000000 1.000000"),
    ],
)
async def test_boxes_at_the_edge(client, tmp_path, points, bbox, line):
    [found], left_out = await export(client, tmp_path, shape("bbox", *points), "coco-instance")
    assert (found["bbox"], found["area"], left_out) == (bbox, bbox[2] * bbox[3], {})

    [row], left_out = await export(client, tmp_path, shape("bbox", *points), "yolo")
    assert (" ".join(row), left_out) == (line, {})


async def test_polygons_at_the_edge(client, tmp_path):
    annotation = shape("polygon", (30, 10), (50, 10), (50, 30), (30, 30))

    [found], left_out = await export(client, tmp_path, annotation, "coco-instance")

    assert (found["bbox"], found["area"], left_out) == ([30, 10, 10, 10], 100, {})
    assert found["points"] == annotation["points"]
    corners = found["segmentation"][0]
    assert set(zip(corners[::2], corners[1::2], strict=True)) == {(30, 10), (40, 10), (40, 20), (30, 20)}


def test_clipping_a_shape_with_several_parts():
    """A comb whose back is outside: its teeth are joined along the edge."""
    comb = [(-5, 0), (5, 0), (5, 2), (-1, 2), (-1, 4), (5, 4), (5, 6), (-5, 6)]

    assert area(clip_polygon(comb, SIZE)) == 20


def test_an_eight_has_an_area():
    """Its two halves cancel each other out in the usual formula."""
    eight = [(0, 0), (10, 10), (10, 0), (0, 10)]

    assert has_area(eight)
    assert 40 <= area(eight) <= 90


@pytest.mark.parametrize(
    "annotation",
    [
        shape("bbox", (1,), (5, 5)),
        shape("bbox", (True, 1), (5, 5)),
        shape("bbox", ("1", 1), (5, 5)),
        shape("bbox", (1, 1), (5, 5), category_id=True),
        shape("bbox", (1, 1), (5, 5), category_id=1.0),
        shape("bbox", (1, 1), (5, 5), category_id="1"),
        shape("bbox", (1, 1), (5, 5), category_id=[1]),
        {"id": 1, "category_id": 1, "type": ["bbox"], "points": []},
        {"id": 1, "category_id": 1, "type": "bbox", "points": None},
        {"id": 1, "category_id": 1, "points": [[1, 1], [5, 5]]},
    ],
)
@pytest.mark.parametrize("kind", ["coco-instance", "yolo"])
async def test_what_is_not_a_shape(client, tmp_path, annotation, kind):
    """It is an error of its sample."""
    with pytest.raises((DecodeError, ExportError), match=r"annotations\[0\].*|sample 'a.jpg'"):
        await export(client, tmp_path, annotation, kind)
