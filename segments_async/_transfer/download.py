"""Download files from any host: streamed, resumed after a lost connection, and without the API key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from segments_async._counting import counted
from segments_async._http.call_stats import CallStats
from segments_async._http.exchange import close_if_not_drained
from segments_async._transfer.file_names import address_digest
from segments_async._transfer.pace import Pace
from segments_async._transfer.partial import AtomicFile, FileVersion, MemorySink
from segments_async._transfer.receiver import Receiver
from segments_async._transfer.resumable import ResumableFile
from segments_async._transfer.storage import answer_seconds, get_request, read_storage_error, storage_url
from segments_async._wire.content_coding import CodingError, decoder_for
from segments_async._wire.content_ranges import parse_content_range, parse_length
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

    from segments_async._http.session import Session
    from segments_async._transfer.partial import Sink
    from segments_async._transfer.thread_batch import ThreadBatcher

    Renew = Callable[[], Awaitable[str]]
    OnProgress = Callable[[int, int | None], object]

MAX_READ_BYTES = 100_000_000
"""Maximum size of an asset; see ``docs/service.md``, "Assets and storage"."""
PROGRESS_BYTES = 1024 * 1024
"""Bytes of progress that reset the count of attempts, so that a download that advances does not fail."""
MAX_REDIRECTS = 5
MAX_LOCATION = 200
_PARTIAL_CONTENT = 206
_WITH_FILE = frozenset({200, 203, _PARTIAL_CONTENT})
"""Successful statuses of responses that contain the file."""
_RANGE_NOT_SATISFIABLE = 416
_EXPIRED = frozenset({400, 401, 403, 410})
"""Statuses with which storage hosts reject an expired signature."""


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
) -> str:
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

    Returns:
        The media type in the response; empty if there is none.

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
        download = _Download(session, url, partial, renew, on_progress, stats or CallStats())
        await download.run()
        await partial.finish()
    finally:
        await partial.discard()
    return download.media_type


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
        self.media_type: str = ""
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
                    self._attempt, state, self._stats, self._session.pool.storage_gate_for(self._url)
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

    async def _attempt(self, _seconds: float) -> None:
        """Request the missing part. Not repeated if the sink runs out of resources: a full disk would stay full."""
        version = self._sink.version
        if version is None:
            self._total = None
        elif self._sink.size == version.total:
            return
        pace = Pace(self._session.clock.monotonic, answer_seconds(self._session))
        try:
            await pace.run(self._exchange, pace, method="GET", url=self._url)
        except OutOfResourcesError as error:
            self._shortage = error
            return
        except CodingError as error:  # raised while the body was written
            failure = self._failure(error)
            raise failure from failure.__cause__
        if self._total is not None and self._sink.size != self._total:
            raise self._error(f"received {self._sink.size:,} of {counted(self._total, 'byte')}")

    async def _exchange(self, pace: Pace) -> None:
        """Send one request, and write its response to the sink."""
        response = await self._request(pace)
        receiver = None
        try:
            try:
                receiver = await self._start_receiving(response, pace)
                await receiver.run(response)
                pool = self._session.pool
                if pool.storage is pool.api:  # a client of the caller, which does not check this itself
                    await close_if_not_drained(response)
            finally:
                await response.aclose()
                if receiver is not None:
                    self._session.pool.counts.bytes_received += receiver.received
        except SegmentsError:
            raise
        except Exception as error:  # noqa: BLE001 (raised as an error of this package)
            failure = self._failure(error)
            raise failure from failure.__cause__
        if receiver.problem is not None:  # raised by the sink or by `on_progress`
            raise receiver.problem

    async def _request(self, pace: Pace) -> httpx.Response:
        """Send the request and follow redirects, which is safe: it carries no credentials but the URL's signature."""
        headers = {}
        if self._sink.version is not None and self._sink.size:
            headers = {
                "Accept-Encoding": "identity",
                "Range": f"bytes={self._sink.size}-",
                "If-Range": self._sink.version.etag,
            }
        timeout = self._session.timeout.as_dict()
        request = get_request(self._url, headers, timeout)
        pool = self._session.pool
        for _ in range(MAX_REDIRECTS):
            pace.expect_answer(request)
            response = await pool.send(pool.storage, request, stream=True)
            if not response.has_redirect_location:
                return response
            await response.aclose()
            request = get_request(self._redirect_of(request, response.headers["location"]), headers, timeout)
        raise DecodeError(f"redirected more than {MAX_REDIRECTS} times: {redact_url(self._url)}")

    def _redirect_of(self, request: httpx.Request, location: str) -> str:
        """Return where a response redirects *request*."""
        try:
            url = str(request.url.join(location))
            storage_url(url)
        except (httpx.InvalidURL, ValueError, DecodeError) as error:
            raise self._redirect_error(location) from error
        return url

    async def _start_receiving(self, response: httpx.Response, pace: Pace) -> Receiver:
        """Check the headers of a response, and clear the sink if the body does not continue from there."""
        if response.status_code == _RANGE_NOT_SATISFIABLE and self._sink.size:
            await self._restart()
            raise self._error("the file changed during the download")
        if not response.is_success:
            raise await read_storage_error(self._session, response)
        _reject_non_file(response)
        headers = response.headers
        self.media_type = headers.get("content-type", "")
        decoder = decoder_for(headers.get("content-encoding", ""))
        etag = strong_etag(headers.get("etag"))
        end: int | None
        if response.status_code == _PARTIAL_CONTENT or "content-range" in headers:
            end = await self._join(headers.get("content-range", ""), etag, is_coded=decoder.is_coded)
        else:
            end = None if decoder.is_coded else parse_length(headers.get("content-length", ""))
            await self._restart(end, etag)
        return Receiver(self._sink, decoder, end, pace, self._report_progress, self._too_long)

    async def _join(self, content_range: str, etag: str | None, *, is_coded: bool) -> int:
        """
        Prepare the sink for a part of the file, whatever the status of the response, and return where the part ends.

        A part is added only to bytes of the same version: with the same strong ``ETag`` and the same total.
        """
        part = None if is_coded else parse_content_range(content_range)
        if part is not None and part.is_whole:
            await self._restart(part.end, etag)
            return part.end
        version = self._sink.version
        if part is None or part.start != self._sink.size:
            problem = "the response has a different range than requested"
        elif version is None or version != FileVersion.of(etag, part.total):
            problem = "the file changed during the download"
        else:
            self._total = version.total
            return part.end
        await self._restart()
        raise self._error(problem)

    async def _restart(self, total: int | None = None, etag: str | None = None) -> None:
        self._total = total
        await self._sink.restart(FileVersion.of(etag, total), total)

    def _report_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._sink.size, self._total)

    def _too_long(self) -> TransportError:
        return self._error("the body is longer than its headers say")

    def _failure(self, error: Exception) -> TransportError:
        return request_error(error, "GET", redact_url(self._url), sent=True)

    def _error(self, problem: str) -> TransportError:
        return TransportError(problem, method="GET", url=redact_url(self._url))

    def _redirect_error(self, location: str) -> DecodeError:
        target = redact_url(location)[:MAX_LOCATION]
        return DecodeError(f"redirected to an invalid URL: {target}", method="GET", url=redact_url(self._url))


def _is_expired(error: SegmentsError) -> bool:
    if not isinstance(error, ApiError) or error.status not in _EXPIRED:
        return False
    return error.status != 400 or "expired" in error.detail.lower()  # noqa: PLR2004 (other 400s will not succeed later)


def _reject_non_file(response: httpx.Response) -> None:
    """Reject a response without a file, and an HTML page, such as a sign-in page, in place of one."""
    if response.status_code not in _WITH_FILE:
        raise _no_file(response, "received no file")
    content_type = response.headers.get("content-type", "").lower()
    if content_type.startswith("text/html") and not response.request.url.path.lower().endswith((".html", ".htm")):
        raise _no_file(response, "received an HTML page instead of a file")


def _no_file(response: httpx.Response, problem: str) -> DecodeError:
    url = redact_url(str(response.request.url))
    return DecodeError(problem, status=response.status_code, method="GET", url=url)


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
