"""Samples that are created from files: read the items, and hash their files to detect changes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segments_async._serialization.json import encode_json
from segments_async._wire.arguments import without_none
from segments_async.bulk.operation import digest_of
from segments_async.errors import InputError
from segments_async.models import Asset, FileSample
from segments_async.resources.samples.walk import UnreadableFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PATH = str, os.PathLike
_BYTES = bytes, bytearray, memoryview


def as_file_sample(item: Any, name_of: Callable[[Path], str]) -> FileSample:
    """
    Convert a path, a ``(name, content)`` pair or a mapping with the keys of `FileSample` to a `FileSample`.

    Args:
        item: The item; a `FileSample` is returned unchanged.
        name_of: Returns the sample's name for a plain path.

    Raises:
        InputError: The item is none of these.
    """
    if isinstance(item, FileSample):
        return item
    if isinstance(item, UnreadableFolder):
        raise InputError(f"the folder cannot be read ({item.problem}): {item.path}")
    if isinstance(item, _PATH):
        return FileSample(name_of(Path(item)), os.fspath(item))
    if isinstance(item, Mapping):
        try:
            return FileSample(**item)
        except TypeError as error:
            raise InputError(f"does not fit FileSample ({error})") from None
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004
        return FileSample(*item)
    raise InputError(f"expected a path, a (name, content) pair or a FileSample, got {type(item).__name__}")


def files_of(sample: FileSample) -> list[tuple[Any, str | None]]:
    """Return the files of a sample, each with its filename; files without a name get the sample's."""
    several = isinstance(sample.files, Sequence) and not isinstance(sample.files, (str, *_BYTES))
    files: Sequence[Any] = sample.files if several else [sample.files]  # type: ignore[assignment]
    if not files:
        raise InputError("a sample needs a file", path="files")
    return [(file, _filename(file, sample.name)) for file in files]


def settings_of(sample: FileSample) -> dict[str, Any]:
    """Return the settings of a sample: all fields except its files and attributes."""
    names = ("name", "metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme")
    return without_none({name: getattr(sample, name) for name in names})


def digest_of_sample(settings: Mapping[str, Any], digests: Iterable[bytes | None]) -> bytes | None:
    """Combine the settings and the digests of the files into one digest; None if a file has none."""
    combined = blake2b(encode_json(settings), digest_size=16)
    for digest in digests:
        if digest is None:
            return None
        combined.update(digest)
    return combined.digest()


def digest_of_file(file: Any, *, content: bool) -> bytes | None:
    """
    Hash a file's name, size and modification time, or its name and *content*. Blocks.

    Returns:
        None for an open file, which cannot be identified without reading it.

    Raises:
        OSError: There is no such file.
    """
    if isinstance(file, Asset):
        return digest_of(file.url.encode())
    if isinstance(file, _BYTES):
        return digest_of(file)
    if not isinstance(file, _PATH):
        return None
    path = Path(file)
    if content:
        with path.open("rb") as opened:
            identity = file_digest(opened, "blake2b").digest()
    else:
        stat = path.stat()
        identity = f"{stat.st_size} {stat.st_mtime_ns}".encode()
    return digest_of(path.name.encode("utf-8", "surrogateescape") + b"\0" + identity)


def _filename(file: Any, name: str) -> str | None:
    """Return the filename to upload a file under; None if the file has its own."""
    has_name = isinstance(file, (*_PATH, Asset)) or isinstance(getattr(file, "name", None), str)
    return None if has_name else name
