"""Unknown data is stored and returned unchanged, wherever it is sent."""

from __future__ import annotations

import pytest

ODD = {"odd": {"deep": [None, 1, 1.0, {"camelCase": ""}]}, "": 0}
IMAGE = {"image": {"url": "https://example.com/image.png", **ODD}, **ODD}
THINGS = [
    # What is sent, and where; where it is read. {uuid} is a sample, and {made} what the answer calls the thing.
    ("POST", "/user/datasets/", {"name": "x", "task_attributes": ODD, "metadata": ODD}, "/datasets/sandbox/x/"),
    ("PATCH", "{flowers}/", {"region_of_interest": ODD}, "{flowers}/"),
    ("POST", "{flowers}/samples/", {"name": "b", "attributes": IMAGE, "metadata": ODD}, "/samples/{made}/"),
    ("PATCH", "/samples/{uuid}/", {"attributes": IMAGE}, "/samples/{uuid}/"),
    ("PUT", "/labels/{uuid}/ground-truth/", {"attributes": ODD}, "/labels/{uuid}/ground-truth/"),
    ("POST", "{flowers}/labelsets/", {"name": "model", "attributes": "{}"}, "{flowers}/labelsets/model/"),
    ("POST", "{flowers}/collaborators/", {"role": "viewer"}, "{flowers}/collaborators/joe"),
    ("POST", "{flowers}/releases/", {"name": "v1"}, "{flowers}/releases/v1/"),
    ("POST", "/samples/{uuid}/issues/", {"description": "x", "anchor": {"type": "basic", **ODD}}, "{flowers}/issues/"),
    ("POST", "/assets/", {"filename": "a.png"}, None),
]


@pytest.mark.parametrize(("method", "path", "body", "read"), THINGS, ids=[f"{m} {p}" for m, p, *_ in THINGS])
def test_kept(api, flowers, rose, method, path, body, read):
    names = {"flowers": flowers, "uuid": rose}
    user = {"user": "joe"} if path.endswith("collaborators/") else {}
    made = api.request(method, path.format(**names), json=body | ODD | user)
    assert made.is_success
    answers = [made.json()]
    if read is not None:
        answers.append(api.get(read.format(made=made.json().get("uuid"), **names)).json())
    for answer in answers:
        shown = answer[-1] if isinstance(answer, list) else answer
        assert {key: shown[key] for key in body | ODD} == body | ODD


def test_a_label_is_changed_in_part(api, rose):
    path = f"/labels/{rose}/ground-truth/"
    api.put(path, json={"attributes": ODD, "odd": 1})
    api.patch(path, json={"score": 0.5, "odder": ODD})
    shown = api.get(path).json()
    assert (shown["attributes"], shown["odd"], shown["odder"], shown["score"]) == (ODD, 1, ODD, 0.5)
