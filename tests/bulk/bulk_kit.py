"""What the tests of bulk runs share."""

from __future__ import annotations

import zlib
from collections import Counter

from segments_async.bulk import BulkStream
from segments_async.bulk.operation import Operation, Prepared, Success
from segments_async.bulk.options import BulkSettings
from segments_async.errors import InputError, SegmentsError

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


class Echo(Operation[int]):
    """
    An operation without a service: numbers are answered with themselves, texts are bad input.

    *answer* is awaited for each request, with the numbers in it; what it raises is what befell the request.
    """

    items_name = "numbers"

    def __init__(self, answer=None, *, batch_size=1, concurrency=2, preprocess_limit=0, begin=None):
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.preprocess_limit = preprocess_limit
        self._answer = answer
        self._begin = begin
        self.requests = []
        self.running = 0
        self.most_running = 0

    def prepare(self, item):
        if not isinstance(item, int):
            raise InputError(f"expected a number, got {item!r}")
        return Prepared(str(item), item, size=1)

    async def preprocess(self, job, trace, note):
        await self._begin(job.item)
        return job.prepared

    async def send(self, jobs, trace):
        numbers = [job.item for job in jobs]
        trace.calls += 1
        trace.attempts += 1
        self.requests.append(numbers)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if self._answer is not None:
                given = await self._answer(numbers)
                if given is not None:
                    return given
        except SegmentsError as error:
            trace.throttles += getattr(error, "status", None) == 429
            raise
        finally:
            self.running -= 1
        return [Success("done", number) for number in numbers]


def bulk(items, operation=None, **options):
    return BulkStream(operation or Echo(), items, BulkSettings.from_options(options))


async def drain(stream, seen):
    """Append the outcomes to *seen* as they come."""
    async with stream:
        async for outcome in stream:
            seen.append(outcome)


def check_report(report, stream_outcomes=None):
    """What holds for every report that keeps all outcomes, however the run ended."""
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
