"""The official SDK and this client send the same requests: method, path to the last slash, query and body."""

from __future__ import annotations

import gzip
import io
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from attrs import frozen
from request_cases import SETTINGS
from request_checks import Sent, body_of, first_request
from segments import SegmentsClient

pytestmark = pytest.mark.anyio

D, U, L = "jane/flowers", "u-1", "ground-truth"
IMAGE = {"image": {"url": "https://example.com/a.png"}}
BOXES = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1.0, 2.0], [3.0, 4.0]]}]}
TRACK = {"type": "track", "trackNumber": 7}
SAMPLE = {"metadata": {"a": 1}, "priority": 2, "assigned_labeler": "joe", "assigned_reviewer": "joe", "readme": "x"}
ONLY_OURS = {"use_timestamps_for_interpolation", "noncollaborator_can_label", "noncollaborator_can_review", "tags"}
"""Settings that the SDK cannot give to a new dataset, or to any dataset."""


def settings_of(*names_left_out):
    """What both can set, and the same as the SDK calls it."""
    ours = {key: value for key, value in SETTINGS.items() if key not in names_left_out}
    ours["task_attributes"] = {"format_version": "0.1", "categories": []}
    theirs = dict(ours)
    theirs["enable_confirm_on_commit"] = theirs.pop("enable_confirm_on_submit")
    return theirs, ours


NEW_THEIRS, NEW_OURS = settings_of(*ONLY_OURS)
OLD_THEIRS, OLD_OURS = settings_of("noncollaborator_can_label", "noncollaborator_can_review", "tags")


@frozen
class Request:
    """What was sent."""

    method: str
    path: str
    query: dict[str, str]
    body: object


PAIRS = {
    "get_user": (lambda t: t.get_user(), lambda c: c.users.me()),
    "get_user other": (lambda t: t.get_user("joe"), lambda c: c.users.get("joe")),
    "get_datasets": (lambda t: t.get_datasets(), lambda c: c.datasets.list()),
    "get_datasets other": (lambda t: t.get_datasets("joe", per_page=7), lambda c: c.datasets.list("joe", per_page=7)),
    "get_dataset": (lambda t: t.get_dataset(D), lambda c: c.datasets.get(D)),
    "add_dataset": (lambda t: t.add_dataset("x", **NEW_THEIRS), lambda c: c.datasets.create("x", **NEW_OURS)),
    "add_dataset organization": (
        lambda t: t.add_dataset("x", organization="acme", **NEW_THEIRS),
        lambda c: c.datasets.create("x", organization="acme", **NEW_OURS),
    ),
    "update_dataset": (lambda t: t.update_dataset(D, **OLD_THEIRS), lambda c: c.datasets.update(D, **OLD_OURS)),
    "delete_dataset": (lambda t: t.delete_dataset(D), lambda c: c.datasets.delete(D)),
    "clone_dataset": (lambda t: t.clone_dataset(D), lambda c: c.datasets.clone(D)),
    "clone_dataset all": (
        lambda t: t.clone_dataset(D, "x", "vector", new_public=True, organization="acme", clone_labels=True),
        lambda c: c.datasets.clone(
            D, name="x", task_type="vector", public=True, organization="acme", clone_labels=True
        ),
    ),
    "get_dataset_collaborator": (
        lambda t: t.get_dataset_collaborator(D, "joe"),
        lambda c: c.datasets.get_collaborator(D, "joe"),
    ),
    "add_dataset_collaborator": (
        lambda t: t.add_dataset_collaborator(D, "joe"),
        lambda c: c.datasets.add_collaborator(D, "joe"),
    ),
    "update_dataset_collaborator": (
        lambda t: t.update_dataset_collaborator(D, "joe", "admin"),
        lambda c: c.datasets.update_collaborator(D, "joe", "admin"),
    ),
    "delete_dataset_collaborator": (
        lambda t: t.delete_dataset_collaborator(D, "joe"),
        lambda c: c.datasets.remove_collaborator(D, "joe"),
    ),
    "get_samples": (lambda t: t.get_samples(D), lambda c: c.samples.list(D)),
    "get_samples all": (
        lambda t: t.get_samples(
            D, L, "a", ["LABELED", "REVIEWED"], ["b:c", "d:e"], "priority", "desc", 7, include_full_label=True
        ),
        lambda c: c.samples.list(
            D,
            labelset=L,
            name="a",
            label_status=["LABELED", "REVIEWED"],
            metadata={"b": "c", "d": "e"},
            sort="priority",
            direction="desc",
            per_page=7,
            include_full_label=True,
        ),
    ),
    "get_sample": (lambda t: t.get_sample(U, labelset=L), lambda c: c.samples.get(U, labelset=L)),
    "get_sample urls": (
        lambda t: t.get_sample(U, include_signed_url=True),
        lambda c: c.samples.get(U, include_signed_urls=True),
    ),
    "add_sample": (
        lambda t: t.add_sample(D, "a", IMAGE, **SAMPLE),
        lambda c: c.samples.create(D, "a", IMAGE, **SAMPLE),
    ),
    "add_samples": (
        lambda t: t.add_samples(D, [{"name": "a", "attributes": dict(IMAGE), **SAMPLE}]),
        lambda c: c.samples.create_many(D, [{"name": "a", "attributes": IMAGE, **SAMPLE}]),
    ),
    "update_sample": (
        lambda t: t.update_sample(U, "a", IMAGE, **SAMPLE),
        lambda c: c.samples.update(U, name="a", attributes=IMAGE, **SAMPLE),
    ),
    "update_sample unassigned": (
        lambda t: t.update_sample(U, assigned_labeler=None),
        lambda c: c.samples.update(U, assigned_labeler=None),
    ),
    "delete_sample": (lambda t: t.delete_sample(U), lambda c: c.samples.delete(U)),
    "delete_samples": (lambda t: t.delete_samples(D, [U]), lambda c: c.samples.delete_many(D, [U])),
    "get_label": (lambda t: t.get_label(U), lambda c: c.labels.get(U)),
    "add_label": (lambda t: t.add_label(U, L, BOXES), lambda c: c.labels.put(U, L, BOXES)),
    "add_label all": (
        lambda t: t.add_label(U, L, BOXES, "LABELED", 0.5),
        lambda c: c.labels.put(U, L, BOXES, label_status="LABELED", score=0.5),
    ),
    "update_label": (lambda t: t.update_label(U, L, score=0.5), lambda c: c.labels.update(U, L, score=0.5)),
    "delete_label": (lambda t: t.delete_label(U, L), lambda c: c.labels.delete(U, L)),
    "get_labelsets": (lambda t: t.get_labelsets(D), lambda c: c.labelsets.list(D)),
    "get_labelset": (lambda t: t.get_labelset(D, "model"), lambda c: c.labelsets.get(D, "model")),
    "add_labelset": (lambda t: t.add_labelset(D, "model"), lambda c: c.labelsets.create(D, "model")),
    "delete_labelset": (lambda t: t.delete_labelset(D, "model"), lambda c: c.labelsets.delete(D, "model")),
    "get_issues": (lambda t: t.get_issues(D), lambda c: c.issues.list(D)),
    "add_issue": (lambda t: t.add_issue(U, "x"), lambda c: c.issues.create(U, "x")),
    "add_issue all": (
        lambda t: t.add_issue(U, "x", "CLOSED", TRACK),
        lambda c: c.issues.create(U, "x", status="CLOSED", anchor=TRACK),
    ),
    "update_issue": (
        lambda t: t.update_issue("i-1", "x", "CLOSED", TRACK),
        lambda c: c.issues.update("i-1", description="x", status="CLOSED", anchor=TRACK),
    ),
    "delete_issue": (lambda t: t.delete_issue("i-1"), lambda c: c.issues.delete("i-1")),
    "get_releases": (lambda t: t.get_releases(D), lambda c: c.releases.list(D)),
    "get_release": (lambda t: t.get_release(D, "v1"), lambda c: c.releases.get(D, "v1")),
    "add_release": (lambda t: t.add_release(D, "v1", "x"), lambda c: c.releases.create(D, "v1", description="x")),
    "delete_release": (lambda t: t.delete_release(D, "v1"), lambda c: c.releases.delete(D, "v1")),
    "get_workunits": (lambda t: t.get_workunits(D), lambda c: c.workunits.list(D)),
    "get_workunits all": (
        lambda t: t.get_workunits(
            D,
            direction="asc",
            start="2026-01-31T12:00:00",
            end="2026-02-01T12:00:00",
            per_page=7,
            include_session_time_metrics=True,
        ),
        lambda c: c.workunits.list(
            D,
            direction="asc",
            start="2026-01-31T12:00:00",
            end="2026-02-01T12:00:00",
            per_page=7,
            include_session_time_metrics=True,
        ),
    ),
    "upload_asset": (lambda t: t.upload_asset(io.BytesIO(b"x"), "a.png"), lambda c: c.assets.upload(b"x", "a.png")),
}


def request_of_theirs(call, monkeypatch):
    """The first request that a call of the SDK sends."""
    sent = []

    def send(session, request, **options):
        if "/api_status/" in request.url:
            response = requests.Response()
            response.status_code = 200
            return response
        sent.append(request)
        raise Sent

    monkeypatch.setattr(requests.Session, "send", send)
    with SegmentsClient("key", api_url="https://x/") as client, pytest.raises(Sent):
        call(client)
    [request] = sent
    parts = urlsplit(request.url)
    body = request.body
    if body and request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return Request(request.method, parts.path, dict(parse_qsl(parts.query)), json.loads(body) if body else None)


async def request_of_ours(call):
    request = await first_request(call)
    body = body_of(request)
    path = request.url.raw_path.decode().partition("?")[0]
    return Request(request.method, path, dict(request.url.params), json.loads(body) if body else None)


@pytest.mark.parametrize("name", PAIRS)
async def test_same(name, monkeypatch):
    theirs, ours = PAIRS[name]
    assert await request_of_ours(ours) == request_of_theirs(theirs, monkeypatch)


def test_every_call_is_compared():
    calls = {name for name in vars(SegmentsClient) if not name.startswith("_")} - {"close"}
    assert {name.partition(" ")[0] for name in PAIRS} == calls
