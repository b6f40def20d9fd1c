"""Arrays of images, masks and boxes, whatever an item has or lacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from segments_async import DecodeError, InputError, ReleaseItem
from segments_async.models import Label, ReleaseSample
from segments_async.training import boxes, category_mask, rgb


def item_of(image=None, bitmap=None, annotations=(), label=None):
    return ReleaseItem(ReleaseSample(name="s"), image, label, bitmap, annotations=annotations)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_modes_of_eight_bits(mode):
    """All give three channels that may be written to."""
    array = rgb(Image.new(mode, (3, 2)))
    assert (array.shape, array.dtype) == ((2, 3, 3), np.uint8)
    assert array.flags.writeable


@given(st.lists(st.integers(0, 65_535), min_size=1))
def test_sixteen_bits_are_scaled(values):
    """Not clipped to white; floats keep every bit."""
    image = Image.fromarray(np.array([values], np.uint16))
    assert image.mode == "I;16"

    assert rgb(image)[0, :, 0].tolist() == [round(value / 257) for value in values]
    assert np.array_equal(rgb(image, np.float64)[0, :, 2], np.array(values) / 65_535)
    assert rgb(image, np.uint16)[0, :, 1].tolist() == values


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I"])
def test_every_mode_of_sixteen_bits(mode):
    image = Image.new(mode, (2, 1), 514)
    assert rgb(image).tolist() == [[[2, 2, 2]] * 2]


def test_eight_bits_in_other_types():
    image = Image.new("RGB", (1, 1), (0, 51, 255))
    assert rgb(image, np.float32)[0, 0].tolist() == [0, np.float32(0.2), 1]
    assert rgb(image, np.uint16)[0, 0].tolist() == [0, 13_107, 65_535]
    with pytest.raises(InputError, match="dtype: expected an unsigned integer or a float, got int64"):
        rgb(image, np.int64)


@pytest.mark.parametrize("values", [np.float32([[0.5]]), np.int32([[-1]]), np.int32([[65_536]])])
def test_values_without_a_range(values):
    """A guess would train on noise."""
    with pytest.raises(InputError, match=r"has no known range; scale it yourself"):
        rgb(Image.fromarray(values))


IMAGE = Image.new("RGB", (3, 1))
BITMAP = np.array([[0, 1, 9]], np.uint32)
ROSE = {"id": 1, "category_id": 7}


def test_masks():
    assert category_mask(item_of(IMAGE, BITMAP, [ROSE])).tolist() == [[255, 7, 255]]
    assert category_mask(item_of(None, BITMAP, [ROSE]), unlabeled=0, id_increment=-6).tolist() == [[0, 1, 0]]


def test_an_item_without_image():
    with pytest.raises(InputError, match=r"^image: this item has no image; items have none with images=False$"):
        rgb(item_of().image)


@pytest.mark.parametrize("label", [None, Label(label_status="LABELED"), Label(label_status="LABELED", attributes={})])
def test_a_label_without_attributes_or_bitmap(label):
    """It is unlabelled as a whole, and ends no epoch."""
    assert category_mask(item_of(IMAGE, label=label)).tolist() == [[255, 255, 255]]
    assert category_mask(item_of(IMAGE, BITMAP, label=label)).tolist() == [[255, 255, 255]]


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (item_of(), InputError, "sample 's' has neither an image nor a bitmap"),
        (item_of(IMAGE, BITMAP.T, [ROSE]), DecodeError, "its bitmap has 1 x 3 pixels, and its image 3 x 1"),
        (item_of(IMAGE, BITMAP, [{"id": 1, "category_id": 255}]), InputError, "choose another"),
        (item_of(IMAGE, BITMAP, [{"id": 1}]), InputError, "category_id: is missing"),
    ],
)
def test_masks_that_cannot_be(item, error, message):
    with pytest.raises(error, match=message):
        category_mask(item)


def shape(number, *points, kind="bbox"):
    return {"id": number, "category_id": number + 10, "type": kind, "points": [list(point) for point in points]}


def test_boxes():
    """Of shapes and of bitmap objects; what has no area is left out."""
    shapes = [
        shape(1, (1, 2), (3.5, 4)),
        shape(2, (0, 0)),
        shape(3, (5, 5), (1, 9), (2, 2), kind="polygon"),
        shape(4, (1, 1), (9, 1), kind="polyline"),
        shape(5),
        {"id": 6, "category_id": 16},
    ]
    found = boxes(item_of(IMAGE, None, shapes))
    assert found.corners.tolist() == [[1, 2, 3.5, 4], [1, 2, 5, 9]]
    assert (found.categories.tolist(), found.ids.tolist()) == ([11, 13], [1, 3])
    of_bitmap = boxes(item_of(IMAGE, BITMAP, [ROSE, {"id": 2, "category_id": 3}]))
    assert of_bitmap.corners.tolist() == [[1, 0, 2, 1]]
    assert boxes(item_of(IMAGE)).corners.shape == (0, 4)
