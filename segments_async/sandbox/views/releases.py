"""Releases: snapshots of a dataset, written to files in the storage."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from starlette.responses import Response

from segments_async.sandbox.blobs import StoredObject
from segments_async.sandbox.checks import nonblank, text, validate
from segments_async.sandbox.exact_json import write_json
from segments_async.sandbox.problems import json_response, name_taken, not_found
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import Record, Release, State

if TYPE_CHECKING:
    from segments_async.sandbox.state import Dataset

TIMER_MARGIN = 0.02
"""Seconds added to the timer, because the clock of the event loop may run ahead of the sandbox's clock."""

routes: Routes = Routes()


def release_json(state: State, release: Release) -> Record:
    """Return *release* as the API returns it, with a newly signed URL of its file."""
    if release.record["status"] != "SUCCEEDED":
        return release.record
    return release.record | {"attributes": {"url": state.store.signed_url(release.key)}}


def snapshot(dataset: Dataset, record: Record) -> bytes:
    """Return the release file: the current dataset with the labels of all labelsets."""
    labelsets = list(dataset.labelsets)
    samples = [
        {
            "uuid": sample.uuid,
            "name": sample.record["name"],
            "attributes": sample.record["attributes"],
            "metadata": sample.record["metadata"],
            "labels": {labelset: sample.labels.get(labelset) for labelset in labelsets},
        }
        for sample in dataset.samples.values()
    ]
    content = header(dataset, record)
    content["dataset"]["samples"] = samples
    return write_json(content)


def header(dataset: Dataset, record: Record) -> Record:
    """Return the content of the release file without the samples."""
    content = {key: record[key] for key in ("name", "description", "created_at")}
    content["dataset"] = {
        "name": dataset.name,
        "owner": dataset.owner,
        "task_type": dataset.record["task_type"],
        "task_attributes": dataset.record["task_attributes"],
        "labelsets": list(dataset.labelsets.values()),
    }
    return content


def new_record(state: State, name: str, samples: int, **fields: Any) -> Record:
    """Return the record of a new release."""
    return {
        "description": "",
        "name": name,
        **fields,
        "uuid": str(uuid4()),
        "release_type": "JSON",
        "attributes": {},
        "status": "PENDING",
        "created_at": state.now(),
        "samples_count": samples,
    }


def _finish_if_ready(state: State, release: Release) -> None:
    dataset = release.dataset
    deleted = dataset.releases.get(release.record["name"]) is not release
    deleted = deleted or state.datasets.get((dataset.owner, dataset.name)) is not dataset
    if deleted or release.record["status"] != "PENDING" or state.clock() < release.ready_at:
        return
    status = "FAILED" if release.fails else "SUCCEEDED"
    release.record = release.record | {"status": status}
    if not release.fails:
        state.store.objects[release.key] = release.file
        state.notify("release.created", release.dataset, partial(release_json, state, release))


def _find_release(dataset: Dataset, name: str) -> Release:
    if name not in dataset.releases:
        raise not_found()
    return dataset.releases[name]


@routes.route("GET", "datasets/{owner}/{name}/releases")
def list_releases(request: ApiRequest, owner: str, name: str) -> Response:
    """List all releases, without pages."""
    releases = list(request.state.dataset(owner, name).releases.values())
    for release in releases:
        _finish_if_ready(request.state, release)
    return json_response([release_json(request.state, release) for release in releases])


@routes.route("POST", "datasets/{owner}/{name}/releases")
def create_release(request: ApiRequest, owner: str, name: str) -> Response:
    """Create a release; its file is ready after `release_seconds`."""
    dataset = request.state.dataset(owner, name)
    validate(request.data, {"name": nonblank, "description": text}, ["name"])
    if request.data["name"] in dataset.releases:
        raise name_taken("Release", request.state.variants.taken_name_status)
    record = new_record(request.state, samples=len(dataset.samples), **request.data)
    release = Release(
        dataset=dataset,
        record=record,
        key=f"releases/{record['uuid']}.json",
        file=StoredObject(snapshot(dataset, record), "application/json", public=False),
        ready_at=request.state.clock() + request.state.release_seconds,
        fails=request.state.fail_releases,
    )
    dataset.releases[record["name"]] = release
    asyncio.get_running_loop().call_later(
        request.state.release_seconds + TIMER_MARGIN, _finish_if_ready, request.state, release
    )
    return json_response(record, 201)


@routes.route("GET", "datasets/{owner}/{name}/releases/{release}")
def get_release(request: ApiRequest, owner: str, name: str, release_name: str) -> Response:
    """Return a release."""
    release = _find_release(request.state.dataset(owner, name), release_name)
    _finish_if_ready(request.state, release)
    return json_response(release_json(request.state, release))


@routes.route("DELETE", "datasets/{owner}/{name}/releases/{release}")
def delete_release(request: ApiRequest, owner: str, name: str, release_name: str) -> Response:
    """Delete a release and its file."""
    dataset = request.state.dataset(owner, name)
    _find_release(dataset, release_name)
    request.state.delete_release(dataset, release_name)
    return Response(status_code=204)
