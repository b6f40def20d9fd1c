from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from segments_async._releases import ReleaseFile, open_release
from segments_async._releases.source import (
    check_dataset,
    fetch_release_url,
    local_path,
    release_url,
    temporary_folder,
)
from segments_async._transfer.download import get_file
from segments_async.errors import ApiError
from segments_async.models import Release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from segments_async._http.session import Session
    from segments_async._releases.media import ReleaseFiles
    from segments_async._releases.source import ReleaseSource
    from segments_async._transfer.download import Renew

T = TypeVar("T")


class ReleaseReader:
    """Locates, downloads and opens release files, for the methods of `Releases`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @asynccontextmanager
    async def open(self, source: ReleaseSource, name: str | None = None) -> AsyncIterator[ReleaseFile]:
        """Open a release; if it is not on disk, download it to a temporary folder first."""
        if isinstance(source, ReleaseFile):
            yield source
        elif (path := local_path(source, name)) is not None:
            async with open_release(path) as release:
                yield release
        else:
            async with temporary_folder() as folder:
                path = folder / "release.json"
                await self._fetch(source, name, partial(self._get_file, path))
                async with open_release(path) as release:
                    yield release

    @asynccontextmanager
    async def open_cached(
        self, source: ReleaseSource, name: str | None, files: ReleaseFiles
    ) -> AsyncIterator[ReleaseFile]:
        """Open a release, and cache its file with its images; a URL is not cached, as its content may change."""
        release_name = source.name if isinstance(source, Release) else name
        if release_name is None:
            async with self.open(source) as release:
                yield release
            return
        path = await self._fetch(source, name, partial(files.cache_release, release_name))
        async with open_release(path) as release:
            yield release

    async def _get_file(self, path: Path, url: str, renew: Renew | None) -> None:
        await get_file(self._session, url, path, renew=renew)

    async def _fetch(self, source: object, name: str | None, fetch: Callable[[str, Renew | None], Awaitable[T]]) -> T:
        """Get the address of a release file, and *fetch* it."""
        if name is not None:
            get_url = partial(fetch_release_url, self._session, check_dataset(source), name)
            return await fetch(await get_url(), get_url)
        try:
            return await fetch(source if isinstance(source, str) else release_url(source), None)
        except ApiError as error:
            error.add_note(
                "if the address has expired, pass the dataset and the release's name, so that it can be renewed"
            )
            raise
