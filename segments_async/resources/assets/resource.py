from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from segments_async._http.call_stats import CallStats
from segments_async._transfer.download import MAX_READ_BYTES, file_url, read_file
from segments_async._transfer.shared_folder import SharedFolder
from segments_async._validators import as_path
from segments_async._wire.arguments import check_count
from segments_async.bulk import BulkOptions, BulkSettings, BulkStream
from segments_async.bulk.option_help import with_option_help
from segments_async.resources._base import Resource
from segments_async.resources.assets.download import DownloadFiles, without_duplicate_check
from segments_async.resources.assets.upload_once import upload_asset

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from segments_async.bulk import BulkReport
    from segments_async.models import Asset, FileSource, ReleaseSample, Sample


@with_option_help
class Assets(Resource):
    """
    Files in the service's own storage.

    Source: the official SDK, ``upload_asset``; see ``docs/service.md``, "Assets and storage".
    """

    async def upload(self, file: FileSource, filename: str | None = None) -> Asset:
        """
        Upload a file of 100 MB at most; it is read from disk in chunks, never loaded whole.

        The upload may take as long as it needs, but a host that takes less than 1024 bytes per second over three
        minutes ends it, and `timeout` applies to each piece of 128 KiB.

        Example::

            asset = await client.assets.upload("violet.jpg")
            await client.samples.create("jane/flowers", "violet", {"image": {"url": asset.url}})

        Args:
            file: A path, the bytes, a file opened with mode ``"rb"``, or an ``UploadFile`` of FastAPI.
            filename: Its name on the service, whose extension decides the content type; by default the file's own.

        Returns:
            The asset; its `url` is the permanent address of the file.

        Raises:
            InputError: There is no such file, it cannot be read, it is empty or larger than 100 MB, its name is missing
                or not valid Unicode, or reading it raises an exception (the ``__cause__``).
            OutOfResourcesError: This machine has too many open files, or no memory left.
            RequestTimeoutError: The host takes it too slowly.
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
        Download any number of files to a folder, several at a time; existing files are kept.

        The folder is a cache: it has one file per address, however the address is signed and however many samples
        share it. The file's name is made from the sample's name, or from the address, and ends in a digest of the
        address; it cannot point outside the folder. A file is written under a temporary name and renamed, so it is
        complete or does not exist. An interrupted download resumes, provided the host sends a strong ``ETag`` and the
        size, and only with bytes of the same version. A download may take as long as it needs, but not less than 1024
        bytes per second over three minutes. The hosts never receive the API key. Parts that a killed process left are
        deleted.

        Example::

            report = await client.assets.download_many(client.samples.list("jane/flowers"), "images")
            for outcome in report.results:
                print(outcome.key, outcome.status, outcome.value)

        Args:
            items: URLs; or samples, as `Sample`, `ReleaseSample` or mappings with ``uuid``, ``name`` and
                ``attributes``, whose files are all downloaded. An iterable or async iterable, read only as fast as the
                files are downloaded.
            folder: Where to write; it is created if it does not exist.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``. `concurrency` limits the items in flight.

        Returns:
            One `Outcome` for each item. Its status is ``created``, ``existing`` if all its files already existed, or
            ``failed``, such as for a deleted file, an HTML page in its place, or a folder that has the file's name.
            `value` lists the paths of the files. Expired signed addresses of a sample are renewed.

        Raises:
            InputError: *folder* can be neither created nor read.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
            BulkError: An item failed, and ``on_error="raise"``; or *items* raised an exception.
        """
        settings = without_duplicate_check(BulkSettings.from_options(bulk, self.download_many))
        async with SharedFolder(as_path(folder, "folder")) as files:
            return await BulkStream(DownloadFiles(self._session, files, settings), items, settings).collect()

    async def read(self, url: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """
        Read a file into memory.

        Example::

            content = await client.assets.read(sample.attributes.image.url)

        Args:
            url: Its address, signed if necessary; the host never receives the API key.
            max_bytes: Size of the file at most, in bytes, counted while it is decompressed; 100 MB by default.

        Returns:
            The content of the file.

        Raises:
            InputError: The file is larger, or *url* is not a URL.
            NotFoundError: There is no such file.
            DecodeError: The host returned an HTML page instead, or no file.
            RequestTimeoutError: The host sends less than 1024 bytes per second over three minutes.
        """
        check_count(max_bytes, "max_bytes", 2**62)
        return await read_file(self._session, file_url(url), max_bytes=max_bytes)
