"""Samples in bulk, against the service in memory on a real socket."""

from __future__ import annotations

import time
from types import MappingProxyType

import anyio
import httpx
import orjson
import pytest
from bulk_checks import body_of, check_report, drain, names_on, posts, sample, samples
from waiting import HOUR, LIMIT, cancel_once, until

from segments_async import (
    AlreadyExistsError,
    ApiError,
    AsyncSegments,
    AuthenticationError,
    AuthorizationError,
    BulkError,
    ClientStateError,
    DecodeError,
    ImageSampleAttributes,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    RetryPolicy,
    Sample,
    SampleCreate,
    ServerError,
    SubscriptionError,
    TransportError,
    ValidationError,
)
from segments_async._wire import chunks
from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock

pytestmark = pytest.mark.anyio

EAGER = RetryPolicy(base=0.0)


@pytest.fixture
async def one_shot(sandbox, anyio_backend):
    """A client that never repeats a request."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=RetryPolicy(bulk_attempts=1)) as client:
        yield client


class TestBatches:
    """What goes into one request."""

    async def test_by_count(self, client, sandbox, flowers):
        report = await client.samples.create_many(flowers, samples(1201))

        check_report(report)
        assert dict(report.counts) == {"created": 1201}
        assert (report.requests, report.retries, report.exhausted, report.stopped) == (3, 0, True, None)
        assert sorted(names_on(sandbox)) == [item["name"] for item in samples(1201)]
        assert len(posts(sandbox)) == 3

    async def test_values_belong_to_their_items(self, client, flowers):
        report = await client.samples.create_many(flowers, samples(25), batch_size=4)
        assert [outcome.value.name for outcome in report.results] == [item["name"] for item in samples(25)]
        assert [outcome.key for outcome in report.results] == [item["name"] for item in samples(25)]
        assert all(outcome.uuid == outcome.value.uuid for outcome in report.results)
        assert all(outcome.request_id.startswith("sandbox-") and outcome.attempts == 1 for outcome in report.results)

    async def test_by_bytes(self, client, sandbox, flowers):
        """4 MiB at most, brackets and commas included."""
        sizes = []

        class Measuring(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request):
                if request.url.path.endswith("/samples_bulk/"):
                    sizes.append(len(body_of(request)))
                return await super().handle_async_request(request)

        items = [sample(f"{n}", metadata={"text": "x" * 1_000_000}) for n in range(6)]
        async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=Measuring()) as measured:
            report = await measured.samples.create_many(flowers, items)

        assert report.succeeded == 6
        assert sorted(size > 3_000_000 for size in sizes) == [False, True]
        assert max(sizes) <= chunks.MAX_BATCH_BYTES

    async def test_item_larger_than_a_batch_goes_alone(self, client, sandbox, flowers):
        items = [
            sample("small"),
            sample("large", metadata={"text": "x" * (chunks.MAX_BATCH_BYTES + 1)}),
            sample("last"),
        ]
        report = await client.samples.create_many(flowers, items)
        assert report.succeeded == 3
        assert len(posts(sandbox)) == 3

    @pytest.mark.parametrize(
        ("options", "connections", "most"),
        [({}, 32, 8), ({}, 3, 3), ({"concurrency": 2}, 32, 2), ({"concurrency": 99}, 4, 4), ({"batch_size": 1}, 5, 5)],
    )
    async def test_concurrency(self, sandbox, client, flowers, options, connections, most):
        running = peak = 0

        class Counting(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request):
                nonlocal running, peak
                running += 1
                peak = max(peak, running)
                try:
                    return await super().handle_async_request(request)
                finally:
                    running -= 1

        sandbox.latency = 0.01
        async with AsyncSegments(
            sandbox.api_key, base_url=sandbox.url, max_connections=connections, transport=Counting()
        ) as counted:
            report = await counted.samples.create_many(flowers, samples(24), **{"batch_size": 2, **options})
        assert report.succeeded == 24
        assert peak == most

    async def test_batch_of_one_is_the_documented_call(self, client, sandbox, flowers):
        report = await client.samples.create_many(flowers, samples(3), batch_size=1)
        assert dict(report.counts) == {"created": 3}
        assert len(posts(sandbox, "/samples/")) == 3
        assert posts(sandbox) == []


class TestItems:
    """What an item may be."""

    async def test_kinds(self, client, sandbox, flowers):
        attributes = ImageSampleAttributes.from_url("https://example.com/b.png")
        existing = await client.samples.create(flowers, "z", attributes, metadata={"a": 1}, priority=3)
        moved = Sample(uuid=existing.uuid, name="from a sample", attributes=attributes, metadata={"a": 1}, priority=3)
        given = {**sample("from a mapping", metadata={"k": [1]}), "novel": {"x": None}}
        report = await client.samples.create_many(
            flowers,
            [
                SampleCreate("from SampleCreate", attributes, metadata={"b": 2}, extra={"robot": 7}),
                moved,
                given,
                MappingProxyType(sample("from a proxy")),
                {"name": "typed inside", "attributes": attributes},
            ],
        )

        check_report(report)
        assert dict(report.counts) == {"created": 5}
        stored = {record["name"]: record for record in sandbox.samples(flowers)}
        assert stored["from SampleCreate"]["robot"] == 7
        assert stored["from SampleCreate"]["metadata"] == {"b": 2}
        assert stored["from a sample"]["priority"] == 3
        assert stored["from a sample"]["uuid"] != existing.uuid
        assert stored["from a mapping"]["novel"] == {"x": None}
        assert stored["typed inside"]["attributes"] == {"image": {"url": "https://example.com/b.png"}}
        # The caller's objects were not changed.
        assert given == {**sample("from a mapping", metadata={"k": [1]}), "novel": {"x": None}}
        assert report.results[2].item is given

    @pytest.mark.parametrize(
        ("item", "words"),
        [
            (5, "samples[0]: expected a SampleCreate, a Sample or a mapping, got int"),
            (None, "samples[0]: expected a SampleCreate, a Sample or a mapping, got NoneType"),
            ({}, "samples[0].name: missing"),
            ({"name": "a"}, "samples[0].attributes: missing"),
            (sample(""), "samples[0].name: expected a name, got ''"),
            (sample("  "), "samples[0].name: expected a name, got '  '"),
            (sample(7), "samples[0].name: expected a string, got int"),
            ({"name": "a", "attributes": 7}, "samples[0].attributes: expected an object, got int"),
            (
                {"name": "a", "attributes": {"image": {"url": 7}}},
                "samples[0].attributes.image.url: expected a string, got int",
            ),
            (sample("a", metadata={"x": float("nan")}), "samples[0].metadata.x: NaN is not JSON"),
            (sample("a", metadata={"x": object()}), "samples[0].metadata.x: object is not JSON"),
            (sample("a", priority="high"), "samples[0].priority: expected a number, got str"),
            (Sample(uuid="u", name="a"), "samples[0].attributes: missing"),
        ],
    )
    async def test_bad_items(self, client, sandbox, flowers, item, words):
        """The error of each names the place, and none is sent."""
        report = await client.samples.create_many(flowers, [item, sample("good")])

        check_report(report)
        assert str(report.results[0].error) == words
        assert type(report.results[0].error) is InputError
        assert not report.results[0].retryable
        assert names_on(sandbox) == ["good"]

    async def test_duplicates(self, client, sandbox, flowers):
        items = [*samples(3), *samples(3)]
        report = await client.samples.create_many(flowers, items)
        check_report(report)
        assert [outcome.status for outcome in report.results] == ["created"] * 3 + ["failed"] * 3
        assert report.results[3].error.path == "samples[3]"

        report = await client.samples.create_many(flowers, items, check_duplicates=False)
        assert report.succeeded == 6

    @pytest.mark.parametrize("dataset", ["flowers", "a/../b", "", " ", "a/b/c", "a/.", "/b", None, 5])
    async def test_bad_dataset(self, client, sandbox, dataset):
        with pytest.raises(InputError, match=r"^dataset: "):
            await client.samples.create_many(dataset, samples(2))
        assert sandbox.calls == ()

    @pytest.mark.parametrize("items", ["abc", b"abc", {"name": "a"}, 7])
    async def test_bad_input(self, client, items):
        with pytest.raises(InputError, match=r"^samples: expected an iterable"):
            await client.samples.create_many("a/b", items)

    async def test_stream(self, client, flowers):
        """Outcomes come one by one, and the report is there at the end."""
        stream = client.samples.stream_create(flowers, samples(30), batch_size=10)
        seen = []
        await drain(stream, seen)
        check_report(stream.report, seen)
        assert {outcome.status for outcome in seen} == {"created"}


class TestAnswers:
    """Rows are matched by name; an answer that is not a list is a DecodeError."""

    async def rows(self, client, flowers, count):
        """The service's answer for *count* samples that a later run creates."""
        found = []
        for number in range(count):
            created = await client.samples.create(flowers, f"{number:05}.png", sample("")["attributes"])
            row = await client.request("GET", f"/samples/{created.uuid}/")
            # A second may begin before the run does, and what is older is "existing".
            found.append({**row, "created_at": "2100-01-01T00:00:00Z"})
        return found

    async def test_order_of_the_answer_does_not_matter(self, client, sandbox, flowers):
        rows = await self.rows(client, flowers, 4)
        sandbox.fail("POST", "/samples_bulk/", status=201, json=rows[::-1])

        report = await client.samples.create_many(flowers, samples(4))

        check_report(report)
        assert [outcome.value.name for outcome in report.results] == [row["name"] for row in rows]
        assert [outcome.uuid for outcome in report.results] == [row["uuid"] for row in rows]

    async def test_missing_and_odd_rows(self, client, sandbox, flowers):
        """A name that is missing is a failure, and so is a row that cannot be read; the others are not touched."""
        rows = await self.rows(client, flowers, 4)
        odd = [rows[0], {**rows[1], "uuid": 7}, rows[3], None, 5, {"name": ["x"]}, {"name": None}, {"no": "name"}]
        sandbox.fail("POST", "/samples_bulk/", status=201, json=odd)

        report = await client.samples.create_many(flowers, samples(4))

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["created", "failed", "failed", "created"]
        assert [type(outcome.error) for outcome in report.failures] == [DecodeError, DecodeError]
        assert report.failures[0].error.path == "uuid"
        assert str(report.failures[1].error) == "00002.png: missing in the answer"

    @pytest.mark.parametrize("body", [b'[{"name": "000', b"<html>", b'{"count": 3}', b"null", b""])
    async def test_no_answer_at_all(self, client, sandbox, flowers, body):
        """With status 200 it may have happened."""
        sandbox.fail("POST", "/samples_bulk/", status=200, body=body, times=None)

        report = await client.samples.create_many(flowers, samples(3))

        check_report(report)
        assert dict(report.counts) == {"unknown": 3}
        assert isinstance(report.results[0].error, DecodeError)
        assert report.retry_items == samples(3)


class TestRefusals:
    """Which items fail when a request is refused."""

    @pytest.mark.parametrize("named", [True, False])
    async def test_one_bad_among_thousands(self, client, sandbox, flowers, named):
        """Whether or not the service names the bad item, only that one fails."""
        items = samples(2000)
        items[1234] = {"name": "bad", "attributes": {"nonsense": 1}}
        if not named:
            sandbox.fail("POST", "/samples_bulk/", status=400, json={"detail": "Bad."}, skip=2, times=2)
        report = await client.samples.create_many(flowers, items)

        check_report(report)
        assert [outcome.index for outcome in report.failures] == [1234]
        assert report.succeeded == 1999 == len(names_on(sandbox))
        error = report.results[1234].error
        assert type(error) is ValidationError
        assert "attributes" in next(iter(error.fields))
        assert not report.results[1234].retryable

    @pytest.mark.parametrize("status", [400, 413])
    async def test_search_by_halves(self, status):
        """If the answer does not name the bad item, a logarithmic number of requests finds it."""

        def answer(request):
            rows = orjson.loads(body_of(request))
            if any(row["name"] == "bad" for row in rows):
                return httpx.Response(status, json={"detail": "no"})
            return httpx.Response(201, json=[{"uuid": row["name"], **row} for row in rows])

        items = [*samples(63), sample("bad")]
        async with AsyncSegments("key", base_url="https://x", transport=httpx.MockTransport(answer)) as client:
            report = await client.samples.create_many("a/b", items, batch_size=64)

        check_report(report)
        assert [outcome.key for outcome in report.failures] == ["bad"]
        assert report.results[-1].error.status == status
        assert report.requests == 13
        assert report.succeeded == 63

    async def test_all_bad(self, client, sandbox, flowers):
        items = [{"name": f"{n}", "attributes": {"nonsense": n}} for n in range(20)]
        report = await client.samples.create_many(flowers, items)
        check_report(report)
        assert report.failed == 20
        assert report.requests == 1

    @pytest.mark.parametrize("batch_size", [1, 10])
    async def test_words_of_a_refusal_are_the_same_at_every_size(self, client, flowers, batch_size):
        items = [sample("good"), {"name": "bad", "attributes": {"image": {"url": ""}}}]
        report = await client.samples.create_many(flowers, items, batch_size=batch_size)
        assert report.results[1].error.fields == {"attributes.image.url": ["This field may not be blank."]}

    @pytest.mark.parametrize("batch_size", [1, 5])
    @pytest.mark.parametrize(
        ("status", "json", "error"),
        [
            (401, {"detail": "Invalid API key."}, AuthenticationError),
            (402, {"detail": "Pay."}, SubscriptionError),
            (403, {"detail": "No."}, AuthorizationError),
            (404, {"detail": "Not found."}, NotFoundError),
        ],
    )
    async def test_fatal(self, client, sandbox, flowers, status, json, error, batch_size):
        """What is wrong for one is wrong for all: the rest stays here, and can be sent again."""
        sandbox.fail("POST", "*", status=status, json=json, times=None)

        report = await client.samples.create_many(flowers, samples(100), batch_size=batch_size, concurrency=1)

        check_report(report)
        assert (report.stopped, report.failed, report.unsent) == ("fatal", batch_size, 100 - batch_size)
        assert type(report.failures[0].error) is error
        assert report.retry_items == samples(100)
        assert report.requests == 1

    @pytest.mark.parametrize("batch_size", [1, 5])
    @pytest.mark.parametrize(
        ("status", "detail"),
        [(400, "Your free trial ended."), (400, "The assigned labeler does not exist."), (404, "No such labeler.")],
    )
    async def test_words_alone_are_not_fatal(self, client, sandbox, flowers, batch_size, status, detail):
        """A 400 concerns the items that it answers, whatever class its words choose; so does a 404 of a detail."""
        if status == 404:
            items = [{"uuid": "no-such-sample", "priority": 1}, {"uuid": "nor-this", "priority": 1}]
            report = await client.samples.update_many(items, concurrency=1)
            assert (report.failed, report.stopped) == (2, None)
            return
        sandbox.fail("POST", "*", status=status, json={"detail": detail})
        report = await client.samples.create_many(flowers, samples(10), batch_size=batch_size, concurrency=1)

        check_report(report)
        assert report.stopped is None
        assert report.succeeded == (9 if batch_size == 1 else 10)  # a batch is halved, and its halves are accepted
        assert {type(o.error) for o in report.failures} <= {SubscriptionError, ValidationError, NotFoundError}

    async def test_dataset_that_is_not_there(self, client):
        report = await client.samples.create_many("sandbox/nothing", iter(samples(5000)))
        check_report(report)
        assert (report.stopped, report.exhausted, report.succeeded) == ("fatal", False, 0)
        assert report.total < 5000

    async def test_wrong_key(self, sandbox):
        async with AsyncSegments("wrong-key-123", base_url=sandbox.url) as client:
            report = await client.samples.create_many("sandbox/flowers", samples(3))
            assert type(report.failures[0].error) is AuthenticationError
            with pytest.raises(BulkError, match="401 Unauthorized"):
                await client.samples.create_many("sandbox/flowers", samples(3), on_error="raise")

    async def test_on_error_raise(self, client, sandbox, flowers):
        items = [*samples(5), {"name": "bad", "attributes": {"nonsense": 1}}]
        with pytest.raises(BulkError, match="5 created, 1 failed") as caught:
            await client.samples.create_many(flowers, items, on_error="raise", batch_size=5, concurrency=1)
        assert type(caught.value.__cause__) is ValidationError
        assert caught.value.report.succeeded == 5

    async def test_max_failures(self, client, flowers):
        items = ({"name": f"{n}", "attributes": {"nonsense": n}} for n in range(10_000))
        report = await client.samples.create_many(flowers, items, max_failures=10, batch_size=5)
        check_report(report)
        assert (report.stopped, report.exhausted) == ("max_failures", False)
        assert 10 < report.failed <= report.total < 200

    async def test_closed_client(self, client, sandbox):
        await client.aclose()
        with pytest.raises(ClientStateError, match="is closed"):
            await client.samples.create_many("a/b", samples(10))


class TestFaults:
    """What the network and the service do to a run."""

    @pytest.mark.parametrize("drop", ["before", "after", "middle"])
    @pytest.mark.parametrize("batch_size", [1, 4])
    async def test_cut_connections(self, patient, sandbox, drop, batch_size):
        """Each sample is there once, although answers were lost."""
        await patient.datasets.create("flowers")
        sandbox.fail("POST", "*", drop=drop, times=3)

        report = await patient.samples.create_many("sandbox/flowers", samples(12), batch_size=batch_size)

        check_report(report)
        assert dict(report.counts) == {"created": 12}
        assert sorted(names_on(sandbox)) == [item["name"] for item in samples(12)]

    async def test_throttling_costs_no_attempt(self, patient, sandbox, clock):
        """Each 429 is waited out as long as it asks, however often it comes."""
        await patient.datasets.create("flowers")
        sandbox.fail("POST", "/samples_bulk/", status=429, headers={"Retry-After": "2"}, times=12)

        report = await patient.samples.create_many("sandbox/flowers", samples(3))

        assert dict(report.counts) == {"created": 3}
        assert (report.throttled, report.retries, report.requests) == (12, 12, 13)
        assert min(clock.slept) >= 2
        assert report.results[0].attempts == 13

    async def test_bulk_attempts(self, patient, sandbox, clock):
        """Eight in a bulk run, where a single call has three."""
        await patient.datasets.create("flowers")
        fault = sandbox.fail("POST", "/samples_bulk/", status=500, times=None)

        report = await patient.samples.create_many("sandbox/flowers", samples(3))

        check_report(report)
        assert fault.hits == 8
        assert report.results[0].attempts == 8
        assert dict(report.counts) == {"failed": 3}
        error = report.results[0].error
        assert type(error) is ServerError
        assert "500 Internal Server Error" in error.detail
        assert report.retry_items == samples(3)
        assert error.request_id == report.results[0].request_id

    @pytest.mark.parametrize(
        ("fault", "error", "status"),
        [
            ({"status": 429, "headers": {"Retry-After": "3"}}, RateLimitError, "failed"),
            ({"status": 500}, ServerError, "failed"),
            ({"status": 502, "body": b"<html>", "content_type": "text/html"}, ServerError, "failed"),
            ({"status": 409, "json": {"detail": "Busy."}}, ApiError, "failed"),
            ({"status": 200, "body": b"{"}, DecodeError, "unknown"),
            ({"drop": "before"}, TransportError, "unknown"),
            ({"drop": "after"}, TransportError, "unknown"),
            ({"drop": "middle"}, TransportError, "unknown"),
        ],
    )
    async def test_reports(self, one_shot, sandbox, fault, error, status):
        """The right error; only what was certainly not created is failed."""
        await one_shot.datasets.create("flowers")
        sandbox.fail("POST", "/samples_bulk/", times=None, **fault)

        report = await one_shot.samples.create_many("sandbox/flowers", samples(2))

        check_report(report)
        assert dict(report.counts) == {status: 2}
        assert type(report.results[0].error) is error
        assert report.retry_items == ([] if error is ApiError else samples(2))

    async def test_server_that_is_away(self, sandbox):
        url = sandbox.url
        sandbox.stop()
        async with AsyncSegments("key", base_url=url, retry=RetryPolicy(bulk_attempts=1)) as client:
            report = await client.samples.create_many("a/b", samples(2))
        check_report(report)
        assert dict(report.counts) == {"failed": 2}
        assert not report.results[0].error.sent
        assert report.retry_items == samples(2)

    async def test_unknown_where_it_could_not_be_found_out(self, patient, sandbox):
        """The answer to the single POST was lost, and so were those to all lookups after it."""
        await patient.datasets.create("flowers")
        sandbox.fail("POST", "/samples/", drop="after")
        sandbox.fail("POST", "/samples_bulk/", status=500, times=None)

        report = await patient.samples.create_many("sandbox/flowers", samples(1), batch_size=1)

        assert dict(report.counts) == {"unknown": 1}
        assert type(report.results[0].error) is OutcomeUnknownError
        assert type(report.results[0].error.__cause__) is ServerError

    async def test_retry_items_complete_the_run(self, one_shot, sandbox):
        await one_shot.datasets.create("flowers")
        sandbox.fail("POST", "/samples_bulk/", drop="after")
        sandbox.fail("POST", "/samples_bulk/", status=503)

        items = samples(30)
        report = await one_shot.samples.create_many("sandbox/flowers", items, batch_size=5)
        assert dict(report.counts) == {"created": 20, "failed": 5, "unknown": 5}
        again = await one_shot.samples.create_many("sandbox/flowers", report.retry_items)

        assert again.succeeded == 10
        assert sorted(names_on(sandbox)) == [item["name"] for item in items]

    async def test_leaving_early(self, client, sandbox, flowers):
        """Every item has its outcome, and the client can still be used."""
        sandbox.fail("POST", "/samples_bulk/", status=None, delay=30, skip=1, times=None)
        async with client.samples.stream_create(flowers, samples(20), batch_size=5, concurrency=2) as outcomes:
            async for _ in outcomes:
                break
        check_report(outcomes.report)
        assert outcomes.report.counts["created"] == 5
        assert (outcomes.report.unknown, outcomes.report.stopped) == (5, "left")
        assert await client.datasets.get(flowers)

    async def test_cancellation(self, client, sandbox, flowers):
        fault = sandbox.fail("POST", "/samples_bulk/", status=None, delay=HOUR, times=None)
        stream = client.samples.stream_create(flowers, samples(20), batch_size=5, concurrency=2)
        assert await cancel_once(lambda: fault.hits == 2, stream.collect)
        check_report(stream.report)
        assert dict(stream.report.counts) == {"unknown": 10, "unsent": 10}
        assert await client.datasets.get(flowers)

    async def test_total_timeout(self, client, sandbox, flowers, monkeypatch):
        """Requests in flight are cut, though the service would take an hour to answer."""
        monkeypatch.setattr("segments_async.bulk.engine.GRACE_SECONDS", 0.05)
        fault = sandbox.fail("POST", "/samples_bulk/", status=None, delay=HOUR, skip=1, times=None)
        stream = client.samples.stream_create(flowers, samples(20), batch_size=5, concurrency=1, total_timeout=HOUR)
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as group:
                group.start_soon(stream.collect)
                await until(lambda: fault.hits)
                stream._feed_scope.deadline -= HOUR
        report = stream.report
        check_report(report)
        assert dict(report.counts) == {"created": 5, "unknown": 5, "unsent": 10}
        assert report.stopped == "total_timeout"


class TestIfExists:
    """Names that are taken."""

    @pytest.fixture
    async def old(self, anyio_backend):
        """A service whose clock is an hour off, with three samples of two hours ago; and a client."""
        clock = ManualClock(time.time() - 3600)
        with Sandbox(clock=clock.time) as sandbox:
            async with AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=EAGER) as client:
                await client.datasets.create("flowers")
                clock.now -= 3600
                await client.samples.create_many("sandbox/flowers", samples(3))
                clock.now += 3600
                yield sandbox, client

    @pytest.mark.parametrize("batch_size", [1, 2, None])
    async def test_return(self, old, batch_size):
        """Samples older than the run, by the service's clock, are "existing", and are not changed."""
        sandbox, client = old
        items = [{**item, "priority": 9} for item in samples(5)]

        report = await client.samples.create_many("sandbox/flowers", items, batch_size=batch_size)

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["existing"] * 3 + ["created"] * 2
        assert [outcome.value.priority for outcome in report.results] == [0, 0, 0, 9, 9]
        assert len(names_on(sandbox)) == 5

    async def test_return_reports_no_more_than_the_answer_shows(self, client, flowers):
        """A sample created in this second may be from this run."""
        await client.samples.create_many(flowers, samples(3))
        report = await client.samples.create_many(flowers, samples(3))
        assert report.succeeded == 3
        assert "updated" not in report.counts

    @pytest.mark.parametrize("created_at", [None, "some day"])
    async def test_return_without_a_time(self, client, sandbox, flowers, created_at):
        row = {"uuid": "u-1", **samples(1)[0], "created_at": created_at}
        sandbox.fail("POST", "/samples_bulk/", status=200, json=[row], headers={"Date": "nonsense"})
        report = await client.samples.create_many(flowers, samples(1))
        assert dict(report.counts) == {"created": 1}

    async def test_failures_alone(self, old):
        """Counts and failures are the same where no success is kept and its row is not structured."""
        sandbox, client = old
        items = [*samples(5), {"name": 5}]

        report = await client.samples.create_many("sandbox/flowers", items, keep="failures")

        assert dict(report.counts) == {"existing": 3, "created": 2, "failed": 1}
        assert [outcome.index for outcome in report.results] == [5]
        assert len(names_on(sandbox)) == 5

    @pytest.mark.parametrize("uuid", [7, None, ["u-1"]])
    async def test_failures_alone_need_a_uuid(self, client, sandbox, flowers, uuid):
        """A row that does not say which sample it is proves nothing."""
        sandbox.fail("POST", "/samples_bulk/", status=201, json=[{**samples(1)[0], "uuid": uuid}])

        report = await client.samples.create_many(flowers, samples(1), keep="failures")

        assert dict(report.counts) == {"failed": 1}
        assert report.failures[0].error.path == "uuid"

    async def test_failures_alone_with_a_callback(self, client, flowers):
        """A consumer of the outcomes receives the values."""
        seen = []

        await client.samples.create_many(flowers, samples(2), keep="failures", on_outcome=seen.append)

        assert [type(outcome.value) for outcome in seen] == [Sample, Sample]

    async def test_error(self, old):
        sandbox, client = old
        report = await client.samples.create_many("sandbox/flowers", samples(5), if_exists="error", batch_size=100)

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["failed"] * 3 + ["created"] * 2
        assert {type(outcome.error) for outcome in report.failures} == {AlreadyExistsError}
        assert report.retry_items == []
        assert len(posts(sandbox, "/samples/")) == 5

    @pytest.mark.parametrize("batch_size", [1, None])
    async def test_update(self, old, batch_size):
        """Only differences are sent, and only for samples that have any."""
        sandbox, client = old
        items = [
            samples(1)[0],
            {**samples(2)[1], "priority": 5, "metadata": {"a": 1}},
            {"name": "00002.png", "attributes": {"image": {"url": "https://example.com/new.png"}}},
            sample("new", priority=2),
        ]
        report = await client.samples.create_many("sandbox/flowers", items, if_exists="update", batch_size=batch_size)

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["existing", "updated", "updated", "created"]
        stored = {record["name"]: record for record in sandbox.samples("sandbox/flowers")}
        assert stored["00001.png"]["priority"] == 5
        assert stored["00001.png"]["metadata"] == {"a": 1}
        assert stored["00002.png"]["attributes"] == {"image": {"url": "https://example.com/new.png"}}
        assert report.results[1].value.priority == 5
        patches = [call for call in sandbox.calls if call.method == "PATCH"]
        assert len(patches) == 2

    async def test_update_without_the_values(self, old):
        """The counts and the samples are the same where no outcome of a success is kept."""
        sandbox, client = old
        items = [{**samples(2)[1], "priority": 5}, samples(1)[0], sample("new", priority=2)]
        report = await client.samples.create_many("sandbox/flowers", items, if_exists="update", keep="failures")

        assert dict(report.counts) == {"existing": 1, "updated": 1, "created": 1}
        stored = {record["name"]: record for record in sandbox.samples("sandbox/flowers")}
        assert stored["00001.png"]["priority"] == 5

    async def test_update_that_is_refused(self, old):
        """One PATCH fails, the others do not."""
        sandbox, client = old
        sandbox.fail("PATCH", "/samples/*", status=400, json={"priority": ["Too high."]})
        items = [{**item, "priority": 5} for item in samples(3)]
        report = await client.samples.create_many("sandbox/flowers", items, if_exists="update")
        check_report(report)
        assert dict(report.counts) == {"failed": 1, "updated": 2}
        assert report.failures[0].error.fields == {"priority": ["Too high."]}

    async def test_update_of_a_sample_that_was_just_deleted(self, old):
        """This 404 concerns one sample, not the dataset."""
        sandbox, client = old
        sandbox.fail("PATCH", "/samples/*", status=404)
        items = [{**item, "priority": 5} for item in samples(3)]
        report = await client.samples.create_many("sandbox/flowers", items, if_exists="update")
        assert (dict(report.counts), report.stopped) == ({"failed": 1, "updated": 2}, None)

    async def test_lost_answers_are_created_once(self, old):
        """A sample that this run created is not reported as existing."""
        sandbox, client = old
        sandbox.fail("POST", "/samples_bulk/", drop="after")
        report = await client.samples.create_many("sandbox/flowers", samples(5))
        assert [outcome.status for outcome in report.results] == ["existing"] * 3 + ["created"] * 2
