"""A service that takes 50 ms to answer: how near to the ideal rate the connections are used."""

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
    """Describe the case."""
    requests = scale.of(800, least=2 * CONNECTIONS)

    def contestant(name: str, work: Callable[..., Run], *needs: str, **more: Any) -> Contestant:
        arguments = {"action": "put", "requests": requests, "connections": CONNECTIONS, **more}
        return Contestant(name=name, work=work, arguments=arguments, needs=needs)

    return Case(
        name="latency",
        about=f"{requests:,} label PUTs over {CONNECTIONS} connections, answered after {DELAY * 1000:g} ms",
        unit="PUT",
        contestants=[
            contestant("ours", rivals.ours),
            contestant("ours + aiohttp", rivals.ours, "httpx_aiohttp", transport="aiohttp"),
            contestant("httpx", rivals.stock),
            contestant("official SDK, threads", rivals.official, "segments"),
        ],
        checks=[
            _share("ours", 0.75),
            _share("ours + aiohttp"),
            _share("httpx"),
            _share("official SDK, threads"),
        ],
        turns=scale.turns,
        delay=DELAY,
    )


def _share(name: str, at_least: float | None = None) -> Check:
    return Check(
        name=f"{name} / ideal {IDEAL:g} a second",
        value=lambda turn: turn[name].rate / IDEAL,
        contestants=[name],
        target=at_least,
        at_most=False,
    )
