"""Read ``data.yaml`` of YOLO (PyYAML, extra ``import``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._caller_errors import describe
from segments_async._validators import is_count
from segments_async.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = frozenset(
    {".avif", ".bmp", ".dng", ".heic", ".jp2", ".jpeg", ".jpg", ".mpo", ".pfm", ".png", ".tif", ".tiff", ".webp"}
)
"""Images, as Ultralytics knows them."""
_SPLITS = ("train", "val", "test")
_NAMES = ("data.yaml", "data.yml", "dataset.yaml")


@frozen(kw_only=True)
class YoloConfig:
    """What ``data.yaml`` says."""

    root: Path
    """The folder that other paths are relative to."""
    folders: list[Path]
    """Folders of images that exist."""
    lists: list[Path]
    """Text files that list images."""
    listed: list[Path]
    """The images in these lists."""
    names: dict[int, str]
    """The classes."""
    keypoints: tuple[int, int] | None
    """How many keypoints an object has, and how many numbers each."""

    @classmethod
    def read(cls, path: Path) -> YoloConfig:
        """
        Read the file.

        Raises:
            InputError: It is not YAML, or it has no names.
        """
        content = _load(path)
        names = _names_of(content.get("names"))
        given = content.get("path")
        root = path.parent / str(given) if isinstance(given, str) and (path.parent / given).is_dir() else path.parent
        splits = [entry for split in _SPLITS for entry in _listed(content.get(split))]
        places = [root / entry for entry in splits] or [root]
        # Exports of other tools often have paths that were right where they were written.
        found = [place for place in places if place.exists()] or [root]
        lists = [place for place in found if place.suffix == ".txt" and place.is_file()]
        return cls(
            root=root,
            folders=[place for place in found if place.is_dir()],
            lists=lists,
            listed=list(dict.fromkeys(image for place in lists for image in _images_in(place))),
            names=names,
            keypoints=_keypoints_of(content.get("kpt_shape")),
        )


def config_file(path: Path) -> Path:
    """Return the file of a dataset, given as that file or as its folder."""
    found = next((path / name for name in _NAMES if (path / name).is_file()), None) if path.is_dir() else path
    if found is None:
        raise InputError(f"has no data.yaml: {path}", path="path")
    return found


def _load(path: Path) -> dict[str, Any]:
    try:
        import yaml  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise ImportError(
            f'YOLO needs the import extra: pip install "segments-async[import]" ({error})', name="yaml"
        ) from error
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"is not YAML ({describe(error)}): {path}", path="path") from error
    if not isinstance(content, dict):
        raise InputError(f"expected keys such as 'names': {path}", path="path")
    return content


def _names_of(given: Any) -> dict[int, str]:
    if isinstance(given, list):
        given = dict(enumerate(given))
    if not isinstance(given, dict) or not all(is_count(number) and number >= 0 for number in given):
        raise InputError("expected the names of the classes, as a list or by number", path="names")
    return {number: str(name) for number, name in given.items()}


def _keypoints_of(given: Any) -> tuple[int, int] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 2 or not all(map(is_count, given)) or given[1] not in {2, 3}:  # noqa: PLR2004
        raise InputError(
            f"expected the number of keypoints, and 2 or 3 numbers for each, got {given!r}", path="kpt_shape"
        )
    return given[0], given[1]


def _listed(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else [entry for entry in given or () if isinstance(entry, str)]


def _images_in(place: Path) -> list[Path]:
    lines = place.read_bytes().decode("utf-8-sig", "replace").splitlines()
    return [place.parent / line.strip() for line in lines if line.strip()]
