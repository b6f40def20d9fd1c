"""The API: authenticates, decodes and dispatches requests to views, as Django REST Framework does."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from segments_async.sandbox.exact_json import read_json
from segments_async.sandbox.permissions import check_permission
from segments_async.sandbox.problems import RefusedError, not_found, refused
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.views import (
    accounts,
    assets,
    clones,
    collaborators,
    datasets,
    issues,
    labels,
    labelsets,
    releases,
    samples,
    workunits,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from segments_async.sandbox.routing import Template
    from segments_async.sandbox.state import State
    from segments_async.sandbox.strict import Reviewer

ROUTES = Routes(
    accounts.routes,
    assets.routes,
    clones.routes,
    collaborators.routes,
    datasets.routes,
    issues.routes,
    labels.routes,
    labelsets.routes,
    releases.routes,
    samples.routes,
    workunits.routes,
)


class Api:
    """Handles requests to the API origin."""

    def __init__(self, state: State, reviewer: Reviewer) -> None:
        self._state = state
        self._reviewer = reviewer

    async def __call__(self, request: Request) -> Response:
        """Respond to *request*; errors are JSON."""
        body = await request.body()
        self._state.store.serve(request.headers.get("host", ""))
        found, data = ROUTES.find(request.scope["raw_path"]), None
        try:
            if found is None:
                raise not_found()
            response = self._redirect(request)
            if response is None:
                user = self._admit(request, *found)
                data = decode(request, body)
                response = self._respond(request, user, *found, data)
        except RefusedError as problem:
            response = problem.response()
        if found is not None:
            self._reviewer.review(request, *found, data, response.status_code)
        return response

    def _redirect(self, request: Request) -> Response | None:
        if not self._state.redirects_slashes or request.scope["raw_path"].endswith(b"/"):
            return None
        query = request.scope["query_string"].decode("latin-1")
        location = f"{request.scope['raw_path'].decode('ascii')}/{'?' if query else ''}{query}"
        return Response(None, 301, {"Location": location})

    def _admit(self, request: Request, template: Template, _: list[str]) -> str:
        """Check the key and the method, and return the user."""
        user, views = self._authenticate(request), ROUTES.views[template]
        if request.method not in views:
            allowed = {"Allow": ", ".join(sorted(views))}
            raise refused(405, f'Method "{request.method}" not allowed.', allowed)
        return user

    def _respond(self, request: Request, user: str, template: Template, names: list[str], data: Any) -> Response:
        api_request = ApiRequest(self._state, user, request.query_params, data)
        check_permission(api_request, request.method, template, names)
        return ROUTES.views[template][request.method](api_request, *names)

    def _authenticate(self, request: Request) -> str:
        """Return the user the API key of the request belongs to."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "APIKey":
            raise refused(403, "Authentication credentials were not provided.")
        if key not in self._state.keys:
            raise refused(self._state.variants.wrong_key_status, "Invalid API key.", {"WWW-Authenticate": "APIKey"})
        return self._state.keys[key]


def decode(request: Request, body: bytes) -> Any:
    """Decode a JSON body, which may be compressed; return an empty dict without a body."""
    if not body:
        return {}
    media_type = request.headers.get("content-type", "")
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise refused(415, f'Unsupported media type "{media_type}" in request.')
    try:
        if request.headers.get("content-encoding", "").lower() == "gzip":
            body = gzip.decompress(body)
        return read_json(body)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise refused(400, f"JSON parse error - {error}") from error
