"""Image files: upright sizes, damaged files, plugins that raise anything, and bombs."""

from __future__ import annotations

import contextlib
import io
import resource
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageFile, features

from segments_async import DecodeError
from segments_async.images import decode_bitmap, encode_bitmap, image_size, load_image
from segments_async.images.pictures import decoded_bytes, image_header

ORIENTATION = 0x0112


def encoded(format, *, size=(40, 20), mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, 200 if mode in {"L", "I;16"} else (200, 10, 10)).save(file, format, **options)
    return file.getvalue()


def turned(format, orientation):
    if format == "TIFF":
        return encoded(format, tiffinfo={ORIENTATION: orientation})
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(format, exif=exif.tobytes())


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width, height, *, depth=8, colour=2, content=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "MPO", "GIF", "BMP"])
def test_sizes_are_those_of_the_upright_image(format, orientation):
    """In every container, for every orientation and for invalid ones."""
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow was built without AVIF")
    if format == "AVIF" and orientation not in range(1, 9):
        return  # its encoder refuses them
    content = turned(format, orientation)

    assert image_size(content) == load_image(content).size
    assert image_header(content)[1] == image_size(content)


def test_an_orientation_behind_the_pixels():
    """A PNG may have its EXIF data at the end."""
    content = encoded("PNG")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    late = content[:-12] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + content[-12:]

    assert image_size(late) == load_image(late).size == (20, 40)


def test_a_size_is_read_without_decoding():
    """The pixels of this PNG are missing, and it would take 170 MB."""
    content = png_of(13_000, 13_000, colour=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.warns(Image.DecompressionBombWarning):
        assert image_size(content) == (13_000, 13_000)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("use", [load_image, image_size, decode_bitmap, decoded_bytes])
def test_a_bomb_is_refused_before_memory_is_spent(use):
    """A few kilobytes that mean a gigabyte: the limit is Pillow's."""
    content = png_of(20_000, 20_000, colour=6)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(DecodeError, match=r"400000000 pixels.*Image\.MAX_IMAGE_PIXELS") as caught:
        use(content)

    assert isinstance(caught.value.__cause__, Image.DecompressionBombError)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "I;16", "LA", "CMYK"])
def test_memory_of_an_image(mode):
    """Pillow stores most modes in four bytes per pixel."""
    image = Image.new(mode, (10, 10))
    file = io.BytesIO()
    image.save(file, "TIFF")

    assert decoded_bytes(file.getvalue()) == 100 * {"L": 1, "P": 1, "I;16": 2}.get(mode, 4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (encoded("JPEG"), "expected the PNG of a label bitmap, got JPEG"),
        (encoded("WEBP"), "got WEBP"),
        (png_of(1, 1, depth=16, colour=2, content=bytes(7)), "expected the 8 bits per channel of a label bitmap, got"),
        (png_of(1, 1, depth=16, colour=6, content=bytes(9)), "got 16"),
        (encoded("PNG", mode="I;16"), "got 16"),
    ],
)
def test_bitmaps_whose_ids_would_be_garbage(content, says):
    """Lossy formats change ids, and Pillow drops half the bits of 16-bit channels."""
    with pytest.raises(DecodeError, match=says):
        decode_bitmap(content)


@pytest.mark.parametrize("use", [load_image, decode_bitmap])
def test_a_bit_of_a_png_that_changed(use, tmp_path):
    """Pillow reads another pixel then, and says nothing."""
    content = encode_bitmap(np.random.default_rng(0).integers(0, 1000, (30, 40)))
    for at in range(len(content) // 3, len(content) - 30, 97):
        damaged = bytearray(content)
        damaged[at] ^= 16
        with pytest.raises(DecodeError, match="is a damaged image"):
            use(bytes(damaged))
    (tmp_path / "a.png").write_bytes(damaged)
    with pytest.raises(DecodeError, match="a checksum of its pixels is wrong"):
        load_image(tmp_path / "a.png")
    use(content)


class _Plugin(ImageFile.ImageFile):
    format = "BROKEN"
    format_description = "a format whose plugin raises"
    where = "open"
    error: BaseException = RuntimeError("no frames")

    def _open(self):
        if self.where == "open":
            raise self.error
        self._size, self._mode = (2, 2), "RGB"
        self.tile = []

    def load(self):
        raise self.error


@pytest.fixture
def plugin():
    Image.init()
    Image.register_open("BROKEN", _Plugin, lambda prefix: prefix.startswith(b"BROKEN"))
    yield _Plugin
    Image.ID.remove("BROKEN")
    Image.OPEN.pop("BROKEN")


@pytest.mark.parametrize("where", ["open", "load"])
@pytest.mark.parametrize("error", [RuntimeError("no frames"), KeyError("x"), AssertionError(), RecursionError("deep")])
def test_a_plugin_may_raise_anything(plugin, where, error):
    """It is a damaged image, and the original error is the cause."""
    plugin.where, plugin.error = where, error

    if where == "open" and isinstance(error, KeyError):  # to Pillow, another format
        with pytest.raises(DecodeError, match="is not an image"):
            load_image(b"BROKEN....")
        return
    with pytest.raises(DecodeError, match="damaged image") as caught:
        load_image(b"BROKEN....")

    assert caught.value.__cause__ is error


def test_an_image_beyond_memory(plugin):
    plugin.where, plugin.error = "load", MemoryError()

    with pytest.raises(DecodeError, match="does not fit into memory"):
        load_image(b"BROKEN....")


def test_what_is_not_an_exception_passes(plugin):
    plugin.where, plugin.error = "load", KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        load_image(b"BROKEN....")


WHOLE = [turned(kind, 6) for kind in ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "MPO", "PPM", "ICO", "TGA")]
if features.check("avif"):
    WHOLE.append(turned("AVIF", 6))
WHOLE.append(encode_bitmap(np.arange(50).reshape(5, 10)))


@st.composite
def damaged(draw):
    """An image with some bytes changed, left out or put in."""
    content = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@settings(deadline=None)
@pytest.mark.filterwarnings("ignore")
@given(st.binary(max_size=300) | damaged())
def test_any_bytes_as_an_image(content):
    """They end in a result or in a DecodeError."""
    for use in (load_image, image_size, decode_bitmap, decoded_bytes, image_header):
        with contextlib.suppress(DecodeError):
            use(content)
