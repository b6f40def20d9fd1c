"""
Label Studio's JSON export.

Source: labelstud.io, "Label Studio JSON format of annotated tasks". A task has one label: of several annotations the
ground truth, or else the one that was changed last; without annotations, the latest prediction, as a pre-label with its
score. The others, cancelled annotations and drafts are counted. Coordinates are percents of the image.

A turned rectangle becomes a polygon of four points, an ellipse one of 36 points. What was asked about a region becomes
its attributes, and what was asked about an image attributes of the image, named as in the labelling config.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from segments_async.errors import DecodeError, InputError
from segments_async.imports.formats import Format
from segments_async.imports.images_folder import ImagesFolder
from segments_async.imports.label_studio_images import images_of
from segments_async.imports.label_studio_regions import Regions
from segments_async.imports.named_categories import NamedCategories
from segments_async.imports.peek import import_text, readable
from segments_async.imports.reading import UnreadableError, mapping_of, note_problem, numbers_of
from segments_async.imports.shapes import ImportProblem, SourceImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segments_async.imports.label_studio_images import TaskImage
    from segments_async.imports.peek import Peek

MAX_LISTED = 1000
CANCELLED = "cancelled annotations"
OTHERS = "further annotations of a task"
PREDICTIONS = "predictions"
DRAFTS = "drafts"
MORE_IMAGES = "further images of a task, in other fields"
_ANNOTATIONS = ("annotations", "completions")


class LabelStudio:
    """Reads Label Studio's JSON, task by task."""

    def __init__(self, path: Path, images: Path | None) -> None:
        self._path = path
        self._folder = None if images is None else ImagesFolder(images)
        self._categories = NamedCategories()
        self._count = 0
        self._names: set[int] = set()
        self._shared: set[int] = set()
        """Hashes of names that several images have."""
        self._skipped: set[int] = set()
        self.problems: list[ImportProblem] = []
        self.left_out: Counter[str] = Counter()

    def open(self) -> None:
        """Read the whole file once, to find the labels, and the names that are not unique."""
        for number, task in self._tasks():
            problems: list[ImportProblem] = []
            with note_problem(problems, f"tasks[{number}]"):
                self._skipped.add(number)
                for one in images_of(self._data_of(task))[0]:
                    self._note_name(one)
                for image in self._images_of(number, mapping_of(task)):
                    self._count += 1
                    for found in image.objects:
                        self._categories.note(found.category, found.attributes)
                self._skipped.remove(number)
            self.problems += problems[: MAX_LISTED - len(self.problems)]

    def _note_name(self, image: TaskImage) -> None:
        key, long_key = hash(image.name), hash(("long", image.long_name))
        if long_key in self._names:
            raise UnreadableError(f"an earlier task has the same image, {image.long_name!r}")
        (self._shared if key in self._names else self._names).add(key)
        self._names.add(long_key)

    @staticmethod
    def _data_of(task: Any) -> dict[str, Any]:
        return mapping_of(mapping_of(task).get("data"))

    def _tasks(self) -> Iterator[tuple[int, Any]]:
        with readable(self._path), self._path.open("rb") as file:
            text = import_text(file, self._path)
            if text.peek() != "[":
                raise InputError(f"is not Label Studio: it is no list of tasks: {self._path}", path="path")
            for number, task in enumerate(text.items("tasks")):
                if number == 0 and isinstance(task, dict) and "data" not in task and "annotation_id" in task:
                    raise InputError("is JSON-MIN, which lacks annotations; export as JSON", path="path")
                yield number, task
            text.end()

    @property
    def categories(self) -> list[dict[str, Any]]:
        """The labels, numbered from 1 in the order of the file."""
        return self._categories.as_list()

    @property
    def task_type(self) -> str:
        """Shapes of all kinds."""
        return "vector"

    def __len__(self) -> int:
        """Return the number of images."""
        return self._count

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the images, task by task."""
        for number, task in self._tasks():
            if number not in self._skipped:
                with note_problem([], ""):  # open() has listed it
                    yield from self._images_of(number, mapping_of(task))

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _images_of(self, number: int, task: dict[str, Any]) -> list[SourceImage]:
        """Return the images of a task; most have one."""
        found, others = images_of(self._data_of(task))
        images = [self._image(one) for one in found]
        first = images[0]
        first.left_out[MORE_IMAGES] += others
        first.left_out[DRAFTS] += len(task.get("drafts") or [])
        annotation, where = self._choose(task, first)
        if annotation is not None:
            for index, image in enumerate(images):
                with note_problem(image.problems, f"tasks[{number}].{where}", image.name):
                    self._read(image, annotation, index if len(images) > 1 else None, f"tasks[{number}].{where}")
        return images

    def _image(self, found: TaskImage) -> SourceImage:
        name = found.long_name if hash(found.name) in self._shared else found.name
        image = SourceImage(name=name, url=found.url, labeled=False)
        if self._folder is not None:
            image.file = self._folder.find(name) or self._folder.find(found.long_name)
        return image

    def _choose(self, task: dict[str, Any], image: SourceImage) -> tuple[dict[str, Any] | None, str]:
        """Return the annotation that becomes the label, and its place in the task."""
        key = next((key for key in _ANNOTATIONS if task.get(key)), "annotations")
        given = [mapping_of(one) for one in task.get(key) or []]
        valid = [(n, one) for n, one in enumerate(given) if not (one.get("was_cancelled") or one.get("skipped"))]
        predictions = [(n, one) for n, one in enumerate(task.get("predictions") or []) if isinstance(one, dict)]
        image.left_out[CANCELLED] += len(given) - len(valid)
        if valid:
            number, chosen = max(valid, key=_rank)
            image.left_out[OTHERS] += len(valid) - 1
            image.left_out[PREDICTIONS] += len(predictions)
            return chosen, f"{key}[{number}]"
        if given or not predictions:
            image.left_out[PREDICTIONS] += len(predictions)
            return None, ""
        number, chosen = max(predictions, key=_rank)
        image.left_out[PREDICTIONS] += len(predictions) - 1
        if chosen.get("score") is not None:
            [image.score] = numbers_of([chosen["score"]], "score")
        image.label_status = "PRELABELED"
        return chosen, f"predictions[{number}]"

    def _read(self, image: SourceImage, annotation: dict[str, Any], item: int | None, where: str) -> None:
        results = annotation.get("result")
        if item is not None and isinstance(results, list):
            results = [one for one in results if not isinstance(one, dict) or one.get("item_index", 0) == item]
        regions = Regions(results, where, image.name)
        image.labeled = True
        image.size = regions.size or self._size_of(image)
        image.objects = regions.objects(image.size, self._categories)
        image.image_attributes = regions.answers or None
        image.problems += regions.problems
        image.changed += regions.changed
        image.left_out += regions.left_out

    @staticmethod
    def _size_of(image: SourceImage) -> tuple[int, int] | None:
        if image.file is None:
            return None
        from segments_async.images.pictures import image_size  # noqa: PLC0415 (an extra)

        try:
            return image_size(image.file)
        except DecodeError as error:
            raise UnreadableError(f"its size cannot be read: the image {error}") from error


def _rank(numbered: tuple[int, dict[str, Any]]) -> tuple[bool, str, int]:
    number, annotation = numbered
    changed = annotation.get("updated_at") or annotation.get("created_at")
    return annotation.get("ground_truth") is True, changed if isinstance(changed, str) else "", number


def _recognizes(seen: Peek) -> bool:
    first = seen.json.get("[]")
    return isinstance(first, dict) and "data" in first and not {*_ANNOTATIONS, "predictions"}.isdisjoint(first)


FORMAT = Format(
    name="label-studio",
    looks_like="a JSON list of tasks, each with 'data' and 'annotations' or 'predictions'",
    recognizes=_recognizes,
    reader=LabelStudio,
)
