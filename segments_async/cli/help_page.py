"""
Help as plain text in two columns, which is drawn without rich.

`HelpFormatter` draws the pages that cyclopts composes. The page of the program itself needs no cyclopts: `root_page`
draws it from the names of the commands.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import IO, TYPE_CHECKING, Any

from segments_async.cli.commands import COMMANDS, GLOBAL_OPTIONS, SUMMARY, USAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cyclopts.help import HelpEntry, HelpPanel

MAX_WIDTH = 100
"""Longer lines are hard to read."""
USAGE_START = "Usage: "
INDENT = "  "
MAX_LABEL_WIDTH = 26
"""A longer label has its description below it."""
NARROW = 60
"""Columns below which all labels have their description below them, if they are long."""


def print_root_page(file: IO[str]) -> None:
    """Print the help of the program."""
    file.write(root_page(_width(), bold=_is_bold(file)))


def root_page(width: int, *, bold: bool = False) -> str:
    """
    Return the help of the program.

    Example:
        >>> root_page(80).splitlines()[0]
        'Usage: segments-async COMMAND [OPTIONS]'
    """
    sections: tuple[tuple[str, Mapping[str, str]], ...] = (("Commands", COMMANDS), ("Global options", GLOBAL_OPTIONS))
    texts = [f"{USAGE}\n\n", f"{textwrap.fill(SUMMARY, width)}\n\n"]
    texts += [section(title, rows.items(), width, bold=bold) for title, rows in sections]
    return "".join(texts)


def section(title: str, rows: Iterable[tuple[str, str]], width: int, *, bold: bool = False) -> str:
    """
    Return rows of a label and its description below a title.

    Example:
        >>> print(section("Commands", [("login", "Check an API key."), ("api", "Call any endpoint.")], 24), end="")
        Commands:
          login  Check an API
                 key.
          api    Call any
                 endpoint.
        <BLANKLINE>
    """
    rows = list(rows)
    most = MAX_LABEL_WIDTH if width >= NARROW else MAX_LABEL_WIDTH // 2 + 2
    column = max((len(label) for label, _ in rows if len(label) <= most), default=2)
    lines = [line for label, text in rows for line in _row(label, text, column, width)]
    heading = f"\x1b[1m{title}:\x1b[0m" if bold else f"{title}:"
    return "\n".join([heading, *lines, "", ""])


def _row(label: str, text: str, column: int, width: int) -> list[str]:
    margin = INDENT + " " * (column + 2)
    lines = textwrap.wrap(" ".join(text.split()), width, initial_indent=margin, subsequent_indent=margin) or [""]
    if len(label) > column:
        return [INDENT + label, *lines]
    return [f"{INDENT}{label:{column}}  {lines[0][len(margin) :]}".rstrip(), *lines[1:]]


class HelpFormatter:
    """Draws what cyclopts composes; see cyclopts' page "Help", on protocols for formatters."""

    def render_usage(self, console: Any, options: object, usage: Any) -> None:
        """Draw the usage."""
        console.file.write(f"{USAGE_START}{str(usage).strip().removeprefix(USAGE_START)}\n\n")

    def render_description(self, console: Any, options: object, description: Any) -> None:
        """Draw the description, whose lines are joined to paragraphs."""
        paragraphs = plain(description).split("\n\n")
        filled = [textwrap.fill(" ".join(paragraph.split()), _width()) for paragraph in paragraphs]
        console.file.write("\n\n".join(text for text in filled if text) + "\n\n")

    def __call__(self, console: Any, options: object, panel: HelpPanel) -> None:
        """Draw a section of the page."""
        rows = [(_label(entry), _description(entry)) for entry in panel.entries]
        if rows:
            console.file.write(section(str(panel.title), rows, _width(), bold=_is_bold(console.file)))


def plain(text: Any) -> str:
    """Return the text of what cyclopts passes for a description."""
    text = getattr(text, "primary_renderable", text)
    return "" if text is None else str(getattr(text, "plain", text)).strip()


def _label(entry: HelpEntry) -> str:
    names = entry.display_labels_with_metavar
    if names[0].startswith("-") or entry.positional_label:
        return ", ".join(names)
    return f"{names[0]} ({', '.join(names[1:])})" if names[1:] else names[0]


def _description(entry: HelpEntry) -> str:
    parts = [plain(entry.description)]
    if entry.choices:
        parts.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.default is not None:
        parts.append(f"[default: {entry.default}]")
    if entry.required:
        parts.append("[required]")
    return " ".join(filter(None, parts))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, MAX_WIDTH)


def _is_bold(file: IO[str]) -> bool:
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
