"""Users, organizations, and whether the service is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.sandbox.problems import json_response
from segments_async.sandbox.routing import ApiRequest, Routes

if TYPE_CHECKING:
    from starlette.responses import Response


routes = Routes()


@routes.route("GET", "api_status")
def api_status(_: ApiRequest) -> Response:
    """Say that this version of the client is welcome."""
    return json_response({"status": "ok"})


@routes.route("GET", "user")
def get_own_user(request: ApiRequest) -> Response:
    """Tell whom the API key belongs to."""
    return json_response(request.state.account(request.state.user))


@routes.route("GET", "users/{name}")
def get_user(request: ApiRequest, name: str) -> Response:
    """Describe a user or an organization."""
    return json_response(request.state.account(name))
