"""Where the files of a sample or a label can be read now: signed addresses expire, and the service gives others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._serialization.converter import unstructure
from segments_async._transfer.file_names import content_address
from segments_async._wire.replies import redact_url
from segments_async._wire.routes import GET_LABEL, GET_SAMPLE
from segments_async.errors import ApiError, DecodeError
from segments_async.models import Label, Sample

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session


class SignedUrls:
    """
    Where files can be read now that something names.

    Args:
        files: Their URLs, each with where it can be read; None if nobody but the service knows.
        ask: Gets the attributes that name them, signed anew; None if nobody can be asked.
    """

    def __init__(
        self, files: Mapping[str, str | None] | None = None, ask: Callable[[], Awaitable[Any]] | None = None
    ) -> None:
        self._now = dict(files or {})
        self._used: dict[str, str | None] = {}
        """What was given last for each URL."""
        self._answer: dict[str, str] = {}
        """What was said when it was asked, by content address."""
        self._ask = ask
        self._lock: anyio.Lock | None = None

    async def first(self, url: str, signed: str | None = None) -> str:
        """Say where *url* can be read, as far as it is known: at its *signed* address, if it has one."""
        if url not in self._now:
            self._now[url] = signed or _open_to_all(url)
            self._look_up(url)
        address = self._used[url] = self._now[url]
        return address or await self._renew(url)

    def renewal(self, url: str) -> Callable[[], Awaitable[str]] | None:
        """What gives another address of *url*; None if nobody can be asked."""
        return None if self._ask is None else partial(self._renew, url)

    async def _renew(self, url: str) -> str:
        """Ask the service, unless that was done since the last answer about *url*."""
        if self._lock is None:
            self._lock = anyio.Lock()
        async with self._lock:
            if self._ask is not None and self._now[url] == self._used[url]:
                try:
                    attributes = await self._ask()
                except ApiError as error:
                    why = "nobody else knows one" if self._now[url] is None else "the one at hand has expired"
                    error.add_note(f"it was asked for a new address of {redact_url(url)}, as {why}")
                    raise
                self._answer = {content_address(found): signed for found, signed in files_in(attributes) if signed}
                for known in self._now:
                    self._look_up(known)
            address = self._used[url] = self._now[url]
            if address is None:
                raise DecodeError(f"the service gives no address to read {url!r}", payload=url)
            return address

    def _look_up(self, url: str) -> None:
        if self._answer:
            self._now[url] = self._answer.get(content_address(url), self._now[url])


def signed_by_sample(session: Session, uuid: str, stats: CallStats | None = None) -> Callable[[], Awaitable[Any]]:
    """Ask for a sample, whose files are signed then."""

    async def ask() -> Any:
        params = {"include_signed_urls": 1}
        return (await session.call(GET_SAMPLE, Sample, path={"uuid": uuid}, params=params, stats=stats)).attributes

    return ask


def signed_by_label(session: Session, uuid: str, labelset: str) -> Callable[[], Awaitable[Any]]:
    """Ask for a label, whose bitmaps are signed then if they need it."""

    async def ask() -> Any:
        return (await session.call(GET_LABEL, Label, path={"sample_uuid": uuid, "labelset": labelset})).attributes

    return ask


def files_in(attributes: Any) -> Iterator[tuple[str, str | None]]:
    """The URLs in attributes, each with where it can be read; None if nobody but the service knows."""
    yield from _files_in(unstructure(attributes))


def _files_in(value: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, list):
        for item in value:
            yield from _files_in(item)
    if not isinstance(value, dict):
        return
    url, signed = value.get("url"), value.get("signed_url")
    if isinstance(url, str) and "://" in url:
        yield url, signed if isinstance(signed, str) and signed else _open_to_all(url)
    for item in value.values():
        yield from _files_in(item)


def _open_to_all(url: str) -> str | None:
    return url if url.startswith(("https://", "http://")) else None
