"""The categories of a file and those of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._serialization.converter import structure
from segments_async.errors import DecodeError, InputError
from segments_async.models import TaskAttributeCategory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MAX_LISTED = 20


def as_category(category: Mapping[str, Any]) -> TaskAttributeCategory:
    """Return a category as the service knows it; what does not fit a known field is left out."""
    given = {key: value for key, value in category.items() if value is not None}
    try:
        return structure(given, TaskAttributeCategory)
    except DecodeError:
        return structure({key: given[key] for key in ("id", "name")}, TaskAttributeCategory)


def match_categories(
    found: Sequence[Mapping[str, Any]], existing: Iterable[TaskAttributeCategory]
) -> dict[int, int | None]:
    """
    Return the dataset's id of each category of a file, by name; None if the dataset does not have it.

    Names are equal in upper and lower case, unless the dataset distinguishes them. If several categories have the name,
    it is the one with the same id, or else the first.

    Raises:
        InputError: The dataset has none of the categories.
    """
    exact: dict[str, int] = {}
    loose: dict[str, int] = {}
    own: set[tuple[str, int]] = set()
    for category in existing:
        own.add((category.name, category.id))
        exact.setdefault(category.name, category.id)
        loose.setdefault(_loose(category.name), category.id)
    ids = {
        one["id"]: one["id"]
        if (one["name"], one["id"]) in own
        else exact.get(one["name"], loose.get(_loose(one["name"])))
        for one in found
    }
    if ids and all(number is None for number in ids.values()):
        raise InputError(
            f"the dataset has none of the file's categories: the file has {_listed(one['name'] for one in found)}, "
            f"the dataset {_listed(exact)}",
            path="dataset",
        )
    return ids


def _loose(name: str) -> str:
    return " ".join(name.casefold().split())


def _listed(names: Iterable[str]) -> str:
    listed = [repr(name) for name in names]
    more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
    return ", ".join(listed[:_MAX_LISTED]) + more if listed else "none"
