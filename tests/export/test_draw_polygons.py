"""Exported polygons are drawn where the objects are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from segments_async import DecodeError, InputError
from segments_async.export import draw_polygons


@pytest.mark.anyio
async def test_an_export(segmentation, client, tmp_path):
    """The colours are those of the categories; outside the objects, the image is unchanged."""
    pytest.importorskip("cv2", reason="polygons need OpenCV")
    path = segmentation.write(tmp_path)
    report = await client.releases.export(path, tmp_path / "out", "polygon")
    [image] = [found for found in json.loads(report.file.read_text())["images"] if "rose" in found["file_name"]]

    drawn = np.asarray(draw_polygons(report.file, image["id"], report.folder, opacity=1))

    ids = segmentation.bitmaps["a rose.png"]
    original = np.asarray(Image.open(report.folder / image["file_name"]).convert("RGB"))
    assert drawn.shape == original.shape
    filled = (drawn == [10, 120, 230]).all(axis=2)
    assert filled[ids == 7].mean() > 0.95, "category 1 has that colour"
    changed = (drawn != original).any(axis=2)
    assert changed[ids != 0].mean() > 0.95
    unchanged = draw_polygons(report.file, image["id"], report.folder, opacity=0)
    np.testing.assert_array_equal(np.asarray(unchanged), original)


@pytest.fixture
def exported(tmp_path):
    Image.new("RGB", (9, 5)).save(tmp_path / "a.png")
    content = {
        "images": [{"id": 7, "file_name": "a.png"}],
        "categories": [{"id": 3, "name": "leaf", "color": [250, 0, 0]}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "polygons": [[[1, 1], [3, 1], [3, 3]], [6, 2], [[8, 4], [8, 2]]]}
        ],
    }
    path = tmp_path / "polygons.json"
    path.write_text(json.dumps(content))
    return path


def test_short_contours(exported, tmp_path):
    """Points and lines, which the official SDK writes without a list around them."""
    drawn = np.asarray(draw_polygons(exported, 7, tmp_path, opacity=0.5))
    assert [tuple(place) for place in np.argwhere(drawn[..., 0])] == [
        *[(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 6), (2, 8), (3, 3), (3, 8), (4, 8)]
    ]
    assert set(drawn[..., 0].ravel()) == {0, 125}


def test_refused(exported, tmp_path):
    for arguments, options, message in [
        ((exported, 8, tmp_path), {}, r"image_id: there is no image 8; ids are \[7\]"),
        ((exported, 7, tmp_path), {"opacity": 2}, "opacity: expected a number from 0 to 1, got 2"),
    ]:
        with pytest.raises(InputError, match=message):
            draw_polygons(*arguments, **options)
    exported.write_text('{"images": []}')
    with pytest.raises(DecodeError, match=r"polygons.json: is no export of polygons: KeyError"):
        draw_polygons(exported, 7, tmp_path)
    exported.write_text("[")
    with pytest.raises(DecodeError):
        draw_polygons(exported, 7, tmp_path)
