"""Only a redirect that adds or drops the trailing slash is followed."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.redirects import slash_redirect

URL = "https://api.test/user/datasets"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        (URL, "/user/datasets/", f"{URL}/"),
        (URL, f"{URL}/", f"{URL}/"),
        (URL, "//api.test/user/datasets/", f"{URL}/"),
        (URL, "https://API.test/user/datasets/", f"{URL}/"),
        (URL, "https://api.test:443/user/datasets/", f"{URL}/"),
        ("http://api.test:80/user", "http://api.test/user/", "http://api.test:80/user/"),
        (f"{URL}/", "/user/datasets", URL),
        (f"{URL}?page=2&sort=a", "/user/datasets/?page=2&sort=a", f"{URL}/?page=2&sort=a"),
        (f"{URL}?page=2", "/user/datasets/", f"{URL}/?page=2"),
        ("https://api.test/a%20b%2Fc", "/a%20b%2Fc/", "https://api.test/a%20b%2Fc/"),
    ],
)
def test_followed(status, url, location, expected):
    assert slash_redirect(status, url, location) == expected


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "/login/?next=/user/datasets",
        "/user/datasets//",
        "/user/datasets/?page=3",
        "http://api.test/user/datasets/",
        "https://other.test/user/datasets/",
        "https://api.test:8443/user/datasets/",
        "https://api.test:80/user/datasets/",
        "https://api.test:0/user/datasets/",
        "https://jane@api.test/user/datasets/",
        "https://api.test.evil.test/user/datasets/",
        "https://api.test:x/user/datasets/",
        "https://[half/user/datasets/",
        "javascript:1",
        URL,
    ],
)
def test_not_followed(location):
    assert slash_redirect(301, URL, location) is None


@pytest.mark.parametrize("status", [200, 300, 303, 304, 305, 399, 404])
def test_other_statuses(status):
    assert slash_redirect(status, URL, f"{URL}/") is None


@given(st.text(max_size=60))
def test_any_location(location):
    """Leads to the same place with a slash, or nowhere."""
    assert slash_redirect(301, URL, location) in {None, f"{URL}/"}
