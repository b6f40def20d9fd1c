"""
Release files of the service, so that a dataset moves to another account.

Labels stay as they are, of every task type, except for the ids of categories; shapes are also converted to other task
types. The labels of the labelset ``ground-truth`` are read, or those of the only labelset. Samples keep their
attributes, and so the URLs of their files; with a folder of images, these are uploaded instead.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from segments_async._releases.text import ReleaseText
from segments_async.errors import DecodeError, InputError
from segments_async.imports.convert import BOXES, VECTOR
from segments_async.imports.formats import Format
from segments_async.imports.peek import readable
from segments_async.imports.reading import (
    CategoryIds,
    UnreadableError,
    box_of,
    mapping_of,
    note_problem,
    numbers_of,
    text_of,
)
from segments_async.imports.shapes import Dot, ImportProblem, Polygon, Polyline, Shape, SourceImage, SourceObject
from segments_async.models.datasets import GROUND_TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segments_async.imports.peek import Peek
    from segments_async.imports.shapes import Point

_SETTINGS = ("metadata", "priority", "readme")
OTHER_LABELSETS = "labels of other labelsets"


class Release:
    """Reads a release file."""

    def __init__(self, path: Path, images: Path | None) -> None:
        self._path = path
        self._has_images = images is not None
        self.categories: list[dict[str, Any]] = []
        self.problems: list[ImportProblem] = []
        self.left_out: Counter[str] = Counter()
        self.task_type: str = ""

    def open(self) -> None:
        """Read the whole file once: what surrounds the samples, their number, and their labelsets."""
        labelsets: Counter[str] = Counter()
        with readable(self._path), self._path.open("rb") as file:
            text = ReleaseText(file, self._path.name)
            self._count = 0
            for self._count, sample in enumerate(text, 1):
                labels = sample.get("labels") if isinstance(sample, dict) else None
                if isinstance(labels, dict):
                    labelsets.update(name for name, label in labels.items() if label is not None)
        dataset = text.header.get("dataset")
        if not isinstance(dataset, dict) or not isinstance(dataset.get("task_type"), str):
            raise DecodeError(f"{self._path.name} is not a release: it has no task type", path="dataset.task_type")
        self.task_type = dataset["task_type"]
        self._labelset = _labelset_of(labelsets)
        self.left_out[OTHER_LABELSETS] += labelsets.total() - labelsets[self._labelset]
        self.left_out = +self.left_out
        attributes = dataset.get("task_attributes")
        given = attributes.get("categories") if isinstance(attributes, dict) else None
        self.categories = [dict(mapping_of(category)) for category in given or ()]
        self._ids = CategoryIds(category.get("id") for category in self.categories)

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._count

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the samples, in the order of the file."""
        with readable(self._path), self._path.open("rb") as file:
            for number, sample in enumerate(ReleaseText(file, self._path.name)):
                image = SourceImage(name="", labeled=False)
                problems: list[ImportProblem] = []
                where = f"dataset.samples[{number}]"
                with note_problem(problems, where):
                    self._read(image, mapping_of(sample), where)
                if image.name:
                    image.problems += problems
                    yield image
                else:
                    self.problems += problems

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _read(self, image: SourceImage, sample: dict[str, Any], where: str) -> None:
        image.name = text_of(sample.get("name"), "name")
        image.sample_attributes = mapping_of(sample.get("attributes"))
        image.sample_settings = {key: sample[key] for key in _SETTINGS if sample.get(key) is not None}
        url = image.sample_attributes.get("image")
        if isinstance(url, dict) and isinstance(url.get("url"), str):
            image.url = url["url"]
        label = (sample.get("labels") or {}).get(self._labelset)
        attributes = label.get("attributes") if isinstance(label, dict) else None
        if not isinstance(label, dict) or not attributes:
            return
        image.labeled = True
        image.label_status = label.get("label_status")
        image.label_attributes = mapping_of(attributes)
        if self.task_type in VECTOR | BOXES:
            for index, annotation in enumerate(attributes.get("annotations") or ()):
                place = f"{where}.labels.{self._labelset}.attributes.annotations[{index}]"
                with note_problem(image.problems, place, image.name):
                    image.objects.append(self._object(mapping_of(annotation), place))

    def _object(self, annotation: dict[str, Any], where: str) -> SourceObject:
        points = [_pair(point, index) for index, point in enumerate(annotation.get("points") or ())]
        return SourceObject(
            category=self._ids[annotation.get("category_id")],
            shape=_shape(annotation.get("type"), points),
            attributes=annotation.get("attributes"),
            track_id=annotation.get("track_id"),
            where=where,
        )


def _labelset_of(found: Counter[str]) -> str:
    if GROUND_TRUTH in found or not found:
        return GROUND_TRUTH
    if len(found) > 1:
        names = ", ".join(map(repr, sorted(found)))
        raise InputError(f"has no labels in {GROUND_TRUTH!r}, and several other labelsets: {names}", path="path")
    return next(iter(found))


def _shape(kind: Any, points: list[Point]) -> Shape:
    if not points:
        raise UnreadableError("points: missing")
    match kind:
        case "bbox" if len(points) == 2:  # noqa: PLR2004
            (left, top), (right, bottom) = points
            return box_of(left, top, right, bottom)
        case "polygon":
            return Polygon([points])
        case "polyline":
            return Polyline(points)
        case "point":
            return Dot(points[0])
    raise UnreadableError(f"type: expected bbox, polygon, polyline or point, got {kind!r}")


def _pair(point: Any, index: int) -> Point:
    x, y = numbers_of(point, f"points[{index}]", 2)
    return x, y


def _recognizes(seen: Peek) -> bool:
    return "dataset.samples" in seen.json or ("dataset" in seen.json and '"samples"' in seen.start)


FORMAT = Format(
    name="release",
    looks_like="a release file of Segments.ai, with 'dataset' and its 'samples'",
    recognizes=_recognizes,
    reader=Release,
)
