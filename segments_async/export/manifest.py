"""
The manifest of an export: a hidden file beside the images that lists what the export wrote.

It has one JSON object per line: a header, then a record for each file. A record is written before its file, so that a
killed export leaves no file that is not listed. At the end the manifest is replaced by one without what is gone.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from attrs import asdict, frozen

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = 1
_PATTERN = ".segments-export-*.jsonl"


@frozen(kw_only=True)
class Header:
    """The export that a manifest belongs to."""

    format: str
    labelset: str
    owner: str
    dataset: str
    release: str
    summary: str | None = None
    """The file that is written last: the JSON file of COCO and polygons, or YOLO's ``data.yaml``."""
    created_at: str | None = None
    """When the release was made, as its file says; another one of the same name was made at another time."""

    @property
    def file_name(self) -> str:
        """The name of the manifest: one for each format and labelset."""
        return f".segments-export-{self.format}-{self.digest}.jsonl"

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that temporary files of this export begin with."""
        return hashlib.sha256(f"{self.format}\0{self.labelset}".encode("utf-8", "surrogatepass")).hexdigest()[:8]

    @property
    def is_of(self) -> tuple[str, str, str]:
        """The release."""
        return self.owner, self.dataset, self.release

    def is_outdated_by(self, newer: Header) -> bool:
        """Whether it is of a release that was deleted and made again under its name, of which *newer* is."""
        times = (self.created_at, newer.created_at)
        return self.is_of == newer.is_of and None not in times and times[0] != times[1]


@frozen
class Record:
    """A file of an export."""

    path: str
    """Relative to the folder of the release."""
    digest: str | None = None
    """Of the address of an image; None for other files."""
    size: int | None = None
    """Bytes of an image."""


@frozen
class Manifest:
    """A manifest of an earlier export."""

    file: Path
    header: Header
    records: dict[str, Record]
    """By path."""

    @classmethod
    def read(cls, file: Path) -> Self:
        """
        Read a manifest.

        Raises:
            InputError: It is damaged, or something else.
        """
        try:
            header, records = _parse(file.read_bytes())
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            problem = f"{file} is not the list of an earlier export; pass overwrite=True, or choose another folder"
            raise InputError(problem, path="folder") from error
        return cls(file, header, records)


def manifests_in(folder: Path, *, skip_damaged: bool) -> Iterator[Manifest]:
    """Iterate over the manifests in a folder."""
    for file in manifest_files(folder):
        try:
            yield Manifest.read(file)
        except InputError:
            if not skip_damaged:
                raise


def manifest_files(folder: Path) -> list[Path]:
    """Return the paths of the manifests in a folder."""
    return sorted(folder.glob(_PATTERN))


def header_line(header: Header) -> bytes:
    """Return the first line of a manifest."""
    return _line({"segments_async": "export", "version": _VERSION, **asdict(header)})


def record_line(record: Record) -> bytes:
    """Return the line of a file."""
    return _line({name: value for name, value in asdict(record).items() if value is not None})


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"


def _parse(content: bytes) -> tuple[Header, dict[str, Record]]:
    first, *lines = content.split(b"\n")
    head = json.loads(first)
    if head.pop("segments_async") != "export" or head.pop("version") != _VERSION:
        raise ValueError("another file")
    header = Header(**head)
    texts = [header.format, header.labelset, *header.is_of, header.summary or "", header.created_at or ""]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("expected text")
    records = {}
    for line in lines[:-1]:  # the last one is empty, or was cut by a kill before its file was written
        record = Record(**json.loads(line))
        if _is_inside(record.path):
            records[record.path] = record
    return header, records


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and "\0" not in path and bool(parts.parts)


def delete(folder: Path, path: str) -> None:
    """Delete a file, and the folders that are empty without it."""
    target = folder / path
    with suppress(OSError):
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == folder:
                break
            parent.rmdir()
