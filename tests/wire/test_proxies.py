"""Proxies of the environment, and what needs none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from segments_async._wire.proxies import NoProxy, proxies_in


@pytest.mark.parametrize(
    ("text", "host", "port", "expected"),
    [
        ("", "example.com", 443, False),
        ("*", "example.com", 443, True),
        ("example.com", "example.com", 443, True),
        ("example.com", "api.example.com", 443, True),
        (".example.com", "api.example.com", 443, True),
        ("*.example.com", "api.example.com", 443, True),
        ("example.com", "notexample.com", 443, False),
        ("Example.COM", "example.com", 443, True),
        ("example.com", "EXAMPLE.com.", 443, True),
        ("a.test, example.com", "example.com", 443, True),
        ("a.test example.com", "example.com", 443, True),
        ("example.com:8080", "example.com", 8080, True),
        ("example.com:8080", "example.com", 443, False),
        ("127.0.0.1", "127.0.0.1", 80, True),
        ("127.0.0.1", "127.0.0.2", 80, False),
        ("127.0.0.0/8", "127.9.9.9", 80, True),
        ("127.0.0.1/8", "127.9.9.9", 80, True),
        ("10.0.0.0/8", "11.0.0.1", 80, False),
        ("::1", "::1", 80, True),
        ("::1", "0:0:0:0:0:0:0:1", 80, True),
        ("[::1]", "::1", 80, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 80, False),
        ("::1/128", "::1", 80, True),
        ("fd00::/8", "fd12::1", 80, True),
        ("fd00::/8", "127.0.0.1", 80, False),
        ("0.0.0.0/0", "::1", 80, False),
        ("localhost", "localhost", 80, True),
        ("under_score.test", "under_score.test", 80, True),
        ("münchen.test", "münchen.test", 80, True),
        ("münchen.test", "www.xn--mnchen-3ya.test", 80, True),
        ("xn--mnchen-3ya.test", "münchen.test", 80, True),
        ("localhost,::1,127.0.0.1", "example.com", 80, False),
    ],
)
def test_no_proxy(text, host, port, expected):
    """As curl reads it."""
    no_proxy = NoProxy.parse(text)
    assert no_proxy.covers(host, port) is expected
    assert no_proxy.unreadable == ()


@pytest.mark.parametrize(
    "entry",
    [
        "http://example.com",
        "user@host",
        "[::1",
        "host:99999",
        "host:x",
        "a*b",
        "10.*",
        "10.0.0.0/99",
        "a..b",
        "a;b",
        "ﬀ.test",
        "<local>",
    ],
)
def test_unreadable_entries_are_left_out(entry):
    no_proxy = NoProxy.parse(f"a.test,{entry},b.test")
    assert no_proxy.unreadable == (entry,)
    assert no_proxy.covers("a.test", 80)
    assert no_proxy.covers("b.test", 80)


@given(st.text(max_size=60), st.text(max_size=20), st.none() | st.integers(0, 70_000))
def test_any_text(text, host, port):
    assert NoProxy.parse(text).covers(host, port) in {True, False}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, {"https": "http://low:1"}),
        ({"https_proxy": "", "HTTPS_PROXY": "http://up:1"}, {"https": "http://up:1"}),
        ({"ALL_PROXY": "p:1"}, {"all": "http://p:1"}),
        ({"HTTP_PROXY": " http://p:1 "}, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {}),
        ({"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, {"http": "http://p:1"}),
    ],
)
def test_proxies(environment, expected):
    assert proxies_in(environment) == expected
