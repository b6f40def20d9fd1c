"""What ``import`` costs in a new interpreter, which every command line tool and every worker pays."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.harness import Case, Contestant, Scale, cost_ratio
from benchmarks.stopwatch import Run

CODE = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{statement}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
from benchmarks.stopwatch import peak_memory
import json
print(json.dumps(dict(units=1, cpu=cpu, wall=wall, memory=peak_memory())))
"""


IMPORTS = {
    "ours": ("segments_async", "import segments_async"),
    "ours, its client": ("segments_async", "from segments_async import AsyncSegments"),
    "httpx": ("httpx", "import httpx"),
    "official SDK": ("segments", "import segments"),
}


def case(scale: Scale) -> Case:
    """Describe the case."""
    return Case(
        name="import",
        about="a new interpreter, its files in the system's cache",
        unit="import",
        contestants=[
            Contestant(name=name, work=run_anew, arguments={"statement": statement}, needs=[module])
            for name, (module, statement) in IMPORTS.items()
        ],
        checks=[
            cost_ratio("ours / official SDK", "ours", "official SDK", 0.35),
            cost_ratio("ours, its client / official SDK", "ours, its client", "official SDK"),
            cost_ratio("httpx / official SDK", "httpx", "official SDK"),
        ],
        turns=scale.turns,
        has_server=False,
    )


def run_anew(statement: str) -> Run:
    """Run *statement* in a new interpreter, once to warm up and once to count."""
    command = [sys.executable, "-c", CODE.format(statement=statement)]
    for _ in range(2):
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Run(**json.loads(ended.stdout.splitlines()[-1]))
