"""A service with a rate limit, in virtual time: trio's clock jumps to the next event."""

from __future__ import annotations

import math
import random

import httpx
import trio

RATE = 100.0


class Bucket(httpx.AsyncBaseTransport):
    """
    A service that allows `RATE` calls a second, and *burst* at once, and names the wait when it refuses.

    Args:
        burst: Calls at once.
        latency: Seconds of an answer.
        whole_seconds: Whether waits are rounded up to whole seconds.
        grace: Seconds after the answer in which calls that came before it may still arrive.
    """

    def __init__(self, *, burst, latency, whole_seconds=False, grace=0.0):
        self.burst = self._tokens = burst
        self._latency = latency
        self._whole_seconds = whole_seconds
        self._filled = 0.0
        self._grace = grace
        self._silent_from = self._silent_until = -math.inf
        self._chance = random.Random(7)
        self.running = self.most_running = 0
        self.refused = 0
        self.too_early = 0
        """Requests that came although a refusal, which the client had heard, asked for silence."""

    async def handle_async_request(self, request):
        now = trio.current_time()
        self.too_early += self._silent_from + self._grace <= now < self._silent_until - 1e-9
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * RATE)
        self._filled = now
        missing = 1 - self._tokens
        self._tokens -= missing <= 0
        await trio.sleep(self._latency * self._chance.uniform(0.8, 1.2))
        self.running -= 1
        if missing <= 0:
            return httpx.Response(200, json={"sample_uuid": "u", "attributes": {}})
        wait = math.ceil(missing / RATE) if self._whole_seconds else missing / RATE
        self.refused += 1
        if trio.current_time() >= self._silent_until:
            self._silent_from = trio.current_time()
        self._silent_until = max(self._silent_until, trio.current_time() + wait)
        return httpx.Response(429, headers={"Retry-After": f"{wait}"}, json={"detail": "Request was throttled."})


class Unavailable(httpx.AsyncBaseTransport):
    """A service that answers 503 to each twentieth call, and asks to wait for a second."""

    def __init__(self):
        self._calls = 0

    async def handle_async_request(self, request):
        self._calls += 1
        is_refused = self._calls % 20 == 0
        await trio.sleep(0.05)
        if is_refused:
            return httpx.Response(503, headers={"Retry-After": "1"}, json={"detail": "Try again."})
        return httpx.Response(200, json={"sample_uuid": "u", "attributes": {}})
