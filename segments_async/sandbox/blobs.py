"""Stored objects: bytes, or a release file that is generated piece by piece each time it is read."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from attrs import define, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE_BYTES = 256 * 1024
SAMPLES_PER_PIECE = 256

_match_range = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII).fullmatch


@define(slots=False, eq=False)
class StoredObject:
    """Bytes stored under a key."""

    data: bytes
    content_type: str
    public: bool
    """Whether it can be read without a signature."""

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.data)

    @cached_property
    def etag(self) -> str:
        """The entity tag, computed as S3 does for a single-part upload."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from *start* up to, but not including, *stop*."""
        for begin in range(start, stop, PIECE_BYTES):
            yield self.data[begin : min(begin + PIECE_BYTES, stop)]


class GeneratedRelease:
    """
    A release file of any size that is never completely in memory.

    Arguments:
        header: The release file without the samples, which are added to its ``dataset``.
        count: Number of samples.
        make: Returns the sample with a number; must return the same sample for each call.
    """

    content_type = "application/json"
    public = False
    data = b""
    """Always empty: the content is generated."""

    def __init__(self, header: dict[str, Any], count: int, make: Callable[[int], Any]) -> None:
        self._head = orjson.dumps(header)[:-2] + b',"samples":['
        self._count = count
        self._make = make
        self._starts: list[int] = []
        """Offset of each piece of samples."""
        digest = hashlib.md5(self._head, usedforsecurity=False)
        at = len(self._head)
        for number in range(0, count, SAMPLES_PER_PIECE):
            self._starts.append(at)
            piece = self._piece(number)
            digest.update(piece)
            at += len(piece)
        self.size: int = at + len(_TAIL)
        self.etag: str = f'"{digest.hexdigest()}"'

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from *start* up to, but not including, *stop*."""
        for at, piece in self._all(start):
            if at >= stop:
                return
            if part := piece[max(0, start - at) : stop - at]:
                yield part

    def _all(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Yield the pieces with their offsets, except pieces of samples that end before *start*."""
        yield 0, self._head
        for index, at in enumerate(self._starts):
            end = self._starts[index + 1] if index + 1 < len(self._starts) else self.size - len(_TAIL)
            if end > start:
                yield at, self._piece(index * SAMPLES_PER_PIECE)
        yield self.size - len(_TAIL), _TAIL

    def _piece(self, first: int) -> bytes:
        numbers = range(first, min(first + SAMPLES_PER_PIECE, self._count))
        return (b"," if first else b"") + b",".join(orjson.dumps(self._make(number)) for number in numbers)


_TAIL = b"]}}"

Blob: TypeAlias = StoredObject | GeneratedRelease


@frozen
class Part:
    """The byte range of a blob that a request selects."""

    start: int
    stop: int
    whole: bool


def requested_part(blob: Blob, byte_range: str | None, if_range: str | None) -> Part | None:
    """
    Return the part that the headers ``Range`` and ``If-Range`` select; None if the range is not satisfiable.

    As in S3, an invalid range is ignored, and so is a range whose ``If-Range`` does not match the entity tag.
    """
    match = _match_range(byte_range.strip()) if byte_range else None
    whole = Part(0, blob.size, whole=True)
    if match is None or (if_range is not None and if_range != blob.etag):
        return whole
    first, last = match.groups()
    if not first and not last:
        return whole
    if not first:
        start, stop = max(0, blob.size - int(last)), blob.size
    else:
        start, stop = int(first), min(int(last) + 1, blob.size) if last else blob.size
    return Part(start, stop, whole=False) if start < stop else None
