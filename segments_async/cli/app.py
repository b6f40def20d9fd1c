"""The commands, each in a module that is imported only when it is used, and the global options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from attrs import frozen
from cyclopts import App, Group, Parameter

from segments_async._version import __version__
from segments_async.cli.commands import COMMANDS, DEBUG, JSON, PROGRAM, QUIET, SUMMARY, USAGE, VERBOSE
from segments_async.cli.context import Context
from segments_async.cli.dashes import unmark
from segments_async.cli.help_page import HelpFormatter
from segments_async.cli.options import OPTIONS
from segments_async.cli.printing import Printer
from segments_async.cli.wording import options_of

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACES = dict.fromkeys(("login", "logout", "whoami"), "account")
"""Modules of commands that do not have one of their own name."""
HIDDEN = {"export": "segments_async.cli.releases:export"}
"""Commands of earlier versions, which still work."""

app: App = App(
    name=PROGRAM,
    help=SUMMARY,
    usage=USAGE,
    version=f"{PROGRAM} {__version__}",
    help_format="plaintext",
    help_formatter=HelpFormatter(),
    group_parameters=OPTIONS,
)
app.meta.group_parameters = Group("Global options", sort_key=99)
for flag in ("--help", "--version"):
    app[flag].group = (app.meta.group_parameters,)


def place_of(name: str) -> str:
    """Return where a command is, as ``module:attribute``."""
    module = _PLACES.get(name, name)
    return f"segments_async.cli.{module}:{name if name in _PLACES else 'app'}"


def _register() -> None:
    for number, (name, words) in enumerate(COMMANDS.items()):
        app.command(place_of(name), name=name, help=words, sort_key=number)
    for name, place in HIDDEN.items():
        app.command(place, name=name, show=False)


_register()


@frozen(kw_only=True)
class Invocation:
    """A parsed command."""

    command: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    context: Context
    tokens: tuple[str, ...]
    lacks_command: bool
    """Whether only a group of commands is named."""


@app.meta.default
def parse(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: Annotated[bool, Parameter(negative="", show_default=False, help=JSON)] = False,
    quiet: Annotated[bool, Parameter(alias="-q", negative="", show_default=False, help=QUIET)] = False,
    verbose: Annotated[int, Parameter(count=True, alias="-v", show_default=False, help=VERBOSE)] = 0,
    debug: Annotated[bool, Parameter(negative="", show_default=False, help=DEBUG)] = False,
) -> Invocation:
    """Parse a command; it is called by `segments_async.cli.running`."""
    command, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    context = Context(
        printer=Printer(json=json, quiet=quiet), verbosity=verbose, debug=debug, options=options_of(command)
    )
    return Invocation(
        command=command,
        arguments=unmark(bound.args),
        keywords=unmark(bound.kwargs) | dict.fromkeys(ignored, context),
        context=context,
        tokens=tokens,
        lacks_command=getattr(command, "__name__", "") == "help_print",
    )
