"""Any number of items, one outcome for each, however the run ends; without a service."""

from __future__ import annotations

import asyncio
import gc

import anyio.lowlevel
import pytest
from anyio import wait_all_tasks_blocked
from bulk_checks import check_report, drain
from echo_operation import Echo, bulk
from waiting import HOUR, LIMIT, expire

from segments_async import (
    BulkError,
    ClientStateError,
    InputError,
    OutcomeUnknownError,
    RateLimitError,
    TransportError,
    ValidationError,
)
from segments_async.bulk import engine, reporter

pytestmark = pytest.mark.anyio


class Numbers:
    """Numbers from 0; they count how many were taken, and know whether their iterator was closed."""

    def __init__(self, count=None):
        self.count = count
        self.pulled = 0
        self.closed = False

    def __iter__(self):
        while self.count is None or self.pulled < self.count:
            self.pulled += 1
            yield self.pulled - 1

    async def __aiter__(self):
        try:
            for number in self:
                await anyio.lowlevel.checkpoint()
                yield number
        finally:
            self.closed = True


class Sized(list):
    """A list whose iterator fails at the third step."""

    def __iter__(self):
        yield from super().__iter__()
        raise ValueError("no more")


def several(kind, count):
    numbers = Numbers(count)
    return {
        "list": list(range(count)),
        "tuple": tuple(range(count)),
        "range": range(count),
        "generator": iter(numbers),
        "async generator": aiter(numbers),
        "async iterable": numbers,
    }[kind]


KINDS = ["list", "tuple", "range", "generator", "async generator", "async iterable"]


@pytest.fixture
def no_grace(monkeypatch):
    """Cut requests in flight as soon as the run stops."""
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.0)


async def collect_past_timeout(stream, after=lambda: None):
    """Collect *stream*, whose total timeout of an hour passes once no task can continue; then call *after*."""
    async with anyio.create_task_group() as group:
        group.start_soon(stream.collect)
        await wait_all_tasks_blocked()
        stream._feed_scope.deadline -= HOUR
        await wait_all_tasks_blocked()
        after()
    return stream.report


class TestInput:
    """What is taken, and when."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("batch_size", [1, 3])
    async def test_every_kind(self, kind, batch_size):
        report = await bulk(several(kind, 10), Echo(batch_size=batch_size)).collect()

        check_report(report)
        assert [outcome.value for outcome in report.results] == list(range(10))
        assert (report.total, report.succeeded, report.exhausted, report.stopped) == (10, 10, True, None)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_nothing(self, kind):
        """Without items, nothing fails and nothing is sent."""
        operation = Echo()

        report = await bulk(several(kind, 0), operation, on_error="raise").collect()

        assert (report.total, report.results, report.exhausted, report.stopped) == (0, [], True, None)
        assert operation.requests == []
        report.raise_if_failed()

    @pytest.mark.parametrize("items", [5, None, "abc", b"abc", {"name": "a"}])
    async def test_value_that_is_not_iterable(self, items):
        with pytest.raises(InputError, match=r"^numbers: expected an iterable or async iterable of items, got \w+$"):
            bulk(items)

    @pytest.mark.parametrize(("batch_size", "concurrency"), [(1, 1), (1, 4), (3, 2)])
    async def test_items_are_pulled_only_when_a_worker_is_free(self, batch_size, concurrency):
        finished = 0
        ahead = []

        async def answer(numbers):
            nonlocal finished
            await anyio.lowlevel.checkpoint()
            ahead.append(items.pulled - finished)
            finished += len(numbers)

        items = Numbers(50)
        operation = Echo(answer, batch_size=batch_size, concurrency=concurrency)
        report = await bulk(iter(items), operation).collect()

        check_report(report)
        assert max(ahead) <= batch_size * concurrency + 1
        assert operation.most_running == concurrency

    async def test_slow_consumer_pauses_the_input(self):
        items = Numbers()
        async with bulk(items, Echo(batch_size=2, concurrency=3)) as outcomes:
            await wait_all_tasks_blocked()
            assert items.pulled <= 2 * 2 * 3
            before = items.pulled
            seen = {(await anext(outcomes)).index for _ in range(20)}
            assert len(seen) == 20
            await wait_all_tasks_blocked()
            assert before < items.pulled <= 20 + 2 * 2 * 3

    async def test_slow_consumer_pauses_bad_items(self):
        """Items that fail here need no worker, and yet they do not pile up."""

        def endless():
            nonlocal pulled
            while True:
                pulled += 1
                yield "bad"

        pulled = 0
        async with bulk(endless(), Echo(concurrency=3)) as outcomes:
            await wait_all_tasks_blocked()
            assert pulled == 3
            assert (await anext(outcomes)).status == "failed"
            await wait_all_tasks_blocked()
            assert pulled == 4

    @pytest.mark.parametrize("kind", ["generator", "async generator", "async iterable"])
    async def test_source_that_raises(self, kind):
        """Its exception is the cause of a BulkError; items taken before it have their outcomes."""

        class Broken(Numbers):
            def __iter__(self):
                yield from super().__iter__()
                raise error

        error = ZeroDivisionError("no more")
        items = Broken(5)
        stream = bulk({"generator": iter, "async generator": aiter}.get(kind, lambda it: it)(items))
        seen = []
        with pytest.raises(
            BulkError, match=r"^5 items: 5 done; stopped: error; the input raised \w+: no more$"
        ) as caught:
            await drain(stream, seen)

        assert caught.value.__cause__ is error
        assert caught.value.report is stream.report
        check_report(stream.report, seen)
        assert (stream.report.total, stream.report.exhausted, stream.report.stopped) == (5, False, "error")
        assert stream.report.failures == []

    async def test_sized_source_that_raises(self):
        """It has a length, but is not pulled any further."""
        stream = bulk(Sized([0, 1]))
        with pytest.raises(BulkError, match="the input raised ValueError: no more"):
            await stream.collect()

        check_report(stream.report)
        assert (stream.report.total, stream.report.exhausted) == (2, False)

    async def test_sized_source_that_raises_after_a_stop(self):
        stream = bulk(Sized(["bad", "bad", "bad"]), max_failures=0)
        with pytest.raises(BulkError, match="the input raised ValueError: no more"):
            await stream.collect()

        check_report(stream.report)
        assert dict(stream.report.counts) == {"failed": 1, "unsent": 2}
        assert stream.report.stopped == "max_failures"

    async def test_items_taken_before_a_source_raised_are_sent(self):
        """A batch that was not full when its source raised is sent like the last one of any input."""

        async def items():
            for number in range(5):
                yield number
            await wait_all_tasks_blocked()
            raise ZeroDivisionError

        operation = Echo(batch_size=3)
        stream = bulk(items(), operation)
        with pytest.raises(BulkError) as caught:
            await stream.collect()

        assert type(caught.value.__cause__) is ZeroDivisionError
        check_report(stream.report)
        assert [outcome.status for outcome in stream.report.results] == ["done"] * 5
        assert operation.requests == [[0, 1, 2], [3, 4]]
        assert (stream.report.exhausted, stream.report.stopped) == (False, "error")

    @pytest.mark.parametrize("on_error", ["collect", "raise"])
    async def test_source_that_raises_beside_a_failure(self, on_error):
        def items():
            yield 1
            yield "bad"
            raise ZeroDivisionError

        stream = bulk(items(), on_error=on_error)
        with pytest.raises(BulkError) as caught:
            await stream.collect()

        assert type(caught.value.__cause__) is (ZeroDivisionError if on_error == "collect" else InputError)
        check_report(stream.report)
        assert dict(stream.report.counts) == {"done" if on_error == "collect" else "unsent": 1, "failed": 1}

    @pytest.mark.parametrize("method", ["__iter__", "__aiter__", "__next__", "__anext__"])
    async def test_iterator_that_cannot_be_made(self, method):
        """Whatever step fails: creating the iterator, or the first step; also if it is not an iterator."""

        def fail(self):
            raise ZeroDivisionError

        steps = {"__next__": "__iter__", "__anext__": "__aiter__"}
        members = {steps.get(method, method): lambda self: self, method: fail}
        stream = bulk(type("Items", (), members)())
        with pytest.raises(BulkError) as caught:
            await stream.collect()
        assert type(caught.value.__cause__) is ZeroDivisionError
        check_report(stream.report)
        assert stream.report.total == 0

    async def test_length_that_cannot_be_read(self):
        """It is only used for the progress and for the rest after a stop."""

        class Unmeasured(list):
            def __len__(self):
                raise ZeroDivisionError

        report = await bulk(Unmeasured([1, 2, 3])).collect()
        assert (report.total, report.succeeded, report.exhausted) == (3, 3, True)

    async def test_source_whose_cleanup_raises(self):
        async def items():
            try:
                while True:
                    yield "bad"
            finally:
                raise ZeroDivisionError

        stream = bulk(items(), max_failures=0)
        with pytest.raises(BulkError) as caught:
            await stream.collect()
        assert type(caught.value.__cause__) is ZeroDivisionError
        check_report(stream.report)

    async def test_caller_keeps_a_stream_of_its_own(self):
        """An iterator that is not a generator may be used elsewhere, so it is not closed."""
        send, receive = anyio.create_memory_object_stream(10)
        async with send, receive:
            for number in range(3):
                send.send_nowait(number)
            async with bulk(receive) as outcomes:
                assert (await anext(outcomes)).value == 0
            send.send_nowait("still open")

    async def test_bad_items_fail_alone(self):
        report = await bulk([0, "x", 2, None, 4], Echo(batch_size=2)).collect()

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["done", "failed", "done", "failed", "done"]
        assert str(report.results[1].error) == "numbers[1]: expected a number, got 'x'"
        assert report.results[1].error.path == "numbers[1]"
        assert report.retry_items == []

    async def test_duplicates_fail_alone(self):
        operation = Echo()
        report = await bulk([7, 8, 7], operation).collect()

        assert [outcome.status for outcome in report.results] == ["done", "done", "failed"]
        assert str(report.results[2].error) == "numbers[2]: '7' appears more than once in this run"
        assert report.results[2].key == "7"
        assert sorted(operation.requests) == [[7], [8]]

    async def test_duplicates_unchecked(self):
        report = await bulk([7, 7], check_duplicates=False).collect()
        assert report.succeeded == 2


class TestStops:
    """Ways to end before the input does."""

    async def refuse(self, numbers):
        raise ValidationError(400, "PUT", "https://x/", "no")

    async def test_max_failures(self):
        """Stops when failures exceed it; the rest of an endless input is not pulled."""
        items = Numbers()
        report = await bulk(items, Echo(self.refuse, concurrency=1), max_failures=2).collect()

        check_report(report)
        assert (report.failed, report.stopped, report.exhausted) == (3, "max_failures", False)
        assert items.closed
        assert items.pulled == report.total <= 4

    async def test_max_failures_not_exceeded(self):
        report = await bulk(range(2), Echo(self.refuse), max_failures=2).collect()
        assert (report.failed, report.stopped) == (2, None)

    @pytest.mark.parametrize("batch_size", [1, 100])
    async def test_local_failures_stop_at_once(self, batch_size):
        """No item is taken after the failure that exceeds `max_failures`."""
        items = iter(["bad", *range(10_000)])
        report = await bulk(items, Echo(batch_size=batch_size), max_failures=0).collect()
        assert report.total == 1
        assert next(items) == 0

    async def test_rest_of_sized_input_is_unsent(self):
        report = await bulk(range(1000), Echo(self.refuse, concurrency=1), max_failures=0).collect()

        check_report(report)
        assert (report.total, report.failed, report.unsent) == (1000, 1, 999)
        assert report.retry_items == list(range(1, 1000))
        assert report.exhausted

    async def test_total_timeout(self):
        """Requests in flight may end; no more items are taken."""
        answered = anyio.Event()
        items = Numbers()

        stream = bulk(items, Echo(lambda _: answered.wait(), concurrency=2), total_timeout=HOUR)
        report = await collect_past_timeout(stream, answered.set)

        check_report(report)
        assert (report.stopped, report.unknown, report.exhausted) == ("total_timeout", 0, False)
        assert report.succeeded == 2
        assert items.closed

    @pytest.mark.usefixtures("no_grace")
    async def test_total_timeout_cuts_requests_that_do_not_end(self):
        operation = Echo(lambda _: anyio.sleep_forever(), batch_size=2, concurrency=2)

        report = await collect_past_timeout(bulk(range(10), operation, total_timeout=HOUR))

        check_report(report)
        assert (report.stopped, report.unknown, report.unsent) == ("total_timeout", 4, 6)
        assert report.results[0].attempts == 1
        assert isinstance(report.results[0].error, OutcomeUnknownError)
        assert report.retry_items == list(range(10))

    @pytest.mark.usefixtures("no_grace")
    async def test_total_timeout_after_the_input_ended(self):
        """The last requests are cut too, after the grace."""
        stream = bulk([1], Echo(lambda _: anyio.sleep_forever()), total_timeout=HOUR)
        async with anyio.create_task_group() as group:
            group.start_soon(stream.collect)
            await wait_all_tasks_blocked()
            stream._work_scope.deadline -= HOUR
        report = stream.report
        assert (report.stopped, report.unknown, report.exhausted) == ("total_timeout", 1, True)

    async def test_total_timeout_while_the_source_waits(self):
        async def items():
            yield 1
            await anyio.sleep_forever()

        report = await collect_past_timeout(bulk(items(), Echo(batch_size=2), total_timeout=HOUR))

        check_report(report)
        assert (report.total, report.unsent, report.stopped) == (1, 1, "total_timeout")

    async def test_total_timeout_raises_if_asked(self):
        """Nothing failed, but the run is incomplete."""
        stream = bulk(Numbers(), Echo(), total_timeout=0.02, on_error="raise")
        with pytest.raises(BulkError, match=r"stopped: total_timeout$") as caught:
            await stream.collect()
        assert caught.value.report is stream.report
        assert caught.value.__cause__ is None

    async def test_grace_lets_requests_end(self):
        stopped = anyio.Event()

        async def answer(numbers):
            if numbers == [0]:
                await stopped.wait()
            elif numbers == [1]:
                stopped.set()
                await self.refuse(numbers)

        report = await bulk(Numbers(), Echo(answer), max_failures=0).collect()

        check_report(report)
        assert [outcome.status for outcome in report.results[:2]] == ["done", "failed"]

    async def test_throttled_items_are_unsent_when_cut(self):
        """A request that was answered with 429 has done nothing."""
        cut = anyio.Event()

        class Throttled(Echo):
            async def send(self, jobs, stats):
                stats.calls, stats.attempts, stats.throttles = 1, 3, 3
                cut.set()
                await anyio.sleep_forever()

        stream = bulk([0], Throttled())
        async with stream:
            await cut.wait()
        assert dict(stream.report.counts) == {"unsent": 1}

    async def test_halves_of_a_refused_batch_are_unsent_after_a_stop(self):
        async def answer(numbers):
            if numbers == [0, 1, 2, 3]:
                await self.refuse(numbers)
            elif 3 in numbers or 2 in numbers:
                raise TransportError("lost")

        report = await bulk(range(4), Echo(answer, batch_size=4), max_failures=0).collect()

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["unsent", "unsent", "unknown", "unknown"]


class TestRaise:
    """``on_error="raise"``."""

    async def second(self, numbers):
        if numbers == [1]:
            raise ValidationError(400, "PUT", "https://x/", "no", request_id="r-1")

    async def test_collect(self):
        stream = bulk(Numbers(), Echo(self.second, concurrency=1), on_error="raise")
        with pytest.raises(BulkError, match=r"1 failed.*; stopped: error; first error: 400 Bad Request") as caught:
            await stream.collect()

        report = caught.value.report
        check_report(report)
        assert caught.value.__cause__ is report.failures[0].error
        assert (report.succeeded, report.failed, report.stopped) == (1, 1, "error")

    async def test_iteration_raises_after_all_outcomes(self):
        stream = bulk(range(10), Echo(self.second), on_error="raise")
        seen = []
        with pytest.raises(BulkError):
            await drain(stream, seen)
        check_report(stream.report, seen)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    async def test_never_masks_the_error_of_the_body(self):
        async def consume():
            async with stream:
                async for outcome in stream:
                    if outcome.status == "failed":
                        raise ZeroDivisionError

        stream = bulk(range(10), Echo(self.second), on_error="raise")
        with pytest.raises(ZeroDivisionError) as caught:
            await consume()
        assert caught.value.__cause__ is None
        check_report(stream.report)

    async def test_success_raises_nothing(self):
        report = await bulk(range(3), on_error="raise").collect()
        assert report.succeeded == 3

    async def test_local_failures_raise_too(self):
        with pytest.raises(BulkError, match=r"first error: numbers\[1\]: expected a number"):
            await bulk([0, "x"], on_error="raise").collect()


class TestLeaving:
    """The consumer leaves before the end, by itself or because it is cancelled."""

    async def test_break(self):
        items = Numbers()
        async with bulk(items) as outcomes:
            async for outcome in outcomes:
                if outcome.index >= 5:
                    break

        check_report(outcomes.report)
        assert (outcomes.report.stopped, outcomes.report.exhausted) == ("left", False)
        assert items.closed
        gc.collect()

    async def test_at_once(self):
        """Nothing was sent, and no outcome is unknown."""
        operation = Echo()
        async with bulk(Numbers(), operation) as outcomes:
            pass
        check_report(outcomes.report)
        assert outcomes.report.succeeded == 0
        assert outcomes.report.stopped == "left"

    async def test_requests_in_flight_are_cut(self):
        operation = Echo(lambda _: anyio.sleep_forever(), concurrency=3)
        async with bulk(range(10), operation) as outcomes:
            await wait_all_tasks_blocked()

        check_report(outcomes.report)
        assert dict(outcomes.report.counts) == {"unknown": 3, "unsent": 7}
        assert str(outcomes.report.failures[0].error) == "the run stopped before the response arrived"

    async def test_error_of_the_body(self):
        async def consume():
            async with stream:
                await anext(stream)
                raise error

        stream = bulk(Numbers())
        error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError) as caught:
            await consume()
        assert caught.value is error
        check_report(stream.report)

    async def test_error_group_of_the_body(self):
        """A task group of the caller inside the block keeps its ExceptionGroup, and only that."""
        with pytest.raises(ExceptionGroup) as caught:
            async with bulk(Numbers()) as outcomes:
                raise ExceptionGroup("mine", [ValueError()])
        assert caught.value.message == "mine"
        check_report(outcomes.report)

    async def test_cancel_scope(self):
        items = Numbers()
        stream = bulk(items, Echo(lambda _: anyio.sleep_forever()))
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(stream.collect)
                await wait_all_tasks_blocked()
                scope.cancel()

        assert scope.cancelled_caught
        check_report(stream.report)
        assert dict(stream.report.counts) == {"unknown": 2}
        assert (stream.report.stopped, stream.report.exhausted, items.closed) == ("cancelled", False, True)

    async def test_timeout_of_the_caller(self):
        stream = bulk(range(5), Echo(lambda _: anyio.sleep_forever()))
        async with anyio.create_task_group() as group:
            with pytest.raises(TimeoutError):  # noqa: PT012 (the deadline passes inside)
                with anyio.fail_after(HOUR) as scope:
                    group.start_soon(expire, scope)
                    await stream.collect()
        check_report(stream.report)
        assert dict(stream.report.counts) == {"unknown": 2, "unsent": 3}

    async def test_cancelled_body(self):
        """A cancellation inside the block, and caught there, leaves the run alone."""
        gate = anyio.Event()
        async with bulk(range(5), Echo(lambda _: gate.wait())) as outcomes:
            async with anyio.create_task_group() as group:
                with anyio.move_on_after(HOUR) as scope:
                    group.start_soon(expire, scope)
                    await anext(outcomes)
            assert scope.cancelled_caught
            gate.set()
            seen = [outcome async for outcome in outcomes]
        check_report(outcomes.report, seen)
        assert outcomes.report.succeeded == 5

    async def test_no_outcome_is_lost_or_given_twice_when_the_consumer_is_cancelled(self):
        seen = []
        async with bulk(range(200), Echo(lambda _: anyio.lowlevel.checkpoint(), batch_size=3)) as outcomes:
            while True:
                with anyio.move_on_after(0.0005):
                    async for outcome in outcomes:
                        seen.append(outcome)
                        await anyio.lowlevel.checkpoint_if_cancelled()
                    break
        check_report(outcomes.report, seen)

    async def test_two_consumers(self):
        seen = []

        async def consume():
            async for outcome in outcomes:
                seen.append(outcome)
                await anyio.lowlevel.checkpoint()

        async with (
            bulk(range(50), Echo(lambda _: anyio.lowlevel.checkpoint())) as outcomes,
            anyio.create_task_group() as group,
        ):
            group.start_soon(consume)
            group.start_soon(consume)
        check_report(outcomes.report, seen)

    async def test_two_starts(self):
        stream = bulk(range(3))
        with pytest.raises(ClientStateError, match="must be used with 'async with'"):
            await anext(stream)
        await stream.collect()
        with pytest.raises(ClientStateError, match="can be started only once"):
            await stream.collect()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
class TestNativeCancellation:
    """`asyncio` cancels tasks without scopes."""

    async def test_task(self):
        items = Numbers()
        stream = bulk(items, Echo(lambda _: anyio.sleep_forever()))
        before = asyncio.all_tasks()
        task = asyncio.create_task(stream.collect())
        await wait_all_tasks_blocked()
        task.cancel("mine")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task

        assert task.cancelled()
        assert caught.value.args == ("mine",)
        assert asyncio.all_tasks() == before
        check_report(stream.report)
        assert (stream.report.unknown, stream.report.stopped, items.closed) == (2, "cancelled", True)

    async def test_task_that_leaves_early(self):
        """The cancellation comes while the run is being left."""
        leaving, left = asyncio.Event(), asyncio.Event()

        async def slow_to_leave(_):
            try:
                await anyio.sleep_forever()
            finally:
                leaving.set()
                with anyio.CancelScope(shield=True):
                    await left.wait()

        async def consume():
            async with stream:
                await wait_all_tasks_blocked()

        stream = bulk(range(5), Echo(slow_to_leave))
        task = asyncio.create_task(consume())
        await leaving.wait()
        await wait_all_tasks_blocked()  # anyio 4.16 loses a cancellation in the same step as its own
        task.cancel()
        await wait_all_tasks_blocked()
        left.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        check_report(stream.report)
        assert stream.report.stopped == "left"

    async def test_timeout(self):
        stream = bulk(Numbers(), Echo(lambda _: anyio.sleep_forever()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await stream.collect()
        assert asyncio.current_task().cancelling() == 0
        check_report(stream.report)

    async def test_leaving_leaves_no_cancellation_behind(self):
        before = asyncio.all_tasks()
        async with bulk(Numbers()) as outcomes:
            await anext(outcomes)
        assert asyncio.current_task().cancelling() == 0
        assert asyncio.all_tasks() == before

    async def test_source_that_was_cancelled(self):
        """A task that the input waits for was cancelled: the run ends as cancelled."""

        async def items():
            yield 1
            sleeper = asyncio.create_task(asyncio.sleep(3600))
            sleeper.cancel()
            await sleeper
            yield 2

        stream = bulk(items())
        with anyio.fail_after(LIMIT):
            await stream.collect()
        check_report(stream.report)
        assert (stream.report.total, stream.report.exhausted, stream.report.stopped) == (1, False, "cancelled")


class Leave(BaseException):
    """Like KeyboardInterrupt, which asyncio treats in a way of its own."""


class TestFaultsOfTheProgram:
    """Exceptions that are not errors of this package: the items have them, and no outcome is lost."""

    @pytest.mark.parametrize("stage", ["send", "begin"])
    async def test_only_its_items_fail(self, stage):
        async def fail(numbers):
            await anyio.lowlevel.checkpoint()
            if numbers in ([4], 4):
                raise error

        error = ZeroDivisionError("no")
        operation = Echo(fail) if stage == "send" else Echo(preprocess_limit=2, begin=fail, batch_size=3)
        report = await bulk(range(10), operation).collect()

        check_report(report)
        assert (report.succeeded, report.stopped) == (9, None)
        [failure] = report.failures
        assert failure.index == 4
        assert failure.error.__cause__ is error
        assert (failure.status, str(failure.error)) == (
            ("unknown", "raised ZeroDivisionError: no after the request may have been sent")
            if stage == "send"
            else ("failed", "numbers[4]: raised ZeroDivisionError: no")
        )

    async def test_a_batch_that_was_not_sent_is_halved(self):
        """So that an item that cannot be sent fails alone."""

        class Unsendable(Echo):
            async def send(self, jobs, stats):
                if any(job.item == 4 for job in jobs):
                    raise error
                return await super().send(jobs, stats)

        error = ZeroDivisionError("no")
        report = await bulk(range(10), Unsendable(batch_size=10)).collect()
        check_report(report)
        assert [outcome.index for outcome in report.failures] == [4]
        assert str(report.failures[0].error) == "numbers[4]: raised ZeroDivisionError: no"
        assert report.failures[0].error.__cause__ is error

    @pytest.mark.parametrize("stage", ["input", "prepare", "begin", "send", "progress"])
    async def test_what_is_no_exception_is_raised_unchanged(self, stage):
        """Such as KeyboardInterrupt; and yet every item that was taken has its outcome."""

        def leave(*_):
            raise error

        async def leave_later(_):
            await anyio.lowlevel.checkpoint()
            raise error

        def items():
            yield from range(5)
            raise error

        class Leaving(Echo):
            prepare = leave

        error = Leave()
        operation = {
            "begin": Echo(begin=leave_later, preprocess_limit=2, batch_size=3),
            "send": Echo(leave_later, batch_size=3),
            "prepare": Leaving(),
        }.get(stage, Echo())
        progress = {"progress": leave} if stage == "progress" else {}
        stream = bulk(items() if stage == "input" else range(5), operation, **progress)
        with pytest.raises(Leave) as caught:
            await stream.collect()
        assert caught.value is error
        check_report(stream.report)
        assert stream.report.total == 5

    @pytest.mark.parametrize("stage", ["send", "begin"])
    async def test_closed_client(self, stage):
        """The client was closed during the run, so nothing was sent."""

        async def fail(_):
            raise ClientStateError("this AsyncSegments is closed")

        operation = Echo(fail) if stage == "send" else Echo(preprocess_limit=2, begin=fail, batch_size=3)
        stream = bulk(Numbers(), operation)
        with pytest.raises(ClientStateError):
            await stream.collect()
        check_report(stream.report)
        assert stream.report.unsent == stream.report.total

    async def test_wrong_number_of_results(self):
        async def answer(numbers):
            return []

        stream = bulk(range(3), Echo(answer))
        with pytest.raises(BulkError, match="the run raised ValueError: zip") as caught:
            await stream.collect()
        assert type(caught.value.__cause__) is ValueError
        check_report(stream.report)


class TestBegin:
    """What is done for each item before its batch."""

    async def test_bounded(self):
        running = most = 0

        async def begin(_):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await anyio.lowlevel.checkpoint()
            running -= 1

        operation = Echo(begin=begin, preprocess_limit=3, batch_size=4, concurrency=3)
        report = await bulk(range(30), operation).collect()
        check_report(report)
        assert most == 3
        assert min(map(tuple, operation.requests)) == (0, 1, 2, 3)

    async def test_failures_leave_the_batch(self):
        async def begin(number):
            if number % 2:
                raise InputError("is odd")

        operation = Echo(begin=begin, preprocess_limit=2, batch_size=4)
        report = await bulk([1, 2, 3, 4], operation).collect()
        check_report(report)
        assert operation.requests == [[2, 4]]
        assert str(report.results[0].error) == "numbers[0]: is odd"

    async def test_no_preprocessing_starts_after_a_stop(self):
        started = []

        async def begin(number):
            started.append(number)
            await anyio.lowlevel.checkpoint()
            raise InputError("no")

        report = await bulk(range(20), Echo(begin=begin, preprocess_limit=1, batch_size=5), max_failures=1).collect()
        check_report(report)
        assert len(started) == 2
        assert (report.failed, report.unsent) == (2, 18)

    async def test_cut(self):
        async def begin(number):
            if number:
                await anyio.sleep_forever()
            raise InputError("no")

        async with bulk(range(3), Echo(begin=begin, preprocess_limit=3, batch_size=3)) as outcomes:
            assert (await anext(outcomes)).status == "failed"
        check_report(outcomes.report)
        assert dict(outcomes.report.counts) == {"failed": 1, "unsent": 2}


class TestProgress:
    """A callable that receives the progress of the run."""

    async def test_rate(self, monkeypatch):
        """At most ten times a second, and at the end."""
        now = 0.0
        monkeypatch.setattr(reporter.time, "monotonic", lambda: now)

        async def answer(numbers):
            nonlocal now
            now += 0.01

        reported = []
        report = await bulk(range(100), Echo(answer, concurrency=1), progress=reported.append).collect()

        assert report.elapsed == pytest.approx(1)
        assert 9 <= len(reported) <= 11
        assert [progress.done for progress in reported] == sorted(progress.done for progress in reported)
        assert (reported[-1].done, reported[-1].failed, reported[-1].total) == (100, 0, 100)
        assert reported[-1].per_second == pytest.approx(100)

    async def test_length_unknown_and_failures(self):
        async def answer(numbers):
            raise TransportError("lost")

        reported = []
        await bulk(Numbers(3), Echo(answer), progress=reported.append).collect()
        assert (reported[-1].total, reported[-1].done, reported[-1].failed) == (None, 3, 3)

    async def test_the_end_is_reported_after_a_stop(self):
        reported = []
        report = await bulk(["bad"] * 10, max_failures=0, progress=reported.append).collect()
        assert (reported[-1].done, reported[-1].failed, reported[-1].total, report.unsent) == (1, 1, 10, 9)
        assert [progress.finished for progress in reported] == [False] * (len(reported) - 1) + [True]

    @pytest.mark.usefixtures("no_grace")
    @pytest.mark.parametrize("how", ["left", "cancelled", "total_timeout"])
    async def test_every_way_to_end_is_reported(self, how):
        """A progress bar can clean up."""
        reported = []
        stream = bulk(range(5), Echo(lambda _: anyio.sleep_forever()), progress=reported.append, total_timeout=HOUR)
        if how == "left":
            async with stream:
                await wait_all_tasks_blocked()
        elif how == "cancelled":
            async with anyio.create_task_group() as group:
                group.start_soon(stream.collect)
                await wait_all_tasks_blocked()
                group.cancel_scope.cancel()
        else:
            await collect_past_timeout(stream)
        check_report(stream.report)
        assert stream.report.stopped == how
        assert [(progress.done, progress.finished) for progress in reported[-1:]] == [(2, True)]
        assert not any(progress.finished for progress in reported[:-1])

    async def test_waits_are_reported(self, monkeypatch):
        """Throttled requests are reported even while no item finishes."""
        monkeypatch.setattr(engine, "HEARTBEAT_SECONDS", 0.002)
        monkeypatch.setattr(reporter, "PROGRESS_SECONDS", 0.0)
        seen = anyio.Event()

        class Refused(Echo):
            async def send(self, jobs, stats):
                stats.throttles, stats.bytes_sent = 3, 500
                await seen.wait()
                return await super().send(jobs, stats)

            def limit(self):
                return 7

        def observe(progress):
            reported.append(progress)
            if progress.throttled == 3:
                seen.set()

        reported = []
        with anyio.fail_after(LIMIT):
            report = await bulk(range(1), Refused(), progress=observe).collect()
        assert (reported[0].done, reported[0].limit) == (0, 7)
        assert (reported[-1].done, reported[-1].throttled, reported[-1].bytes_sent) == (1, 3, 500)
        assert (report.throttled, report.bytes_sent) == (3, 500)

    async def test_error(self, caplog):
        """A callable that raises ends nothing; it is logged once, with its traceback, and called until the end."""

        def observe(progress):
            calls.append(progress)
            raise ZeroDivisionError

        calls = []
        report = await bulk(range(3), progress=observe).collect()

        check_report(report)
        assert (report.succeeded, report.stopped) == (3, None)
        assert len(calls) > 1
        assert calls[-1].finished
        [record] = [record for record in caplog.records if record.name == "segments_async"]
        assert record.message.startswith("progress raised; the call continues")
        assert record.exc_info[0] is ZeroDivisionError

    async def test_what_is_not_an_exception(self):
        """It ends the run, and is raised bare."""

        def observe(progress):
            calls.append(progress)
            raise KeyboardInterrupt

        calls = []
        stream = bulk(range(3), progress=observe)
        with pytest.raises(KeyboardInterrupt):
            await stream.collect()
        assert len(calls) == 1
        check_report(stream.report)

    async def test_error_does_not_mask_the_error_of_the_body(self):
        def observe(progress):
            raise ZeroDivisionError

        with pytest.raises(KeyError):
            async with bulk(range(3), progress=observe):
                raise KeyError


class TestCounting:
    """What the report says about requests."""

    async def test_requests(self):
        async def throttle(_):
            raise RateLimitError(429)

        report = await bulk(range(6), Echo(throttle, batch_size=2)).collect()
        assert (report.requests, report.retries, report.throttled) == (3, 0, 3)

    async def test_keep_failures(self):
        async def refuse_odd(numbers):
            if numbers[0] % 2:
                raise ValidationError(400, "PUT", "https://x/", "odd")

        report = await bulk(range(10), Echo(refuse_odd), keep="failures").collect()
        assert (report.total, report.succeeded, report.truncated) == (10, 5, False)
        assert [outcome.index for outcome in report.results] == [1, 3, 5, 7, 9]
