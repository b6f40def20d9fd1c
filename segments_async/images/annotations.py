"""Bitmaps together with the annotations that their ids refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from segments_async.errors import InputError
from segments_async.images.bitmaps import MAX_ID, check_ids, translate
from segments_async.images.runs import runs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from segments_async.models import ImageSegmentationAnnotation

    Annotations = Iterable[ImageSegmentationAnnotation | Mapping[str, Any]]

_MAX_LISTED_IDS = 10


@frozen
class Mismatch:
    """The differences between a bitmap and its annotations; falsy if there are none."""

    without_pixels: list[int]
    """Ids of annotations without pixels, ascending: for instance, objects that others cover completely."""
    without_annotation: list[int]
    """Ids of pixels without an annotation, ascending."""

    def __bool__(self) -> bool:
        return bool(self.without_pixels or self.without_annotation)

    def __str__(self) -> str:
        parts = []
        if self.without_annotation:
            parts.append(f"pixels have ids that no annotation has: {_format_ids(self.without_annotation)}")
        if self.without_pixels:
            parts.append(f"annotations have ids that no pixel has: {_format_ids(self.without_pixels)}")
        return "; ".join(parts)


def _format_ids(ids: list[int]) -> str:
    more = f" and {len(ids) - _MAX_LISTED_IDS} more" if len(ids) > _MAX_LISTED_IDS else ""
    return ", ".join(map(str, ids[:_MAX_LISTED_IDS])) + more


def semantic(
    array: npt.ArrayLike, annotations: Annotations, *, id_increment: int = 0, unlabeled: int = 0
) -> npt.NDArray[np.uint32]:
    """
    Replace each annotation id by the id of its category.

    Example::

        label = await client.labels.get(sample.uuid)
        categories = semantic(array, label.attributes.annotations, unlabeled=255)  # 255: PyTorch's ignore_index

    Args:
        array: Height x width: each pixel's annotation id, as `decode_bitmap` returns it.
        annotations: The annotations that the ids refer to: models, or mappings with ``id`` and ``category_id``.
            Annotations without pixels are ignored.
        id_increment: Added to each category's id.
        unlabeled: The value of pixels that are not labelled, such as 255 for a loss that ignores it.

    Returns:
        Each pixel's category id, height x width; *unlabeled* where nothing is labelled, or where no annotation has the
        pixel's id (`mismatch` lists such ids).

    Raises:
        InputError: An id is invalid, or two annotations have the same id.
    """
    if isinstance(unlabeled, bool) or not isinstance(unlabeled, int | np.integer) or not 0 <= unlabeled <= MAX_ID:
        raise InputError(f"expected an integer from 0 to {MAX_ID}, got {unlabeled!r}", path="unlabeled")
    ids = check_ids(array)
    categories = categories_by_id(annotations)
    for category in categories.values():
        if not 0 <= category + id_increment <= MAX_ID:
            raise InputError(
                f"category {category} becomes {category + id_increment}, not 0 to {MAX_ID}", path="id_increment"
            )
    values = {number: category + id_increment for number, category in categories.items()}
    return translate(ids, values, np.uint32, default=int(unlabeled))


def pixel_counts(array: npt.ArrayLike) -> dict[int, int]:
    """
    Count the pixels of each object.

    Example:
        >>> pixel_counts([[0, 1, 1], [0, 0, 2]])
        {1: 2, 2: 1}

    Args:
        array: Height x width: each pixel's annotation id.

    Returns:
        The number of pixels by id, ascending, without unlabelled pixels.
    """
    return {number: part.area for number, part in runs_of(check_ids(array)).items()}


def mismatch(array: npt.ArrayLike, annotations: Annotations) -> Mismatch:
    """
    Compare a bitmap with its annotations, and return the differences.

    Example:
        >>> print(mismatch([[0, 1, 3]], [{"id": 1, "category_id": 7}, {"id": 2, "category_id": 7}]))
        pixels have ids that no annotation has: 3; annotations have ids that no pixel has: 2

    Args:
        array: Height x width: each pixel's annotation id.
        annotations: As for `semantic`.

    Returns:
        The ids that are only in one of the two.

    Raises:
        InputError: An id is invalid, or two annotations have the same id.
    """
    annotated, in_bitmap = categories_by_id(annotations).keys(), pixel_counts(array).keys()
    return Mismatch(sorted(annotated - in_bitmap), sorted(in_bitmap - annotated))


def check_annotations(array: npt.ArrayLike, annotations: Annotations) -> None:
    """
    Raise an error if a bitmap and its annotations do not match.

    Example::

        check_annotations(array, annotations)

    Args:
        array: Height x width: each pixel's annotation id.
        annotations: As for `semantic`.

    Raises:
        InputError: A pixel's id has no annotation, an annotation has no pixels, or two annotations have the same id.
    """
    found = mismatch(array, annotations)
    if found:
        raise InputError(str(found), path="annotations")


def categories_by_id(annotations: Annotations) -> dict[int, int]:
    """Return the category id of each annotation, by annotation id."""
    categories: dict[int, int] = {}
    for index, annotation in enumerate(annotations):
        number, category = (_number(annotation, name, f"annotations[{index}]") for name in ("id", "category_id"))
        if not 0 < number <= MAX_ID:
            raise InputError(f"expected an id from 1 to {MAX_ID}, got {number}", path=f"annotations[{index}].id")
        if number in categories:
            raise InputError(f"another annotation has the id {number}", path=f"annotations[{index}].id")
        categories[number] = category
    return categories


def _number(annotation: object, name: str, path: str) -> int:
    value = annotation.get(name) if hasattr(annotation, "get") else getattr(annotation, name, None)
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        problem = "is missing" if value is None else f"expected an integer, got {type(value).__name__}"
        raise InputError(problem, path=f"{path}.{name}")
    return int(value)
