"""The files of an upload: of folders and patterns, or those that standard input names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from segments_async import FileSample
from segments_async.cli.lines import STDIN, LineNumbers, read_items
from segments_async.cli.statuses import CommandError
from segments_async.resources.samples.find_files import FoundFiles


class Files(AsyncIterator[Any]):
    """
    Iterate over the files of several folders as one input, whose length is known once `open` has found them.

    Args:
        folders: Folders, files or patterns; or standard input alone, for JSON Lines on standard input.
        ignore: Patterns of what is left out of folders.
        full_names: Whether a sample is named by the path below its folder.
    """

    def __init__(self, folders: list[str], ignore: list[str], *, full_names: bool) -> None:
        self._folders = folders
        self._ignore = ignore
        self._full_names = full_names
        self._found: list[tuple[Path, FoundFiles]] = []
        self._items = self._iterate()
        self.lines: LineNumbers | None = LineNumbers() if folders == [STDIN] else None

    async def open(self) -> None:
        """Find all files, so that a wrong path is refused before anything is sent."""
        if self._folders == [STDIN]:
            return
        for folder in self._folders:
            found = FoundFiles(folder, self._ignore)
            await found.open()
            self._found.append((_base(Path(folder)), found))

    def __len__(self) -> int:
        """Return how many files are still to be uploaded."""
        if self._folders == [STDIN]:
            raise TypeError("not known before the input was read")
        return sum(len(found) for _, found in self._found)

    async def __anext__(self) -> Any:
        return await anext(self._items)

    async def _iterate(self) -> AsyncIterator[Any]:
        if self.lines is not None:
            async for item in read_items(STDIN, self.lines, _as_file):
                yield item
        for base, found in self._found:
            async for path in found:
                yield FileSample(self._name(base, path), path) if isinstance(path, Path) else path

    def _name(self, base: Path, path: Path) -> str:
        return path.relative_to(base).as_posix() if self._full_names else path.name


def line_of(item: Any) -> dict[str, Any]:
    """Return a file that was not uploaded as a line that `Files` reads."""
    if isinstance(item, FileSample):
        return {"file": str(item.files), "name": item.name}
    return {"file": getattr(item, "path", str(item))}


def _as_file(line: Any) -> FileSample:
    if isinstance(line, str):
        line = {"file": line}
    if not isinstance(line, dict) or not isinstance(line.get("file"), str):
        raise CommandError('expected an object with "file", the path of a file')
    file = line.pop("file")
    try:
        return FileSample(line.pop("name", Path(file).name), file, **line)
    except TypeError as error:
        raise CommandError(str(error).partition(") ")[2] or str(error)) from error


def _base(where: Path) -> Path:
    """Return the folder that names are relative to: the one given, or the part of a pattern that exists."""
    if where.is_dir():
        return where
    return next((parent for parent in where.parents if parent.is_dir()), Path())
