"""``segments-async check``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from segments_async.cli import main
from segments_async.sandbox import Sandbox

KEY = "sandbox-key-that-is-secret"


@pytest.fixture
def sandbox(monkeypatch):
    with Sandbox(api_key=KEY) as sandbox:
        monkeypatch.setenv("SEGMENTS_API_KEY", KEY)
        monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
        monkeypatch.setattr("segments_async._check.probe.SECONDS_BETWEEN", 0)
        yield sandbox


def test_check(sandbox, tmp_path, capsys):
    """A line for each fact, a summary, and a file without the key."""
    assert main(["check", "--output", str(tmp_path / "report.json")]) == 0
    shown = capsys.readouterr()
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert len(shown.out.splitlines()) == len(report["facts"])
    assert {line.partition(" ")[0] for line in shown.out.splitlines()} == {"ok", "note"}
    assert " 0 DIFF, " in shown.err
    assert KEY not in shown.out + shown.err + json.dumps(report)
    assert sandbox.datasets() == []


def test_differences_fail_the_command(sandbox, tmp_path, monkeypatch, capsys):
    sandbox.max_per_page = 100
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--json"]) == 1
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [fact["name"] for fact in facts if fact["status"] == "DIFF"] == ["page-limit"]
    [file] = tmp_path.glob("segments-check-*.json")
    assert json.loads(file.read_text(encoding="utf-8"))["facts"] == facts


def test_what_cannot_start(sandbox, tmp_path, monkeypatch, capsys):
    """Nothing is sent."""
    assert main(["check", "--output", str(tmp_path / "missing" / "report.json")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["check", "--big", "flowers"]) == 2
    assert sandbox.calls == ()
    monkeypatch.setenv("SEGMENTS_API_KEY", "another-secret-key")
    assert main(["check", "--output", str(tmp_path / "report.json")]) == 4
    assert "another-secret-key" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_delete_the_dataset(sandbox, tmp_path, number):
    command = [sys.executable, "-m", "segments_async.cli", "check", "--output", str(tmp_path / "report.json")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        for line in process.stdout:
            if " bulk: " in line:
                process.send_signal(number)
                break
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert any(call.path.endswith("/samples_bulk/") for call in sandbox.calls)
    assert sandbox.datasets() == []
