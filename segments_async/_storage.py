"""Files on the storage host (S3): up by presigned POST, down by presigned URL, both without our credentials."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import anyio
import httpx
from attrs import frozen

from segments_async._session import USER_AGENT, Trace
from segments_async._wire.replies import Reply, shown_url, storage_error_for
from segments_async.errors import InputError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from segments_async._session import Session

MAX_ASSET_BYTES = 100_000_000
"""The service takes 100 MB at most (`api.md`)."""
CHUNK_BYTES = 256 * 1024
"""One hop to a worker thread reads or writes so much."""

FileSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


@frozen
class Upload:
    """A file that was looked at and can be sent, more than once if need be."""

    filename: str
    size: int
    source: Path | bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the content, read in worker threads; never more of a file on disk is in memory than one chunk."""
        if isinstance(self.source, bytes):
            yield self.source
            return
        async with await anyio.open_file(self.source, "rb") as file:
            while chunk := await file.read(CHUNK_BYTES):
                yield chunk


async def look_at(file: FileSource, filename: str | None, path: str = "file") -> Upload:
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
        size = await anyio.to_thread.run_sync(_size_on_disk, source, path)
        upload = Upload(_name_of(filename, source.name, path), size, source)
    elif isinstance(file, bytes | bytearray | memoryview):
        upload = Upload(_name_of(filename, None, path), memoryview(file).nbytes, bytes(file))
    elif hasattr(file, "read"):
        content = await anyio.to_thread.run_sync(file.read)
        if not isinstance(content, bytes):
            raise InputError("expected a file opened for bytes; open it with mode 'rb'", path=path)
        given = getattr(file, "name", None)
        upload = Upload(
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
        raise InputError(f"{upload.size:,} bytes are more than the 100 MB that an asset may have: {shown}", path=path)
    return upload


def _size_on_disk(source: Path, path: str) -> int:
    try:
        with source.open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be read ({words}): {source}", path=path) from error


def _name_of(given: str | None, found: str | None, path: str) -> str:
    if given is not None and not isinstance(given, str):
        raise InputError(f"expected a string, got {type(given).__name__}", path="filename")
    name = given or found
    if not name:
        raise InputError("needs a filename, whose extension decides the content type", path=path)
    return name


class _Form(httpx.AsyncByteStream):
    """A multipart body around the chunks of a file, which comes last (S3 ignores what follows it)."""

    def __init__(self, head: bytes, upload: Upload, tail: bytes) -> None:
        self._head = head
        self._upload = upload
        self._tail = tail

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._head
        async for chunk in self._upload.chunks():
            yield chunk
        yield self._tail


def presigned_request(url: str, fields: Mapping[str, str], upload: Upload, timeout: httpx.Timeout) -> httpx.Request:
    """Build a presigned POST: every field, then the file, with a ``Content-Length`` and nothing of ours."""
    boundary = secrets.token_hex(16)
    form_type = f"multipart/form-data; boundary={boundary}"
    content_type = fields.get("Content-Type", "application/octet-stream")
    # httpx encodes the form around an empty file; the content then goes in before the closing boundary.
    empty = httpx.Request(
        "POST",
        url,
        headers={"Content-Type": form_type},
        data=dict(fields),
        files={"file": (upload.filename, b"", content_type)},
    ).read()
    tail = f"\r\n--{boundary}--\r\n".encode()
    head = empty.removesuffix(tail)
    return httpx.Request(
        "POST",
        url,
        headers={
            "Content-Type": form_type,
            "Content-Length": str(len(head) + upload.size + len(tail)),
            "User-Agent": USER_AGENT,
        },
        content=_Form(head, upload, tail),
        extensions={"timeout": timeout.as_dict()},
    )


async def put_file(session: Session, url: str, fields: Mapping[str, str], upload: Upload, trace: Trace) -> None:
    """Send *upload* by presigned POST; any 2xx is success, and sending it again does no harm."""

    async def attempt() -> None:
        request = presigned_request(url, fields, upload, session.timeout)
        response = await session.send(session.storage_client, request)
        _check(session, response)

    await session.repeat(attempt, trace, may_repeat=True)


async def get_file(session: Session, url: str, path: Path) -> None:
    """
    Stream what *url* holds into *path*, which appears only when it is whole.

    Raises:
        InputError: *path* cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")

    async def attempt() -> None:
        headers = {"Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
        timeout = {"timeout": session.timeout.as_dict()}
        request = httpx.Request("GET", url, headers=headers, extensions=timeout)
        response = await session.send(session.storage_client, request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
                _check(session, response)
            with _writing(path):
                await _write(response, partial)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise session.lost(error, request) from error
        finally:
            await response.aclose()

    try:
        await session.repeat(attempt, Trace(), may_repeat=True)
        with _writing(path):
            await anyio.to_thread.run_sync(os.replace, partial, path)
    finally:
        with anyio.CancelScope(shield=True), contextlib.suppress(FileNotFoundError):
            await anyio.to_thread.run_sync(os.unlink, partial)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except SegmentsError:
        raise  # one of them, a timeout, is an OSError too
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror}): {path}", path="path") from error


async def _write(response: httpx.Response, path: Path) -> None:
    async with await anyio.open_file(path, "wb") as file:
        async for chunk in response.aiter_bytes(CHUNK_BYTES):
            await file.write(chunk)


def _check(session: Session, response: httpx.Response) -> None:
    if not response.is_success:
        request: Any = response.request
        shown = shown_url(str(request.url))
        reply = Reply(response.status_code, request.method, shown, response.headers, response.content)
        raise storage_error_for(reply, now=session.clock.time())
