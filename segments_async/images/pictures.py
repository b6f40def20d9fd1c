"""Read image files."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from segments_async.errors import DecodeError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

T = TypeVar("T")
_SWAPPED_ORIENTATIONS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
_EXCERPT_BYTES = 40


def load_image(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """
    Read an image and apply its EXIF orientation, so that it is upright, as in the label editor.

    Example:
        ::

            image = load_image("violet.jpg")
            print(image.width, image.height)

    Args:
        source: The file's bytes, or its path.

    Returns:
        The loaded image, without an EXIF orientation.

    Raises:
        DecodeError: It is not an image, or is truncated.
        OSError: The path cannot be read.
    """
    return read_image(source, ImageOps.exif_transpose)


def image_size(source: bytes | str | os.PathLike[str]) -> tuple[int, int]:
    """
    Read the width and height of an image after its EXIF orientation is applied; the pixels are not decoded.

    Example:
        ::

            width, height = image_size("violet.jpg")

    Args:
        source: The file's bytes, or its path.

    Raises:
        DecodeError: It is not an image.
        OSError: The path cannot be read.
    """

    def measure(image: Image.Image) -> tuple[int, int]:
        is_swapped = image.getexif().get(ExifTags.Base.Orientation) in _SWAPPED_ORIENTATIONS
        return (image.height, image.width) if is_swapped else (image.width, image.height)

    return read_image(source, measure)


def read_image(source: bytes | str | os.PathLike[str], use: Callable[[Image.Image], T]) -> T:
    """Open an image, and return the result of *use*; a file that Pillow cannot read raises DecodeError."""
    with io.BytesIO(source) if isinstance(source, bytes | bytearray) else Path(source).open("rb") as file:
        try:
            with Image.open(file) as image:
                return use(image)
        except UnidentifiedImageError:
            file.seek(0)
            raise DecodeError(_not_an_image(file.read(_EXCERPT_BYTES))) from None
        except Image.DecompressionBombError as error:
            raise DecodeError(f"{error} PIL's Image.MAX_IMAGE_PIXELS sets this limit.") from error
        except (OSError, SyntaxError, ValueError, struct.error) as error:  # all raised by Pillow's decoders
            raise DecodeError(f"is a damaged image: {error}") from error


def _not_an_image(start: bytes) -> str:
    return f"is not an image; it begins with {start!r}" if start else "is an empty file, not an image"
