"""Samples for bulk runs, and checks of their reports and of what the sandbox received."""

from __future__ import annotations

import zlib
from collections import Counter

URL = "https://example.com/image.png"


def sample(name, **more):
    return {"name": name, "attributes": {"image": {"url": URL}}, **more}


def samples(count, start=0):
    return [sample(f"{number:05}.png") for number in range(start, start + count)]


def names_on(sandbox, dataset="sandbox/flowers"):
    return [record["name"] for record in sandbox.samples(dataset)]


def posts(sandbox, end="/samples_bulk/"):
    """The POST requests to a route, in the order in which they came."""
    return [call for call in sandbox.calls if call.method == "POST" and call.path.endswith(end)]


def body_of(request):
    """The JSON text that an `httpx.Request` carries."""
    if request.headers.get("content-encoding") == "gzip":
        return zlib.decompress(request.content, zlib.MAX_WBITS | 16)
    return request.content


async def drain(stream, seen):
    """Append the outcomes to *seen* as they come."""
    async with stream:
        async for outcome in stream:
            seen.append(outcome)


def check_report(report, stream_outcomes=None):
    """Check a report that keeps all outcomes, however the run ended."""
    results = report.results
    indices = [outcome.index for outcome in results]
    assert indices == list(range(len(results)))
    assert report.total == len(results) == sum(report.counts.values())
    assert report.counts == Counter(outcome.status for outcome in results)
    assert report.succeeded + report.failed + report.unsent + report.unknown == report.total
    assert report.failures == [outcome for outcome in results if outcome.status in {"failed", "unknown"}]
    for outcome in results:
        assert (outcome.error is not None) == (outcome.status in {"failed", "unknown"})
        assert outcome.status not in {"unsent", "unknown"} or outcome.retryable
    assert sum(map(len, report.error_groups.values())) == len(report.failures)
    again = [
        o.retry_item for o in results if o.status in {"unsent", "unknown"} or (o.status == "failed" and o.retryable)
    ]
    assert report.retry_items == again
    if stream_outcomes is not None:
        assert sorted(outcome.index for outcome in stream_outcomes) == indices
