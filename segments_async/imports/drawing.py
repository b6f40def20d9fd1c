"""Collect the annotations of one image, and count what is left out, changed or invalid."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segments_async.imports.shapes import ImportProblem, SourceImage, SourceObject

UNKNOWN_CATEGORY = "annotations of category {!r}, which the dataset does not have"


@define(kw_only=True, eq=False)
class Drawing:
    """The annotations of one image, and the counts of what was left out, changed or invalid."""

    task_type: str
    lossy: bool = False
    category_ids: Mapping[int, int | None] | None = None
    """The dataset's id of each category; None or missing if it has no such category. None keeps the ids."""
    category_names: Mapping[int, str] = field(factory=dict)
    left_out: Counter[str] = field(factory=Counter)
    changed: Counter[str] = field(factory=Counter)
    problems: list[ImportProblem] = field(factory=list)

    def objects_of(self, image: SourceImage) -> Iterator[tuple[int, SourceObject]]:
        """Iterate over the objects whose category the dataset has, each with the dataset's id."""
        for found in image.objects:
            category = found.category if self.category_ids is None else self.category_ids.get(found.category)
            if category is None:
                self._leave_out(found.category)
            else:
                yield category, found

    def with_own_categories(self, value: Any) -> Any:
        """Return a label as the service has it, with the dataset's categories; annotations of others are left out."""
        if isinstance(value, dict):
            return {
                key: self._annotations(item) if key == "annotations" else self.with_own_categories(item)
                for key, item in value.items()
            }
        return [self.with_own_categories(item) for item in value] if isinstance(value, list) else value

    def _annotations(self, annotations: Any) -> Any:
        if self.category_ids is None or not isinstance(annotations, list):
            return annotations
        kept = []
        for annotation in annotations:
            given = annotation.get("category_id") if isinstance(annotation, dict) else None
            category = self.category_ids.get(given) if isinstance(given, int) else None
            if category is None:
                self._leave_out(given)
            else:
                kept.append({**annotation, "category_id": category})
        return kept

    def _leave_out(self, category: Any) -> None:
        self.left_out[UNKNOWN_CATEGORY.format(self.category_names.get(category, category))] += 1
