"""Files from the storage host, or any other: streamed, gone on with after a cut, never with our credentials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._http.call_stats import CallStats
from segments_async._http.session import USER_AGENT
from segments_async._transfer.file_names import address_digest
from segments_async._transfer.partial import AtomicFile, MemorySink
from segments_async._transfer.resumable import ResumableFile
from segments_async._transfer.upload import check_answer, storage_request
from segments_async._wire.etags import strong_etag
from segments_async._wire.failures import is_transport_failure, transport_error
from segments_async._wire.replies import redact_url
from segments_async._wire.retry import is_retryable
from segments_async.errors import ApiError, DecodeError, InputError, SegmentsError, TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import httpx

    from segments_async._http.session import Session
    from segments_async._transfer.partial import Sink
    from segments_async._transfer.thread_batch import ThreadBatcher

    Renew = Callable[[], Awaitable[str]]
    Tell = Callable[[int, int | None], object]

CHUNK_BYTES = 256 * 1024
SMALL_BYTES = CHUNK_BYTES
"""A file up to this is taken in one piece, which costs less."""
MAX_READ_BYTES = 100_000_000
"""An asset has 100 MB at most (`api.md`)."""
PROGRESS_BYTES = 1024 * 1024
"""After so much more of a file, its attempts are counted anew: what moves on is not given up."""
MAX_REDIRECTS = 5
_PARTIAL = 206
_NO_SUCH_PART = 416
_EXPIRED = frozenset({400, 401, 403, 410})
"""What storage hosts say of a signature whose time is over."""

_content_range = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII).fullmatch


async def get_file(
    session: Session,
    url: str,
    path: Path,
    *,
    renew: Renew | None = None,
    tell: Tell | None = None,
    stats: CallStats | None = None,
    what: str = "path",
    batcher: ThreadBatcher | None = None,
    keep: bool = False,
) -> None:
    """
    Stream what *url* holds into *path*, which appears only when it is whole.

    Args:
        session: Whose connections to use.
        url: Where the file is.
        path: Where it is to be.
        renew: Gives another address of the same file, if the signature of *url* is no longer taken.
        tell: Called with the bytes so far, and the bytes in all, if they are known.
        stats: Collects the counts of the calls.
        what: What *path* is called in errors.
        batcher: Writes small files, several at a time; shared by those who fetch many.
        keep: Whether to leave what came if this fails, and to go on with what an earlier call has left.

    Raises:
        InputError: *path* cannot be written.
        DecodeError: A page of HTML came instead of a file.
    """
    kept = ResumableFile(path, address_digest(url), what) if keep else None
    partial = kept or AtomicFile(path, what, batcher)
    try:
        if kept is not None:
            await kept.open()
        await _Fetch(session, url, partial, renew, tell, stats or CallStats()).run()
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
    Fetch what *url* holds, whole.

    Raises:
        InputError: It has more than *max_bytes* bytes.
        DecodeError: A page of HTML came instead of a file.
    """
    memory = MemorySink(max_bytes)
    await _Fetch(session, url, memory, renew, None, stats or CallStats()).run()
    return memory.content


class _Fetch:
    """One file on its way."""

    def __init__(
        self, session: Session, url: str, sink: Sink, renew: Renew | None, tell: Tell | None, stats: CallStats
    ) -> None:
        self._session = session
        self._url = url
        self._sink = sink
        self._renew = renew
        self._tell = tell
        self._trace = stats
        self._total: int | None = None
        self._problem: InputError | None = None

    async def run(self) -> None:
        """Fetch until it is whole."""
        renewed_at: int | None = None
        while True:
            before = self._sink.size
            state = self._session.retry_state(self._trace, may_repeat=True)
            try:
                await self._session.repeat(self._attempt, state, self._trace, self._session.pool.storage_gate)
            except SegmentsError as error:
                if is_retryable(error) and self._sink.size - before >= PROGRESS_BYTES:
                    continue
                if self._renew is None or not _is_expired(error) or renewed_at == self._sink.size:
                    raise
                renewed_at = self._sink.size
                self._url = await self._renew()
            else:
                return

    async def _attempt(self) -> None:
        """Ask for what is missing."""
        if self._sink.tag is None:
            self._total = None
        elif self._sink.size == self._total:
            return
        response = await self._answer()
        try:
            await self._begin(response)
            await self._receive(response)
        except Exception as error:
            if not is_transport_failure(error):
                raise
            raise transport_error(error, "GET", redact_url(self._url)) from error
        finally:
            await response.aclose()
            self._session.pool.counts.bytes_received += response.num_bytes_downloaded
        if self._total is not None and self._sink.size != self._total:
            raise self._lost(f"{self._sink.size} of {self._total} bytes came")

    async def _answer(self) -> httpx.Response:
        """Send the request, and go where it is sent to: nothing in it is secret but the address itself."""
        headers = {"Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
        if self._sink.tag is not None and self._sink.size:
            headers |= {"Accept-Encoding": "identity", "Range": f"bytes={self._sink.size}-", "If-Range": self._sink.tag}
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

    async def _begin(self, response: httpx.Response) -> None:
        """Look at what comes: the part that was asked for, or all of it."""
        if response.status_code == _NO_SUCH_PART and self._sink.size:
            await self._restart()
            raise self._lost("the file has changed meanwhile")
        if not response.is_success:
            await response.aread()
            check_answer(self._session, response)
        _refuse_page(response)
        if response.status_code == _PARTIAL:
            match = _content_range(response.headers.get("content-range", ""))
            if match is None or int(match[1]) != self._sink.size:
                await self._restart()
                raise self._lost("another part came than was asked for")
            self._total = int(match[2]) if match[2] != "*" else None
            return
        total = tag = None
        if "content-encoding" not in response.headers:
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdecimal() else None
            tag = strong_etag(response.headers.get("etag"))
        await self._restart(total, tag)

    async def _restart(self, total: int | None = None, tag: str | None = None) -> None:
        self._total = total
        await self._sink.restart(tag)

    async def _receive(self, response: httpx.Response) -> None:
        """
        Take in a body.

        Its iterator is left by its own end or error only, not by ours: left halfway, it would be an async generator
        that trio complains of. So a cancellation waits until a chunk is written, and meets the next read.
        """
        if self._total is not None and self._total <= SMALL_BYTES:
            await self._sink.write(await response.aread())
            self._told()
            return
        problem: InputError | None = None
        with anyio.CancelScope() as reading:
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                if problem is None:
                    try:
                        with anyio.CancelScope(shield=True):
                            await self._sink.write(chunk)
                    except InputError as error:
                        problem = error
                        reading.cancel()
                    else:
                        self._told()
        if problem is not None:
            raise problem

    def _told(self) -> None:
        if self._tell is not None:
            self._tell(self._sink.size, self._total)

    def _lost(self, problem: str) -> TransportError:
        return TransportError(problem, method="GET", url=redact_url(self._url))


def _is_expired(error: SegmentsError) -> bool:
    if not isinstance(error, ApiError) or error.status not in _EXPIRED:
        return False
    return error.status != 400 or "expired" in error.detail.lower()  # noqa: PLR2004 (the rest is no matter of time)


def _refuse_page(response: httpx.Response) -> None:
    """Take no page, such as one that asks to sign in, for a file."""
    kind = response.headers.get("content-type", "")
    if kind.lower().startswith("text/html") and not response.request.url.path.lower().endswith((".html", ".htm")):
        raise DecodeError(
            "a page of HTML came instead of a file",
            status=response.status_code,
            method="GET",
            url=redact_url(str(response.request.url)),
        )


def file_url(url: Any, path: str = "url") -> str:
    """
    Refuse what is no address of a file.

    Raises:
        InputError: It is not.
    """
    if not isinstance(url, str):
        raise InputError(f"expected a URL, got {type(url).__name__}", path=path)
    if not url.startswith(("https://", "http://")):
        raise InputError(f"expected a URL that begins with https:// or http://, got {redact_url(url)!r}", path=path)
    return url
