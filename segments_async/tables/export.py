"""Export a release as Parquet files: its samples and its labels; see ``client.releases.export``."""

from __future__ import annotations

from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING

import anyio
from pyarrow import ArrowInvalid, parquet

from segments_async._arrow.batches import Batches, schema_of
from segments_async._arrow.columns import LABEL_COLUMNS, SAMPLE_COLUMNS
from segments_async._releases.export_plan import ExportReport, as_export_error, foreign_error, owner_of
from segments_async._serialization.json import decode_json, encode_json
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async.bulk import Progress
from segments_async.bulk.observer import Observer
from segments_async.errors import DecodeError, ExportError, InputError
from segments_async.tables.categories import Categories
from segments_async.tables.sources import label_rows_of, sample_rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from segments_async._arrow.columns import Column
    from segments_async._releases import ReleaseFile
    from segments_async._releases.export_plan import Plan
    from segments_async.models import ReleaseSample
    from segments_async.tables.moving import Row

NAMES = ("samples.parquet", "labels.parquet")
_ORIGIN = b"segments_async"
"""The key in a file's metadata whose value says what was exported."""
_CHUNK = 200
"""Samples that a worker thread converts at a time."""


class TablesExport:
    """
    An export of an open release as ``samples.parquet`` and ``labels.parquet``.

    Both files are written under temporary names, and renamed at the end; so an export that fails leaves earlier files.
    """

    def __init__(self, release: ReleaseFile, plan: Plan, *, clock: Callable[[], float]) -> None:
        self._release = release
        self._plan = plan
        self._clock = clock
        self._started = clock()
        self._observer = None if plan.progress is None else Observer(plan.progress)
        self._origin = _origin_of(release, plan.labelset)
        self._categories = Categories.of(None, release).names
        self._unlabeled = self._samples = 0
        self._failures: list[ExportError] = []

    async def run(self) -> ExportReport:
        """
        Export all selected samples.

        Raises:
            ExportError: A sample cannot be exported, and ``on_error="raise"``.
            InputError: Another export or another file is in the way, or the folder cannot be written.
            OutOfResourcesError: The disk is full.
        """
        plan = self._plan
        await run_sync(self._check_files)
        files = _Files(plan.folder, self._origin)
        try:
            await run_sync(files.open)
            await self._write(files)
            await run_sync(files.finish)
        except OSError as error:
            raise file_error(error, "cannot be written", plan.folder, "folder") from error
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(files.discard)
        self._report_progress(final=True)
        return ExportReport(
            file=None,
            folder=plan.folder,
            samples=self._samples,
            unlabeled=self._unlabeled,
            failures=self._failures,
            elapsed=self._clock() - self._started,
        )

    def _check_files(self) -> None:
        for name in NAMES:
            path = self._plan.folder / name
            if path.is_dir():
                raise InputError(f"{path} is a folder", path="folder")
            problem = None if self._plan.overwrite else _problem_of(path, self._origin)
            if problem is not None:
                raise InputError(f"{path} {problem}; overwrite=True replaces it", path="folder")

    async def _write(self, files: _Files) -> None:
        plan = self._plan
        samples = self._release.samples(
            labelset=plan.labelset, label_status=plan.label_status, metadata=plan.metadata, on_error=plan.on_error
        )
        known = 0
        chunk: list[ReleaseSample] = []
        is_last = False
        while not is_last:
            try:
                chunk.append(await anext(samples))
            except StopAsyncIteration:
                is_last = True
            if is_last or len(chunk) == _CHUNK:
                await run_sync(self._add, chunk, files)
                chunk = []
            self._failures += map(as_export_error, samples.skipped[known:])
            known = len(samples.skipped)
            if not chunk:
                self._report_progress()

    def _add(self, samples: Iterable[ReleaseSample], files: _Files) -> None:
        labelset = self._plan.labelset
        for sample in samples:
            try:
                own = list(sample_rows_of(sample, labelset))
                labels = list(label_rows_of(sample, labelset, self._categories))
            except Exception as error:  # of whatever a sample contains
                failure = foreign_error(error, sample.name, sample.uuid)
                if self._plan.on_error == "raise":
                    raise failure from error
                self._failures.append(failure)
            else:
                files.add(own, labels)
                self._samples += 1
                self._unlabeled += not labels

    def _report_progress(self, *, final: bool = False) -> None:
        if self._observer is None:
            return
        failed = len(self._failures)
        done = self._samples + failed
        elapsed = self._clock() - self._started
        self._observer(Progress(done=done, failed=failed, total=done if final else None, elapsed=elapsed, throttled=0))


class _Files:
    """The two files, under temporary names until they are complete. All methods run in worker threads."""

    def __init__(self, folder: Path, origin: dict[str, str]) -> None:
        self._folder = folder
        self._origin = encode_json(origin)
        self._parts = [folder / f".{name}.{token_hex(4)}.part" for name in NAMES]
        self._writers: list[_Writer] = []

    def open(self) -> None:
        """Create the folder and the files."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for part, columns in zip(self._parts, (SAMPLE_COLUMNS, LABEL_COLUMNS), strict=True):
            self._writers.append(_Writer(part, columns, self._origin))

    def add(self, *rows: Iterable[Row]) -> None:
        """Add rows to each of the files."""
        for writer, own in zip(self._writers, rows, strict=True):
            writer.add(own)

    def finish(self) -> None:
        """Complete the files, and give them their names."""
        for writer in self._writers:
            writer.finish()
        for part, name in zip(self._parts, NAMES, strict=True):
            part.replace(self._folder / name)

    def discard(self) -> None:
        """Delete what was not completed."""
        for writer in self._writers:
            with suppress(OSError):
                writer.close()
        for part in self._parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


class _Writer:
    """Writes rows to a file, batch by batch."""

    def __init__(self, path: Path, columns: tuple[Column, ...], origin: bytes) -> None:
        self._batches = Batches(columns)
        self._file = parquet.ParquetWriter(path, schema_of(columns).with_metadata({_ORIGIN: origin}))

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            for batch in self._batches.add(row):
                self._file.write_batch(batch)

    def finish(self) -> None:
        for batch in self._batches.flush():
            self._file.write_batch(batch)
        self._file.close()

    def close(self) -> None:
        self._file.close()


def _origin_of(release: ReleaseFile, labelset: str) -> dict[str, str]:
    dataset = release.dataset
    return {"dataset": f"{owner_of(dataset)}/{dataset.name}", "release": release.name, "labelset": labelset}


def _problem_of(path: Path, origin: dict[str, str]) -> str | None:
    """Return why a file may not be replaced; None if it does not exist, or if the same export wrote it."""
    try:
        found = parquet.read_schema(path).metadata or {}
    except FileNotFoundError:
        return None
    except (OSError, ArrowInvalid):
        return "was not written by an export"
    try:
        other = decode_json(found.get(_ORIGIN, b""))
    except DecodeError:
        other = None
    if not isinstance(other, dict):
        return "was not written by an export"
    if other == origin:
        return None
    release, dataset, labelset = (other.get(name) for name in ("release", "dataset", "labelset"))
    return f"is an export of release {release!r} of {dataset}, labelset {labelset!r}"
