from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._releases.export_plan import PARQUET, Plan
from segments_async._releases.items import IterateOptions, ReleaseItems
from segments_async._releases.media import ReleaseFiles
from segments_async._releases.source import check_writable, identifier, release_url
from segments_async._threads import run_sync
from segments_async._transfer.download import get_file
from segments_async._validators import as_path, is_number
from segments_async._wire.arguments import check_name
from segments_async._wire.routes import CREATE_RELEASE, DELETE_RELEASE, GET_RELEASE, LIST_RELEASES
from segments_async.bulk.byte_progress import byte_progress
from segments_async.errors import InputError, ReleaseFailedError, RequestTimeoutError
from segments_async.models import Dataset, Release
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import Resource, create_or_find
from segments_async.resources.releases.reading import ReleaseReader

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from segments_async._http.session import Session
    from segments_async._releases import ReleaseFile, ReleaseSamples, ReleaseSummary
    from segments_async._releases.export_plan import ExportFormat, ExportReport
    from segments_async._releases.source import ReleaseSource
    from segments_async._streams.pages import Pages
    from segments_async._wire.arguments import OnError
    from segments_async.bulk import Progress

POLL_FRACTION = 0.1
"""The poll interval grows to this fraction of the time waited so far."""
MAX_POLL = 30.0
"""Seconds; the poll interval grows no further."""


class Releases(Resource):
    """
    Releases: snapshots of a dataset and its labels, each in one JSON file.

    Source: API documentation, "Releases".
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._reader = ReleaseReader(session)

    def list(self, dataset: str | Dataset, *, on_error: OnError = "raise") -> Pages[Release]:
        """
        List the releases of a dataset.

        Example::

            for release in await client.releases.list("jane/flowers"):
                print(release.name, release.status)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            on_error: ``"skip"`` leaves out a release that does not decode, and reports it in `Pages.skipped`.

        Returns:
            All releases; the service does not paginate them.
        """
        return self._single_page(LIST_RELEASES, Release, path={"dataset": dataset}, on_error=on_error)

    async def get(self, dataset: str | Dataset, name: str) -> Release:
        """
        Get a release.

        Example::

            release = await client.releases.get("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.

        Raises:
            NotFoundError: There is no such release.
        """
        return await self._session.call(GET_RELEASE, Release, path={"dataset": dataset, "name": name})

    async def create(
        self, dataset: str | Dataset, name: str, *, description: str = "", exist_ok: bool = False
    ) -> Release:
        """
        Create a release. The service builds it in the background; see `wait`.

        Example::

            await client.releases.create("jane/flowers", "v1", description="First hundred.")
            await client.releases.wait("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique in its dataset.
            description: A short text for readers.
            exist_ok: If a release with this name exists, return it unchanged, although samples and labels may have
                changed since it was made.

        Returns:
            The release, whose status is PENDING; that of one that exists may be any.

        Raises:
            AlreadyExistsError: A release with this name exists, and *exist_ok* is False.
        """
        body = {"name": check_name(name), "description": description}
        GET_RELEASE.fill(dataset=dataset, name=name)  # refuses a name that no later call could use in a path

        async def create() -> Release:
            return await self._session.call(CREATE_RELEASE, Release, path={"dataset": dataset}, json=body)

        async def find() -> Release:
            return await self.get(dataset, name)

        def same(found: Release) -> bool:
            return (found.description or "") == description

        return await create_or_find(self._session, create, find, same, exist_ok=exist_ok)

    async def delete(self, dataset: str | Dataset, name: str) -> None:
        """
        Delete a release; the samples and labels are kept.

        Example::

            await client.releases.delete("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.

        Raises:
            NotFoundError: There is no such release.
        """
        await self._session.call(DELETE_RELEASE, path={"dataset": dataset, "name": name})

    async def wait(self, dataset: str | Dataset, name: str, *, timeout: float = 600.0, poll: float = 2.0) -> Release:
        """
        Wait until a release is built.

        Example::

            release = await client.releases.wait("jane/flowers", "v1", timeout=1800)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.
            timeout: Seconds to wait at most.
            poll: Seconds between two requests at first; the interval grows to a tenth of the time waited, up to 30 s.

        Returns:
            The release, whose status is SUCCEEDED.

        Raises:
            ReleaseFailedError: The service failed to build it.
            RequestTimeoutError: It was still being built after *timeout*.
        """
        for path, seconds in (("timeout", timeout), ("poll", poll)):
            if not is_number(seconds) or not 0 < seconds <= math.inf:
                raise InputError(f"expected seconds above 0, got {seconds!r}", path=path)
        clock = self._session.clock
        started = clock.monotonic()
        deadline = started + timeout
        status = "not known"
        while (left := deadline - clock.monotonic()) > 0:
            with anyio.move_on_after(left) as looking:  # whatever the service does
                release = await self.get(dataset, name)
            if looking.cancelled_caught:
                break
            if release.status == "SUCCEEDED":
                return release
            if release.status == "FAILED":
                raise ReleaseFailedError(identifier(dataset), name)
            status = str(release.status)
            grown = min((clock.monotonic() - started) * POLL_FRACTION, MAX_POLL)
            await clock.sleep(max(0.0, min(max(poll, grown), deadline - clock.monotonic())))
        raise RequestTimeoutError(f"release {name!r} of {identifier(dataset)} was still {status} after {timeout:g} s")

    async def download(
        self,
        dataset: str | Dataset,
        name: str,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Path:
        """
        Download the file of a release that has been built.

        The file is on another host, which never receives the API key. It is streamed to a temporary file beside *path*
        and renamed at the end, so *path* is complete or does not exist. An interrupted download resumes, as long as
        each attempt makes progress; an address whose signature has expired is renewed.

        If the download fails, is cancelled or is killed, the part that arrived is kept in hidden files beside *path*
        (``.flowers-v1.json.part`` and ``.part.json``), provided it has at least 1 MiB and the host sends a strong
        ``ETag`` and the size. The next call with the same *path* resumes it; a part with another ``ETag`` or another
        total size is discarded. Concurrent downloads to the same *path* do not interfere. On Windows, no part is kept.

        The download may take hours, but not less than 1024 bytes per second over three minutes.

        Example::

            path = await client.releases.download("jane/flowers", "v1", "flowers-v1.json")
            async with open_release(path) as release:
                print(await release.summary())

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.
            path: Where to write; an existing file is replaced.
            progress: Called with a `Progress`, whose `done` and `total` are bytes, at most ten times a second and at
                the end: ``progress=tqdm_progress("v1", unit="B", unit_scale=True)``.

        Returns:
            *path*.

        Raises:
            InputError: *path* cannot be written, or the release is still being built.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
            ReleaseFailedError: The service failed to build it.
            DecodeError: It has no file, or the host returned an HTML page instead.
        """
        target = as_path(path)
        await run_sync(check_writable, target)

        async def get_url() -> str:
            return release_url(await self.get(dataset, name), identifier(dataset))

        with byte_progress(progress) as report:
            await get_file(self._session, await get_url(), target, renew=get_url, on_progress=report, resume=True)
        return target

    def open(self, source: ReleaseSource, name: str | None = None) -> AbstractAsyncContextManager[ReleaseFile]:
        """
        Open a release, to read it sample by sample whatever its size.

        A release that is not on disk is first downloaded completely to the folder for temporary files (``TMPDIR``), and
        deleted at the end of the block. So a slow reader does not occupy a connection, a lost connection does not
        interrupt it, and the categories may be anywhere in the file. To read a large release more than once, or to see
        the progress of the download, `download` it and open the file.

        Example::

            async with client.releases.open("jane/flowers", "v1") as release:
                print(release.dataset.task_type, await release.summary())
                async for sample in release.samples(labelset="ground-truth", label_status="REVIEWED"):
                    print(sample.name, sample.labels["ground-truth"])

        Args:
            source: The dataset, together with *name*; or, without *name*, a `Release`, the URL of a file, or a path.
            name: The release's name.

        Raises:
            InputError: There is no such file, it cannot be stored, or the release is still being built.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
            ReleaseFailedError: The service failed to build it.
            DecodeError: The file is not a release.
        """
        return self._reader.open(source, name)

    @asynccontextmanager
    async def stream_samples(
        self,
        source: ReleaseSource,
        name: str | None = None,
        *,
        labelset: str | None = None,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        on_error: OnError = "raise",
    ) -> AsyncIterator[ReleaseSamples]:
        """
        Read the samples of a release: `open` and `ReleaseFile.samples` in one call.

        As with `open`, the whole file is downloaded first.

        Example::

            async with client.releases.stream_samples("jane/flowers", "v1", labelset="ground-truth") as samples:
                async for sample in samples:
                    print(sample.name, sample.labels["ground-truth"])

        Args:
            source: As in `open`.
            name: As in `open`.
            labelset: As in `ReleaseFile.samples`.
            label_status: Only samples whose label has one of these statuses; as in `ReleaseFile.samples`.
            metadata: Only samples with all of these; as in `ReleaseFile.samples`.
            on_error: ``"skip"`` leaves out samples that do not decode; as in `ReleaseFile.samples`.

        Raises:
            InputError: There is no such labelset; or as in `open`.
            DecodeError: A sample does not decode, or the file is damaged.
        """
        async with self._reader.open(source, name) as release:
            yield release.samples(labelset=labelset, label_status=label_status, metadata=metadata, on_error=on_error)

    async def summary(self, source: ReleaseSource, name: str | None = None) -> ReleaseSummary:
        """
        Count the samples of a release, its labels by status, and its annotations by category.

        Example::

            summary = await client.releases.summary("jane/flowers", "v1")
            print(summary.samples, summary.labelsets["ground-truth"].statuses)

        Args:
            source: As in `open`.
            name: As in `open`.

        Returns:
            The counts.

        Raises:
            DecodeError: The file is not a release; or as in `open`.
        """
        async with self._reader.open(source, name) as release:
            return await release.summary()

    async def export(
        self,
        release: ReleaseSource,
        folder: str | os.PathLike[str],
        format: ExportFormat,
        *,
        name: str | None = None,
        labelset: str = GROUND_TRUTH,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        id_increment: int | None = None,
        images: bool = True,
        image_size: tuple[int, int] | None = None,
        refresh: bool = False,
        overwrite: bool = False,
        on_error: OnError = "raise",
        concurrency: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ExportReport:
        """
        Export the images and labels of a release to another format (extra ``export``; of Parquet, ``arrow``).

        Example::

            report = await client.releases.export("jane/flowers", "out", "coco-panoptic", name="v1")
            print(report.file, report.folder)

        The files are those that the official SDK's ``export_dataset`` writes when it runs in *folder*;
        `segments_async.export` lists the differences and their reasons. Samples are read, fetched and written a few at
        a time, so a release of any size needs little memory. Each file is written under a temporary name and renamed;
        the JSON file is written last. Expired signed addresses are renewed.

        A second export of the same format and labelset into the same folder gives what it alone would give. A hidden
        manifest beside the images lists what was written: images of the same address are not fetched again, files
        that are stale are deleted, and files that no export wrote are never touched. Exports of several formats may
        share a folder. A release that was deleted and made again under its name counts as the same one; a warning on
        the logger ``segments_async`` names exports of the earlier one in other formats, which stay until they are
        repeated.

        Args:
            release: As *source* in `open`, or an open `ReleaseFile`.
            folder: Where to write; it is created if it does not exist.
            format: For bitmaps: ``"coco-instance"``, ``"coco-panoptic"``, ``"polygon"`` (extra ``polygons``),
                ``"semantic"``, ``"semantic-color"``, ``"instance"``, ``"instance-color"``. For boxes: ``"yolo"``.
                ``"coco-instance"`` also accepts boxes, polygons and points. For labels of all types: ``"parquet"``,
                which writes ``samples.parquet`` and ``labels.parquet`` with the columns of `segments_async.tables`
                into *folder* itself, without images.
            name: As in `open`.
            labelset: The labelset to export.
            label_status: Only samples whose label has one of these statuses, in upper or lower case.
            metadata: Only samples with all of these, as in ``samples.list``.
            id_increment: Added to category ids in ``"semantic"`` and ``"yolo"``. By default nothing is added in
                ``"semantic"``, and YOLO's classes are 0, 1, 2 and so on, in the order of the categories, which is what
                Ultralytics trains on; 0 keeps the ids, as the official SDK does. Like `image_size` and `refresh`, it is
                refused for ``"parquet"``.
            images: Whether to write the images too.
            image_size: Width and height of all images in pixels, used where no bitmap gives them; by default each
                image is read for its size, also with ``images=False``.
            refresh: Whether to fetch images again that already exist.
            overwrite: Whether to replace all that earlier exports wrote to the folder of the release, whatever their
                release, labelset or format, and files of others that are in the way. By default, what is in the way is
                refused. Of Parquet, only the two files are replaced.
            on_error: ``"skip"`` leaves out samples that cannot be exported; the report lists them with their errors.
            concurrency: Samples in flight at once; by default 16, or the client's number of connections if smaller.
            progress: Called with a `Progress` at most ten times a second, and at the end.

        Returns:
            Where the files are, how many samples were exported, and what the format cannot represent.

        Raises:
            ImportError: An extra is not installed.
            InputError: There is no such labelset, the format does not support this task type, another export or a file
                that no export wrote is in the way, or *folder* cannot be written.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
            DecodeError: The release file is damaged.
            ExportError: A sample cannot be exported, and ``on_error="raise"``.
        """
        plan = Plan(
            folder=as_path(folder, "folder"),
            format=format,
            labelset=labelset,
            label_status=label_status,
            metadata=metadata,
            id_increment=id_increment,
            images=images,
            image_size=image_size,
            refresh=refresh,
            overwrite=overwrite,
            on_error=on_error,
            concurrency=concurrency,
            progress=progress,
        )
        plan.check()
        clock = self._session.clock.monotonic
        if format == PARQUET:
            from segments_async.tables.export import TablesExport  # noqa: PLC0415 (an extra)

            async with self._reader.open(release, name) as opened:
                return await TablesExport(opened, plan, clock=clock).run()
        from segments_async.export import Export  # noqa: PLC0415 (an extra)

        max_connections = self._session.max_connections
        async with self._reader.open(release, name) as opened:
            files = ReleaseFiles(self._session, labelset)
            return await Export(opened, plan, files, max_connections=max_connections, clock=clock).run()

    def iterate(
        self,
        source: ReleaseSource,
        name: str | None = None,
        *,
        images: bool = True,
        bitmaps: bool = True,
        labelset: str = GROUND_TRUTH,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        prefetch: int = 16,
        shard: tuple[int, int] = (0, 1),
        shuffle_buffer: int = 0,
        seed: int = 0,
        cache: str | os.PathLike[str] | None = None,
        files: bool = False,
        on_error: OnError = "raise",
    ) -> ReleaseItems:
        """
        Iterate over a release with its images and label bitmaps, prefetched in the background (extra ``images``).

        Example::

            async with client.releases.iterate("flowers-v1.json", label_status="REVIEWED") as items:
                async for sample, image, label, bitmap in items:
                    train_on(image, bitmap)

        There is one item per image. Images of a sequence come frame by frame, and within a frame by sensor, or by the
        cameras of a point cloud; `ReleaseItem` has the frame, the sensor, the camera and the annotations of its image.
        Images and bitmaps are decoded in worker threads; expired signed addresses are renewed.
        `segments_async.training` makes datasets of this for PyTorch and ``datasets``.

        Args:
            source: As in `open`; with a path or a *cache*, it is not downloaded each time.
            name: As in `open`.
            images: Whether to fetch and decode images. If not, there is one item per sample.
            bitmaps: Whether to fetch and decode the bitmaps of segmentation labels.
            labelset: The labelset of the labels; an item's label is None if its sample has none there.
            label_status: Only samples whose label has one of these statuses, in upper or lower case.
            metadata: Only samples with all of these, as in ``samples.list``.
            prefetch: Images fetched or buffered ahead, 1000 at most. Together, decoded images and bitmaps that were not
                taken yet need 1 GiB of memory at most, and one larger image.
            shard: ``(index, count)``: only every *count*-th sample, starting at *index*; splits a release among
                workers.
            shuffle_buffer: Images to choose the next one from at random, before they are downloaded: only their samples
                are in memory. 0 keeps the order of the file.
            seed: Determines the order; use another one for each epoch.
            cache: Folder that caches images, bitmaps and release files of the service, so the next epoch fetches
                nothing. It may be the folder of ``assets.download_many``, and workers may share it. A file that is
                gone, empty, cut or damaged is fetched again once. Files are found by their address without its
                signature. The address of a release file contains an id of its own, so a release that was deleted and
                made again under its name is downloaded anew. A release that is given by a path or a URL is not cached.
            files: Whether to keep the file of each image, in `ReleaseItem.file`.
            on_error: ``"skip"`` leaves out a sample that does not decode, and an image if it or its bitmap cannot be
                fetched or decoded, and reports it in `ReleaseItems.skipped`.

        Returns:
            An async context manager that iterates over the items, in the order of the file unless they are shuffled.
            Leaving it early cancels the requests in flight.

        Raises:
            DecodeError: The file is damaged, or an image cannot be decoded.
            ImportError: *images* or *bitmaps* is true, and the extra is not installed.
            InputError: As in `open`; there is no such labelset, a sample has no image (a point cloud without cameras),
                or *cache* cannot be written.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
        """
        options = IterateOptions(
            images=images,
            bitmaps=bitmaps,
            labelset=labelset,
            label_status=label_status,
            metadata=metadata,
            prefetch=prefetch,
            shard=shard,
            shuffle_buffer=shuffle_buffer,
            seed=seed,
            files=files,
            on_error=on_error,
        )
        media = ReleaseFiles(self._session, labelset, None if cache is None else as_path(cache, "cache"))
        opened = self._reader.open(source, name) if cache is None else self._reader.open_cached(source, name, media)
        return ReleaseItems(opened, media, options)
