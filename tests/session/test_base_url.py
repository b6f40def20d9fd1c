"""The URL of a route is the one that httpx makes of its text, whatever the base and the path are."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, strategies as st

from segments_async._http.base_url import BaseUrl

BASES = ["https://api.segments.ai", "http://127.0.0.1:80", "http://[::1]:8080/api", "http://h/%C3%A9/x", "http://h/a.b"]
PARTS = ["a", "..", ".", "a.b", "..a", "%20", "%2e%2e", "%c3%A9", "%zz", "~", "_", "-", "#", "ü", ":", "@", "?", "?x=/"]
parts = st.sampled_from([*PARTS, "&y=%2F", "+", "'", "*"])
paths = st.lists(parts | st.just("/"), max_size=8).map(lambda found: f"/{''.join(found)}")


@pytest.mark.parametrize("base", BASES)
def test_like_httpx(base):
    joined = BaseUrl(base)

    @given(paths)
    def property_(path):
        url, expected = joined.join(path), httpx.URL(f"{base}{path}")
        assert (str(url), url.raw_path, url.netloc) == (str(expected), expected.raw_path, expected.netloc)

    property_()


@pytest.mark.parametrize("path", ["/\n", "/a\x7f/", f"/{'a' * 70_000}"])
def test_refused_like_httpx(path):
    with pytest.raises(httpx.InvalidURL):
        BaseUrl("http://h").join(path)
