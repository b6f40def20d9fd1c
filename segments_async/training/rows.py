"""An item of a release as a row of plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from attrs import frozen

from segments_async._releases.filters import UNLABELED
from segments_async._serialization.json import encode_json
from segments_async.errors import DecodeError
from segments_async.images.png import encode_png
from segments_async.training.pixels import bounds, category_mask, value_of

if TYPE_CHECKING:
    from segments_async import ReleaseItem
    from segments_async.models import ReleaseDataset
    from segments_async.training.reading import ItemOptions

_SEGMENTATION = "segmentation"
"""Part of the names of the task types whose labels have bitmaps."""
_MAX_SMALL = 255
"""With more categories, masks have 16 bits per pixel, and this value is no longer that of unlabelled pixels."""


@frozen(kw_only=True)
class Rows:
    """Which columns the rows of a release have."""

    images: bool
    masks: bool
    categories: dict[int, int]
    """The number of each category, from 0 in the order of the release, by its id."""
    category_names: tuple[str, ...]
    """In that order, each of them unique."""

    @classmethod
    def of(cls, dataset: ReleaseDataset, options: ItemOptions) -> Self:
        """Choose the columns for a dataset."""
        attributes = dataset.task_attributes
        known = {category.id: category.name for category in (attributes.categories if attributes else None) or ()}
        names = list(known.values())
        return cls(
            images=options.get("images", True),
            masks=options.get("bitmaps", True) and _SEGMENTATION in (dataset.task_type or ""),
            categories={number: index for index, number in enumerate(known)},
            category_names=tuple(
                name if names.count(name) == 1 else f"{name} ({number})" for number, name in known.items()
            ),
        )

    def row(self, item: ReleaseItem) -> dict[str, Any]:
        """
        Return the row of an item.

        Raises:
            DecodeError: An annotation has no category of the release, or the bitmap is not as large as the image.
            InputError: The annotations do not fit the bitmap.
        """
        row: dict[str, Any] = {
            "objects": self._objects(item),
            "name": item.sample.name,
            "uuid": item.sample.uuid,
            "metadata": _json(item.sample.metadata),
            "status": UNLABELED if item.label is None else item.label.label_status,
            "frame": item.frame,
            "sensor": item.sensor,
            "camera": None if item.camera is None else item.camera.name,
        }
        if self.images:
            row["image"] = {"bytes": item.file, "path": None}  # datasets would prefer a file of the same name to bytes
        if self.masks:
            row["mask"] = None if item.bitmap is None else {"bytes": self._mask(item), "path": None}
        return row

    def _mask(self, item: ReleaseItem) -> bytes:
        """Encode the numbers of the categories as a grey PNG."""
        kind = np.uint8 if len(self.categories) <= _MAX_SMALL else np.uint16
        numbered = [
            {"id": value_of(annotation, "id"), "category_id": self._category(item, index)}
            for index, annotation in enumerate(item.annotations)
        ]
        mask = category_mask(item._replace(annotations=numbered), unlabeled=np.iinfo(kind).max)
        return encode_png(mask.astype(kind))

    def _objects(self, item: ReleaseItem) -> dict[str, list[Any]]:
        annotations = item.annotations
        return {
            "id": [value_of(annotation, "id") for annotation in annotations],
            "category": [self._category(item, index) for index in range(len(annotations))],
            "bbox": [_coco_box(corners) for corners in bounds(item)],
            "track_id": [value_of(annotation, "track_id") for annotation in annotations],
            "type": [value_of(annotation, "type") for annotation in annotations],
            "points": [value_of(annotation, "points") for annotation in annotations],
            "attributes": [_json(value_of(annotation, "attributes")) for annotation in annotations],
        }

    def _category(self, item: ReleaseItem, index: int) -> int:
        category = value_of(item.annotations[index], "category_id")
        if not self.categories:
            return int(category)
        if category not in self.categories:
            known = ", ".join(map(str, self.categories))
            where = f"sample {item.sample.name!r}, annotations[{index}]"
            raise DecodeError(f"{where}: there is no category {category!r}; there are {known}")
        return self.categories[category]


def _coco_box(corners: tuple[float, float, float, float] | None) -> list[float] | None:
    if corners is None:
        return None
    left, top, right, bottom = corners
    return [left, top, right - left, bottom - top]


def _json(value: Any) -> str | None:
    return None if value is None else encode_json(value).decode()
