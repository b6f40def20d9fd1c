from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from segments_async._http.call_stats import CallStats
from segments_async._transfer.download import MAX_READ_BYTES, file_url, read_file
from segments_async._transfer.folder import DownloadFolder
from segments_async._wire.arguments import check_count
from segments_async.bulk import BulkOptions, BulkSettings, BulkStream
from segments_async.resources._base import Resource
from segments_async.resources.assets.download import DownloadFiles, without_duplicate_check
from segments_async.resources.assets.upload_once import upload_asset

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Iterable, Mapping
    from typing import Any

    from segments_async.bulk import BulkReport
    from segments_async.models import Asset, FileSource, ReleaseSample, Sample


class Assets(Resource):
    """
    Files in the service's own storage.

    Source: the official SDK, ``upload_asset`` (`api.md`).
    """

    async def upload(self, file: FileSource, filename: str | None = None) -> Asset:
        """
        Upload a file of 100 MB at most; it is read from disk in pieces, never whole.

        Example:
            ::

                asset = await client.assets.upload("violet.jpg")
                await client.samples.create("jane/flowers", "violet", {"image": {"url": asset.url}})

        Args:
            file: A path, the bytes, or a file opened with mode ``"rb"``.
            filename: Its name on the service, whose extension decides the content type; by default the path's.

        Returns:
            The asset; its `url` is the file's address from then on.

        Raises:
            InputError: There is no such file, it is empty or above 100 MB, or it has no name.
        """
        return await upload_asset(self._session, file, filename, CallStats())

    async def download_many(
        self,
        items: Iterable[str | Sample | ReleaseSample | Mapping[str, Any]]
        | AsyncIterable[str | Sample | ReleaseSample | Mapping[str, Any]],
        folder: str | os.PathLike[str],
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[list[Path]]:
        """
        Download any number of files to a folder, several at a time; what is there from an earlier run stays.

        The folder is a cache: each address has one file there, whose name ends in a digest of it, however the address
        is signed and however many samples share it. The rest of the name is the sample's, or the address's, with
        nothing in it that leads out of the folder. A file is written under a temporary name and renamed, so that it is
        whole or not there; after a cut it goes on where it was. The hosts never see the API key.

        Example:
            ::

                report = await client.assets.download_many(client.samples.list("jane/flowers"), "images")
                for outcome in report.results:
                    print(outcome.key, outcome.status, outcome.value)

        Args:
            items: URLs; or samples, as `Sample`, `ReleaseSample` or mappings with ``uuid``, ``name`` and
                ``attributes``: all files that those name. An iterable or async iterable, which is pulled only when
                there is room.
            folder: Where to write; it is made if it is not there.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`; `concurrency` bounds the items under way.

        Returns:
            One `Outcome` for each item: ``created``; ``existing`` if all its files were there; or ``failed``, such as
            for a file that is gone, or a page of HTML in its place. `value` lists where the files are. The signed
            addresses of a sample are asked for anew when they have expired.

        Raises:
            InputError: *folder* can neither be made nor read.
            BulkError: An item failed, and ``on_error="raise"``.
        """
        settings = without_duplicate_check(BulkSettings.from_options(bulk))
        files = DownloadFolder(Path(folder))
        await files.open()
        return await BulkStream(DownloadFiles(self._session, files, settings), items, settings).collect()

    async def read(self, url: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """
        Read a file into memory.

        Example:
            ::

                content = await client.assets.read(sample.attributes.image.url)

        Args:
            url: Its address, signed if need be; the host never sees the API key.
            max_bytes: Bytes that it may have at most, 100 MB by default.

        Returns:
            The file.

        Raises:
            InputError: It is larger, or *url* is none.
            NotFoundError: There is no such file.
            DecodeError: A page of HTML came instead.
        """
        check_count(max_bytes, "max_bytes", 2**62)
        return await read_file(self._session, file_url(url), max_bytes=max_bytes)
