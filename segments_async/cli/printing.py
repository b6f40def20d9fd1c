"""What commands write: results on standard output, and everything else on standard error."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from segments_async.cli.lines import as_async
from segments_async.cli.streams import output
from segments_async.errors import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from segments_async import Progress
    from segments_async._check import Fact

    Columns = Mapping[str, str | Callable[[Any], Any]]

ROWS_AT_ONCE = 1000
"""Rows that are printed together; the widths of the columns are those of the first ones."""
READABLE_WIDTH = 16
"""Columns are left out rather than made narrower than this."""


@frozen(kw_only=True)
class Printer:
    """Print the results and the messages of a command."""

    json: bool = False
    """Whether results are JSON Lines."""
    quiet: bool = False
    """Whether to leave out colours, progress and remarks."""

    async def print_list(self, items: AsyncIterable[Any] | Iterable[Any], columns: Columns) -> None:
        """Print objects as they arrive: as JSON Lines, as a table, or as columns separated by tabs."""
        table = _Table(self.console(), list(columns)) if not self.json and sys.stdout.isatty() else None
        async for chunk in _chunks(items):
            if self.json:
                self._write("".join(map(json_line, chunk)))
            else:
                self._print_rows([[cell(value_of(item, get)) for get in columns.values()] for item in chunk], table)
            self._flush()

    def print_rows(self, rows: Iterable[Sequence[Any]], headings: Sequence[str]) -> None:
        """Print a short table."""
        table = _Table(self.console(), list(headings)) if sys.stdout.isatty() else None
        self._print_rows([list(map(cell, row)) for row in rows], table)

    def print_object(self, item: Any, names: Collection[str] | None = None) -> None:
        """Print one object: as a JSON line, or a line for each of its fields (those in *names*) that has a value."""
        if self.json:
            self._write(json_line(item))
            return
        from segments_async import unstructure

        values = {name: value for name, value in unstructure(item).items() if names is None or name in names}
        fields = {name: cell(value) for name, value in values.items() if value is not None}
        if sys.stdout.isatty():
            _print_fields(self.console(), fields)
        else:
            self._write("".join(f"{name}\t{value}\n" for name, value in fields.items()))

    def print_line(self, value: Any) -> None:
        """Print a model or JSON as one line of JSON."""
        self._write(json_line(value))

    def print_fact(self, fact: Fact) -> None:
        """Print a fact about the service, at once."""
        if self.json:
            self.print_line(asdict(fact))
        else:
            self.print_text(str(fact))
        self._flush()

    def print_path(self, path: Path) -> None:
        """Print the path of a file that was written."""
        if self.json:
            self.print_line({"file": str(path)})
        else:
            self.print_text(str(path))

    def print_text(self, text: str) -> None:
        """Print a result that is a line of text."""
        self._write(f"{printable(text)}\n")

    def remark(self, text: str) -> None:
        """Print a message that ``--quiet`` leaves out."""
        if not self.quiet:
            self.message(text)

    def message(self, text: str) -> None:
        """Print a message."""
        print("\n".join(map(printable, text.splitlines())), file=sys.stderr, flush=True)

    def progress(self, description: str) -> Callable[[Progress], None] | None:
        """Return a progress bar for a terminal; None if there is none, or it is not wanted."""
        if self.quiet or not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return None
        from segments_async.cli.bars import bar

        return bar(description)

    def console(self, *, stderr: bool = False) -> Console:
        """Create a console of rich: as wide as the terminal, without markup."""
        from rich.console import Console

        return Console(stderr=stderr, markup=False, highlight=False, emoji=False, no_color=self.quiet or None)

    def _print_rows(self, rows: list[list[str]], table: _Table | None) -> None:
        if table is None:
            self._write("".join("\t".join(row) + "\n" for row in rows))
        else:
            table.print(rows)

    def _write(self, text: str) -> None:
        with output():
            sys.stdout.write(text)

    def _flush(self) -> None:
        with output():
            sys.stdout.flush()


def json_line(value: Any) -> str:
    """Write a model or JSON as one line."""
    from segments_async._serialization.json import encode_json

    return encode_json(value).decode() + "\n"


def value_of(item: Any, get: str | Callable[[Any], Any]) -> Any:
    """Return what a column shows of *item*; None where a part is missing."""
    try:
        return attrgetter(get)(item) if isinstance(get, str) else get(item)
    except AttributeError:
        return None


def cell(value: Any) -> str:
    """Format a value in one line."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return printable(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M")
        case int() | float():
            return str(value)
    return printable(json_line(value).rstrip())


async def _chunks(items: AsyncIterable[Any] | Iterable[Any]) -> AsyncIterator[list[Any]]:
    chunk: list[Any] = []
    async for item in as_async(items):
        chunk.append(item)
        if len(chunk) >= ROWS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Table:
    """A table that is printed in parts."""

    def __init__(self, console: Console, headings: list[str]) -> None:
        self._console = console
        self._headings = headings
        self._widths: list[int] = []

    def print(self, rows: list[list[str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=not self._widths)
        if not self._widths:
            self._widths = fit(_widths([self._headings, *rows]), self._console.width)
        for heading, width in zip(self._headings, self._widths, strict=False):
            table.add_column(heading, width=width, no_wrap=True, overflow="ellipsis", header_style="bold")
        for row in rows:
            table.add_row(*map(Text, row[: len(self._widths)]))
        self._console.print(table)


def fit(widths: list[int], available: int, gap: int = 2) -> list[int]:
    """
    Leave out the last columns that have no room, then narrow the widest until all others fit.

    Example:
        >>> fit([40, 10, 4], 40)
        [22, 10, 4]
        >>> fit([14, 36, 6, 20], 40)
        [14, 16, 6]
    """
    fitted = widths.copy()
    while len(fitted) > 1 and sum(min(width, READABLE_WIDTH) + gap for width in fitted) - gap > available:
        fitted.pop()
    while sum(fitted) + gap * len(fitted) - gap > available and max(fitted) > 1:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _widths(rows: list[list[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]


def _print_fields(console: Console, fields: Mapping[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(Text(name), Text(value))
    console.print(table)
