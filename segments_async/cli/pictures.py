"""Images for the demo to upload: handwritten digits with bounding boxes, or the images in a folder."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen
from PIL import Image
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = 10
MAX_INTENSITY = 16
"""Maximum pixel value in scikit-learn's digits."""
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@frozen
class Picture:
    """An image and its label, if it has one."""

    name: str
    source: bytes | Path
    label: dict[str, Any] | None = None

    def content(self) -> bytes:
        """Return the bytes of the image file."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


def digits() -> list[Picture]:
    """Return the 1,797 handwritten digits that scikit-learn ships, as PNGs of 8 x 8 pixels."""
    bunch = load_digits()
    return [
        Picture(f"digit-{number:04}.png", _png(image), _label(image, int(digit)))
        for number, (image, digit) in enumerate(zip(bunch.images, bunch.target, strict=True))
    ]


def pictures_in(folder: Path) -> list[Picture]:
    """Return the images in *folder* and its subfolders that are not hidden, named by their relative paths."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return [Picture(path.relative_to(folder).as_posix(), path) for path in files]


def _png(image: np.ndarray[Any, Any]) -> bytes:
    pixels = np.rint(image * (255 / MAX_INTENSITY)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _label(image: np.ndarray[Any, Any], digit: int) -> dict[str, Any]:
    """Return a label with one bounding box around the nonzero pixels."""
    rows, columns = np.nonzero(image)
    box = [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]
    points = [[float(x), float(y)] for x, y in box]
    return {
        "format_version": "0.1",
        "annotations": [{"id": 1, "category_id": digit, "type": "bbox", "points": points}],
    }
