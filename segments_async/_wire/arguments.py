"""Check arguments before anything is sent, and compare what was sent with what the service stores."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from segments_async._validators import is_count
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

OnError = Literal["raise", "skip"]
"""Whether a row, a sample or an image that cannot be read raises an error or is skipped."""


def json_contains(found: Any, sent: Any) -> bool:
    """Return whether *found* equals *sent*, both plain JSON; keys that the service added are ignored."""
    if isinstance(sent, dict) and isinstance(found, dict):
        return all(key in found and json_contains(found[key], value) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(found, list):
        return len(sent) == len(found) and all(map(json_contains, found, sent))
    return bool(found == sent)


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the values that are None: `create` and `put` do not send them."""
    return {key: value for key, value in values.items() if value is not None}


def check_keys(
    given: Mapping[str, Any], allowed: type, call: Callable[..., Any] | None, item: type | None = None
) -> None:
    """
    Reject keyword arguments that *allowed* (a TypedDict) does not declare.

    Args:
        given: The keyword arguments.
        allowed: The TypedDict that declares them.
        call: The method; None if it is not known.
        item: The class of the items of a bulk call, which have arguments of their own.

    Raises:
        TypeError: One is unknown. The message is Python's own, with the closest name, or where it belongs, as a hint.
    """
    for key in given:
        if key not in allowed.__annotations__:
            name = "a bulk call" if call is None else f"{call.__name__}()"
            hint = _hint_for_keyword(key, [*allowed.__annotations__, *_parameters(call)], item)
            raise TypeError(f"{name} got an unexpected keyword argument {key!r}{hint}")


def _hint_for_keyword(key: str, known: Collection[str], item: type | None) -> str:
    if item is not None and key in _parameters(item):
        return f"; it belongs to each item, as in {item.__name__}(..., {key}=...)"
    near = get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _parameters(call: Callable[..., Any] | None) -> list[str]:
    if call is None:
        return []
    parameters = signature(call).parameters.values()
    return [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]


_MAX_KEY_LENGTH = 64
_MIN_SIMILARITY = 0.8
"""Keys of mappings may be the caller's own, so only close ones are taken for mistyped."""


def check_spelling(given: Mapping[str, Any], known: Collection[str], returned: Collection[str] = ()) -> None:
    """
    Reject a key that looks like a mistyped known key; other unknown keys are accepted.

    Args:
        given: A mapping of the caller.
        known: The keys that it may have. A key is mistyped only if the one that it resembles is not given itself.
        returned: Further keys that are correct, as the service returns them.

    Raises:
        InputError: A key is mistyped; `path` is the key.
    """
    for key in given:
        if key not in known and key not in returned and isinstance(key, str):
            near = _close_keys(key, frozenset(known)) if len(key) <= _MAX_KEY_LENGTH else ()
            absent = next((candidate for candidate in near if candidate not in given), None)
            if absent is not None:
                raise InputError(f"unknown key; did you mean {absent!r}?", path=key)


def near_miss(word: str, known: Collection[str]) -> str | None:
    """Return the member of *known* that *word* may be a mistyped form of; None if none is close."""
    near = _close_keys(word, frozenset(known)) if len(word) <= _MAX_KEY_LENGTH else ()
    return next(iter(near), None)


@lru_cache(maxsize=1024)
def _close_keys(key: str, known: frozenset[str]) -> tuple[str, ...]:
    """Return the close members of *known*, the closest first. Cached, as all items of a run may have the same key."""
    return tuple(get_close_matches(key.lower(), sorted(known), n=len(known) or 1, cutoff=_MIN_SIMILARITY))


def check_name(value: object, path: str = "name") -> str:
    """
    Check that *value* can be a name, and return it.

    Raises:
        InputError: It is not a string, or it is empty or blank.
    """
    if type(value) is str:
        text = value
    else:
        if hasattr(value, "as_py"):  # an Arrow scalar
            value = value.as_py()
        if not isinstance(value, str):
            raise InputError(f"expected a string, got {type(value).__name__}", path=path)
        text = str.__str__(value)
    if not text.strip():
        raise InputError(f"expected a name, got {text!r}", path=path)
    return text


def check_count(value: object, path: str, limit: int) -> None:
    """
    Check that *value* is a whole number from 1 to *limit*.

    Raises:
        InputError: It is not.
    """
    if not is_count(value) or not 1 <= value <= limit:
        raise InputError(f"expected a whole number from 1 to {limit}, got {value!r}", path=path)


def check_on_error(value: object) -> None:
    """
    Check that *value* is an `OnError`.

    Raises:
        InputError: It is not.
    """
    if value not in ("raise", "skip"):
        raise InputError(f"expected 'raise' or 'skip', got {value!r}", path="on_error")


def sort_by(field: object, direction: object) -> str:
    """
    Build the service's sort parameter: ``name`` sorts ascending, ``-name`` descending.

    Raises:
        InputError: *field* is not a name, or *direction* is neither ``asc`` nor ``desc``.
    """
    if direction not in {"asc", "desc"}:
        raise InputError(f"expected 'asc' or 'desc', got {direction!r}", path="direction")
    return f"{'-' if direction == 'desc' else ''}{check_name(field, 'sort')}"
