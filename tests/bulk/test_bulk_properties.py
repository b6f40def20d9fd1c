"""Any mix of items, answers and endings: one outcome for each item, and a report that agrees with what happened."""

from __future__ import annotations

import anyio.lowlevel
import pytest
from bulk_checks import check_report, names_on, sample
from echo_operation import Echo, bulk
from hypothesis import HealthCheck, given, settings, strategies as st

from segments_async import (
    ApiError,
    AsyncSegments,
    AuthenticationError,
    BulkError,
    DecodeError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    TransportError,
    ValidationError,
)
from segments_async.sandbox import Sandbox

BAD = 13
"""The service refuses batches with a multiple of this."""


def answers():
    """How a request ends: an exception, or a way to answer."""
    url = "https://x/"
    return st.sampled_from(
        [
            None,
            None,
            None,
            "slow",
            "one by one",
            ServerError(500, "PUT", url),
            RateLimitError(429, "PUT", url),
            TransportError("lost", method="PUT", url=url),
            DecodeError("not JSON"),
            AuthenticationError(401, "PUT", url),
            ZeroDivisionError("a bug"),
        ]
    )


items = st.lists(st.one_of(st.integers(0, 60), st.just("bad")), max_size=40)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=60)
@given(
    given_items=items,
    take=st.sampled_from([list, iter]),
    script=st.lists(answers(), max_size=12),
    leave_after=st.none() | st.integers(1, 10),
    leave=st.sampled_from(["break", "cancel"]),
    shape=st.fixed_dictionaries(
        {"batch_size": st.integers(1, 5), "concurrency": st.integers(1, 4), "preprocess_limit": st.integers(0, 3)}
    ),
    options=st.fixed_dictionaries(
        {
            "max_failures": st.none() | st.integers(0, 3),
            "on_error": st.sampled_from(["collect", "raise"]),
            "check_duplicates": st.booleans(),
        }
    ),
)
def test_one_outcome_for_each_item(backend, given_items, take, script, leave_after, leave, shape, options):
    """Whatever happens, and in whatever order."""
    done = []
    operation = scripted(script, done, **shape)
    stream = bulk(take(given_items), operation, **options)

    seen, raised = anyio.run(consume, stream, leave_after, leave, backend=backend)

    report = stream.report
    check_report(report)
    assert [outcome.item for outcome in report.results] == given_items[: report.total]
    assert report.total == len(given_items) or (take is iter and report.stopped is not None)
    assert report.exhausted or report.stopped is not None
    assert sorted(done) == sorted(outcome.item for outcome in report.results if outcome.succeeded)
    assert len({outcome.index for outcome in seen}) == len(seen)
    assert len(seen) in {report.total, leave_after}
    if isinstance(raised, BulkError):
        assert options["on_error"] == "raise"
        assert raised.report is report
    assert raised is None or isinstance(raised, BulkError)


def scripted(script, done, **shape):
    """An operation that follows the script, and records what it has done."""

    async def begin(number):
        await anyio.lowlevel.checkpoint()
        if number % 11 == 0:
            raise ValidationError(400, "POST", "https://x/", "no")

    async def answer(numbers):
        step = script.pop() if script else None
        await anyio.lowlevel.checkpoint()
        if step == "slow":
            await anyio.sleep(0.001)
        if step == "one by one":
            return [ValidationError(400, "PUT", "https://x/", "no")] * len(numbers)
        if isinstance(step, Exception):
            raise step
        wrong = [{"no": ["no"]} if number % BAD == 0 else {} for number in numbers]
        if any(wrong):
            status = 413 if len(numbers) > 3 else 400
            raise ApiError(status, "PUT", "https://x/", body=wrong if len(numbers) == 2 else None)
        done.extend(numbers)
        return None

    return Echo(answer, begin=begin, **shape)


async def consume(stream, leave_after, leave):
    """Return the outcomes, and the exception that was raised."""
    seen = []
    try:
        with anyio.CancelScope() as scope:
            async with stream:
                async for outcome in stream:
                    seen.append(outcome)
                    if len(seen) == leave_after:
                        if leave == "break":
                            break
                        scope.cancel()
                        await anyio.lowlevel.checkpoint()
    except BulkError as error:
        return seen, error
    return seen, None


faults = st.lists(
    st.sampled_from(
        [
            {"status": 429, "headers": {"Retry-After": "0"}},
            {"status": 500},
            {"status": 502, "handled": True},
            {"status": 200, "body": b"{", "handled": True},
            {"drop": "before"},
            {"drop": "after"},
            {"drop": "middle"},
        ]
    ),
    max_size=6,
)
sample_items = st.lists(
    st.one_of(
        st.integers(0, 15).map(lambda number: sample(f"{number:02}")),
        st.integers(0, 15).map(lambda number: {"name": f"{number:02}", "attributes": {"nonsense": number}}),
        st.sampled_from([{"name": ""}, 7]),
    ),
    max_size=20,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    given_items=sample_items,
    script=faults,
    batch_size=st.sampled_from([1, 3, 100]),
    attempts=st.sampled_from([1, 8]),
    if_exists=st.sampled_from(["return", "error", "update"]),
)
def test_server_and_report_agree(backend, given_items, script, batch_size, attempts, if_exists):
    """Each success is on the server once; whatever is on the server succeeded or is unknown."""

    async def run():
        policy = RetryPolicy(base=0.0, attempts=attempts, bulk_attempts=attempts)
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=policy) as client:
            await client.datasets.create("flowers")
            for fault in script:
                sandbox.fail("POST", "*", **fault)
            return await client.samples.create_many(
                "sandbox/flowers", given_items, batch_size=batch_size, if_exists=if_exists
            )

    with Sandbox() as sandbox:
        report = anyio.run(run, backend=backend)
        there = names_on(sandbox)

    check_report(report)
    assert [outcome.item for outcome in report.results] == given_items
    assert report.stopped is None
    succeeded = {outcome.key for outcome in report.results if outcome.succeeded}
    is_open = {outcome.key for outcome in report.results if outcome.retryable}
    assert len(there) == len(set(there))
    assert succeeded <= set(there) <= succeeded | is_open


CHANGES = {
    "samples.update": lambda c, uuids, _: c.samples.update_many([{"uuid": uuid, "priority": 7} for uuid in uuids]),
    "samples.delete": lambda c, uuids, size: c.samples.delete_many("sandbox/flowers", uuids, batch_size=size),
    "labels.get": lambda c, uuids, _: c.labels.get_many(uuids),
    "labels.update": lambda c, uuids, _: c.labels.update_many([{"sample_uuid": uuid, "score": 7} for uuid in uuids]),
    "labels.delete": lambda c, uuids, _: c.labels.delete_many(uuids),
}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    numbers=st.lists(st.integers(0, 9), max_size=14),
    call=st.sampled_from(list(CHANGES)),
    script=faults,
    attempts=st.sampled_from([1, 8]),
    batch_size=st.sampled_from([1, 3, 100]),
)
def test_server_and_report_agree_on_changes(backend, numbers, call, script, attempts, batch_size):
    """Of ten samples some are not there and some not labelled: what succeeded has happened, what failed has not."""

    async def run():
        policy = RetryPolicy(base=0.0, attempts=attempts, bulk_attempts=attempts)
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=policy) as client:
            await client.datasets.create("flowers")
            created = await client.samples.create_many("sandbox/flowers", [sample(f"{n}") for n in range(8)])
            uuids.extend([*(outcome.uuid for outcome in created.results), "not-there-1", "not-there-2"])
            await client.labels.put_many({"sample_uuid": uuid, "attributes": {}} for uuid in uuids[:5])
            for fault in script:
                sandbox.fail("*", "*", **fault)
            given_uuids = [uuids[number] for number in numbers]
            return await CHANGES[call](client, given_uuids, batch_size)

    uuids = []
    with Sandbox() as sandbox:
        report = anyio.run(run, backend=backend)
        there, labels = sandbox.samples("sandbox/flowers"), sandbox.labels("sandbox/flowers")

    check_report(report)
    assert len(report.results) == len(numbers)
    assert report.stopped is None
    succeeded = {outcome.uuid for outcome in report.results if outcome.succeeded}
    happened = {
        "samples.update": {record["uuid"] for record in there if record["priority"] == 7},
        "samples.delete": set(uuids) - {record["uuid"] for record in there},
        "labels.get": succeeded,
        "labels.update": {uuid for uuid, label in labels.items() if label["score"] == 7},
        "labels.delete": set(uuids) - set(labels),
    }[call]
    is_open = {outcome.uuid for outcome in report.results if outcome.retryable}
    assert succeeded <= happened
    if call == "labels.get":
        found = {outcome.uuid for outcome in report.results if outcome.value is not None}
        assert found == succeeded & set(labels)
        assert succeeded <= {record["uuid"] for record in there}
    else:
        untouched = {"samples.delete": uuids[8:], "labels.delete": uuids[5:]}.get(call, [])
        assert happened - set(untouched) <= succeeded | is_open
