"""The categories of a release, in the form that the formats write."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._serialization.converter import unstructure
from segments_async._validators import is_count
from segments_async.errors import InputError
from segments_async.images.colours import PALETTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segments_async.export.items import Item
    from segments_async.models import TaskAttributeCategory

Colour = tuple[int, int, int]
_COLOUR_DISTANCE = 30
"""How far an object's colour may be from its category's, in each channel."""
_TRIES_PER_DISTANCE = 20
"""Random colours to try before the distance is doubled."""


@frozen
class Categories:
    """All categories, by id."""

    plain: list[dict[str, Any]]
    """As JSON, in order, with the keys in the order of the official SDK's files."""
    colours: dict[int, Colour]
    """A category without a colour gets the palette's colour at its index."""
    things: frozenset[int]
    """Categories with instances."""

    @classmethod
    def of(cls, categories: Iterable[TaskAttributeCategory]) -> Categories:
        """Convert the categories of a dataset's task attributes."""
        plain = [unstructure(category) for category in categories]
        first = {"id": None, "name": None, "color": None, "attributes": None}
        return cls(
            plain=[first | category for category in plain],
            colours={category["id"]: colour_of(category.get("color"), index) for index, category in enumerate(plain)},
            things=frozenset(category["id"] for category in plain if category.get("has_instances")),
        )

    def of_annotation(self, item: Item, index: int) -> int:
        """
        Return the category id of an annotation.

        Raises:
            ExportError: The annotation has no category, or an unknown one.
        """
        assert item.annotations is not None
        category = item.annotations[index].get("category_id")
        if not is_count(category) or category not in self.colours:
            known = ", ".join(map(str, self.colours)) or "none"
            raise item.error(f"annotations[{index}]: there is no category {category!r}; there are {known}")
        return category

    def check_ids(self, increment: int, maximum: int) -> None:
        """
        Check that all category ids are in the range of a grey PNG.

        Raises:
            InputError: An id is out of range; the message names the category.
        """
        for category in self.colours:
            if not 0 <= category + increment <= maximum:
                raise InputError(
                    f"category {category} becomes {category + increment}, not 0 to {maximum}", path="id_increment"
                )

    @property
    def coloured(self) -> list[dict[str, Any]]:
        """The ``categories`` of COCO panoptic."""
        return [
            {
                "id": category["id"],
                "name": category["name"],
                "color": list(self.colours[category["id"]]),
                "attributes": None,
                "isthing": int(category["id"] in self.things),
            }
            for category in self.plain
        ]


def colour_of(given: Any, index: int) -> Colour:
    """Return a category's colour; without one, the palette's colour at its index."""
    try:
        red, green, blue = (min(255, max(0, int(part))) for part in given[:3])
    except (TypeError, ValueError, OverflowError):  # no colour, or not three numbers
        red, green, blue = map(int, PALETTE[index % len(PALETTE)])
    return red, green, blue


class SegmentColours:
    """
    Choose the colours of segments in COCO panoptic images, which are also their ids. They are the same in every run.

    A category without instances is one segment, with the same colour in all images. Of a category with instances, the
    first object has the category's colour, and others have a similar one. Within an image, no colour is used twice, and
    black is never used.
    """

    def __init__(self, categories: Categories) -> None:
        self._categories = categories
        self._stuff: dict[int, Colour] = {}
        taken = {(0, 0, 0)}
        for category, colour in categories.colours.items():
            if category not in categories.things:
                self._stuff[category] = _unused_colour(colour, taken, category)
                taken.add(self._stuff[category])
        self._taken = frozenset(taken)

    def of_image(self, objects: Iterable[tuple[int, int]]) -> dict[int, Colour]:
        """Choose the colours of an image's objects, given as ``(id, category)`` pairs; returns them by id."""
        taken = set(self._taken)
        colours = {}
        for number, category in objects:
            if category in self._stuff:
                colours[number] = self._stuff[category]
            else:
                colours[number] = _unused_colour(self._categories.colours[category], taken, category)
                taken.add(colours[number])
        return colours


def _unused_colour(base: Colour, taken: set[Colour], seed: int) -> Colour:
    """Return the base colour if it is unused, else a similar one; the distance grows if those are used too."""
    if base not in taken:
        return base
    generator = random.Random(seed * 65_537 + len(taken))  # noqa: S311 (reproducible, not secret)
    distance = _COLOUR_DISTANCE
    while True:
        for _ in range(_TRIES_PER_DISTANCE):
            red, green, blue = (min(255, max(0, part + generator.randint(-distance, distance))) for part in base)
            if (red, green, blue) not in taken:
                return red, green, blue
        distance = min(255, 2 * distance)


def color_id(colour: Colour) -> int:
    """Return COCO's segment id for a colour."""
    red, green, blue = colour
    return red + 256 * green + 65_536 * blue
