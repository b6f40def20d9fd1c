"""Labels through Ray Data with 1, 2 and 4 workers, against one process, and what Ray itself costs; as a plot too."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from benchmarks.harness import Case, Contestant, Result, Scale, cost_ratio, median_of, rate_ratio
from benchmarks.payloads import SCORE, VECTOR
from benchmarks.stopwatch import Run, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

ACTORS = (1, 2, 4)
BLOCKS = 16
CPUS = 2
ONE_PROCESS = "one process"
NOTHING = "Ray, nothing done"
SHUFFLED = "Ray, shuffled, nothing done"
ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # so that its servers listen on loopback only
    "RAY_USAGE_STATS_ENABLED": "0",
    "SEGMENTS_API_KEY": "key",
}


def case(scale: Scale) -> Case:
    """Return the case."""
    arguments = {"labels": scale.of(20_000, least=BLOCKS)}
    many = f"Ray, {ACTORS[-1]} actors"
    needs = ("pyarrow", "ray")
    return Case(
        name="scale",
        about=f"{arguments['labels']:,} label PUTs by one process, and by actors of Ray on {CPUS} CPUs",
        unit="label",
        contestants=[
            Contestant(name=ONE_PROCESS, work=one_process, arguments=arguments, needs=needs),
            *(
                Contestant(name=_name(actors), work=with_ray, arguments={**arguments, "actors": actors}, needs=needs)
                for actors in ACTORS
            ),
            Contestant(name=NOTHING, work=nothing, arguments={**arguments, "shuffle": False}, needs=needs),
            Contestant(name=SHUFFLED, work=nothing, arguments={**arguments, "shuffle": True}, needs=needs),
        ],
        checks=[
            *(rate_ratio(f"labels per second, {_name(n)} / one process", _name(n), ONE_PROCESS) for n in ACTORS),
            cost_ratio(f"CPU, {many} / one process", many, ONE_PROCESS),
            cost_ratio("CPU, Ray with nothing done / one process", NOTHING, ONE_PROCESS),
        ],
        turns=min(3, scale.turns),
    )


def _name(actors: int) -> str:
    return f"Ray, {actors} actor{'s' * (actors > 1)}"


def label_rows(labels: int) -> pa.Table:
    """Return a table in which each row is a whole label."""
    from segments_async.tables import labels_table

    items = ({"sample_uuid": str(UUID(int=number)), "attributes": VECTOR, "score": SCORE} for number in range(labels))
    return labels_table(items, labelset="ground-truth")


def one_process(url: str, labels: int) -> Run:
    """Put the labels of the table with one client."""
    from segments_async import AsyncSegments
    from segments_async.tables import items_from_table

    async def put(client: AsyncSegments, table: pa.Table) -> None:
        items = items_from_table(table, items="labels")
        report = await client.labels.put_many(items, labelset="ground-truth", keep="failures")
        assert report.succeeded == table.num_rows, report

    async def run() -> Run:
        table = label_rows(labels)
        async with AsyncSegments("key", base_url=url, max_connections=16) as client:
            await put(client, table.slice(0, BLOCKS))
            with Stopwatch(url) as watch:
                await put(client, table)
            return watch.run(labels)

    return asyncio.run(run())


def with_ray(url: str, labels: int, actors: int) -> Run:
    """Put the labels of the table with actors, each of which starts when the time runs, as Ray's do."""
    with running_ray(url) as ray:
        from segments_async.ray import ClientOptions, write_labels

        rows = ray.data.from_arrow(label_rows(labels)).repartition(BLOCKS).materialize()
        options = ClientOptions(max_connections=16)
        with Processes(url) as watch:
            report = write_labels(rows, partitions=None, actors=actors, options=options)
        assert report.succeeded == labels, report
        return watch.run(labels)


def nothing(url: str, labels: int, shuffle: bool) -> Run:  # noqa: FBT001 (an argument in JSON)
    """Take the same rows through the same steps of Ray, without any work."""
    with running_ray(url) as ray:
        from segments_async.ray.buckets import in_partitions

        rows = ray.data.from_arrow(label_rows(labels)).repartition(BLOCKS).materialize()
        with Processes(url) as watch:
            steps = in_partitions(rows, "sample_uuid", BLOCKS, {}) if shuffle else rows
            pool = ray.data.ActorPoolStrategy(size=2)
            counted = steps.map_batches(
                CountRows,
                fn_constructor_args=(shuffle,),
                batch_size=None,
                batch_format="pyarrow",
                num_cpus=0,
                compute=pool,
            )
            found = sum(row["rows"] for row in counted.iter_rows())
        assert found == labels, found
        return watch.run(labels)


class CountRows:
    """A step that does nothing but unpack what was shuffled."""

    def __init__(self, is_packed: bool) -> None:  # noqa: FBT001 (Ray passes it)
        self._is_packed = is_packed

    def __call__(self, table: pa.Table) -> dict[str, list[int]]:
        """Return the number of rows."""
        from segments_async.ray.buckets import unpacked

        return {"rows": [(unpacked(table) if self._is_packed else table).num_rows]}


@contextmanager
def running_ray(url: str) -> Iterator[Any]:
    """Start Ray on loopback, with all of its processes, before the time runs."""
    os.environ |= {**ENVIRONMENT, "SEGMENTS_API_URL": url}
    ray = import_module("ray")
    import_module("ray.data")
    ray.init(
        address="local",  # not a cluster that is running here
        num_cpus=CPUS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=200 * 2**20,
        _node_ip_address="127.0.0.1",
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        ray.data.range(BLOCKS).map_batches(
            CountRows, fn_constructor_args=(False,), batch_format="pyarrow", num_cpus=0
        ).materialize()
        yield ray
    finally:
        ray.shutdown()


class Processes(Stopwatch):
    """
    A stopwatch for the CPU time of this process and of all below it; those of Ray are.

    It looks at them every quarter of a second, as Ray does not wait for the workers that it ends.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        self._seen = cpu_of_processes()
        self._before = sum(self._seen.values())
        self._ended = Event()
        self._thread = Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self._ended.set()
        self._thread.join()
        self._seen |= cpu_of_processes()
        self._cpu = sum(self._seen.values()) - self._before

    def _look(self) -> None:
        while not self._ended.wait(0.25):
            self._seen |= cpu_of_processes()


def cpu_of_processes() -> dict[int, float]:
    """Return the CPU seconds of this process and of all below it, by number."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        process = int(path.parent.name)
        parents[process] = int(fields[1])
        seconds[process] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return {process: spent for process, spent in seconds.items() if _is_below(process, os.getpid(), parents)}


def _is_below(process: int, ancestor: int, parents: dict[int, int]) -> bool:
    while process in parents:
        if process == ancestor:
            return True
        process = parents[process]
    return False


def draw(result: Result, path: Path) -> None:
    """Plot labels per second and CPU time per label by number of actors."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("agg")
    figure, axes = import_module("matplotlib.pyplot").subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    panels: list[tuple[str, Callable[[Run], float], list[str]]] = [
        ("labels per second", lambda run: run.rate, [ONE_PROCESS]),
        ("CPU time per label, microseconds", lambda run: run.cost, [ONE_PROCESS, NOTHING, SHUFFLED]),
    ]
    for axis, (title, value, others) in zip(axes, panels, strict=True):
        axis.plot(ACTORS, [median_of(result.runs(_name(n)), value) for n in ACTORS], marker="o", label="Ray")
        for color, name in enumerate(others, 1):
            axis.axhline(median_of(result.runs(name), value), color=f"C{color}", linestyle="--", label=name)
        axis.set(title=title, xlabel="actors", xticks=ACTORS)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(result.case.about)
    figure.savefig(path, dpi=110)
