"""
YOLO, as Ultralytics trains on: ``data.yaml``, images, and a text file for each image.

Source: docs.ultralytics.com, "Dataset format". A line is a class and fractions of the image: a box (centre and size), a
polygon (at least three points; four corners are an oriented box), or with ``kpt_shape`` in ``data.yaml`` a box and
keypoints. One more number at the end is the confidence of a prediction. The text file is beside its image, or in
``labels`` where the image is in ``images``; an image without one has no label, and an empty file is an empty label.

Class 0 becomes category 1, and so on. Pixels are rounded as far as the numbers of the file stay the same.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segments_async.errors import DecodeError, InputError
from segments_async.imports.formats import Format
from segments_async.imports.peek import readable
from segments_async.imports.reading import UnreadableError, box_of, note_problem
from segments_async.imports.shapes import Dot, ImportProblem, Polygon, SourceImage, SourceObject
from segments_async.imports.yolo_config import SUFFIXES, YoloConfig, config_file
from segments_async.imports.yolo_lines import pixels_of, split_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.imports.peek import Peek
    from segments_async.imports.yolo_lines import Line

MAX_LISTED = 1000
NO_IMAGE = "label files whose image is not there"


class Yolo:
    """Reads a folder in the format of Ultralytics."""

    def __init__(self, path: Path, images: Path | None) -> None:
        self._path = path
        self._extra = images
        self.problems: list[ImportProblem] = []
        self.left_out: Counter[str] = Counter()

    def open(self) -> None:
        """Read ``data.yaml``, and count the images."""
        with readable(self._path):
            self._config = YoloConfig.read(config_file(self._path))
            self.categories: list[dict[str, Any]] = [
                {"id": number + 1, "name": name} for number, name in self._config.names.items()
            ]
            self._count = sum(1 for _ in self._files())
            if not self._count:
                folders = ", ".join(map(str, self._config.folders)) or "none"
                raise InputError(f"has no images; looked in: {folders}", path="path")
            self._note_lost_labels()

    @property
    def task_type(self) -> str:
        """Shapes of all kinds."""
        return "vector"

    def __len__(self) -> int:
        """Return the number of images."""
        return self._count

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the images, folder by folder."""
        for path, name in self._files():
            image = SourceImage(name=name, file=path, labeled=False)
            with note_problem(image.problems, name):
                self._read(image, path, name)
            yield image

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _files(self) -> Iterator[tuple[Path, str]]:
        """Iterate over the images, each with its name."""
        seen: list[Path] = []
        for folder in [*self._config.folders, *([] if self._extra is None else [self._extra])]:
            resolved = folder.resolve()
            if any(resolved.is_relative_to(earlier) for earlier in seen):
                continue
            seen.append(resolved)
            root = self._config.root if resolved.is_relative_to(self._config.root.resolve()) else folder
            for path in _walk(folder):
                if path.suffix.lower() in SUFFIXES:
                    yield path, Path(os.path.relpath(path, root)).as_posix()
        for path in self._config.listed:
            yield path, Path(os.path.relpath(path, self._config.root)).as_posix()

    def _labels_of(self, path: Path, name: str) -> Path | None:
        beside = label_file(path)
        root, stem = self._config.root, Path(name).with_suffix(".txt")
        for candidate in (beside, root / "labels" / stem, root / stem):
            if candidate.is_file():
                return candidate
        return None

    def _read(self, image: SourceImage, path: Path, name: str) -> None:
        labels = self._labels_of(path, name)
        if labels is None:
            return
        from segments_async.images.pictures import image_size  # noqa: PLC0415 (an extra)

        image.labeled = True
        try:
            image.size = image_size(path)
        except DecodeError as error:
            raise UnreadableError(f"its size cannot be read: the image {error}") from error
        shown = Path(os.path.relpath(labels, self._config.root)).as_posix()
        text = labels.read_bytes().decode("utf-8-sig", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                where = f"{shown}:{number}"
                with note_problem(image.problems, where, image.name):
                    self._add(image, split_line(line, self._config.keypoints), where)

    def _add(self, image: SourceImage, line: Line, where: str) -> None:
        if line.number not in self._config.names:
            raise UnreadableError(f"there is no class {line.number}")
        assert image.size is not None
        category, attributes = line.number + 1, None if line.confidence is None else {"confidence": line.confidence}
        width, height = image.size
        if line.box is not None:
            (left, right), (top, bottom) = (
                pixels_of(line.box[axis], line.box[axis + 2], side, line.digits) for axis, side in enumerate(image.size)
            )
            shape: Any = box_of(left, top, right, bottom)
        else:
            shape = Polygon([[(x * width, y * height) for x, y in line.points]])
        image.objects.append(SourceObject(category=category, shape=shape, attributes=attributes, where=where))
        for index, (x, y, visibility) in enumerate(line.keypoints):
            if visibility:
                more = {"keypoint": index, "visibility": int(visibility)}
                dot = Dot((x * width, y * height))
                image.objects.append(SourceObject(category=category, shape=dot, attributes=more, where=where))

    def _note_lost_labels(self) -> None:
        """Report label files without an image."""
        for folder in self._config.folders:
            for path in _walk(label_folder(folder)):
                if path.suffix.lower() != ".txt" or path.name == "classes.txt" or path in self._config.lists:
                    continue
                if not self._has_image(path):
                    self.left_out[NO_IMAGE] += 1
                    if len(self.problems) < MAX_LISTED:
                        shown = Path(os.path.relpath(path, self._config.root)).as_posix()
                        self.problems.append(ImportProblem(shown, "its image is not there"))

    def _has_image(self, labels: Path) -> bool:
        beside = [labels, image_file(labels)]
        if self._extra is not None:
            below = [Path(os.path.relpath(labels, self._config.root / "labels")), Path(labels.name)]
            beside += [self._extra / part for part in below]
        suffixes = [*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)]
        return any(path.with_suffix(suffix).is_file() for path in beside for suffix in suffixes)


def _replace_last(path: Path, old: str, new: str) -> Path:
    parts = list(path.parts)
    if old in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index(old)] = new
    return Path(*parts)


def label_file(image: Path) -> Path:
    """Return where Ultralytics looks for the labels of an image."""
    return _replace_last(image, "images", "labels").with_suffix(".txt")


def image_file(labels: Path) -> Path:
    """Return where the image of a label file is, without its suffix."""
    return _replace_last(labels, "labels", "images")


def label_folder(images: Path) -> Path:
    """Return the folder of the labels of a folder of images."""
    return label_file(images / "x.jpg").parent


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _recognizes(seen: Peek) -> bool:
    if seen.is_folder:
        return any(name in seen.names for name in ("data.yaml", "data.yml", "dataset.yaml"))
    return seen.path.suffix.lower() in {".yaml", ".yml"} and "names:" in seen.start


FORMAT = Format(
    name="yolo",
    looks_like="a folder with 'data.yaml', or that file, with 'names' and the folders of the images",
    recognizes=_recognizes,
    reader=Yolo,
)
