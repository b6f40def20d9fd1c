"""The list of commands in docs/cli.md is that of the program; `python tests/cli/test_page.py` writes it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from segments_async.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
HEADING = "## Commands\n\n"
TITLES = re.compile(r"^#+ segments-async (.*)$", re.MULTILINE)


def reference():
    """The commands with their arguments and options, as Markdown."""
    text = app.generate_docs(output_format="markdown")
    text = text[text.index("## segments-async login") :]
    text = re.sub(r"\*\*Global options\*\*:\n\n(\* .*\n)+\n?", "", text)
    return TITLES.sub(r"### `\1`", text).replace("```console", "```text").strip() + "\n"


def test_the_page_has_every_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["segments-async"])  # of `python -m pytest`, cyclopts would show `-m pytest`
    _, heading, commands = PAGE.read_text(encoding="utf-8").partition(HEADING)
    assert heading
    assert commands == reference()


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(HEADING)[0] + HEADING + reference(), encoding="utf-8")
