"""Run the rivals in turn, and print medians and ratios."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys

ROUNDS = 5
REQUESTS = 1500
CASES = [
    ("ours", 8),
    ("ours", 32),
    ("ours", 128),
    ("httpx on slots", 32),
    ("stock httpx", 32),
    ("official SDK", 32),
]
RATIOS = [
    ("ours at 32 / official SDK in 32 threads", ("ours", 32), ("official SDK", 32), 0.45),
    ("ours at 32 / stock httpx at 32", ("ours", 32), ("stock httpx", 32), 0.6),
    ("ours at 128 / ours at 8", ("ours", 128), ("ours", 8), 1.3),
    ("ours at 32 / bare httpx on our transport", ("ours", 32), ("httpx on slots", 32), 1.25),
]


def main() -> None:
    """Measure CPU for each label PUT."""
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.bare_server"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        costs: dict[tuple[str, int], list[float]] = {case: [] for case in CASES}
        for _ in range(ROUNDS):
            for rival, concurrency in CASES:
                costs[rival, concurrency].append(_run(rival, url, concurrency))
    finally:
        server.terminate()
        server.wait()
    print(f"CPU for a label PUT, {ROUNDS} rounds of {REQUESTS}; Python {platform.python_version()}\n")
    print(f"{'':16}{'at a time':>10}{'median us':>11}{'min':>7}{'max':>7}")
    for (rival, concurrency), figures in costs.items():
        micros = sorted(figure * 1e6 for figure in figures)
        print(f"{rival:16}{concurrency:10}{statistics.median(micros):11.0f}{micros[0]:7.0f}{micros[-1]:7.0f}")
    print(f"\n{'ratio of medians':44}{'here':>6}{'aim':>8}")
    for name, one, other, aim in RATIOS:
        ratio = statistics.median(costs[one]) / statistics.median(costs[other])
        print(f"{name:44}{ratio:6.2f}{aim:8.2f}")


def _run(rival: str, url: str, concurrency: int) -> float:
    command = [sys.executable, "-m", "benchmarks.put_labels", rival, url, str(REQUESTS), str(concurrency)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cost: float = json.loads(printed.splitlines()[-1])["cpu_seconds"]
    return cost


if __name__ == "__main__":
    main()
