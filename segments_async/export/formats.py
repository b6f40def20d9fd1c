"""The interface of the export formats; they run in worker threads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, Self

from attrs import field, frozen

from segments_async.export.output import encode_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from segments_async.export.folder import ExportFolder
    from segments_async.export.items import Item

    Ids = npt.NDArray[np.uint32]

NO_PIXELS = "annotations without pixels"
NO_ANNOTATION = "pixels of no annotation"


@frozen(kw_only=True)
class FetchedItem:
    """An item with its fetched files."""

    item: Item
    image_name: str
    """The path of the image file, relative to the folder."""
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


@frozen(kw_only=True)
class EncodedEntries:
    """`Entries` as JSON text."""

    images: list[bytes]
    annotations: list[bytes]
    left_out: Counter[str]

    @classmethod
    def of(cls, entries: Entries) -> Self:
        """Write the entries as JSON."""
        return cls(
            images=[encode_entry(entry) for entry in entries.images],
            annotations=[encode_entry(entry) for entry in entries.annotations],
            left_out=entries.left_out,
        )


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

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """
        Write the item's files, if the format has any, and return its entries in the JSON file.

        Raises:
            ExportError: The format cannot represent the item.
        """
        ...

    def label_stems(self, stem: str) -> list[str]:
        """Return the paths of an item's files without extension, for the path of its image without extension."""
        ...

    def closing_file(self) -> bytes | None:
        """Return the content of the file that is written last; None if there is none, or if it is the JSON file."""


def image_entry(fetched: FetchedItem) -> dict[str, Any]:
    """Build an entry of COCO's ``images``."""
    width, height = fetched.size or (None, None)
    return {"id": fetched.item.number, "file_name": fetched.image_name, "height": height, "width": width}
