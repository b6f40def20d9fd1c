"""Answers that say no, in the words of Django REST Framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with *value* as JSON."""
    return Response(orjson.dumps(value), status, headers, "application/json")


class RefusedError(Exception):
    """The request is refused with *status*; *value* is the JSON that says why."""

    def __init__(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, value)
        self.status = status
        self.value = value
        self.headers = headers

    def response(self) -> Response:
        """Say it to the client."""
        return json_response(self.value, self.status, self.headers)


def refused(status: int, detail: str, headers: Mapping[str, str] | None = None) -> RefusedError:
    """Refuse the request as a whole."""
    return RefusedError(status, {"detail": detail}, headers)


def not_found() -> RefusedError:
    """Say that the thing named in the path does not exist."""
    return refused(404, "Not found.")


def name_taken(thing: str) -> RefusedError:
    """Say that the field ``name`` is not unique."""
    return RefusedError(400, {"name": [f"{thing} with this name already exists."]})
