"""Remove the paths of this server from what its end users see."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

# An absolute path ends where its message, or the quotes around it, end: folders may have spaces in their names.
_ABSOLUTE = re.compile(
    r"""(?:(?<![\w:/.\\])(?:~?/+(?=[^\s'"/])|[A-Za-z]:[\\/]|\\\\)|\bfile:/+)[^'"\n]*""", re.IGNORECASE
)
_EXTENSION = re.compile(r"[^.\s]\.\w{1,10}$")
_RELATIVE = re.compile(r"""[\w.~-]+(?:[\\/][\w.~ -]*[\w.~-])+""")


def without_paths(message: str) -> str:
    """
    Return the message with the paths of files cut down to the names of the files.

    Example:
        >>> without_paths("file: cannot be read (No such file or directory): /srv/data/a b/rose.png")
        'file: cannot be read (No such file or directory): rose.png'
        >>> without_paths("dataset: expected 'owner/name', got 'flowers'")
        "dataset: expected 'owner/name', got 'flowers'"

    Args:
        message: What is to be shown.
    """
    return _RELATIVE.sub(_name_if_path, _ABSOLUTE.sub(_name, message))


def _name(found: re.Match[str]) -> str:
    return re.split(r"[/\\]+", found[0].rstrip("/\\"))[-1] or "…"


def _name_if_path(found: re.Match[str]) -> str:
    text = found[0]
    name = PureWindowsPath(text).name
    separators = text.count("/") + text.count("\\")
    if separators > 1 or _EXTENSION.search(name) or _exists(text):
        return name
    return text  # such as the "owner/name" of a dataset


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False
