"""The benchmarks run, each with tiny numbers, in this process where they can; no time is asserted."""

from __future__ import annotations

import json
import re
import shutil
from importlib.util import find_spec

import pytest

from benchmarks.__main__ import main
from benchmarks.cases import CASES, app, batches, curve, imports, json_models, latency, scale
from benchmarks.harness import Contestant, Scale, run_case
from benchmarks.payloads import cuboid_label, new_sample, stored, vector_label
from benchmarks.report import as_json, table

pytestmark = pytest.mark.filterwarnings("default")  # rivals are loud, and their warnings are their business

TINY = Scale(1, 0.002)
SMALL = {
    "image label": vector_label(2),
    "cuboid label": cuboid_label(2, 2),
    "1000 samples": [stored(new_sample(number)) for number in range(2)],
}
OTHERWISE = {"import", "memory", "curve", "batches", "app", "scale-limit", "scale"}
"""Cases that other tests run."""


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr("benchmarks.stopwatch.WARM_UP", 1)
    monkeypatch.setattr(curve, "CONNECTIONS", (1, 4))
    monkeypatch.setattr(batches, "SIZES", (1, 2))
    monkeypatch.setattr(batches, "CONCURRENCIES", (1, 2))
    monkeypatch.setattr(latency, "CONNECTIONS", 2)
    for name, payload in SMALL.items():
        monkeypatch.setitem(json_models.PAYLOADS, name, lambda payload=payload: payload)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHERWISE])
def test_case_runs(name):
    """Every contestant of the case does its work, whose results it checks, and the table has a line for each."""
    result = run_case(CASES[name](TINY), run=Contestant.run_here)

    printed = "\n".join(table(result))
    [turn] = result.turns
    assert all(run.units and run.cpu >= 0 and run.wall > 0 and run.memory > 0 for run in turn.values())
    assert all(contestant in printed for contestant in turn)
    assert all(check.name in printed for check, _ in result.checks)
    json.dumps(as_json([result]))


@pytest.mark.slow
def test_contestants_run_in_processes_of_their_own(tmp_path, capsys, monkeypatch):
    """The command line runs a case in other processes, prints it, and writes its figures."""
    monkeypatch.setattr("benchmarks.__main__.QUICK", TINY)
    figures = tmp_path / "figures.json"

    main(["memory", "--quick", "--json", str(figures)])

    assert "samples" in capsys.readouterr().out
    [turn] = json.loads(figures.read_text())["cases"]["memory"]["turns"]
    assert [run["units"] for run in turn.values()] == [500, 1000] * 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")
def test_processes_with_one_limit(monkeypatch):
    """They do their share each, and what the server refused is counted."""
    monkeypatch.setattr(scale, "PROCESSES", 2)
    monkeypatch.setattr(scale, "SECONDS_TO_REFILL", 0)
    result = run_case(CASES["scale-limit"](TINY), run=Contestant.run_here)

    [turn] = result.turns
    assert {run.units for run in turn.values()} == {scale.BURST + 20}
    assert all(run.refused is not None and run.cpu > 0 for run in turn.values())
    assert "in a wait" in "\n".join(table(result))


def test_a_case_that_lacks_a_program_is_left_out(monkeypatch, capsys, tmp_path):
    """A line says so, and the figures of the others are written."""
    monkeypatch.setattr("benchmarks.harness.shutil.which", lambda program: None)
    figures = tmp_path / "figures.json"

    main(["scale-limit", "--json", str(figures)])

    assert re.search(
        r"^scale-limit: left out; not installed: (ray, )?redis-server$", capsys.readouterr().out, re.MULTILINE
    )
    assert json.loads(figures.read_text())["cases"] == {}


@pytest.mark.slow
def test_users_of_the_application_find_no_error(capsys):
    """A few of them, for a moment."""
    run = app.visit(users=4, seconds=1)

    assert run.units >= 4 * (len(app.FILES) + 4)
    assert run.cpu > 0
    assert run.memory > 0
    assert "4 users, 1 seconds, no error" in capsys.readouterr().err


def test_import_is_measured():
    """A statement is run in a new interpreter."""
    run = imports.run_in_new_interpreter("import colorsys")

    assert run.wall > 0
    assert run.memory > 0


def test_unknown_case_is_refused(capsys):
    """The error for an unknown case lists the known ones."""
    with pytest.raises(SystemExit):
        main(["nonsense"])

    assert "put" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(find_spec("matplotlib") is None, reason="the plot needs matplotlib")
@pytest.mark.parametrize("case", [curve, batches])
def test_curves_are_drawn(tmp_path, case):
    """They become pictures."""
    result = run_case(case.case(TINY), run=Contestant.run_here)

    case.draw(result, tmp_path / "curve.png")

    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
