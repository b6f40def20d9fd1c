from __future__ import annotations

from collections.abc import Iterator

import pytest

from segments_async.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One service for a whole module: its tests use names of their own."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's proxies and keys out of the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SEGMENTS_API_KEY", "SEGMENTS_API_URL"):
        monkeypatch.delenv(name, raising=False)
