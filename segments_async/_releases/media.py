"""The images and bitmaps of a release, wherever they can be read now, or in the folder where they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from segments_async._transfer.download import get_file, read_file
from segments_async._transfer.folder import DownloadFolder
from segments_async._transfer.signed_urls import SignedUrls, signed_by_label, signed_by_sample
from segments_async._transfer.thread_batch import ThreadBatcher
from segments_async.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from segments_async._http.session import Session
    from segments_async._transfer.download import Renew
    from segments_async.models import URL, ReleaseSample


class ReleaseFiles:
    """
    Read what the samples of a release name.

    Args:
        session: Makes the calls.
        labelset: Whose labels have the bitmaps.
        cache: Folder in which files are kept; None keeps none.
    """

    def __init__(self, session: Session, labelset: str, cache: Path | None = None) -> None:
        self.session = session
        self.labelset = labelset
        self._folder = None if cache is None else DownloadFolder(cache)
        self._batcher = ThreadBatcher()

    async def open(self) -> None:
        """
        Look at what is kept from earlier runs.

        Raises:
            InputError: The folder can neither be made nor read.
        """
        if self._folder is not None:
            try:
                await self._folder.open()
            except InputError as error:
                raise InputError(error.problem, path="cache") from error

    def of(self, sample: ReleaseSample) -> SampleFiles:
        """Read those of one sample."""
        return SampleFiles(self, sample)

    async def keep(self, name: str, url: str, renew: Renew | None) -> Path:
        """Say where the file of the release itself is kept, once it is there."""
        assert self._folder is not None

        async def fetch(path: Path) -> None:
            await get_file(self.session, url, path, renew=renew, argument="cache", resume=True)

        path, _ = await self._folder.path_for(url, name, fetch)
        return path

    async def read(self, addresses: SignedUrls, url: URL, name: str) -> bytes:
        """Fetch a file, or read it where it is kept."""
        if self._folder is None:
            first = await addresses.resolve(url.url, url.signed_url)
            return await read_file(self.session, first, renew=addresses.renewal(url.url))

        async def fetch(path: Path) -> None:
            first, renew = await addresses.resolve(url.url, url.signed_url), addresses.renewal(url.url)
            await get_file(self.session, first, path, renew=renew, argument="cache", batcher=self._batcher)

        path, _ = await self._folder.path_for(url.url, name, fetch)
        try:
            return await run_sync(path.read_bytes, abandon_on_cancel=True)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror}): {path}", path="cache") from error

    async def forget(self, url: URL) -> None:
        """Keep a file no longer."""
        if self._folder is not None:
            await self._folder.delete(url.url)


class SampleFiles:
    """The images of a sample and the bitmaps of its label, whose addresses are signed anew when they have expired."""

    def __init__(self, files: ReleaseFiles, sample: ReleaseSample) -> None:
        self._files = files
        self._name = sample.name
        self._images = SignedUrls(refresh=signed_by_sample(files.session, sample.uuid))
        self._bitmaps = SignedUrls(refresh=signed_by_label(files.session, sample.uuid, files.labelset))

    async def image(self, url: URL) -> bytes:
        """Fetch an image."""
        return await self._files.read(self._images, url, self._name)

    async def bitmap(self, url: URL) -> bytes:
        """Fetch a bitmap; if the label has another by now, there is no new address for this one."""
        return await self._files.read(self._bitmaps, url, self._name)

    async def forget(self, url: URL) -> None:
        """Keep a file no longer that is not what it should be."""
        await self._files.forget(url)
