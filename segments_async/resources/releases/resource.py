from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._releases.items import IterateOptions, ReleaseItems
from segments_async._releases.media import ReleaseFiles
from segments_async._releases.source import check_writable, file_of, shown
from segments_async._transfer.download import get_file
from segments_async._validators import is_number
from segments_async._wire.arguments import check_name
from segments_async._wire.routes import CREATE_RELEASE, DELETE_RELEASE, GET_RELEASE, LIST_RELEASES
from segments_async.bulk.byte_progress import byte_progress
from segments_async.errors import InputError, ReleaseFailedError, RequestTimeoutError
from segments_async.models import Dataset, Release
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import Resource, create_once
from segments_async.resources.releases.reading import ReleaseReader

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from segments_async._http.session import Session
    from segments_async._releases import ReleaseFile, ReleaseSamples, ReleaseSummary
    from segments_async._releases.source import ReleaseSource
    from segments_async._streams.pages import Pages
    from segments_async._wire.arguments import OnError
    from segments_async.bulk import Progress
    from segments_async.export import ExportFormat, ExportReport

POLL_SHARE = 0.1
"""What takes long is looked at less often: after such a share of the time that passed."""
MAX_POLL = 30.0


class Releases(Resource):
    """
    Releases: snapshots of a dataset with its labels, as one JSON file.

    Source: API documentation, "Releases".
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._reader = ReleaseReader(session)

    def list(self, dataset: str | Dataset, *, on_error: OnError = "raise") -> Pages[Release]:
        """
        List the releases of a dataset.

        Example:
            ::

                for release in await client.releases.list("jane/flowers"):
                    print(release.name, release.status)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            on_error: ``"skip"`` leaves out a release that does not decode, and tells of it in `Pages.skipped`.

        Returns:
            All of them; the service gives them in one piece.
        """
        return self._whole(LIST_RELEASES, Release, path={"dataset": dataset}, on_error=on_error)

    async def get(self, dataset: str | Dataset, name: str) -> Release:
        """
        Get a release.

        Example:
            ::

                release = await client.releases.get("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.

        Raises:
            NotFoundError: There is no such release.
        """
        return await self._session.call(GET_RELEASE, Release, path={"dataset": dataset, "name": name})

    async def create(self, dataset: str | Dataset, name: str, *, description: str = "") -> Release:
        """
        Ask for a release; it is built in the background, see `wait`.

        Example:
            ::

                await client.releases.create("jane/flowers", "v1", description="First hundred.")
                await client.releases.wait("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique in its dataset.
            description: A line for people.

        Returns:
            The release, which is PENDING.

        Raises:
            AlreadyExistsError: There is one of this name.
        """
        body = {"name": check_name(name), "description": description}
        GET_RELEASE.fill(dataset=dataset, name=name)  # a release that cannot be asked for is of no use

        async def create() -> Release:
            return await self._session.call(CREATE_RELEASE, Release, path={"dataset": dataset}, json=body)

        async def find() -> Release:
            return await self.get(dataset, name)

        return await create_once(self._session, create, find, lambda found: (found.description or "") == description)

    async def delete(self, dataset: str | Dataset, name: str) -> None:
        """
        Delete a release; the samples and labels stay.

        Example:
            ::

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

        Example:
            ::

                release = await client.releases.wait("jane/flowers", "v1", timeout=1800)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.
            timeout: Seconds to wait at most.
            poll: Seconds between two looks; in time they become a tenth of those that passed, up to 30.

        Returns:
            The release, which has SUCCEEDED.

        Raises:
            ReleaseFailedError: The service could not build it.
            RequestTimeoutError: It was still being built after *timeout*.
        """
        for path, seconds in (("timeout", timeout), ("poll", poll)):
            if not is_number(seconds) or not 0 < seconds <= math.inf:
                raise InputError(f"expected seconds above 0, got {seconds!r}", path=path)
        clock = self._session.clock
        started = clock.monotonic()
        deadline = started + timeout
        while True:
            release = await self.get(dataset, name)
            if release.status == "SUCCEEDED":
                return release
            if release.status == "FAILED":
                raise ReleaseFailedError(shown(dataset), name)
            left = deadline - clock.monotonic()
            if left <= 0:
                raise RequestTimeoutError(
                    f"release {name!r} of {shown(dataset)} was still {release.status} after {timeout:g} s"
                )
            slower = min((clock.monotonic() - started) * POLL_SHARE, MAX_POLL)
            await clock.sleep(min(max(poll, slower), left))

    async def download(
        self,
        dataset: str | Dataset,
        name: str,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Path:
        """
        Download the file of a release that is built.

        The file lives on another host, which never sees the API key. It is streamed to a temporary name beside
        *path* and renamed at the end, so that *path* is whole or not there. After a cut it goes on where it was, as
        often as there is something more each time; an address whose signature has expired is asked for anew.

        What came before it failed, was cancelled or killed stays beside *path*, hidden (``.flowers-v1.json.part`` and
        ``.part.json``), if it is a MiB at least and the host names the content by a strong ``ETag``. The next call with
        the same *path* goes on from there; a part of anything else is thrown away. What is downloaded to one *path*
        twice at the same time is not mixed up. On Windows nothing stays.

        Example:
            ::

                path = await client.releases.download("jane/flowers", "v1", "flowers-v1.json")
                async with open_release(path) as release:
                    print(await release.summary())

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.
            path: Where to write; a file that is there is replaced.
            progress: Called with a `Progress`, whose `done` and `total` are bytes, at most ten times a second and at
                the end: ``progress=tqdm_progress("v1", unit="B", unit_scale=True)``.

        Returns:
            *path*.

        Raises:
            InputError: *path* cannot be written, a full disk included, or the release is still being built.
            ReleaseFailedError: The service could not build it.
            DecodeError: It has no file, or a page of HTML came instead.
        """
        target = Path(path)
        await anyio.to_thread.run_sync(check_writable, target)

        async def find() -> str:
            return file_of(await self.get(dataset, name), shown(dataset))

        with byte_progress(progress) as tell:
            await get_file(self._session, await find(), target, renew=find, on_progress=tell, resume=True)
        return target

    def open(self, source: ReleaseSource, name: str | None = None) -> AbstractAsyncContextManager[ReleaseFile]:
        """
        Open a release, to read it sample by sample, however large it is.

        What is not on disk yet is first downloaded, whole, to the folder for temporary files (``TMPDIR``), and deleted
        when the block is left: so a slow reader holds no connection, no cut disturbs it, and it does not matter where
        in the file the categories stand. To read a large release more than once, or to see how far it is, `download`
        it, and open the file.

        Example:
            ::

                async with client.releases.open("jane/flowers", "v1") as release:
                    print(release.dataset.task_type, await release.summary())
                    async for sample in release.samples(labelset="ground-truth", label_status="REVIEWED"):
                        print(sample.name, sample.labels["ground-truth"])

        Args:
            source: The dataset, with *name*; or without it a `Release`, the URL of a file, or a path.
            name: The release's name.

        Raises:
            InputError: There is no such file, it cannot be kept (a full disk), or the release is still being built.
            ReleaseFailedError: The service could not build it.
            DecodeError: The file is no release.
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
        Read the samples of a release: `open` and `ReleaseFile.samples` in one, so that all of it is downloaded first.

        Example:
            ::

                async with client.releases.stream_samples("jane/flowers", "v1", labelset="ground-truth") as samples:
                    async for sample in samples:
                        print(sample.name, sample.labels["ground-truth"])

        Args:
            source: As in `open`.
            name: As in `open`.
            labelset: As in `ReleaseFile.samples`, like the rest.
            label_status: Only samples whose label has one of these statuses.
            metadata: Only samples with all of these.
            on_error: ``"skip"`` leaves out samples that do not decode.

        Raises:
            InputError: There is no such labelset; or as `open`.
            DecodeError: A sample does not decode, or the file is damaged.
        """
        async with self._reader.open(source, name) as release:
            yield release.samples(labelset=labelset, label_status=label_status, metadata=metadata, on_error=on_error)

    async def summary(self, source: ReleaseSource, name: str | None = None) -> ReleaseSummary:
        """
        Count the samples of a release, its labels by status, and its annotations by category.

        Example:
            ::

                summary = await client.releases.summary("jane/flowers", "v1")
                print(summary.samples, summary.labelsets["ground-truth"].statuses)

        Args:
            source: As in `open`.
            name: As in `open`.

        Raises:
            DecodeError: The file is no release; or as `open`.
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
        id_increment: int = 0,
        images: bool = True,
        image_size: tuple[int, int] | None = None,
        refresh: bool = False,
        on_error: OnError = "raise",
        concurrency: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ExportReport:
        """
        Write the images and labels of a release as files of another format (extra ``export``).

        Example:
            ::

                report = await client.releases.export("jane/flowers", "out", "coco-panoptic", name="v1")
                print(report.file, report.folder)

        The files are those that the official SDK's ``export_dataset`` writes when it runs in *folder*; where they
        differ, and why, is told in `segments_async.export`. Samples are read, fetched and written one after the other,
        a few at a time, so that a release of any size needs little memory. Each file is written under a temporary name
        and renamed; the JSON file comes last. Images that are there from an earlier run are not fetched again; signed
        addresses that have expired are asked for anew.

        Args:
            release: As `source` in `open`, or what that gave.
            folder: Where to write; it is made if it is not there.
            format: ``"coco-instance"``, ``"coco-panoptic"``, ``"polygon"`` (extra ``polygons``), ``"semantic"``,
                ``"semantic-color"``, ``"instance"``, ``"instance-color"``: of bitmaps. ``"yolo"``: of boxes.
                ``"coco-instance"`` takes boxes, polygons and points too.
            name: As in `open`.
            labelset: Whose labels.
            label_status: Only samples whose label has one of these statuses.
            metadata: Only samples with all of these: a mapping, or ``"key:value"`` strings.
            id_increment: Added to category ids in ``"semantic"`` and ``"yolo"``: -1 makes YOLO's 0, 1, 2 of 1, 2, 3.
            images: Whether the images are written too.
            image_size: Width and height of all images in pixels, where the bitmaps do not tell; by default each image
                is asked.
            refresh: Whether images are fetched although they are there.
            on_error: ``"skip"`` leaves out samples that cannot be exported; the report tells which, and why.
            concurrency: Samples under way at once; by default 16, or as many as the client has connections.
            progress: Called with a `Progress` at most ten times a second, and at the end.

        Returns:
            Where everything is, how many samples there were, and what the format cannot hold.

        Raises:
            ImportError: An extra is not installed.
            InputError: There is no such labelset, the format cannot hold this task type, or *folder* cannot be written,
                a full disk included.
            DecodeError: The release file is damaged.
            ExportError: A sample cannot be exported, and ``on_error="raise"``.
        """
        from segments_async.export import Export, Plan  # noqa: PLC0415 (an extra)

        plan = Plan(
            folder=Path(folder),
            format=format,
            labelset=labelset,
            label_status=label_status,
            metadata=metadata,
            id_increment=id_increment,
            images=images,
            image_size=image_size,
            refresh=refresh,
            on_error=on_error,
            concurrency=concurrency,
            progress=progress,
        )
        plan.check()
        max_connections, clock = self._session.max_connections, self._session.clock.monotonic
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
        cache: str | os.PathLike[str] | None = None,
        on_error: OnError = "raise",
    ) -> ReleaseItems:
        """
        Go through a release with its images and label bitmaps, fetched in the background (extra ``images``).

        Example:
            ::

                async with client.releases.iterate("flowers-v1.json", label_status="REVIEWED") as items:
                    async for sample, image, label, bitmap in items:
                        train_on(image, bitmap)

        There is an item for each image: of a sequence frame by frame, and in each frame sensor by sensor, or camera by
        camera of a point cloud; `ReleaseItem` says which it is, and what was annotated in it. Images and bitmaps are
        decoded in worker threads; signed addresses that have expired are asked for anew. ``docs/training.md`` adapts
        all of that to PyTorch and ``datasets``.

        Args:
            source: As in `open`; with a path or a *cache*, it is not downloaded each time.
            name: As in `open`.
            images: Whether to fetch and decode images. Without, there is one item for each sample.
            bitmaps: Whether to fetch and decode the bitmaps of segmentation labels.
            labelset: Whose labels to give; None where a sample has none.
            label_status: Only samples whose label has one of these statuses.
            metadata: Only samples with all of these: a mapping, or ``"key:value"`` strings.
            prefetch: Images ahead of you, under way or waiting for you, 1000 at most: so many are in memory.
            shard: ``(index, count)``: only every *count*-th sample, from *index* on; for workers that share the work.
            cache: Folder in which images, bitmaps and the file of a release of the service are kept, so that the next
                epoch fetches none. It may be that of ``assets.download_many``, and workers may share it.
            on_error: ``"skip"`` leaves out a sample that does not decode, or an image that cannot be had or whose
                bitmap cannot, and tells of it in `ReleaseItems.skipped`.

        Returns:
            A block, inside which there are the items, in the order of the file. Leaving it early cancels what is under
            way.

        Raises:
            DecodeError: The file is damaged, or an image is none.
            ImportError: The extra is not installed, and images or bitmaps are wanted.
            InputError: As in `open`; there is no such labelset, a sample has no image (a point cloud without cameras),
                or *cache* cannot be written, a full disk included.
        """
        options = IterateOptions(
            images=images,
            bitmaps=bitmaps,
            labelset=labelset,
            label_status=label_status,
            metadata=metadata,
            prefetch=prefetch,
            shard=shard,
            on_error=on_error,
        )
        files = ReleaseFiles(self._session, labelset, None if cache is None else Path(cache))
        opened = self._reader.open(source, name) if cache is None else self._reader.open_cached(source, name, files)
        return ReleaseItems(opened, files, options)
