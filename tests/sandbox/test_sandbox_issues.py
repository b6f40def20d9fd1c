"""Issues, work units and clones."""

from __future__ import annotations

import httpx
import pytest

from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock

IMAGE = {"image": {"url": "https://example.com/image.png"}}
ANCHORS = [
    {"type": "basic"},
    {"type": "basic", "sensor": "front", "frame": 3, "novel": [None]},
    {"type": "track", "trackNumber": 7, "trackAttribute": "colour"},
    {"type": "sceneAttribute", "sceneAttribute": "weather"},
    {"type": "location", "location": {"type": "2d", "x": 1, "y": 2.5}},
    {"type": "location", "location": {"type": "3d", "x": 1, "y": 2.5, "z": -1}},
]


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda anchor: anchor["type"])
def test_anchors(api, flowers, rose, anchor):
    """Each kind is stored as it comes."""
    body = {"description": "Torn.", "anchor": anchor, "novel": {"a": 1}}
    created = api.post(f"/samples/{rose}/issues/", json=body)
    assert created.status_code == 201
    issue = created.json()
    assert (issue["anchor"], issue["novel"], issue["status"], issue["comments"]) == (anchor, {"a": 1}, "OPEN", [])
    assert (issue["sample_uuid"], issue["sample_name"], issue["created_by"]) == (rose, "rose.png", "sandbox")
    assert api.get(f"{flowers}/issues/").json() == api.get(f"/samples/{rose}/").json()["issues"] == [issue]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, {"description": ["This field is required."]}),
        ({"description": " "}, {"description": ["This field may not be blank."]}),
        ({"description": "x", "status": "DONE"}, {"status": ['"DONE" is not a valid choice.']}),
        (
            {"description": "x", "anchor": []},
            {"anchor": ['Expected a dictionary of items but got type "list".']},
        ),
        ({"description": "x", "anchor": {}}, {"anchor": {"type": ["This field is required."]}}),
        ({"description": "x", "anchor": {"type": "moon"}}, {"anchor": {"type": ['"moon" is not a valid choice.']}}),
        (
            {"description": "x", "anchor": {"type": "track", "trackNumber": "7"}},
            {"anchor": {"trackNumber": ["A valid integer is required."]}},
        ),
        (
            {"description": "x", "anchor": {"type": "location", "location": {"type": "3d", "x": 1, "y": 2}}},
            {"anchor": {"location": {"z": ["This field is required."]}}},
        ),
    ],
)
def test_refused(api, rose, body, problem):
    reply = api.post(f"/samples/{rose}/issues/", json=body)
    assert (reply.status_code, reply.json()) == (400, problem)


def test_create_read_update_delete(api, sandbox, flowers, rose):
    issue = api.post(f"/samples/{rose}/issues/", json={"description": "Torn."}).json()
    changed = api.patch(f"/issues/{issue['uuid']}/", json={"status": "CLOSED", "created_by": "me"}).json()
    assert changed == issue | {"status": "CLOSED", "updated_at": changed["updated_at"]}
    commented = sandbox.add_comment(issue["uuid"], "Is it?", user="bert")
    assert [(c["text"], c["created_by"]) for c in commented["comments"]] == [("Is it?", "bert")]
    assert api.get(f"{flowers}/issues/").json() == sandbox.issues("sandbox/flowers") == [commented]
    assert api.delete(f"/issues/{issue['uuid']}/").status_code == 204
    assert api.delete(f"/issues/{issue['uuid']}/").status_code == 404
    assert api.get(f"{flowers}/issues/").json() == []


def test_webhooks_of_issues_and_clones(api, sandbox, flowers, rose, monkeypatch):
    """Webhooks report issues and clones like everything else."""
    reported = []
    monkeypatch.setattr(sandbox._state, "notify", lambda kind, dataset, describe: reported.append((kind, describe())))
    issue = api.post(f"/samples/{rose}/issues/", json={"description": "Torn."}).json()
    closed = api.patch(f"/issues/{issue['uuid']}/", json={"status": "CLOSED"}).json()
    clone = api.post(f"{flowers}/clone/", json={"name": "copy"}).json()
    assert reported == [("issue.created", issue), ("issue.updated", closed), ("dataset.created", clone)]


def test_they_go_with_their_sample(api, rose):
    issue = api.post(f"/samples/{rose}/issues/", json={"description": "Torn."}).json()["uuid"]
    api.delete(f"/samples/{rose}/")
    assert api.patch(f"/issues/{issue}/", json={}).status_code == 404


def test_workunits():
    clock = ManualClock(1_600_000_000.0)
    with Sandbox(clock=clock.time) as sandbox:
        key = {"Authorization": f"APIKey {sandbox.api_key}"}
        with httpx.Client(base_url=sandbox.url, headers=key, verify=False, trust_env=False) as api:
            api.post("/user/datasets/", json={"name": "flowers"})
            rose = api.post("/datasets/sandbox/flowers/samples/", json={"name": "rose", "attributes": IMAGE}).json()
            for number in range(3):
                clock.now += 60
                sandbox.add_workunit(rose["uuid"], time=number, user="jane", session_time_metrics={"zoom": number})

            def times(query):
                return [unit["time"] for unit in api.get(f"/datasets/sandbox/flowers/workunits/?{query}").json()]

            assert times("") == [2, 1, 0]
            assert times("sort=created_at") == [0, 1, 2]
            assert times("per_page=2&page=2") == [0]
            assert times("start=2020-09-13T12:28:40") == [2, 1]
            assert times("end=2020-09-13T12:28:40Z") == [1, 0]
            assert times("start=2020-09-13T12:28:00&end=2020-09-13T12:29:00") == [1]
            wrong = api.get("/datasets/sandbox/flowers/workunits/?start=yesterday")
            assert (wrong.status_code, wrong.json()) == (400, {"start": ["Enter a valid date/time."]})
            [plain, *_] = api.get("/datasets/sandbox/flowers/workunits/").json()
            [full, *_] = api.get("/datasets/sandbox/flowers/workunits/?include_session_time_metrics=true").json()
            assert full == plain | {"session_time_metrics": {"zoom": 2}}
            assert (plain["created_by"], plain["sample_name"]) == ("jane", "rose")
            assert sandbox.workunits("sandbox/flowers")[-1] == full


@pytest.mark.parametrize("labels", [False, True])
def test_clone(api, sandbox, flowers, rose, labels):
    """Everything but who works on it and what became of it; the labels only if asked for."""
    api.patch(f"{flowers}/", json={"novel": 1, "description": "Roses."})
    api.post(f"{flowers}/labelsets/", json={"name": "model"})
    api.put(f"/labels/{rose}/model/", json={"attributes": {"a": 1}, "score": 0.5})
    api.post(f"{flowers}/collaborators/", json={"user": "bert"})
    api.post(f"{flowers}/releases/", json={"name": "v1"})
    api.post(f"/samples/{rose}/issues/", json={"description": "Torn."})
    body = {"name": "copy", "task_type": "vector", "public": True, "clone_labels": labels}
    clone = api.post(f"{flowers}/clone/", json=body)
    assert clone.status_code == 201
    shown = clone.json()
    assert (shown["full_name"], shown["cloned_from"], shown["task_type"], shown["public"], shown["novel"]) == (
        "sandbox/copy",
        "sandbox/flowers",
        "vector",
        True,
        1,
    )
    assert (shown["collaborators_count"], shown["samples_count"]) == (0, 1)
    assert [labelset["name"] for labelset in shown["labelsets"]] == ["ground-truth", "model"]
    [sample] = sandbox.samples("sandbox/copy")
    assert (sample["name"], sample["uuid"] != rose, "issues" in sample) == ("rose.png", True, False)
    label = sandbox.label(sample["uuid"], "model")
    assert (label and (label["attributes"], label["label_type"], label["sample_uuid"])) == (
        ({"a": 1}, "vector", sample["uuid"]) if labels else None
    )
    assert sandbox.releases("sandbox/copy") == sandbox.issues("sandbox/copy") == []
    api.delete(f"{flowers}/")
    assert len(sandbox.samples("sandbox/copy")) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "This field is required."),
        ({"name": "flowers"}, 400, "You already have a dataset with this name."),
        ({"name": "x", "task_type": "moon"}, 400, "is not a valid choice."),
        ({"name": "x", "clone_labels": "yes"}, 400, "Must be a valid boolean."),
        ({"name": "x", "owner": "nobody"}, 400, "Object with username=nobody does not exist."),
        ({"name": "x", "owner": "jane"}, 404, "Not found."),
    ],
)
def test_clone_refused(api, flowers, body, status, words):
    reply = api.post(f"{flowers}/clone/", json=body)
    assert reply.status_code == status
    assert words in reply.text


def test_clone_for_an_organization(api, other, flowers):
    assert api.post(f"{flowers}/clone/", json={"name": "x", "owner": "acme"}).json()["full_name"] == "acme/x"
    api.patch(f"{flowers}/", json={"public": True})
    assert other.post(f"{flowers}/clone/", json={"name": "y", "owner": "acme"}).status_code == 403
    assert other.post(f"{flowers}/clone/", json={"name": "y"}).json()["full_name"] == "jane/y"
