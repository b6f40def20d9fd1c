from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import QueryParams
    from starlette.responses import Response

    from segments_async.sandbox.state import State

    View = Callable[..., Response]
    """A function of the `ApiRequest` and the path parameters."""
    Template = tuple[str | None, ...]
    """The segments of a path; None stands for a parameter."""

_V = TypeVar("_V", bound="View")


@frozen
class ApiRequest:
    """An API request, as passed to a view."""

    state: State
    user: str
    """The user the API key belongs to."""
    query: QueryParams
    data: Any
    """The decoded JSON body; an empty dict without a body."""


class Routes:
    """
    Maps paths to views, with or without a trailing slash.

    Matches the raw path, so that a parameter may contain any character: ``a%2Fb`` is the single name ``a/b``.

    Arguments:
        others: Routes to include.
    """

    def __init__(self, *others: Routes) -> None:
        self.views: dict[Template, dict[str, View]] = {}
        self._by_start: dict[tuple[int, str | None], list[Template]] = {}
        for other in others:
            for template, views in other.views.items():
                self._add(template, views)

    def route(self, method: str, path: str) -> Callable[[_V], _V]:
        """Register a view for *path*, such as ``"users/{name}"``."""
        template = tuple(None if part.startswith("{") else part for part in path.split("/"))

        def register(view: _V) -> _V:
            self._add(template, {method: view})
            return view

        return register

    def find(self, raw_path: bytes) -> tuple[Template, list[str]] | None:
        """Return the template that matches a path and its parameters; None if no template matches."""
        path = raw_path.decode("ascii").removeprefix("/").removesuffix("/")
        parts = [unquote(part) for part in path.split("/")]
        for template in self._by_start.get((len(parts), parts[0]), ()):
            pairs = list(zip(template, parts, strict=True))
            names = [part for literal, part in pairs if literal is None]
            if all(names) and all(literal in {None, part} for literal, part in pairs):
                return template, names
        return None

    def _add(self, template: Template, views: Mapping[str, View]) -> None:
        if template not in self.views:
            self.views[template] = {}
            self._by_start.setdefault((len(template), template[0]), []).append(template)
        self.views[template].update(views)
