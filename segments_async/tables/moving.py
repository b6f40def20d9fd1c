"""Move values from JSON objects to the columns of a row; what a column cannot contain exactly stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._arrow.batches import fits
from segments_async._serialization.json import encode_json, read_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from segments_async._arrow.columns import Column, ColumnType

Row = dict[str, Any]
"""Values that fit, by name of the column."""
Object = dict[str, Any]
"""A JSON object that values are taken out of."""


def types_of(columns: Iterable[Column], names: Iterable[str]) -> dict[str, ColumnType]:
    """Return the types of the named columns."""
    known = {column.name: column.type for column in columns}
    return {name: known[name] for name in names}


def move(source: Object, row: Row, types: Mapping[str, ColumnType]) -> None:
    """Move the keys of *source* that columns are named after. A null is dropped, as it means the same as no key."""
    for name in source.keys() & types.keys():
        move_one(source, name, row, name, types[name])


def move_one(source: Object, key: str, row: Row, name: str, kind: ColumnType) -> None:
    """Move the value of *key* to the column *name*."""
    value = source.get(key)
    if kind == "time" and type(value) is str:
        value = read_time(value)
    if value is None:
        source.pop(key, None)
    elif fits(value, kind):
        row[name] = json_text(value) if kind == "json" else value
        del source[key]


def move_parts(source: Object, key: str, row: Row, parts: Iterable[str], *, nullable: Iterable[str] = ()) -> None:
    """Move an object of numbers, such as a position, to one column for each of its *parts*; all of them or none."""
    value = source.get(key)
    if value is None:
        source.pop(key, None)
        return
    names = list(parts)
    if type(value) is not dict or value.keys() != set(names):
        return
    allowed = set(nullable)
    if all(fits(value[part], "number") or (value[part] is None and part in allowed) for part in names):
        row.update({f"{key}_{part}": value[part] for part in names})
        del source[key]


def json_text(value: Any) -> str:
    """Return a value as JSON text, in which integers have any number of digits."""
    return encode_json(value).decode()


def rest_text(source: Object) -> str | None:
    """Return what is left of an object; None if nothing is."""
    return json_text(source) if source else None
