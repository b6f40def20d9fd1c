"""The files of an upload: of folders and patterns, or those that standard input names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segments_async import FileSample
from segments_async.cli.lines import STDIN, LineNumbers, read_items
from segments_async.cli.statuses import CommandError
from segments_async.resources.samples.find_files import FoundFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Files(Iterator[Any]):
    """
    Iterate over the files of several folders as one input, which has a length.

    Args:
        found: The files of each folder, and the folder that names are relative to; None names samples by their files.
    """

    def __init__(self, found: list[tuple[Path | None, FoundFiles]]) -> None:
        self._found = found
        self._items = self._iterate()

    def __len__(self) -> int:
        """Return how many files are still to be uploaded."""
        return sum(len(found) for _, found in self._found)

    def __next__(self) -> Any:
        return next(self._items)

    def _iterate(self) -> Iterator[Any]:
        for base, found in self._found:
            for path in found:
                yield FileSample(_name(base, path), path) if isinstance(path, Path) else path


def _name(base: Path | None, path: Path) -> str:
    return path.name if base is None else path.relative_to(base).as_posix()


async def find_files(folders: list[str], ignore: list[str], *, full_names: bool) -> Files:
    """
    Find all files, so that a wrong path is refused before anything is sent.

    Args:
        folders: Folders, files or patterns.
        ignore: Patterns of what is left out of folders.
        full_names: Whether a sample is named by the path below its folder.
    """
    files: list[tuple[Path | None, FoundFiles]] = []
    for folder in folders:
        found = FoundFiles(folder, ignore)
        await found.open()
        files.append((_base(Path(folder)) if full_names else None, found))
    return Files(files)


def named_files(lines: LineNumbers) -> AsyncIterator[Any]:
    """Yield the files that the lines of standard input name."""
    return read_items(STDIN, lines, _as_file)


def line_of(item: Any) -> dict[str, Any]:
    """Return a file that was not uploaded as a line that `named_files` reads."""
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
