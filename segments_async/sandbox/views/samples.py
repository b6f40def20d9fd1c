"""Samples, single and in bulk."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from segments_async.sandbox.checks import (
    mapping,
    nonblank,
    nullable,
    number,
    problems,
    sample_attributes,
    strings,
    text,
    validate,
)
from segments_async.sandbox.filters import matches_filters
from segments_async.sandbox.paging import get_page
from segments_async.sandbox.problems import RefusedError, json_response, name_taken
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.state import GROUND_TRUTH, Dataset, Record, Sample, State
from segments_async.sandbox.views.issues import issue_json
from segments_async.sandbox.views.labels import label_summary
from segments_async.sandbox.views.labelsets import find_labelset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import QueryParams

    from segments_async.sandbox.checks import Check

MAX_BULK_DELETE = 1000

_DEFAULTS: Record = {
    "data_type": "IMAGE",
    "metadata": {},
    "priority": 0,
    "assigned_labeler": None,
    "assigned_reviewer": None,
    "readme": "",
}
_CHECKS: Mapping[str, Check] = {
    "name": nonblank,
    "attributes": sample_attributes,
    "metadata": mapping,
    "priority": number,
    "assigned_labeler": nullable(text),
    "assigned_reviewer": nullable(text),
    "readme": text,
}
_REQUIRED = ("name", "attributes")
_READ_ONLY = frozenset({"uuid", "created_at", "created_by", "dataset", "dataset_full_name", "label", "issues"})
_SORT_KEYS: Mapping[str, Callable[[Sample], Any]] = {
    "name": lambda sample: sample.record["name"],
    "created_at": lambda sample: sample.record["created_at"],
    "priority": lambda sample: sample.record["priority"],
    "gt_label__updated_at": lambda sample: sample.labels.get(GROUND_TRUTH, {}).get("updated_at", ""),
}

routes: Routes = Routes()


def sample_json(sample: Sample) -> Record:
    """Return *sample* as the API returns it."""
    full_name = sample.dataset.full_name
    result = sample.record | {"dataset": full_name, "dataset_full_name": full_name}
    if sample.issues:
        result["issues"] = [issue_json(issue) for issue in sample.issues.values()]
    return result


def _fields(data: Record) -> Record:
    return {key: value for key, value in data.items() if key not in _READ_ONLY}


@routes.route("GET", "datasets/{owner}/{name}/samples")
def list_samples(request: ApiRequest, owner: str, name: str) -> Response:
    """List a page of the samples that match the filters."""
    dataset, query = request.state.dataset(owner, name), request.query
    labelset = query.get("labelset")
    if labelset is not None and not request.state.ignores_unknown_labelsets:
        find_labelset(dataset, labelset)
    found = _filtered(list(dataset.samples.values()), query, exact_statuses=request.state.variants.exact_statuses)
    samples = get_page(_sorted(found, query), query, request.state.max_per_page)
    listed = [sample_json(sample) for sample in samples]
    if labelset is not None:
        full = query.get("include_full_label") == "1"
        for sample, result in zip(samples, listed, strict=True):
            label = sample.labels.get(labelset)
            result["label"] = label if label is None or full else label_summary(label)
    return json_response(listed)


def _filtered(samples: list[Sample], query: QueryParams, *, exact_statuses: bool) -> list[Sample]:
    if (part := query.get("name__contains")) is not None:
        samples = [sample for sample in samples if part in sample.record["name"]]
    if statuses := query.get("label_status"):
        labelset = query.get("labelset", GROUND_TRUTH)
        allowed = (statuses if exact_statuses else statuses.upper()).split(",")
        samples = [
            sample for sample in samples if sample.labels.get(labelset, {}).get("label_status", "UNLABELED") in allowed
        ]
    if filters := query.get("filters"):
        samples = [sample for sample in samples if matches_filters(sample.record["metadata"], filters)]
    return samples


def _sorted(samples: list[Sample], query: QueryParams) -> list[Sample]:
    sort = query.get("sort", "name")
    key = _SORT_KEYS.get(sort.removeprefix("-"), _SORT_KEYS["name"])
    return sorted(samples, key=key, reverse=sort.startswith("-"))


@routes.route("POST", "datasets/{owner}/{name}/samples")
def create_sample(request: ApiRequest, owner: str, name: str) -> Response:
    """Create a sample with a name that is not taken."""
    dataset = request.state.dataset(owner, name)
    validate(request.data, _CHECKS, _REQUIRED)
    if request.data["name"] in dataset.samples:
        raise name_taken("Sample", request.state.variants.taken_name_status)
    return json_response(sample_json(_create(request, dataset, request.data)), 201)


@routes.route("POST", "datasets/{owner}/{name}/samples_bulk")
def create_samples(request: ApiRequest, owner: str, name: str) -> Response:
    """Create all samples, or none if any is invalid; existing samples are returned unchanged."""
    dataset, items = request.state.dataset(owner, name), request.data
    if not isinstance(items, list):
        detail = f'Expected a list of items but got type "{type(items).__name__}".'
        raise RefusedError(400, {"non_field_errors": [detail]})
    wrong = [problems(item, _CHECKS, _REQUIRED) for item in items]
    if any(wrong):
        valid = [item for item, problem in zip(items, wrong, strict=True) if not problem]
        for item in valid if request.state.variants.keeps_valid_samples else ():
            if item["name"] not in dataset.samples:
                _create(request, dataset, item)
        raise RefusedError(400, wrong)
    samples = [dataset.samples.get(item["name"]) or _create(request, dataset, item) for item in items]
    return json_response([sample_json(sample) for sample in samples], 201)


def _create(request: ApiRequest, dataset: Dataset, data: Record) -> Sample:
    sample = request.state.add_sample(dataset, _DEFAULTS | _fields(data), request.user)
    request.state.notify("sample.created", dataset, partial(sample_json, sample))
    return sample


def _delete(state: State, sample: Sample) -> None:
    state.delete_sample(sample)
    state.notify("sample.deleted", sample.dataset, partial(sample_json, sample))


@routes.route("DELETE", "datasets/{owner}/{name}/samples_bulk")
def delete_samples(request: ApiRequest, owner: str, name: str) -> Response:
    """Delete many samples; uuids that are not in this dataset are skipped."""
    state, dataset = request.state, request.state.dataset(owner, name)
    validate(request.data, {"uuids": strings}, ["uuids"])
    uuids = request.data["uuids"]
    if not uuids:
        raise RefusedError(400, {"uuids": ["This list may not be empty."]})
    if len(uuids) > MAX_BULK_DELETE:
        problem = f"Ensure this field has no more than {MAX_BULK_DELETE} elements."
        raise RefusedError(400, {"uuids": [problem]})
    found = [state.samples[uuid] for uuid in dict.fromkeys(uuids) if uuid in state.samples]
    deleted = [sample for sample in found if sample.dataset is dataset]
    for sample in deleted:
        _delete(state, sample)
    return json_response({"deleted_count": len(deleted)})


@routes.route("GET", "samples/{uuid}")
def get_sample(request: ApiRequest, uuid: str) -> Response:
    """Return a sample, with its full label if a labelset is given."""
    sample = request.state.sample(uuid)
    result = sample_json(sample)
    labelset = request.query.get("labelset")
    if labelset is not None:
        find_labelset(sample.dataset, labelset)
        result["label"] = sample.labels.get(labelset)
    if request.query.get("include_signed_urls") == "1":
        result["attributes"] = _with_signed_urls(request.state, result["attributes"])
    return json_response(result)


def _with_signed_urls(state: State, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_signed_urls(state, item) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _with_signed_urls(state, item) for key, item in value.items()}
    if isinstance(url := value.get("url"), str):
        key = state.store.key_of(url)
        copy["signed_url"] = url if key is None else state.store.signed_url(key)
    return copy


@routes.route("PATCH", "samples/{uuid}")
def update_sample(request: ApiRequest, uuid: str) -> Response:
    """Update the given fields; the others stay unchanged."""
    sample = request.state.sample(uuid)
    validate(request.data, _CHECKS)
    names, old = sample.dataset.samples, sample.record["name"]
    new = request.data.get("name", old)
    if names.get(new, sample) is not sample:
        raise name_taken("Sample", request.state.variants.taken_name_status)
    sample.record = sample.record | _fields(request.data)
    if new != old:
        names[new] = names.pop(old)
    request.state.notify("sample.updated", sample.dataset, partial(sample_json, sample))
    return json_response(sample_json(sample))


@routes.route("DELETE", "samples/{uuid}")
def delete_sample(request: ApiRequest, uuid: str) -> Response:
    """Delete a sample and its labels."""
    _delete(request.state, request.state.sample(uuid))
    return Response(status_code=204)
