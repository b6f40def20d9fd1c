from __future__ import annotations

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from segments_async._wire.limiter import TOKENS_PER_CONNECTION, TOKENS_PER_SUCCESS, Budget, Limiter, Ticket


class Calls:
    """Calls at a limiter, and the order in which they were admitted."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.admitted: list[int] = []

    def enter(self, number: int, *, now: float = 0.0, first: bool = False) -> Ticket:
        ticket = Ticket(lambda: None)
        ticket.notify = lambda: self.admitted.append(number) if ticket.admitted else None
        self.limiter.enter(ticket, now, first=first)
        return ticket


def test_calls_go_first_come_first_served():
    limiter = Limiter(2)
    calls = Calls(limiter)
    tickets = [calls.enter(number) for number in range(5)]

    assert calls.admitted == [0, 1]
    limiter.leave(tickets[1], 0.0)
    assert calls.admitted == [0, 1, 2]
    assert limiter.waiting == 2


def test_refused_calls_go_first():
    limiter = Limiter(1)
    calls = Calls(limiter)
    running = calls.enter(0)
    calls.enter(1)
    calls.enter(2, first=True)
    limiter.leave(running, 0.0)

    assert calls.admitted == [0, 2]


def test_a_pause_stops_all_calls_and_is_never_shortened():
    limiter = Limiter(4)
    calls = Calls(limiter)
    limiter.pause(7.0)
    limiter.pause(3.0)
    calls.enter(0, now=0.0)
    limiter.advance(6.9)

    assert calls.admitted == []
    limiter.advance(7.0)
    assert calls.admitted == [0]


def test_one_halving_for_all_calls_in_flight():
    """32 calls that are refused together halve the limit once."""
    limiter = Limiter(32)
    calls = Calls(limiter)
    together = [calls.enter(number) for number in range(32)]
    for ticket in together:
        limiter.throttled(ticket)
        limiter.leave(ticket, 0.0)

    assert limiter.limit == 16
    limiter.throttled(calls.enter(99))
    assert limiter.limit == 8


def test_the_limit_is_never_below_one():
    limiter = Limiter(4)
    calls = Calls(limiter)
    for number in range(20):
        ticket = calls.enter(number)
        limiter.throttled(ticket)
        limiter.leave(ticket, 0.0)

    assert limiter.limit == 1
    assert len(calls.admitted) == 20


def test_the_limit_widens_only_while_it_binds():
    limiter = Limiter(8)
    calls = Calls(limiter)
    limiter.throttled(calls.enter(0))
    alone = calls.enter(1)
    limiter.succeeded(alone, 0.0)
    assert limiter.limit == 4

    calls.enter(2)
    last = calls.enter(3)  # the fourth in flight
    limiter.succeeded(last, 0.0)
    assert limiter.limit == 4.5


def test_answers_from_before_a_halving_do_not_widen():
    limiter = Limiter(2)
    calls = Calls(limiter)
    one, other = calls.enter(0), calls.enter(1)
    limiter.throttled(one)
    limiter.succeeded(other, 0.0)

    assert limiter.limit == 1


def test_back_at_four_fifths_within_ten_round_trips():
    """From the narrowest on, a full gate of 32 is wide again soon after the throttling ends."""
    limiter = Limiter(32)
    limiter.limit = 1.0
    calls = Calls(limiter)
    trips = 0
    while limiter.limit < 0.8 * 32:
        tickets = [calls.enter(number) for number in range(int(limiter.limit))]
        for ticket in tickets:
            ticket.was_limited = True  # others wait behind it
            limiter.succeeded(ticket, 0.0)
            limiter.leave(ticket, 0.0)
        trips += 1

    assert trips <= 10


def test_a_cancelled_call_wakes_the_next():
    """The first in the queue waits for the end of a pause; when it leaves, the next is notified."""
    limiter = Limiter(1)
    limiter.pause(5.0)
    notified: list[str] = []
    head, second = Ticket(lambda: notified.append("head")), Ticket(lambda: notified.append("second"))
    limiter.enter(head, 0.0)
    limiter.enter(second, 0.0)
    limiter.withdraw(head, 1.0)

    assert notified == ["second"]
    assert limiter.is_head(second)


def test_a_pause_wakes_the_next_call():
    """It waited for a free slot, and now has to wait for the end of the pause."""
    limiter = Limiter(1)
    notified: list[str] = []
    limiter.enter(Ticket(lambda: None), 0.0)
    limiter.enter(Ticket(lambda: notified.append("next")), 0.0)
    limiter.pause(5.0)

    assert notified == ["next"]


class Gate(RuleBasedStateMachine):
    """Any mixture of calls that arrive, are cancelled, answered or refused, with pauses between."""

    @initialize(capacity=st.integers(1, 6))
    def start(self, capacity: int) -> None:
        self.limiter = Limiter(capacity)
        self.now = 0.0
        self.queue: list[Ticket] = []
        self.running: list[Ticket] = []

    def _admit(self, ticket: Ticket) -> None:
        if not ticket.admitted:
            return  # notified that it is first in the queue
        assert self.queue[0] is ticket, "first in, first out"
        assert self.now >= self.limiter.paused_until, "nothing is sent early"
        assert self.limiter.in_flight <= int(self.limiter.limit), "never above the limit"
        self.running.append(self.queue.pop(0))

    @rule(first=st.booleans())
    def enter(self, first) -> None:
        ticket = Ticket(lambda: self._admit(ticket))
        self.queue.insert(0 if first else len(self.queue), ticket)
        self.limiter.enter(ticket, self.now, first=first)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), verdict=st.sampled_from(["good", "throttled", "rate", "failed"]))
    def answer(self, data: st.DataObject, verdict: str) -> None:
        ticket = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if verdict == "good":
            self.limiter.succeeded(ticket, self.now)
        elif verdict == "throttled":
            self.limiter.throttled(ticket)
        elif verdict == "rate":
            self.limiter.throttled(ticket, 1.0)
            self.limiter.pause(self.now + 1.0)
        self.limiter.leave(ticket, self.now)

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = self.queue.pop(data.draw(st.integers(0, len(self.queue) - 1)))
        self.limiter.withdraw(ticket, self.now)

    @rule(seconds=st.floats(0, 5))
    def pause(self, seconds: float) -> None:
        self.limiter.pause(self.now + seconds)

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.limiter.advance(self.now)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "limiter"):
            return
        assert self.limiter.in_flight == len(self.running)
        assert self.limiter.waiting == len(self.queue)
        assert 1 <= self.limiter.limit <= self.limiter.capacity
        if self.now >= self.limiter.closed_until and self.running == []:
            # The first in the queue sees that its time has come; after that, no call waits without reason.
            self.limiter.advance(self.now)
            assert self.queue == [] or self.running


TestGate = Gate.TestCase
TestGate.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


def test_budget_is_empty_at_half():
    budget = Budget(1)
    for _ in range(TOKENS_PER_CONNECTION // 2 - 1):
        budget.failed()
    assert not budget.is_empty
    budget.failed()
    assert budget.is_empty
    budget.succeeded()
    assert not budget.is_empty


def test_budget_is_bounded_on_both_sides():
    budget = Budget(1)
    budget.succeeded()
    assert budget.tokens == TOKENS_PER_CONNECTION
    for _ in range(1000):
        budget.failed()
    assert budget.tokens == 0


def test_a_service_that_fails_seldom_never_empties_the_budget():
    budget = Budget(1)
    for _ in range(1000):
        budget.failed()
        for _ in range(round(1 / TOKENS_PER_SUCCESS)):
            budget.succeeded()
    assert not budget.is_empty
