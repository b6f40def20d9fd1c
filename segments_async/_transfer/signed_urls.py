"""Signed URLs of the files of a sample or a label, renewed through the service when they expire."""

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
    The readable URLs of a group of files.

    Args:
        files: The URL of each file, with the URL to read it from; None if only the service can provide one.
        refresh: Returns the attributes that contain the files, with new signed URLs; None if they cannot be renewed.
    """

    def __init__(
        self, files: Mapping[str, str | None] | None = None, refresh: Callable[[], Awaitable[Any]] | None = None
    ) -> None:
        self._current = dict(files or {})
        self._returned: dict[str, str | None] = {}
        """The URL that was last returned for each file."""
        self._refreshed: dict[str, str] = {}
        """The signed URLs of the last refresh, by content address."""
        self._refresh = refresh
        self._lock: anyio.Lock | None = None

    async def resolve(self, url: str, signed: str | None = None) -> str:
        """Return the URL to read *url* from: its *signed* URL if it has one; refresh if none is known."""
        if url not in self._current:
            self._current[url] = signed or _public_url(url)
            self._apply_refresh(url)
        address = self._returned[url] = self._current[url]
        return address or await self._renew(url)

    def renewal(self, url: str) -> Callable[[], Awaitable[str]] | None:
        """Return a function that gives a new URL for *url*; None if it cannot be renewed."""
        return None if self._refresh is None else partial(self._renew, url)

    async def _renew(self, url: str) -> str:
        """Refresh, unless another task has done so since the last URL for *url* was returned."""
        if self._lock is None:
            self._lock = anyio.Lock()
        async with self._lock:
            if self._refresh is not None and self._current[url] == self._returned[url]:
                try:
                    attributes = await self._refresh()
                except ApiError as error:
                    reason = "none was known" if self._current[url] is None else "the last one expired"
                    error.add_note(f"raised while requesting a new URL for {redact_url(url)}, because {reason}")
                    raise
                self._refreshed = {content_address(found): signed for found, signed in files_in(attributes) if signed}
                for known in self._current:
                    self._apply_refresh(known)
            address = self._returned[url] = self._current[url]
            if address is None:
                raise DecodeError(f"the service returned no URL to read {url!r} from", payload=url)
            return address

    def _apply_refresh(self, url: str) -> None:
        if self._refreshed:
            self._current[url] = self._refreshed.get(content_address(url), self._current[url])


def signed_by_sample(session: Session, uuid: str, stats: CallStats | None = None) -> Callable[[], Awaitable[Any]]:
    """Return a function that gets a sample's attributes with new signed URLs."""
    return partial(_sample_attributes, session, uuid, stats)


async def _sample_attributes(session: Session, uuid: str, stats: CallStats | None) -> Any:
    params = {"include_signed_urls": 1}
    return (await session.call(GET_SAMPLE, Sample, path={"uuid": uuid}, params=params, stats=stats)).attributes


def signed_by_label(session: Session, uuid: str, labelset: str) -> Callable[[], Awaitable[Any]]:
    """Return a function that gets a label's attributes, with new signed URLs of private bitmaps."""

    async def refresh() -> Any:
        return (await session.call(GET_LABEL, Label, path={"sample_uuid": uuid, "labelset": labelset})).attributes

    return refresh


def files_in(attributes: Any) -> Iterator[tuple[str, str | None]]:
    """Iterate over the file URLs in attributes, each with the URL to read it from; None if a refresh is needed."""
    yield from _files_in(unstructure(attributes))


def _files_in(value: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, list):
        for item in value:
            yield from _files_in(item)
    if not isinstance(value, dict):
        return
    url, signed = value.get("url"), value.get("signed_url")
    if isinstance(url, str) and "://" in url:
        yield url, signed if isinstance(signed, str) and signed else _public_url(url)
    for item in value.values():
        yield from _files_in(item)


def _public_url(url: str) -> str | None:
    return url if url.startswith(("https://", "http://")) else None
