"""What Pascal VOC and LabelMe have in common: a folder with one file of annotations for each image."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segments_async.errors import InputError
from segments_async.imports.named_categories import NamedCategories
from segments_async.imports.peek import readable
from segments_async.imports.reading import UnreadableError, normalized, note_problem
from segments_async.imports.shapes import SourceImage, SourceObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from segments_async.imports.shapes import ImportProblem

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_DRIVE = re.compile(r"[A-Za-z]:|[\\/]")


class FilePerImage:
    """
    Reads a folder, or one file, twice: first the categories, then the images. The formats derived from it read a file.

    Args:
        path: The folder or the file.
        images: The folder of the images; None if it is not known.
    """

    _suffix = ""
    _folder_name = ""
    """The folder of the annotations, which is no part of the names of images."""

    def __init__(self, path: Path, images: Path | None) -> None:
        self._path = path
        self._user_folder = images
        self._categories = NamedCategories()
        self._count = 0
        self._broken: set[Path] = set()
        self.problems: list[ImportProblem] = []
        self.left_out: Counter[str] = Counter()

    def open(self) -> None:
        """Read all files once, to find the categories and the files that are damaged."""
        with readable(self._path):
            folder = self._path if self._path.is_dir() else self._path.parent
            self._root = folder.parent if folder.name == self._folder_name else folder
            for file in self._files():
                with note_problem(self.problems, self._shown(file)):
                    self._broken.add(file)
                    for found in self._image(file).objects:
                        self._categories.note(found.category, found.attributes)
                    self._broken.remove(file)
                    self._count += 1
        if not self._count:
            why = f": {self.problems[0]}" if self.problems else f": there is no {self._suffix} file"
            raise InputError(f"has no annotations that can be read{why}", path="path")

    @property
    def categories(self) -> list[dict[str, Any]]:
        """All names of the files, numbered from 1."""
        return self._categories.as_list()

    @property
    def task_type(self) -> str:
        """Shapes of all kinds."""
        return "vector"

    def __len__(self) -> int:
        """Return the number of images."""
        return self._count

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the images, in the order of their files."""
        for file in self._files():
            if file in self._broken:
                continue
            problems: list[ImportProblem] = []
            image = SourceImage(name=self._shown(file), labeled=False)
            with note_problem(problems, image.name):
                image = self._image(file)
            image.problems += problems
            yield image

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _image(self, file: Path) -> SourceImage:
        """Read one file."""
        raise NotImplementedError

    def _add(self, image: SourceImage, objects: Iterable[SourceObject]) -> None:
        image.objects += objects

    def _files(self) -> Iterator[Path]:
        if self._path.is_file():
            yield self._path
            return
        for parent, folders, names in os.walk(self._path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.lower().endswith(self._suffix) and not name.startswith("."):
                    yield Path(parent, name)

    def _shown(self, file: Path) -> str:
        return Path(os.path.relpath(file, self._root)).as_posix()

    def _place(self, image: SourceImage, file: Path, stated: str) -> None:
        """
        Set the name of an image, and its file if that is below the folder that is read.

        Args:
            image: The image.
            file: Its file of annotations.
            stated: The name that the file states, as seen from the file's own folder; its suffix may be missing.
        """
        name = stated.replace("\\", "/")
        if _DRIVE.match(stated):  # a path of the machine on which it was labelled
            name = name.rpartition("/")[2]
        if not normalized(name).strip("./"):
            raise UnreadableError(f"expected the name of the image, got {stated!r}")
        here = os.path.relpath(file.parent, self._root)
        folders = (here, ".") if "/" in name else (here,)
        candidates = (candidate for folder in folders for candidate in self._candidates(Path(folder), name))
        image.file = next((found for found in map(self._find, candidates) if found is not None), None)
        if image.file is not None and not Path(name).suffix:
            name += image.file.suffix
        image.name = self._name_of(here, name)

    def _name_of(self, here: str, name: str) -> str:
        folder = "/".join(part for part in Path(here).parts if part != self._folder_name)
        given = normalized(name)
        prefix = "" if not folder or folder == "." or given.startswith(f"{folder}/") else f"{folder}/"
        whole = os.path.normpath(prefix + given).replace(os.sep, "/")
        return "/".join(part for part in whole.split("/") if part != "..")

    def _candidates(self, folder: Path, name: str) -> Iterator[Path]:
        """Iterate over the places of an image below the root, seen from the root."""
        yield folder / name

    def _find(self, candidate: Path) -> Path | None:
        whole = self._root / candidate
        choices = [whole] if whole.suffix else [whole.with_name(whole.name + suffix) for suffix in SUFFIXES]
        root = self._root.resolve()
        for choice in choices:
            try:
                if choice.is_file() and choice.resolve().is_relative_to(root):
                    return Path(os.path.normpath(choice))
            except (OSError, ValueError):  # a name that no file can have
                return None
        return None
