"""What the ids of a bitmap mean."""

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

_SHOWN_IDS = 10


@frozen
class Mismatch:
    """In what a bitmap and its annotations disagree; false if they agree."""

    without_pixels: list[int]
    """Ids of annotations that no pixel has, ascending: objects that were painted over, for instance."""
    without_annotation: list[int]
    """Ids of pixels that no annotation has, ascending."""

    def __bool__(self) -> bool:
        return bool(self.without_pixels or self.without_annotation)

    def __str__(self) -> str:
        parts = []
        if self.without_annotation:
            parts.append(f"pixels have ids that no annotation has: {_listed(self.without_annotation)}")
        if self.without_pixels:
            parts.append(f"annotations have ids that no pixel has: {_listed(self.without_pixels)}")
        return "; ".join(parts)


def _listed(ids: list[int]) -> str:
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    return ", ".join(map(str, ids[:_SHOWN_IDS])) + more


def semantic(array: npt.ArrayLike, annotations: Annotations, *, id_increment: int = 0) -> npt.NDArray[np.uint32]:
    """
    Replace each annotation's id by its category's.

    Example:
        ::

            label = await client.labels.get(sample.uuid)
            categories = semantic(array, label.attributes.annotations)

    Args:
        array: Height x width: each pixel's annotation id, as `decode_bitmap` gives it.
        annotations: What the ids mean: models, or mappings with ``id`` and ``category_id``. An annotation that has
            no pixel does not matter.
        id_increment: Added to each category's id.

    Returns:
        Height x width: each pixel's category id; 0 where nothing is labelled, or where the id is of no annotation
        (`mismatch` tells about these).

    Raises:
        InputError: An id is none, or two annotations have the same.
    """
    ids = check_ids(array)
    categories = categories_by_id(annotations)
    for category in categories.values():
        if not 0 <= category + id_increment <= MAX_ID:
            raise InputError(f"category {category} becomes {category + id_increment}", path="id_increment")
    return translate(ids, {number: category + id_increment for number, category in categories.items()}, np.uint32)


def pixel_counts(array: npt.ArrayLike) -> dict[int, int]:
    """
    Count the pixels of each object.

    Example:
        >>> pixel_counts([[0, 1, 1], [0, 0, 2]])
        {1: 2, 2: 1}

    Args:
        array: Height x width: each pixel's annotation id.

    Returns:
        The number of pixels by id, ascending; what is unlabelled is left out.
    """
    return {number: part.area for number, part in runs_of(check_ids(array)).items()}


def mismatch(array: npt.ArrayLike, annotations: Annotations) -> Mismatch:
    """
    Tell in what a bitmap and its annotations disagree.

    Example:
        >>> print(mismatch([[0, 1, 3]], [{"id": 1, "category_id": 7}, {"id": 2, "category_id": 7}]))
        pixels have ids that no annotation has: 3; annotations have ids that no pixel has: 2

    Args:
        array: Height x width: each pixel's annotation id.
        annotations: As for `semantic`.

    Raises:
        InputError: An id is none, or two annotations have the same.
    """
    named, painted = categories_by_id(annotations).keys(), pixel_counts(array).keys()
    return Mismatch(sorted(named - painted), sorted(painted - named))


def check_annotations(array: npt.ArrayLike, annotations: Annotations) -> None:
    """
    Refuse a bitmap and annotations that do not belong together.

    Example:
        ::

            check_annotations(array, annotations)

    Args:
        array: Height x width: each pixel's annotation id.
        annotations: As for `semantic`.

    Raises:
        InputError: A pixel's id is of no annotation, an annotation's of no pixel, or two have the same.
    """
    found = mismatch(array, annotations)
    if found:
        raise InputError(str(found), path="annotations")


def categories_by_id(annotations: Annotations) -> dict[int, int]:
    """Read annotations as their categories by their ids."""
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
