"""Read the headers that say which part of a file a response contains (RFC 9110, 14.4)."""

from __future__ import annotations

import re

from attrs import frozen

_range = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE).fullmatch
_length = re.compile(r"[0-9]{1,18}").fullmatch


@frozen
class ContentRange:
    """The part of a file that a response contains."""

    start: int
    """The index of its first byte."""
    end: int
    """The index after its last byte."""
    total: int | None
    """The size of the file in bytes; None if the server does not know it."""

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole file."""
        return self.start == 0 and self.end == self.total


def parse_content_range(text: str) -> ContentRange | None:
    """
    Parse a ``Content-Range``; None if it is malformed, in another unit, reversed or beyond the total.

    Example:
        >>> parse_content_range("bytes 100-199/3000")
        ContentRange(start=100, end=200, total=3000)
        >>> parse_content_range("bytes 199-100/3000")
    """
    match = _range(text)
    if match is None:
        return None
    start, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if last < start or (total is not None and last >= total):
        return None
    return ContentRange(start, last + 1, total)


def parse_length(text: str) -> int | None:
    """Parse a ``Content-Length``; None if it is malformed or missing."""
    return int(text) if _length(text) else None
