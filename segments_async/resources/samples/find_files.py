"""Find the files of a folder, or those that match a pattern, in a worker thread and in batches."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from segments_async._caller_errors import caller_code
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async._transfer.local_files import FoundFile
from segments_async._wire.shortages import shortage_code
from segments_async.errors import InputError
from segments_async.resources.samples.walk import UnreadableFolder, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger("segments_async")

_WILDCARDS = frozenset("*?[{")
_BATCH_SIZE = 256
"""Files found per call of a worker thread."""


class FoundFiles(Iterator[Path | UnreadableFolder]):
    """
    Iterate over a single file, all files of a folder, or those that match a pattern such as ``photos/**/*.{jpg,png}``.

    Files come in natural order within each folder. Hidden files and folders are skipped unless the pattern names them,
    and so are files that operating systems add. Links that point outside the folder are skipped. The files of a folder
    or a pattern are `FoundFile` objects, so that only the file that was found is read.

    Args:
        where: A file, a folder or a pattern; as much of a pattern as exists is taken literally.
        ignore: Patterns of what is left out: of names, or of paths below the folder if they contain ``/``.

    Call `open` first.
    """

    def __init__(self, where: str | os.PathLike[str], ignore: Sequence[str] = ()) -> None:
        with caller_code("files"):
            self._where = os.path.expanduser(where)  # noqa: PTH111 (a name that is not of a user stays)
            self._paths = _iterate_files(Path(self._where), ignore)
        self._found: deque[Path | UnreadableFolder] = deque()

    async def open(self) -> None:
        """
        Find all files, so that their number is known and a wrong path is refused before the run starts.

        Raises:
            InputError: There is no such file or folder, or no file matches.
            OutOfResourcesError: This machine has too many open files.
        """
        try:
            while batch := await run_sync(self._next_batch):
                self._found.extend(batch)
        except OSError as error:
            raise file_error(error, "cannot be read", self._where, "files") from error
        if not self._found:
            raise InputError(f"nothing to upload: no file matches {self._where!r}", path="files")

    def __len__(self) -> int:
        """Return how many files are still to be uploaded."""
        return len(self._found)

    def __next__(self) -> Path | UnreadableFolder:
        if not self._found:
            raise StopIteration
        return self._found.popleft()

    def _next_batch(self) -> list[Path | UnreadableFolder]:
        return list(islice(self._paths, _BATCH_SIZE))


def _iterate_files(where: Path, ignore: Sequence[str]) -> Iterator[Path | UnreadableFolder]:
    if where.is_dir():
        yield from _glob_files(where, "**/*", ignore)
    elif where.exists():
        yield where
    else:
        # Only what does not exist is a pattern: in "run[1]/*.jpg", "run[1]" may be a folder.
        folder = next((parent for parent in where.parents if parent.exists()), Path())
        parts = where.parts[len(folder.parts) :]
        fixed = next((n for n, part in enumerate(parts) if _WILDCARDS & set(part)), None)
        if fixed != 0 or not folder.is_dir():
            missing = where if fixed is None else folder.joinpath(*parts[:fixed])
            raise InputError(f"no such file or folder: {str(missing)!r}", path="files")
        pattern = "/".join(parts)
        yield from _glob_files(folder, f"{pattern}/*" if pattern.endswith("**") else pattern, ignore)


def _glob_files(folder: Path, pattern: str, ignore: Sequence[str]) -> Iterator[Path | UnreadableFolder]:
    root = folder.resolve()
    for found in walk(str(folder), pattern, ignore):
        if isinstance(found, UnreadableFolder):
            yield found
            continue
        path = Path(found)
        try:
            if (regular := _regular_file(path, root)) is not None:
                yield regular
        except FileNotFoundError:
            continue  # deleted meanwhile
        except OSError as error:
            if shortage_code(error) is not None:
                raise
            yield path  # such as one that is too long: an item that fails


def _regular_file(path: Path, root: Path) -> FoundFile | None:
    if not path.is_file():
        return None
    target = path.resolve()
    if target.is_relative_to(root):
        return FoundFile.find(path, target)
    _log.warning("skipped %s: it points outside %s", path, root)
    return None
