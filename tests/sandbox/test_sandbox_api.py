"""The conventions of the API, and its users, datasets and collaborators."""

from __future__ import annotations

import gzip
import json
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx
import pytest

from segments_async.sandbox import Sandbox

IMAGE = {"image": {"url": "https://example.com/image.png"}}
ODD_NAMES = ["two words", "a#b", "a?b=c", "100%", "%2F", "a/b", "Blüte 花", "a+b&c", "..."]


@pytest.mark.parametrize("slash", ["", "/"])
def test_both_slash_forms(api, slash):
    assert api.post(f"/user/datasets{slash}", json={"name": "cats"}).status_code == 201
    assert api.get(f"/user/datasets{slash}").status_code == 200
    assert api.get(f"/datasets/sandbox/cats{slash}").json()["name"] == "cats"
    created = api.post(f"/datasets/sandbox/cats/samples{slash}", json={"name": "a", "attributes": IMAGE})
    put = api.put(f"/labels/{created.json()['uuid']}/ground-truth{slash}", json={"attributes": {}})
    assert (created.status_code, put.status_code) == (201, 201)
    assert api.get(f"/user{slash}").status_code == 200


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(api, name):
    """Any text is one path segment once it is percent-encoded."""
    path = f"/datasets/sandbox/{quote(name, safe='')}"
    assert api.post("/user/datasets/", json={"name": name}).json()["full_name"] == f"sandbox/{name}"
    assert api.post(f"{path}/labelsets/", json={"name": name}).status_code == 201
    assert api.get(f"{path}/labelsets/{quote(name, safe='')}/").json()["name"] == name
    assert api.get(f"{path}/").json()["name"] == name
    assert api.get(f"{path}/samples/").json() == []


def test_every_reply_has_an_id_and_a_date(api, sandbox, web):
    replies = [api.get("/user"), api.get("/nowhere"), web.get(sandbox.url), web.get(sandbox.storage_url)]
    assert len({reply.headers["x-request-id"] for reply in replies}) == 4
    for reply in replies:
        assert parsedate_to_datetime(reply.headers["date"])
        assert "server" not in reply.headers


def test_no_credentials(sandbox, web):
    reply = web.get(f"{sandbox.url}/user")
    assert (reply.status_code, reply.json()) == (
        403,
        {"detail": "Authentication credentials were not provided."},
    )


def test_wrong_credentials(sandbox, web):
    reply = web.get(f"{sandbox.url}/user", headers={"Authorization": "APIKey wrong"})
    assert (reply.status_code, reply.json()) == (401, {"detail": "Invalid API key."})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nowhere/",
        "/datasets/sandbox/",
        "/datasets/sandbox/dogs/",
        "/datasets/sandbox/dogs/samples/",
        "/datasets//dogs/",
        "/samples/no-such-uuid/",
        "/labels/no-such-uuid/ground-truth/",
        "/users/nobody",
        "/users/nobody/datasets/",
    ],
)
def test_not_found(api, path):
    reply = api.get(path)
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not found."})


def test_method_not_allowed(api):
    reply = api.put("/user/datasets/", json={})
    assert (reply.status_code, reply.json()) == (405, {"detail": 'Method "PUT" not allowed.'})
    assert reply.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b'{"name": ', {}, id="cut"),
        pytest.param(b'{"name": NaN}', {}, id="nan"),
        pytest.param(b"\xff", {}, id="not-utf-8"),
        pytest.param(b'{"name": "cats"}', {"Content-Encoding": "gzip"}, id="not-gzip"),
        pytest.param(gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"}, id="cut-gzip"),
    ],
)
def test_unreadable_body(api, body, headers):
    reply = api.post("/user/datasets/", content=body, headers={"Content-Type": "application/json"} | headers)
    assert reply.status_code == 400
    assert reply.json()["detail"].startswith("JSON parse error - ")


def test_wrong_media_type(api):
    assert api.post("/user/datasets/", data={"name": "cats"}).status_code == 415


def test_gzip_body(api, flowers):
    body = gzip.compress(json.dumps({"name": "a", "attributes": IMAGE}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert api.post(f"{flowers}/samples/", content=body, headers=headers).json()["name"] == "a"


def test_users(api):
    assert api.get("/user").json()["username"] == "sandbox"
    assert api.get("/users/jane").json()["is_organization"] is False
    assert api.get("/users/acme").json()["is_organization"] is True


def test_times_are_utc_with_microseconds():
    with Sandbox(clock=lambda: 1_600_000_000.25) as sandbox:
        headers = {"Authorization": f"APIKey {sandbox.api_key}"}
        reply = httpx.get(f"{sandbox.url}/user", headers=headers, verify=False, trust_env=False)
    assert reply.json()["created_at"] == "2020-09-13T12:26:40.250000Z"
    assert reply.headers["date"] == "Sun, 13 Sep 2020 12:26:40 GMT"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abcde"),
        ("per_page=2", "ab"),
        ("per_page=2&page=2", "cd"),
        ("per_page=2&page=3", "e"),
        ("per_page=5&page=1", "abcde"),
        ("per_page=0", "abcde"),
        ("per_page=x", "abcde"),
        ("per_page=1000000", "abcde"),
        ("per_page=2&page=4", None),
        ("per_page=5&page=2", None),
        ("page=0", None),
        ("page=-1", None),
        ("page=x", None),
    ],
)
def test_pages(api, flowers, query, names):
    api.post(f"{flowers}/samples_bulk/", json=[{"name": name, "attributes": IMAGE} for name in "abcde"])
    reply = api.get(f"{flowers}/samples/?{query}")
    if names is None:
        assert (reply.status_code, reply.json()) == (404, {"detail": "Invalid page."})
    else:
        assert "".join(sample["name"] for sample in reply.json()) == names


def test_page_is_capped_at_1000(api, flowers):
    items = [{"name": f"{number:04}", "attributes": IMAGE} for number in range(1001)]
    api.post(f"{flowers}/samples_bulk/", json=items)
    assert len(api.get(f"{flowers}/samples/?per_page=5000").json()) == 1000
    assert [sample["name"] for sample in api.get(f"{flowers}/samples/?page=2").json()] == ["1000"]


def test_first_page_of_nothing(api):
    assert api.get("/user/datasets/?page=1").json() == []
    assert api.get("/user/datasets/?page=2").status_code == 404


def test_dataset_as_documented(api):
    reply = api.post("/user/datasets", json={"name": "cats", "description": "A dataset of cat images."})
    assert reply.status_code == 201
    cats = reply.json()
    documented = {"category": "other", "public": False, "samples_count": 0, "collaborators_count": 0}
    assert documented.items() <= cats.items()
    assert cats["owner"]["username"] == "sandbox"
    assert [labelset["name"] for labelset in cats["labelsets"]] == ["ground-truth"]
    listed = {key: value for key, value in cats.items() if key not in {"labelsets", "task_attributes"}}
    assert api.get("/user/datasets").json() == api.get("/users/sandbox/datasets").json() == [listed]


def test_dataset_keeps_what_it_does_not_know(api, flowers):
    body = {"brand_new": {"a": [1, None]}, "metadata": {"b": 1.0}, "readme": "Read me.", "owner": "bert"}
    assert api.patch(f"{flowers}/", json=body).status_code == 200
    shown = api.get(f"{flowers}/").json()
    assert (shown["brand_new"], shown["metadata"]) == ({"a": [1, None]}, {"b": 1.0})
    assert shown["owner"]["username"] == "sandbox"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, {"name": ["This field is required."]}),
        ({"name": ""}, {"name": ["This field may not be blank."]}),
        ({"name": None}, {"name": ["This field may not be null."]}),
        ({"name": 7}, {"name": ["Not a valid string."]}),
        ({"name": "x", "task_type": "magic"}, {"task_type": ['"magic" is not a valid choice.']}),
        ({"name": "x", "category": "magic"}, {"category": ['"magic" is not a valid choice.']}),
        ({"name": "x", "public": "yes"}, {"public": ["Must be a valid boolean."]}),
        (
            {"name": "x", "metadata": []},
            {"metadata": ['Expected a dictionary of items but got type "list".']},
        ),
        ([], {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
        ({"name": "flowers"}, {"detail": "You already have a dataset with this name."}),
    ],
)
def test_dataset_refused(api, flowers, body, problem):
    reply = api.post("/user/datasets/", json=body)
    assert (reply.status_code, reply.json()) == (400, problem)


def test_category_of_ones_own(api):
    reply = api.post("/user/datasets/", json={"name": "x", "category": "custom-moon", "task_type": ""})
    assert reply.json()["category"] == "custom-moon"


def test_dataset_of_an_organization(api):
    created = api.post("/organizations/acme/datasets/", json={"name": "cats"})
    assert (created.status_code, created.json()["full_name"]) == (201, "acme/cats")
    assert [dataset["name"] for dataset in api.get("/users/acme/datasets/").json()] == ["cats"]
    assert api.get("/user/datasets/").json() == []
    assert api.post("/organizations/jane/datasets/", json={"name": "cats"}).status_code == 404
    assert api.post("/organizations/nobody/datasets/", json={"name": "cats"}).status_code == 404


def test_dataset_renamed(api, flowers, rose):
    api.post("/user/datasets/", json={"name": "cats"})
    assert api.patch(f"{flowers}/", json={"name": "cats"}).status_code == 400
    assert api.patch(f"{flowers}/", json={"name": "plants"}).json()["full_name"] == "sandbox/plants"
    assert api.get(f"{flowers}/").status_code == 404
    assert api.get(f"/samples/{rose}/").json()["dataset_full_name"] == "sandbox/plants"


def test_dataset_deleted(api, sandbox, flowers, rose):
    assert api.delete(f"{flowers}/").status_code == 204
    assert api.delete(f"{flowers}/").status_code == 404
    assert api.get(f"/samples/{rose}/").status_code == 404
    assert sandbox.datasets() == []


def test_collaborators(api, flowers):
    added = api.post(f"{flowers}/collaborators/", json={"user": "jane", "role": "reviewer"})
    assert added.status_code == 201
    assert (added.json()["user"]["username"], added.json()["role"]) == ("jane", "reviewer")
    assert api.get(f"{flowers}/").json()["collaborators_count"] == 1
    assert api.patch(f"{flowers}/collaborators/jane", json={"role": "admin"}).json()["role"] == "admin"
    assert api.get(f"{flowers}/collaborators/jane").json()["role"] == "admin"
    assert api.delete(f"{flowers}/collaborators/jane").status_code == 204
    assert api.delete(f"{flowers}/collaborators/jane").status_code == 404
    assert api.get(f"{flowers}/collaborators/jane").status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"user": "bert"}, "bert is already a collaborator."),
        ({"user": "nobody"}, "nobody cannot be added as collaborator."),
        ({"user": "sandbox"}, "sandbox cannot be added as collaborator."),
        ({"user": "jane", "role": "king"}, "is not a valid choice."),
        ({}, "This field is required."),
    ],
)
def test_collaborator_refused(api, flowers, body, words):
    api.post(f"{flowers}/collaborators/", json={"user": "bert"})
    reply = api.post(f"{flowers}/collaborators/", json=body)
    assert reply.status_code == 400
    assert words in reply.text


def test_redirects_to_a_trailing_slash(api, sandbox, flowers):
    """As Django does by default; a redirected POST loses its body."""
    assert api.get(f"{flowers}?a=%20b").status_code == 200
    sandbox.redirects_slashes = True
    for method in ("GET", "POST", "DELETE"):
        reply = api.request(method, f"{flowers}?a=%20b")
        assert (reply.status_code, reply.headers["location"], reply.content) == (301, f"{flowers}/?a=%20b", b"")
    assert api.get("/user").headers["location"] == "/user/"
    assert api.get("/user", follow_redirects=True).json()["username"] == "sandbox"
    assert api.get("/nowhere").status_code == 404
    assert api.get(f"{flowers}/").status_code == 200
    sandbox.reset()
    assert api.get("/user").status_code == 200
