"""The cost of ``import`` in a new interpreter, which every command-line tool and worker process pays."""

from __future__ import annotations

import json
import os
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
    "ours, with a client": ("segments_async", "from segments_async import AsyncSegments; AsyncSegments('some-key')"),
    "httpx": ("httpx", "import httpx"),
    "official SDK": ("segments", "import segments"),
}


def case(scale: Scale) -> Case:
    """Return the case."""
    return Case(
        name="import",
        about="a new interpreter, with its files in the system's cache",
        unit="import",
        contestants=[
            Contestant(name=name, work=run_in_new_interpreter, arguments={"statement": statement}, needs=[module])
            for name, (module, statement) in IMPORTS.items()
        ],
        checks=[
            cost_ratio("ours / official SDK", "ours", "official SDK", 0.35),
            cost_ratio("ours, its client / official SDK", "ours, its client", "official SDK", 0.25),
            cost_ratio("ours, with a client / official SDK", "ours, with a client", "official SDK", 0.7),
            cost_ratio("httpx / official SDK", "httpx", "official SDK"),
        ],
        turns=scale.turns,
        has_server=False,
    )


def run_in_new_interpreter(statement: str) -> Run:
    """Run *statement* in a new interpreter, once to warm up and once to measure."""
    command = [sys.executable, "-c", CODE.format(statement=statement)]
    # pip compiles installed packages. A checkout is compiled by its first import, unless this variable is set.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):
        completed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return Run(**json.loads(completed.stdout.splitlines()[-1]))
