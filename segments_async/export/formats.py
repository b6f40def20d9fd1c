"""What each format makes of an item; all of it runs in worker threads."""

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
    """What is known of an item once its files are here."""

    item: Item
    size: tuple[int, int] | None
    """Width and height of the image; None if they are not known."""
    ids: Ids | None
    """The bitmap; None if the task has none."""


@frozen(kw_only=True)
class Entries:
    """What an item adds to the lists of a JSON file."""

    images: list[dict[str, Any]] = field(factory=list)
    annotations: list[dict[str, Any]] = field(factory=list)
    left_out: Counter[str] = field(factory=Counter)


class Format(Protocol):
    """One format."""

    @property
    def head(self) -> Mapping[str, Any] | None:
        """What its JSON file has before its lists; None if it has no such file."""

    @property
    def numbered(self) -> bool:
        """Whether annotations get ids of their own."""

    @property
    def needs_size(self) -> bool:
        """Whether an item without a bitmap is of no use if its size is not known."""

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """
        Write the item's files, if the format has some, and tell what goes into the JSON file.

        Raises:
            ExportError: The item is not what the format can hold.
        """
        ...


def image_entry(fetched: FetchedItem) -> dict[str, Any]:
    """An entry of COCO's ``images``."""
    width, height = fetched.size or (None, None)
    return {"id": fetched.item.number, "file_name": fetched.item.image_name, "height": height, "width": width}
