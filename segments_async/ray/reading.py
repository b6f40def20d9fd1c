"""Read the samples of a dataset, or of a release, with many workers."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ray

from segments_async._releases.source import local_path
from segments_async._validators import as_path
from segments_async._wire.arguments import check_count
from segments_async.errors import InputError
from segments_async.models import Dataset as SegmentsDataset, Release
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.ray.engine import errors_of_workers, run_on_worker
from segments_async.ray.options import ClientOptions
from segments_async.ray.sources import PageSource, ReleaseShards, ReleaseSource, learn_list
from segments_async.resources._base import MAX_PER_PAGE
from segments_async.resources.samples.page_range import SampleList

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from ray.data import Dataset

Rows = Literal["samples", "labels"]


def read_samples(
    dataset: str | SegmentsDataset,
    *,
    labelset: str | None = None,
    rows: Rows = "samples",
    name: str | None = None,
    label_status: str | Iterable[str] | None = None,
    metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
    per_page: int = MAX_PER_PAGE,
    options: ClientOptions | None = None,
    **ray_options: Any,
) -> Dataset:
    """
    Read the samples of a dataset; each task reads a range of pages.

    Samples come in the order of their creation, so that samples which are created in the meantime shift nothing. For
    each sample that is deleted meanwhile, another one may be skipped, so delete before or after.

    Example::

        samples = read_samples("jane/flowers", labelset="ground-truth")
        print(samples.filter(lambda row: row["label_status"] == "LABELED").count())

    Args:
        dataset: ``"owner/name"``, or a `segments_async.models.Dataset`.
        labelset: The labelset of the label columns, or of the labels.
        rows: ``"samples"`` for `segments_async.tables.SAMPLE_COLUMNS`; ``"labels"`` for the annotations in *labelset*,
            with `segments_async.tables.LABEL_COLUMNS`.
        name: Only samples whose name contains this.
        label_status: Only samples with one of these statuses.
        metadata: Only samples with all of these, as in ``client.samples.list``.
        per_page: Samples per request, 1000 at most.
        options: The arguments of the clients.
        ray_options: Passed to ``ray.data.read_datasource``, such as ``concurrency``, ``num_cpus`` or ``runtime_env``.

    Returns:
        A lazy Dataset. A task that fails for a passing reason is repeated.

    Raises:
        AuthenticationError: The workers have no API key.
        InputError: An argument is invalid.
        NotFoundError: There is no such dataset.
    """
    options = _checked(options)
    _check_rows(rows)
    if rows == "labels" and labelset is None:
        raise InputError("rows='labels' needs one", path="labelset")
    check_count(per_page, "per_page", MAX_PER_PAGE)
    samples = SampleList(
        dataset=dataset.identifier if isinstance(dataset, SegmentsDataset) else dataset,
        labelset=labelset,
        include_full_label=rows == "labels",
        filters={"name": name, "label_status": _plain(label_status), "metadata": _plain(metadata)},
        per_page=per_page,
    )
    samples.query()
    found, count, learned = run_on_worker(learn_list, options, samples, runtime_env=ray_options.get("runtime_env"))
    source = PageSource(options, learned, count, found)
    return _read(source, source.pages, ray_options)


def read_release(
    source: str | os.PathLike[str] | Release | SegmentsDataset | tuple[str | SegmentsDataset, str],
    name: str | None = None,
    *,
    labelset: str = GROUND_TRUTH,
    rows: Rows = "labels",
    label_status: str | Iterable[str] | None = None,
    metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
    shards: int = 8,
    cache: str | os.PathLike[str] | None = None,
    options: ClientOptions | None = None,
    **ray_options: Any,
) -> Dataset:
    """
    Read the labels, or the samples, of a release; each task decodes its share of them.

    Example::

        labels = read_release(("jane/flowers", "v1"))
        print(labels.groupby("category").count().to_pandas())

    Args:
        source: The path of a release file that every node has, a `Release`, or ``(dataset, name)``. What is not on
            disk is downloaded once by each node.
        name: The release, if *source* is a dataset.
        labelset: The labelset of the labels.
        rows: ``"labels"`` for `segments_async.tables.LABEL_COLUMNS`, ``"samples"`` for `SAMPLE_COLUMNS`.
        label_status: Only samples whose label has one of these statuses.
        metadata: Only samples with all of these.
        shards: The number of tasks. Each searches the whole file, so more than the cluster has CPUs are of no use.
        cache: A folder of each node for downloaded files; by default one of this user, for temporary files.
        options: The arguments of the clients.
        ray_options: Passed to ``ray.data.read_datasource``.

    Returns:
        A lazy Dataset. A sample without a label has no row of ``"labels"``.

    Raises:
        InputError: An argument is invalid.
    """
    options = _checked(options)
    _check_rows(rows)
    check_count(shards, "shards", 10_000)
    if isinstance(source, tuple):
        source, name = source
    path = local_path(source, name)
    if path is None and name is None and not isinstance(source, Release):
        raise InputError("expected a path, a Release, or (dataset, name)", path="source")
    release = ReleaseShards(
        source=source if path is None else path.absolute(),
        name=name,
        labelset=labelset,
        rows=rows,
        filters={"label_status": _plain(label_status), "metadata": _plain(metadata)},
        cache=as_path(cache, "cache").absolute() if cache is not None else _default_cache(),
    )
    return _read(ReleaseSource(options, release, shards), shards, ray_options)


def _read(source: Any, blocks: int, ray_options: Mapping[str, Any]) -> Dataset:
    with errors_of_workers():
        return ray.data.read_datasource(source, **{"override_num_blocks": blocks, **ray_options})


def _checked(options: ClientOptions | None) -> ClientOptions:
    if options is not None and not isinstance(options, ClientOptions):
        raise InputError(f"expected ClientOptions, got {type(options).__name__}", path="options")
    return options or ClientOptions()


def _check_rows(rows: object) -> None:
    if rows not in ("samples", "labels"):
        raise InputError(f"expected 'samples' or 'labels', got {rows!r}", path="rows")


def _plain(value: Any) -> Any:
    """Return an iterator as a list, since each task uses it."""
    return value if value is None or isinstance(value, str) or hasattr(value, "keys") else list(value)


def _default_cache() -> Path:
    user = sha256(str(Path.home()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"segments_async-{user}"
