"""The pages of help: what they say, what they import, and that they fit the terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from segments_async.cli import main
from segments_async.cli.app import app
from segments_async.cli.commands import COMMANDS
from segments_async.cli.help_page import root_page, section

LIBRARY = {"segments_async.models", "segments_async._client", "httpx", "anyio", "orjson"}
DRAWING = {"rich.table", "rich.panel", "rich.box", "rich._emoji_codes", "rich.markdown"}
PARSING = {"cyclopts", "rich", "attrs", "attr", "docstring_parser", "inspect", "asyncio"}


def imported(arguments):
    """The modules that a process has imported when it has shown a page of help."""
    source = f"""
import sys, io, contextlib
from segments_async.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main({arguments!r}) == 0
print(*sys.modules)
"""
    return set(subprocess.check_output([sys.executable, "-c", source], text=True).split())


def test_the_page_of_the_program_needs_no_library():
    """It is drawn from the names of the commands: the cost is that of `--version`, and a few modules of Python."""
    more = imported(["--help"]) - imported(["--version"])
    assert not more & (LIBRARY | DRAWING | PARSING)
    assert len(more) < 40


@pytest.mark.parametrize("arguments", [["samples", "--help"], ["samples", "upload", "--help"], ["api", "--help"]])
def test_pages_of_commands_need_neither_the_library_nor_tables(arguments):
    assert not imported(arguments) & (LIBRARY | DRAWING)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_the_page_of_the_program_is_what_cyclopts_composes(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["--quiet", "--help"]) == 0  # cyclopts parses the global option
    composed = capsys.readouterr().out
    for arguments in (["--help"], ["-h"], ["help"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == composed
    assert main([]) == 2
    assert capsys.readouterr().err == composed


def pages():
    """The words of each command that has a page."""
    for name in COMMANDS:
        yield [name]
        yield from ([name, sub] for sub in app[name] if not sub.startswith("-") and app[name][sub].name)


@pytest.mark.parametrize("width", [50, 120])
def test_pages_fit_the_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for words in pages():
        assert main([*words, "--help"]) == 0
        page = capsys.readouterr().out
        assert page.startswith(f"Usage: segments-async {' '.join(words)}")
        assert "Global options:" in page
        assert max(map(len, page.splitlines()[1:])) <= width
        assert main(["help", *words]) == 0
        assert capsys.readouterr().out == page


def test_defaults_are_shown_where_they_say_something(capsys):
    """Those of flags do not."""
    assert main(["sandbox", "--help"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "0 picks a free one. [default: 0]" in page
    assert "False" not in page


def test_titles_are_bold_on_a_terminal():
    assert "\x1b[1mCommands:\x1b[0m\n" in root_page(80, bold=True)
    assert "\x1b" not in root_page(80)


def test_a_label_that_is_long_has_its_description_below():
    page = section("Options", [("--a-rather-long-name-of-an-option", "What it does."), ("-b", "Another.")], 60)
    assert page == "Options:\n  --a-rather-long-name-of-an-option\n      What it does.\n  -b  Another.\n\n"


@pytest.mark.skipif(sys.platform != "linux", reason="it has /dev/full")
@pytest.mark.parametrize(
    "arguments",
    ["--help", "-q --help", "whoami", "datasets list --json", "completion bash", "samples list a --format csv"],
)
def test_a_full_disk_and_a_reader_that_leaves(command, arguments):
    """Each is told, or is silent, once; Python does not complain when it exits."""
    command.json("datasets", "create", "a")
    done = command.shell(f"segments-async {arguments} > /dev/full")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"
    done = command.shell(f"segments-async {arguments} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (141, "")
