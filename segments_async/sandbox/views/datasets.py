"""Datasets and their settings."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from segments_async.sandbox.checks import boolean, choice, integer, mapping, nonblank, nullable, text, validate
from segments_async.sandbox.paging import get_page
from segments_async.sandbox.permissions import is_visible, role_of
from segments_async.sandbox.problems import json_response, not_found, refused
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import GROUND_TRUTH, Dataset, Record, State
from segments_async.sandbox.views.labels import LABEL_STATUSES
from segments_async.sandbox.views.labelsets import new_labelset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.sandbox.checks import Check

TASK_TYPES = (
    "",
    "bboxes",
    "image-segmentation-sequence",
    "image-vector-sequence",
    "keypoints",
    "multisensor-sequence",
    "pointcloud-cuboid",
    "pointcloud-cuboid-sequence",
    "pointcloud-segmentation",
    "pointcloud-segmentation-sequence",
    "pointcloud-vector",
    "pointcloud-vector-sequence",
    "segmentation-bitmap",
    "segmentation-bitmap-highres",
    "vector",
)
_OLDER_TASK_TYPES = {"bbox": "bboxes"}
"""Names in older documentation, with the current ones."""
CATEGORIES = ("agriculture", "fruit", "garden", "medical", "other", "people", "satellite", "street_scenery")

_FLAGS = {
    "public": False,
    "archived": False,
    "enable_ratings": False,
    "enable_skip_labeling": True,
    "enable_skip_reviewing": False,
    "enable_save_button": False,
    "enable_label_status_verified": False,
    "enable_same_dimensions_track_constraint": False,
    "enable_interpolation": True,
    "enable_extrapolation": False,
    "enable_object_linking": False,
    "enable_object_link_category_restrictions": False,
    "enable_confirm_on_submit": False,
    "enable_3d_cuboid_rotation": False,
    "enable_3d_region_of_interest": False,
    "use_timestamps_for_interpolation": False,
    "noncollaborator_can_label": False,
    "noncollaborator_can_review": False,
}
_DEFAULTS: Record = {
    "description": "",
    "data_type": "IMAGE",
    "category": "other",
    "task_type": "segmentation-bitmap",
    "task_attributes": {"format_version": "0.1", "categories": [{"name": "object", "id": 1}]},
    "readme": "",
    "metadata": {},
    "labeling_inactivity_timeout_seconds": 300,
    **_FLAGS,
}
CHECKS: Mapping[str, Check] = {
    "name": nonblank,
    "description": text,
    "category": choice(CATEGORIES, prefix="custom-"),
    "task_type": choice((*TASK_TYPES, *_OLDER_TASK_TYPES)),
    "task_attributes": mapping,
    "readme": text,
    "metadata": mapping,
    "region_of_interest": nullable(mapping),
    "labeling_inactivity_timeout_seconds": integer,
    **dict.fromkeys(_FLAGS, boolean),
}
_READ_ONLY = frozenset(
    {
        "cloned_from",
        "collaborators_count",
        "created_at",
        "full_name",
        "label_stats",
        "labelsets",
        "owner",
        "role",
        "samples_count",
    }
)

_NOT_IN_LISTS = frozenset({"labelsets", "task_attributes"})

routes: Routes = Routes()


def dataset_json(state: State, dataset: Dataset, user: str) -> Record:
    """Return *dataset* as the API returns it to *user*."""
    owner = state.users[dataset.owner]
    samples = list(dataset.samples.values())
    statuses = Counter(s.labels.get(GROUND_TRUTH, {}).get("label_status", "UNLABELED") for s in samples)
    return dataset.record | {
        "name": dataset.name,
        "full_name": dataset.full_name,
        "owner": {key: owner[key] for key in ("username", "email", "created_at")},
        "role": role_of(state, dataset, user),
        "samples_count": len(samples),
        "collaborators_count": len(dataset.collaborators),
        "label_stats": {status: statuses[status] for status in LABEL_STATUSES} | {"TOTAL": len(samples)},
        "labelsets": list(dataset.labelsets.values()),
    }


def check_membership(request: ApiRequest, organization: str) -> None:
    """Reject a dataset for an organization that does not exist or that the user does not manage."""
    members = request.state.members.get(organization)
    if members is None:
        raise not_found()
    if members.get(request.user) not in {"manager", "admin"}:
        raise refused(403, "You need to be an administrator of this organization.")


def settings_in(data: Record) -> Record:
    """Return the settings in *data*, with current names."""
    found = {key: value for key, value in data.items() if key not in _READ_ONLY}
    if "task_type" in found:
        found["task_type"] = _OLDER_TASK_TYPES.get(found["task_type"], found["task_type"])
    return found


def _list(request: ApiRequest, owner: str) -> Response:
    request.state.account(owner)
    state, user = request.state, request.user
    owned = [dataset for dataset in state.datasets.values() if dataset.owner == owner]
    visible = [dataset for dataset in owned if is_visible(state, dataset, user)]
    page = get_page(visible, request.query, state.max_per_page)
    return json_response([_listed(dataset_json(state, dataset, user)) for dataset in page])


def _listed(dataset: Record) -> Record:
    """Return a dataset as lists have it."""
    return {key: value for key, value in dataset.items() if key not in _NOT_IN_LISTS}


def _create(request: ApiRequest, owner: str) -> Response:
    validate(request.data, CHECKS, ["name"])
    created_at = request.state.now()
    record = _DEFAULTS | settings_in(request.data) | {"created_at": created_at}
    dataset = Dataset(owner, record["name"], record)
    dataset.labelsets[GROUND_TRUTH] = new_labelset(GROUND_TRUTH, "Ground truth labels.", created_at)
    request.state.rename_dataset(dataset, owner, record["name"])
    request.state.notify("dataset.created", dataset, partial(dataset_json, request.state, dataset, request.user))
    return json_response(dataset_json(request.state, dataset, request.user), 201)


@routes.route("GET", "user/datasets")
def list_own_datasets(request: ApiRequest) -> Response:
    """List the datasets of the authenticated user."""
    return _list(request, request.user)


@routes.route("GET", "users/{owner}/datasets")
def list_datasets(request: ApiRequest, owner: str) -> Response:
    """List the datasets of a user or an organization."""
    return _list(request, owner)


@routes.route("POST", "user/datasets")
def create_dataset(request: ApiRequest) -> Response:
    """Create a dataset owned by the authenticated user."""
    return _create(request, request.user)


@routes.route("POST", "organizations/{organization}/datasets")
def create_organization_dataset(request: ApiRequest, organization: str) -> Response:
    """Create a dataset owned by an organization."""
    check_membership(request, organization)
    return _create(request, organization)


@routes.route("GET", "datasets/{owner}/{name}")
def get_dataset(request: ApiRequest, owner: str, name: str) -> Response:
    """Return a dataset."""
    return json_response(dataset_json(request.state, request.state.dataset(owner, name), request.user))


@routes.route("PATCH", "datasets/{owner}/{name}")
def update_dataset(request: ApiRequest, owner: str, name: str) -> Response:
    """Update the given settings; the others stay unchanged."""
    dataset = request.state.dataset(owner, name)
    validate(request.data, CHECKS)
    request.state.rename_dataset(dataset, owner, request.data.get("name", name))
    dataset.record = dataset.record | settings_in(request.data)
    request.state.notify("dataset.updated", dataset, partial(dataset_json, request.state, dataset, request.user))
    return json_response(dataset_json(request.state, dataset, request.user))


@routes.route("DELETE", "datasets/{owner}/{name}")
def delete_dataset(request: ApiRequest, owner: str, name: str) -> Response:
    """Delete a dataset and everything in it."""
    dataset = request.state.dataset(owner, name)
    request.state.notify("dataset.deleted", dataset, partial(dataset_json, request.state, dataset, request.user))
    request.state.delete_dataset(dataset)
    return Response(status_code=204)
