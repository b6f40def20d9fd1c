"""Values that errors and outcomes contain, in a form that can always be pickled."""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 100
"""Maximum levels of nested containers that are pickled: pickle raises RecursionError at a few hundred."""
MAX_REPR = 1000
"""Maximum characters of the text that replaces a value."""

_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})


def picklable(value: Any) -> Any:
    """
    Return *value* if it can be pickled, and otherwise a text in its place: its repr, or a note if it is too deep.

    Example:
        >>> picklable({"detail": "Not found."})
        {'detail': 'Not found.'}
        >>> picklable([[print, lambda assets: assets]])
        '[[<built-in function print>, <function <lambda> at 0x7f14d0c5b240>]]'
    """
    if type(value) in _ATOMS:
        return value
    if _is_too_deep(value):
        return f"({type(value).__name__}, nested too deeply to be pickled)"
    return value if can_be_pickled(value) else repr_of(value)


def can_be_pickled(value: Any) -> bool:
    """Return whether *value* survives a pickle. Some values can be pickled but not restored, so both are tried."""
    import pickle  # noqa: PLC0415 (rarely needed, and every import of the package would pay for it)

    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 (written here)
    except Exception:  # noqa: BLE001 (raised by any class)
        return False
    return True


def repr_of(value: Any) -> str:
    """Return the repr of *value*, cut to `MAX_REPR` characters; only its type if the repr raises an exception."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 (raised by any class)
        return f"<{type(value).__name__}>"
    return text if len(text) <= MAX_REPR else f"{text[: MAX_REPR - 3]}..."


def _is_too_deep(value: Any) -> bool:
    """Return whether *value* has more than `MAX_DEPTH` levels of dicts, lists, tuples and attrs objects."""
    seen: set[int] = set()
    level = [value]
    for _ in range(MAX_DEPTH):
        contents = {id(inner): inner for container in level for inner in _contents(container)}
        level = [inner for key, inner in contents.items() if key not in seen and type(inner) not in _ATOMS]
        if not level:
            return False
        seen.update(map(id, level))
    return True


def _contents(container: Any) -> list[Any]:
    kind = type(container)
    if kind is dict:
        return list(container.values())
    if kind in {list, tuple}:
        return list(container)
    return [getattr(container, field.name, None) for field in getattr(kind, "__attrs_attrs__", ())]
