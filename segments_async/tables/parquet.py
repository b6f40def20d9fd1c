"""Write a release as Parquet files: its samples and its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyarrow import parquet

from segments_async._arrow.batches import schema_of
from segments_async._arrow.columns import LABEL_COLUMNS, SAMPLE_COLUMNS
from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async.tables.build import label_batches, sample_batches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from segments_async._releases import ReleaseFile


async def write_release(release: ReleaseFile, folder: Path, *, labelset: str, **filters: Any) -> tuple[Path, Path]:
    """
    Write ``samples.parquet`` and ``labels.parquet``; each replaces an earlier one when it is complete.

    Args:
        release: An open release.
        folder: Where to write; it is made if it does not exist.
        labelset: The labelset of the labels.
        filters: Of ``release.samples``.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        await run_sync(lambda: folder.mkdir(parents=True, exist_ok=True))
        samples, labels = folder / "samples.parquet", folder / "labels.parquet"
        rows = sample_batches(release.samples(labelset=labelset, **filters), labelset=labelset)
        await _write(samples, schema_of(SAMPLE_COLUMNS), rows)
        annotations = label_batches(
            release.samples(labelset=labelset, **filters), labelset=labelset, categories=release
        )
        await _write(labels, schema_of(LABEL_COLUMNS), annotations)
    except OSError as error:
        raise file_error(error, "cannot be written", folder, "folder") from error
    return samples, labels


async def _write(path: Path, schema: Any, batches: AsyncIterator[Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        writer = await run_sync(parquet.ParquetWriter, part, schema)
        try:
            async for batch in batches:
                await run_sync(writer.write_batch, batch)
        finally:
            await run_sync(writer.close)
        await run_sync(part.replace, path)
    finally:
        part.unlink(missing_ok=True)
