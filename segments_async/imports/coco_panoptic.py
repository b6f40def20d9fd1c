"""
COCO panoptic: a JSON file, and for each image a PNG whose pixels are ids of segments.

Source: cocodataset.org, "Data format": ``id = R + 256 * G + 256 ** 2 * B``, and 0 is unlabelled. The PNGs are
looked up in the folder that has the name of the JSON file, beside the file, in the folder of the images, and where
`releases.export` writes them. ``isthing`` becomes ``has_instances``; ``iscrowd`` becomes an attribute.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from segments_async.imports.coco_file import CocoFile
from segments_async.imports.formats import Format
from segments_async.imports.reading import UnreadableError, box_or_none, mapping_of, note_problem, text_of
from segments_async.imports.shapes import Segment, SourceObject

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from segments_async.imports.peek import Peek
    from segments_async.imports.shapes import SourceImage

_MAX_ID = 2**24 - 1


class CocoPanoptic(CocoFile):
    """Reads COCO panoptic."""

    task_type = "segmentation-bitmap"

    def __init__(self, path: Path, images: Path | None) -> None:
        super().__init__(path, images)
        beside = path.parent
        exports = sorted(beside.glob("segments/*/*"))
        self._folders = [beside / path.stem, beside, *([] if images is None else [images]), *exports]

    def _category(self, category: dict[str, Any]) -> dict[str, Any]:
        is_thing = category.pop("isthing", None)
        return category if is_thing is None else {**category, "has_instances": bool(is_thing)}

    def _add(self, image: SourceImage, annotation: dict[str, Any], where: str) -> None:
        if image.pixels is not None:
            raise UnreadableError("another annotation has the same image")
        segments = annotation.get("segments_info")
        if not isinstance(segments, list):
            raise UnreadableError(f"segments_info: expected a list, got {type(segments).__name__}")
        image.pixels = partial(self._decode, text_of(annotation.get("file_name"), "file_name"))
        for index, segment in enumerate(segments):
            place = f"{where}.segments_info[{index}]"
            with note_problem(image.problems, place, image.name):
                image.objects.append(self._segment(mapping_of(segment), place))

    def _segment(self, segment: dict[str, Any], where: str) -> SourceObject:
        number = segment.get("id")
        if not isinstance(number, int) or not 0 < number <= _MAX_ID:
            raise UnreadableError(f"id: expected a whole number from 1 to {_MAX_ID}, got {number!r}")
        return SourceObject(
            category=self._ids[segment.get("category_id")],
            shape=Segment(number),
            box=box_or_none(segment.get("bbox")),
            attributes={"iscrowd": True} if segment.get("iscrowd") else None,
            where=where,
        )

    def _decode(self, name: str) -> npt.NDArray[np.uint32]:
        from segments_async.images import decode_bitmap  # noqa: PLC0415 (an extra)

        if ".." in name.replace("\\", "/").split("/"):
            raise UnreadableError(f"file_name: {name!r} leads outside the folder")
        for folder in self._folders:
            if (path := folder / name).is_file():
                return decode_bitmap(path.read_bytes())
        raise UnreadableError(f"its PNG {name!r} is not there; looked in {', '.join(map(str, self._folders))}")


def _recognizes(seen: Peek) -> bool:
    first = seen.json.get("annotations")
    return isinstance(first, dict) and "segments_info" in first


FORMAT = Format(
    name="coco-panoptic",
    looks_like="a JSON file with 'images', 'annotations' (each with 'segments_info') and 'categories', and PNGs",
    recognizes=_recognizes,
    reader=CocoPanoptic,
)
