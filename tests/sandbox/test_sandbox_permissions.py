"""Two users and an organization: who sees what, and who may change it."""

from __future__ import annotations

import pytest

from segments_async.sandbox import Sandbox
from segments_async.sandbox.app import ROUTES

IMAGE = {"image": {"url": "https://example.com/image.png"}}
FORBIDDEN = {"detail": "You do not have permission to perform this action."}
ROLES = ["", "viewer", "labeler", "reviewer", "manager", "admin"]

CHANGES = [
    # The least role, and what it may do; {uuid} is a sample, {issue} an issue.
    ("", "POST", "{flowers}/clone/", {"name": "mine"}),
    ("", "POST", "/samples/{uuid}/issues/", {"description": "Blurred."}),
    ("labeler", "PUT", "/labels/{uuid}/ground-truth/", {"attributes": {}}),
    ("labeler", "PATCH", "/labels/{uuid}/ground-truth/", {"score": 1}),
    ("labeler", "DELETE", "/labels/{uuid}/ground-truth/", None),
    ("manager", "PATCH", "/samples/{uuid}/", {"priority": 1, "assigned_labeler": "jane"}),
    ("labeler", "PATCH", "/issues/{issue}/", {"status": "CLOSED"}),
    ("manager", "PATCH", "/issues/{issue}/", {"status": "CLOSED", "description": "Mended."}),
    ("manager", "DELETE", "/issues/{issue}/", None),
    ("manager", "POST", "{flowers}/collaborators/", {"user": "bert", "role": "manager"}),
    ("manager", "PATCH", "{flowers}/collaborators/joe", {"role": "reviewer"}),
    ("manager", "DELETE", "{flowers}/collaborators/joe", None),
    ("admin", "POST", "{flowers}/collaborators/", {"user": "bert", "role": "admin"}),
    ("admin", "PATCH", "{flowers}/collaborators/joe", {"role": "admin"}),
    ("admin", "PATCH", "/samples/{uuid}/", {"priority": 1, "metadata": {}}),
    ("admin", "POST", "{flowers}/samples/", {"name": "b", "attributes": IMAGE}),
    ("admin", "POST", "{flowers}/samples_bulk/", [{"name": "b", "attributes": IMAGE}]),
    ("admin", "DELETE", "{flowers}/samples_bulk/", {"uuids": ["{uuid}"]}),
    ("admin", "DELETE", "/samples/{uuid}/", None),
    ("admin", "POST", "{flowers}/labelsets/", {"name": "model"}),
    ("admin", "DELETE", "{flowers}/labelsets/other/", None),
    ("admin", "POST", "{flowers}/releases/", {"name": "v1"}),
    ("admin", "DELETE", "{flowers}/releases/v0/", None),
    ("admin", "PATCH", "{flowers}/", {"description": "Mine."}),
    ("admin", "DELETE", "{flowers}/", None),
]
READS = [
    "{flowers}/",
    "{flowers}/samples/",
    "{flowers}/labelsets/",
    "{flowers}/labelsets/ground-truth/",
    "{flowers}/releases/",
    "{flowers}/releases/v0/",
    "{flowers}/issues/",
    "{flowers}/workunits/",
    "{flowers}/collaborators/joe",
    "/samples/{uuid}/",
    "/labels/{uuid}/ground-truth/",
]


@pytest.fixture
def names(api, flowers, rose):
    """A dataset with one of everything in it."""
    api.put(f"/labels/{rose}/ground-truth/", json={"attributes": {}})
    api.post(f"{flowers}/labelsets/", json={"name": "other"})
    api.post(f"{flowers}/releases/", json={"name": "v0"})
    api.post(f"{flowers}/collaborators/", json={"user": "joe"})
    issue = api.post(f"/samples/{rose}/issues/", json={"description": "Torn."}).json()["uuid"]
    return {"flowers": flowers, "uuid": rose, "issue": issue}


def change(client, names, case):
    _, method, path, body = case
    return client.request(method, path.format(**names), json=body)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: f"{case[1]} {case[2]}")
def test_least_role(api, other, names, case):
    """What a role may not do is refused as often as it is tried; the least role that may, may."""
    api.patch(f"{names['flowers']}/", json={"public": True})
    for role in ROLES[: ROLES.index(case[0])]:
        if role:
            api.request("DELETE", f"{names['flowers']}/collaborators/jane")
            assert api.post(f"{names['flowers']}/collaborators/", json={"user": "jane", "role": role}).is_success
        refused = change(other, names, case)
        assert (refused.status_code, refused.json()) == (403, FORBIDDEN), role
    if case[0]:
        api.request("DELETE", f"{names['flowers']}/collaborators/jane")
        api.post(f"{names['flowers']}/collaborators/", json={"user": "jane", "role": case[0]})
    assert change(other, names, case).is_success


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: f"{case[1]} {case[2]}")
def test_a_private_dataset_does_not_exist_for_others(other, names, case):
    reply = change(other, names, case)
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("path", READS)
def test_reading(api, other, names, path):
    """A private dataset: its collaborators; a public one: all users."""
    path = path.format(**names)
    assert other.get(path).status_code == 404
    api.post(f"{names['flowers']}/collaborators/", json={"user": "jane", "role": "viewer"})
    assert other.get(path).status_code == 200
    api.delete(f"{names['flowers']}/collaborators/jane")
    assert other.get(path).status_code == 404
    api.patch(f"{names['flowers']}/", json={"public": True})
    assert other.get(path).status_code == 200


def test_every_route_in_a_dataset_is_in_these_tables():
    """A new route needs a row: who may use it?"""
    paths = [(method, path) for _, method, path, _ in CHANGES] + [("GET", path) for path in READS]
    names = {"flowers": "/datasets/sandbox/flowers", "uuid": "u", "issue": "i"}
    tested = {(method, ROUTES.find(path.format(**names).encode())[0]) for method, path in paths}
    routes = {
        (method, template)
        for template, views in ROUTES.views.items()
        for method in views
        if template[0] in {"datasets", "samples", "labels", "issues"}
    }
    assert tested == routes


def test_lists_show_what_one_may_see(api, other, flowers):
    api.post("/user/datasets/", json={"name": "open", "public": True})
    assert [dataset["name"] for dataset in other.get("/users/sandbox/datasets/").json()] == ["open"]
    api.post(f"{flowers}/collaborators/", json={"user": "jane", "role": "reviewer"})
    seen = other.get("/users/sandbox/datasets/").json()
    assert [(dataset["name"], dataset["role"]) for dataset in seen] == [("flowers", "reviewer"), ("open", None)]
    assert other.get("/user/datasets/").json() == []
    assert [dataset["role"] for dataset in api.get("/user/datasets/").json()] == ["admin", "admin"]


def test_others_may_label_where_they_are_let(api, other, names):
    api.patch(f"{names['flowers']}/", json={"public": True})
    path = f"/labels/{names['uuid']}/ground-truth/"
    assert other.put(path, json={"attributes": {}}).status_code == 403
    api.patch(f"{names['flowers']}/", json={"noncollaborator_can_label": True})
    assert other.put(path, json={"attributes": {}}).json()["updated_by"] == "jane"


def test_who_did_it(api, other, names):
    api.post(f"{names['flowers']}/collaborators/", json={"user": "jane", "role": "admin"})
    sample = other.post(f"{names['flowers']}/samples/", json={"name": "b", "attributes": IMAGE}).json()
    label = other.put(f"/labels/{sample['uuid']}/ground-truth/", json={"attributes": {}}).json()
    issue = other.post(f"/samples/{sample['uuid']}/issues/", json={"description": "Torn."}).json()
    changed = api.patch(f"/issues/{issue['uuid']}/", json={"status": "CLOSED"}).json()
    assert {sample["created_by"], label["created_by"], issue["created_by"]} == {"jane"}
    assert (changed["created_by"], changed["updated_by"]) == ("jane", "sandbox")


def test_organization(api, other):
    """Its members manage what it owns; others do not see it."""
    assert api.post("/organizations/acme/datasets/", json={"name": "cats"}).status_code == 201
    refused = other.post("/organizations/acme/datasets/", json={"name": "dogs"})
    assert (refused.status_code, "need to be an administrator" in refused.text) == (403, True)
    assert api.get("/datasets/acme/cats/").json()["role"] == "admin"
    assert other.get("/datasets/acme/cats/").status_code == 404
    assert other.get("/users/acme/datasets/").json() == []


def test_accounts(api, other, flowers, rose):
    """One sees more of oneself, and of organizations one belongs to."""
    me = api.get("/user").json()
    assert (me["private_upload_count"], me["public_upload_count"], me["subscription"]) == (1, 0, "ENTERPRISE")
    assert [(org["username"], org["organization_role"]) for org in me["organizations"]] == [("acme", "admin")]
    assert api.get("/users/sandbox").json() == me
    assert other.get("/user").json()["username"] == "jane"
    assert "subscription" not in other.get("/users/sandbox").json()
    acme = api.get("/users/acme").json()
    assert (acme["organization_created_by"], acme["organization_role"]) == ("sandbox", "admin")
    assert [member["username"] for member in acme["members"]] == ["sandbox"]
    assert "members" not in other.get("/users/acme").json()


def test_names_and_keys_of_ones_own():
    sandbox = Sandbox(api_key="a", user="ann", other_api_key="b", other_user="bob", organizations=["lab", "firm"])
    assert (sandbox.organizations, sandbox.user, sandbox.other_user) == (("lab", "firm"), "ann", "bob")
    assert repr(sandbox) == "<Sandbox not started>"
    assert Sandbox(user="jane").other_user == "bert"
    for same in ({"api_key": "other-sandbox-key"}, {"user": "ann", "other_user": "ann"}):
        with pytest.raises(ValueError, match="must differ from user and api_key"):
            Sandbox(**same)


def test_an_author_edits_closes_and_deletes_an_issue(api, other, names):
    api.post(f"{names['flowers']}/collaborators/", json={"user": "jane", "role": "viewer"})
    own = other.post(f"/samples/{names['uuid']}/issues/", json={"description": "Blurred."}).json()["uuid"]
    assert other.patch(f"/issues/{own}/", json={"description": "Sharp.", "status": "CLOSED"}).status_code == 200
    assert other.patch(f"/issues/{names['issue']}/", json={"status": "CLOSED"}).status_code == 403
    assert other.delete(f"/issues/{names['issue']}/").status_code == 403
    assert other.delete(f"/issues/{own}/").status_code == 204


@pytest.mark.parametrize("role", ROLES[1:])
def test_clones_of_a_private_dataset(api, other, names, role):
    """Only its administrators clone it."""
    api.post(f"{names['flowers']}/collaborators/", json={"user": "jane", "role": role})
    reply = other.post(f"{names['flowers']}/clone/", json={"name": "mine"})
    assert reply.status_code == (201 if role == "admin" else 403)
