"""Completion in real shells, and the names of datasets that it keeps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from segments_async.cli import names
from segments_async.cli.running import app_words

BASH = """
eval "$(segments-async completion bash)"
complete_words() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _segments_async
  echo "${COMPREPLY[*]}"
}
complete_words segments-async samp
complete_words segments-async samples list fl
complete_words segments-async samples list sandbox/f
complete_words segments-async samples list flowers --js
"""
FISH = """
segments-async completion fish | source
complete -C "segments-async samp"
complete -C "segments-async samples list fl"
complete -C "segments-async samples list flowers --js"
"""
ZSH = """
autoload -Uz compinit; compinit -u -D
eval "$(segments-async completion zsh)"
echo ${_comps[segments-async]}
folder=$(mktemp -d)
segments-async completion zsh > $folder/_segments-async
fpath=($folder $fpath)
autoload -Uz _segments-async
_arguments() { print -r -- "_arguments ran" }
_segments-async
rm -r $folder
"""


@pytest.fixture
def program(flowers, tmp_path, monkeypatch):
    """Put ``segments-async`` on the path, and names in the cache: a busy machine may be too slow to fetch them."""
    names._cached_names(None)
    path = tmp_path / "bin" / "segments-async"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m segments_async "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def run(command, script):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([*command, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert not done.stderr
    return done.stdout.splitlines()


def test_bash(program):
    assert run(["bash", "--norc"], BASH) == ["samples", "flowers", "sandbox/flowers", "--json"]


def test_fish(program):
    lines = run(["fish", "--no-config"], FISH)
    assert [line.partition("\t")[0] for line in lines] == ["samples", "flowers", "--json"]


@pytest.mark.parametrize("typed", ["", "labels "])
def test_fish_offers_commands_alone(program, tmp_path, typed):
    """Files are offered where a command takes one, not beside commands."""
    (tmp_path / "labels.jsonl").touch()

    def offered(words):
        script = f'segments-async completion fish | source; cd {tmp_path}; complete -C "segments-async {words}"'
        return {line.partition("\t")[0] for line in run(["fish", "--no-config"], script)}

    assert {"import", "labels"} & offered(typed)
    assert offered(typed) <= app_words(typed.split())
    assert offered("labels put lab") == {"labels.jsonl"}


def test_zsh(program):
    """Both ways: registered by `eval`, and called when the script is a file of `fpath`."""
    assert run(["zsh", "-f"], ZSH) == ["_cyclopts_segments-async", "_arguments ran"]


def test_names_are_kept_for_a_minute(command, flowers, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(names.time, "time", lambda: now[0])

    def complete():
        """Complete ``fl``; return the names, and how many requests that took."""
        before = len(command.sandbox.calls)
        found = [name for name in names._cached_names(None) if name.startswith("sandbox/fl")]
        return found, len(command.sandbox.calls) - before

    assert complete() == (["sandbox/flowers"], 1)
    command("datasets", "create", "flies")
    now[0] += 59
    assert complete() == (["sandbox/flowers"], 0)
    now[0] += 2
    found, requests = complete()
    assert (sorted(found), requests) == (["sandbox/flies", "sandbox/flowers"], 1)


def test_no_names_are_not_kept(command, flowers, monkeypatch):
    """If the service fails, the next completion asks again."""
    with monkeypatch.context() as environment:
        environment.setattr(names, "COMPLETION_SECONDS", 0)
        assert names._cached_names(None) == []
    assert names._cached_names(None) == ["sandbox/flowers"]


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"time": 1e18, "names": []})])
def test_a_broken_cache_is_replaced(command, flowers, tmp_path, content):
    names._cached_names(None)
    [cache] = (tmp_path / "cache").rglob("datasets-*.json")
    cache.write_text(content)
    assert names._cached_names(None) == ["sandbox/flowers"]
