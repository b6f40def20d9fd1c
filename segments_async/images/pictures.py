"""Read image files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from segments_async.errors import DecodeError, SegmentsError
from segments_async.images.png import has_damaged_pixels, metadata_follows_pixels

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import IO

T = TypeVar("T")
_SWAPPED_ORIENTATIONS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
_EXCERPT_BYTES = 40
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "LA": 4, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Memory per pixel by Pillow's mode; all other modes use 4 bytes."""


def load_image(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """
    Read an image and apply its EXIF orientation, so that it is upright, as in the label editor.

    Example::

        image = load_image("violet.jpg")
        print(image.width, image.height)

    Args:
        source: The file's bytes, or its path.

    Returns:
        The loaded image, without an EXIF orientation.

    Raises:
        DecodeError: It is not an image, is truncated, is a PNG whose checksums are wrong, or has more than twice
            ``PIL.Image.MAX_IMAGE_PIXELS`` pixels (179 million by default), which is checked before it is decoded.
            Whatever Pillow or a plugin of it raises is the ``__cause__``.
        OSError: The path cannot be read.
    """
    return read_image(source, _upright)


def image_size(source: bytes | str | os.PathLike[str]) -> tuple[int, int]:
    """
    Read the width and height of an image after its EXIF orientation is applied; the pixels are not decoded.

    Example::

        width, height = image_size("violet.jpg")

    Args:
        source: The file's bytes, or its path.

    Raises:
        DecodeError: It is not an image; or as in `load_image`.
        OSError: The path cannot be read.
    """
    return read_image(source, _upright_size)


def image_header(source: bytes | str | os.PathLike[str]) -> tuple[str, tuple[int, int]]:
    """
    Read an image's format, as Pillow names it (``"JPEG"``), and its upright size; the pixels are not decoded.

    Raises:
        DecodeError: As in `image_size`.
        OSError: The path cannot be read.
    """
    return read_image(source, lambda image: (image.format or "", _upright_size(image)))


def decoded_bytes(content: bytes) -> int:
    """
    Read how many bytes of memory an image takes once it is decoded; the pixels are not decoded.

    Raises:
        DecodeError: As in `image_size`.
    """
    return read_image(content, lambda image: image.width * image.height * _BYTES_PER_PIXEL.get(image.mode, 4))


def read_image(source: bytes | str | os.PathLike[str], use: Callable[[Image.Image], T]) -> T:
    """
    Open an image, and return the result of *use*.

    Raises:
        DecodeError: Pillow refused the file. Plugins raise all kinds of exceptions, so every kind is converted.
    """
    with io.BytesIO(source) if isinstance(source, bytes | bytearray) else Path(source).open("rb") as file:
        try:
            with Image.open(file) as image:
                return use(image)
        except SegmentsError:
            raise
        except UnidentifiedImageError:
            file.seek(0)
            raise DecodeError(_not_an_image(file.read(_EXCERPT_BYTES))) from None
        except Image.DecompressionBombError as error:
            raise DecodeError(f"{error} PIL's Image.MAX_IMAGE_PIXELS sets this limit.") from error
        except MemoryError as error:
            raise DecodeError("does not fit into memory") from error
        except Exception as error:
            raise DecodeError(f"is a damaged image: {str(error) or type(error).__name__}") from error


def check_pixels(image: Image.Image) -> None:
    """
    Check the checksums of an image that is not decoded yet, if it is a PNG; few other formats have any.

    Raises:
        DecodeError: One is wrong.
    """
    file: IO[bytes] | None = getattr(image, "fp", None)
    if image.format == "PNG" and file is not None and has_damaged_pixels(file):
        raise DecodeError("is a damaged image: a checksum of its pixels is wrong")


def _upright(image: Image.Image) -> Image.Image:
    check_pixels(image)
    return ImageOps.exif_transpose(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    if image.format == "TIFF":  # some versions of Pillow swap the size of a TIFF themselves
        tags: dict[int, int] = image.tag_v2  # type: ignore[attr-defined]
        width, height = int(tags[ExifTags.Base.ImageWidth]), int(tags[ExifTags.Base.ImageLength])
    else:
        width, height = image.size
    return (height, width) if _orientation(image) in _SWAPPED_ORIENTATIONS else (width, height)


def _orientation(image: Image.Image) -> object:
    file: IO[bytes] | None = getattr(image, "fp", None)
    if image.format == "PNG" and file is not None and not metadata_follows_pixels(file):
        exif = Image.Image.getexif(image)  # that of PngImageFile decodes the pixels to find metadata after them
    else:
        exif = image.getexif()
    return exif.get(ExifTags.Base.Orientation)


def _not_an_image(start: bytes) -> str:
    return f"is not an image; it begins with {start!r}" if start else "is an empty file, not an image"
