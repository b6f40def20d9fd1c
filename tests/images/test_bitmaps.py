"""Encode ids to the service's PNG and decode them, like the official SDK."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageOps
from segments.utils import bitmap2file, load_label_bitmap_from_url

from segments_async import DecodeError, InputError
from segments_async.images import MAX_ID, colorize, decode_bitmap, encode_bitmap, from_masks, image_size, load_image

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=9)
BITMAPS = arrays(np.uint32, SHAPES, elements=st.integers(0, MAX_ID))
ARRAY = np.array([[0, 1, 2], [MAX_ID, 65_536, 255]], np.uint32)


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@given(BITMAPS)
def test_ids_come_back(array):
    """What is encoded is decoded, whatever its ids."""
    decoded = decode_bitmap(encode_bitmap(array))

    assert decoded.dtype == np.uint32
    assert np.array_equal(decoded, array)


@given(BITMAPS)
def test_pixels_are_those_of_the_official_sdk(array):
    """Each client reads what the other wrote, and the pixels are the same, alpha included."""
    theirs = bitmap2file(array).getvalue()

    with Image.open(io.BytesIO(encode_bitmap(array))) as ours, Image.open(io.BytesIO(theirs)) as expected:
        assert ours.mode == expected.mode == "RGBA"
        assert np.array_equal(np.asarray(ours), np.asarray(expected))
    assert np.array_equal(decode_bitmap(theirs), array)


def test_official_sdk_reads_it(monkeypatch):
    """`load_label_bitmap_from_url` finds the ids that were encoded."""
    answer = type("Answer", (), {"content": encode_bitmap(ARRAY)})
    monkeypatch.setattr("segments.utils.session.get", lambda _: answer)

    assert np.array_equal(load_label_bitmap_from_url("https://example.com/b.png"), ARRAY)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<u4", ">u4", "u8", "i1", "i2", ">i4", "i8"])
@pytest.mark.parametrize("arrange", [np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2]])
def test_any_integers_in_any_order(dtype, arrange):
    """Byte order, signs and layout of the memory do not matter."""
    array = arrange(np.array([[0, 1, 2], [3, 100, 127]], dtype))

    assert np.array_equal(decode_bitmap(encode_bitmap(array)), array)


def test_lists_are_taken():
    assert decode_bitmap(encode_bitmap([[0, 7]])).tolist() == [[0, 7]]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        pytest.param([[MAX_ID + 1]], "array: ids are at most 16777215, got 16777216 at row 0, column 0", id="above"),
        pytest.param([[0, 1], [2, -3]], "array: ids are 0 or more, got -3 at row 1, column 1", id="negative"),
        pytest.param([[1.0]], "array: expected integer ids, got float64", id="float"),
        pytest.param([[True]], "array: expected integer ids, got bool", id="bool"),
        pytest.param([["1"]], "array: expected integer ids, got <U1", id="text"),
        pytest.param([1, 2], r"array: expected an array \(height, width\) of ids, got shape \(2,\)", id="1d"),
        pytest.param(np.zeros((2, 2, 4), int), r"got shape \(2, 2, 4\)", id="3d"),
        pytest.param([[1], [2, 3]], r"expected an array \(height, width\)", id="ragged"),
        pytest.param(np.zeros((0, 3), int), r"has no pixels: its shape is \(0, 3\)", id="empty"),
        pytest.param(None, r"got shape \(\)", id="none"),
    ],
)
def test_invalid_ids_are_refused(array, says):
    """The error says what is wrong, and where in the array."""
    with pytest.raises(InputError, match=says):
        encode_bitmap(array)


def test_alpha_is_ignored_and_may_be_absent():
    """The ids are in the other bits."""
    pixels = np.array([[[7, 1, 0, 0], [0, 0, 1, 90]]], np.uint8)

    assert decode_bitmap(png(Image.fromarray(pixels))).tolist() == [[263, 65_536]]
    assert decode_bitmap(png(Image.fromarray(pixels[..., :3]))).tolist() == [[263, 65_536]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"<html>Sign in</html>", "is not an image; it begins with b'<html>Sign in</html>'", id="html"),
        pytest.param(b"", "is an empty file", id="empty"),
        pytest.param(encode_bitmap(np.arange(10_000).reshape(100, 100))[:-60], "is a damaged image", id="cut"),
        pytest.param(png(Image.new("L", (3, 2))), "expected the RGBA image of a label bitmap, got mode L", id="grey"),
        pytest.param(png(Image.new("P", (3, 2))), "got mode P", id="palette"),
    ],
)
def test_content_that_is_not_a_bitmap_is_refused(content, says):
    """A page of HTML, a truncated file and another kind of image have different errors."""
    with pytest.raises(DecodeError, match=says):
        decode_bitmap(content)


def test_a_bomb_is_refused(monkeypatch):
    """Pillow's limit applies, and the error says how to raise it."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    with pytest.raises(DecodeError, match=r"PIL's Image\.MAX_IMAGE_PIXELS"):
        decode_bitmap(encode_bitmap(np.zeros((100, 100), int)))


@given(BITMAPS)
def test_masks_become_ids(array):
    """Cut into masks and put together again, an array is the same."""
    ids = [int(number) for number in np.unique(array) if number]
    if ids:
        assert np.array_equal(from_masks((array == number for number in ids), ids), array)


def test_later_masks_lie_on_top():
    masks = np.array([[[True, True, False]], [[False, True, False]]])

    assert from_masks(masks).tolist() == [[1, 2, 0]]


@pytest.mark.parametrize(
    ("masks", "ids", "says"),
    [
        ([], None, "masks: expected at least one mask"),
        ([[[0.5]]], None, r"masks\[0\]: expected booleans, got float64"),
        ([[[True]], [[True, False]]], None, r"masks\[1\]: expected shape \(height, width\), equal for all masks"),
        ([[True]], None, r"masks\[0\]: expected shape \(height, width\)"),
        ([[[True]]], [1, 2], "ids: expected one id per mask, got 2"),
        ([[[True]], [[True]]], [1], "ids: expected one id per mask, got 1"),
        ([[[True]]], [0], r"ids\[0\]: expected an integer from 1 to 16777215, got 0"),
    ],
)
def test_invalid_masks(masks, ids, says):
    with pytest.raises(InputError, match=says):
        from_masks(masks, ids)


def test_colours():
    """Ids go through the palette, over and over; named colours are taken as they are."""
    assert colorize([[0, 1, 37, 36]]).tolist() == [[[0, 0, 0], [0, 113, 188], [0, 113, 188], [255, 170, 127]]]
    assert colorize([[0, 5, 6]], {5: (1, 2, 3, 255)}).tolist() == [[[0, 0, 0], [1, 2, 3], [0, 0, 0]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright(orientation, tmp_path):
    """All eight EXIF orientations are applied, and the size read without decoding is the same."""
    upright = Image.fromarray(np.array([[[250, 0, 0], [0, 250, 0], [0, 0, 250]], [[90, 90, 90]] * 3], np.uint8))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transpositions, which store it so
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "image.png"
    path.write_bytes(png(stored, exif=exif))

    loaded = load_image(path)

    assert np.array_equal(np.asarray(loaded), np.asarray(upright))
    assert image_size(path.read_bytes()) == (3, 2)
    assert ImageOps.exif_transpose(loaded).size == (3, 2)  # it is not turned twice


def test_a_path_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "nowhere.png")


@pytest.mark.parametrize("missing", ["numpy", "PIL"])
@pytest.mark.parametrize("part", ["images", "export"])
def test_the_extra_is_named(part, missing):
    """Without numpy or Pillow the package works, and the module says what to install."""
    code = f"""
import sys
sys.modules[{missing!r}] = None
import segments_async
try:
    import segments_async.{part}
except ImportError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert f'pip install "segments-async[{part}]"' in shown
    assert shown.count("pip install") == 1
