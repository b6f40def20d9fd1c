"""What ``import`` costs in a new interpreter, which every command line tool and every worker pays."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.harness import Case, Check, Contestant, Scale, cost_ratio
from benchmarks.stopwatch import Run

CODE = """
import time
wall, cpu = time.perf_counter(), time.process_time()
import {module}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
from benchmarks.stopwatch import peak_memory
import json
print(json.dumps(dict(units=1, cpu=cpu, wall=wall, memory=peak_memory())))
"""


def case(scale: Scale) -> Case:
    """Describe the case."""
    return Case(
        name="import",
        about="a new interpreter, its files in the system's cache",
        unit="import",
        contestants=[
            Contestant(name=name, work=import_anew, arguments={"module": module}, needs=[module])
            for name, module in [("ours", "segments_async"), ("httpx", "httpx"), ("official SDK", "segments")]
        ],
        checks=[
            cost_ratio("ours / official SDK, CPU", "ours", "official SDK", 0.35),
            Check(
                name="ours / official SDK, time",
                value=lambda turn: turn["ours"].wall / turn["official SDK"].wall,
                contestants=["ours", "official SDK"],
                target=0.35,
            ),
            cost_ratio("ours / httpx, CPU", "ours", "httpx"),
        ],
        turns=2 * scale.turns - 1,
        has_server=False,
    )


def import_anew(module: str) -> Run:
    """Import *module* in a new interpreter, once to warm up and once to count."""
    command = [sys.executable, "-c", CODE.format(module=module)]
    for _ in range(2):
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Run(**json.loads(ended.stdout.splitlines()[-1]))
