"""Walk through a folder in natural order, and find the files that match a pattern."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attrs import frozen

from segments_async._wire.shortages import shortage_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLUTTER = frozenset({".ds_store", "desktop.ini", "thumbs.db"})
"""Files that operating systems add to folders, in lower case."""

_State = tuple[str, ...]
"""The parts of a pattern that are still to be matched."""

_numbers = re.compile(r"([0-9]+)")
_braces = re.compile(r"\{([^{}]*,[^{}]*)\}")


@frozen
class UnreadableFolder(os.PathLike[str]):
    """A folder that cannot be read: an item that fails."""

    path: str
    problem: str

    def __fspath__(self) -> str:
        return self.path


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return the sort key that puts ``img9.png`` before ``img10.png``, whatever the case of letters."""
    parts = _numbers.split(name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def expand_braces(pattern: str) -> list[str]:
    """
    Expand alternatives, which may be nested.

    Example:
        >>> expand_braces("*.{jpg,png}")
        ['*.jpg', '*.png']
    """
    match = _braces.search(pattern)
    if match is None:
        return [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    expanded = [found for word in match[1].split(",") for found in expand_braces(f"{head}{word}{tail}")]
    return list(dict.fromkeys(expanded))


def walk(folder: str, pattern: str, ignore: Sequence[str] = ()) -> Iterator[str | UnreadableFolder]:
    """
    Iterate over everything below *folder* that matches *pattern* and is not a folder.

    In each folder, files come first and then its folders, both in natural order. ``**`` does not follow links. Hidden
    entries are skipped unless a part of the pattern begins with a dot.

    Args:
        folder: Where to look.
        pattern: Its parts are separated by ``/``; ``**`` is any number of folders, ``{a,b}`` are alternatives.
        ignore: Patterns of names, or of paths below *folder* if they contain ``/``, that are left out.

    Raises:
        OSError: This machine has too many open files.
    """
    patterns = expand_braces(pattern)
    hidden = any(part.startswith(".") for found in patterns for part in found.split("/"))
    rules = [found.rstrip("/") for rule in ignore for found in expand_braces(rule)]
    states = frozenset(tuple(part for part in found.split("/") if part) for found in patterns)
    left = [_Folder(folder, "", states)]  # not by recursion, whose depth is limited
    while left:
        found_folders: list[_Folder] = []
        yield from _walk(left.pop(), found_folders, rules, hidden=hidden)
        left += reversed(found_folders)


@frozen
class _Folder:
    """A folder to walk through."""

    path: str
    below: str
    """Its path below the folder where the walk started, with a slash at the end."""
    states: frozenset[_State]


def _walk(
    folder: _Folder, folders: list[_Folder], ignore: Sequence[str], *, hidden: bool
) -> Iterator[str | UnreadableFolder]:
    """Yield the files of one folder, and add its folders to *folders*."""
    states = _with_skipped_stars(folder.states)
    try:
        with os.scandir(folder.path) as entries:
            found = sorted(entries, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        if shortage_code(error) is not None:
            raise
        yield UnreadableFolder(folder.path, error.strerror or str(error))
        return
    for entry in found:
        path = f"{folder.below}{entry.name}"
        if (entry.name.startswith(".") and not hidden) or _is_ignored(entry.name, path, ignore):
            continue
        if _is_folder(entry):
            further: set[_State] = {state[1:] for state in states if len(state) > 1 and _matches(entry.name, state[0])}
            if not entry.is_symlink():
                further |= {state for state in states if state[0] == "**"}
            if further:
                folders.append(_Folder(entry.path, f"{path}/", frozenset(further)))
        elif any(len(state) == 1 and _matches(entry.name, state[0]) for state in states):
            yield entry.path


def _with_skipped_stars(states: frozenset[_State]) -> frozenset[_State]:
    """Add the states in which ``**`` stands for no folder at all."""
    found = set(states)
    for state in states:
        left = state
        while left and left[0] == "**":
            left = left[1:]
            if left:
                found.add(left)
    return frozenset(found)


def _matches(name: str, part: str) -> bool:
    return part != "**" and fnmatchcase(name, part)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_ignored(name: str, path: str, ignore: Sequence[str]) -> bool:
    return name.lower() in CLUTTER or any(fnmatchcase(path if "/" in rule else name, rule) for rule in ignore)
