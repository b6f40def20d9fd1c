"""What COCO instance and COCO panoptic have in common: one JSON file with images, annotations and categories."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from segments_async.errors import InputError
from segments_async.imports.grouping import Grouping, body_of
from segments_async.imports.peek import import_text, readable
from segments_async.imports.reading import (
    CategoryIds,
    UnreadableError,
    key_of,
    mapping_of,
    normalized,
    note_problem,
    size_of,
)
from segments_async.imports.shapes import ImportProblem, SourceImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segments_async._releases.text import JsonText
    from segments_async.imports.grouping import Row

MAX_LISTED = 1000
"""Problems of one kind that are listed; all are counted."""
NO_IMAGE = "annotations of images that the file does not list"
_LISTS = ("images", "annotations", "categories")
_URLS = ("coco_url", "flickr_url", "url")


class CocoFile:
    """
    Reads COCO's JSON piece by piece; the formats derived from it read the annotations of one image.

    Args:
        path: The file.
        images: The folder of the images; None if it is not known.
    """

    def __init__(self, path: Path, images: Path | None) -> None:
        self._path = path
        self._folder = images
        self._grouping: Grouping | None = None
        self.categories: list[dict[str, Any]] = []
        self.problems: list[ImportProblem] = []
        self.left_out: Counter[str] = Counter()

    def open(self) -> None:
        """Read the whole file once, and group its annotations by image on disk."""
        self._grouping = grouping = Grouping()
        found = set()
        with readable(self._path), self._path.open("rb") as file:
            text = import_text(file, self._path)
            if text.peek() == "[":
                raise InputError("is a list, such as COCO's results, which lack the images and categories", path="path")
            for key in text.members():
                if key in _LISTS and text.peek() == "[":
                    found.add(key)
                    self._read_list(key, text, grouping)
                else:
                    text.value()
            text.end()
        missing = [name for name in _LISTS if name not in found]
        if missing:
            raise InputError(f"is not COCO: it has no list {', '.join(missing)}: {self._path}", path="path")
        grouping.finish()
        self._ids = CategoryIds(category.get("id") for category in self.categories)
        for category in self.categories:
            category["id"] = self._ids[category.get("id")]
        self._note_orphans(grouping)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._opened)

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the images, in the order of the file."""
        for number, key, entry in self._opened.images():
            image = SourceImage(name="")
            problems: list[ImportProblem] = []
            with note_problem(problems, f"images[{number}]"):
                image = self._image(mapping_of(entry))
            if problems:
                self.problems += problems
                continue
            for index, annotation in self._opened.annotations_of(key):
                where = f"annotations[{index}]"
                with note_problem(image.problems, where, image.name):
                    self._add(image, mapping_of(annotation), where)
            yield image

    def close(self) -> None:
        """Delete the temporary database."""
        if self._grouping is not None:
            self._grouping.close()
            self._grouping = None

    @property
    def _opened(self) -> Grouping:
        assert self._grouping is not None, "open() comes first"
        return self._grouping

    def _add(self, image: SourceImage, annotation: dict[str, Any], where: str) -> None:
        """Add the objects of one annotation to its image."""
        raise NotImplementedError

    def _note(self, annotation: Any) -> None:
        """Look at an annotation while the file is read, to find the task type."""

    def _category(self, category: dict[str, Any]) -> dict[str, Any]:
        """Return a category as the service knows it."""
        return category

    def _read_list(self, key: str, text: JsonText, grouping: Grouping) -> None:
        if key == "images":
            for number, image_id, _ in grouping.add_images(self._image_rows(text)):
                problem = "missing" if image_id is None else f"another image has the id {image_id}"
                self._report(f"images[{number}]", f"id: {problem}")
        elif key == "annotations":
            grouping.add_annotations(self._annotation_rows(text))
        else:
            for number, category in enumerate(text.items(key)):
                name = category.get("name") if isinstance(category, dict) else None
                if not isinstance(name, str) or not name.strip():
                    raise InputError(
                        f"expected an object with an id and a name, got {category!r}"[:300],
                        path=f"categories[{number}]",
                    )
                self.categories.append(self._category(dict(category)))

    def _image_rows(self, text: JsonText) -> Iterator[Row]:
        for number, image in enumerate(text.items("images")):
            key = key_of(image.get("id")) if isinstance(image, dict) else None
            if key is None:
                self._report(f"images[{number}]", "expected an object with an id")
            else:
                yield number, key, body_of(text.last_text())

    def _annotation_rows(self, text: JsonText) -> Iterator[Row]:
        for number, annotation in enumerate(text.items("annotations")):
            body = body_of(text.last_text())
            key = None
            if isinstance(annotation, dict):
                key = key_of(annotation.get("image_id"))
                with suppress(Exception):  # a broken annotation is reported when it is read
                    self._note(annotation)
            yield number, key, body

    def _report(self, where: str, problem: str) -> None:
        if len(self.problems) < MAX_LISTED:
            self.problems.append(ImportProblem(where, problem))

    def _note_orphans(self, grouping: Grouping) -> None:
        count, listed = grouping.orphans(MAX_LISTED)
        if count:
            self.left_out[NO_IMAGE] += count
        for number, key in listed:
            problem = "missing, or not an id" if key is None else f"there is no image {key!r}"
            self._report(f"annotations[{number}].image_id", problem)

    def _image(self, entry: dict[str, Any]) -> SourceImage:
        name = entry.get("file_name")
        url = next((entry[key] for key in _URLS if _is_url(entry.get(key))), None)
        if not isinstance(name, str) or not normalized(name):
            raise UnreadableError(f"file_name: expected the name of the image, got {name!r}")
        if _is_url(name):
            url, name = name, name.partition("?")[0].rstrip("/").rpartition("/")[2]
        return SourceImage(name=normalized(name), size=size_of(entry.get("width"), entry.get("height")), url=url)


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))
