from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from segments_async._transfer.download import file_url, get_file
from segments_async._transfer.file_names import content_address
from segments_async._transfer.signed_urls import SignedUrls, files_in, signed_by_sample
from segments_async._transfer.thread_batch import ThreadBatcher
from segments_async._wire.endpoint import plain_text, segment
from segments_async._wire.suffixes import split_file_suffix
from segments_async.bulk.item_errors import item_error
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.errors import InputError, SegmentsError
from segments_async.models import ReleaseSample, Sample
from segments_async.resources._operations import PerItemOperation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async._transfer.folder import DownloadFolder
    from segments_async.bulk import BulkSettings
    from segments_async.bulk.outcomes import Status

MAX_CONCURRENT_FILES = 8
"""Files of one sample fetched at the same time; the number of connections limits the total."""


class DownloadFiles(PerItemOperation["list[Path]"]):
    """Download files by their URLs, or all files of samples."""

    kind = "assets.download_many"
    items_name = "items"

    def __init__(self, session: Session, folder: DownloadFolder, settings: BulkSettings) -> None:
        super().__init__(session, settings)
        self._folder = folder
        self._batcher = ThreadBatcher()

    def prepare(self, item: Any) -> Prepared:
        """Find the URLs of an item."""
        if isinstance(item, str):
            url = file_url(plain_text(item), "")
            return Prepared(content_address(url), (None, {url: url}))
        uuid, name, attributes = _sample_fields(item)
        files = dict(files_in(attributes))
        if not files:
            raise InputError("the sample has no files", path="attributes")
        return Prepared(name, (name, files), uuid=uuid)

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[list[Path]] | SegmentsError]:
        """Fetch the files of one item; a failed file is not written, so no outcome is unknown."""
        [job] = jobs
        name, files = job.prepared.body
        uuid = job.prepared.uuid
        addresses = SignedUrls(files, None if uuid is None else signed_by_sample(self._session, uuid, stats))
        if len(files) == 1:
            [url] = files
            results = [await self._fetch(addresses, url, name, stats)]
        else:
            results = await self._fetch_all(addresses, files, name, stats)
        paths = []
        status: Status = "existing"
        for result in results:
            if isinstance(result, SegmentsError):
                return [result]
            path, existed = result
            paths.append(path)
            status = status if existed else "created"
        return [Success(status, paths)]

    async def _fetch_all(
        self, addresses: SignedUrls, urls: Iterable[str], name: str | None, stats: CallStats
    ) -> list[tuple[Path, bool] | SegmentsError]:
        """Fetch several files of one item."""
        name = None if name is None else split_file_suffix(name)[0]  # its suffix is not that of each file
        fetched: dict[str, tuple[Path, bool] | SegmentsError] = {}

        async def fetch(url: str) -> None:
            fetched[url] = await self._fetch(addresses, url, name, stats)

        await _for_each(urls, fetch)
        return [fetched[url] for url in urls]

    async def _fetch(
        self, addresses: SignedUrls, url: str, name: str | None, stats: CallStats
    ) -> tuple[Path, bool] | SegmentsError:
        """Return the path of a file and whether it existed, or why it could not be fetched."""
        try:
            return await self._folder.path_for(url, name, partial(self._fetch_to, addresses, url, stats))
        except Exception as error:  # noqa: BLE001 (whatever one address provokes is the error of its item)
            return item_error(error)

    async def _fetch_to(self, addresses: SignedUrls, url: str, stats: CallStats, path: Path) -> str:
        first, renew = await addresses.resolve(url), addresses.renewal(url)
        return await get_file(
            self._session, first, path, renew=renew, stats=stats, argument="folder", batcher=self._batcher
        )


async def _for_each(urls: Iterable[str], fetch: Callable[[str], Awaitable[None]]) -> None:
    limiter = anyio.CapacityLimiter(MAX_CONCURRENT_FILES)

    async def fetch_limited(url: str) -> None:
        async with limiter:
            await fetch(url)

    async with anyio.create_task_group() as group:
        for url in urls:
            group.start_soon(fetch_limited, url)


def _sample_fields(item: Any) -> tuple[str | None, str, Any]:
    """Return the uuid, if it has one, the name and the attributes of a sample."""
    if isinstance(item, Sample | ReleaseSample):
        fields: tuple[Any, Any, Any] = (item.uuid, item.name, item.attributes)
    elif isinstance(item, Mapping):
        fields = (item.get("uuid"), item.get("name"), item.get("attributes"))
    else:
        raise InputError(f"expected a URL or a sample, got {type(item).__name__}")
    uuid, name, attributes = fields
    uuid, name = plain_text(uuid, "uuid"), plain_text(name, "name")
    if uuid is not None or not isinstance(item, ReleaseSample):  # of older releases, samples have none
        segment(uuid, "uuid")
    if not isinstance(name, str):
        raise InputError(f"expected a string, got {type(name).__name__}", path="name")
    return None if uuid is None else str(uuid), name, attributes


def without_duplicate_check(settings: BulkSettings) -> BulkSettings:
    """Turn off the check for duplicates, as two items may share a file."""
    return attrs.evolve(settings, check_duplicates=False)
