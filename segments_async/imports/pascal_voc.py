"""
Pascal VOC: an XML file for each image, with boxes.

Source: host.robots.ox.ac.uk/pascal/VOC, the development kit, and what LabelImg, roLabelImg, CVAT, datumaro and Roboflow
write: polygons, turned boxes (``robndbox``) and ``attributes``. A box states its edges in pixels. In the files of VOC
itself (``The VOC2012 Database``), which count pixels from 1, the left and the top edge move by one pixel.

``difficult``, ``truncated`` and ``occluded`` become attributes if they are set, and ``pose`` and actions if they are
given. The masks in ``SegmentationObject`` are what a bitmap has instead of the boxes. A part of an object, such as a
head, becomes an object with the attribute ``part_of``.
"""

from __future__ import annotations

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from segments_async.imports.file_per_image import FilePerImage
from segments_async.imports.formats import Format
from segments_async.imports.named_categories import value_of
from segments_async.imports.reading import UnreadableError, box_of, note_problem, numbers_of, size_of
from segments_async.imports.shapes import Box, Dot, Polygon, Segment, Shape, SourceImage, SourceObject
from segments_async.imports.turned import TURNED, corners_of, turned
from segments_async.imports.xml_text import read_xml, root_tag, text_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    import numpy as np
    import numpy.typing as npt

    from segments_async.imports.peek import Peek

NO_MASKS = "images whose masks are not in SegmentationObject"
_MASKS = "SegmentationObject"
_FOLDERS = ("JPEGImages", "images", "Images", "")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_KNOWN = frozenset(
    {"name", "bndbox", "robndbox", "polygon", "point", "part", "actions", "attributes", "pose"}
    | {"difficult", "truncated", "occluded", "type", "deleted", "verified", "date", "id", "parts"}
)
_FLAGS = ("difficult", "truncated", "occluded")
_UNSPECIFIED = frozenset({"unspecified", "unknown", "frontal unspecified"})
_PROBED = 5
"""Maximum XML files of a folder whose root is inspected."""


class PascalVoc(FilePerImage):
    """Reads a folder of XML files, or one of them."""

    _suffix = ".xml"
    _folder_name = "Annotations"

    def _image(self, file: Path) -> SourceImage:
        root = read_xml(file)
        if root.tag != "annotation":
            raise UnreadableError(f"expected the element <annotation>, got <{root.tag}>")
        image = SourceImage(name="", size=size_of(text_in(root, "size/width"), text_in(root, "size/height")))
        self._place(image, file, text_in(root, "filename") or text_in(root, "path") or file.stem)
        has_masks = self._find_masks(image, file)
        if text_in(root, "segmented") == "1" and not has_masks:
            image.left_out[NO_MASKS] += 1
        shift = 1 if "VOC20" in (text_in(root, "source/database") or "") else 0
        for index, element in enumerate(root.findall("object")):
            where = f"{self._shown(file)}: object[{index}]"
            with note_problem(image.problems, where, image.name):
                mask = Segment(index + 1) if has_masks else None
                self._add(image, list(self._objects(element, image, where, shift, mask)))
        return image

    def _find_masks(self, image: SourceImage, file: Path) -> bool:
        """Find the PNG of an image's masks, below the folder that is read."""
        place = type(file)(os.path.relpath(file, self._root))
        folders = place.parent.parts
        at = folders.index(self._folder_name) if self._folder_name in folders else len(folders)
        found = self._find(type(file)(*folders[:at], _MASKS, *folders[at + 1 :], f"{place.stem}.png"))
        if found is not None:
            image.pixels = partial(_object_numbers, found)
        return found is not None

    def _objects(
        self, element: Element, image: SourceImage, where: str, shift: int, mask: Segment | None
    ) -> Iterator[SourceObject]:
        shape, box = _shape_of(element, image, shift)
        name = text_in(element, "name")
        attributes = _attributes_of(element)
        parts = [(part, _shape_of(part, image, shift)[0]) for part in element.findall("part")]
        for child in element:
            if child.tag not in _KNOWN:
                image.left_out[f"elements <{child.tag}> of objects"] += 1
        category = self._categories.id_of(name)
        yield SourceObject(
            category=category, shape=shape, box=box, mask=mask, attributes=attributes or None, where=where
        )
        for part, part_shape in parts:
            number = self._categories.id_of(text_in(part, "name"))
            yield SourceObject(category=number, shape=part_shape, attributes={"part_of": name}, where=where)

    def _candidates(self, folder: Path, name: str) -> Iterator[Path]:
        if self._folder_name in folder.parts:
            at = folder.parts.index(self._folder_name)
            for images in _FOLDERS:
                yield type(folder)(*folder.parts[:at], images, *folder.parts[at + 1 :]) / name
        yield folder / name
        for images in _FOLDERS:
            yield folder / images / name


def _object_numbers(path: Path) -> npt.NDArray[np.uint32]:
    from segments_async.imports.voc_masks import object_numbers  # noqa: PLC0415 (an extra)

    return object_numbers(path)


def _numbers(element: Element, names: tuple[str, ...], what: str) -> list[float]:
    return numbers_of([text_in(element, name) or "" for name in names], what, len(names))


def _shape_of(element: Element, image: SourceImage, shift: int) -> tuple[Shape, Box | None]:
    """Return the shape of an object, and the box that is stated beside it."""
    bounds, polygon, oriented = (element.find(tag) for tag in ("bndbox", "polygon", "robndbox"))
    box = None
    if bounds is not None:
        left, top, right, bottom = _numbers(bounds, _EDGES, "bndbox")
        shift = shift if min(left, top) >= 1 else 0
        box = box_of(left - shift, top - shift, right, bottom)
    if polygon is not None:
        return Polygon([_ring(polygon)]), box
    if oriented is not None:
        return _oriented(oriented, image), box
    if box is not None:
        return box, None
    point = element.find("point")
    if point is not None:
        x, y = _numbers(point, ("x", "y"), "point")
        return Dot((x, y)), None
    raise UnreadableError("it has no <bndbox>")


def _oriented(element: Element, image: SourceImage) -> Shape:
    x, y, width, height, angle = _numbers(element, ("cx", "cy", "w", "h", "angle"), "robndbox")
    box = box_of(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if not angle:
        return box
    image.changed[TURNED] += 1
    return Polygon([turned(corners_of(box), (x, y), math.degrees(angle))])


def _ring(polygon: Element) -> list[tuple[float, float]]:
    """Read the points of a polygon: ``<x1>``, ``<y1>``, ``<x2>`` and so on, or ``<x>`` and ``<y>`` of each point."""
    points = [*polygon.findall("pt"), *polygon.findall("point")]
    if points:
        pairs = [_numbers(point, ("x", "y"), "polygon") for point in points]
    else:
        count = len(polygon) // 2
        pairs = [_numbers(polygon, (f"x{number}", f"y{number}"), "polygon") for number in range(1, count + 1)]
    return [(x, y) for x, y in pairs]


def _attributes_of(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _FLAGS:
        flag = text_in(element, name)
        if flag and flag.lower() not in {"0", "false", "unspecified"}:
            found[name] = True if flag == "1" else value_of(flag)
    pose = text_in(element, "pose")
    if pose is not None and pose.lower() not in _UNSPECIFIED:
        found["pose"] = pose
    for action in element.iterfind("actions/*"):
        if (action.text or "").strip() in {"1", "true"}:
            found[action.tag] = True
    for attribute in element.iterfind("attributes/attribute"):
        key, value = text_in(attribute, "name"), text_in(attribute, "value")
        if key and value:
            found[key] = value_of(value)
    return found


def _recognizes(seen: Peek) -> bool:
    if not seen.is_folder:
        return seen.xml_root == "annotation"
    if "Annotations" in seen.names and not any(name.endswith(".xml") for name in seen.names):
        folder = seen.path / "Annotations"
        names = sorted(path.name for path in folder.glob("*"))
    else:
        folder, names = seen.path, seen.names
    files = [folder / name for name in names if name.lower().endswith(".xml") and not name.startswith(".")]
    return any(root_tag(file) == "annotation" for file in files[:_PROBED])


FORMAT = Format(
    name="pascal-voc",
    looks_like="a folder of XML files, often 'Annotations', each with the element <annotation>",
    recognizes=_recognizes,
    reader=PascalVoc,
)
