"""Which item writes which files: no file of one item replaces that of another, on any file system."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from unicodedata import normalize

from attrs import evolve

from segments_async._wire.suffixes import split_suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from segments_async.export.items import Item

_OTHER_SUFFIXES = (".txt", ".yaml", ".jsonl")


class Claims:
    """
    The paths that items have taken so far; items take theirs in the order of the release.

    Paths are compared as a file system compares them that ignores case, the form of accents, and trailing dots. So the
    files of a release have the same names everywhere. Only hashes are kept, so millions of items need little memory.

    Args:
        label_stems: Returns the paths of an item's other files, without extension, for the path of its image.
        reserved: Names of files that belong to no item.
    """

    def __init__(self, label_stems: Callable[[str], list[str]], reserved: Sequence[str]) -> None:
        self._label_stems = label_stems
        self._stems: set[int] = set()
        self._files: set[int] = set()
        self._folders: set[int] = set()
        self._reserved = {hash(_key(name)) for name in reserved}

    def claim(self, item: Item) -> Item:
        """
        Take the paths of an item, and return it, under another name if only case or accents differ from another.

        Raises:
            ExportError: Another item has the same name, or a file would be in the place of a folder.
        """
        if hash(item.stem) in self._stems:
            raise item.error(f"another sample already has files named {item.stem!r}")
        digest = hashlib.sha256(f"{item.sample}\0{item.frame}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        for stem in (item.stem, f"{item.stem}-{digest}"):
            stems = [stem, *self._label_stems(stem)]
            files = {hash(_key(one)) for one in stems}
            folders = {key for one in stems for key in _folder_keys(one)}
            if not (self._folders.isdisjoint(files) and self._files.isdisjoint(folders)) or (
                not self._reserved.isdisjoint(folders)
            ):
                raise item.error(f"a file {stem!r} and a folder of the same name would be in one place")
            if self._files.isdisjoint(files):
                self._stems.add(hash(item.stem))
                self._files.update(files)
                self._folders.update(folders)
                return item if stem == item.stem else evolve(item, stem=stem)
        raise item.error(f"its files would replace those of another sample: {item.stem!r}")


def _key(path: str) -> str:
    folded = normalize("NFC", normalize("NFC", path).casefold())
    return "/".join(part.rstrip(" .") for part in folded.split("/"))


def _folder_keys(stem: str) -> Iterator[int]:
    """Yield the hashes of file stems (or whole names) that a parent folder of *stem* would collide with."""
    parts = stem.split("/")[:-1]
    for index in range(len(parts)):
        folder = "/".join(parts[: index + 1])
        base, suffix = split_suffix(folder)
        if not suffix and folder.lower().endswith(_OTHER_SUFFIXES):
            base = folder.rpartition(".")[0]
            yield hash(_key(folder))
        if base != folder:
            yield hash(_key(base))
