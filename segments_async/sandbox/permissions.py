"""
Who may do what in a dataset.

Source: docs.segments.ai/guides/add-collaborators-to-a-dataset. A private dataset that a user has no role in does not
exist for that user (404); in one that the user sees, what the role does not allow is refused (403).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async.sandbox.problems import not_found, refused

if TYPE_CHECKING:
    from segments_async.sandbox.routing import ApiRequest, Template
    from segments_async.sandbox.state import Dataset, State

ROLES = ("viewer", "labeler", "reviewer", "manager", "admin")
"""Each may do what the ones before it may."""

_ANYBODY = ""
"""Whoever sees the dataset."""
_LEVELS = (_ANYBODY, *ROLES)
_NEEDED = {
    ("POST", "clone"): _ANYBODY,
    ("POST", "issues"): _ANYBODY,
    ("PATCH", "issues"): "manager",
    ("DELETE", "issues"): "manager",
    ("PUT", "labels"): "labeler",
    ("PATCH", "labels"): "labeler",
    ("DELETE", "labels"): "labeler",
    ("POST", "collaborators"): "manager",
    ("PATCH", "collaborators"): "manager",
    ("DELETE", "collaborators"): "manager",
}
"""The least role for a change; an admin's if it is not here."""
_QUEUE = frozenset({"priority", "assigned_labeler", "assigned_reviewer"})
"""What a manager may change on a sample."""


def role_of(state: State, dataset: Dataset, user: str) -> str | None:
    """Return what *user* is in *dataset*, by owning it, by being a member of its owner, or as a collaborator."""
    if user == dataset.owner:
        return "admin"
    if user in dataset.collaborators:
        return str(dataset.collaborators[user]["role"])
    return state.members.get(dataset.owner, {}).get(user)


def is_visible(state: State, dataset: Dataset, user: str) -> bool:
    """Whether *user* may know of *dataset*."""
    return dataset.record["public"] is True or role_of(state, dataset, user) is not None


def check_permission(request: ApiRequest, method: str, template: Template, names: list[str]) -> None:
    """Refuse a request to a dataset, or to something in one, that the user may not make."""
    dataset = _dataset_of(request.state, template[0], names)
    if dataset is None:
        return
    if not is_visible(request.state, dataset, request.user):
        raise not_found()
    if method != "GET":
        thing = next(part for part in reversed(template) if part is not None)
        if _rank(request.state, dataset, request.user) < _LEVELS.index(_needed(method, thing, request.data)):
            raise refused(403, "You do not have permission to perform this action.")


def _dataset_of(state: State, kind: str | None, names: list[str]) -> Dataset | None:
    """Find the dataset that a path leads into; None if it leads to none, or to nothing."""
    if kind == "datasets":
        return state.datasets.get((names[0], names[1]))
    if kind in {"samples", "labels"}:
        return sample.dataset if (sample := state.samples.get(names[0])) else None
    if kind == "issues":
        return issue.sample.dataset if (issue := state.issues.get(names[0])) else None
    return None


def _needed(method: str, thing: str, data: Any) -> str:
    if (method, thing) == ("PATCH", "samples") and isinstance(data, dict) and data.keys() <= _QUEUE:
        return "manager"
    if thing == "collaborators" and isinstance(data, dict) and data.get("role") == "admin":
        return "admin"
    return _NEEDED.get((method, thing), "admin")


def _rank(state: State, dataset: Dataset, user: str) -> int:
    role = role_of(state, dataset, user) or _ANYBODY
    open_to_all = [role]
    if dataset.record["noncollaborator_can_label"]:
        open_to_all.append("labeler")
    if dataset.record["noncollaborator_can_review"]:
        open_to_all.append("reviewer")
    return max(map(_LEVELS.index, open_to_all))
