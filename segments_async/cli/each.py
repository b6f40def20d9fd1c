"""Commands that make one call for each of several uuids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async.cli.exit_statuses import DONE, FAILED
from segments_async.cli.lines import STDIN, as_async, lines_of_stdin, read_uuids, uuid_in
from segments_async.cli.statuses import CommandError, common_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from segments_async.cli.context import Context


async def for_each(context: Context, uuids: list[str], call: Callable[[str], Awaitable[Any]]) -> int:
    """
    Call *call* with each uuid, and print the object that it returns, if it returns one.

    Those that do not exist are named, by their line if they are read from standard input, and the others are called.

    Returns:
        The exit status.
    """
    from segments_async import InputError, NotFoundError

    lines = lines_of_stdin(uuids)
    if len(uuids) == 1 and lines is None:
        _print(context, await call(uuids[0]))
        return DONE
    errors: list[Exception] = []
    done = 0
    async for uuid in as_async(read_uuids(uuids, lines)):
        try:
            _print(context, await call(uuid_in(uuid)))
            done += 1
        except (InputError, NotFoundError, CommandError) as error:
            errors.append(error)
            where = uuid if lines is None else f"line {lines.last}"
            context.printer.message(f"error: {where}: {error}")
    return FAILED if errors and done else common_status(errors) if errors else DONE


def described(uuids: list[str], what: str) -> str:
    """Say how many there are of what the uuids name."""
    if STDIN in uuids:
        return f"the {what}s of standard input"
    return counted(len(uuids), what)


def _print(context: Context, answer: Any) -> None:
    if answer is not None:
        context.printer.print_object(answer)
