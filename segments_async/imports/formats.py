"""The interface of the formats, and how the format of a file is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from segments_async.imports.peek import Peek
    from segments_async.imports.shapes import ImportProblem, SourceImage

ImportFormat = Literal[
    "coco-instance", "coco-panoptic", "cvat", "label-studio", "labelme", "pascal-voc", "release", "yolo"
]
"""The formats of annotations that can be imported."""


class Reader(Protocol):
    """
    Reads one file or folder. All methods run in worker threads, one at a time.

    A reader raises `DecodeError` or `InputError` if the whole file cannot be read. What is wrong with one object or one
    image becomes an `ImportProblem`, and the rest is read.
    """

    @property
    def categories(self) -> Sequence[dict[str, Any]]:
        """The categories, in the form of ``task_attributes``: each has a unique integer ``id`` and a ``name``."""

    @property
    def task_type(self) -> str:
        """The task type that loses least; only a file whose labels have one task type contains another one."""

    @property
    def problems(self) -> Sequence[ImportProblem]:
        """Problems that belong to no image."""

    @property
    def left_out(self) -> Counter[str]:
        """Counts of what belongs to no image."""

    def open(self) -> None:
        """Read what has to be known before the first image."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the images, in the order of the file; each call starts at the first one."""
        ...

    def close(self) -> None:
        """Release files; the reader is not used afterwards."""


@frozen(kw_only=True)
class Format:
    """A format, as each module of a format declares it."""

    name: str
    looks_like: str
    """What it is, for people whose file was not recognized: ``a JSON file with 'images' and 'annotations'``."""
    recognizes: Callable[[Peek], bool] = field(repr=False)
    """
    Whether what was read so far is certainly of this format.

    It is called again whenever more of the file is known, so it returns False while it cannot know.
    """
    reader: Callable[[Path, Path | None], Reader] = field(repr=False)
    """Creates a reader of a path, with the folder of the images if it is known; nothing is read yet."""
