"""Clones: copies of a dataset with its samples and, on request, their labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segments_async.sandbox.checks import boolean, nonblank, validate
from segments_async.sandbox.problems import RefusedError, json_response
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import Dataset
from segments_async.sandbox.views.datasets import CHECKS, check_membership, dataset_json, settings_in

if TYPE_CHECKING:
    from starlette.responses import Response

_CHECKS = {key: CHECKS[key] for key in ("name", "task_type", "public")} | {"owner": nonblank, "clone_labels": boolean}
_SETTINGS = ("task_type", "public")

routes: Routes = Routes()


@routes.route("POST", "datasets/{owner}/{name}/clone")
def clone_dataset(request: ApiRequest, owner: str, name: str) -> Response:
    """Clone the settings, labelsets and samples, but not collaborators, releases, issues or work units."""
    validate(request.data, _CHECKS, ["name"])
    state, source, data = request.state, request.state.dataset(owner, name), request.data
    new_owner = data.get("owner", request.user)
    if new_owner not in state.users:
        raise RefusedError(400, {"owner": [f"Object with username={new_owner} does not exist."]})
    if new_owner != request.user:
        check_membership(request, new_owner)
    changes = settings_in({key: data[key] for key in _SETTINGS if key in data})
    origin = {"name": data["name"], "cloned_from": source.full_name, "created_at": state.now()}
    clone = Dataset(new_owner, data["name"], source.record | changes | origin)
    clone.labelsets.update(source.labelsets)
    state.rename_dataset(clone, new_owner, data["name"])
    for sample in source.samples.values():
        copy = state.add_sample(clone, sample.record, request.user)
        if data.get("clone_labels"):
            new = {"sample_uuid": copy.uuid, "label_type": clone.record["task_type"]}
            copy.labels = {labelset: label | new for labelset, label in sample.labels.items()}
    state.notify("dataset.created", clone, partial(dataset_json, state, clone, request.user))
    return json_response(dataset_json(state, clone, request.user), 201)
