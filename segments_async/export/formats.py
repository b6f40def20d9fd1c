"""The interface of the export formats; they run in worker threads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from segments_async.export.items import Item

    Ids = npt.NDArray[np.uint32]

NO_PIXELS = "annotations without pixels"
NO_ANNOTATION = "pixels of no annotation"


@frozen(kw_only=True)
class FetchedItem:
    """An item with its fetched files."""

    item: Item
    size: tuple[int, int] | None
    """Width and height of the image; None if unknown."""
    ids: Ids | None
    """The bitmap; None if the task type has no bitmaps."""


@frozen(kw_only=True)
class Entries:
    """The entries of one item in the lists of the JSON file."""

    images: list[dict[str, Any]] = field(factory=list)
    annotations: list[dict[str, Any]] = field(factory=list)
    left_out: Counter[str] = field(factory=Counter)


class Format(Protocol):
    """An export format."""

    @property
    def head(self) -> Mapping[str, Any] | None:
        """The keys of its JSON file before the lists; None if it has no JSON file."""

    @property
    def numbered(self) -> bool:
        """Whether annotations in the JSON file get an ``id``."""

    @property
    def needs_size(self) -> bool:
        """Whether an item without a bitmap needs the size of its image."""

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """
        Write the item's files, if the format has any, and return its entries in the JSON file.

        Raises:
            ExportError: The format cannot represent the item.
        """
        ...


def image_entry(fetched: FetchedItem) -> dict[str, Any]:
    """Build an entry of COCO's ``images``."""
    width, height = fetched.size or (None, None)
    return {"id": fetched.item.number, "file_name": fetched.item.image_name, "height": height, "width": width}
