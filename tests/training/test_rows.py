"""Items as rows of plain values, as ``datasets`` takes them."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from segments_async import DecodeError, ReleaseItem, structure
from segments_async.models import Label, ReleaseDataset, ReleaseSample
from segments_async.training.rows import Rows


def dataset(*categories, task_type="segmentation-bitmap"):
    attributes = {"categories": [{"id": number, "name": name} for number, name in categories]}
    return structure({"name": "d", "task_type": task_type, "task_attributes": attributes}, ReleaseDataset)


def item_of(annotations=(), bitmap=None, **keys):
    sample = ReleaseSample(name="s", uuid="u", metadata={"city": "Gent"})
    image = None if bitmap is None else Image.new("RGB", bitmap.shape[::-1])
    return ReleaseItem(sample, image, keys.pop("label", None), bitmap, annotations=annotations, **keys)


def mask_of(row):
    return np.asarray(Image.open(io.BytesIO(row["mask"]["bytes"])))


def test_a_row():
    """Categories are numbered in the order of the release, in objects and masks alike."""
    rows = Rows.of(dataset((7, "rose"), (300, "violet")), {})
    annotations = [{"id": 5, "category_id": 300, "attributes": {"wet": True}}, {"id": 6, "category_id": 7}]
    bitmap = np.array([[0, 5, 6]], np.uint32)

    row = rows.row(item_of(annotations, bitmap, file=b"png", label=Label(label_status="REVIEWED"), frame=2, sensor="a"))

    assert row["objects"] == {
        "id": [5, 6],
        "category": [1, 0],
        "bbox": [[1, 0, 1, 1], [2, 0, 1, 1]],
        "track_id": [None, None],
        "type": [None, None],
        "points": [None, None],
        "attributes": ['{"wet":true}', None],
    }
    assert mask_of(row).tolist() == [[255, 1, 0]]
    assert row["image"] == {"bytes": b"png", "path": None}
    assert json.loads(row["metadata"]) == {"city": "Gent"}
    assert (row["name"], row["uuid"], row["status"]) == ("s", "u", "REVIEWED")
    assert (row["frame"], row["sensor"], row["camera"]) == (2, "a", None)


@pytest.mark.parametrize(("count", "unlabeled", "kind"), [(255, 255, np.uint8), (256, 65_535, np.uint16)])
def test_masks_of_many_categories(count, unlabeled, kind):
    """No category has the value of unlabelled pixels."""
    rows = Rows.of(dataset(*((number, str(number)) for number in range(count))), {})
    mask = mask_of(rows.row(item_of([{"id": 1, "category_id": count - 1}], np.array([[0, 1]], np.uint32))))
    assert mask.tolist() == [[unlabeled, count - 1]]
    assert mask.dtype == kind


def test_without_a_bitmap_or_a_label():
    row = Rows.of(dataset((1, "a")), {}).row(item_of())
    assert (row["mask"], row["status"], row["objects"]["id"]) == (None, "UNLABELED", [])


def test_columns_follow_the_options_and_the_task():
    assert "mask" not in Rows.of(dataset((1, "a")), {"bitmaps": False}).row(item_of())
    assert "mask" not in Rows.of(dataset((1, "a"), task_type="bboxes"), {}).row(item_of())
    assert "image" not in Rows.of(dataset((1, "a")), {"images": False}).row(item_of())


def test_category_names_are_unique():
    """`ClassLabel` refuses names that are equal."""
    rows = Rows.of(dataset((1, "car"), (2, "car"), (3, "tree")), {})
    assert rows.category_names == ("car (1)", "car (2)", "tree")


def test_a_category_that_is_not_in_the_release():
    rows = Rows.of(dataset((1, "a")), {})
    with pytest.raises(DecodeError, match=r"sample 's', annotations\[0\]: there is no category 9; there are 1"):
        rows.row(item_of([{"id": 1, "category_id": 9}]))
    assert Rows.of(dataset(), {}).row(item_of([{"id": 1, "category_id": 9}]))["objects"]["category"] == [9]
