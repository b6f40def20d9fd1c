"""``python -m benchmarks [NAME ...]``: run cases, and print medians and ratios."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.cases import CASES, batches, curve
from benchmarks.harness import FULL, QUICK, hold
from benchmarks.report import as_json, machine, table

HERE = Path(__file__).parent
PLOTS = {"curve": (curve.draw, "curve.png"), "batches": (batches.draw, "bulk.png")}
"""How cases are drawn, and where."""


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, run, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this client beside others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"cases, by default all: {', '.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help="small numbers: to see that it runs, not to quote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    plots = ", ".join(file for _, file in PLOTS.values())
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help=f"for {plots}; {HERE}, or none with --quick")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    described = machine()
    packages = ", ".join(f"{name} {number}" for name, number in described.pop("packages").items())
    print(", ".join(f"{name}: {value}" for name, value in described.items()), packages, "", sep="\n")
    results = []
    for name in dict.fromkeys(options.names or CASES):
        result = hold(CASES[name](QUICK if options.quick else FULL), tell=_tell)
        _tell("")
        print(*table(result), sep="\n", flush=True)
        results.append(result)
        folder = options.plots or (None if options.quick else HERE)
        if name in PLOTS and folder is not None:
            draw, file = PLOTS[name]
            draw(result, folder / file)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(results), indent=1) + "\n")


def _tell(text: str) -> None:
    """Show on a terminal what is going on, in one line."""
    if sys.stderr.isatty():
        print(f"\r{text:79}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
