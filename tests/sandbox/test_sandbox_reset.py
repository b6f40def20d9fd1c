"""One sandbox for many tests."""

from __future__ import annotations

import threading

import httpx
import pytest
from waiting import HOUR, wait_until

from segments_async.sandbox import Sandbox


def test_nothing_is_left(api, sandbox, rose, flowers):
    api.put(f"/labels/{rose}/ground-truth/", json={"attributes": {}})
    api.post(f"/samples/{rose}/issues/", json={"description": "Torn."})
    sandbox.add_release("sandbox/flowers", "v1", samples=1)
    sandbox.add_webhook("http://127.0.0.1:9/")
    sandbox.send_event("robot.created")
    sandbox.fail("*", "*", times=None)
    sandbox.latency, sandbox.release_seconds, sandbox.url_seconds, sandbox.fail_releases = 0.01, 5, 5, True
    url = sandbox.url

    sandbox.reset()

    assert sandbox.datasets() == []
    assert sandbox.assets() == {}
    assert (sandbox.calls, sandbox.deliveries, sandbox.pending_deliveries) == ((), (), 0)
    assert (sandbox.latency, sandbox.release_seconds, sandbox.url_seconds, sandbox.fail_releases) == (0, 0, 3600, False)
    assert sandbox.url == url
    assert api.get(f"/samples/{rose}/").status_code == 404
    assert api.post("/user/datasets/", json={"name": "flowers"}).status_code == 201
    assert api.get(f"{flowers}/samples/").json() == []


def test_initial_values_return():
    with Sandbox(latency=0.02, release_seconds=7) as sandbox:
        sandbox.latency = sandbox.release_seconds = 0
        sandbox.reset()
        assert (sandbox.latency, sandbox.release_seconds) == (0.02, 7)


def test_a_request_in_progress_is_dropped(api, sandbox):
    """It neither changes the new data nor appears among its calls."""
    fault = sandbox.fail("POST", "/user/datasets/", status=None, delay=HOUR)
    problems = []

    def create():
        try:
            api.post("/user/datasets/", json={"name": "late"}, timeout=HOUR)
        except httpx.TransportError as problem:
            problems.append(problem)

    thread = threading.Thread(target=create)
    thread.start()
    wait_until(lambda: fault.hits)
    sandbox.reset()
    thread.join(20)
    assert len(problems) == 1
    assert sandbox.datasets() == []
    assert sandbox.calls == ()
    assert api.get("/user").status_code == 200


def test_a_release_of_before_is_not_reported(api, sandbox, flowers):
    sandbox.release_seconds = 0.05
    api.post(f"{flowers}/releases/", json={"name": "v1"})
    sandbox.reset()
    sandbox.add_webhook("http://127.0.0.1:9/")
    wait = threading.Event()
    wait.wait(0.2)
    assert sandbox.pending_deliveries == 0


def test_before_and_after_it_runs():
    sandbox = Sandbox()
    sandbox.reset()
    with sandbox:
        sandbox.reset()
    sandbox.reset()
    assert sandbox.datasets() == []


@pytest.mark.anyio
async def test_from_async_code(anyio_backend):
    async with Sandbox() as sandbox:
        sandbox.reset()


def test_a_bounded_log():
    with Sandbox(max_calls=2) as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as web:
        for number in range(4):
            web.get(f"/{number}")
        assert [call.path for call in sandbox.calls] == ["/2", "/3"]
    for wrong in (-1, True, 2.5, None):
        with pytest.raises(ValueError, match="max_calls"):
            Sandbox(max_calls=wrong)
