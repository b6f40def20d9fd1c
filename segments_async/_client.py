from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

import httpx

from segments_async._http.pool import Pool, Stats
from segments_async._validators import is_number
from segments_async._wire.arguments import check_count
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async._wire.routes import API_STATUS
from segments_async.errors import InputError
from segments_async.hooks import Hooks
from segments_async.settings import DEFAULT_BASE_URL, Clock, RetryPolicy, api_key_from, base_url_from, timeout_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from segments_async._http.session import Session
    from segments_async.resources import (
        Assets,
        Datasets,
        Issues,
        Labels,
        Labelsets,
        Releases,
        Samples,
        Users,
        Workunits,
    )


MAX_CONNECTIONS = 10_000
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class AsyncSegments:
    """
    Talk to Segments.ai.

    Example:
        ::

            async with AsyncSegments() as client:  # the key is in SEGMENTS_API_KEY
                async for sample in client.samples.list("jane/flowers"):
                    print(sample.name)

    One client serves any number of tasks of one event loop, over one pool of connections. Nothing is opened before
    the first call; outside ``async with``, call `aclose` at the end. The first client of a process loads most of this
    package, which an import alone does not: make it where the program starts, and no call waits for that.

    Args:
        api_key: By default the environment's ``SEGMENTS_API_KEY``.
        base_url: By default the environment's ``SEGMENTS_API_URL``, else ``https://api.segments.ai``.
        timeout: Seconds for each phase of a request, or an `httpx.Timeout`. By default 5 to connect, 30 to write, and
            30 to wait for the answer (120 for a batch or a page of samples).
        max_connections: Connections at most, and so requests in flight; further calls wait their turn. Files go over
            as many again, to the storage hosts.
        retry: How often and how patiently a failed request is sent again.
        transport: How requests are sent: an `httpx.AsyncBaseTransport`, or ``"aiohttp"`` (an extra; asyncio only).
        http_client: A whole client of yours, for a proxy or a certificate authority of your own; excludes
            *transport*. It is not closed here, and its auth, headers and cookies are not applied.
        hooks: Functions of yours that look on.
        clock: Where time and chance come from; for tests.

    Raises:
        AuthenticationError: There is no key.
        InputError: An argument makes no sense.
    """

    datasets: Datasets
    """Datasets and who works on them."""
    samples: Samples
    """Samples: what is labelled."""
    labels: Labels
    """Labels, by sample and labelset."""
    releases: Releases
    """Snapshots of a dataset with its labels."""
    labelsets: Labelsets
    """Sets of labels, such as ``ground-truth``."""
    issues: Issues
    """What people note about samples."""
    workunits: Workunits
    """The time that people spend on samples."""
    users: Users
    """Users and organisations."""
    assets: Assets
    """Files in the service's own storage."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        max_connections: int = 32,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 (frozen)
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None = None,
        http_client: httpx.AsyncClient | None = None,
        hooks: Hooks = Hooks(),  # noqa: B008 (frozen)
        clock: Clock = Clock(),  # noqa: B008 (frozen)
    ) -> None:
        # All that knows models is loaded with the first client: not by an import, and before any call waits for it.
        from segments_async._http.session import Session  # noqa: PLC0415

        check_count(max_connections, "max_connections", MAX_CONNECTIONS)
        if http_client is not None and transport is not None:
            raise InputError("excludes transport; give the transport to the client instead", path="http_client")
        if http_client is not None and not isinstance(http_client, httpx.AsyncClient):
            raise InputError(f"expected an httpx.AsyncClient, got {type(http_client).__name__}", path="http_client")
        _check_policy(retry)
        key = api_key_from(api_key)
        pool = Pool(
            base_url=base_url_from(base_url or os.environ.get("SEGMENTS_API_URL") or DEFAULT_BASE_URL),
            max_connections=max_connections,
            transport=transport,
            http_client=http_client,
            clock=clock,
            hooks=hooks,
        )
        self._derived = False
        self._use(Session(pool, api_key=key, timeout=timeout_from(timeout), retry=retry))

    def _use(self, session: Session) -> None:
        from segments_async import resources  # noqa: PLC0415 (as in __init__)

        self._session = session
        self.datasets = resources.Datasets(session)
        self.samples = resources.Samples(session)
        self.labels = resources.Labels(session)
        self.releases = resources.Releases(session)
        self.labelsets = resources.Labelsets(session)
        self.issues = resources.Issues(session)
        self.workunits = resources.Workunits(session)
        self.users = resources.Users(session)
        self.assets = resources.Assets(session)

    def with_options(
        self,
        *,
        api_key: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        retry: RetryPolicy | None = None,
        max_wait: float | None = None,
    ) -> AsyncSegments:
        """
        Make a client with other options over the same connections; it costs no connection and little memory.

        Example:
            ::

                interactive = client.with_options(timeout=3, max_wait=1)
                for_jane = client.with_options(api_key=jane.api_key)

        Clients of one key wait at one gate; another key has a gate of its own. Closing a derived client does nothing,
        closing the first one closes all.

        Args:
            api_key: Another key; None keeps this one's.
            timeout: As for `AsyncSegments`; None keeps this one's.
            retry: Another policy; None keeps this one's.
            max_wait: Seconds that a call waits for its turn at most: longer behind a service that asked for silence
                is a `RateLimitError` at once, longer behind other calls a `RequestTimeoutError`. None keeps this
                one's; `math.inf` takes it away.

        Raises:
            AuthenticationError: *api_key* cannot be a key.
            InputError: An argument makes no sense.
        """
        if retry is not None:
            _check_policy(retry)
        if max_wait is not None and (not is_number(max_wait) or not max_wait >= 0):
            raise InputError(f"expected seconds of at least 0, got {max_wait!r}", path="max_wait")
        client = object.__new__(type(self))
        client._derived = True
        client._use(
            self._session.derive(
                api_key=None if api_key is None else api_key_from(api_key),
                timeout=None if timeout is None else timeout_from(timeout),
                retry=retry,
                max_wait=max_wait,
            )
        )
        return client

    def stats(self) -> Stats:
        """
        Tell what this client, with all that were derived from it, has done so far, and what it does now.

        Example:
            ::

                stats = client.stats()
                print(f"{stats.requests} requests, {stats.retries} of them repeats, {stats.limit} at once")
        """
        return self._session.pool.stats(self._session.gate)

    async def api_status(self, lib_version: str | None = None) -> None:
        """
        Ask whether the service is up and takes this key, such as in a readiness check.

        Example:
            ::

                await client.with_options(timeout=3, max_wait=1).api_status()

        Args:
            lib_version: A version of the official SDK, whose successor the service may ask for; None asks for no
                version's sake.

        Raises:
            ApiError: It is not up. With status 426 it wants a newer *lib_version*.
            AuthenticationError: It does not take the key.
        """
        await self._session.call(API_STATUS, params={"lib_version": lib_version})

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
    ) -> Any:
        """
        Call any other endpoint of the service.

        Example:
            ::

                latest = await client.request("GET", "/any/other/endpoint/", params={"page": 1})

        Args:
            method: Such as ``"GET"``.
            path: As written, from ``/`` on: escape what is odd in it, and mind the trailing slash.
            params: The query; each value is escaped, None is left out.
            json: The body: JSON, or models.
            repeatable: Whether it may be sent again after its answer was lost; by default all but POST.

        Returns:
            The decoded JSON; None if the answer is empty.

        Raises:
            OutcomeUnknownError: The answer was lost, and it may not be sent again.
        """
        if not isinstance(method, str) or method.upper() not in _METHODS:
            raise InputError(f"expected one of {', '.join(sorted(_METHODS))}, got {method!r}", path="method")
        if not isinstance(path, str) or not path.startswith("/") or not path.isprintable():
            raise InputError(f"expected a path from '/' on, got {path!r}", path="path")
        safe = method.upper() != "POST" if repeatable is None else repeatable
        endpoint = Endpoint(
            method=method.upper(),
            path=path.replace("{", "{{").replace("}", "}}"),
            repeat=Repeat.SAFE if safe else Repeat.NEVER,
        )
        return await self._session.call_any(endpoint, params=params, json=json)

    async def aclose(self) -> None:
        """
        Close the connections; further calls raise `ClientStateError`. Closing twice does nothing.

        Example:
            ::

                client = AsyncSegments()
                try:
                    await client.datasets.list()
                finally:
                    await client.aclose()
        """
        if not self._derived:
            await self._session.pool.aclose()

    async def __aenter__(self) -> Self:
        self._session.pool.check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncSegments {self._session.pool.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AsyncSegments cannot be copied or pickled: it holds connections and a key; make another")


def _check_policy(retry: object) -> None:
    if not isinstance(retry, RetryPolicy):
        raise InputError(f"expected a RetryPolicy, got {type(retry).__name__}", path="retry")
