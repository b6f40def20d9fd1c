"""Export grey or coloured PNGs of instances and of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segments_async.export.bitmaps import count_mismatches, iterate_annotations
from segments_async.export.formats import Entries, FetchedItem
from segments_async.export.names import label_path
from segments_async.images.bitmaps import translate
from segments_async.images.colours import colorize
from segments_async.images.png import encode_png

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments_async.export.categories import Categories
    from segments_async.export.folder import ExportFolder

_MAX_8_BIT, _MAX_16_BIT = 255, 65_535


class Masks:
    """One PNG per image."""

    head = None
    numbered = False
    needs_size = False

    def __init__(self, categories: Categories, kind: str, labelset: str, id_increment: int) -> None:
        self._categories = categories
        self._render = {
            "instance": _instance,
            "instance-color": _instance_color,
            "semantic": self._semantic,
            "semantic-color": self._semantic_color,
        }[kind]
        self._suffix = f"_label_{labelset}_{kind.replace('color', 'colored').replace('-', '_')}"
        self._increment = id_increment
        if kind == "semantic":
            categories.check_ids(id_increment, _MAX_16_BIT)
        self._dtype = np.uint8 if max(categories.colours, default=0) + id_increment <= _MAX_8_BIT else np.uint16

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """Write the PNG."""
        folder.write(label_path(fetched.item.stem + self._suffix, ".png"), encode_png(self._render(fetched)))
        return Entries(left_out=count_mismatches(fetched))

    def label_stems(self, stem: str) -> list[str]:
        """Return the path of the item's PNG, without extension."""
        return [stem + self._suffix]

    def closing_file(self) -> None:
        """Return nothing, as there is no such file."""

    def _semantic(self, fetched: FetchedItem) -> npt.NDArray[Any]:
        assert fetched.ids is not None
        categories = self._categories_by_id(fetched)
        ids = {number: category + self._increment for number, category in categories.items()}
        return translate(fetched.ids, ids, self._dtype)

    def _semantic_color(self, fetched: FetchedItem) -> npt.NDArray[Any]:
        assert fetched.ids is not None
        colours = self._categories.colours
        categories = self._categories_by_id(fetched)
        return colorize(fetched.ids, {number: colours[category] for number, category in categories.items()})

    def _categories_by_id(self, fetched: FetchedItem) -> dict[int, int]:
        """Return the categories by annotation id, without id 0, which is always unlabelled."""
        annotations = iterate_annotations(fetched.item, self._categories)
        return {number: category for number, _, category in annotations if number}


def _instance(fetched: FetchedItem) -> npt.NDArray[Any]:
    assert fetched.ids is not None
    largest = fetched.ids.max()
    if largest > _MAX_16_BIT:
        raise fetched.item.error(f"id {largest} is above {_MAX_16_BIT}, the maximum of a grey PNG")
    return fetched.ids.astype(np.uint16)


def _instance_color(fetched: FetchedItem) -> npt.NDArray[Any]:
    assert fetched.ids is not None
    return colorize(fetched.ids)
