"""Throughput with a service that has 50 ms latency, compared with the ideal rate of its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import rivals
from benchmarks.harness import Case, Check, Contestant, Scale

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stopwatch import Run

DELAY = 0.05
CONNECTIONS = 32
IDEAL = CONNECTIONS / DELAY


def case(scale: Scale) -> Case:
    """Return the case."""
    requests = scale.of(800, least=2 * CONNECTIONS)

    def contestant(name: str, work: Callable[..., Run], *needs: str, **more: Any) -> Contestant:
        arguments = {"action": "put", "requests": requests, "connections": CONNECTIONS, **more}
        return Contestant(name=name, work=work, arguments=arguments, needs=needs)

    return Case(
        name="latency",
        about=f"{requests:,} label PUTs over {CONNECTIONS} connections, with a latency of {DELAY * 1000:g} ms",
        unit="PUT",
        contestants=[
            contestant("ours", rivals.ours),
            contestant("ours + aiohttp", rivals.ours, "httpx_aiohttp", transport="aiohttp"),
            contestant("httpx", rivals.stock),
            contestant("official SDK, threads", rivals.official, "segments"),
        ],
        checks=[
            _ideal_share("ours", 0.75),
            _ideal_share("ours + aiohttp"),
            _ideal_share("httpx"),
            _ideal_share("official SDK, threads"),
        ],
        turns=scale.turns,
        delay=DELAY,
    )


def _ideal_share(name: str, at_least: float | None = None) -> Check:
    return Check(
        name=f"{name} / ideal {IDEAL:g} per second",
        value=lambda turn: turn[name].rate / IDEAL,
        contestants=[name],
        target=at_least,
        at_most=False,
    )
