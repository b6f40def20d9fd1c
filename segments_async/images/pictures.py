"""Images as files."""

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
_LYING = frozenset({5, 6, 7, 8})
"""EXIF orientations that exchange width and height."""
_SHOWN_BYTES = 40


def load_image(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """
    Read an image, upright: turned and mirrored as its EXIF orientation says, as the label editor shows it.

    Example:
        ::

            image = load_image("violet.jpg")
            print(image.width, image.height)

    Args:
        source: The file's bytes, or its path.

    Returns:
        The image, loaded, without an orientation.

    Raises:
        DecodeError: It is not an image, or is cut off.
        OSError: The path cannot be read.
    """
    return read_image(source, ImageOps.exif_transpose)


def image_size(source: bytes | str | os.PathLike[str]) -> tuple[int, int]:
    """
    Tell width and height of an image, upright; its pixels are not decoded.

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
        lies = image.getexif().get(ExifTags.Base.Orientation) in _LYING
        return (image.height, image.width) if lies else (image.width, image.height)

    return read_image(source, measure)


def read_image(source: bytes | str | os.PathLike[str], use: Callable[[Image.Image], T]) -> T:
    """Open an image, and give what *use* makes of it; what is wrong with the file is one sentence."""
    with io.BytesIO(source) if isinstance(source, bytes | bytearray) else Path(source).open("rb") as file:
        try:
            with Image.open(file) as image:
                return use(image)
        except UnidentifiedImageError:
            file.seek(0)
            raise DecodeError(_no_image(file.read(_SHOWN_BYTES))) from None
        except Image.DecompressionBombError as error:
            raise DecodeError(f"{error} Image.MAX_IMAGE_PIXELS of PIL is that limit.") from error
        except (OSError, SyntaxError, ValueError, struct.error) as error:  # what Pillow's readers raise
            raise DecodeError(f"is a damaged image: {error}") from error


def _no_image(begins: bytes) -> str:
    return f"is not an image; it begins with {begins!r}" if begins else "is an empty file, not an image"
