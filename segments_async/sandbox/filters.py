"""The search syntax of the service, as its ``filters`` parameter takes it."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from segments_async.sandbox.exact_json import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NUMERIC = re.compile(r"(=|>=?|<=?)(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)")


def matches_filters(metadata: Mapping[str, Any], filters: str) -> bool:
    """Return whether *metadata* satisfies all conditions, such as ``city:Ghent,height:>=3,tags:|red``."""
    pairs = (pair.partition(":") for pair in filters.split(",") if ":" in pair)
    return all(key in metadata and _matches(metadata[key], wanted) for key, _, wanted in pairs)


def _matches(value: Any, wanted: str) -> bool:
    if wanted.startswith("|"):
        return isinstance(value, list) and any(_as_text(item) == wanted[1:] for item in value)
    if numeric := _NUMERIC.fullmatch(wanted):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and _COMPARE[numeric[1]](value, float(numeric[2]))
    return _as_text(value) == wanted


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else write_json(value).decode()
