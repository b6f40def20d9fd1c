"""Throughput and cost from 1 to 256 connections, as a table and a plot."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks import rivals
from benchmarks.harness import Case, Contestant, Result, Scale, cost_ratio, median_of
from benchmarks.stopwatch import Run

if TYPE_CHECKING:
    from pathlib import Path

Work = tuple[Callable[..., Run], dict[str, Any], tuple[str, ...]]
CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LINES: dict[str, Work] = {
    "ours": (rivals.ours, {}, ()),
    "ours + aiohttp": (rivals.ours, {"transport": "aiohttp"}, ("httpx_aiohttp",)),
    "httpx": (rivals.stock, {}, ()),
    "official SDK, threads": (rivals.official, {}, ("segments",)),
}


def case(scale: Scale) -> Case:
    """Return the case."""
    requests = scale.of(CONNECTIONS[-1])
    most, least = CONNECTIONS[-1], CONNECTIONS[0]
    return Case(
        name="curve",
        about=f"{requests:,} label PUTs with 1 to {most} at a time",
        unit="PUT",
        contestants=[
            Contestant(
                name=f"{line}, {connections}",
                work=work,
                arguments={"action": "put", "requests": requests, "connections": connections, **more},
                needs=needs,
            )
            for line, (work, more, needs) in LINES.items()
            for connections in CONNECTIONS
        ],
        checks=[cost_ratio(f"{line}, {most} / {least}", f"{line}, {most}", f"{line}, {least}") for line in LINES],
        turns=min(3, scale.turns),
    )


def draw(result: Result, path: Path) -> None:
    """Plot requests per second and CPU time per request by number of connections."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("agg")
    figure, axes = import_module("matplotlib.pyplot").subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    panels: list[tuple[str, Callable[[Run], float]]] = [
        ("requests per second", lambda run: run.rate),
        ("CPU time per request, microseconds", lambda run: run.cost),
    ]
    for axis, (title, value) in zip(axes, panels, strict=True):
        for line in LINES:
            if f"{line}, {CONNECTIONS[0]}" in result.turns[0]:
                points = [median_of(result.runs(f"{line}, {connections}"), value) for connections in CONNECTIONS]
                axis.plot(CONNECTIONS, points, marker="o", markersize=4, label=line)
        axis.set(title=title, xlabel="connections")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2)
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_formatter("{x:,.0f}")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.suptitle(result.case.about)
    figure.savefig(path, dpi=110)
