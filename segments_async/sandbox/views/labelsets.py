"""Labelsets: the named sets of labels of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from segments_async.sandbox.checks import nonblank, text, validate
from segments_async.sandbox.problems import json_response, name_taken, not_found, refused
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import GROUND_TRUTH, Record

if TYPE_CHECKING:
    from segments_async.sandbox.state import Dataset

routes: Routes = Routes()


def new_labelset(name: str, description: str, created_at: str) -> Record:
    """Return the record of a new labelset."""
    return {
        "name": name,
        "description": description,
        "is_groundtruth": name == GROUND_TRUTH,
        "created_at": created_at,
    }


def find_labelset(dataset: Dataset, name: str) -> Record:
    """Return a labelset of *dataset*."""
    if name not in dataset.labelsets:
        raise not_found()
    return dataset.labelsets[name]


@routes.route("GET", "datasets/{owner}/{name}/labelsets")
def list_labelsets(request: ApiRequest, owner: str, name: str) -> Response:
    """List all labelsets, without pages."""
    return json_response(list(request.state.dataset(owner, name).labelsets.values()))


@routes.route("POST", "datasets/{owner}/{name}/labelsets")
def create_labelset(request: ApiRequest, owner: str, name: str) -> Response:
    """Add a labelset."""
    dataset = request.state.dataset(owner, name)
    validate(request.data, {"name": nonblank, "description": text}, ["name"])
    labelset = request.data["name"]
    if labelset in dataset.labelsets:
        raise name_taken("Labelset", request.state.variants.taken_name_status)
    record = new_labelset(labelset, request.data.get("description", ""), request.state.now())
    dataset.labelsets[labelset] = request.data | record
    return json_response(dataset.labelsets[labelset], 201)


@routes.route("GET", "datasets/{owner}/{name}/labelsets/{labelset}")
def get_labelset(request: ApiRequest, owner: str, name: str, labelset: str) -> Response:
    """Return a labelset."""
    return json_response(find_labelset(request.state.dataset(owner, name), labelset))


@routes.route("DELETE", "datasets/{owner}/{name}/labelsets/{labelset}")
def delete_labelset(request: ApiRequest, owner: str, name: str, labelset: str) -> Response:
    """Delete a labelset and its labels."""
    dataset = request.state.dataset(owner, name)
    find_labelset(dataset, labelset)
    if labelset == GROUND_TRUTH:
        raise refused(400, "The ground-truth labelset cannot be deleted.")
    del dataset.labelsets[labelset]
    for sample in dataset.samples.values():
        sample.labels.pop(labelset, None)
    return Response(status_code=204)
