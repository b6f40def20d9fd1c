"""The categories of a release, as the formats write them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._serialization.converter import unstructure
from segments_async.errors import InputError
from segments_async.images.colours import PALETTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segments_async.export.items import Item
    from segments_async.models import TaskAttributeCategory

Colour = tuple[int, int, int]
_NEAR = 30
"""How far a colour may be from the one of its category, in each channel."""
_TRIES = 20
"""So many before it may be farther."""


@frozen
class Categories:
    """All categories, by id."""

    plain: list[dict[str, Any]]
    """As JSON, in order, with the keys in the order of the official SDK's files."""
    colours: dict[int, Colour]
    """A category without one has its place's in the palette."""
    things: frozenset[int]
    """Those whose objects are told apart."""

    @classmethod
    def of(cls, categories: Iterable[TaskAttributeCategory]) -> Categories:
        """Read the task attributes of a dataset."""
        plain = [unstructure(category) for category in categories]
        first = {"id": None, "name": None, "color": None, "attributes": None}
        return cls(
            plain=[first | category for category in plain],
            colours={category["id"]: _colour(category.get("color"), index) for index, category in enumerate(plain)},
            things=frozenset(category["id"] for category in plain if category.get("has_instances")),
        )

    def of_annotation(self, item: Item, index: int) -> int:
        """
        Tell the category of an annotation.

        Raises:
            ExportError: There is none, or none such.
        """
        assert item.annotations is not None
        category = item.annotations[index].get("category_id")
        if not isinstance(category, int) or category not in self.colours:
            known = ", ".join(map(str, self.colours)) or "none"
            raise item.error(f"annotations[{index}]: there is no category {category!r}; there are {known}")
        return category

    def check_ids(self, increment: int, most: int) -> None:
        """
        Refuse category ids that a grey PNG cannot hold.

        Raises:
            InputError: It names the category.
        """
        for category in self.colours:
            if not 0 <= category + increment <= most:
                raise InputError(
                    f"category {category} becomes {category + increment}, not 0 to {most}", path="id_increment"
                )

    @property
    def coloured(self) -> list[dict[str, Any]]:
        """As COCO panoptic has them."""
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


def _colour(given: Any, index: int) -> Colour:
    red, green, blue = map(int, (given or PALETTE[index % len(PALETTE)])[:3])
    return red, green, blue


class SegmentColours:
    """
    Gives the segments of COCO panoptic images their colours, which are their ids too, the same at every run.

    All of a category that is no thing is one segment, of one colour in all images. The first object of a thing
    has its category's colour, others one near it; within an image no colour is given twice, and none is black.
    """

    def __init__(self, categories: Categories) -> None:
        self._categories = categories
        self._stuff: dict[int, Colour] = {}
        taken = {(0, 0, 0)}
        for category, colour in categories.colours.items():
            if category not in categories.things:
                self._stuff[category] = _free(colour, taken, category)
                taken.add(self._stuff[category])
        self._taken = frozenset(taken)

    def of_image(self, objects: Iterable[tuple[int, int]]) -> dict[int, Colour]:
        """Choose the colours of objects: of ``(id, category)`` pairs, by id."""
        taken = set(self._taken)
        colours = {}
        for number, category in objects:
            if category in self._stuff:
                colours[number] = self._stuff[category]
            else:
                colours[number] = _free(self._categories.colours[category], taken, category)
                taken.add(colours[number])
        return colours


def _free(base: Colour, taken: set[Colour], seed: int) -> Colour:
    """The base colour, or one near it; where all are taken, one farther away."""
    if base not in taken:
        return base
    chance = random.Random(seed * 65_537 + len(taken))  # noqa: S311 (no secret: the same at every run)
    near = _NEAR
    while True:
        for _ in range(_TRIES):
            red, green, blue = (min(255, max(0, part + chance.randint(-near, near))) for part in base)
            if (red, green, blue) not in taken:
                return red, green, blue
        near = min(255, 2 * near)


def color_id(colour: Colour) -> int:
    """COCO's id of a colour."""
    red, green, blue = colour
    return red + 256 * green + 65_536 * blue
