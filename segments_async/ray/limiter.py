"""A limiter in an actor, for all workers of a cluster."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from functools import partial
from typing import Any

import ray

from segments_async._wire.shared_rate import SharedRate, Turns, check_fixed_rate
from segments_async.errors import InputError

NAMESPACE = "segments_async"
"""The namespace of the actors, so that jobs with other namespaces share them."""


class RateActor:
    """The rates of all keys; Ray runs it as an actor, one call at a time."""

    def __init__(self) -> None:
        self._rates: dict[str, SharedRate] = {}

    def call(self, step: str, key: str, owner: str, value: float, fixed: float | None) -> Turns | None:
        """Take a step of `SharedRate` for a key, now."""
        rate = self._rates.setdefault(key, SharedRate(fixed))
        rate.fixed = fixed
        now = time.monotonic()
        if step == "reserve":
            return rate.reserve(now, owner, int(value))
        if step == "learned":
            rate.learned(now, owner, value)
        else:
            getattr(rate, step)(now, value)
        return None


class RayLimiter:
    """
    Share the rate limit of the service with all workers of a Ray cluster.

    If the service asks one worker to wait, all of them wait, as with `segments_async.limits.RedisLimiter`. The state is
    in a named actor, which the first call creates, and which needs no CPU of the cluster. It outlives jobs, so that
    several jobs share it. It works on asyncio only.

    Example::

        options = ClientOptions(limiter=RayLimiter("segments", rate=100))

    Args:
        name: The name of the actor, in the namespace ``segments_async``.
        rate: Calls per second that the service allows one API key, for all workers together. By default it is measured.

    Raises:
        InputError: *name* is not a name, or *rate* is not a number from 0.000001, below 1e9.
    """

    def __init__(self, name: str, rate: float | None = None) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"expected the name of an actor, got {name!r}", path="name")
        check_fixed_rate(rate)
        self._name = name
        self._rate = rate
        self._owner = uuid.uuid4().hex
        self._actor: Any = None
        self._node: str | None = None
        """Where this process was when it found the actor: a handle is for one cluster."""

    def connect(self, seconds: float = 30.0) -> None:
        """
        Wait until the actor has started, which takes longer than a client waits for its turns.

        The functions of this module do it. Without it, the first calls of a client of your own are not limited.

        Example::

            limiter = RayLimiter("segments", rate=100)
            limiter.connect()
            client = AsyncSegments(limiter=limiter)

        Args:
            seconds: Maximum seconds to wait. A client continues without the limiter, and logs why.
        """
        if self._is_known():
            return
        with suppress(Exception):
            self._actor = self._get_actor()
            ray.get(self._actor.__ray_ready__.remote(), timeout=seconds)

    async def reserve(self, key: str, most: int, /) -> Turns:
        """Give this process up to *most* turns; 0 asks only whether calls must wait now."""
        turns: Turns = await self._call("reserve", key, most)
        return turns

    async def give_back(self, key: str, count: int, /) -> None:
        """Take back *count* turns that were not used."""
        await self._call("give_back", key, count)

    async def refused(self, key: str, seconds: float, /) -> None:
        """Pause the calls of all workers for *seconds*."""
        await self._call("refused", key, seconds)

    async def learned(self, key: str, rate: float, /) -> None:
        """Use the *rate* that this process measured, in calls per second."""
        await self._call("learned", key, rate)

    async def _call(self, step: str, key: str, value: float) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise InputError("RayLimiter works on asyncio only, as Ray does") from None
        try:
            if not self._is_known():
                self._actor = await asyncio.to_thread(self._get_actor)
            return await self._actor.call.remote(step, key, self._owner, value, self._rate)
        except Exception:
            self._actor = None  # the next call finds it again, or creates another one
            raise

    def _is_known(self) -> bool:
        # Without this check, a handle of a cluster that has ended would start another one.
        return self._actor is not None and ray.is_initialized() and self._node == _this_node()

    def _get_actor(self) -> Any:
        if not ray.is_initialized():
            raise RuntimeError("RayLimiter works in Ray's workers, and after ray.init()")
        self._node = _this_node()
        options = {"name": self._name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
        return ray.remote(num_cpus=0, max_restarts=-1)(RateActor).options(**options).remote()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self._name, self._rate), ()

    def __repr__(self) -> str:
        return f"RayLimiter({self._name!r}, rate={self._rate!r})"


def _this_node() -> str:
    return str(ray.get_runtime_context().get_node_id())
