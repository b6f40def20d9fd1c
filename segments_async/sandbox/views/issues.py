"""Issues reported on samples."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from starlette.responses import Response

from segments_async.sandbox.checks import choice, integer, mapping, nonblank, nullable, number, problems, validate
from segments_async.sandbox.problems import json_response
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import Issue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.sandbox.checks import Check
    from segments_async.sandbox.state import Record

_COORDINATES = {"2d": ("x", "y"), "3d": ("x", "y", "z")}
_READ_ONLY = frozenset(
    {"uuid", "created_at", "created_by", "updated_at", "updated_by", "comments", "sample_uuid", "sample_name"}
)

routes: Routes = Routes()


def _location(value: Any) -> object:
    wrong = mapping(value) or problems(value, {"type": choice(_COORDINATES)}, ["type"])
    return wrong or problems(value, dict.fromkeys("xyz", number), _COORDINATES[value["type"]]) or None


_ANCHORS: Mapping[str, Mapping[str, Check]] = {
    "basic": {},
    "track": {"trackNumber": integer},
    "sceneAttribute": {"sceneAttribute": nonblank},
    "location": {"location": _location},
}
"""The required fields of an anchor, by its type."""


def _anchor(value: Any) -> object:
    wrong = mapping(value) or problems(value, {"type": choice(_ANCHORS)}, ["type"])
    return wrong or problems(value, _ANCHORS[value["type"]], _ANCHORS[value["type"]]) or None


_CHECKS: Mapping[str, Check] = {
    "description": nonblank,
    "status": choice(("OPEN", "CLOSED")),
    "anchor": nullable(_anchor),
}


def issue_json(issue: Issue) -> Record:
    """Return *issue* as the API returns it."""
    return issue.record | {"sample_uuid": issue.sample.uuid, "sample_name": issue.sample.record["name"]}


def _fields(data: Record) -> Record:
    return {key: value for key, value in data.items() if key not in _READ_ONLY}


@routes.route("GET", "datasets/{owner}/{name}/issues")
def list_issues(request: ApiRequest, owner: str, name: str) -> Response:
    """List all issues of a dataset, without pages."""
    samples = request.state.dataset(owner, name).samples.values()
    return json_response([issue_json(issue) for sample in samples for issue in sample.issues.values()])


@routes.route("POST", "samples/{uuid}/issues")
def create_issue(request: ApiRequest, uuid: str) -> Response:
    """Create an issue on a sample."""
    sample, now = request.state.sample(uuid), request.state.now()
    validate(request.data, _CHECKS, ["description"])
    given = {"status": "OPEN", "anchor": None} | _fields(request.data)
    created = {"uuid": str(uuid4()), "created_at": now, "created_by": request.user}
    issue = Issue(sample, given | created | {"updated_at": now, "updated_by": request.user, "comments": []})
    sample.issues[issue.uuid] = request.state.issues[issue.uuid] = issue
    request.state.notify("issue.created", sample.dataset, partial(issue_json, issue))
    return json_response(issue_json(issue), 201)


@routes.route("PATCH", "issues/{uuid}")
def update_issue(request: ApiRequest, uuid: str) -> Response:
    """Update the given fields; the others stay unchanged."""
    issue = request.state.issue(uuid)
    validate(request.data, _CHECKS)
    updated = {"updated_at": request.state.now(), "updated_by": request.user}
    issue.record = issue.record | _fields(request.data) | updated
    request.state.notify("issue.updated", issue.sample.dataset, partial(issue_json, issue))
    return json_response(issue_json(issue))


@routes.route("DELETE", "issues/{uuid}")
def delete_issue(request: ApiRequest, uuid: str) -> Response:
    """Delete an issue."""
    issue = request.state.issue(uuid)
    del issue.sample.issues[uuid], request.state.issues[uuid]
    return Response(status_code=204)
