"""``python -m benchmarks [NAME ...]``: run benchmark cases and print medians and ratios."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.cases import CASES, batches, curve, scale_ray
from benchmarks.harness import FULL, QUICK, run_case
from benchmarks.report import as_json, machine, table

DOCS = Path(__file__).parents[1] / "docs"
PLOTS = {
    "curve": (curve.draw, "curve.png"),
    "batches": (batches.draw, "bulk.png"),
    "scale": (scale_ray.draw, "scale.png"),
}
"""The plot function and the file name of each case with a plot."""


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, run the cases and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmark this client against others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"cases to run, all by default: {', '.join(CASES)}")
    parser.add_argument(
        "--quick", action="store_true", help="use small numbers, to check that it runs; not for publication"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    plots = ", ".join(file for _, file in PLOTS.values())
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help=f"folder for {plots} ({DOCS}; none with --quick)")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(CASES):
        parser.error(f"unknown case: {', '.join(sorted(unknown))}; choose from {', '.join(CASES)}")
    described = machine()
    packages = ", ".join(f"{name} {number}" for name, number in described.pop("packages").items())
    print(", ".join(f"{name}: {value}" for name, value in described.items()), packages, "", sep="\n")
    results = []
    for name in dict.fromkeys(options.names or CASES):
        case = CASES[name](QUICK if options.quick else FULL)
        if case.lacks:
            print(f"{name}: left out; not installed: {', '.join(case.lacks)}", "", sep="\n", flush=True)
            continue
        result = run_case(case, on_progress=_show_progress)
        _show_progress("")
        print(*table(result), sep="\n", flush=True)
        results.append(result)
        folder = options.plots or (None if options.quick else DOCS)
        if name in PLOTS and folder is not None:
            draw, file = PLOTS[name]
            draw(result, folder / file)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(results), indent=1) + "\n")


def _show_progress(text: str) -> None:
    """Show the progress in one line, if stderr is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:79}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
