"""Read the images and bitmaps of a release, from their hosts or from a cache folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from segments_async._releases.checksums import is_intact, record_checksum
from segments_async._threads import run_sync
from segments_async._transfer.download import get_file, read_file
from segments_async._transfer.file_errors import file_error
from segments_async._transfer.shared_folder import SharedFolder
from segments_async._transfer.signed_urls import SignedUrls, signed_by_label, signed_by_sample
from segments_async._transfer.thread_batch import ThreadBatcher
from segments_async.errors import InputError, OutOfResourcesError

if TYPE_CHECKING:
    from pathlib import Path

    from segments_async._http.session import Session
    from segments_async._transfer.download import Renew
    from segments_async.models import URL, ReleaseSample


class Fetched(NamedTuple):
    """The content of a file."""

    content: bytes
    was_cached: bool
    """Whether it was in the cache before."""


class ReleaseFiles:
    """
    The files that the samples of a release refer to.

    Args:
        session: Makes the calls.
        labelset: The labelset of the bitmaps.
        cache: Folder that caches the files; None caches nothing.
    """

    def __init__(self, session: Session, labelset: str, cache: Path | None = None) -> None:
        self.session = session
        self.labelset = labelset
        self._folder = None if cache is None else SharedFolder(cache)
        self._batcher = ThreadBatcher()

    async def open(self) -> None:
        """
        Open the cache, and list the files that earlier runs left in it.

        Raises:
            InputError: The folder can be neither created nor read.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
        """
        if self._folder is not None:
            try:
                await self._folder.open()
            except InputError as error:
                raise InputError(error.problem, path="cache") from error
            except OutOfResourcesError as error:
                raise OutOfResourcesError(error.problem, path="cache", errno=error.errno) from error

    async def close(self) -> None:
        """Release the lock of the cache."""
        if self._folder is not None:
            await self._folder.close()

    def of_sample(self, sample: ReleaseSample) -> SampleFiles:
        """Return the files of one sample."""
        return SampleFiles(self, sample)

    async def cache_release(self, name: str, url: str, renew: Renew | None) -> Path:
        """Download the release file to the cache unless it is there, whole and unchanged, and return its path."""
        assert self._folder is not None

        async def fetch(path: Path) -> str:
            return await get_file(self.session, url, path, renew=renew, argument="cache", resume=True)

        path, was_cached = await self._folder.path_for(url, name, fetch)
        if was_cached and not await run_sync(is_intact, path):
            await self._folder.delete(url)
            path, was_cached = await self._folder.path_for(url, name, fetch)
        if not was_cached:
            await run_sync(record_checksum, path)
        return path

    async def read(self, addresses: SignedUrls, url: URL, name: str) -> Fetched:
        """Read a file from the cache, or fetch it; one that was deleted meanwhile is fetched again."""
        if self._folder is None:
            first = await addresses.resolve(url.url, url.signed_url)
            return Fetched(await read_file(self.session, first, renew=addresses.renewal(url.url)), was_cached=False)

        async def fetch(path: Path) -> str:
            first, renew = await addresses.resolve(url.url, url.signed_url), addresses.renewal(url.url)
            return await get_file(self.session, first, path, renew=renew, argument="cache", batcher=self._batcher)

        while True:
            path, was_cached = await self._folder.path_for(url.url, name, fetch)
            try:
                return Fetched(await run_sync(path.read_bytes, abandon_on_cancel=True), was_cached)
            except FileNotFoundError as error:
                await self.remove(url)
                if not was_cached:
                    raise InputError(f"was deleted while it was read: {path}", path="cache") from error
            except OSError as error:
                raise file_error(error, "cannot be read", path, "cache") from error

    async def remove(self, url: URL) -> None:
        """Remove a file from the cache."""
        if self._folder is not None:
            await self._folder.delete(url.url)


class SampleFiles:
    """The images of a sample and the bitmaps of its label; signed addresses are renewed if the sample has a uuid."""

    def __init__(self, files: ReleaseFiles, sample: ReleaseSample) -> None:
        self._files = files
        self._name = sample.name
        uuid, session = sample.uuid, files.session
        self._images = SignedUrls(refresh=None if uuid is None else signed_by_sample(session, uuid))
        self._bitmaps = SignedUrls(refresh=None if uuid is None else signed_by_label(session, uuid, files.labelset))

    async def image(self, url: URL) -> Fetched:
        """Fetch an image."""
        return await self._files.read(self._images, url, self._name)

    async def bitmap(self, url: URL) -> Fetched:
        """Fetch a bitmap; its address cannot be renewed once the label has another bitmap."""
        return await self._files.read(self._bitmaps, url, self._name)

    async def remove(self, url: URL) -> None:
        """Remove a file from the cache that turned out not to be an image."""
        await self._files.remove(url)
