"""The upload functions that an application registers."""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from segments_async.bulk import BulkReport

    Work = Callable[..., Awaitable[BulkReport[Any] | None]]
    """An async function of the `Upload`, the client and JSON keyword arguments; it is called again after a restart."""

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_RESERVED = ("owner",)
"""Arguments of `UploadJobs.start` itself."""


class Kinds:
    """Upload functions by name; invalid functions and arguments are refused early."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._parameters: dict[str, list[Parameter]] = {}
        self._taken: dict[str, set[str]] = {}

    def __getitem__(self, name: str) -> Work:
        return self._works[name]

    def __contains__(self, name: str) -> bool:
        return name in self._works

    def add(self, work: Work) -> None:
        """
        Register a function.

        Raises:
            InputError: It is not an async function of an upload and a client, or its name is taken.
        """
        name = getattr(work, "__name__", None)
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(f"expected an async function with a name, got {work!r}", path="work")
        if not inspect.iscoroutinefunction(work):
            raise InputError(f"{name!r} must be an async function (async def)", path="work")
        if name in self._works:
            raise InputError(f"a kind {name!r} is registered already", path="work")
        parameters = list(inspect.signature(work).parameters.values())
        self._taken[name], self._parameters[name] = _after_two(name, parameters)
        self._works[name] = work

    def check(self, name: str, arguments: Mapping[str, Any]) -> None:
        """
        Check that a function can be called with *arguments*.

        Raises:
            InputError: The function is not registered, an argument is missing, or it has no such argument.
        """
        if name not in self._works:
            raise InputError(f"expected one of {sorted(self._works)}, got {name!r}", path="work")
        parameters = self._parameters[name]
        accepted = [parameter.name for parameter in parameters if parameter.kind in _KEYWORD]
        variable = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters)
        for argument in arguments:
            if argument in self._taken[name] or not (variable or argument in accepted):
                raise InputError(
                    f"{name!r} has no such argument; expected one of {accepted}", path=f"arguments.{argument}"
                )
        for parameter in parameters:
            required = parameter.kind in _KEYWORD and parameter.default is Parameter.empty
            if required and parameter.name not in arguments:
                raise InputError(f"missing; {name!r} requires it", path=f"arguments.{parameter.name}")


def _after_two(name: str, parameters: list[Parameter]) -> tuple[set[str], list[Parameter]]:
    """Return the names of the parameters for the upload and the client, and the parameters after them."""
    variable = next((number for number, one in enumerate(parameters) if one.kind is Parameter.VAR_POSITIONAL), None)
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    if len(positional) < 2 and variable is None:  # noqa: PLR2004 (the upload and the client)
        raise InputError(f"{name!r} must accept the upload and the client as its first two arguments", path="work")
    rest = [parameter for parameter in parameters if parameter not in positional[:2]]
    taken = {parameter.name for parameter in positional[:2] if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD}
    for parameter in rest:
        if parameter.name in _RESERVED:
            raise InputError(
                f"{name!r} cannot have an argument {parameter.name!r}: start() uses that name itself", path="work"
            )
        if parameter.kind is Parameter.POSITIONAL_ONLY and parameter.default is Parameter.empty:
            raise InputError(f"{name!r} requires {parameter.name!r} by position; make it a keyword", path="work")
    return taken, rest
