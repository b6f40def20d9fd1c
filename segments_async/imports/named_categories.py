"""The categories of formats that name a category at each object, and the attributes that its objects have."""

from __future__ import annotations

from typing import Any

from segments_async._validators import is_number
from segments_async.imports.reading import text_of

Value = bool | float | str


class NamedCategories:
    """Numbers names from 1 in the order of their appearance, and records the types of attributes."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._kinds: dict[int, dict[str, str | None]] = {}

    def id_of(self, name: Any) -> int:
        """Return the id of a category; a new name gets the next one."""
        return self._ids.setdefault(text_of(name, "label").strip(), len(self._ids) + 1)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.strip() in self._ids

    def note(self, category: int, attributes: dict[str, Any] | None) -> None:
        """Record the attributes of an object."""
        kinds = self._kinds.setdefault(category, {})
        for name, value in (attributes or {}).items():
            kind = _kind_of(value)
            kinds[name] = kind if kinds.get(name, kind) == kind else None

    def as_list(self) -> list[dict[str, Any]]:
        """Return the categories; an attribute is declared if all its values are of one kind."""
        found = []
        for name, number in self._ids.items():
            kinds = self._kinds.get(number, {})
            declared = [{"name": key, "input_type": kind} for key, kind in kinds.items() if kind]
            found.append({"id": number, "name": name, **({"attributes": declared} if declared else {})})
        return found


def _kind_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return "checkbox"
    if is_number(value):
        return "number"
    return "text" if isinstance(value, str) else None


def value_of(text: str) -> Value:
    """
    Return the value of an attribute that a file has as text.

    Example:
        >>> [value_of("true"), value_of("3"), value_of("0.5"), value_of("red")]
        [True, 3, 0.5, 'red']
    """
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text:
            return number
    return text
