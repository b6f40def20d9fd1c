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
    """Called with the `ApiRequest` and the names in the path."""
    Template = tuple[str | None, ...]
    """The parts of a path, None for a name."""

_V = TypeVar("_V", bound="View")


@frozen
class ApiRequest:
    """What a view may ask of a request."""

    state: State
    user: str
    """Whose API key it carries."""
    query: QueryParams
    data: Any
    """The decoded JSON body; an empty object if there is none."""


class Routes:
    """
    Which view answers which path, with or without its last slash.

    Matches the path as it was sent, so that a name may hold any character: ``a%2Fb`` is one name, ``a/b``.

    Arguments:
        others: Routes to begin with.
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
        """Return the template of a path and the names in it; None if there is no such path."""
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
