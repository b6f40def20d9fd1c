"""Collaborators: users with a role in a dataset, other than its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from segments_async.sandbox.checks import choice, nonblank, validate
from segments_async.sandbox.permissions import ROLES
from segments_async.sandbox.problems import json_response, not_found, refused
from segments_async.sandbox.routing import ApiRequest, Routes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.sandbox.state import Dataset, Record, State

_CHECKS: Mapping[str, Any] = {"user": nonblank, "role": choice(ROLES)}

routes: Routes = Routes()


def _collaborator_json(state: State, dataset: Dataset, user: str) -> Record:
    if user not in dataset.collaborators:
        raise not_found()
    return dataset.collaborators[user] | {"user": state.account(user)}


@routes.route("POST", "datasets/{owner}/{name}/collaborators")
def add_collaborator(request: ApiRequest, owner: str, name: str) -> Response:
    """Add a user to a dataset with a role."""
    state, dataset = request.state, request.state.dataset(owner, name)
    validate(request.data, _CHECKS, ["user"])
    user = request.data["user"]
    if user not in state.users or user in state.members or user == owner:
        raise refused(400, f"{user} cannot be added as collaborator.")
    if user in dataset.collaborators:
        raise refused(400, f"{user} is already a collaborator.")
    dataset.collaborators[user] = {"role": "labeler"} | request.data
    return json_response(_collaborator_json(state, dataset, user), 201)


@routes.route("GET", "datasets/{owner}/{name}/collaborators/{user}")
def get_collaborator(request: ApiRequest, owner: str, name: str, user: str) -> Response:
    """Return a collaborator and their role."""
    return json_response(_collaborator_json(request.state, request.state.dataset(owner, name), user))


@routes.route("PATCH", "datasets/{owner}/{name}/collaborators/{user}")
def update_collaborator(request: ApiRequest, owner: str, name: str, user: str) -> Response:
    """Change a collaborator's role."""
    dataset = request.state.dataset(owner, name)
    before = _collaborator_json(request.state, dataset, user)
    validate(request.data, _CHECKS)
    dataset.collaborators[user] = before | request.data
    return json_response(_collaborator_json(request.state, dataset, user))


@routes.route("DELETE", "datasets/{owner}/{name}/collaborators/{user}")
def remove_collaborator(request: ApiRequest, owner: str, name: str, user: str) -> Response:
    """Remove a collaborator."""
    if request.state.dataset(owner, name).collaborators.pop(user, None) is None:
        raise not_found()
    return Response(status_code=204)
