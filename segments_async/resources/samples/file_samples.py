"""Samples that are created from files: read the items, and hash their files to detect changes."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b, file_digest
from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._caller_errors import caller_code
from segments_async._serialization.json import encode_json
from segments_async._transfer.local_files import FoundFile, file_status, open_file, path_of
from segments_async._wire.arguments import without_none
from segments_async.bulk.operation import digest_of
from segments_async.errors import InputError
from segments_async.models import Asset, FileSample
from segments_async.resources.samples.walk import UnreadableFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

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
        path = path_of(item, "")
        with caller_code("name"):
            name = name_of(path)
        return FileSample(name, path if isinstance(path, FoundFile) else str(path))
    if isinstance(item, Mapping):
        with caller_code():
            fields = dict(item)
        try:
            return FileSample(**fields)
        except TypeError as error:
            raise InputError(f"does not fit FileSample ({error})") from None
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004
        return FileSample(*item)
    raise InputError(f"expected a path, a (name, content) pair or a FileSample, got {type(item).__name__}")


@frozen
class Upload:
    """A sample and its files, each with its filename."""

    sample: FileSample
    files: list[tuple[Any, str | None]]


def upload_of(sample: FileSample) -> Upload:
    """Return a sample with its files; files without a name get the sample's."""
    with caller_code("files"):
        several = isinstance(sample.files, Sequence) and not isinstance(sample.files, (str, *_BYTES))
        files: list[Any] = list(sample.files) if several else [sample.files]  # type: ignore[arg-type]
        named = [(file, _filename(file, sample.name)) for file in files]
    if not files:
        raise InputError("a sample needs a file", path="files")
    return Upload(sample, named)


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
    try:
        path = path_of(file, "")
        if content:
            with open_file(path) as opened:
                identity = file_digest(opened, "blake2b").digest()
        else:
            status = file_status(path)
            identity = f"{status.st_size} {status.st_mtime_ns}".encode()
    except ValueError as error:  # it cannot be the path of a file
        raise OSError(errno.EINVAL, str(error)) from error
    return digest_of(path.name.encode("utf-8", "surrogateescape") + b"\0" + identity)


def _filename(file: Any, name: str) -> str | None:
    """Return the filename to upload a file under; None if the file has its own."""
    has_name = isinstance(file, (*_PATH, Asset)) or isinstance(getattr(file, "name", None), str)
    return None if has_name else name
