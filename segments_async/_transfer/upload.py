"""Upload files to storage (S3) by presigned POST, without the API key."""

from __future__ import annotations

import inspect
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from attrs import frozen

from segments_async._caller_errors import caller_code
from segments_async._http.bodies import error_of
from segments_async._http.session import USER_AGENT
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async._transfer.local_files import file_status, open_file, path_of
from segments_async._transfer.pace import Pace
from segments_async._transfer.storage import answer_seconds, storage_request
from segments_async._wire.endpoint import plain_text
from segments_async._wire.replies import storage_error_for
from segments_async.errors import InputError, OutOfResourcesError, TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.models import FileSource

MAX_ASSET_BYTES = 100_000_000
"""The service's limit; see ``docs/service.md``, "Assets and storage"."""
CHUNK_BYTES = 256 * 1024
"""Bytes read by one call in a worker thread."""
PIECE_BYTES = 128 * 1024
"""Bytes written to a connection at once; `timeout` and the minimum rate apply to each such piece."""


@frozen
class UploadSource:
    """A checked file that can be sent, and sent again for a retry."""

    filename: str
    size: int
    source: Path | bytes


async def inspect_source(file: FileSource, filename: str | None, path: str = "file") -> UploadSource:
    """
    Check a file before its upload.

    Args:
        file: A path, the bytes, or a file opened for reading bytes, which is read from its current position.
        filename: Its name on the service; by default the name of the path or of the open file.
        path: The name of the argument in errors.

    Raises:
        InputError: The file does not exist, is empty, is larger than 100 MB, does not contain bytes, has no name, or
            raises an exception (the ``__cause__``).
        OutOfResourcesError: This machine has too many open files, or no memory left.
    """
    if isinstance(file, str | os.PathLike):
        source, size = await run_sync(_inspect_path, file, path)
        upload = UploadSource(_choose_name(filename, source.name, path), size, source)
    elif isinstance(file, bytes | bytearray | memoryview):
        with caller_code(path):
            content = bytes(file)
        upload = UploadSource(_choose_name(filename, None, path), len(content), content)
    elif (opened := _as_open_file(file, path)) is not None:
        content = await run_sync(_read_all, opened.read, path)
        upload = UploadSource(_choose_name(filename, opened.name, path), len(content), content)
    else:
        raise InputError(f"expected a path, bytes or an open file, got {type(file).__name__}", path=path)
    label = upload.source if isinstance(upload.source, Path) else upload.filename
    if upload.size == 0:
        raise InputError(f"is empty: {label}", path=path)
    if upload.size > MAX_ASSET_BYTES:
        raise InputError(f"is larger than the 100 MB that an asset may have: {label}", path=path)
    return upload


def _inspect_path(file: str | os.PathLike[str], path: str) -> tuple[Path, int]:
    """Return the path and the size of a file on disk."""
    source = path_of(file, path)
    try:
        if stat.S_ISREG(file_status(source).st_mode):
            with open_file(source) as opened:
                return source, os.fstat(opened.fileno()).st_size
    except Exception as error:  # a null character in the path raises ValueError
        raise file_error(error, "cannot be read", source, path) from error
    raise InputError(f"is not a file: {source}", path=path)


@frozen
class _OpenFile:
    """How to read a file object, and its name."""

    read: Callable[[int], object]
    name: str | None


def _as_open_file(file: Any, path: str) -> _OpenFile | None:
    """Look at a file object of the caller, whose attributes may raise anything; None if it is not one."""
    with caller_code(path):
        read = getattr(file, "read", None)
        if read is None:
            return None
        name = getattr(file, "name", None)
        if inspect.iscoroutinefunction(read) and hasattr(file, "file"):  # Starlette's UploadFile
            read, name = file.file.read, getattr(file, "filename", None)
        return _OpenFile(read, Path(name).name if isinstance(name, str) else None)


def _read_all(read: Callable[[int], object], path: str) -> bytes:
    """Read an open file, up to one byte more than the limit."""
    try:
        content = read(MAX_ASSET_BYTES + 1)
    except Exception as error:  # any class: the file may be a member of an archive, or an object of the caller
        raise file_error(error, "cannot be read", "", path) from error
    if isinstance(content, bytes):
        return content
    if inspect.iscoroutine(content):
        content.close()
    raise InputError("expected a file whose read() returns bytes; open it with mode 'rb'", path=path)


def _choose_name(filename: str | None, default: str | None, path: str) -> str:
    if filename is not None and not isinstance(filename, str):
        raise InputError(f"expected a string, got {type(filename).__name__}", path="filename")
    name = plain_text(filename, "filename") or default
    if not isinstance(name, str) or not name:
        raise InputError("needs a filename; its extension determines the content type", path=path)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the filename is not valid Unicode, so pass another one: {name!r}", path=path) from error
    if "\0" in name:
        raise InputError(f"the filename contains a null character: {name!r}", path=path)
    return name


class MultipartStream(httpx.AsyncByteStream):
    """
    A multipart body with a file as its last part, as S3 requires.

    It can be read once, in pieces of at most `PIECE_BYTES`, so that only one chunk of a file on disk is in memory.
    """

    def __init__(self, head: bytes, upload: UploadSource, tail: bytes) -> None:
        self.problem: InputError | OutOfResourcesError | None = None
        """Why the file could not be read."""
        self._in_memory = isinstance(upload.source, bytes)
        self._chunks = _chunks(head, upload, tail)
        self._pieces: Iterator[bytes] = iter(())
        """The pieces of the current chunk."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece:
            self._pieces = _split(await self._next_chunk())
            piece = next(self._pieces, b"")
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _next_chunk(self) -> bytes:
        if self._in_memory:
            return next(self._chunks, b"")
        try:
            return await run_sync(next, self._chunks, b"")
        except (InputError, OutOfResourcesError) as error:
            self.problem = error
            raise

    def close(self) -> None:
        """Close the file. If a thread still reads it after a cancellation, it is closed when the thread ends."""
        with suppress(ValueError):
            self._chunks.close()


def _split(chunk: bytes) -> Iterator[bytes]:
    if len(chunk) <= PIECE_BYTES:
        return iter((chunk,))
    return (chunk[start : start + PIECE_BYTES] for start in range(0, len(chunk), PIECE_BYTES))


def _chunks(head: bytes, upload: UploadSource, tail: bytes) -> Generator[bytes]:
    """Split the form into non-empty chunks. Blocks while it reads a file."""
    source = upload.source
    if isinstance(source, bytes):
        yield from [head + source + tail] if len(source) <= CHUNK_BYTES else [head, source, tail]
        return
    try:
        with open_file(source) as file:
            remaining = upload.size
            while remaining:
                chunk = file.read(min(remaining, CHUNK_BYTES))
                remaining -= len(chunk)
                if not chunk or (not remaining and file.read(1)):
                    raise InputError(f"was changed during the upload: {source}", path="file")
                yield head + chunk + (b"" if remaining else tail)
                head = b""
    except (OSError, MemoryError) as error:
        raise file_error(error, "cannot be read", source, "file") from error


class _PacedStream(httpx.AsyncByteStream):
    """A body whose pieces are counted by a `Pace`."""

    def __init__(self, form: MultipartStream, pace: Pace, request: httpx.Request) -> None:
        self._form = form
        self._pace = pace
        self._request = request
        self._is_started = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._is_started:
            self._is_started = True
            self._pace.start_body()
        self._pace.pause()
        try:
            piece = await anext(self._form, b"")
        finally:
            self._pace.resume()
        if not piece:
            self._pace.expect_answer(self._request)
            raise StopAsyncIteration
        self._pace.moved(len(piece))
        return piece


def presigned_request(
    url: str, fields: Mapping[str, str], upload: UploadSource, timeout: httpx.Timeout
) -> tuple[httpx.Request, MultipartStream]:
    """Build a presigned POST, without the API key, and return it with its body: all fields, then the file."""
    boundary = secrets.token_hex(16)
    form_type = f"multipart/form-data; boundary={boundary}"
    content_type = fields.get("Content-Type", "application/octet-stream")
    # httpx encodes the form with an empty file; the content is inserted before the closing boundary.
    empty = storage_request(
        "POST",
        url,
        headers={"Content-Type": form_type},
        data=dict(fields),
        files={"file": (upload.filename, b"", content_type)},
    )
    tail = f"\r\n--{boundary}--\r\n".encode()
    head = empty.read().removesuffix(tail)
    headers = {
        "Host": empty.headers["Host"],
        "Content-Type": form_type,
        "Content-Length": str(len(head) + upload.size + len(tail)),
        "User-Agent": USER_AGENT,
    }
    form = MultipartStream(head, upload, tail)
    request = storage_request("POST", url, headers=headers, stream=form, extensions={"timeout": timeout.as_dict()})
    return request, form


async def put_file(
    session: Session, url: str, fields: Mapping[str, str], upload: UploadSource, stats: CallStats
) -> None:
    """
    Send *upload* by presigned POST. Any 2xx status is a success, and retries are safe.

    Raises:
        RequestTimeoutError: The host takes less than `MIN_RATE`, or does not answer in time after the body.
    """

    async def attempt(_seconds: float) -> None:
        request, form = presigned_request(url, fields, upload, session.timeout)
        pace = Pace(session.clock.monotonic, answer_seconds(session), slack=PIECE_BYTES)
        request.stream = _PacedStream(form, pace, request)
        pace.expect_answer(request)
        try:
            reply = await pace.run(session.pool.exchange, session.pool.storage, request, method="POST", url=url)
        except TransportError:
            if form.problem is not None:  # aiohttp reports a failure to read the file as a lost connection
                raise form.problem from form.problem.__cause__
            raise
        finally:
            form.close()
        stats.bytes_sent += int(request.headers["Content-Length"])
        if not 200 <= reply.status < 300:  # noqa: PLR2004
            raise await error_of(storage_error_for, reply, now=session.clock.time())

    state = session.retry_state(stats, may_repeat=True)
    await session.repeat(attempt, state, stats, session.pool.storage_gate_for(url))
