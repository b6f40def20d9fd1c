"""PNGs of ids and of categories, grey and coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segments_async.export.bitmaps import numbered
from segments_async.export.formats import Entries, FetchedItem
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

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """Write the PNG."""
        write_file(folder / f"{fetched.item.stem}{self._suffix}", encode_png(self._paint(fetched)))
        return Entries()

    def _semantic(self, fetched: FetchedItem) -> npt.NDArray[Any]:
        assert fetched.ids is not None
        found = self._categories_in(fetched)
        ids = {number: category + self._increment for number, category in found.items()}
        return translate(fetched.ids, ids, self._depth)

    def _semantic_color(self, fetched: FetchedItem) -> npt.NDArray[Any]:
        assert fetched.ids is not None
        found = self._categories_in(fetched)
        return colorize(fetched.ids, {number: self._categories.colours[category] for number, category in found.items()})

    def _categories_in(self, fetched: FetchedItem) -> dict[int, int]:
        """By id; 0 is unlabelled, whatever an annotation says."""
        return {number: category for number, _, category in numbered(fetched.item, self._categories) if number}


def _instance(fetched: FetchedItem) -> npt.NDArray[Any]:
    assert fetched.ids is not None
    largest = fetched.ids.max()
    if largest > _TWO_BYTES:
        raise fetched.item.error(f"id {largest} is above {_TWO_BYTES}, the most that a grey PNG holds")
    return fetched.ids.astype(np.uint16)


def _instance_color(fetched: FetchedItem) -> npt.NDArray[Any]:
    assert fetched.ids is not None
    return colorize(fetched.ids)
