"""Export bitmaps as COCO instance, COCO panoptic and polygons. All objects of a bitmap are found in one pass."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from segments_async._validators import is_count
from segments_async.export.categories import Categories, SegmentColours, color_id
from segments_async.export.formats import NO_ANNOTATION, NO_PIXELS, Entries, FetchedItem, image_entry
from segments_async.export.names import label_path
from segments_async.images.bitmaps import translate
from segments_async.images.png import encode_png
from segments_async.images.runs import Part, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from segments_async.export.folder import ExportFolder
    from segments_async.export.items import Item


_MAX_COUNTED_ID = 65_535


class Objects:
    """The objects of an item: the annotations that have pixels."""

    def __init__(self, fetched: FetchedItem, categories: Categories, *, by_columns: bool = False) -> None:
        item = fetched.item
        assert item.annotations is not None
        assert fetched.ids is not None
        self.height: int = fetched.ids.shape[0]
        self.width: int = fetched.ids.shape[1]
        self.left_out: Counter[str] = Counter()
        self.found: list[tuple[dict[str, Any], int, Part]] = []
        """Annotations in order, each with its category and its runs."""
        parts = runs_of(fetched.ids, by_columns=by_columns)
        for number, annotation, category in iterate_annotations(item, categories):
            if number in parts:
                self.found.append((annotation, category, parts.pop(number)))
            else:
                self.left_out[NO_PIXELS] += 1
        if parts:
            self.left_out[NO_ANNOTATION] += sum(part.area for part in parts.values())


def count_mismatches(fetched: FetchedItem) -> Counter[str]:
    """Count annotations without pixels, and pixels without an annotation."""
    assert fetched.ids is not None
    areas = _areas(fetched.ids)
    left_out: Counter[str] = Counter()
    for annotation in fetched.item.annotations or ():
        number = annotation.get("id")
        if not is_count(number) or areas.pop(number, None) is None:
            left_out[NO_PIXELS] += 1
    if areas:
        left_out[NO_ANNOTATION] += sum(areas.values())
    return left_out


def _areas(ids: npt.NDArray[np.uint32]) -> dict[int, int]:
    """Count the pixels of each id, without unlabelled ones."""
    if ids.max() <= _MAX_COUNTED_ID:  # faster than runs, but needs memory for each possible id
        counts = np.bincount(ids.ravel())
        return {int(number): int(counts[number]) for number in np.flatnonzero(counts) if number}
    return {number: part.area for number, part in runs_of(ids).items()}


def iterate_annotations(item: Item, categories: Categories) -> Iterator[tuple[int, dict[str, Any], int]]:
    """
    Iterate over the annotations, each as its id, the annotation and its category.

    Raises:
        ExportError: An id is not an integer or occurs twice, or there is no such category.
    """
    seen = set()
    for index, annotation in enumerate(item.annotations or ()):
        number = annotation.get("id")
        if not is_count(number) or number in seen:
            problem = "duplicate id" if number in seen else "expected an integer, got"
            raise item.error(f"annotations[{index}].id: {problem} {number!r}")
        seen.add(number)
        yield number, annotation, categories.of_annotation(item, index)


class CocoInstance:
    """COCO instance with compressed run lengths, boxes and areas."""

    numbered = True
    needs_size = False

    def __init__(self, categories: Categories, info: Mapping[str, Any]) -> None:
        from segments_async.export._pycocotools import compress  # noqa: PLC0415 (an extra of this format alone)

        self.head: Mapping[str, Any] = {"info": info, "categories": categories.plain}
        self._categories = categories
        self._compress = compress

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """Return the item's entries in the JSON file."""
        objects = Objects(fetched, self._categories, by_columns=True)
        entries = [
            {
                "image_id": fetched.item.number,
                "category_id": category,
                "bbox": part.box,
                "segmentation": self._compress(part, objects.height, objects.width),
                "area": part.area,
                "iscrowd": 0,
            }
            for _, category, part in objects.found
        ]
        return Entries(images=[image_entry(fetched)], annotations=entries, left_out=objects.left_out)

    def label_stems(self, stem: str) -> list[str]:
        """Return nothing, as there are no files for items."""
        return []

    def closing_file(self) -> None:
        """Return nothing, as the JSON file is written by `JsonLists`."""


class CocoPanoptic:
    """COCO panoptic: one PNG of coloured segments per image."""

    numbered = False
    needs_size = False

    def __init__(self, categories: Categories, info: Mapping[str, Any], labelset: str) -> None:
        self.head: Mapping[str, Any] = {"info": info, "categories": categories.coloured}
        self._categories = categories
        self._colours = SegmentColours(categories)
        self._suffix = f"_label_{labelset}_coco-panoptic"

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """Write the PNG, and return the item's entries in the JSON file."""
        objects = Objects(fetched, self._categories)
        colours = self._colours.of_image((annotation["id"], category) for annotation, category, _ in objects.found)
        numbers = {number: color_id(colour) for number, colour in colours.items()}
        segments: dict[int, dict[str, Any]] = {}
        for annotation, category, part in objects.found:
            number = numbers[annotation["id"]]
            entry = {"id": number, "category_id": category, "bbox": part.box, "area": part.area, "iscrowd": 0}
            segments[number] = _merge_segments(segments[number], entry) if number in segments else entry
        assert fetched.ids is not None
        pixels = translate(fetched.ids, numbers, "<u4").view(np.uint8).reshape(*fetched.ids.shape, 4)
        name = label_path(fetched.item.stem + self._suffix, ".png")
        folder.write(name, encode_png(pixels[..., :3]))
        labels = {"segments_info": list(segments.values()), "file_name": name, "image_id": fetched.item.number}
        return Entries(images=[image_entry(fetched)], annotations=[labels], left_out=objects.left_out)

    def label_stems(self, stem: str) -> list[str]:
        """Return the path of the item's PNG, without extension."""
        return [stem + self._suffix]

    def closing_file(self) -> None:
        """Return nothing, as the JSON file is written by `JsonLists`."""


def _merge_segments(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Merge two parts of one segment: the union of their boxes, and the sum of their areas."""
    (x, y, width, height), (x2, y2, width2, height2) = one["bbox"], other["bbox"]
    left, top = min(x, x2), min(y, y2)
    right, bottom = max(x + width, x2 + width2), max(y + height, y2 + height2)
    return one | {"bbox": [left, top, right - left, bottom - top], "area": one["area"] + other["area"]}


class Polygons:
    """Contours of the objects in bitmaps."""

    numbered = True
    needs_size = False

    def __init__(self, categories: Categories) -> None:
        from segments_async.export._opencv import contours  # noqa: PLC0415 (an extra of this format alone)

        self.head: Mapping[str, Any] = {"categories": categories.plain}
        self._categories = categories
        self._contours = contours

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """Return the item's entries in the JSON file."""
        objects = Objects(fetched, self._categories)
        assert fetched.ids is not None
        entries = [
            {
                "image_id": fetched.item.number,
                "category_id": category,
                "attributes": annotation.get("attributes"),
                "polygons": self._contours(fetched.ids, annotation["id"], part),
            }
            for annotation, category, part in objects.found
        ]
        return Entries(images=[image_entry(fetched)], annotations=entries, left_out=objects.left_out)

    def label_stems(self, stem: str) -> list[str]:
        """Return nothing, as there are no files for items."""
        return []

    def closing_file(self) -> None:
        """Return nothing, as the JSON file is written by `JsonLists`."""
