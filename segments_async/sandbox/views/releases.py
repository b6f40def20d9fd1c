"""Releases: a snapshot of a dataset, written to a file in the storage."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from starlette.responses import Response

from segments_async.sandbox.blobs import StoredObject
from segments_async.sandbox.checks import ensure, filled, text
from segments_async.sandbox.problems import json_response, name_taken, not_found
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import Record, Release, State

if TYPE_CHECKING:
    from segments_async.sandbox.state import Dataset

TICK = 0.02
"""Seconds by which the loop's clock may be ahead of the other."""

routes: Routes = Routes()


def release_json(state: State, release: Release) -> Record:
    """Describe *release* as the API does; the address of its file is signed anew."""
    if release.record["status"] != "SUCCEEDED":
        return release.record
    return release.record | {"attributes": {"url": state.store.signed_url(release.key)}}


def snapshot(dataset: Dataset, record: Record) -> bytes:
    """Write the release file: the dataset as it is now, with every label of every labelset."""
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
    return orjson.dumps(content)


def header(dataset: Dataset, record: Record) -> Record:
    """Describe *dataset* and its release as the release file does, but for the samples."""
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
    """Describe a release that has just been asked for."""
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


def _settle(state: State, release: Release) -> None:
    gone = release.dataset.releases.get(release.record["name"]) is not release
    if gone or release.record["status"] != "PENDING" or state.clock() < release.ready_at:
        return
    status = "FAILED" if release.fails else "SUCCEEDED"
    release.record = release.record | {"status": status}
    if not release.fails:
        state.store.objects[release.key] = release.file
        state.tell("release.created", release.dataset, partial(release_json, state, release))


def _release(dataset: Dataset, name: str) -> Release:
    if name not in dataset.releases:
        raise not_found()
    return dataset.releases[name]


@routes.route("GET", "datasets/{owner}/{name}/releases")
def list_releases(request: ApiRequest, owner: str, name: str) -> Response:
    """List all releases, in one piece."""
    releases = list(request.state.dataset(owner, name).releases.values())
    for release in releases:
        _settle(request.state, release)
    return json_response([release_json(request.state, release) for release in releases])


@routes.route("POST", "datasets/{owner}/{name}/releases")
def create_release(request: ApiRequest, owner: str, name: str) -> Response:
    """Take a snapshot; its file is ready after `release_seconds`."""
    dataset = request.state.dataset(owner, name)
    ensure(request.data, {"name": filled, "description": text}, ["name"])
    if request.data["name"] in dataset.releases:
        raise name_taken("Release")
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
    asyncio.get_running_loop().call_later(request.state.release_seconds + TICK, _settle, request.state, release)
    return json_response(record, 201)


@routes.route("GET", "datasets/{owner}/{name}/releases/{release}")
def get_release(request: ApiRequest, owner: str, name: str, release_name: str) -> Response:
    """Describe a release."""
    release = _release(request.state.dataset(owner, name), release_name)
    _settle(request.state, release)
    return json_response(release_json(request.state, release))


@routes.route("DELETE", "datasets/{owner}/{name}/releases/{release}")
def delete_release(request: ApiRequest, owner: str, name: str, release_name: str) -> Response:
    """Delete a release and its file."""
    dataset = request.state.dataset(owner, name)
    _release(dataset, release_name)
    request.state.delete_release(dataset, release_name)
    return Response(status_code=204)
