from __future__ import annotations

import orjson
import pytest
from hypothesis import given, strategies as st

from segments_async import errors
from segments_async._wire.replies import (
    MAX_DETAIL,
    Reply,
    error_for,
    error_for_item,
    origin_of,
    read_problems,
    redact_url,
    storage_error_for,
)
from segments_async.errors import (
    AlreadyExistsError,
    ApiError,
    AuthenticationError,
    AuthorizationError,
    CollaboratorError,
    NotFoundError,
    RateLimitError,
    ServerError,
    SubscriptionError,
    ValidationError,
)

URL = "https://api.segments.ai/datasets/jane/flowers/samples/"
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>"
TABLE = [
    pytest.param(400, {"name": ["This field is required."]}, ValidationError, id="400"),
    pytest.param(400, {"name": ["Sample with this name already exists."]}, AlreadyExistsError, id="400 exists"),
    pytest.param(400, {"detail": "You already have a dataset 'x'."}, AlreadyExistsError, id="400 have"),
    pytest.param(400, {"detail": "jane is already a collaborator"}, CollaboratorError, id="400 collaborator"),
    pytest.param(400, {"detail": "joe cannot be added as collaborator"}, CollaboratorError, id="400 cannot add"),
    pytest.param(400, {"detail": "Your free trial ended."}, SubscriptionError, id="400 trial"),
    pytest.param(401, {"detail": "Invalid API key."}, AuthenticationError, id="401"),
    pytest.param(401, {"detail": "already exists"}, AuthenticationError, id="words do not refine a 401"),
    pytest.param(402, {"detail": "Pay."}, SubscriptionError, id="402"),
    pytest.param(403, {"detail": "You do not have permission."}, AuthorizationError, id="403"),
    pytest.param(403, {"detail": "Exceeded user limit."}, SubscriptionError, id="403 users"),
    pytest.param(
        403, {"detail": "Authentication credentials were not provided."}, AuthenticationError, id="403 without a key"
    ),
    pytest.param(404, {"detail": "Not found."}, NotFoundError, id="404"),
    pytest.param(405, {"detail": "Method not allowed."}, ApiError, id="405"),
    pytest.param(429, {"detail": "Request was throttled."}, RateLimitError, id="429"),
    pytest.param(500, {"detail": "row already exists"}, ServerError, id="words never refine a 5xx"),
    pytest.param(502, PAGE, ServerError, id="a gateway's page"),
    pytest.param(599, b"", ServerError, id="an unheard-of 5xx"),
    pytest.param(302, b"", ApiError, id="a redirect"),
]


def _reply(status, body, **headers):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, "POST", URL, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(("status", "body", "expected"), TABLE)
def test_status_chooses_the_class(status, body, expected):
    """The status decides; words only refine a 400, 402 or 403."""
    error = error_for(_reply(status, body, x_request_id="r-1"), now=0.0)

    assert type(error) is expected
    assert (error.status, error.method, error.url, error.request_id) == (status, "POST", URL, "r-1")


def test_every_class_is_used():
    """Every class under ApiError is raised for some status."""
    met = {parameter.values[2] for parameter in TABLE}

    assert met == {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ApiError)}


@pytest.mark.parametrize(
    ("body", "detail", "fields"),
    [
        ({"detail": "Not found."}, "Not found.", {}),
        ({"name": ["Required.", "Really."]}, "name: Required.; name: Really.", {"name": ["Required.", "Really."]}),
        ({"name": "Required."}, "name: Required.", {"name": ["Required."]}),
        (["No.", "Never."], "No.; Never.", {}),
        (
            {"attributes": {"image": {"url": ["Required."]}}},
            "attributes.image.url: Required.",
            {"attributes.image.url": ["Required."]},
        ),
        ([{}, {"name": ["Blank."]}], "[1].name: Blank.", {"[1].name": ["Blank."]}),
        ({"non_field_errors": ["Odd."]}, "non_field_errors: Odd.", {"non_field_errors": ["Odd."]}),
        ({"detail": "No.", "code": "x"}, "No.; x", {}),
        ("  two\nlines ", "two lines", {}),
        ("<html><title> Bad\nGateway </title>", "Bad Gateway", {}),
        ("<p>no title</p>", "a page of 15 characters instead of JSON", {}),
        ("<Error><Code>AccessDenied</Code><Message>Expired</Message></Error>", "AccessDenied: Expired", {}),
        ("", "", {}),
        (None, "", {}),
        (7, "7", {}),
    ],
)
def test_problems(body, detail, fields):
    """Every form of a Django REST Framework error, and what gateways and S3 send."""
    assert read_problems(body) == (detail, fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([400, 401, 402, 403, 404, 409, 418, 429, 500, 503]))
def test_any_body_makes_an_error(body, status):
    """Whatever JSON a service answers, an error of one line comes out."""
    error = error_for(_reply(status, body), now=0.0)

    assert error.body == body
    assert len(error.detail) <= MAX_DETAIL
    assert "\n" not in error.detail


@given(st.binary(max_size=200))
def test_any_bytes_make_an_error(content):
    assert error_for(_reply(502, content), now=0.0).status == 502


def test_long_words_are_cut_and_kept_in_the_body():
    error = error_for(_reply(400, {"detail": "x" * 5000}), now=0.0)

    assert error.detail.endswith("...")
    assert error.body["detail"] == "x" * 5000


def test_redirect_names_its_target():
    """Redirects are not followed; a wrong base_url is their usual cause."""
    error = error_for(_reply(302, b"", location="https://elsewhere.example/"), now=0.0)

    assert "https://elsewhere.example/" in error.detail


def test_retry_after_is_kept():
    assert error_for(_reply(429, {}, retry_after="7"), now=0.0).retry_after == 7.0
    assert error_for(_reply(503, PAGE, retry_after="3"), now=0.0).retry_after == 3.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, ApiError), (401, ApiError), (404, NotFoundError), (503, ServerError), (400, ApiError)],
)
def test_storage_errors_do_not_blame_the_key(status, expected):
    """A 403 of the storage speaks of a signature: bulk runs must not take it for a refused key."""
    assert type(storage_error_for(_reply(status, b"<Code>AccessDenied</Code>"), now=0.0)) is expected


def test_error_for_one_item_of_a_refused_list():
    error = error_for(_reply(400, [{}, {"name": ["Blank."]}]), now=0.0)

    part = error_for_item(error, 1)

    assert type(part) is ValidationError
    assert part.fields == {"name": ["Blank."]}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.segments.ai/user?x=1", "https://api.segments.ai/user?x=1"),
        ("https://s3/r.json?X-Amz-Signature=abc&X-Amz-Expires=9", "https://s3/r.json?..."),
        ("https://s3/r.json?AWSAccessKeyId=a&Signature=b", "https://s3/r.json?..."),
        ("https://joe:secret@s3:9000/r.json", "https://s3:9000/r.json"),
        ("http://[::1", "(no URL)"),
    ],
)
def test_secrets_of_a_url_are_not_shown(url, expected):
    assert redact_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://files.test/a.png", ("https", "files.test", 443)),
        ("HTTPS://Files.Test:443", ("https", "files.test", 443)),
        ("http://files.test", ("http", "files.test", 80)),
        ("http://files.test:80/?a=b#c", ("http", "files.test", 80)),
        ("http://files.test:443/", ("http", "files.test", 443)),
        ("https://files.test:80/", ("https", "files.test", 80)),
        ("https://files.test:0/", ("https", "files.test", 0)),
        ("https://files.test:/", ("https", "files.test", 443)),
        ("https://joe:secret@files.test/", ("https", "files.test", 443)),
        ("https://[::1]/", ("https", "::1", 443)),
        ("https://[::1]:9000/", ("https", "::1", 9000)),
        ("ftp://files.test/", ("ftp", "files.test", None)),
        ("/a.png", ("", "", None)),
        ("https://files.test:99999/", ("", "https://files.test:99999/", None)),
        ("https://files.test:port/", ("", "https://files.test:port/", None)),
        ("http://[::1", ("", "http://[::1", None)),
    ],
)
def test_the_origin_of_a_url(url, expected):
    """With the port that a URL without one means; an invalid URL is its own origin."""
    assert origin_of(url) == expected
