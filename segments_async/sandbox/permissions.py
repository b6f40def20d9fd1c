"""
Permissions in a dataset.

Source: docs.segments.ai/guides/add-collaborators-to-a-dataset and its pages on issues and clones. Whoever works on a
dataset may close an issue; its author and managers may also change and delete it.

A private dataset in which a user has no role returns 404; in a visible dataset, a request that the role does not allow
returns 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async.sandbox.problems import not_found, refused

if TYPE_CHECKING:
    from segments_async.sandbox.routing import ApiRequest, Template
    from segments_async.sandbox.state import Dataset, State

ROLES = ("viewer", "labeler", "reviewer", "manager", "admin")
"""In ascending order: each role includes the permissions of the previous ones."""

_ANY_USER = ""
"""Pseudo-role of any user who can see the dataset."""
_LEVELS = (_ANY_USER, *ROLES)
_REQUIRED_ROLES = {
    ("POST", "clone"): _ANY_USER,
    ("POST", "issues"): _ANY_USER,
    ("PATCH", "issues"): "labeler",
    ("DELETE", "issues"): "manager",
    ("PUT", "labels"): "labeler",
    ("PATCH", "labels"): "labeler",
    ("DELETE", "labels"): "labeler",
    ("POST", "collaborators"): "manager",
    ("PATCH", "collaborators"): "manager",
    ("DELETE", "collaborators"): "manager",
}
"""The lowest role that may make a change; ``"admin"`` if not listed."""
_MANAGER_FIELDS = frozenset({"priority", "assigned_labeler", "assigned_reviewer"})
"""The fields of a sample that a manager may change."""


def role_of(state: State, dataset: Dataset, user: str) -> str | None:
    """Return the role of *user* in *dataset*, as its owner, a collaborator or a member of its organization."""
    if user == dataset.owner:
        return "admin"
    if user in dataset.collaborators:
        return str(dataset.collaborators[user]["role"])
    return state.members.get(dataset.owner, {}).get(user)


def is_visible(state: State, dataset: Dataset, user: str) -> bool:
    """Return whether *user* can see *dataset*."""
    return dataset.record["public"] is True or role_of(state, dataset, user) is not None


def check_permission(request: ApiRequest, method: str, template: Template, names: list[str]) -> None:
    """Reject a request to a dataset, or to a resource in it, that the user may not make."""
    dataset = _dataset_of(request.state, template[0], names)
    if dataset is None:
        return
    if not is_visible(request.state, dataset, request.user):
        raise not_found()
    if method == "GET" or _is_author(request, template, names):
        return
    resource = next(part for part in reversed(template) if part is not None)
    required = _required_role(method, resource, request.data)
    if resource == "clone" and dataset.record["public"] is not True:
        required = "admin"
    if _rank(request.state, dataset, request.user) < _LEVELS.index(required):
        raise refused(403, "You do not have permission to perform this action.")


def _is_author(request: ApiRequest, template: Template, names: list[str]) -> bool:
    """Return whether the request is about an issue that the user reported."""
    return template[0] == "issues" and request.state.issues[names[0]].record["created_by"] == request.user


def _dataset_of(state: State, kind: str | None, names: list[str]) -> Dataset | None:
    """Return the dataset that a path belongs to; None if there is no such dataset."""
    if kind == "datasets":
        return state.datasets.get((names[0], names[1]))
    if kind in {"samples", "labels"}:
        return sample.dataset if (sample := state.samples.get(names[0])) else None
    if kind == "issues":
        return issue.sample.dataset if (issue := state.issues.get(names[0])) else None
    return None


def _required_role(method: str, resource: str, data: Any) -> str:
    if (method, resource) == ("PATCH", "samples") and isinstance(data, dict) and data.keys() <= _MANAGER_FIELDS:
        return "manager"
    if (method, resource) == ("PATCH", "issues") and not (isinstance(data, dict) and data.keys() <= {"status"}):
        return "manager"
    if resource == "collaborators" and isinstance(data, dict) and data.get("role") == "admin":
        return "admin"
    return _REQUIRED_ROLES.get((method, resource), "admin")


def _rank(state: State, dataset: Dataset, user: str) -> int:
    role = role_of(state, dataset, user) or _ANY_USER
    roles = [role]
    if dataset.record["noncollaborator_can_label"]:
        roles.append("labeler")
    if dataset.record["noncollaborator_can_review"]:
        roles.append("reviewer")
    return max(map(_LEVELS.index, roles))
