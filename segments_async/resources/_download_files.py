from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import attrs
from anyio.to_thread import run_sync

from segments_async._download import file_url, get_file
from segments_async._partial import Placer
from segments_async._wire.addresses import address_digest, content_address, digest_in, file_name
from segments_async._wire.endpoint import segment
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.errors import InputError, SegmentsError
from segments_async.models import ReleaseSample, Sample
from segments_async.resources._one_by_one import OneByOne
from segments_async.resources._signed_addresses import Addresses, files_in, signed_by_sample

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from segments_async._session import Session, Trace
    from segments_async.bulk import BulkSettings

FILES_AT_ONCE = 8
"""Of one sample; over all samples, the connections are the bound."""


class Folder:
    """
    Files on disk, one for each content address, whatever they are called.

    Args:
        path: Where they are; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: dict[str, str] = {}
        self._under_way: dict[str, anyio.Event | None] = {}
        """Digests of what is being fetched, with what tells of the end, if somebody waits for it."""

    async def open(self) -> None:
        """
        Look at what is there from earlier runs.

        Raises:
            InputError: It can neither be made nor read.
        """
        try:
            await run_sync(self._look)
        except (OSError, ValueError) as error:  # a null character is a ValueError
            words = getattr(error, "strerror", None) or error
            raise InputError(f"cannot be used ({words}): {self._path}", path="folder") from error

    def _look(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with os.scandir(self._path) as entries:
            self._names = {digest: entry.name for entry in entries if (digest := digest_in(entry.name))}

    async def path_for(self, url: str, name: str | None, fetch: Callable[[Path], Awaitable[None]]) -> tuple[Path, bool]:
        """Say where the file is, after *fetch* has put it there unless it was; and whether it was."""
        digest = address_digest(url)
        while digest not in self._names:
            if digest in self._under_way:
                await self._end_of(digest)
                continue
            self._under_way[digest] = None
            file = file_name(url, name, digest)
            try:
                await fetch(self._path / file)
                self._names[digest] = file
            finally:
                if (ended := self._under_way.pop(digest)) is not None:
                    ended.set()
            return self._path / file, False
        return self._path / self._names[digest], True

    async def forget(self, url: str) -> None:
        """Delete the file, so that it is fetched when it is asked for again."""
        if (name := self._names.pop(address_digest(url), None)) is not None:
            await run_sync(partial((self._path / name).unlink, missing_ok=True))

    async def _end_of(self, digest: str) -> None:
        """Wait until somebody else has fetched it, or failed to."""
        ended = self._under_way[digest] = self._under_way[digest] or anyio.Event()
        await ended.wait()


class DownloadFiles(OneByOne["list[Path]"]):
    """Fetch files by their URLs, or all files of samples."""

    kind = "assets.download_many"
    noun = "items"

    def __init__(self, session: Session, folder: Folder, settings: BulkSettings) -> None:
        super().__init__(session, settings)
        self._folder = folder
        self._placer = Placer()

    def prepare(self, item: Any) -> Prepared:
        """Find the URLs of an item."""
        if isinstance(item, str):
            return Prepared(content_address(file_url(item, "")), (None, {item: item}))
        uuid, name, attributes = _parts_of(item)
        files = dict(files_in(attributes))
        if not files:
            raise InputError("the sample names no file", path="attributes")
        return Prepared(name, (name, files), uuid=uuid)

    async def send(self, jobs: Sequence[Job], trace: Trace) -> Sequence[Success[list[Path]] | SegmentsError]:
        """Fetch the files of one item; a failure is no unknown outcome, as nothing half is left."""
        [job] = jobs
        name, files = job.prepared.body
        uuid = job.prepared.uuid
        addresses = Addresses(files, None if uuid is None else signed_by_sample(self._session, uuid, trace))
        found: dict[str, tuple[Path, bool] | SegmentsError] = {}

        async def fetch(url: str) -> None:
            try:
                found[url] = await self._folder.path_for(
                    url, name, lambda path: self._fetch(addresses, url, path, trace)
                )
            except SegmentsError as error:
                found[url] = error

        if len(files) == 1:
            await fetch(*files)
        else:
            await _for_each(files, fetch)
        results = [found[url] for url in files]
        failed = next((result for result in results if isinstance(result, SegmentsError)), None)
        if failed is not None:
            return [failed]
        paths = [result for result in results if not isinstance(result, SegmentsError)]
        there = all(was_there for _, was_there in paths)
        return [Success("existing" if there else "created", [path for path, _ in paths])]

    async def _fetch(self, addresses: Addresses, url: str, path: Path, trace: Trace) -> None:
        first, renew = await addresses.first(url), addresses.renewal(url)
        await get_file(self._session, first, path, renew=renew, trace=trace, what="folder", placer=self._placer)


async def _for_each(urls: Iterable[str], fetch: Callable[[str], Awaitable[None]]) -> None:
    limiter = anyio.CapacityLimiter(FILES_AT_ONCE)

    async def take_turn(url: str) -> None:
        async with limiter:
            await fetch(url)

    async with anyio.create_task_group() as group:
        for url in urls:
            group.start_soon(take_turn, url)


def _parts_of(item: Any) -> tuple[str, str, Any]:
    """The uuid, the name and the attributes of a sample."""
    if isinstance(item, Sample | ReleaseSample):
        parts: tuple[Any, Any, Any] = (item.uuid, item.name, item.attributes)
    elif isinstance(item, Mapping):
        parts = (item.get("uuid"), item.get("name"), item.get("attributes"))
    else:
        raise InputError(f"expected a URL or a sample, got {type(item).__name__}")
    uuid, name, attributes = parts
    segment(uuid, "uuid")
    if not isinstance(name, str):
        raise InputError(f"expected a string, got {type(name).__name__}", path="name")
    return str(uuid), name, attributes


def without_duplicate_check(settings: BulkSettings) -> BulkSettings:
    """Two items may share a file."""
    return attrs.evolve(settings, check_duplicates=False)
