"""Export boxes as YOLO, as Ultralytics reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.export.formats import Entries, FetchedItem
from segments_async.export.names import label_path
from segments_async.export.shapes import FLAT_BOXES, iterate_shapes, size_of, visible_box

if TYPE_CHECKING:
    from segments_async.export.categories import Categories
    from segments_async.export.folder import ExportFolder

SUMMARY = "data.yaml"
IMAGES = "images"
"""Ultralytics replaces the last folder of this name in an image's path by ``labels``."""
_ZERO = "0.000000"
_MAX_CLASSES = 10_000
"""Maximum classes for which gaps are filled in ``data.yaml``."""


class Yolo:
    """
    One text file per image, with one line per box, and a ``data.yaml`` with the names of the classes.

    Args:
        categories: The categories.
        id_increment: Added to their ids; None numbers them from 0, in order, which is what Ultralytics requires.
        title: The first line of ``data.yaml``.
    """

    head = None
    numbered = False
    needs_size = True

    def __init__(self, categories: Categories, id_increment: int | None, title: str) -> None:
        self._categories = categories
        self._title = title
        if id_increment is None:
            self._classes = {category: index for index, category in enumerate(categories.colours)}
        else:
            categories.check_ids(id_increment, 2**31)
            self._classes = {category: category + id_increment for category in categories.colours}

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """Write the text file; it is empty if there are no boxes."""
        entries = Entries()
        lines = []
        for _, category, kind, points in iterate_shapes(fetched.item, self._categories):
            if kind != "bbox":
                entries.left_out[f"{kind}s"] += 1
                continue
            size = size_of(fetched)
            visible = visible_box(points, size, entries.left_out)
            if visible is None:
                continue
            line = _line(visible, size)
            if line is None:
                entries.left_out[FLAT_BOXES] += 1
            else:
                lines.append(f"{self._classes[category]} {line}\n")
        [stem] = self.label_stems(fetched.item.stem)
        folder.write(label_path(stem, ".txt"), "".join(lines).encode())
        return entries

    def label_stems(self, stem: str) -> list[str]:
        """Return where Ultralytics looks for the label of an image: beside it, or in ``labels`` for ``images``."""
        *folders, name = stem.split("/")
        if IMAGES in folders:
            folders[len(folders) - 1 - folders[::-1].index(IMAGES)] = "labels"
        return ["/".join([*folders, name])]

    def closing_file(self) -> bytes | None:
        """Return ``data.yaml``; None if the classes are not contiguous, and too many to fill the gaps."""
        names = {self._classes[plain["id"]]: plain.get("name") for plain in self._categories.plain}
        count = max(names, default=-1) + 1
        if count > max(_MAX_CLASSES, len(names)):
            return None
        lines = [f"# {self._title}", "train: .", "val: .", f"nc: {count}", "names:" if count else "names: {}"]
        lines += [f"  {index}: {_quoted(str(names.get(index, f'unused {index}')))}" for index in range(count)]
        return "".join(f"{line}\n" for line in lines).encode()


def _line(points: list[tuple[float, float]], size: tuple[int, int]) -> str | None:
    """Return the center and the size of a box as fractions of the image; None if it is too small for six digits."""
    width, height = size
    (x0, y0), (x1, y1) = [(x / width, y / height) for x, y in points]
    box_width, box_height = f"{abs(x1 - x0):.6f}", f"{abs(y1 - y0):.6f}"
    if _ZERO in {box_width, box_height}:
        return None
    return f"{(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {box_width} {box_height}"


def _quoted(text: str) -> str:
    """Quote a text for YAML."""
    escaped = "".join(f"\\{char}" if char in '"\\' else char if char.isprintable() else _escape(char) for char in text)
    return f'"{escaped}"'


def _escape(char: str) -> str:
    return "\ufffd" if "\ud800" <= char <= "\udfff" else f"\\U{ord(char):08x}"
