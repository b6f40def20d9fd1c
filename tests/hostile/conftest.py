from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from raw_tls import Authority
from wires import connected


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's proxies and keys out of the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SEGMENTS_API_KEY", "SEGMENTS_API_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connect(wire: str) -> Callable[..., Any]:
    """``async with connect(url, **options) as client``: a client over the test's wire; see `wires.connected`."""
    return functools.partial(connected, wire)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Whose certificates the servers show."""
    return Authority()


@pytest.fixture
def trusted(authority: Authority, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority, trusted by the clients that are made from now on."""
    path = str(tmp_path_factory.mktemp("authority") / "ca.pem")
    authority.write_to(path)
    monkeypatch.setenv("SSL_CERT_FILE", path)
    return authority


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], Any]:
    """``await together(5, work)``: ``work(0)`` to ``work(4)`` at the same time; gives their results or errors."""

    async def several(count: int, work: Callable[[int], Any]) -> list[Any]:
        results: list[Any] = [None] * count

        async def one(index: int) -> None:
            try:
                results[index] = await work(index)
            except Exception as error:  # noqa: BLE001 (the caller examines it)
                results[index] = error

        async with anyio.create_task_group() as group:
            for index in range(count):
                group.start_soon(one, index)
        return results

    return several
