"""The annotations of a file, read image by image."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

from attrs import field, frozen

from segments_async._misuse import NeedsWith
from segments_async._validators import as_path
from segments_async.errors import ClientStateError, DecodeError, InputError
from segments_async.imports import coco_instance, coco_panoptic, cvat, label_studio, labelme, pascal_voc, release, yolo
from segments_async.imports.categories import as_category
from segments_async.imports.convert import TASK_TYPES, label_attributes
from segments_async.imports.drawing import Drawing
from segments_async.imports.images_folder import ImagesFolder
from segments_async.imports.peek import hint_of_folder, peek, refuse_archive
from segments_async.imports.reading import note_problem

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from segments_async.imports.formats import Format, ImportFormat, Reader
    from segments_async.imports.shapes import ImportProblem, SourceImage
    from segments_async.models import TaskAttributeCategory

_MODULES = (coco_instance, coco_panoptic, yolo, release, pascal_voc, cvat, label_studio, labelme)
FORMATS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in _MODULES}
"""All formats, by name; to add one, see ``docs/import.md``."""


@frozen(kw_only=True, eq=False)
class ImageAnnotations:
    """The annotations of one image, as a label of a task type."""

    name: str
    """The name of the image in the file, with ``/`` between folders."""
    size: tuple[int, int] | None
    """Width and height in pixels, if the file states them."""
    attributes: dict[str, Any] | None = field(repr=False)
    """
    The attributes of the label, as ``client.labels.put`` takes them; None if the file has no label for this image.

    Of a bitmap, they lack ``segmentation_bitmap``: upload `bitmap`, or call ``client.labels.put_bitmap``.
    """
    bitmap: npt.NDArray[np.uint32] | None = field(default=None, repr=False)
    """Of a bitmap: the id of each pixel, height x width; 0 where nothing is labelled."""
    file: Path | None = None
    """The image on disk; None if it was not found there."""
    url: str | None = None
    """The address of the image; None if the file does not state it."""
    left_out: Mapping[str, int] = field(factory=Counter)
    """Counts of what the task type cannot represent, and of what else is left out."""
    changed: Mapping[str, int] = field(factory=Counter)
    """Counts of what is imported in another form."""
    problems: list[ImportProblem] = field(factory=list)
    """What cannot be read."""
    source: SourceImage = field(repr=False)
    """What the reader of the format returned."""


class Annotations(NeedsWith):
    """
    The annotations of a file or a folder, read image by image: memory does not depend on the number of images.

    `read_annotations` opens it. Use it as a context manager, or call `close`, so that temporary files are deleted.
    These methods block; in async code, use ``client.datasets.import_annotations``, or call them in a worker thread.

    Example::

        with read_annotations("instances.json") as annotations:
            print(annotations.format, len(annotations), [category.name for category in annotations.categories])
            for image in annotations.labels("bboxes"):
                print(image.name, image.attributes)

    Attributes:
        path: The file or the folder.
        format: Its format, such as ``"yolo"``.
    """

    def __init__(self, path: Path, found: Format, images: ImagesFolder | None) -> None:
        self.path: Path = path
        self.format: str = found.name
        self._folder = images
        self._reader: Reader | None = found.reader(path, None if images is None else images.path)
        self._is_open = False
        self._lock = RLock()

    @property
    def categories(self) -> list[TaskAttributeCategory]:
        """The categories, with the ids of the file where those are integers."""
        return [as_category(category) for category in self._opened.categories]

    @property
    def task_type(self) -> str:
        """The task type that loses least, such as ``"vector"``."""
        return self._opened.task_type

    @property
    def problems(self) -> list[ImportProblem]:
        """Problems that belong to no image, such as annotations of images that the file does not list."""
        return list(dict.fromkeys(self._opened.problems))  # some are found each time that the file is read

    @property
    def left_out(self) -> Mapping[str, int]:
        """Counts of what belongs to no image."""
        return Counter(self._opened.left_out)

    def __len__(self) -> int:
        """Return the number of images in the file."""
        return len(self._opened)

    def __iter__(self) -> Iterator[ImageAnnotations]:
        """Iterate over the images, with labels of `task_type`."""
        return self.labels()

    def labels(
        self,
        task_type: str | None = None,
        *,
        lossy: bool = False,
        category_ids: Mapping[int, int | None] | None = None,
    ) -> Iterator[ImageAnnotations]:
        """
        Iterate over the images, each with its label. Each call starts at the first image.

        Example::

            for image in annotations.labels("segmentation-bitmap"):
                print(image.name, image.bitmap.shape, image.left_out)

        Args:
            task_type: The task type of the dataset: ``vector``, ``bboxes``, ``segmentation-bitmap`` and so on; by
                default the one that loses least.
            lossy: Also convert what changes in the process: masks become polygons along their contours, or boxes
                around them.
            category_ids: The dataset's id of each category in `categories`; annotations of others are left out and
                counted. By default the ids stay as they are.

        Raises:
            InputError: The task type is unknown, or labels of this file have another one.
        """
        reader = self._opened
        task_type = reader.task_type if task_type is None else task_type
        _check_task_type(task_type, reader)
        names = {category["id"]: category["name"] for category in reader.categories}
        start = partial(Drawing, task_type=task_type, lossy=lossy, category_ids=category_ids, category_names=names)
        return (self._convert(image, start) for image in self.source_images())

    def source_images(self) -> Iterator[SourceImage]:
        """Iterate over the images as the reader of the format returns them, with their files and URLs."""
        for image in self._opened.images():
            if self._folder is not None:
                for one in image.frames or [image]:
                    one.file = one.file or self._folder.find(one.name)
                    one.url = self._folder.url_of(one.name) or one.url
            yield image

    def _convert(self, image: SourceImage, start: partial[Drawing]) -> ImageAnnotations:
        problems = list(image.problems)
        attributes: dict[str, Any] | None = None
        bitmap: npt.NDArray[np.uint32] | None = None
        drawings: Sequence[Drawing] = ()
        if image.label_attributes is not None and start.keywords["task_type"] == self._opened.task_type:
            drawing = start()
            attributes, drawings, problems = drawing.with_own_categories(image.label_attributes), [drawing], []
        else:
            with note_problem(problems, image.name):
                attributes, bitmap, drawings = label_attributes(image, start)
        left_out = sum((one.left_out for one in drawings), Counter(image.left_out))
        return ImageAnnotations(
            name=image.name,
            size=image.size,
            attributes=attributes,
            bitmap=bitmap,
            file=image.file,
            url=image.url,
            left_out=+left_out,
            changed=+sum((one.changed for one in drawings), Counter(image.changed)),
            problems=[*problems, *(problem for one in drawings for problem in one.problems)],
            source=image,
        )

    @property
    def _opened(self) -> Reader:
        with self._lock:
            if self._reader is None:
                raise ClientStateError("these annotations are closed; read them again")
            if not self._is_open:
                self._reader.open()
                self._is_open = True
            return self._reader

    def close(self) -> None:
        """Delete temporary files; the annotations cannot be used afterwards."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None

    def __enter__(self) -> Self:
        try:
            _ = self._opened
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Annotations {self.format} {str(self.path)!r}>"


def read_annotations(
    path: str | os.PathLike[str],
    format: ImportFormat | str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
) -> Annotations:
    """
    Open a file or a folder of annotations.

    Example::

        with read_annotations("instances.json", images="photos") as annotations:
            for image in annotations:
                print(image.name, image.file, image.attributes)

    Args:
        path: The file or folder.
        format: One of `ImportFormat`; None finds it out, as far as that is certain.
        images: The folder of the images, or the start of their URLs. It is needed where a format states no sizes (YOLO,
            whose own folders are searched first).

    Returns:
        The annotations; the file is read when they are first used.

    Raises:
        InputError: There is no such file, it is an archive, its format is not recognized, or there is no such format.
        DecodeError: The file is damaged.
    """
    where = as_path(path)
    refuse_archive(where)
    found = _recognize(where) if format is None else _format_named(format)
    return Annotations(where, found, None if images is None else ImagesFolder(images))


def _format_named(name: str) -> Format:
    found = FORMATS.get(name) if isinstance(name, str) else None
    if found is None:
        near = get_close_matches(str(name), FORMATS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"expected one of {', '.join(map(repr, FORMATS))}, got {name!r}{hint}", path="format")
    return found


def _recognize(path: Path) -> Format:
    problem = ""
    try:
        for seen in peek(path):
            for candidate in FORMATS.values():
                if candidate.recognizes(seen):
                    return candidate
    except DecodeError as error:
        problem = f": {error}"
    problem += hint_of_folder(path)
    candidates = "; ".join(f"{name!r} is {candidate.looks_like}" for name, candidate in FORMATS.items())
    raise InputError(f"not recognized{problem}. Pass one of these formats if it is: {candidates}", path="format")


def _check_task_type(task_type: str, reader: Reader) -> None:
    if task_type not in TASK_TYPES and task_type != reader.task_type:
        known = ", ".join(sorted({*TASK_TYPES, reader.task_type}))
        raise InputError(f"expected one of {known}, got {task_type!r}", path="task_type")
