"""The shell commands of the README and of the pages run as they stand, against the sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from doc_pages import ROOT, text_of
from PIL import Image

SHELL = re.compile(r"^```shell\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
INSTALL = re.compile(r'^pip install (?:-e )?"?(?:segments-async|\.)(?:\[([\w,]+)\])?"?(?: +#.*| && .*)?$')
NOT_RUN = {
    "make install": "it installs; .ci/run runs it",
    "python -m segments_async.sandbox --port 8765": "it serves until Ctrl-C; .ci/run starts and stops it",
    'export SEGMENTS_API_KEY="..."': "a key of the real service",
    "segments-async login": "it asks for a key at a terminal; tests/cli does",
    'eval "$(segments-async sandbox --env)"   # sets SEGMENTS_API_URL and SEGMENTS_API_KEY': (
        "it leaves a process; tests/cli does, and stops it"
    ),
}
"""Commands that are not run here, with the reason; nor are those that install."""


def blocks(page):
    return SHELL.findall(text_of(page))


def commands(block):
    """The lines of a block that are to be run."""
    lines = block.splitlines()
    return [line for line in lines if line not in NOT_RUN and not line.startswith("pip install")]


WITH_COMMANDS = [page for page in PAGES if any(commands(block) for block in blocks(page))]


def test_commands_that_install_name_extras_that_exist():
    extras = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    lines = [line for page in PAGES for block in blocks(page) for line in block.splitlines()]
    for line in (line for line in lines if line.startswith("pip install")):
        found = INSTALL.match(line)
        assert found, line
        assert set((found[1] or "").split(",")) - {""} <= set(extras), line


def test_what_is_not_run_is_on_a_page():
    lines = {line for page in PAGES for block in blocks(page) for line in block.splitlines()}
    assert set(NOT_RUN) <= lines


@pytest.mark.slow
@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_commands_run(page):
    """Those of a page one after the other, in a folder that has the files which they name."""
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    Path("categories.txt").write_text("rose\nviolet\n")
    Path("photos").mkdir()
    for name in ("rose.png", "violet.png"):
        Image.new("RGB", (64, 48)).save(f"photos/{name}")
    script = "\n".join(line for block in blocks(page) for line in commands(block))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert Path("out").is_dir()
