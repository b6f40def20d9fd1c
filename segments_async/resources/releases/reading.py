from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from segments_async._releases import ReleaseFile, open_release
from segments_async._releases.source import address_of, dataset_of, file_of, path_of, temporary_folder
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
    """Finds, downloads and opens the files of releases, for the methods of `Releases`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @asynccontextmanager
    async def open(self, source: ReleaseSource, name: str | None = None) -> AsyncIterator[ReleaseFile]:
        """Open a release; one that is not on disk is downloaded to a temporary folder first."""
        if isinstance(source, ReleaseFile):
            yield source
        elif (path := path_of(source, name)) is not None:
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
        """Open a release whose file is cached with its images; that of a URL is not, as its content may change."""
        called = source.name if isinstance(source, Release) else name
        if called is None:
            async with self.open(source) as release:
                yield release
            return
        path = await self._fetch(source, name, partial(files.keep, called))
        async with open_release(path) as release:
            yield release

    async def _get_file(self, path: Path, url: str, renew: Renew | None) -> None:
        await get_file(self._session, url, path, renew=renew)

    async def _fetch(self, source: object, name: str | None, fetch: Callable[[str, Renew | None], Awaitable[T]]) -> T:
        """Find out where the file of a release is, and *fetch* it."""
        if name is not None:
            find = partial(address_of, self._session, dataset_of(source), name)
            return await fetch(await find(), find)
        try:
            return await fetch(source if isinstance(source, str) else file_of(source), None)
        except ApiError as error:
            error.add_note("if its address has expired: with the dataset and the release's name, it is asked for anew")
            raise
