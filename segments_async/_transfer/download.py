"""Download files from any host: streamed, resumed after a lost connection, and without the API key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._http.call_stats import CallStats
from segments_async._http.session import USER_AGENT
from segments_async._transfer.file_names import address_digest
from segments_async._transfer.partial import AtomicFile, MemorySink
from segments_async._transfer.resumable import ResumableFile
from segments_async._transfer.upload import check_response, storage_request
from segments_async._wire.etags import strong_etag
from segments_async._wire.failures import request_error
from segments_async._wire.replies import redact_url
from segments_async._wire.retry import is_retryable
from segments_async.errors import (
    ApiError,
    DecodeError,
    InputError,
    OutOfResourcesError,
    SegmentsError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import httpx

    from segments_async._http.session import Session
    from segments_async._transfer.partial import Sink
    from segments_async._transfer.thread_batch import ThreadBatcher

    Renew = Callable[[], Awaitable[str]]
    OnProgress = Callable[[int, int | None], object]

CHUNK_BYTES = 256 * 1024
SMALL_BYTES = CHUNK_BYTES
"""Maximum size of a file that is received in one piece, which is faster."""
MAX_READ_BYTES = 100_000_000
"""Maximum size of an asset; see ``docs/service.md``, "Assets and storage"."""
PROGRESS_BYTES = 1024 * 1024
"""Bytes of progress that reset the count of attempts, so that a download that advances does not fail."""
MAX_REDIRECTS = 5
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416
_EXPIRED = frozenset({400, 401, 403, 410})
"""Statuses with which storage hosts reject an expired signature."""

_content_range = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII).fullmatch


async def get_file(
    session: Session,
    url: str,
    path: Path,
    *,
    renew: Renew | None = None,
    on_progress: OnProgress | None = None,
    stats: CallStats | None = None,
    argument: str = "path",
    batcher: ThreadBatcher | None = None,
    resume: bool = False,
) -> None:
    """
    Stream the file at *url* to *path*, which is created or replaced only when the download is complete.

    Args:
        session: The session whose connections are used.
        url: The URL of the file.
        path: Where to write it.
        renew: Returns a new URL of the same file when the signature of *url* has expired.
        on_progress: Called with the bytes received so far, and the total if it is known.
        stats: Collects the counts of the calls.
        argument: The name of the argument for *path* in errors.
        batcher: Writes small files in batches; shared by concurrent downloads.
        resume: Whether to keep the partial file if this fails, and to resume one that an earlier call left.

    Raises:
        InputError: *path* cannot be written.
        OutOfResourcesError: The disk is full, or this machine has too many open files.
        DecodeError: The response is an HTML page instead of a file.
    """
    resumable = ResumableFile(path, address_digest(url), argument) if resume else None
    partial = resumable or AtomicFile(path, argument, batcher)
    try:
        if resumable is not None:
            await resumable.open()
        await _Download(session, url, partial, renew, on_progress, stats or CallStats()).run()
        await partial.finish()
    finally:
        await partial.discard()


async def read_file(
    session: Session,
    url: str,
    *,
    max_bytes: int = MAX_READ_BYTES,
    renew: Renew | None = None,
    stats: CallStats | None = None,
) -> bytes:
    """
    Return the content of the file at *url*.

    Raises:
        InputError: It has more than *max_bytes* bytes.
        DecodeError: The response is an HTML page instead of a file.
    """
    memory = MemorySink(max_bytes)
    await _Download(session, url, memory, renew, None, stats or CallStats()).run()
    return memory.content


class _Download:
    """The download of one file, over several requests if necessary."""

    def __init__(
        self,
        session: Session,
        url: str,
        sink: Sink,
        renew: Renew | None,
        on_progress: OnProgress | None,
        stats: CallStats,
    ) -> None:
        self._session = session
        self._url = url
        self._sink = sink
        self._renew = renew
        self._on_progress = on_progress
        self._stats = stats
        self._total: int | None = None
        self._shortage: OutOfResourcesError | None = None
        """Why the sink could not be written."""

    async def run(self) -> None:
        """Send requests until the file is complete."""
        renewed_at: int | None = None
        while True:
            size_before = self._sink.size
            state = self._session.retry_state(self._stats, may_repeat=True)
            try:
                await self._session.repeat(
                    self._attempt_once, state, self._stats, self._session.pool.storage_gate_for(self._url)
                )
            except SegmentsError as error:
                if is_retryable(error) and self._sink.size - size_before >= PROGRESS_BYTES:
                    continue
                if self._renew is None or not _is_expired(error) or renewed_at == self._sink.size:
                    raise
                renewed_at = self._sink.size
                self._url = await self._renew()
            else:
                break
        if self._shortage is not None:
            raise self._shortage

    async def _attempt_once(self, seconds: float) -> None:
        """Make an attempt that is not repeated if the sink runs out of resources: a full disk would stay full."""
        try:
            await self._attempt(seconds)
        except OutOfResourcesError as error:
            self._shortage = error

    async def _attempt(self, _seconds: float) -> None:
        """Request the missing part."""
        if self._sink.etag is None:
            self._total = None
        elif self._sink.size == self._total:
            return
        response = await self._request()
        try:
            await self._prepare_sink(response)
            await self._receive(response)
        except SegmentsError:
            raise
        except Exception as error:
            raise request_error(error, "GET", redact_url(self._url)) from error
        finally:
            await response.aclose()
            self._session.pool.counts.bytes_received += response.num_bytes_downloaded
        if self._total is not None and self._sink.size != self._total:
            raise self._error(f"received {self._sink.size} of {self._total} bytes")

    async def _request(self) -> httpx.Response:
        """Send the request and follow redirects, which is safe: it carries no credentials but the URL's signature."""
        headers = {"Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
        if self._sink.etag is not None and self._sink.size:
            headers |= {
                "Accept-Encoding": "identity",
                "Range": f"bytes={self._sink.size}-",
                "If-Range": self._sink.etag,
            }
        extensions = {"timeout": self._session.timeout.as_dict()}
        request = storage_request("GET", self._url, headers=headers, extensions=extensions)
        pool = self._session.pool
        for _ in range(MAX_REDIRECTS):
            response = await pool.send(pool.storage, request, stream=True)
            if not response.has_redirect_location:
                return response
            await response.aclose()
            url = str(request.url.join(response.headers["location"]))
            request = storage_request("GET", url, headers=headers, extensions=extensions)
        raise DecodeError(f"redirected more than {MAX_REDIRECTS} times: {redact_url(self._url)}")

    async def _prepare_sink(self, response: httpx.Response) -> None:
        """Check the headers of a response, and clear the sink if it does not continue from there."""
        if response.status_code == _RANGE_NOT_SATISFIABLE and self._sink.size:
            await self._restart()
            raise self._error("the file changed during the download")
        if not response.is_success:
            await response.aread()
            check_response(self._session, response)
        _reject_html(response)
        if response.status_code == _PARTIAL_CONTENT:
            match = _content_range(response.headers.get("content-range", ""))
            if match is None or int(match[1]) != self._sink.size:
                await self._restart()
                raise self._error("the response has a different range than requested")
            self._total = int(match[2]) if match[2] != "*" else None
            return
        total = etag = None
        if "content-encoding" not in response.headers:
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdecimal() else None
            etag = strong_etag(response.headers.get("etag"))
        await self._restart(total, etag)

    async def _restart(self, total: int | None = None, etag: str | None = None) -> None:
        self._total = total
        await self._sink.restart(etag)

    async def _receive(self, response: httpx.Response) -> None:
        """
        Write the body to the sink.

        trio warns about async generators that are not exhausted. So the loop never leaves the body's iterator early:
        writing is shielded, and a cancellation or an error of the sink takes effect at the next read.
        """
        if self._total is not None and self._total <= SMALL_BYTES:
            await self._sink.write(await response.aread())
            self._report_progress()
            return
        problem: InputError | OutOfResourcesError | None = None
        with anyio.CancelScope() as reading:
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                if problem is None:
                    try:
                        with anyio.CancelScope(shield=True):
                            await self._sink.write(chunk)
                    except (InputError, OutOfResourcesError) as error:
                        problem = error
                        reading.cancel()
                    else:
                        self._report_progress()
        if problem is not None:
            raise problem

    def _report_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._sink.size, self._total)

    def _error(self, problem: str) -> TransportError:
        return TransportError(problem, method="GET", url=redact_url(self._url))


def _is_expired(error: SegmentsError) -> bool:
    if not isinstance(error, ApiError) or error.status not in _EXPIRED:
        return False
    return error.status != 400 or "expired" in error.detail.lower()  # noqa: PLR2004 (other 400s will not succeed later)


def _reject_html(response: httpx.Response) -> None:
    """Reject an HTML page, such as a sign-in page, that was returned instead of a file."""
    content_type = response.headers.get("content-type", "").lower()
    if content_type.startswith("text/html") and not response.request.url.path.lower().endswith((".html", ".htm")):
        raise DecodeError(
            "received an HTML page instead of a file",
            status=response.status_code,
            method="GET",
            url=redact_url(str(response.request.url)),
        )


def file_url(url: Any, path: str = "url") -> str:
    """
    Check that *url* is an HTTP(S) URL, and return it.

    Raises:
        InputError: It is not.
    """
    if not isinstance(url, str):
        raise InputError(f"expected a URL, got {type(url).__name__}", path=path)
    if not url.startswith(("https://", "http://")):
        raise InputError(f"expected a URL that begins with https:// or http://, got {redact_url(url)!r}", path=path)
    return url
