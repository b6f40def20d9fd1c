"""Samples made of files: what an item says, and whether its files are still the same."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PATH = str, os.PathLike
_BYTES = bytes, bytearray, memoryview


def as_file_sample(item: Any, name_of: Callable[[Path], str]) -> FileSample:
    """
    Read a path, a ``(name, content)`` pair, a `FileSample`, or a mapping with its keys.

    Args:
        item: What the caller gave.
        name_of: Names the sample of a plain path.

    Raises:
        InputError: It is something else.
    """
    if isinstance(item, FileSample):
        return item
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
    """The files of a sample, each with its filename; bytes are called as the sample is."""
    several = isinstance(sample.files, Sequence) and not isinstance(sample.files, (str, *_BYTES))
    files: Sequence[Any] = sample.files if several else [sample.files]  # type: ignore[assignment]
    if not files:
        raise InputError("a sample needs a file", path="files")
    return [(file, _filename(file, sample.name)) for file in files]


def settings_of(sample: FileSample) -> dict[str, Any]:
    """All but the files and what is made of them."""
    names = ("name", "metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme")
    return without_none({name: getattr(sample, name) for name in names})


def digest_of_sample(settings: Mapping[str, Any], digests: Iterable[bytes | None]) -> bytes | None:
    """Tell whether a sample is still the same; None if that cannot be told of one of its files."""
    digest = blake2b(encode_json(settings), digest_size=16)
    for of_file in digests:
        if of_file is None:
            return None
        digest.update(of_file)
    return digest.digest()


def digest_of_file(file: Any, *, content: bool) -> bytes | None:
    """
    Tell whether a file is still the same: by its name, size and time, or by its *content*. Blocks.

    Returns:
        None for an open file, of which nothing can be told but by reading it.

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
            told = file_digest(opened, "blake2b").digest()
    else:
        stat = path.stat()
        told = f"{stat.st_size} {stat.st_mtime_ns}".encode()
    return digest_of(path.name.encode("utf-8", "surrogateescape") + b"\0" + told)


def _filename(file: Any, name: str) -> str | None:
    """What a file is called on the service; None leaves it to the file."""
    knows_its_name = isinstance(file, (*_PATH, Asset)) or isinstance(getattr(file, "name", None), str)
    return None if knows_its_name else name
