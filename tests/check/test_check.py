"""The check of the service finds what differs, and leaves nothing behind."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import anyio
import httpx
import pytest

from segments_async import AuthenticationError, CheckReport, Fact, InputError, TransportError, check
from segments_async._check.probe import Probe
from segments_async._check.questions.lists import unit_of_time
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEY = "sandbox-key-that-is-secret"


@pytest.fixture
def sandbox():
    with Sandbox(api_key=KEY) as sandbox:
        yield sandbox


@pytest.fixture
def run(sandbox, clock):
    """Run a check of the sandbox, without waiting."""

    async def run(**options) -> CheckReport:
        return await check(KEY, base_url=sandbox.url, clock=clock.settings, **options)

    return run


async def test_sandbox_is_as_documented(run, sandbox, clock):
    """No difference, about 90 requests, and each fact is reported at once, and once."""
    facts: list[Fact] = []
    report = await run(on_fact=facts.append)

    assert report.differences == []
    assert report.facts == facts
    assert len({fact.name for fact in facts}) == len(facts)
    assert report.requests == len(sandbox.calls) < 95
    assert report.counts["ok"] > 100
    assert sandbox.datasets() == []
    assert report.left_behind is None
    assert sum(clock.slept) == pytest.approx(0.34 * (report.requests - 1), abs=1)


async def test_never_more_than_three_requests_a_second(run, monkeypatch, clock):
    """Whatever the pauses of the service."""
    starts = []
    send = Probe._send

    async def note(self, *arguments):
        await self._wait_for_turn()
        starts.append(self.clock.monotonic())
        self._next_at = 0.0
        try:
            return await send(self, *arguments)
        finally:
            self._next_at = starts[-1] + 0.34

    monkeypatch.setattr(Probe, "_send", note)
    await run()
    assert all(later - earlier > 1 for earlier, later in zip(starts, starts[3:], strict=False))


DIFFERENCES = [
    ({"max_per_page": 50}, {"page-limit": True}),
    ({"max_per_page": 100}, {"page-limit": True}),
    (
        {"redirects_slashes": True},
        dict.fromkeys(("user-without-slash", "users-without-slash", "collaborator-without-slash"), True),
    ),
    ({"ignores_unknown_labelsets": True}, {"list-unknown-labelset": True}),
    ({"fail_releases": True}, {"release-status": False, "files.releases": False}),
    ({"wrong_key_status": 403}, {"wrong-key": True}),
    (
        {"taken_name_status": 409},
        dict.fromkeys(
            ("dataset-exists", "labelset-exists", "sample-exists", "rename-to-existing", "release-exists"), True
        ),
    ),
    ({"keeps_valid_samples": True}, {"bulk-atomic": True}),
    ({"put_keeps_fields": True}, {"put-resets": True}),
    ({"exact_statuses": True}, {"filter-lower-case": True}),
    ({"ignores_ranges": True}, {"release-range": True}),
]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(("settings", "expected"), DIFFERENCES, ids=lambda value: ",".join(map(str, value)))
async def test_differences(run, sandbox, settings, expected):
    """Each is found, and whether the client works with it."""
    for name, value in settings.items():
        setattr(sandbox.variants if hasattr(sandbox.variants, name) else sandbox, name, value)
    report = await run()
    assert {fact.name: fact.handled for fact in report.differences} == expected
    assert sandbox.datasets() == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (("POST", "/samples_bulk/", {"status": 200, "json": {}}), {"samples.bulk"}),
        (("GET", "/issues/", {"status": 500}), {"issues.issues"}),
        (("GET", "/api_status/", {"status": 426}), {"api-status"}),
        (("POST", "/issues/", {"drop": "before"}), {"issues.issues"}),
        (("PATCH", "/samples/*", {"status": 200, "body": b"<html>"}), {"samples.changes"}),
        (("POST", "/assets/", {"status": 403, "json": {"detail": "No assets."}}), {"create-asset", "files.assets"}),
    ],
)
async def test_answers_of_any_shape(run, sandbox, fault, names):
    """They end one question, not the check."""
    method, path, options = fault
    sandbox.fail(method, path, times=None, **options)
    report = await run()
    assert names <= {fact.name for fact in report.differences}
    assert sandbox.datasets() == []


async def test_throttling_is_waited_for(run, sandbox, clock):
    sandbox.fail("PUT", "/labels/*", status=429, headers={"Retry-After": "17"})
    sandbox.fail("GET", "/datasets/*", times=2, status=503)
    report = await run()
    assert report.differences == []
    assert 17 in clock.slept
    assert "Retry-After: 17" in next(fact.found for fact in report.facts if fact.name == "throttled")


async def test_dataset_that_cannot_be_created(run, sandbox):
    """The other questions are not asked, and nothing has to be deleted."""
    sandbox.fail("POST", "/user/datasets/", times=None, status=402, json={"detail": "Your free trial ended."})
    report = await run()
    assert {"create-dataset", "datasets.creation"} == {fact.name for fact in report.differences}
    assert any("was not created" in fact.found for fact in report.facts if fact.status == "note")
    assert not any(call.method == "DELETE" for call in sandbox.calls)


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_creation_whose_answer_is_lost(run, sandbox, drop):
    """The dataset is deleted if there is one."""
    sandbox.fail("POST", "/user/datasets/", drop=drop)
    report = await run()
    assert report.left_behind is None
    assert sandbox.datasets() == []


async def test_dataset_that_cannot_be_deleted(run, sandbox, caplog):
    """The error names it."""
    sandbox.fail("DELETE", "/datasets/sandbox/segments-async-check-*", times=None, status=500)
    with caplog.at_level(logging.ERROR, "segments_async"):
        report = await run()
    [dataset] = sandbox.datasets()
    assert report.left_behind == dataset["full_name"]
    assert report.left_behind in caplog.text
    assert report.left_behind not in json.dumps(report.as_json())


@pytest.mark.parametrize("after", ["created-dataset", "bulk", "put-new", "release"])
async def test_cancelling_deletes_the_dataset(run, sandbox, after):
    """Wherever it comes."""
    with anyio.CancelScope() as scope:
        await run(on_fact=lambda fact: scope.cancel() if fact.name == after else None)
    assert scope.cancelled_caught
    assert sandbox.datasets() == []


async def test_callback_that_raises_deletes_the_dataset(run, sandbox):
    def stop(fact: Fact) -> None:
        if fact.name == "bulk":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(on_fact=stop)
    assert sandbox.datasets() == []


async def test_no_secret(run, sandbox, tmp_path, caplog):
    """Neither the key nor names of the user, even if the service says them."""
    sandbox.fail("GET", "/api_status/", status=400, json={"detail": f"{KEY} of sandbox is wrong"})
    with caplog.at_level(logging.DEBUG):
        report = await run()
    report.save(tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "*** of <user> is wrong" in text
    assert re.search(r"segments-async-check-\w", text) is None
    for shown in (text, caplog.text, "\n".join(map(str, report.facts)), repr(report)):
        assert KEY not in shown
    assert "X-Amz-Signature" not in text + caplog.text
    assert json.loads(text)["facts"][0]["status"] == "ok"


async def test_big_dataset_is_only_read(run, sandbox):
    headers = {"Authorization": f"APIKey {KEY}"}
    async with httpx.AsyncClient(base_url=sandbox.url, headers=headers) as http:
        await http.post("/user/datasets/", json={"name": "big"})
        items = [{"name": f"{number}", "attributes": {"image": {"url": "u"}}} for number in range(1200)]
        samples = (await http.post("/datasets/sandbox/big/samples_bulk/", json=items)).json()
    sandbox.add_workunit(samples[0]["uuid"], time=20_000, inactive_time=0)
    sandbox.clear_calls()
    report = await run(big="sandbox/big")
    assert report.differences == []
    found = {fact.name: fact for fact in report.facts}
    assert found["big-page-limit"].found == "1000"
    assert found["time-unit"].status == "ok"
    assert {call.method for call in sandbox.calls if "/big/" in call.path} == {"GET"}
    assert "sandbox/big" not in json.dumps(report.as_json())
    assert len(sandbox.samples("sandbox/big")) == 1200

    sandbox.add_workunit(samples[0]["uuid"], time=700, inactive_time=400)
    sandbox.max_per_page = 500
    found = {fact.name: fact for fact in (await run(big="sandbox/big")).differences}
    assert found.keys() == {"big-page-limit", "time-unit"}
    assert found["big-page-limit"].handled


@pytest.mark.parametrize(
    ("units", "unit"),
    [
        ([], None),
        ([{"time": 900}], None),
        ([{"time": 11_000}], "ms"),
        ([{"time": 900, "inactive_time": 300_000}], "ms"),
        ([{"time": 900, "inactive_time": 301}, {"time": 9, "inactive_time": 0}], "s"),
        ([{"time": None}, {}], None),
    ],
)
def test_unit_of_time(units, unit):
    assert unit_of_time(units)[0] == unit


async def test_what_cannot_start(sandbox, clock):
    """A wrong key, no server, and no dataset's name."""
    with pytest.raises(AuthenticationError) as caught:
        await check("wrong-key-1234", base_url=sandbox.url, clock=clock.settings)
    assert "wrong-key" not in str(caught.value)
    with pytest.raises(TransportError):
        await check(KEY, base_url="http://127.0.0.1:1", clock=clock.settings)
    with pytest.raises(InputError):
        await check(KEY, base_url=sandbox.url, big="no-name", clock=clock.settings)
    assert sandbox.datasets() == []


INTERRUPTED = """
import os, signal, sys, {backend}
from segments_async import check

def interrupt(fact):
    if fact.name == "bulk-order":
        os.kill(os.getpid(), signal.SIGINT)

try:
    {run}
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "run"),
    [
        ("asyncio", "asyncio.run(check(sys.argv[1], base_url=sys.argv[2], on_fact=interrupt))"),
        ("trio, functools", "trio.run(functools.partial(check, sys.argv[1], base_url=sys.argv[2], on_fact=interrupt))"),
    ],
    ids=["asyncio", "trio"],
)
def test_interrupt(sandbox, backend, run):
    """Ctrl-C deletes the dataset."""
    program = INTERRUPTED.format(backend=backend, run=run)
    done = subprocess.run([sys.executable, "-c", program, KEY, sandbox.url], capture_output=True, check=False)
    assert done.returncode == 130, done.stderr
    assert any(call.path.endswith("/samples_bulk/") for call in sandbox.calls)
    assert sandbox.datasets() == []
