"""Several processes behind one shared limiter, in virtual time: the gates of the client, without its HTTP."""

from __future__ import annotations

import math
import random
from typing import Any

import anyio
import trio
import trio.testing
from attrs import Factory, define, field
from trio._core import _run

from segments_async import Clock, RateLimitError
from segments_async._http.gate import Gate
from segments_async._wire.shared_rate import SharedRate


@define
class Network:
    """
    A way to a server.

    Args:
        seconds: There and back, on average.
        chance: The source of randomness; each way takes from half to one and a half of its mean.
    """

    seconds: float
    chance: random.Random = Factory(lambda: random.Random(3))

    async def cross(self):
        """Wait for one way."""
        await trio.sleep(self.seconds / 2 * self.chance.uniform(0.5, 1.5))


@define
class Service:
    """
    A token bucket.

    Args:
        rate: Calls per second.
        burst: Calls at once.
        whole_seconds: Whether waits are rounded up to whole seconds.
        random_refusals: The share of calls that are refused although there are tokens.
        grace: Seconds after an answer in which other processes may not have heard of it yet.
        seed: Decides which calls are refused at random.
    """

    rate: float = 100.0
    burst: int = 50
    whole_seconds: bool = True
    random_refusals: float = 0.0
    grace: float = 0.0
    seed: int = 1
    accepted: int = 0
    refused: int = 0
    late: int = 0
    """Calls that came in a wait which all processes should have known."""
    _tokens: float = field(default=0.0, init=False)
    _filled: float = field(default=-math.inf, init=False)
    _silent_from: float = field(default=-math.inf, init=False)
    _silent_until: float = field(default=-math.inf, init=False)
    _chance: random.Random = field(init=False)

    def __attrs_post_init__(self):
        self._chance = random.Random(100 + self.seed)

    def take(self) -> float | None:
        """Accept a call, or return the seconds to wait."""
        now = trio.current_time()
        self.late += self._silent_from + self.grace <= now < self._silent_until - 1e-9
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        if self._tokens >= 1 and self._chance.random() >= self.random_refusals:
            self._tokens -= 1
            self.accepted += 1
            return None
        self.refused += 1
        wait = max(0.0, 1 - self._tokens) / self.rate
        wait = max(1.0, math.ceil(wait)) if self.whole_seconds else wait
        if now >= self._silent_until:
            self._silent_from = now
        self._silent_until = max(self._silent_until, now + wait)
        return wait


@define
class Store:
    """
    Where the state is: Redis, or an actor.

    Args:
        told: The rate that its processes say.
        network: The way there.
        is_down: Says at a time whether it answers.
        skew: Seconds that its clock is ahead, at a time.
    """

    told: float | None = None
    network: Network = Factory(lambda: Network(0.001))
    is_down: Any = lambda now: False
    skew: Any = lambda now: 0.0
    questions: int = 0
    state: SharedRate = field(init=False)

    def __attrs_post_init__(self):
        self.state = SharedRate(self.told)

    async def step(self, name, *arguments):
        """Take a step of `SharedRate`."""
        await self.network.cross()
        now = trio.current_time()
        if self.is_down(now):
            raise ConnectionError("no route to host")
        self.questions += 1
        answer = getattr(self.state, name)(now + self.skew(now), *arguments)
        await self.network.cross()
        return answer


@define
class View:
    """The limiter of one process."""

    store: Store
    name: str

    async def reserve(self, _key, most, /):
        return await self.store.step("reserve", self.name, most)

    async def give_back(self, _key, count, /):
        await self.store.step("give_back", count)

    async def refused(self, _key, seconds, /):
        await self.store.step("refused", seconds)

    async def learned(self, _key, rate, /):
        await self.store.step("learned", self.name, rate)


@define
class Process:
    """
    A process with one client, which sends *calls*.

    Args:
        name: Its name.
        limiter: The limiter that it shares; None if it has only its own.
        calls: How many it sends.
        connections: How many it has in flight at most.
        service: The service.
        network: The way there.
        starts_at: Seconds until it starts.
        dies_at: When it is killed, with its calls.
        clock_ahead: Seconds that its own clock is ahead.
        work: Seconds for which a call keeps its process busy, half of them before it is sent.
    """

    name: str
    limiter: View | None
    calls: int
    service: Service
    network: Network
    connections: int = 32
    starts_at: float = 0.0
    dies_at: float = math.inf
    clock_ahead: float = 0.0
    work: float = 0.0
    done_at: list[float] = Factory(list)
    gate: Gate = field(init=False)
    _working: trio.Lock = Factory(trio.Lock)

    def __attrs_post_init__(self):
        clock = Clock(
            monotonic=lambda: trio.current_time() + self.clock_ahead,
            sleep=anyio.sleep,
            random=random.Random(self.name).random,
        )
        self.gate = Gate(self.connections, clock, self.limiter and (self.limiter, "k"))

    async def run(self):
        """Send all calls, from one task a connection."""
        await trio.sleep(self.starts_at)
        with trio.CancelScope(deadline=self.dies_at):
            async with trio.open_nursery() as nursery:
                remaining = iter(range(self.calls))
                for _ in range(self.connections):
                    nursery.start_soon(self._work, remaining)

    async def _work(self, remaining):
        for _ in remaining:
            await self.send()
            self.done_at.append(trio.current_time())

    async def send(self):
        """Send one call until it is accepted, as a session does."""
        first = False
        while not await self._attempt(first):
            first = True

    async def _attempt(self, first):
        ticket = await self.gate.enter(first=first)
        try:
            await self._work_for(self.work / 2)
            await self.network.cross()
            wait = self.service.take()
            await self.network.cross()
            await self._work_for(self.work / 2)
            if wait is None:
                self.gate.succeeded(ticket)
                return True
            error = RateLimitError(detail="throttled", retry_after=wait)
            self.gate.failed(ticket, error)
            await self.gate.notify_others(error, math.inf)
            return False
        finally:
            self.gate.leave(ticket)

    async def _work_for(self, seconds):
        if seconds:
            async with self._working:
                await trio.sleep(seconds)


@define
class World:
    """
    Processes, a service, and the store of their limiter.

    Args:
        service: The service.
        store: The store of the limiter; None if each process has only its own.
        latency: Seconds to the service and back.
    """

    service: Service
    store: Store | None
    latency: float = 0.02
    processes: list[Process] = Factory(list)
    seconds: float = 0.0

    def add(self, calls, **options):
        """Add a process."""
        name = f"p{len(self.processes)}"
        limiter = View(self.store, name) if self.store else None
        process = Process(name, limiter, calls, self.service, Network(self.latency), **options)
        self.processes.append(process)
        return process

    def run(self, seed=1):
        """Run all processes to their ends; the same *seed* gives the same run."""
        _run._r.seed(seed)  # trio's scheduler; there is no public way
        before, _run._ALLOW_DETERMINISTIC_SCHEDULING = _run._ALLOW_DETERMINISTIC_SCHEDULING, True
        try:
            trio.run(self._run, clock=trio.testing.MockClock(autojump_threshold=0))
        finally:
            _run._ALLOW_DETERMINISTIC_SCHEDULING = before

    async def _run(self):
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            for process in self.processes:
                nursery.start_soon(process.run)
        self.seconds = trio.current_time() - started

    @property
    def ratio(self):
        """The time as a multiple of the least that the service allows."""
        return self.seconds / max(1e-9, (self.service.accepted - self.service.burst) / self.service.rate)

    def shares(self, of=1.0):
        """The calls of each process in the last *of* of the time in which all of them sent."""
        end = min(process.done_at[-1] for process in self.processes)
        return [sum(end * (1 - of) < time <= end for time in process.done_at) for process in self.processes]
