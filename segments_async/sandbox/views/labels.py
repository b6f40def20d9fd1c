"""Labels: one per sample and labelset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from segments_async.sandbox.checks import choice, in_any_case, mapping, nullable, number, validate
from segments_async.sandbox.problems import json_response, not_found
from segments_async.sandbox.routing import ApiRequest, Routes
from segments_async.sandbox.views.labelsets import find_labelset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async.sandbox.checks import Check
    from segments_async.sandbox.state import Record, Sample, State

LABEL_STATUSES = (
    "LABELED",
    "LABELING_IN_PROGRESS",
    "PRELABELED",
    "REJECTED",
    "REVIEWED",
    "REVIEWING_IN_PROGRESS",
    "SKIPPED",
    "UNLABELED",
    "VERIFIED",
)
_SUMMARY = ("score", "label_status", "updated_at", "created_by", "reviewed_by")
_DEFAULTS: Record = {
    "label_status": "PRELABELED",
    "score": None,
    "rating": None,
    "reviewed_at": None,
    "reviewed_by": None,
}
_CHECKS: Mapping[str, Check] = {
    "attributes": mapping,
    "label_status": in_any_case(choice(LABEL_STATUSES)),
    "score": nullable(number),
}

routes: Routes = Routes()


def label_summary(label: Record) -> Record:
    """Return the fields of *label* that a list of samples includes."""
    return {key: label[key] for key in _SUMMARY}


def _fields(data: Record) -> Record:
    """Return *data* with the status in upper case."""
    return data | {"label_status": data["label_status"].upper()} if "label_status" in data else data


def _find_label(state: State, uuid: str, labelset: str) -> tuple[Sample, Record]:
    sample = state.sample(uuid)
    find_labelset(sample.dataset, labelset)
    if labelset not in sample.labels:
        raise not_found()
    return sample, sample.labels[labelset]


def _notify_updated(state: State, sample: Sample, labelset: str) -> None:
    label = sample.labels[labelset]
    state.notify("label.updated", sample.dataset, lambda: label)


@routes.route("GET", "labels/{uuid}/{labelset}")
def get_label(request: ApiRequest, uuid: str, labelset: str) -> Response:
    """Return a label."""
    return json_response(_find_label(request.state, uuid, labelset)[1])


@routes.route("PUT", "labels/{uuid}/{labelset}")
def put_label(request: ApiRequest, uuid: str, labelset: str) -> Response:
    """Create or replace a label."""
    sample = request.state.sample(uuid)
    find_labelset(sample.dataset, labelset)
    validate(request.data, _CHECKS, ["attributes"])
    before, now = sample.labels.get(labelset), request.state.now()
    unnamed = before if before and request.state.variants.put_keeps_fields else {}
    sample.labels[labelset] = (
        _DEFAULTS
        | unnamed
        | _fields(request.data)
        | {
            "sample_uuid": sample.uuid,
            "label_type": sample.dataset.record["task_type"],
            "labelset": labelset,
            "created_at": before["created_at"] if before else now,
            "created_by": before["created_by"] if before else request.user,
            "updated_at": now,
            "updated_by": request.user,
        }
    )
    _notify_updated(request.state, sample, labelset)
    return json_response(sample.labels[labelset], 200 if before else 201)


@routes.route("PATCH", "labels/{uuid}/{labelset}")
def update_label(request: ApiRequest, uuid: str, labelset: str) -> Response:
    """Update the given fields; the others stay unchanged."""
    sample, before = _find_label(request.state, uuid, labelset)
    validate(request.data, _CHECKS)
    fixed = {key: before[key] for key in ("sample_uuid", "label_type", "labelset", "created_at", "created_by")}
    updated = {"updated_at": request.state.now(), "updated_by": request.user}
    sample.labels[labelset] = before | _fields(request.data) | fixed | updated
    _notify_updated(request.state, sample, labelset)
    return json_response(sample.labels[labelset])


@routes.route("DELETE", "labels/{uuid}/{labelset}")
def delete_label(request: ApiRequest, uuid: str, labelset: str) -> Response:
    """Delete a label, which makes the sample unlabeled."""
    sample, label = _find_label(request.state, uuid, labelset)
    del sample.labels[labelset]
    request.state.notify("label.deleted", sample.dataset, lambda: label)
    return Response(status_code=204)
