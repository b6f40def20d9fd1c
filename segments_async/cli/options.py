"""Options that several commands have."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, Group, Parameter

from segments_async.cli.commands import COMMANDS
from segments_async.cli.lines import STDIN, read_stdin
from segments_async.cli.statuses import CommandError
from segments_async.cli.streams import interruptible

T = TypeVar("T")


def _shown_default(value: Any) -> str | None:
    """Return what the help shows of a default value: nothing of a flag that is not set, an empty text and None."""
    return None if value is None or value is False or value == "" else str(value)


DEFAULTS = Parameter(negative="", show_default=_shown_default)
"""What parameters of all commands have in common."""
OPTIONS = Group("Options", sort_key=98)

Yes = Annotated[bool, Parameter(alias="-y", negative="", help="Do not ask.")]
Labelset = Annotated[str, Parameter(help="The labelset.")]
Statuses = Annotated[
    list[str] | None,
    Parameter(
        name=["--label-status", "--status"],
        negative="",
        help="Only samples whose label has this status, such as REVIEWED, in upper or lower case; may be repeated.",
    ),
]
Conditions = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        help='Only samples with this metadata: "city:Ghent", "height:>=3", "tags:|red"; may be repeated.',
    ),
]


def command_app(name: str) -> App:
    """Create the app of a command; its subcommands and parameters are added to it."""
    return App(name=name, help=COMMANDS[name], default_parameter=DEFAULTS, group_parameters=OPTIONS)


async def first(items: AsyncIterable[T], limit: int | None) -> AsyncIterator[T]:
    """Yield the items, *limit* of them at most."""
    if limit is not None and limit < 1:
        raise CommandError(f"--limit: expected a number from 1, got {limit}")
    count = 0
    async for item in items:
        yield item
        count += 1
        if count == limit:
            return


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def pairs(values: list[str] | None, option: str) -> dict[str, str] | None:
    """Read ``key=value`` pairs; None if there are none."""
    if not values:
        return None
    read = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise CommandError(f"{option}: expected key=value, got {value!r}")
        if key in read:
            raise CommandError(f"{option}: {key} is given twice")
        read[key] = text
    return read


def read_text(path: Path, option: str) -> str:
    """Read a file that an option names; ``-`` is standard input."""
    try:
        content = read_stdin() if str(path) == STDIN else path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"{option}: cannot read {path}: {problem}") from error


def confirm(question: str, *, yes: bool) -> None:
    """
    Ask before something is deleted.

    Raises:
        CommandError: The answer was no, or there is no terminal to ask on.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(f"refused without a terminal to ask on: {question}", hint="`--yes` deletes without asking")
    with interruptible():
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
    if answer.strip().lower() not in {"y", "yes"}:
        raise CommandError("nothing was deleted", status=1)
