"""A bulk operation without a service, for tests of the engine."""

from __future__ import annotations

from segments_async.bulk import BulkStream
from segments_async.bulk.operation import Operation, Prepared, Success
from segments_async.bulk.options import BulkSettings
from segments_async.errors import InputError, SegmentsError


class Echo(Operation[int]):
    """
    An operation without a service: it returns the numbers it is given, and refuses text.

    *answer* is awaited for each request, with its numbers; the request fails with whatever *answer* raises.
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

    async def preprocess(self, job, stats, note):
        await self._begin(job.item)
        return job.prepared

    async def send(self, jobs, stats):
        numbers = [job.item for job in jobs]
        stats.calls += 1
        stats.attempts += 1
        self.requests.append(numbers)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if self._answer is not None:
                given = await self._answer(numbers)
                if given is not None:
                    return given
        except SegmentsError as error:
            stats.throttles += getattr(error, "status", None) == 429
            raise
        finally:
            self.running -= 1
        return [Success("done", number) for number in numbers]


def bulk(items, operation=None, **options):
    return BulkStream(operation or Echo(), items, BulkSettings.from_options(options))
