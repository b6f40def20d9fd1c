"""Results as text tables and JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from attrs import asdict

from benchmarks.harness import Check, Result, median_of
from benchmarks.stopwatch import Run

PACKAGES = (
    "segments-async", "segments-ai", "httpx", "httpx2", "httpcore", "httpx-aiohttp", "aiohttp",
    "anyio", "pydantic", "orjson", "uvloop",
)  # fmt: skip

Column = tuple[str, Callable[[Run], float | None], str]
COLUMNS: tuple[Column, ...] = (
    ("per second", lambda run: run.rate, ",.0f"),
    ("median ms", lambda run: None if run.median is None else run.median * 1e3, ",.2f"),
    ("p99 ms", lambda run: None if run.p99 is None else run.p99 * 1e3, ",.2f"),
    ("peak MB", lambda run: run.memory, ",.0f"),
    ("server us", lambda run: run.server_cost, ",.0f"),
    ("refused", lambda run: run.refused, ",.0f"),
    ("in a wait", lambda run: run.refused_late, ",.0f"),
)


def machine() -> dict[str, Any]:
    """Describe the machine and the installed packages."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def table(result: Result) -> Iterator[str]:
    """Yield the lines of a table with the measurements of each contestant, and the ratios with their targets."""
    case = result.case
    names = list(result.turns[0])
    width = max(len(name) for name in [*names, *(check.name for check, _ in result.checks)])
    columns = [column for column in COLUMNS if median_of(result.runs(names[0]), column[1]) is not None]
    yield f"{case.name}: {case.about}"
    yield f"medians of {case.turns} turns; CPU time per {case.unit}, with minimum and maximum"
    yield ""
    yield f"{'':{width}}{'CPU us':>10}{'spread':>18}" + "".join(f"{title:>12}" for title, _, _ in columns)
    for name in names:
        runs = result.runs(name)
        costs = [run.cost for run in runs]
        cells = (f"{median_of(runs, value):{spec}}" for _, value, spec in columns)
        spread = f"{min(costs):,.0f} - {max(costs):,.0f}"
        yield f"{name:{width}}{statistics.median(costs):10,.0f}{spread:>18}" + "".join(f"{cell:>12}" for cell in cells)
    if result.missing:
        yield f"not installed: {', '.join(result.missing)}"
    if result.checks:
        yield ""
        yield f"{'ratio':{width}}{'median':>10}{'spread':>18}{'target':>12}"
        for check, values in result.checks:
            yield _check_line(check, values, width)
    yield ""


def _check_line(check: Check, values: Sequence[float], width: int) -> str:
    median = statistics.median(values)
    spread = f"{min(values):.2f} - {max(values):.2f}"
    if check.target is None:
        return f"{check.name:{width}}{median:10.2f}{spread:>18}"
    target = f"{'<=' if check.at_most else '>='} {check.target:g}"
    return f"{check.name:{width}}{median:10.2f}{spread:>18}{target:>12}  {'met' if check.holds(median) else 'MISSED'}"


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return all measurements of all turns, and the ratios."""
    return {
        "machine": machine(),
        "cases": {
            result.case.name: {
                "about": result.case.about,
                "unit": result.case.unit,
                "turns": [{name: asdict(run) for name, run in turn.items()} for turn in result.turns],
                "not_installed": list(result.missing),
                "ratios": [
                    {
                        "name": check.name,
                        "median": (median := statistics.median(values)),
                        "values": values,
                        "target": check.target,
                        "at_most": check.at_most,
                        "holds": check.holds(median),
                    }
                    for check, values in result.checks
                ],
            }
            for result in results
        },
    }
