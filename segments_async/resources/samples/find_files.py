"""The files of a folder, or those that match a pattern, found in a worker thread while they are taken."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("segments_async")

_MAGIC = frozenset("*?[")
_AT_ONCE = 256


class FoundFiles(AsyncIterator[Path]):
    """
    Find files: all of a folder, those that a pattern such as ``photos/**/*.jpg`` matches, or a single one.

    Hidden files and folders are left out unless the pattern names them, and so are links that lead out of the folder.

    Raises:
        InputError: There is no such file or folder, or nothing is found.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        self._where = os.fspath(where)
        self._found = _find(Path(self._where))
        self._next: deque[Path] = deque()
        self._any = False

    async def __anext__(self) -> Path:
        if not self._next:
            self._next.extend(await run_sync(self._take))
        if not self._next:
            if self._any:
                raise StopAsyncIteration
            raise InputError(f"nothing to upload: no file is found by {self._where!r}", path="files")
        self._any = True
        return self._next.popleft()

    def _take(self) -> list[Path]:
        return list(islice(self._found, _AT_ONCE))


def _find(where: Path) -> Iterator[Path]:
    if where.is_dir():
        yield from _matching(where, "**/*")
    elif where.exists():
        yield where
    else:
        fixed = next((n for n, part in enumerate(where.parts) if _MAGIC & set(part)), None)
        folder = None if fixed is None else Path(*where.parts[:fixed])
        if folder is None or not folder.is_dir():
            raise InputError(f"no such file or folder: {str(folder or where)!r}", path="files")
        pattern = "/".join(where.parts[fixed:])
        yield from _matching(folder, f"{pattern}/*" if pattern.endswith("**") else pattern)


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    root = folder.resolve()
    with_hidden = any(part.startswith(".") for part in pattern.split("/"))
    for path in folder.glob(pattern):
        if not with_hidden and any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if not path.is_file():
            continue
        if path.resolve().is_relative_to(root):
            yield path
        else:
            _log.warning("left out %s: it leads out of %s", path, folder)
