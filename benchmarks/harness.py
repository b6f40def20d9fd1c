"""The asking side: start servers and contestants, let them take turns, and hold ratios against targets."""

from __future__ import annotations

import json
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
"""What the contestants did in one turn, by name."""


@frozen
class Scale:
    """How much is measured: so many turns, and of the usual numbers so large a part."""

    turns: int
    part: float = 1.0

    def of(self, number: int, *, least: int = 1) -> int:
        """Scale *number*."""
        return max(least, round(number * self.part))


FULL = Scale(5)
QUICK = Scale(3, 0.2)


@frozen(kw_only=True)
class Contestant:
    """Somebody who does the work of a case, in a process of its own."""

    name: str
    work: Callable[..., Run]
    """A function of a module."""
    arguments: Mapping[str, Any] = field(factory=dict)
    """For *work*: JSON. If the case has a server, ``url`` is added."""
    needs: Sequence[str] = ()
    """Modules without which it does not take part."""

    @property
    def is_here(self) -> bool:
        """Whether what it needs is installed."""
        return all(find_spec(module) is not None for module in self.needs)

    def run_here(self, url: str | None) -> Run:
        """Do the work in this process."""
        return self.work(**self._all_arguments(url))

    def run_apart(self, url: str | None) -> Run:
        """Do the work in a process of its own."""
        function = f"{self.work.__module__}:{self.work.__qualname__}"
        command = [sys.executable, "-m", "benchmarks.stopwatch", function, json.dumps(self._all_arguments(url))]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return Run(**json.loads(ended.stdout.splitlines()[-1]))

    def _all_arguments(self, url: str | None) -> dict[str, Any]:
        return {**self.arguments, **({} if url is None else {"url": url})}


@frozen(kw_only=True)
class Check:
    """A ratio, and what it should be."""

    name: str
    value: Callable[[Turn], float]
    """Computes it from what was done in one turn."""
    contestants: Sequence[str]
    """Whom it is about; it is left out if one of them does not take part."""
    target: float | None = None
    """None for a figure that is only told."""
    at_most: bool = True
    """Whether the target is the most that is good, or the least."""

    def holds(self, value: float) -> bool:
        """Whether *value* is as good as the target."""
        if self.target is None:
            return True
        return value <= self.target if self.at_most else value >= self.target


def cost_ratio(name: str, one: str, other: str, at_most: float | None = None) -> Check:
    """Compare CPU for a unit: *one* / *other*, which is to be small."""
    return Check(
        name=name, value=lambda turn: turn[one].cost / turn[other].cost, contestants=(one, other), target=at_most
    )


def speed_ratio(name: str, one: str, other: str, at_least: float | None = None) -> Check:
    """Compare units per CPU second: *one* / *other*, which is to be large."""
    return Check(
        name=name,
        value=lambda turn: turn[other].cost / turn[one].cost,
        contestants=(one, other),
        target=at_least,
        at_most=False,
    )


def rate_ratio(name: str, one: str, other: str, at_least: float | None = None) -> Check:
    """Compare units per second: *one* / *other*, which is to be large."""
    return Check(
        name=name,
        value=lambda turn: turn[one].rate / turn[other].rate,
        contestants=(one, other),
        target=at_least,
        at_most=False,
    )


@frozen(kw_only=True)
class Case:
    """What is measured: the same work, done by some contestants."""

    name: str
    about: str
    unit: str
    contestants: Sequence[Contestant]
    checks: Sequence[Check] = ()
    turns: int
    has_server: bool = True
    delay: float = 0.0
    """Seconds that the server takes for an answer."""
    limit: tuple[float, int] = (0.0, 0)
    """Calls a second that the server allows, and how many at once; 0 allows all."""
    whole_seconds: bool = False
    """Whether it names waits in whole seconds, instead of exactly."""


@frozen(kw_only=True)
class Result:
    """What came out of a case."""

    case: Case
    turns: Sequence[Turn]
    missing: Sequence[str] = ()
    """Contestants that are not installed."""

    def runs(self, contestant: str) -> list[Run]:
        """What one contestant did in each turn."""
        return [turn[contestant] for turn in self.turns]

    @property
    def checks(self) -> list[tuple[Check, list[float]]]:
        """The checks about those who took part, with the value of each turn."""
        took_part = set(self.turns[0])
        return [
            (check, [check.value(turn) for turn in self.turns])
            for check in self.case.checks
            if took_part.issuperset(check.contestants)
        ]


@contextmanager
def running_server(
    delay: float = 0.0, limit: tuple[float, int] = (0.0, 0), *, whole_seconds: bool = False
) -> Iterator[str]:
    """Start the server in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "benchmarks.server", *map(str, (delay, *limit, int(whole_seconds)))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def hold(
    case: Case,
    *,
    run: Callable[[Contestant, str | None], Run] = Contestant.run_apart,
    tell: Callable[[str], None] = lambda _: None,
) -> Result:
    """
    Let the contestants of *case* take turns.

    Args:
        case: The case.
        run: How a contestant is run.
        tell: Called with what is done next.
    """
    present = [contestant for contestant in case.contestants if contestant.is_here]
    turns = []
    server = running_server(case.delay, case.limit, whole_seconds=case.whole_seconds)
    with server if case.has_server else nullcontext() as url:
        for number in range(case.turns):
            turn = {}
            for contestant in present:
                tell(f"{case.name}: turn {number + 1} of {case.turns}, {contestant.name}")
                turn[contestant.name] = run(contestant, url)
            turns.append(turn)
    missing = [contestant.name for contestant in case.contestants if not contestant.is_here]
    return Result(case=case, turns=turns, missing=missing)


def median_of(runs: Sequence[Run], figure: Callable[[Run], float | None]) -> float | None:
    """Take the median of a figure, if the runs have it."""
    values = [value for run in runs if (value := figure(run)) is not None]
    return statistics.median(values) if values else None
