"""Find the images of a CVAT export: beside the XML, or in the folder of the images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from segments_async.imports.cvat_meta import CvatTask

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
_NUMBERS = re.compile(r"(\d+)")


class CvatFrames:
    """
    Finds files of images and of frames.

    Args:
        beside: The folder of the XML; an export with images has them in ``images`` there.
        images: The folder of the images; None if it is not known.
    """

    def __init__(self, beside: Path, images: Path | None) -> None:
        self._export = beside / "images"
        self._folder = images if images is not None else self._export

    def file_of(self, name: str, subset: str | None) -> Path | None:
        """Return the file of an image in the export; None if it is not there."""
        if ".." in name.split("/"):
            return None
        for folder in (self._export / (subset or "default"), self._export):
            try:
                path = folder / name
                if path.is_file() and path.resolve().is_relative_to(self._export.resolve()):
                    return path
            except (OSError, ValueError):  # a name that no file can have
                return None
        return None

    def of(self, task: CvatTask, count: int) -> Iterator[tuple[str, Path | None]]:
        """
        Iterate over the frames of a video, each with its name and its file.

        A file is that of a frame if it is called ``frame_000017``, as CVAT does; otherwise the files are the frames in
        natural order, if there are as many.
        """
        files = self._listed()
        by_stem = {path.stem.lower(): path for path in files}
        is_named = any(f"frame_{task.number_of(index):06d}" in by_stem for index in range(count))
        for index in range(count):
            stem = f"frame_{task.number_of(index):06d}"
            file = by_stem.get(stem) if is_named or len(files) != count else files[index]
            yield f"{stem}.png" if file is None else file.name, file

    def _listed(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        found = [path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
        return sorted(found, key=lambda path: [_part(part) for part in _NUMBERS.split(path.name)])


def _part(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)
