"""The header of PCD files. Source: pointclouds.org, "The PCD (Point Cloud Data) file format"."""

from __future__ import annotations

import math
from itertools import count
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import field, frozen

from segments_async._counting import counted
from segments_async.errors import DecodeError
from segments_async.pointclouds.files import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

Encoding = Literal["ascii", "binary", "binary_compressed"]
"""How the points are written: as text, row by row, or column by column and compressed with LZF."""
ENCODINGS: tuple[Encoding, ...] = ("ascii", "binary", "binary_compressed")
MAX_HEADER_BYTES = 64 * 1024
MAX_POINT_BYTES = 1024 * 1024
NO_VIEWPOINT = "0 0 0 1 0 0 0"
PADDING = "_"
"""The name of a field that only fills space; any number of fields have it."""

_KINDS = {"F": "f", "I": "i", "U": "u"}
_TYPES = {kind: letter for letter, kind in _KINDS.items()}
_SIZES = {"F": {4, 8}, "I": {1, 2, 4, 8}, "U": {1, 2, 4, 8}}


@frozen
class PcdHeader:
    """The header of a PCD file."""

    dtype: np.dtype[Any] = field(eq=False)
    """A point: its fields, little-endian. The names of padding begin with ``_``, followed by a number."""
    points: int
    """The number of points."""
    encoding: Encoding
    """How the points are written."""
    viewpoint: str = NO_VIEWPOINT
    """The pose of the sensor: translation and quaternion (w x y z)."""

    def text(self) -> bytes:
        """Write the header. The layout is that of Open3D."""
        names = self.dtype.names or ()
        columns = [self.dtype[name] for name in names]
        bases = [column.base for column in columns]
        counts = [math.prod(column.shape) for column in columns]
        lines = [
            "# .PCD v0.7 - Point Cloud Data file format",
            "VERSION 0.7",
            f"FIELDS {_join(names)}",
            f"SIZE {_join(base.itemsize for base in bases)}",
            f"TYPE {_join(_TYPES[base.kind] for base in bases)}",
            f"COUNT {_join(counts)}",
            f"WIDTH {self.points}",
            "HEIGHT 1",
            f"VIEWPOINT {self.viewpoint}",
            f"POINTS {self.points}",
            f"DATA {self.encoding}",
        ]
        return ("\n".join(lines) + "\n").encode()


def _join(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


def read_header(file: IO[bytes]) -> PcdHeader:
    """
    Read the header, and stop at the first byte of the points.

    Raises:
        DecodeError: It is not a PCD file, or its header is damaged.
    """
    entries = _read_entries(file)
    names = entries.get("FIELDS") or entries.get("COLUMNS")
    if not names:
        raise DecodeError("is not a PCD file: its header has no FIELDS")
    encoding = entries["DATA"][0] if entries["DATA"] else ""
    if encoding not in ENCODINGS:
        raise DecodeError(f"has DATA {encoding!r}; expected one of {', '.join(ENCODINGS)}")
    dtype = _point_type(names, _columns(entries, len(names)))
    return PcdHeader(dtype, _point_count(entries), encoding, _join(entries.get("VIEWPOINT", [NO_VIEWPOINT])))


def _read_entries(file: IO[bytes]) -> dict[str, list[str]]:
    entries: dict[str, list[str]] = {}
    start, left = b"", MAX_HEADER_BYTES
    while "DATA" not in entries:
        line = file.readline(left)
        start, left = start or line, left - len(line)
        if not line or left <= 0:
            raise DecodeError(f"is not a PCD file, as it has no DATA line; {excerpt(start)}")
        words = line.decode("ascii", "replace").split()
        if words and not words[0].startswith("#"):
            entries.setdefault(words[0].upper(), words[1:])
    return entries


def _columns(entries: dict[str, list[str]], expected: int) -> list[tuple[str, str, str]]:
    columns = entries.get("TYPE", []), entries.get("SIZE", []), entries.get("COUNT", ["1"] * expected)
    for name, values in zip(("TYPE", "SIZE", "COUNT"), columns, strict=True):
        if len(values) != expected:
            raise DecodeError(f"has {expected} FIELDS, but {counted(len(values), 'value')} in {name}")
    return list(zip(*columns, strict=True))


def _point_type(names: list[str], columns: list[tuple[str, str, str]]) -> np.dtype[Any]:
    padding = count()
    fields: list[Any] = []
    for name, (kind, size, repeats) in zip(names, columns, strict=True):
        if kind not in _KINDS or not size.isdigit() or int(size) not in _SIZES[kind]:
            raise DecodeError(f"has a field {name!r} of TYPE {kind!r} and SIZE {size!r}, which is no number type")
        if not repeats.isdigit() or not 0 < int(repeats) <= MAX_POINT_BYTES:
            raise DecodeError(f"has a field {name!r} of COUNT {repeats!r}")
        unique = f"{PADDING}{next(padding)}" if name == PADDING else name
        shape = () if int(repeats) == 1 else (int(repeats),)
        fields.append((unique, f"<{_KINDS[kind]}{size}", shape))
    if len({name for name, *_ in fields}) < len(fields):
        raise DecodeError(f"has two fields of one name: {_join(names)}")
    dtype = np.dtype(fields)
    if dtype.itemsize > MAX_POINT_BYTES:
        raise DecodeError(f"has points of {counted(dtype.itemsize, 'byte')}; expected {MAX_POINT_BYTES:,} at most")
    return dtype


def _point_count(entries: dict[str, list[str]]) -> int:
    size = [_whole(entries, name) for name in ("WIDTH", "HEIGHT") if name in entries]
    if "POINTS" not in entries:
        if len(size) != 2:  # noqa: PLR2004 (width and height)
            raise DecodeError("has no POINTS in its header")
        return size[0] * size[1]
    points = _whole(entries, "POINTS")
    if len(size) == 2 and size[0] * size[1] != points:  # noqa: PLR2004
        raise DecodeError(f"has POINTS {points}, but WIDTH {size[0]} and HEIGHT {size[1]}")
    return points


def _whole(entries: dict[str, list[str]], name: str) -> int:
    values = entries[name]
    if len(values) != 1 or not (values[0].isascii() and values[0].isdigit()) or len(values[0]) > 18:  # noqa: PLR2004
        raise DecodeError(f"has {name} {_join(values)!r}; expected a whole number")
    return int(values[0])


def is_padding(name: str) -> bool:
    """Whether a field of `PcdHeader.dtype` only fills space."""
    return name.startswith(PADDING) and name[1:].isdigit()
