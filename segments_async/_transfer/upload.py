"""Files on the storage host (S3): up by presigned POST, down by presigned URL, both without our credentials."""

from __future__ import annotations

import inspect
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import httpx
from anyio.to_thread import run_sync
from attrs import frozen

from segments_async._http.session import USER_AGENT
from segments_async._wire.replies import Reply, redact_url, storage_error_for
from segments_async.errors import DecodeError, InputError, TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Mapping

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.models import FileSource

MAX_ASSET_BYTES = 100_000_000
"""The service takes 100 MB at most (`api.md`)."""
CHUNK_BYTES = 256 * 1024
"""One hop to a worker thread reads or writes so much."""


@frozen
class UploadSource:
    """A file that was looked at and can be sent, more than once if need be."""

    filename: str
    size: int
    source: Path | bytes


async def inspect_source(file: FileSource, filename: str | None, path: str = "file") -> UploadSource:
    """
    Check what is to be uploaded.

    Args:
        file: A path, the bytes, or a file opened for reading bytes, which is read from where it stands.
        filename: Its name on the service; by default what the path or the opened file is called.
        path: What the argument is called in errors.

    Raises:
        InputError: There is no such file, it is empty, above 100 MB or no bytes, or it has no name.
    """
    if isinstance(file, str | os.PathLike):
        source = Path(file)
        size = await run_sync(_size_on_disk, source, path)
        upload = UploadSource(_name_of(filename, source.name, path), size, source)
    elif isinstance(file, bytes | bytearray | memoryview):
        upload = UploadSource(_name_of(filename, None, path), memoryview(file).nbytes, bytes(file))
    elif hasattr(file, "read"):
        content = await run_sync(_read_all, file, path)
        given = getattr(file, "name", None)
        upload = UploadSource(
            _name_of(filename, Path(given).name if isinstance(given, str) else None, path),
            len(content),
            content,
        )
    else:
        raise InputError(f"expected a path, bytes or an open file, got {type(file).__name__}", path=path)
    shown = upload.source if isinstance(upload.source, Path) else upload.filename
    if upload.size == 0:
        raise InputError(f"is empty: {shown}", path=path)
    if upload.size > MAX_ASSET_BYTES:
        raise InputError(f"is larger than the 100 MB that an asset may have: {shown}", path=path)
    return upload


def _size_on_disk(source: Path, path: str) -> int:
    try:
        if not stat.S_ISREG(source.stat().st_mode):  # to open a pipe would wait for somebody to write
            raise InputError(f"is no file: {source}", path=path)
        with source.open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _unreadable(error, source, path) from error
    except ValueError as error:  # the path holds a null character
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be read ({error}): {source}", path=path) from error


def _unreadable(error: OSError, source: Path, path: str) -> InputError:
    return InputError(f"cannot be read ({error.strerror}): {source}", path=path)


def _read_all(file: IO[bytes], path: str) -> bytes:
    """Read an open file, but no more of it than shows that it is too large."""
    try:
        content: object = file.read(MAX_ASSET_BYTES + 1)
    except (OSError, ValueError) as error:  # text that cannot be decoded is a ValueError
        raise InputError(f"cannot be read: {error}", path=path) from error
    if isinstance(content, bytes):
        return content
    if inspect.iscoroutine(content):
        content.close()
    raise InputError("expected a file whose read() gives bytes; open it with mode 'rb'", path=path)


def _name_of(given: str | None, found: str | None, path: str) -> str:
    if given is not None and not isinstance(given, str):
        raise InputError(f"expected a string, got {type(given).__name__}", path="filename")
    name = given or found
    if not name:
        raise InputError("needs a filename, whose extension decides the content type", path=path)
    return name


class MultipartStream(httpx.AsyncByteStream):
    """
    A multipart body around the content of a file, which comes last (S3 ignores what follows it).

    It goes once, in pieces, so that never more of a file on disk is in memory than one of them.
    """

    def __init__(self, head: bytes, upload: UploadSource, tail: bytes) -> None:
        self.problem: InputError | None = None
        """Why the file could not be read."""
        self._in_memory = isinstance(upload.source, bytes)
        self._pieces = _pieces(head, upload, tail)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = next(self._pieces, b"") if self._in_memory else await run_sync(next, self._pieces, b"")
        except InputError as error:
            self.problem = error
            raise
        if not piece:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        """Close the file. One that a thread still reads, left by a cancellation of asyncio, closes after that."""
        with suppress(ValueError):
            self._pieces.close()


def _pieces(head: bytes, upload: UploadSource, tail: bytes) -> Generator[bytes]:
    """Cut a form into pieces of which no one is empty; read a file in whatever thread this runs in."""
    source = upload.source
    if isinstance(source, bytes):
        yield from [head + source + tail] if len(source) <= CHUNK_BYTES else [head, source, tail]
        return
    try:
        with source.open("rb") as file:
            left = upload.size
            while left:
                chunk = file.read(min(left, CHUNK_BYTES))
                left -= len(chunk)
                if not chunk or (not left and file.read(1)):
                    raise InputError(f"was changed while it was uploaded: {source}", path="file")
                yield head + chunk + (b"" if left else tail)
                head = b""
    except OSError as error:
        raise _unreadable(error, source, "file") from error


def presigned_request(
    url: str, fields: Mapping[str, str], upload: UploadSource, timeout: httpx.Timeout
) -> httpx.Request:
    """Build a presigned POST: every field, then the file, with a ``Content-Length`` and nothing of ours."""
    boundary = secrets.token_hex(16)
    form_type = f"multipart/form-data; boundary={boundary}"
    content_type = fields.get("Content-Type", "application/octet-stream")
    # httpx encodes the form around an empty file; the content then goes in before the closing boundary.
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
    """Build a request that carries nothing of ours."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise DecodeError("the service gave no URL of a file", payload=url)
    return httpx.Request(method, parsed, **arguments)


async def put_file(
    session: Session, url: str, fields: Mapping[str, str], upload: UploadSource, stats: CallStats
) -> None:
    """Send *upload* by presigned POST; any 2xx is success, and sending it again does no harm."""

    async def attempt() -> None:
        request = presigned_request(url, fields, upload, session.timeout)
        form = request.stream
        assert isinstance(form, MultipartStream)
        try:
            response = await session.pool.send(session.pool.storage, request)
        except TransportError:
            if form.problem is not None:  # aiohttp calls that a lost connection
                raise form.problem from None
            raise
        finally:
            form.close()
        stats.bytes_sent += int(request.headers["Content-Length"])
        check_answer(session, response)

    await session.repeat(attempt, session.retry_state(stats, may_repeat=True), stats, session.pool.storage_gate)


def check_answer(session: Session, response: httpx.Response) -> None:
    """Refuse an answer that is no success; it was read to its end."""
    if not response.is_success:
        request: Any = response.request
        shown = redact_url(str(request.url))
        reply = Reply(response.status_code, request.method, shown, response.headers, response.content)
        raise storage_error_for(reply, now=session.clock.time())
