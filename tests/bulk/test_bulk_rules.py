"""Rules for bulk runs of every kind: sizes, order, and the cost of a refusal."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import pytest
from bulk_checks import check_report, names_on, samples
from echo_operation import Echo, bulk

from segments_async import AsyncSegments, RateLimitError, RetryPolicy, ServerError
from segments_async.bulk import BulkSettings
from segments_async.bulk.report import MAX_KEPT_FAILURES
from segments_async.resources.labels.delete import DeleteLabels
from segments_async.resources.labels.get import GetLabels
from segments_async.resources.labels.put import PutLabels
from segments_async.resources.labels.update import UpdateLabels
from segments_async.resources.samples.create import CreateSamples
from segments_async.resources.samples.delete import DeleteSamples
from segments_async.resources.samples.update import UpdateSamples

pytestmark = pytest.mark.anyio

BATCHED = [CreateSamples, DeleteSamples]
SINGLE = [PutLabels, GetLabels, UpdateLabels, DeleteLabels, UpdateSamples]


class Session:
    """As much of one as sizes depend on."""

    def __init__(self, max_connections=32):
        self.max_connections = max_connections
        self.pool = SimpleNamespace(base_url="https://example.com")


def operation(kind, connections, **options):
    settings = BulkSettings(**options)
    if kind is UpdateSamples:
        return kind(Session(connections), settings)
    return kind(Session(connections), "jane/flowers" if kind in BATCHED else "ground-truth", settings)


@pytest.mark.parametrize("kind", [*BATCHED, *SINGLE])
@pytest.mark.parametrize("connections", [1, 3, 8, 32])
def test_concurrency(kind, connections):
    """Eight batches, or as many single requests as there are connections, which cap what is asked for."""
    by_itself = min(8, connections) if kind in BATCHED else connections
    assert operation(kind, connections).concurrency == by_itself
    assert operation(kind, connections, concurrency=2).concurrency == min(2, connections)
    assert operation(kind, connections, concurrency=1000).concurrency == connections


@pytest.mark.parametrize(
    ("kind", "asked", "size"),
    [
        (CreateSamples, None, 500),
        (CreateSamples, 20, 20),
        (CreateSamples, 501, 500),
        (DeleteSamples, None, 1000),
        (DeleteSamples, 20, 20),
        (DeleteSamples, 1001, 1000),
        *((kind, asked, 1) for kind in SINGLE for asked in (None, 7)),
    ],
)
def test_batch_size(kind, asked, size):
    """At most as many as the service accepts, and one where it accepts one."""
    assert operation(kind, 32, batch_size=asked).batch_size == size


async def test_outcomes_come_in_the_order_of_completion():
    """A slow item does not delay others; the report keeps the order of the input."""
    others_are_through = anyio.Event()

    async def answer(numbers):
        if numbers == [0]:
            await others_are_through.wait()

    seen = []
    async with bulk(range(4), Echo(answer)) as outcomes:
        async for outcome in outcomes:
            seen.append(outcome.index)
            if len(seen) == 3:
                others_are_through.set()

    assert seen == [1, 2, 3, 0]
    assert [outcome.index for outcome in outcomes.report.results] == [0, 1, 2, 3]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_that_names_a_wait_costs_neither_attempt_nor_budget(patient, sandbox, clock, status):
    """It may come more often than there are attempts, and single calls are repeated as before."""
    await patient.datasets.create("flowers")
    sandbox.fail("POST", "/samples_bulk/", status=status, headers={"Retry-After": "2"}, times=12)
    before = patient._session.gate.budget.tokens

    report = await patient.samples.create_many("sandbox/flowers", samples(3))

    check_report(report)
    assert (report.succeeded, report.throttled, report.retries) == (3, 12, 12)
    assert patient._session.gate.budget.tokens == before
    assert sum(clock.slept) >= 12 * 2


async def test_an_empty_budget_fails_no_item(sandbox, clock, anyio_backend):
    """It slows the run; a single call ends at its first failure."""
    async with AsyncSegments(
        sandbox.api_key, base_url=sandbox.url, clock=clock.settings, max_connections=1, retry=RetryPolicy(total=1e6)
    ) as client:
        await client.datasets.create("flowers")
        sandbox.fail("POST", "/samples_bulk/", status=500, times=7)
        report = await client.samples.create_many("sandbox/flowers", samples(4), batch_size=2)
        assert client._session.gate.budget.is_empty
        assert (report.succeeded, len(names_on(sandbox))) == (4, 4)
        fault = sandbox.fail("GET", "/user", status=500, times=None)
        with pytest.raises(ServerError):
            await client.users.me()
        assert fault.hits == 1


async def test_a_wait_beyond_the_budget_of_time_fails_items_that_can_be_sent_again(patient, sandbox):
    """A pause longer than `retry.total` is not waited for."""
    await patient.datasets.create("flowers")
    sandbox.fail("POST", "/samples_bulk/", status=429, headers={"Retry-After": "3600"}, times=None)
    report = await patient.samples.create_many("sandbox/flowers", samples(3))
    check_report(report)
    assert type(report.failures[0].error) is RateLimitError
    assert report.retry_items == samples(3)


def test_kept_failures_are_limited():
    assert MAX_KEPT_FAILURES == 10_000
