"""Checksums of cached release files, which detect a file that was truncated or damaged before it is read."""

from __future__ import annotations

from contextlib import suppress
from hashlib import file_digest
from typing import TYPE_CHECKING

from segments_async._releases.text import ReleaseText
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from pathlib import Path


def is_intact(path: Path) -> bool:
    """Return whether a file is as it was when its checksum was recorded; without a checksum, whether it is whole."""
    try:
        recorded = _checksum_path(path).read_text("ascii", "replace")
    except OSError:
        if not _is_whole(path):
            return False
        record_checksum(path)
        return True
    try:
        return recorded == _checksum(path)
    except OSError:
        return False


def record_checksum(path: Path) -> None:
    """Record the checksum of a file beside it, in a hidden file."""
    with suppress(OSError):  # without it, the file is parsed as a whole when it is next used
        _checksum_path(path).write_text(_checksum(path), "ascii")


def _checksum_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            for _ in ReleaseText(file, path.name):
                pass
    except (OSError, DecodeError):
        return False
    return True
