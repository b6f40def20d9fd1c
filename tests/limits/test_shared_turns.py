"""Several clients and one limit, in virtual time: no call in another one's wait, little time lost, fair shares."""

from __future__ import annotations

import contextlib
import logging
import math
import random
from itertools import pairwise

import anyio
import pytest
import trio
import trio.testing
from rate_limited import RATE, Bucket, Unavailable

from segments_async import AsyncSegments, Clock, InputError, RateLimitError, RequestTimeoutError, RetryPolicy
from segments_async._http.shared_access import ALONE_SECONDS
from segments_async._http.shared_turns import FRESH_SECONDS
from segments_async._wire.shared_rate import SharedRate, Turns


class Shared:
    """One state for all; each client has a view of its own, and every question takes a millisecond."""

    def __init__(self, fixed=None):
        self.state = SharedRate(fixed)
        self.questions = 0
        self.keys = set()

    def view(self, name):
        return View(self, name)


class View:
    def __init__(self, shared, name):
        self._shared, self._name = shared, name

    async def _reach(self, key):
        await anyio.sleep(0.0005)
        self._shared.questions += 1
        self._shared.keys.add(key)
        return self._shared.state, trio.current_time()

    async def reserve(self, key, most, /):
        state, now = await self._reach(key)
        turns = state.reserve(now, self._name, most)
        await anyio.sleep(0.0005)
        return turns

    async def give_back(self, key, count, /):
        state, now = await self._reach(key)
        state.give_back(now, count)

    async def refused(self, key, seconds, /):
        state, now = await self._reach(key)
        state.refused(now, seconds)

    async def learned(self, key, rate, /):
        state, now = await self._reach(key)
        state.learned(now, self._name, rate)


class Lost:
    """Cannot be reached, or answers nonsense."""

    def __init__(self, answer=None):
        self.asked = 0
        self.answer = answer

    async def _fail(self, *_):
        self.asked += 1
        if self.answer is None:
            raise ConnectionError("no route to host")
        return await self.answer() if callable(self.answer) else self.answer

    reserve = give_back = refused = learned = _fail


class Late(View):
    """Its third answer takes long."""

    def __init__(self, state):
        self.state, self.questions, self.keys = state, 0, set()
        super().__init__(self, "a")

    async def reserve(self, key, most, /):
        turns = await super().reserve(key, most)
        if self.questions == 3:
            await anyio.sleep(5)
        return turns


def in_virtual_time(work):
    return trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


def connect(bucket, limiter, **options):
    clock = Clock(
        monotonic=trio.current_time, sleep=anyio.sleep, time=trio.current_time, random=random.Random(1).random
    )
    return AsyncSegments("key", base_url="https://x", transport=bucket, clock=clock, limiter=limiter, **options)


def labels(count):
    return ({"sample_uuid": f"u-{number}", "attributes": {}} for number in range(count))


def put_by_several(bucket, limiters, count):
    """Seconds that *count* labels of each client take in total, and the labels of each in the middle of that time."""
    done_at = [[] for _ in limiters]

    async def put(number, limiter):
        async with connect(bucket, limiter) as client, client.labels.stream_put(labels(count)) as outcomes:
            async for outcome in outcomes:
                assert outcome.status == "done"
                done_at[number].append(trio.current_time())

    async def run():
        async with trio.open_nursery() as nursery:
            for number, limiter in enumerate(limiters):
                nursery.start_soon(put, number, limiter)
        return trio.current_time()

    seconds = in_virtual_time(run)
    first_end = min(times[-1] for times in done_at)
    return seconds, [sum(first_end / 2 < time <= first_end for time in times) for times in done_at]


@pytest.mark.parametrize(
    ("latency", "burst"),
    [(0.02, 50), *(pytest.param(*case, marks=pytest.mark.full) for case in [(0.002, 10), (0.05, 100)])],
)
@pytest.mark.parametrize(("fixed", "at_most"), [(RATE, 1.03), (None, 1.25)])
def test_four_clients(latency, burst, fixed, at_most):
    """4,000 labels; a fixed rate is kept, another is measured. The shares are those of the second half."""
    shared = Shared(fixed)
    bucket = Bucket(burst=burst, latency=latency, whole_seconds=True, grace=latency + FRESH_SECONDS)
    seconds, shares = put_by_several(bucket, [shared.view(name) for name in "abcd"], 1000)

    assert seconds <= at_most * (4000 - burst) / RATE
    assert bucket.too_early == 0
    assert min(shares) >= 0.8 * max(shares)
    assert shared.questions <= 0.5 * 4000
    assert len(shared.keys) == 1
    if fixed:
        assert bucket.refused == 0
        assert seconds >= 0.98 * 4000 / RATE


@pytest.mark.parametrize(("shares", "too_early"), [(True, 0), (False, 1)])
def test_a_client_knows_of_the_waits_of_another(shares, too_early):
    """What the limiter is for: one client is refused, and half a second later another one sends."""
    shared = Shared()
    bucket = Bucket(burst=1, latency=0.01, whole_seconds=True)

    async def run():
        one, other = (connect(bucket, shared.view(name) if shares else None) for name in "ab")
        async with one, other, trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(one.labels.get, "u-1")
            await trio.sleep(0.5)
            assert bucket.refused == 1
            await other.labels.get("u-1")

    in_virtual_time(run)
    assert bucket.too_early == too_early


def test_without_a_limit_nothing_waits():
    bucket = Bucket(burst=10**6, latency=0.05)
    seconds, _ = put_by_several(bucket, [Shared().view("a"), None], 640)

    assert seconds <= 1.15 * 640 / 32 * 0.05


def test_a_wait_of_another_process_is_obeyed():
    """Also one that is longer than a call may wait: it fails at once, and says how long."""
    shared = Shared(RATE)
    bucket = Bucket(burst=10, latency=0.01)

    async def run():
        async with connect(bucket, shared.view("a")) as client:
            shared.state.refused(trio.current_time(), 20.0)
            await client.labels.get("u-1")
            waited = trio.current_time()
            shared.state.refused(trio.current_time(), 500.0)
            with pytest.raises(RateLimitError, match="wait for another") as caught:
                await client.labels.get("u-1")
            interactive = client.with_options(max_wait=3)
            with pytest.raises(RateLimitError):
                await interactive.labels.get("u-1")
            return waited, caught.value.retry_after, trio.current_time()

    waited, retry_after, ended = in_virtual_time(run)
    assert 20.0 <= waited < 20.2
    assert retry_after == pytest.approx(500.0, abs=0.1)
    assert ended < waited + 1


def test_waiting_for_a_turn_counts_against_max_wait():
    shared = Shared(4.0)
    bucket = Bucket(burst=1000, latency=0.01)

    async def run():
        async with connect(bucket, shared.view("a")) as client:
            interactive = client.with_options(max_wait=1)
            outcomes = []

            async def get():
                try:
                    await interactive.labels.get("u-1")
                    outcomes.append("done")
                except RequestTimeoutError as error:
                    outcomes.append("sent" if error.sent else "late")
                except RateLimitError:  # its turn was too far away
                    outcomes.append("late")

            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(get)
            assert client.stats().in_flight == 0
            return outcomes, trio.current_time()

    outcomes, ended = in_virtual_time(run)
    assert 4 <= outcomes.count("done") <= 6
    assert "sent" not in outcomes
    assert ended <= 1.1


@pytest.mark.parametrize("options", [{"retry": RetryPolicy(total=5)}, {"max_wait": 5}], ids=["total", "max_wait"])
def test_a_turn_that_is_too_far_away(options):
    """The call fails at once, says how long it would take, and gives the turn back."""
    shared = Shared(0.1)
    bucket = Bucket(burst=1000, latency=0.01)

    async def run():
        async with connect(bucket, shared.view("a")) as client:
            await client.labels.get("u-1")
            for _ in range(2):  # the second one knows of the turn that the first one gave back
                with pytest.raises(RateLimitError, match="not sent: its turn") as caught:
                    await client.with_options(**options).labels.get("u-1")
            failed = trio.current_time()
            await client.labels.get("u-1")
            return caught.value.retry_after, failed, trio.current_time()

    retry_after, failed, ended = in_virtual_time(run)
    assert retry_after == pytest.approx(10, abs=0.1)
    assert failed < 0.1
    assert ended == pytest.approx(10, abs=0.2)


def test_items_of_a_bulk_run_wait_for_their_turns():
    """Many processes may share a low rate. A wait that the caller limits is kept."""
    shared = Shared(0.1)

    async def run():
        bucket = Bucket(burst=1000, latency=0.01)
        async with connect(bucket, shared.view("a"), retry=RetryPolicy(total=5)) as client:
            report = await client.labels.put_many(labels(3))
            impatient = await client.with_options(max_wait=5).labels.put_many(labels(2))
            return report.counts, impatient.failed, trio.current_time()

    counts, failed, ended = in_virtual_time(run)
    assert counts == {"done": 3}
    assert failed == 2
    assert ended == pytest.approx(20, abs=6)


def test_items_of_a_bulk_run_do_not_wait_for_hours():
    async def run():
        async with connect(Bucket(burst=1000, latency=0.01), Shared(1 / 1000).view("a")) as client:
            report = await client.labels.put_many(labels(2))
            return report.counts, report.failures[0].error, trio.current_time()

    counts, error, ended = in_virtual_time(run)
    assert counts == {"done": 1, "failed": 1}
    assert isinstance(error, RateLimitError)
    assert error.retry_after == pytest.approx(1000, abs=1)
    assert ended < 900


def test_turns_of_the_retries_of_an_item_do_not_count():
    """Nor does a refusal, after which the item needs another turn."""
    shared = Shared(0.1)

    async def run():
        bucket = Bucket(burst=1, latency=0.01)
        bucket._tokens = -5 * RATE  # refused until second 5, and again after its second turn
        async with connect(bucket, shared.view("a"), retry=RetryPolicy(total=8)) as client:
            return (await client.labels.put_many(labels(1))).counts, bucket.refused

    counts, refused = in_virtual_time(run)
    assert counts == {"done": 1}
    assert refused > 0


def test_an_answer_that_was_only_late_is_asked_for_again(caplog):
    """As of a limiter that is there, while the event loop was blocked."""
    late = Late(Shared(RATE).state)
    seconds, _ = put_by_several(Bucket(burst=50, latency=0.02), [late], 200)

    assert not [record for record in caplog.records if "cannot be used" in record.message]
    assert seconds <= 200 / RATE + 1.5


def test_cancelled_calls_give_their_turns_back():
    shared = Shared(RATE)
    bucket = Bucket(burst=1000, latency=0.01)

    async def run():
        async with connect(bucket, shared.view("a")) as client:
            with anyio.move_on_after(0.02):
                async with trio.open_nursery() as nursery:
                    for _ in range(10):
                        nursery.start_soon(client.labels.get, "u-1")
            assert client.stats().in_flight == client.stats().waiting == 0
            return shared.state.due - trio.current_time()

    assert in_virtual_time(run) <= 0.03


@pytest.mark.parametrize("answer", [None, (1, 0, -1), lambda: anyio.sleep(30)], ids=["error", "nonsense", "silence"])
def test_a_limiter_that_cannot_be_reached_costs_little(answer, caplog):
    """The client continues with its own limiter, warns once, and asks again later."""
    lost = Lost(answer)
    bucket = Bucket(burst=50, latency=0.02)
    with caplog.at_level(logging.WARNING, logger="segments_async"):
        seconds, _ = put_by_several(bucket, [lost], 1000)

    warnings = [record.message for record in caplog.records if "cannot be used" in record.message]
    assert len(warnings) == 1
    assert seconds <= 1.35 * (1000 - 50) / RATE
    assert 1 < lost.asked <= 2 * seconds / ALONE_SECONDS + 2


class Silent(View):
    """Answers, but not between two times; it counts the questions."""

    def __init__(self, state, start, end):
        self.state, self.questions, self.keys = state, 0, set()
        self.silent = start, end
        super().__init__(self, "a")

    async def _reach(self, key):
        start, end = self.silent
        if start <= trio.current_time() < end:
            self.questions += 1
            await trio.sleep(end - trio.current_time())
            raise ConnectionError("closed")
        return await super()._reach(key)


def messages(caplog):
    return [record.message for record in caplog.records if record.message.startswith("the shared limiter")]


@pytest.mark.parametrize("limit", ["max_wait", "cancelled"])
def test_impatient_calls_of_a_limiter_that_does_not_answer(limit, caplog):
    """None takes longer than it may. They fail for two seconds in total, and then go without the limiter."""
    silent = Silent(SharedRate(RATE), 0, 60)
    outcomes, reasons = [], set()

    async def get(client):
        started = trio.current_time()
        try:
            with trio.move_on_after(0.4 if limit == "cancelled" else math.inf):
                await client.labels.get("u-1")
                outcomes.append("done")
        except RequestTimeoutError as error:
            reasons.add(str(error))
        assert trio.current_time() - started < 0.41

    async def run():
        async with connect(Bucket(burst=100, latency=0.005), silent) as client:
            for _ in range(40):
                await get(client.with_options(max_wait=0.4) if limit == "max_wait" else client)
                await trio.sleep(1)

    in_virtual_time(run)
    failed = 40 - len(outcomes)
    assert all("shared limiter" in reason for reason in reasons)
    assert failed == 5 if limit == "max_wait" else 5 <= failed <= 12
    assert messages(caplog) == ["the shared limiter cannot be used; this client uses its own: no answer within 1 s"]


def test_a_limiter_that_comes_back(caplog):
    """Both are said once; meanwhile only the call that asks again waits for an answer."""
    caplog.set_level(logging.INFO, logger="segments_async")
    silent = Silent(SharedRate(RATE), 5, 30)
    done_at = []

    async def work(client):
        while trio.current_time() < 40:
            await client.labels.get("u-1")
            done_at.append(trio.current_time())
            await trio.sleep(0.25)

    async def run():
        async with connect(Bucket(burst=50, latency=0.005), silent) as client, trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(work, client)

    in_virtual_time(run)
    meanwhile = [time for time in done_at if 8 <= time < 30]
    assert max(later - time for time, later in pairwise(meanwhile)) < 0.5
    assert silent.state.due > 39
    assert messages(caplog) == [
        "the shared limiter cannot be used; this client uses its own: no answer within 1 s",
        "the shared limiter can be used again",
    ]


def test_a_limiter_that_comes_and_goes_does_not_fill_the_log(caplog):
    caplog.set_level(logging.INFO, logger="segments_async")

    class Unsteady(View):
        async def _reach(self, key):
            if trio.current_time() % 12 < 6:
                raise ConnectionError("no route to host")
            return await super()._reach(key)

    async def run():
        async with connect(Bucket(burst=50, latency=0.005), Unsteady(Shared(RATE), "a")) as client:
            while trio.current_time() < 115:
                await client.labels.get("u-1")
                await trio.sleep(0.5)

    in_virtual_time(run)
    assert len(messages(caplog)) == 4


def test_a_refusal_is_told_within_the_time_of_its_call():
    """Also if the limiter does not answer: the call does not wait for it."""
    silent = Silent(SharedRate(RATE), 0.2, 60)
    bucket = Bucket(burst=1, latency=0.3, whole_seconds=True)

    async def run():
        async with connect(bucket, silent, retry=RetryPolicy(total=1)) as client:
            for _ in range(2):
                with anyio.move_on_after(30), contextlib.suppress(RateLimitError, RequestTimeoutError):
                    await client.labels.get("u-1")
            return trio.current_time()

    assert in_virtual_time(run) < 3.5


@pytest.mark.parametrize(
    "answer", ["nonsense", (-1, 1.0), (2.5,), (1, math.nan), (0, math.inf), (3, 0.0, math.nan), ("3", 0), (3, None)]
)
def test_an_answer_that_makes_no_sense_is_not_followed(answer, caplog):
    put_by_several(Bucket(burst=50, latency=0.02), [Lost(answer)], 20)
    assert [record.message for record in caplog.records if "cannot be used" in record.message]


def test_more_turns_than_were_asked_for_are_not_taken(caplog):
    """Their times alone could fill the memory."""
    put_by_several(Bucket(burst=50, latency=0.02), [Lost((10**12, 0.0, 0.001))], 20)
    assert not messages(caplog)


@pytest.mark.parametrize("options", [{"max_wait": 10}, {"retry": RetryPolicy(total=10)}], ids=["max_wait", "total"])
def test_a_limiter_without_turns(options):
    """Its answer says to ask again at once: it is not asked all the time, and the call ends."""
    lost = Lost(Turns(0))

    async def run():
        async with connect(Bucket(burst=10, latency=0.01), lost) as client:
            with pytest.raises((RequestTimeoutError, RateLimitError), match="not sent"):
                await client.with_options(**options).labels.get("u-1")
            return trio.current_time()

    assert in_virtual_time(run) == pytest.approx(10, abs=0.5)
    assert lost.asked <= 10 / FRESH_SECONDS + 1


def test_an_item_of_a_bulk_run_and_a_limiter_without_turns():
    async def run():
        async with connect(Bucket(burst=10, latency=0.01), Lost(Turns(0, 5))) as client:
            report = await client.labels.put_many(labels(2))
            return report.counts, trio.current_time()

    counts, ended = in_virtual_time(run)
    assert counts == {"failed": 2}
    assert ended == pytest.approx(900, abs=10)


def test_another_error_of_the_client_does_not_stop_a_call():
    """A limiter may be written with this client, or any other: its errors are its own."""

    async def fail():
        raise RateLimitError(detail="of the limiter", retry_after=5.0)

    seconds, _ = put_by_several(Bucket(burst=50, latency=0.02), [Lost(fail)], 20)
    assert seconds < 1


def test_several_clients_of_one_limiter_measure_in_turns():
    """A limiter takes them for one process: without this, each measures a part of the rate."""
    shared = Shared()
    limiter = shared.view("a")
    put_by_several(Bucket(burst=50, latency=0.02, whole_seconds=True), [limiter, limiter], 400)

    assert shared.state.measured == pytest.approx(RATE, rel=0.25)


def test_a_service_that_is_unavailable_now_and_then_has_no_rate():
    """A 503 with a short wait starts no measurement, for which only one client would send."""
    shared = Shared()
    seconds, _ = put_by_several(Unavailable(), [shared.view(name) for name in "ab"], 100)

    assert shared.state.owner == ""
    assert shared.state.held_until < 0
    assert seconds < 60


def test_each_key_and_service_has_its_own_name():
    """Which does not show the key."""
    shared = Shared(RATE)
    bucket = Bucket(burst=1000, latency=0.01)

    async def run():
        for options in [{}, {}, {"base_url": "https://y"}]:
            async with AsyncSegments("secret-key", transport=bucket, limiter=shared.view("a"), **options) as client:
                await client.labels.get("u-1")
                await client.with_options(api_key="other-key").labels.get("u-1")

    trio.run(run)
    assert len(shared.keys) == 4
    assert not any("key" in key for key in shared.keys)


@pytest.mark.parametrize("limiter", ["redis://localhost", object(), 5])
def test_what_is_no_limiter_is_refused(limiter):
    with pytest.raises(InputError, match="expected a SharedLimiter"):
        AsyncSegments("key", limiter=limiter)


def test_turns_are_a_tuple():
    """A limiter may return a plain tuple."""
    assert Turns(*(3, 0.5, 0.1)) == (3, 0.5, 0.1, False)
