"""The benchmark runner: starts servers and contestants, alternates them, and compares ratios with targets."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

from attrs import field, frozen

from benchmarks.stopwatch import Run

Turn = Mapping[str, Run]
"""The measurements of one turn, by contestant."""


@frozen
class Scale:
    """The scale of a benchmark: the number of turns, and a factor for all other numbers."""

    turns: int
    part: float = 1.0

    def of(self, number: int, *, least: int = 1) -> int:
        """Scale *number*."""
        return max(least, round(number * self.part))


FULL = Scale(5)
QUICK = Scale(3, 0.2)


@frozen(kw_only=True)
class Contestant:
    """A client under test, run in its own process."""

    name: str
    work: Callable[..., Run]
    """A module-level function that does the work."""
    arguments: Mapping[str, Any] = field(factory=dict)
    """Arguments of *work*, as JSON values; ``url`` is added if the case has a server."""
    needs: Sequence[str] = ()
    """Required modules; without them, it is left out."""
    programs: Sequence[str] = ()
    """Required programs, likewise."""

    @property
    def lacks(self) -> list[str]:
        """The required modules and programs that are not installed."""
        modules = [module for module in self.needs if find_spec(module) is None]
        return modules + [program for program in self.programs if shutil.which(program) is None]

    @property
    def is_available(self) -> bool:
        """Whether everything that it requires is installed."""
        return not self.lacks

    def run_here(self, url: str | None) -> Run:
        """Run in this process."""
        return self.work(**self._all_arguments(url))

    def run_in_process(self, url: str | None) -> Run:
        """Run in a new process."""
        function = f"{self.work.__module__}:{self.work.__qualname__}"
        command = [sys.executable, "-m", "benchmarks.stopwatch", function, json.dumps(self._all_arguments(url))]
        completed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return Run(**json.loads(completed.stdout.splitlines()[-1]))

    def _all_arguments(self, url: str | None) -> dict[str, Any]:
        return {**self.arguments, **({} if url is None else {"url": url})}


@frozen(kw_only=True)
class Check:
    """A ratio and its target."""

    name: str
    value: Callable[[Turn], float]
    """Computes the ratio from the measurements of one turn."""
    contestants: Sequence[str]
    """The contestants it compares; it is left out if one of them is not available."""
    target: float | None = None
    """The target; None if the ratio is only reported."""
    at_most: bool = True
    """Whether the target is a maximum (True) or a minimum (False)."""

    def holds(self, value: float) -> bool:
        """Return whether *value* meets the target."""
        if self.target is None:
            return True
        return value <= self.target if self.at_most else value >= self.target


def cost_ratio(name: str, one: str, other: str, at_most: float | None = None) -> Check:
    """Compare CPU time per unit, *one* / *other*; lower is better."""
    return Check(
        name=name, value=lambda turn: turn[one].cost / turn[other].cost, contestants=(one, other), target=at_most
    )


def speed_ratio(name: str, one: str, other: str, at_least: float | None = None) -> Check:
    """Compare units per CPU second, *one* / *other*; higher is better."""
    return Check(
        name=name,
        value=lambda turn: turn[other].cost / turn[one].cost,
        contestants=(one, other),
        target=at_least,
        at_most=False,
    )


def rate_ratio(name: str, one: str, other: str, at_least: float | None = None) -> Check:
    """Compare units per second, *one* / *other*; higher is better."""
    return Check(
        name=name,
        value=lambda turn: turn[one].rate / turn[other].rate,
        contestants=(one, other),
        target=at_least,
        at_most=False,
    )


@frozen(kw_only=True)
class Case:
    """A benchmark case: the same work, done by several contestants."""

    name: str
    about: str
    unit: str
    contestants: Sequence[Contestant]
    checks: Sequence[Check] = ()
    turns: int
    has_server: bool = True
    delay: float = 0.0
    """Seconds that the server waits before each response."""
    limit: tuple[float, int] = (0.0, 0)
    """The rate limit of the server, in calls per second, and its burst; a rate of 0 is unlimited."""
    whole_seconds: bool = False
    """Whether the server sends ``Retry-After`` in whole seconds, instead of exact ones."""

    @property
    def lacks(self) -> list[str]:
        """What the contestants require and is not installed, if none of them can run; else nothing."""
        if any(contestant.is_available for contestant in self.contestants):
            return []
        return sorted({name for contestant in self.contestants for name in contestant.lacks})


@frozen(kw_only=True)
class Result:
    """The result of a case."""

    case: Case
    turns: Sequence[Turn]
    missing: Sequence[str] = ()
    """Contestants that are not installed."""

    def runs(self, contestant: str) -> list[Run]:
        """Return the measurements of one contestant in all turns."""
        return [turn[contestant] for turn in self.turns]

    @property
    def checks(self) -> list[tuple[Check, list[float]]]:
        """The checks whose contestants are all available, with the value for each turn."""
        available = set(self.turns[0])
        return [
            (check, [check.value(turn) for turn in self.turns])
            for check in self.case.checks
            if available.issuperset(check.contestants)
        ]


@contextmanager
def running_server(
    delay: float = 0.0, limit: tuple[float, int] = (0.0, 0), *, whole_seconds: bool = False
) -> Iterator[str]:
    """Start the server in its own process and yield its URL."""
    command = [sys.executable, "-m", "benchmarks.server", *map(str, (delay, *limit, int(whole_seconds)))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def run_case(
    case: Case,
    *,
    run: Callable[[Contestant, str | None], Run] = Contestant.run_in_process,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """
    Run a case: all contestants in each turn.

    Args:
        case: The case.
        run: Runs a contestant.
        on_progress: Called with a description of the next step.
    """
    available = [contestant for contestant in case.contestants if contestant.is_available]
    turns = []
    server = running_server(case.delay, case.limit, whole_seconds=case.whole_seconds)
    with server if case.has_server else nullcontext() as url:
        for number in range(case.turns):
            turn = {}
            for contestant in available:
                on_progress(f"{case.name}: turn {number + 1} of {case.turns}, {contestant.name}")
                turn[contestant.name] = run(contestant, url)
            turns.append(turn)
    missing = [contestant.name for contestant in case.contestants if not contestant.is_available]
    return Result(case=case, turns=turns, missing=missing)


def median_of(runs: Sequence[Run], figure: Callable[[Run], float | None]) -> float | None:
    """Return the median of a figure over *runs*; None if no run has it."""
    values = [value for run in runs if (value := figure(run)) is not None]
    return statistics.median(values) if values else None
