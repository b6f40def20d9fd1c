"""Error responses in the format of Django REST Framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from segments_async.sandbox.exact_json import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with *value* as JSON."""
    return Response(write_json(value), status, headers, "application/json")


class RefusedError(Exception):
    """Raised to reject a request with *status* and *value* as the JSON body."""

    def __init__(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, value)
        self.status = status
        self.value = value
        self.headers = headers

    def response(self) -> Response:
        """Return the error response."""
        return json_response(self.value, self.status, self.headers)


def refused(status: int, detail: str, headers: Mapping[str, str] | None = None) -> RefusedError:
    """Return an error with a ``detail`` message."""
    return RefusedError(status, {"detail": detail}, headers)


def not_found() -> RefusedError:
    """Return a 404 error for the resource in the path."""
    return refused(404, "Not found.")


def name_taken(resource: str, status: int) -> RefusedError:
    """Return an error for a ``name`` that is not unique."""
    return RefusedError(status, {"name": [f"{resource} with this name already exists."]})
