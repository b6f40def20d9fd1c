"""PNGs of ids and of categories, grey and coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segments_async.export.bitmaps import numbered
from segments_async.export.formats import Entries, Sight
from segments_async.export.output import write_file
from segments_async.images.bitmaps import translate
from segments_async.images.colours import colorize
from segments_async.images.png import encode_png

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from segments_async.export.categories import Categories

_BYTE, _TWO_BYTES = 255, 65_535


class Masks:
    """A PNG for each image."""

    head = None
    numbered = False
    needs_size = False

    def __init__(self, categories: Categories, kind: str, labelset: str, id_increment: int) -> None:
        self._categories = categories
        self._paint = {
            "instance": _instance,
            "instance-color": _instance_color,
            "semantic": self._semantic,
            "semantic-color": self._semantic_color,
        }[kind]
        self._suffix = f"_label_{labelset}_{kind.replace('color', 'colored').replace('-', '_')}.png"
        self._increment = id_increment
        if kind == "semantic":
            categories.check_ids(id_increment, _TWO_BYTES)
        self._depth = np.uint8 if max(categories.colours, default=0) + id_increment <= _BYTE else np.uint16

    def write(self, sight: Sight, folder: Path) -> Entries:
        """Write the PNG."""
        write_file(folder / f"{sight.item.stem}{self._suffix}", encode_png(self._paint(sight)))
        return Entries()

    def _semantic(self, sight: Sight) -> npt.NDArray[Any]:
        assert sight.ids is not None
        found = self._categories_in(sight)
        ids = {number: category + self._increment for number, category in found.items()}
        return translate(sight.ids, ids, self._depth)

    def _semantic_color(self, sight: Sight) -> npt.NDArray[Any]:
        assert sight.ids is not None
        found = self._categories_in(sight)
        return colorize(sight.ids, {number: self._categories.colours[category] for number, category in found.items()})

    def _categories_in(self, sight: Sight) -> dict[int, int]:
        """By id; 0 is unlabelled, whatever an annotation says."""
        return {number: category for number, _, category in numbered(sight.item, self._categories) if number}


def _instance(sight: Sight) -> npt.NDArray[Any]:
    assert sight.ids is not None
    most = sight.ids.max()
    if most > _TWO_BYTES:
        raise sight.item.error(f"id {most} is above {_TWO_BYTES}, the most that a grey PNG holds")
    return sight.ids.astype(np.uint16)


def _instance_color(sight: Sight) -> npt.NDArray[Any]:
    assert sight.ids is not None
    return colorize(sight.ids)
