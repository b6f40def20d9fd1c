"""Single PUTs of labels: the cost of a request, and whether it grows with the number of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import rivals
from benchmarks.harness import Case, Contestant, Scale, cost_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.stopwatch import Run


def case(scale: Scale) -> Case:
    """Return the case."""
    requests = scale.of(600)

    def contestant(name: str, work: Callable[..., Run], connections: int, *needs: str, **more: Any) -> Contestant:
        arguments: Mapping[str, Any] = {"action": "put", "requests": requests, "connections": connections, **more}
        return Contestant(name=name, work=work, arguments=arguments, needs=needs)

    return Case(
        name="put",
        about=f"{requests:,} label PUTs at various concurrencies",
        unit="PUT",
        contestants=[
            contestant("ours, 8", rivals.ours, 8),
            contestant("ours, 32", rivals.ours, 32),
            contestant("ours, 128", rivals.ours, 128),
            contestant("ours + aiohttp, 32", rivals.ours, 32, "httpx_aiohttp", transport="aiohttp"),
            contestant("httpx on our transport, 32", rivals.slots, 32),
            contestant("httpx, 32", rivals.stock, 32),
            contestant("httpx2, 32", rivals.httpx2, 32, "httpx2"),
            contestant("httpx + httpx-aiohttp, 32", rivals.over_aiohttp, 32, "httpx_aiohttp"),
            contestant("aiohttp, 32", rivals.bare_aiohttp, 32, "aiohttp"),
            contestant("official SDK, 1", rivals.official, 1, "segments"),
            contestant("official SDK, 32 threads", rivals.official, 32, "segments"),
        ],
        checks=[
            cost_ratio("ours / official SDK in threads, 32", "ours, 32", "official SDK, 32 threads", 0.45),
            cost_ratio("ours / httpx, 32", "ours, 32", "httpx, 32", 0.6),
            cost_ratio("ours, 128 / 8", "ours, 128", "ours, 8", 1.3),
            cost_ratio("ours / httpx on our transport, 32", "ours, 32", "httpx on our transport, 32", 1.25),
            cost_ratio("ours + aiohttp / official SDK, 32", "ours + aiohttp, 32", "official SDK, 32 threads", 0.25),
            cost_ratio("ours / official SDK, one by one", "ours, 32", "official SDK, 1"),
            cost_ratio("ours / httpx2, 32", "ours, 32", "httpx2, 32"),
            cost_ratio("ours + aiohttp / aiohttp, 32", "ours + aiohttp, 32", "aiohttp, 32"),
        ],
        turns=scale.turns,
    )
