"""What a reader yields: images with objects, in the terms of no format and of no task type."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

Point = tuple[float, float]
"""``(x, y)`` in pixels from the top left corner, x right, y down."""


@frozen
class Box:
    """An upright box: its edges in pixels; they may lie outside the image."""

    left: float
    top: float
    right: float
    bottom: float


@frozen
class Polygon:
    """The area inside one or more rings, which together are one object."""

    parts: Sequence[Sequence[Point]]
    name: str = "polygons"
    """What the report calls such shapes."""


@frozen
class Polyline:
    """A line through points."""

    points: Sequence[Point]


@frozen
class Dot:
    """A single point."""

    point: Point


@frozen(eq=False)
class Mask:
    """The pixels of one object."""

    decode: Callable[[], npt.NDArray[np.bool_]] = field(repr=False)
    """
    Returns an array, height x width of the image, that is true where the object is.

    It is called in a worker thread, and raises ValueError if the pixels cannot be decoded.
    """


@frozen
class Segment:
    """The pixels of one object, which have a number in the array of its image."""

    number: int


Shape = Box | Polygon | Polyline | Dot | Mask | Segment


def words_of(shape: object) -> str:
    """Return what the report calls a shape."""
    match shape:
        case Polygon(name=name):
            return name
        case Box():
            return "boxes"
        case Polyline():
            return "polylines"
        case Dot():
            return "points"
    return "masks"


@frozen(kw_only=True)
class SourceObject:
    """An annotated object."""

    category: int
    """The `id` of its category in the reader's `categories`."""
    shape: Shape
    box: Box | None = None
    """The box that the file states beside the shape; None if it states none."""
    mask: Segment | None = None
    """The pixels that a bitmap has instead of the shape, if the array of the image contains them."""
    attributes: dict[str, Any] | None = None
    track_id: int | None = None
    is_keyframe: bool | None = None
    where: str = ""
    """Its place in the file, such as ``annotations[17]``."""


@frozen
class ImportProblem:
    """
    Something in a file that cannot be read; the rest of the file is imported.

    Example:
        >>> print(ImportProblem("annotations[17]", "bbox: expected four numbers, got 3", image="violet.jpg"))
        annotations[17] (violet.jpg): bbox: expected four numbers, got 3
    """

    where: str
    """Its place: ``annotations[17]``, or a file and a line, such as ``labels/violet.txt:3``."""
    problem: str
    """What is wrong."""
    image: str | None = field(default=None, kw_only=True)
    """The name of the image, if known."""

    def __str__(self) -> str:
        image = "" if self.image is None else f" ({self.image})"
        return f"{self.where}{image}: {self.problem}"


@define(kw_only=True, eq=False)
class SourceImage:
    """
    An image and what a file says about it.

    Of a sequence, `frames` are the images, and only `name` is used of the sequence itself.
    """

    name: str
    """Its path in the file, with ``/`` between folders."""
    size: tuple[int, int] | None = None
    """Width and height in pixels; None if the file does not say."""
    objects: list[SourceObject] = field(factory=list)
    """In the order of the file; in a bitmap, later ones cover earlier ones."""
    labeled: bool = True
    """Whether the image has a label; an image without objects may have been labelled as empty."""
    file: Path | None = None
    """The image on disk, if the reader has found it."""
    url: str | None = None
    """Where the image is, if the file says so."""
    pixels: Callable[[], npt.NDArray[np.uint32]] | None = field(default=None, repr=False)
    """Returns the array that `Segment` refers to, height x width; raises ValueError if it cannot be decoded."""
    image_attributes: dict[str, Any] | None = None
    frames: list[SourceImage] | None = None
    """The frames of a sequence; None for a single image."""
    problems: list[ImportProblem] = field(factory=list)
    left_out: Counter[str] = field(factory=Counter)
    """Counts of what the reader leaves out."""
    changed: Counter[str] = field(factory=Counter)
    """Counts of what the reader reads in another form."""
    label_attributes: dict[str, Any] | None = None
    """The label as the service has it, of files that contain such labels; `objects` are not used then."""
    sample_attributes: dict[str, Any] | None = None
    """The attributes of the sample as the service has them; None for an ordinary image."""
    sample_settings: dict[str, Any] = field(factory=dict)
    """Other fields of the sample, such as ``metadata``."""
    label_status: str | None = None
    score: float | None = None
