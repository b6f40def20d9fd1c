"""Write the rows of a Dataset to the service, with many workers."""

from __future__ import annotations

import time
import warnings
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import ray

from segments_async._http.call_stats import CallStats
from segments_async._validators import is_count
from segments_async._wire.arguments import check_count, check_name
from segments_async._wire.routes import GET_DATASET
from segments_async.errors import InputError
from segments_async.models import Dataset as SegmentsDataset
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.ray.blocks import BlockWriter, LabelRows, RowsOf, SampleRows
from segments_async.ray.buckets import in_partitions
from segments_async.ray.engine import errors_of_workers, lift_time_limit, run_on_worker, without_time_limit
from segments_async.ray.options import ClientOptions
from segments_async.ray.report import DistributedReport, result_of
from segments_async.ray.worker import WorkerClient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ray.data import Dataset

    from segments_async._client import AsyncSegments
    from segments_async.tables.categories import CategorySource
    from segments_async.tables.label_items import ScoreOf

OnError = Literal["collect", "raise"]
ROWS_PER_CALL = 5_000
"""Samples that a worker takes at a time: ten requests."""
PARTITIONS = 64
"""Blocks into which rows of labels are shuffled by default."""
LOST_WORKERS = 20
"""How often a block is repeated because its worker was lost; without a limit, one that kills its workers never ends."""
_SHUFFLE = "shuffle_v2"
"""The strategy of Ray that leaves the rows of a partition together, however large it is."""


def write_samples(
    rows: Dataset,
    dataset: str | SegmentsDataset,
    *,
    columns: Mapping[str, Any] | None = None,
    if_exists: Literal["return", "update"] = "return",
    on_error: OnError = "collect",
    max_failures: int | None = None,
    actors: int = 2,
    options: ClientOptions | None = None,
    **ray_options: Any,
) -> DistributedReport:
    """
    Create a sample for each row.

    Example::

        report = write_samples(ray.data.read_parquet("s3://flowers/samples"), "jane/flowers")
        print(report)  # 1,000,000 items: 1,000,000 created

    Rows that Ray processes twice, because a worker was lost, have their effect once, and are ``created``. A name that
    is in two blocks is not noticed: both items are ``created``, and are one sample.

    Args:
        rows: Rows with `segments_async.tables.SAMPLE_COLUMNS`.
        dataset: ``"owner/name"``, or a `segments_async.models.Dataset`.
        columns: Names in *rows* by names of columns, as in `segments_async.tables.items_from_table`.
        if_exists: ``"return"`` leaves samples that exist as they are, ``"update"`` changes them to what is sent.
        on_error: ``"raise"`` stops the job at the first failure.
        max_failures: Stop the job when more items than this have failed or are unknown.
        actors: The number of workers. They need no CPU of the cluster, and one uses up to one core. More of them than
            the rows have blocks are of no use, and Ray warns.
        options: The arguments of the clients.
        ray_options: Passed to ``map_batches``, such as ``num_cpus``, ``compute`` or ``runtime_env``.

    Returns:
        The outcomes of all rows, merged: counts, 10,000 failures at most, and `retry_rows` to write again.

    Raises:
        AuthenticationError: The workers have no API key.
        BulkError: *on_error* is ``"raise"``, and an item failed; the error's `report` is a `DistributedReport`.
        InputError: An argument is invalid, or a column is missing.
        NotFoundError: There is no such dataset.
    """
    limit = _most_failures(on_error, max_failures)
    settings = {"columns": columns, "if_exists": if_exists, "max_failures": limit}
    results = _created(rows, dataset, settings, options, actors, ray_options, counts_only=True)
    return _write(results, limit, on_error)


def create_samples(
    rows: Dataset,
    dataset: str | SegmentsDataset,
    *,
    columns: Mapping[str, Any] | None = None,
    if_exists: Literal["return", "update"] = "return",
    actors: int = 2,
    options: ClientOptions | None = None,
    **ray_options: Any,
) -> Dataset:
    """
    Create samples as `write_samples` does, as a step of a lazy Dataset.

    Example::

        outcomes = create_samples(ray.data.read_parquet("s3://flowers/samples"), "jane/flowers")
        outcomes.filter(lambda row: not row["succeeded"]).write_parquet("failures")

    Samples are created whenever the Dataset is executed, as in `put_labels`.

    Args:
        rows: As in `write_samples`, like the other arguments.
        dataset: As in `write_samples`.
        columns: As in `write_samples`.
        if_exists: As in `write_samples`.
        actors: As in `write_samples`.
        options: As in `write_samples`.
        ray_options: As in `write_samples`.

    Returns:
        A row for each sample, with `segments_async.tables.OUTCOME_COLUMNS`; ``index`` is a position in a block. A row
        that is not valid is a ``failed`` outcome, and a sample created since this call is ``created``.

    Raises:
        AuthenticationError: The workers have no API key.
        InputError: An argument is invalid.
        NotFoundError: There is no such dataset.
    """
    settings = {"columns": columns, "if_exists": if_exists, "max_failures": None}
    outcomes = _created(rows, dataset, settings, options, actors, ray_options, counts_only=False)
    lift_time_limit(outcomes.context)
    return outcomes


def write_labels(
    rows: Dataset,
    *,
    labelset: str = GROUND_TRUTH,
    columns: Mapping[str, Any] | None = None,
    categories: CategorySource | None = None,
    uuids: Mapping[str, str] | None = None,
    score: ScoreOf = "same",
    on_error: OnError = "collect",
    max_failures: int | None = None,
    partitions: int | None = PARTITIONS,
    actors: int = 2,
    options: ClientOptions | None = None,
    **ray_options: Any,
) -> DistributedReport:
    """
    Put the labels that the rows of annotations describe.

    Example::

        report = write_labels(predictions, labelset="predictions", categories=dataset)
        report.raise_if_failed()

    Rows that Ray processes twice, because a worker was lost, put the same label again.

    Args:
        rows: Rows with `segments_async.tables.LABEL_COLUMNS`, one for each annotation.
        labelset: The labelset of rows that have none.
        columns: Names in *rows* by names of columns, as in `segments_async.tables.items_from_table`.
        categories: Where the ids of categories are found by name, as in `segments_async.tables.items_from_table`.
        uuids: The uuids of samples by name; then samples are found by ``sample_name``.
        score: The score of a label whose rows have different scores, as in `segments_async.tables.items_from_table`.
        on_error: ``"raise"`` stops the job at the first failure.
        max_failures: Stop the job when more items than this have failed or are unknown.
        partitions: The rows are shuffled by sample into this many blocks, so that all rows of a label come together;
            a label whose rows are in two blocks would be put twice, each time in part. A lost worker repeats its block,
            so use more of them for more than a million labels. None does not shuffle, which is faster, and needs no
            disk: for rows each of which is a whole label.
        actors: The number of workers. They need no CPU of the cluster, and one uses up to one core. More of them than
            the rows have blocks are of no use, and Ray warns.
        options: The arguments of the clients.
        ray_options: Passed to ``map_batches``, such as ``num_cpus``, ``compute`` or ``runtime_env``.

    Returns:
        The outcomes of all rows, merged: counts, 10,000 failures at most, and `retry_rows` to write again.

    Raises:
        AuthenticationError: The workers have no API key.
        BulkError: *on_error* is ``"raise"``, and an item failed; the error's `report` is a `DistributedReport`.
        InputError: An argument is invalid, or a column is missing.
    """
    limit = _most_failures(on_error, max_failures)
    write = LabelRows(
        labelset=check_name(labelset, "labelset"),
        columns=columns,
        categories=categories,
        uuids=uuids,
        score=score,
        max_failures=limit,
    )
    _check_workers(actors, ray_options)
    together = _together(rows, write, partitions, ray_options)
    is_packed = partitions is not None
    results = _mapped(together, write, options, actors, ray_options, counts_only=True, is_packed=is_packed)
    return _write(results, limit, on_error)


def put_labels(
    rows: Dataset,
    *,
    labelset: str = GROUND_TRUTH,
    columns: Mapping[str, Any] | None = None,
    categories: CategorySource | None = None,
    uuids: Mapping[str, str] | None = None,
    score: ScoreOf = "same",
    partitions: int | None = PARTITIONS,
    actors: int = 2,
    options: ClientOptions | None = None,
    **ray_options: Any,
) -> Dataset:
    """
    Put labels as `write_labels` does, as a step of a lazy Dataset.

    Example::

        outcomes = put_labels(predictions, labelset="predictions")
        outcomes.filter(lambda row: not row["succeeded"]).write_parquet("failures")

    Labels are put whenever the Dataset is executed, also by ``schema()`` and ``count()``. To use it twice, keep it with
    ``materialize()``. Ray's limit of half an hour without a finished block is lifted in the ``context`` that *rows* and
    the outcomes share, unless another one is set there.

    Args:
        rows: As in `write_labels`, like the other arguments.
        labelset: As in `write_labels`.
        columns: As in `write_labels`.
        categories: As in `write_labels`.
        uuids: As in `write_labels`.
        score: As in `write_labels`.
        partitions: As in `write_labels`.
        actors: As in `write_labels`.
        options: As in `write_labels`.
        ray_options: As in `write_labels`.

    Returns:
        A row for each label, with `segments_async.tables.OUTCOME_COLUMNS`; ``index`` is a position in a block. A row
        that is not valid is a ``failed`` outcome.
    """
    write = LabelRows(
        labelset=check_name(labelset, "labelset"),
        columns=columns,
        categories=categories,
        uuids=uuids,
        score=score,
        max_failures=None,
    )
    _check_workers(actors, ray_options)
    together = _together(rows, write, partitions, ray_options)
    is_packed = partitions is not None
    outcomes = _mapped(together, write, options, actors, ray_options, counts_only=False, is_packed=is_packed)
    lift_time_limit(outcomes.context)
    return outcomes


def time_of_service(options: ClientOptions, dataset: str) -> datetime | None:
    """Return when a write starts, by the clock of the service; samples created before exist already."""

    async def ask(client: AsyncSegments) -> str | None:
        stats = CallStats()
        session = client._session  # noqa: SLF001 (no public method returns the Date of an answer)
        await session.call(GET_DATASET, SegmentsDataset, path={"dataset": dataset}, stats=stats)
        return stats.date

    with WorkerClient(options) as worker:
        date = worker.call(ask)
    try:
        return None if date is None else parsedate_to_datetime(date)
    except ValueError:
        return None


def _check_if_exists(if_exists: object) -> None:
    if if_exists == "error":
        raise InputError(
            "'error' is not possible with Ray: a task that is repeated would fail for the samples that it has created",
            path="if_exists",
        )
    if if_exists not in ("return", "update"):
        raise InputError(f"expected 'return' or 'update', got {if_exists!r}", path="if_exists")


def _most_failures(on_error: object, max_failures: Any) -> int | None:
    if on_error not in ("collect", "raise"):
        raise InputError(f"expected 'collect' or 'raise', got {on_error!r}", path="on_error")
    if max_failures is not None and not (is_count(max_failures) and max_failures >= 0):
        raise InputError(f"expected a whole number of at least 0, got {max_failures!r}", path="max_failures")
    return 0 if on_error == "raise" else max_failures


def _check_workers(actors: int, ray_options: Mapping[str, Any]) -> None:
    check_count(actors, "actors", 10_000)
    if "concurrency" in ray_options:
        raise InputError("use actors, or Ray's compute", path="concurrency")


def _check_rows(rows: object) -> None:
    if not isinstance(rows, ray.data.Dataset):
        raise InputError(f"expected a ray.data.Dataset, got {type(rows).__name__}", path="rows")


def _together(rows: Dataset, write: LabelRows, partitions: int | None, ray_options: Mapping[str, Any]) -> Dataset:
    """Bring the rows of each label into one block."""
    if partitions is not None:
        check_count(partitions, "partitions", 100_000)
    _check_rows(rows)
    if partitions is None:
        return rows
    if ray_options.get("batch_size") is not None:
        raise InputError(
            "the rows of a label could come into two batches; with partitions=None, each row is a whole label",
            path="batch_size",
        )
    strategy = rows.context.shuffle_strategy.value
    if strategy != _SHUFFLE:
        raise InputError(
            f"expected {_SHUFFLE!r}, got {strategy!r}, which may split a label; set it in ray.data.DataContext, or use "
            "partitions=None",
            path="shuffle_strategy",
        )
    return in_partitions(rows, write.key_column, partitions, ray_options)


def _created(
    rows: Dataset,
    dataset: str | SegmentsDataset,
    settings: Mapping[str, Any],
    options: ClientOptions | None,
    actors: int,
    ray_options: Mapping[str, Any],
    *,
    counts_only: bool,
) -> Dataset:
    _check_if_exists(settings["if_exists"])
    options = options or ClientOptions()
    name = dataset.identifier if isinstance(dataset, SegmentsDataset) else dataset
    _check_workers(actors, ray_options)
    _check_rows(rows)
    since = run_on_worker(time_of_service, options, name, runtime_env=ray_options.get("runtime_env"))
    write = SampleRows(dataset=name, since=since, **settings)
    ray_options = {"batch_size": ROWS_PER_CALL, **ray_options}
    return _mapped(rows, write, options, actors, ray_options, counts_only=counts_only)


def _mapped(
    rows: Dataset,
    write: RowsOf,
    options: ClientOptions | None,
    actors: int,
    ray_options: Mapping[str, Any],
    *,
    counts_only: bool,
    is_packed: bool = False,
) -> Dataset:
    arguments = (options or ClientOptions(), write, counts_only, is_packed)
    # Actors that claim CPUs would starve the tasks that feed them.
    defaults: dict[str, Any] = {"num_cpus": 0, "batch_size": None, "compute": ray.data.ActorPoolStrategy(size=actors)}
    # Ray would drop a block without tries left if its `max_errored_blocks` allows some.
    if ray_options.get("max_restarts") != 0 and not rows.context.max_errored_blocks:
        defaults["max_task_retries"] = LOST_WORKERS
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")  # until Ray 2.64, and without a successor
        return rows.map_batches(
            BlockWriter, fn_constructor_args=arguments, batch_format="pyarrow", **{**defaults, **ray_options}
        )


def _write(results: Dataset, limit: int | None, on_error: OnError) -> DistributedReport:
    """Execute the job, and merge its results as they arrive, until it has to stop."""
    report, started = DistributedReport(), time.monotonic()
    with errors_of_workers(), without_time_limit(results.context):
        for batch in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            for pickled in batch.column("result").to_pylist():
                report.merge(result_of(pickled))
            report.elapsed = time.monotonic() - started
            if report.must_stop(limit):
                break
        else:
            report.exhausted = True
    if on_error == "raise" and report.failed + report.unknown:
        report.stopped = "error"
        raise report.as_error()
    return report
