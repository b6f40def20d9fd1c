"""What becomes of the objects of one image: what is left out, changed or broken is counted and named here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segments_async.imports.shapes import ImportProblem, SourceImage, SourceObject

UNKNOWN_CATEGORY = "annotations of category {!r}, which the dataset does not have"


@define(kw_only=True, eq=False)
class Drawing:
    """The annotations of one image, and what happened to the others."""

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
                name = self.category_names.get(found.category, found.category)
                self.left_out[UNKNOWN_CATEGORY.format(name)] += 1
            else:
                yield category, found
