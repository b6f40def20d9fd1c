"""Find the files of a folder, or those that match a pattern, in a worker thread and in batches."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from segments_async._caller_errors import caller_code
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async._transfer.local_files import FoundFile
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("segments_async")

_WILDCARDS = frozenset("*?[")
_BATCH_SIZE = 256
"""Files found per call of a worker thread."""


class FoundFiles(AsyncIterator[Path]):
    """
    Iterate over a single file, all files of a folder, or those that match a pattern such as ``photos/**/*.jpg``.

    Hidden files and folders are skipped unless the pattern names them. Links that point outside the folder are skipped.
    The files of a folder or a pattern are `FoundFile` objects, so that only the file that was found is read.

    Call `open` first.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        with caller_code("files"):
            self._where = os.fspath(where)
            self._paths = _iterate_files(Path(self._where))
        self._batch: deque[Path] = deque()

    async def open(self) -> None:
        """
        Find the first files, so that a wrong path is refused before the run starts.

        Raises:
            InputError: There is no such file or folder, it cannot be read, or no file matches.
            OutOfResourcesError: This machine has too many open files.
        """
        try:
            self._batch.extend(await run_sync(self._next_batch))
        except OSError as error:
            raise file_error(error, "cannot be read", self._where, "files") from error
        if not self._batch:
            raise InputError(f"nothing to upload: no file matches {self._where!r}", path="files")

    async def __anext__(self) -> Path:
        if not self._batch:
            self._batch.extend(await run_sync(self._next_batch))
        if not self._batch:
            raise StopAsyncIteration
        return self._batch.popleft()

    def _next_batch(self) -> list[Path]:
        return list(islice(self._paths, _BATCH_SIZE))


def _iterate_files(where: Path) -> Iterator[Path]:
    if where.is_dir():
        yield from _glob_files(where, "**/*")
    elif where.exists():
        yield where
    else:
        fixed = next((n for n, part in enumerate(where.parts) if _WILDCARDS & set(part)), None)
        folder = None if fixed is None else Path(*where.parts[:fixed])
        if folder is None or not folder.is_dir():
            raise InputError(f"no such file or folder: {str(folder or where)!r}", path="files")
        pattern = "/".join(where.parts[fixed:])
        yield from _glob_files(folder, f"{pattern}/*" if pattern.endswith("**") else pattern)


def _glob_files(folder: Path, pattern: str) -> Iterator[Path]:
    root = folder.resolve()
    with_hidden = any(part.startswith(".") for part in pattern.split("/"))
    for path in folder.glob(pattern):
        if not with_hidden and any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if not path.is_file():
            continue
        target = path.resolve()
        if not target.is_relative_to(root):
            _log.warning("skipped %s: it points outside %s", path, folder)
            continue
        with suppress(FileNotFoundError):  # deleted meanwhile
            if (found := FoundFile.find(path, target)) is not None:
                yield found
