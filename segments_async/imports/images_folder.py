"""Find the files of images by the names that annotations give them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from segments_async._transfer.local_files import FoundFile
from segments_async._validators import as_path
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_URL_PREFIXES = ("https://", "http://")


class ImagesFolder:
    """
    A folder of images, or the start of their URLs.

    A name is looked up as it is, then without its folders: at the top of the folder, and last anywhere below it, if
    there is only one such file. Names that lead outside the folder are not found.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        self._url = where.rstrip("/") if isinstance(where, str) and where.startswith(_URL_PREFIXES) else None
        self.path: Path | None = None if self._url is not None else as_path(where, "images")
        if self.path is not None and not self.path.is_dir():
            raise InputError(
                f"expected the folder of the images, or the start of their URLs, got {self.path}", path="images"
            )
        self._root = None if self.path is None else self.path.resolve()
        self._by_name: dict[str, Path | None] | None = None

    def url_of(self, name: str) -> str | None:
        """Return the URL of an image; None if this is a folder."""
        return None if self._url is None else f"{self._url}/{quote(name)}"

    def find(self, name: str) -> Path | None:
        """Return the file of an image; None if there is none."""
        if self.path is None or ".." in name.split("/"):
            return None
        for candidate in dict.fromkeys([name, name.rpartition("/")[2]]):
            if (found := self._file(self.path / candidate)) is not None:
                return found
        if self._by_name is None:
            self._by_name = {}
            for path in self._walk(self.path):
                key = _key(path.name)
                self._by_name[key] = None if key in self._by_name else path
        below = self._by_name.get(_key(name.rpartition("/")[2]))
        return None if below is None else self._file(below)

    def _file(self, path: Path) -> Path | None:
        try:
            target = path.resolve()
            return FoundFile.find(path, target) if self._root and target.is_relative_to(self._root) else None
        except (OSError, ValueError, RuntimeError):  # no such file, a name that no file can have, or a circle of links
            return None

    @staticmethod
    def _walk(folder: Path) -> Iterator[Path]:
        for parent, _, names in os.walk(folder):
            yield from (Path(parent, name) for name in names if not name.startswith("."))


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name)
