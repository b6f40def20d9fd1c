"""Read the header of a release file, and its samples in batches. Nothing here is async."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from segments_async._releases.text import ReleaseText
from segments_async._serialization.converter import structure
from segments_async._transfer.file_errors import file_error
from segments_async.errors import DecodeError, InputError, SegmentsError
from segments_async.models import ReleaseHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_USUAL_END = b"]}}"
"""The end of a file whose samples come last, as in the files of the service."""
_HEADER_KEYS = frozenset({"name", "dataset"})
_DATASET_KEYS = frozenset({"name", "task_type", "task_attributes", "labelsets"})


class BatchReader:
    """Reads a file in batches, in worker threads. The lock is needed as a cancelled call's thread may still run."""

    def __init__(self, path: Path, max_sample_bytes: int) -> None:
        self._path = path
        self._max_sample_bytes = max_sample_bytes
        self._file: IO[bytes] | None = None
        self._closed = False
        self._lock = Lock()

    def read(self, characters: int, add: Callable[[int, Any], bool]) -> bool:
        """
        Pass samples with their index to *add*, until it returns False or this many characters are read.

        Returns:
            Whether there may be more samples.
        """
        with self._lock:
            if self._closed:
                return False
            if self._file is None:
                self._file = _open_file(self._path)
                self._text = ReleaseText(self._file, self._path.name, max_bytes=self._max_sample_bytes, skip=True)
                self._samples = enumerate(self._text)
            until = self._text.position + characters
            with _readable(self._path):
                return any(not add(index, raw) or self._text.position >= until for index, raw in self._samples)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()


def _open_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except Exception as error:
        raise file_error(error, "cannot be read", path, "path") from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Convert whatever the content of a file provokes into a `SegmentsError`."""
    try:
        yield
    except SegmentsError:
        raise
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error}): {path}", path="path") from error
    except Exception as error:
        raise DecodeError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error


def add_readable(add: Callable[[int, Any], bool], index: int, sample: Any) -> bool:
    if isinstance(sample, DecodeError):
        raise sample
    return add(index, sample)


def read_header(path: Path, max_sample_bytes: int) -> ReleaseHeader:
    """Read the header; the samples are parsed only if a part of the header may come after them."""
    with _open_file(path) as file, _readable(path):
        text = ReleaseText(file, path.name, max_bytes=max_sample_bytes, skip=True)
        for _ in text:
            if _is_complete(text.header) and _ends_with_samples(path):
                break
    try:
        with _readable(path):
            return structure(text.header, ReleaseHeader)
    except DecodeError as error:
        message = f"{path.name} is not a release: {error.problem}"
        raise DecodeError(message, path=error.path, payload=text.header) from error.__cause__


def _is_complete(header: Mapping[str, Any]) -> bool:
    dataset = header.get("dataset")
    return header.keys() >= _HEADER_KEYS and isinstance(dataset, dict) and dataset.keys() >= _DATASET_KEYS


def _ends_with_samples(path: Path) -> bool:
    with _open_file(path) as file:
        file.seek(max(0, path.stat().st_size - 1024))
        return b"".join(file.read().split()).endswith(_USUAL_END)
