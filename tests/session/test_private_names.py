"""The private parts of httpx and httpcore that the transport uses exist; the versions are pinned for that."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import httpcore
import httpx
import pytest
from httpx._utils import get_environment_proxies

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["httpx", "httpcore"])
def test_pinned_to_the_minor_that_is_tested(name):
    """A new minor may rename what is private, so the dependency excludes it until it was tried."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    major, minor, _ = version(name).split(".")

    [requirement] = [text for text in requirements if text.startswith(f"{name}>=")]
    assert requirement.endswith(f",<{major}.{int(minor) + 1}")


def test_transport_has_its_pool_and_backend():
    """`SlotTransport` replaces the pool of an `httpx.AsyncHTTPTransport` with one connection of it."""
    pool = httpx.AsyncHTTPTransport()._pool
    assert isinstance(pool, httpcore.AsyncConnectionPool)
    assert hasattr(pool, "_network_backend")
    origin = httpcore.URL(scheme=b"https", host=b"h", port=None, target=b"/").origin
    connection = pool.create_connection(origin)
    for name in ("handle_async_request", "aclose", "has_expired", "is_closed"):
        assert callable(getattr(connection, name))
    assert hasattr(connection, "_request_lock")
    assert hasattr(httpcore.AsyncHTTP11Connection(origin, None), "_state_lock")


def test_url_has_its_parts():
    """`BaseUrl` replaces the path of an `httpx.URL`, whose other parts are checked once."""
    assert httpx.URL("http://h/a")._uri_reference._replace(path="/b").path == "/b"


def test_client_has_its_cookie_jar():
    """`pooled_client` replaces the jar, which public ways would copy."""
    assert isinstance(httpx.AsyncClient()._cookies, httpx.Cookies)


def test_proxies_of_the_environment(monkeypatch):
    """`pooled_client` reads them as httpx does."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert get_environment_proxies()["https://"] == "http://127.0.0.1:9"


def test_aiohttp_session_repeats_by_itself_unless_told_not_to():
    """The attribute that turns that off."""
    aiohttp = pytest.importorskip("aiohttp")
    assert "_retry_connection" in aiohttp.ClientSession.ATTRS
