"""The memory of a run does not grow with its input."""

from __future__ import annotations

import gc
import tracemalloc

import httpx
import orjson
import pytest
from bulk_checks import body_of, sample
from echo_operation import Echo, bulk

from segments_async import AsyncSegments, InputError, RetryPolicy, ValidationError

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000
KEPT = 500
"""Failures that the report keeps here, instead of 10,000."""


async def peak_of(work, *arguments):
    """The peak of allocated bytes while *work* ran."""
    gc.collect()
    tracemalloc.start()
    try:
        await work(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def create(count, batch_size):
    """Stream *count* samples through the whole client; the transport stands in for the service."""

    def answer(request):
        rows = [{"uuid": row["name"], **row} for row in orjson.loads(body_of(request))]
        return httpx.Response(201, content=orjson.dumps(rows))

    items = (sample(f"{number:07}", metadata={"text": "x" * 50}) for number in range(count))
    async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
        report = await client.samples.create_many("a/b", items, keep="failures", batch_size=batch_size)
    assert (report.succeeded, report.results) == (count, [])


async def fail(count):
    """Run *count* items that all fail."""

    async def refuse(numbers):
        raise ValidationError(400, "PUT", "https://x/", "no " * 50)

    report = await bulk(iter(range(count)), Echo(refuse), keep="failures", check_duplicates=False).collect()

    assert (report.total, report.failed, len(report.results)) == (count, count, KEPT)
    assert report.truncated
    assert [outcome.index for outcome in report.results] == sorted(outcome.index for outcome in report.results)
    with pytest.raises(InputError, match="use keep='all'"):
        report.retry_items  # noqa: B018 (raises)


@pytest.mark.slow
async def test_streaming():
    """Few items, in small batches, already fill every place in flight; twenty times as many need no more memory."""
    await create(10, 50)
    few, many = await peak_of(create, 1_000, 50), await peak_of(create, 20_000, 50)
    assert many - few < 4 * MEGABYTE


@pytest.mark.full
async def test_streaming_in_full():
    """200,000 streamed samples within 40 MB of what 10,000 need."""
    await create(10, 500)
    few, many = await peak_of(create, 10_000, 500), await peak_of(create, 200_000, 500)
    assert many - few < 40 * MEGABYTE


async def test_all_fail(monkeypatch):
    """The report keeps a limited number of failures and counts the rest, which need no memory."""
    monkeypatch.setattr("segments_async.bulk.report.MAX_KEPT_FAILURES", KEPT)
    few, many = await peak_of(fail, KEPT + 1), await peak_of(fail, 5 * KEPT)
    assert many - few < MEGABYTE


@pytest.mark.parametrize("lost", [True, False])
async def test_a_failure_keeps_words_and_no_requests(lost):
    """What is kept of one is its error, and not the stack that led there, with the body in its frames."""

    def answer(request):
        if lost:
            raise httpx.ReadError("lost", request=request)
        return httpx.Response(404, json={"detail": "Not found."})

    count = 300
    items = [
        {"sample_uuid": f"u-{number}", "attributes": {"annotations": [], "text": "x" * 20_000}}
        for number in range(count)
    ]
    async with AsyncSegments(
        "key", base_url="https://x", transport=httpx.MockTransport(answer), retry=RetryPolicy(bulk_attempts=1)
    ) as client:
        await client.labels.put_many(items[:50])
        gc.collect()
        tracemalloc.start()
        try:
            report = await client.labels.put_many(items)
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert len(report.failures) == count
    assert "on PUT https://x/labels/u-7/" in str(report.results[7].error)
    assert kept < count * 5_000
