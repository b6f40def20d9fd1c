"""Upload files to storage (S3) by presigned POST, without the API key."""

from __future__ import annotations

import inspect
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import httpx
from anyio.to_thread import run_sync
from attrs import frozen

from segments_async._caller_errors import caller_code
from segments_async._http.session import USER_AGENT
from segments_async._transfer.local_files import file_error
from segments_async._wire.replies import Reply, redact_url, storage_error_for
from segments_async.errors import DecodeError, InputError, OutOfResourcesError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Mapping

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.models import FileSource

MAX_ASSET_BYTES = 100_000_000
"""The service's limit; see ``docs/service.md``, "Assets and storage"."""
CHUNK_BYTES = 256 * 1024
"""Bytes read by one call in a worker thread."""


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
        with caller_code(path):
            source = Path(file)
        size = await run_sync(_size_on_disk, source, path)
        upload = UploadSource(_choose_name(filename, source.name, path), size, source)
    elif isinstance(file, bytes | bytearray | memoryview):
        with caller_code(path):
            content = bytes(file)
        upload = UploadSource(_choose_name(filename, None, path), len(content), content)
    else:
        with caller_code(path):
            is_open_file = hasattr(file, "read")
        if not is_open_file:
            raise InputError(f"expected a path, bytes or an open file, got {type(file).__name__}", path=path)
        with caller_code(path):
            name = getattr(file, "name", None)
            if inspect.iscoroutinefunction(file.read) and hasattr(file, "file"):  # Starlette's UploadFile
                file, name = file.file, getattr(file, "filename", None)
            default = Path(name).name if isinstance(name, str) else None
        content = await run_sync(_read_all, cast("IO[bytes]", file), path)
        upload = UploadSource(_choose_name(filename, default, path), len(content), content)
    label = upload.source if isinstance(upload.source, Path) else upload.filename
    if upload.size == 0:
        raise InputError(f"is empty: {label}", path=path)
    if upload.size > MAX_ASSET_BYTES:
        raise InputError(f"is larger than the 100 MB that an asset may have: {label}", path=path)
    return upload


def _size_on_disk(source: Path, path: str) -> int:
    try:
        if stat.S_ISREG(source.stat().st_mode):  # opening a pipe would block until it has a writer
            with source.open("rb") as file:
                return os.fstat(file.fileno()).st_size
    except Exception as error:  # a null character in the path raises ValueError
        raise file_error(error, "cannot be read", source, path) from error
    raise InputError(f"is not a file: {source}", path=path)


def _read_all(file: IO[bytes], path: str) -> bytes:
    """Read an open file, up to one byte more than the limit."""
    try:
        content: object = file.read(MAX_ASSET_BYTES + 1)
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
    name = filename or default
    if not name:
        raise InputError("needs a filename; its extension determines the content type", path=path)
    return name


class MultipartStream(httpx.AsyncByteStream):
    """
    A multipart body with a file as its last part, as S3 requires.

    It can be read once, in chunks, so that only one chunk of a file on disk is in memory.
    """

    def __init__(self, head: bytes, upload: UploadSource, tail: bytes) -> None:
        self.problem: InputError | OutOfResourcesError | None = None
        """Why the file could not be read."""
        self._in_memory = isinstance(upload.source, bytes)
        self._chunks = _chunks(head, upload, tail)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = next(self._chunks, b"") if self._in_memory else await run_sync(next, self._chunks, b"")
        except (InputError, OutOfResourcesError) as error:
            self.problem = error
            raise
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def close(self) -> None:
        """Close the file. If a thread still reads it after a cancellation, it is closed when the thread ends."""
        with suppress(ValueError):
            self._chunks.close()


def _chunks(head: bytes, upload: UploadSource, tail: bytes) -> Generator[bytes]:
    """Split the form into non-empty chunks. Blocks while it reads a file."""
    source = upload.source
    if isinstance(source, bytes):
        yield from [head + source + tail] if len(source) <= CHUNK_BYTES else [head, source, tail]
        return
    try:
        with source.open("rb") as file:
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


def presigned_request(
    url: str, fields: Mapping[str, str], upload: UploadSource, timeout: httpx.Timeout
) -> httpx.Request:
    """Build a presigned POST: all fields, then the file, with a ``Content-Length`` and without the API key."""
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
    length = str(len(head) + upload.size + len(tail))
    return storage_request(
        "POST",
        url,
        headers={
            "Host": empty.headers["Host"],
            "Content-Type": form_type,
            "Content-Length": length,
            "User-Agent": USER_AGENT,
        },
        stream=MultipartStream(head, upload, tail),
        extensions={"timeout": timeout.as_dict()},
    )


def storage_request(method: str, url: str, **arguments: Any) -> httpx.Request:
    """
    Build a request without the API key.

    Raises:
        DecodeError: *url* is not an HTTP(S) URL.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise DecodeError("the service returned an invalid file URL", payload=url)
    return httpx.Request(method, parsed, **arguments)


async def put_file(
    session: Session, url: str, fields: Mapping[str, str], upload: UploadSource, stats: CallStats
) -> None:
    """Send *upload* by presigned POST. Any 2xx status is a success, and retries are safe."""

    async def attempt(_seconds: float) -> None:
        request = presigned_request(url, fields, upload, session.timeout)
        form = request.stream
        assert isinstance(form, MultipartStream)
        try:
            response = await session.pool.send(session.pool.storage, request)
        except Exception:
            if form.problem is not None:  # aiohttp reports a failure to read the file as a lost connection
                raise form.problem from form.problem.__cause__
            raise
        finally:
            form.close()
        stats.bytes_sent += int(request.headers["Content-Length"])
        check_response(session, response)

    await session.repeat(
        attempt, session.retry_state(stats, may_repeat=True), stats, session.pool.storage_gate_for(url)
    )


def check_response(session: Session, response: httpx.Response) -> None:
    """Raise the error for an unsuccessful response of storage, whose body must have been read."""
    if not response.is_success:
        request: Any = response.request
        url = redact_url(str(request.url))
        reply = Reply(response.status_code, request.method, url, response.headers, response.content)
        raise storage_error_for(reply, now=session.clock.time())
