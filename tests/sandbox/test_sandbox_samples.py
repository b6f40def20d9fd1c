"""Samples and labelsets and labels."""

from __future__ import annotations

import pytest

IMAGE = {"image": {"url": "https://example.com/image.png"}}
CLOUD = {"pcd": {"url": "https://example.com/cloud.pcd", "type": "pcd"}}
LABEL = {"attributes": {"annotations": [{"id": 1, "category_id": 1}], "format_version": "0.1"}}


def test_sample_as_documented(api, flowers):
    body = {
        "name": "flowers.png",
        "attributes": IMAGE,
        "metadata": {"city": "London", "robot_id": 3},
        "priority": 10,
    }
    reply = api.post(f"{flowers}/samples", json=body)
    sample = reply.json()
    assert reply.status_code == 201
    assert body.items() <= sample.items()
    assert (sample["data_type"], sample["created_by"]) == ("IMAGE", "sandbox")
    assert api.get(f"/samples/{sample['uuid']}").json() == sample | {"dataset": "sandbox/flowers"}
    assert api.get(f"{flowers}/samples").json() == [sample]


def test_sample_keeps_what_it_does_not_know(api, flowers):
    attributes = {"image": {"url": "https://x/y.png", "depth": None}, "lens": {"mm": 50.0}}
    body = {"name": "a", "attributes": attributes, "metadata": {"a": {"b": [1, 1.0]}}, "mood": "good"}
    uuid = api.post(f"{flowers}/samples/", json=body | {"uuid": "mine"}).json()["uuid"]
    assert uuid != "mine"
    assert body.items() <= api.get(f"/samples/{uuid}/").json().items()


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(IMAGE, id="image"),
        pytest.param({"frames": [IMAGE, {**IMAGE, "name": "frame 1"}]}, id="image-sequence"),
        pytest.param(CLOUD, id="point-cloud"),
        pytest.param({"frames": [CLOUD]}, id="point-cloud-sequence"),
        pytest.param(
            {
                "sensors": [
                    {
                        "name": "Lidar",
                        "task_type": "pointcloud-cuboid-sequence",
                        "attributes": {"frames": [CLOUD]},
                    },
                    {
                        "name": "Camera",
                        "task_type": "image-vector-sequence",
                        "attributes": {"frames": [IMAGE]},
                    },
                ]
            },
            id="multi-sensor",
        ),
    ],
)
def test_sample_of_each_kind(api, flowers, attributes):
    reply = api.post(f"{flowers}/samples/", json={"name": "a", "attributes": attributes})
    assert reply.json()["attributes"] == attributes


REQUIRED = ["This field is required."]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"attributes": IMAGE}, {"name": REQUIRED}),
        ({"name": "a"}, {"attributes": REQUIRED}),
        (
            {"name": " ", "attributes": []},
            {
                "name": ["This field may not be blank."],
                "attributes": ['Expected a dictionary of items but got type "list".'],
            },
        ),
        ({"name": "a", "attributes": {"image": {}}}, {"attributes": {"image": {"url": REQUIRED}}}),
        (
            {"name": "a", "attributes": {"image": {"url": ""}}},
            {"attributes": {"image": {"url": ["This field may not be blank."]}}},
        ),
        (
            {"name": "a", "attributes": {"image": {"url": 3}}},
            {"attributes": {"image": {"url": ["Not a valid string."]}}},
        ),
        (
            {"name": "a", "attributes": {"frames": [IMAGE, {"pcd": {}}]}},
            {"attributes": {"frames": [{}, {"pcd": {"url": REQUIRED}}]}},
        ),
        (
            {"name": "a", "attributes": {"sensors": [{"name": "x", "task_type": "y"}]}},
            {"attributes": {"sensors": [{"attributes": REQUIRED}]}},
        ),
        (
            {"name": "a", "attributes": {"video": {}}},
            {"attributes": {"non_field_errors": ["Expected one of the keys image, pcd, frames, sensors."]}},
        ),
        (
            {"name": "a", "attributes": IMAGE, "priority": "high"},
            {"priority": ["A valid number is required."]},
        ),
        ({"name": "rose.png", "attributes": IMAGE}, {"name": ["Sample with this name already exists."]}),
    ],
)
def test_sample_refused(api, flowers, rose, body, problem):
    reply = api.post(f"{flowers}/samples/", json=body)
    assert (reply.status_code, reply.json()) == (400, problem)


def test_bulk_creates_or_returns(api, flowers, rose):
    """The answer has the order of the request; what exists is unchanged, twins within a request are one."""
    items = [{"name": name, "attributes": IMAGE, "priority": 5} for name in ("b", "rose.png", "a", "b")]
    reply = api.post(f"{flowers}/samples_bulk/", json=items)
    assert reply.status_code == 201
    samples = reply.json()
    assert [sample["name"] for sample in samples] == ["b", "rose.png", "a", "b"]
    assert samples[0] == samples[3]
    assert (samples[1]["uuid"], samples[1]["priority"]) == (rose, 0)
    assert api.post(f"{flowers}/samples_bulk/", json=items).json() == samples


def test_bulk_is_all_or_nothing(api, flowers):
    items = [{"name": "a", "attributes": IMAGE}, {"name": "b"}, 7]
    reply = api.post(f"{flowers}/samples_bulk/", json=items)
    assert reply.status_code == 400
    assert reply.json() == [
        {},
        {"attributes": REQUIRED},
        {"non_field_errors": ["Invalid data. Expected a dictionary, but got int."]},
    ]
    assert api.get(f"{flowers}/samples/").json() == []


def test_bulk_wants_a_list(api, flowers):
    reply = api.post(f"{flowers}/samples_bulk/", json={"name": "a"})
    assert reply.json() == {"non_field_errors": ['Expected a list of items but got type "dict".']}


def test_bulk_delete(api, sandbox, flowers, rose):
    api.post("/user/datasets/", json={"name": "cats"})
    other = api.post("/datasets/sandbox/cats/samples/", json={"name": "a", "attributes": IMAGE}).json()["uuid"]
    body = {"uuids": [rose, rose, other, "no-such-uuid"]}
    assert api.request("DELETE", f"{flowers}/samples_bulk/", json=body).json() == {"deleted_count": 1}
    assert api.request("DELETE", f"{flowers}/samples_bulk/", json=body).json() == {"deleted_count": 0}
    assert sandbox.samples("sandbox/flowers") == []
    assert len(sandbox.samples("sandbox/cats")) == 1


@pytest.mark.parametrize("uuids", [[], ["x"] * 1001, "x", [None]])
def test_bulk_delete_refused(api, flowers, uuids):
    reply = api.request("DELETE", f"{flowers}/samples_bulk/", json={"uuids": uuids})
    assert (reply.status_code, list(reply.json())) == (400, ["uuids"])


def test_update_sample(api, flowers, rose):
    api.post(f"{flowers}/samples/", json={"name": "tulip.png", "attributes": IMAGE})
    before = api.get(f"/samples/{rose}/").json()
    after = api.patch(f"/samples/{rose}/", json={"priority": 2.5, "assigned_labeler": "jane"}).json()
    assert after == before | {"priority": 2.5, "assigned_labeler": "jane"}
    assert api.patch(f"/samples/{rose}/", json={"assigned_labeler": None}).json()["assigned_labeler"] is None
    assert api.patch(f"/samples/{rose}/", json={"name": "rose.png"}).status_code == 200
    taken = api.patch(f"/samples/{rose}/", json={"name": "tulip.png"})
    assert taken.json() == {"name": ["Sample with this name already exists."]}
    assert api.patch(f"/samples/{rose}/", json={"name": "lily.png"}).json()["name"] == "lily.png"
    assert api.post(f"{flowers}/samples/", json={"name": "rose.png", "attributes": IMAGE}).status_code == 201


def test_delete_sample(api, rose):
    assert api.delete(f"/samples/{rose}/").status_code == 204
    assert api.delete(f"/samples/{rose}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=name", "abc"),
        ("sort=-name", "cba"),
        ("sort=priority", "bca"),
        ("sort=-created_at", "cab"),
        ("sort=gt_label__updated_at", "bca"),
        ("name__contains=b", "b"),
        ("name__contains=x", ""),
        ("filters=city:Ulm", "ac"),
        ("filters=city:Ulm,robot_id:3", "c"),
        ("filters=city:Ulm,city:Bonn", ""),
        ("filters=robot_id:%3D3", "c"),
        ("filters=robot_id:%3E2.5", "c"),
        ("filters=robot_id:%3E%3D3,robot_id:%3C%3D3", "c"),
        ("filters=robot_id:%3E3", ""),
        ("filters=robot_id:%3C3", ""),
        ("filters=city:%3E3", ""),
        ("filters=tags:|wet", "b"),
        ("filters=tags:wet", ""),
        ("label_status=LABELED", "a"),
        ("label_status=LABELED,UNLABELED", "abc"),
        ("labelset=model&label_status=UNLABELED", "abc"),
    ],
)
def test_list_filters_and_sorts(api, flowers, query, names):
    items = [
        {"name": "b", "attributes": IMAGE, "priority": 1, "metadata": {"city": "Bonn", "tags": ["wet"]}},
        {"name": "a", "attributes": IMAGE, "priority": 3, "metadata": {"city": "Ulm"}},
        {"name": "c", "attributes": IMAGE, "priority": 2, "metadata": {"city": "Ulm", "robot_id": 3}},
    ]
    uuids = [api.post(f"{flowers}/samples/", json=item).json()["uuid"] for item in items]
    api.post(f"{flowers}/labelsets/", json={"name": "model"})
    api.put(f"/labels/{uuids[1]}/ground-truth/", json=LABEL | {"label_status": "LABELED"})
    listed = api.get(f"{flowers}/samples/?{query}").json()
    assert "".join(sample["name"] for sample in listed) == names


def test_list_with_labels(api, flowers, rose):
    api.post(f"{flowers}/samples/", json={"name": "tulip.png", "attributes": IMAGE})
    label = api.put(f"/labels/{rose}/ground-truth/", json=LABEL | {"score": 0.5}).json()
    short = api.get(f"{flowers}/samples/?labelset=ground-truth").json()
    full = api.get(f"{flowers}/samples/?labelset=ground-truth&include_full_label=1").json()
    assert [sample["label"] for sample in full] == [label, None]
    assert short[0]["label"].items() <= label.items()
    assert "attributes" not in short[0]["label"]
    assert short[1]["label"] is None
    assert "label" not in api.get(f"{flowers}/samples/").json()[0]
    assert api.get(f"/samples/{rose}/?labelset=ground-truth").json()["label"] == label
    assert api.get(f"{flowers}/samples/?labelset=model").status_code == 404


def test_signed_urls(api, sandbox, web, flowers):
    asset = api.post("/assets/", json={"filename": "a.png"}).json()
    form = asset["presignedPostFields"]
    web.post(form["url"], data=form["fields"], files={"file": b"png"})
    body = {"name": "a", "attributes": {"frames": [{"image": {"url": asset["url"]}}, IMAGE]}}
    uuid = api.post(f"{flowers}/samples/", json=body).json()["uuid"]
    frames = api.get(f"/samples/{uuid}/?include_signed_urls=1").json()["attributes"]["frames"]
    assert web.get(frames[0]["image"]["signed_url"]).content == b"png"
    assert frames[1]["image"]["signed_url"] == IMAGE["image"]["url"]
    assert api.get(f"/samples/{uuid}/").json()["attributes"] == body["attributes"]


def test_label_as_documented(api, sandbox, flowers, rose):
    body = LABEL | {"label_status": "PRELABELED", "score": 0.9254, "note": {"kept": True}}
    created = api.put(f"/labels/{rose}/ground-truth", json=body)
    label = created.json()
    assert created.status_code == 201
    assert body.items() <= label.items()
    assert label["label_type"] == "segmentation-bitmap"
    assert label["sample_uuid"] == rose
    assert api.get(f"/labels/{rose}/ground-truth").json() == label == sandbox.label(rose)
    assert sandbox.labels("sandbox/flowers") == {rose: label}
    assert api.get(f"{flowers}/").json()["label_stats"]["PRELABELED"] == 1


def test_put_again_replaces(api, rose):
    first = api.put(f"/labels/{rose}/ground-truth/", json=LABEL | {"score": 0.5, "label_status": "LABELED"})
    again = api.put(f"/labels/{rose}/ground-truth/", json={"attributes": {}})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["score"] is None
    assert again.json()["label_status"] == "PRELABELED"
    assert again.json()["created_at"] == first.json()["created_at"]
    assert again.json()["updated_at"] > first.json()["updated_at"]


def test_patch_keeps_the_rest(api, rose):
    assert api.patch(f"/labels/{rose}/ground-truth/", json={"score": 0.1}).status_code == 404
    api.put(f"/labels/{rose}/ground-truth/", json=LABEL | {"label_status": "REVIEWED"})
    patched = api.patch(f"/labels/{rose}/ground-truth/", json={"score": 0.1, "sample_uuid": "x"}).json()
    assert (patched["score"], patched["label_status"], patched["sample_uuid"]) == (0.1, "REVIEWED", rose)
    assert patched["attributes"] == LABEL["attributes"]


def test_delete_label(api, sandbox, rose):
    api.put(f"/labels/{rose}/ground-truth/", json=LABEL)
    assert api.delete(f"/labels/{rose}/ground-truth/").status_code == 204
    assert api.delete(f"/labels/{rose}/ground-truth/").status_code == 404
    assert sandbox.label(rose) is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, {"attributes": REQUIRED}),
        ({"attributes": []}, {"attributes": ['Expected a dictionary of items but got type "list".']}),
        ({"attributes": {}, "label_status": "DONE"}, {"label_status": ['"DONE" is not a valid choice.']}),
        ({"attributes": {}, "score": "high"}, {"score": ["A valid number is required."]}),
    ],
)
def test_label_refused(api, rose, body, problem):
    reply = api.put(f"/labels/{rose}/ground-truth/", json=body)
    assert (reply.status_code, reply.json()) == (400, problem)


def test_labelsets(api, flowers, rose):
    assert api.put(f"/labels/{rose}/model/", json=LABEL).status_code == 404
    body = {"name": "model", "description": "Mine.", "attributes": "{}"}
    created = api.post(f"{flowers}/labelsets/", json=body)
    assert created.status_code == 201
    assert body.items() <= created.json().items()
    taken = api.post(f"{flowers}/labelsets/", json={"name": "model"})
    assert taken.json() == {"name": ["Labelset with this name already exists."]}
    assert api.put(f"/labels/{rose}/model/", json=LABEL).status_code == 201
    assert [item["name"] for item in api.get(f"{flowers}/labelsets/").json()] == ["ground-truth", "model"]
    assert api.get(f"{flowers}/labelsets/model/").json() == created.json()
    assert api.delete(f"{flowers}/labelsets/model/").status_code == 204
    assert api.get(f"{flowers}/labelsets/model/").status_code == 404
    assert api.get(f"/labels/{rose}/model/").status_code == 404
    assert api.delete(f"{flowers}/labelsets/ground-truth/").status_code == 400


def test_what_is_read_is_a_copy(sandbox, rose):
    sandbox.samples("sandbox/flowers")[0]["name"] = "changed"
    assert sandbox.samples("sandbox/flowers")[0]["name"] == "rose.png"


def test_statuses_in_any_case(api, flowers, rose):
    """They are stored in upper case, and selected in any."""
    label = api.put(f"/labels/{rose}/ground-truth/", json={"attributes": {}, "label_status": "reviewed"}).json()
    assert label["label_status"] == "REVIEWED"
    for status in ("reviewed", "Reviewed", "labeled,REVIEWED"):
        assert len(api.get(f"{flowers}/samples/", params={"label_status": status}).json()) == 1
    assert api.get(f"{flowers}/samples/?label_status=labeled").json() == []
    changed = api.patch(f"/labels/{rose}/ground-truth/", json={"label_status": "Skipped"}).json()
    assert changed["label_status"] == "SKIPPED"
    wrong = api.patch(f"/labels/{rose}/ground-truth/", json={"label_status": "done"})
    assert (wrong.status_code, wrong.json()) == (400, {"label_status": ['"DONE" is not a valid choice.']})


def test_an_unknown_labelset(api, sandbox, flowers, rose):
    """A 404, or samples without labels: which one is not documented, so a client must be tried with both."""
    path = f"{flowers}/samples/?labelset=ground-trut"
    assert api.get(path).status_code == 404
    sandbox.ignores_unknown_labelsets = True
    assert [(sample["uuid"], sample["label"]) for sample in api.get(path).json()] == [(rose, None)]
    sandbox.reset()
    assert sandbox.ignores_unknown_labelsets is False


def test_the_older_name_of_bboxes(api, flowers):
    made = api.post("/user/datasets/", json={"name": "boxes", "task_type": "bbox"})
    assert (made.status_code, made.json()["task_type"]) == (201, "bboxes")
    assert api.patch(f"{flowers}/", json={"task_type": "bbox"}).json()["task_type"] == "bboxes"
    assert api.post(f"{flowers}/clone/", json={"name": "copy", "task_type": "bbox"}).json()["task_type"] == "bboxes"
