from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from segments_async._download import get_file
from segments_async._iterate import Choice, ReleaseItems
from segments_async._releases import ReleaseFile, open_release
from segments_async.errors import ApiError
from segments_async.models import Release
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import Resource
from segments_async.resources._release_files import ReleaseFiles
from segments_async.resources._release_source import address_of, dataset_of, file_of, path_of, temporary_folder

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from segments_async._download import Renew
    from segments_async._releases import ReleaseSamples, ReleaseSummary
    from segments_async._wire.arguments import OnError
    from segments_async.bulk import Progress
    from segments_async.export import ExportFormat, ExportReport
    from segments_async.resources._release_source import ReleaseSource

T = TypeVar("T")


class ReadReleases(Resource):
    """Releases sample by sample: read, counted, exported, and gone through with their images."""

    @asynccontextmanager
    async def open(self, source: ReleaseSource, name: str | None = None) -> AsyncIterator[ReleaseFile]:
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
    async def _open_kept(
        self, source: ReleaseSource, name: str | None, files: ReleaseFiles
    ) -> AsyncIterator[ReleaseFile]:
        """Open a release, and keep its file as its images are kept; what a URL holds may change, so that is not."""
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
        async with self.open(source, name) as release:
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
        async with self.open(source, name) as release:
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
        most, clock = self._session.max_connections, self._session.clock.monotonic
        async with self.open(release, name) as opened:
            files = ReleaseFiles(self._session, labelset)
            return await Export(opened, plan, files, max_connections=most, clock=clock).run()

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
        choice = Choice(
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
        opened = self.open(source, name) if cache is None else self._open_kept(source, name, files)
        return ReleaseItems(opened, files, choice)
