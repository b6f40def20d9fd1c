"""Run one command: parse it, call it, and turn what it raises into one or two lines and an exit status."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from cyclopts import CycloptsError, UnknownCommandError

from segments_async.cli import keys
from segments_async.cli.app import app
from segments_async.cli.commands import COMMANDS
from segments_async.cli.dashes import hint_about, mark, unmark
from segments_async.cli.exit_statuses import DONE, USAGE
from segments_async.cli.statuses import CommandError, status_of
from segments_async.cli.streams import OutputError, leave_pipe, output
from segments_async.errors import AuthenticationError, InputError, SegmentsError, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async.cli.app import Invocation

MAX_ELSEWHERE = 2
"""More commands of one name than these, such as ``list``, are no hint."""
_DID_YOU_MEAN = re.compile(r' Did you mean "[^"]*"\?')


def run(tokens: list[str]) -> int:
    """Run the command that *tokens* name, and return its exit status."""
    options: frozenset[str] = frozenset()
    try:
        invocation = _parse(list(map(mark, tokens)))
        if invocation is None:  # the help or the version was shown
            return DONE
        options = invocation.context.options
        status: int | None = _call(invocation)
    except (BrokenPipeError, OutputError):
        raise
    except Exception as error:  # noqa: BLE001 (a command line never ends in a traceback)
        return _report(error, options, debug="--debug" in tokens)
    return status or DONE


def _parse(tokens: list[str]) -> Invocation | None:
    try:
        with output():  # of a help page
            invocation: Invocation | None = app.meta(
                _without_help_of_nothing(tokens), exit_on_error=False, print_error=False, result_action="return_value"
            )
    except CycloptsError as error:
        problem = unmark(" ".join(str(error).split()))
        if isinstance(error, UnknownCommandError) and (places := _elsewhere(tokens)):
            raise CommandError(_DID_YOU_MEAN.sub("", problem), hint=f"did you mean {places}?") from error
        raise CommandError(problem, hint=hint_about(error, tokens) or _usage_hint(tokens)) from error
    return invocation


def _without_help_of_nothing(tokens: list[str]) -> list[str]:
    """Return *tokens*, or only a command that does not exist: cyclopts would show the help of the program for it."""
    name = next((token for token in tokens if not token.startswith("-")), None)
    asks_for_help = {"--help", "-h"} & set(tokens)
    return [name] if asks_for_help and name is not None and name not in app_words([]) else tokens


def _call(invocation: Invocation) -> Any:
    if invocation.lacks_command:
        app.help_print(invocation.tokens, console=invocation.context.printer.console(stderr=True))
        return USAGE
    command: Callable[[], Any] = partial(invocation.command, *invocation.arguments, **invocation.keywords)
    with invocation.context.logging():
        if not inspect.iscoroutinefunction(invocation.command):
            return command()
        import anyio

        return anyio.run(command)


def _usage_hint(tokens: list[str]) -> str:
    return f"see `{' '.join(['segments-async', *_known_words(tokens), '--help'])}`"


def _known_words(tokens: list[str]) -> list[str]:
    """Return the commands at the beginning of *tokens*."""
    words: list[str] = []
    for token in tokens:
        if token.startswith("-") or token not in app_words(words):
            break
        words.append(token)
    return words


def _elsewhere(tokens: list[str]) -> str:
    """Return the commands of other groups that have the name of the unknown one; empty if none or many have it."""
    group = _known_words(tokens)
    unknown = next((token for token in tokens[len(group) :] if not token.startswith("-")), None)
    if unknown is None or len(group) > 1:
        return ""
    found = [f"`segments-async {name} {unknown}`" for name in COMMANDS if unknown in app_words([name])]
    return " or ".join(found) if len(found) <= MAX_ELSEWHERE else ""


def app_words(words: list[str]) -> set[str]:
    """Return the commands below those that *words* name."""
    current: Any = app
    for word in words:
        current = current[word]
    return {name for name in current if not name.startswith("-")}


def _report(error: Exception, options: frozenset[str], *, debug: bool) -> int:
    cause = error.__cause__
    if isinstance(cause, BrokenPipeError):
        return leave_pipe()
    if isinstance(cause, OutputError):
        raise cause
    if isinstance(cause, CommandError):  # raised while a bulk call read its input
        error = cause
    if debug:
        print(keys.hide_keys("".join(traceback.format_exception(error))), file=sys.stderr)
    for line in _lines_of(error, options, debug=debug):
        print(keys.hide_keys(line), file=sys.stderr)
    return status_of(error)


def _lines_of(error: Exception, options: frozenset[str], *, debug: bool) -> list[str]:
    from segments_async.cli.hints import hint_for
    from segments_async.cli.wording import with_options, with_place

    known = isinstance(error, SegmentsError | CommandError | ImportError | OSError)
    text = _text_of(error) if known else f"{type(error).__name__}: {error}"
    hint = hint_for(error) or ("" if known or debug else "`--debug` shows where")
    # Of a refused key, the hint says where the command found it.
    has_notes = isinstance(error, SegmentsError) and not isinstance(error, AuthenticationError)
    notes = getattr(error, "__notes__", ()) if has_notes else ()
    if isinstance(error, SegmentsError):
        text = with_options(text, options)
    if isinstance(error, InputError):
        text = with_place(text, options)
    lines = [("error", text), *(("note", note) for note in notes), *([("hint", hint)] if hint else [])]
    return [f"{kind}: {printable(' '.join(words.split()))}" for kind, words in lines]


def _text_of(error: Exception) -> str:
    """Return the message of an error, without the number of an error of the operating system."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
