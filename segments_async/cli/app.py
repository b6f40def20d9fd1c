"""The commands, each in a module that is imported only when it is used, and the global options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from attrs import frozen
from cyclopts import App, Group, Parameter

from segments_async._version import __version__
from segments_async.cli.context import Context
from segments_async.cli.dashes import unmark
from segments_async.cli.printing import Printer

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "login": "Check an API key and keep it.",
    "logout": "Forget the API key.",
    "whoami": "Show whose API key is used.",
    "datasets": "List, create, change, copy and delete datasets.",
    "samples": "List, create, upload, download, change and delete samples.",
    "labels": "Get, set, change and delete labels.",
    "labelsets": "List, create and delete labelsets.",
    "issues": "List, create, change and delete issues.",
    "collaborators": "Add, change and remove the collaborators of a dataset.",
    "workunits": "List the time that people spent on samples.",
    "releases": "Create, download, export and delete releases.",
    "api": "Call any endpoint of the service.",
    "check": "Compare the real service with what this package assumes.",
    "sandbox": "Run the service in memory, for trying and testing.",
    "demo": "Upload, label, release and verify a dataset on a sandbox.",
    "completion": "Print the completion script for a shell.",
}
"""The commands and their help, in the order of the list; `_PLACES` says where they are."""

_PLACES = dict.fromkeys(("login", "logout", "whoami"), "account")
"""Modules of commands that do not have one of their own name."""
HIDDEN = {"export": "segments_async.cli.releases:export"}
"""Commands of earlier versions, which still work."""

app: App = App(
    name="segments-async",
    help="Work with Segments.ai: upload, label, release, download and export.",
    version=f"segments-async {__version__}",
    help_format="plaintext",
)
app.meta.group_parameters = Group("Global options", sort_key=99)


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
    json: Annotated[bool, Parameter(negative="", help="Print JSON Lines: one object a line.")] = False,
    quiet: Annotated[bool, Parameter(alias="-q", negative="", help="Leave out progress, remarks and colours.")] = False,
    verbose: Annotated[
        int, Parameter(count=True, alias="-v", show_default=False, help="Show the log; -vv shows the requests too.")
    ] = 0,
    debug: Annotated[bool, Parameter(negative="", help="Show the traceback of an error.")] = False,
) -> Invocation:
    """Parse a command; it is called by `segments_async.cli.running`."""
    command, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    context = Context(printer=Printer(json=json, quiet=quiet), verbosity=verbose, debug=debug)
    return Invocation(
        command=command,
        arguments=unmark(bound.args),
        keywords=unmark(bound.kwargs) | dict.fromkeys(ignored, context),
        context=context,
        tokens=tokens,
        lacks_command=getattr(command, "__name__", "") == "help_print",
    )
