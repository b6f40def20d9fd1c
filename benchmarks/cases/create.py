"""Single POSTs of samples."""

from __future__ import annotations

from benchmarks import rivals
from benchmarks.harness import Case, Contestant, Scale, cost_ratio


def case(scale: Scale) -> Case:
    """Return the case."""
    requests = scale.of(600)
    arguments = {"action": "create", "requests": requests, "connections": 32}
    return Case(
        name="create",
        about=f"{requests:,} samples, one per POST, 32 at a time",
        unit="POST",
        contestants=[
            Contestant(name="ours", work=rivals.ours, arguments=arguments),
            Contestant(name="httpx", work=rivals.stock, arguments=arguments),
            Contestant(
                name="official SDK, one by one",
                work=rivals.official,
                arguments={**arguments, "connections": 1},
                needs=["segments"],
            ),
            Contestant(name="official SDK, threads", work=rivals.official, arguments=arguments, needs=["segments"]),
        ],
        checks=[
            cost_ratio("ours / official SDK in threads", "ours", "official SDK, threads", 0.45),
            cost_ratio("ours / httpx", "ours", "httpx", 0.6),
            cost_ratio("ours / official SDK one by one", "ours", "official SDK, one by one"),
        ],
        turns=scale.turns,
    )
