"""The list of commands in docs/cli.md is that of the program; `python tests/cli/test_page.py` writes it."""

from __future__ import annotations

import re
import subprocess
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


def test_the_page_has_every_command():
    """In a process of its own, since commands that were run before change what cyclopts writes of them."""
    _, heading, commands = PAGE.read_text(encoding="utf-8").partition(HEADING)
    assert heading
    assert commands == subprocess.check_output([sys.executable, __file__, "--print"], encoding="utf-8")


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(reference())
        sys.exit()
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(HEADING)[0] + HEADING + reference(), encoding="utf-8")
