from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, overload

from segments_async._http.lean_import import without_command_line
from segments_async._logging import log_as_the_environment_says
from segments_async._misuse import NeedsAsyncWith, no_attribute
from segments_async._validators import is_number
from segments_async._wire.arguments import check_count
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async._wire.routes import API_STATUS
from segments_async.errors import InputError
from segments_async.hooks import Hooks
from segments_async.settings import (
    DEFAULT_BASE_URL,
    Clock,
    RetryPolicy,
    api_key_from,
    base_url_from,
    masked,
    timeout_from,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import httpx

    from segments_async._http.pool import Stats
    from segments_async._http.session import Session
    from segments_async._wire.raw_response import RawResponse
    from segments_async.limits import SharedLimiter
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


class AsyncSegments(NeedsAsyncWith):
    """
    An async client of Segments.ai.

    Example::

        async with AsyncSegments() as client:  # the key is in SEGMENTS_API_KEY
            async for sample in client.samples.list("jane/flowers"):
                print(sample.name)

    One client serves any number of tasks of one event loop, with one connection pool. The first call opens the first
    connection; outside ``async with``, call `aclose` at the end. Most of this package is imported when the first
    client of a process is created, so create it when the program starts.

    Args:
        api_key: The API key; by default the environment variable ``SEGMENTS_API_KEY``.
        base_url: The URL of the service; by default the environment variable ``SEGMENTS_API_URL``, otherwise
            ``https://api.segments.ai``.
        timeout: Seconds for each phase of a request, or an `httpx.Timeout`. By default 5 to connect, 30 to write, and
            30 to wait for the response (120 for a batch or a page of samples). Files have no limit on their whole time;
            a transfer of less than 1024 bytes per second over three minutes ends as a `RequestTimeoutError`.
        max_connections: Maximum connections to the API, and so requests in flight; further calls wait. Uploads to and
            downloads from storage hosts use up to as many additional connections.
        retry: How often, and after which delays, a failed request is retried.
        transport: The transport for requests: an `httpx.AsyncBaseTransport`, or ``"aiohttp"`` (an extra; asyncio only).
        http_client: Your own httpx client, for example with a proxy or a custom certificate authority; cannot be
            combined with *transport*. `aclose` does not close it. Its auth, headers and cookies are not used.
        hooks: Callbacks that observe requests.
        clock: The sources of time and randomness; for tests.
        limiter: A limiter that several processes share, such as `segments_async.limits.RedisLimiter`, so that they
            respect the rate limit of the service together. Its waits count against ``max_wait``; if it cannot be
            reached, a warning is logged, and the client uses its own limiter. It does not apply to storage hosts.
        max_answer_mb: Maximum megabytes (10^6 bytes) of memory that one response may take; a larger one is a
            `DecodeError`. Its text must fit after decompression. The text and the values that it is decoded to must fit
            with 64 MB more; their size is estimated before, as up to 100 times that of the text. A page of 1000
            samples or a label of 100,000 points takes less than 64 MB. Files have limits of their own.

    Raises:
        AuthenticationError: There is no API key.
        InputError: An argument is invalid.
    """

    datasets: Datasets
    """Datasets and their collaborators."""
    samples: Samples
    """Samples, the items that are labelled."""
    labels: Labels
    """Labels, by sample and labelset."""
    releases: Releases
    """Snapshots of a dataset with its labels."""
    labelsets: Labelsets
    """Sets of labels, such as ``ground-truth``."""
    issues: Issues
    """Issues that people report about samples."""
    workunits: Workunits
    """Work units: the time that people spend on samples."""
    users: Users
    """Users and organisations."""
    assets: Assets
    """Files in the storage of the service."""

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
        limiter: SharedLimiter | None = None,
        max_answer_mb: float = 512,
    ) -> None:
        api_key = masked(api_key)  # before anything can raise
        # Importing httpx and the models is slow, so the first client does it: not the import, and not a call.
        with without_command_line():
            from segments_async._http.pool import MB, Pool  # noqa: PLC0415
            from segments_async._http.session import Session  # noqa: PLC0415

        if not is_number(max_answer_mb) or not 0 < max_answer_mb < math.inf:
            raise InputError(f"expected megabytes above 0, got {max_answer_mb!r}", path="max_answer_mb")
        check_count(max_connections, "max_connections", MAX_CONNECTIONS)
        _check_http_client(http_client, transport)
        _check_retry(retry)
        _check_limiter(limiter)
        log_as_the_environment_says()
        key = api_key_from(api_key)
        pool = Pool(
            base_url=base_url_from(base_url or os.environ.get("SEGMENTS_API_URL") or DEFAULT_BASE_URL),
            max_connections=max_connections,
            transport=transport,
            http_client=http_client,
            clock=clock,
            hooks=hooks,
            max_answer_bytes=int(max_answer_mb * MB),
            limiter=limiter,
        )
        self._derived = False
        place = "the argument api_key" if api_key is not None else "the environment variable SEGMENTS_API_KEY"
        session = Session(pool, api_key=key, timeout=timeout_from(timeout), retry=retry, key_place=place)
        self._set_session(session)

    def _set_session(self, session: Session) -> None:
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
        Create a client with other options that shares the connections of this one; it needs little memory.

        Example::

            interactive = client.with_options(timeout=3, max_wait=1)
            for_jane = client.with_options(api_key=jane.api_key)

        Clients with the same key share one rate limiter; each other key has its own. Closing a derived client does
        nothing; closing the original client closes all.

        Args:
            api_key: Another API key; None keeps the current one.
            timeout: As for `AsyncSegments`; None keeps the current timeout.
            retry: Another policy; None keeps the current one.
            max_wait: Maximum seconds that a call waits before its request is sent. If throttling by the service
                requires a longer wait, the call raises `RateLimitError` at once; if it waits longer for other calls,
                it raises `RequestTimeoutError`. None keeps the current limit; `math.inf` removes it.

        Raises:
            AuthenticationError: *api_key* cannot be an API key.
            InputError: An argument is invalid.
        """
        api_key = masked(api_key)  # before anything can raise
        if retry is not None:
            _check_retry(retry)
        if max_wait is not None and (not is_number(max_wait) or not max_wait >= 0):
            raise InputError(f"expected seconds of at least 0, got {max_wait!r}", path="max_wait")
        client = object.__new__(type(self))
        client._derived = True
        client._set_session(
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
        Return the counters and the current state of this client and all clients derived from it.

        Example::

            stats = client.stats()
            print(f"{stats.requests} requests, {stats.retries} of them retries, up to {stats.limit} in flight")
        """
        return self._session.pool.stats(self._session.gate)

    async def api_status(self, lib_version: str | None = None) -> None:
        """
        Check that the service is available and accepts the API key, for example in a readiness check.

        Example::

            await client.with_options(timeout=3, max_wait=1).api_status()

        Args:
            lib_version: A version of the official SDK, to check whether the service still supports it; None skips this
                check.

        Raises:
            ApiError: The service is not available. Status 426 means that it requires a newer *lib_version*.
            AuthenticationError: The service rejects the API key.
        """
        await self._session.call(API_STATUS, params={"lib_version": lib_version})

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        raw: Literal[True],
    ) -> RawResponse: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        raw: bool = False,
    ) -> Any: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        raw: bool = False,
    ) -> Any:
        """
        Call any endpoint of the service, for example one that has no method in this package.

        Example::

            latest = await client.request("GET", "/any/other/endpoint/", params={"page": 1})
            answer = await client.request("GET", "/user", raw=True)
            print(answer.status, answer.headers["content-type"], answer.body)

        Args:
            method: The HTTP method, such as ``"GET"``.
            path: The path, starting with ``/``. It is sent unchanged: escape special characters, and include the
                trailing slash if there is one.
            params: Query parameters; values are escaped, and None values are omitted.
            json: The request body: JSON values or models.
            repeatable: Whether the request may be sent again if its response is lost; by default True except for POST.
            raw: Whether to return the response as it came, with its status and headers. Errors and retries are the
                same, but for a DELETE that is repeated after a lost response: its 404 is a `NotFoundError`.

        Returns:
            The decoded JSON, or None if the response is empty; with *raw*, a `RawResponse`.

        Raises:
            OutcomeUnknownError: The response was lost, and the request may not be sent again.
        """
        if not isinstance(method, str) or method.upper() not in _METHODS:
            raise InputError(f"expected one of {', '.join(sorted(_METHODS))}, got {method!r}", path="method")
        if not isinstance(path, str) or not path.startswith("/") or not path.isprintable():
            raise InputError(f"expected a path that starts with '/', got {path!r}", path="path")
        safe = method.upper() != "POST" if repeatable is None else repeatable
        endpoint = Endpoint(
            method=method.upper(),
            path=path.replace("{", "{{").replace("}", "}}"),
            repeat=Repeat.SAFE if safe else Repeat.NEVER,
            raw=raw,
        )
        return await self._session.call_any(endpoint, params=params, json=json)

    async def aclose(self) -> None:
        """
        Close the connections; further calls raise `ClientStateError`. Closing twice does nothing.

        Example::

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

    if not TYPE_CHECKING:  # type checkers would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            raise no_attribute(self, name)

    def __repr__(self) -> str:
        session = getattr(self, "_session", None)  # tools print clients whose construction failed
        return "<AsyncSegments>" if session is None else f"<AsyncSegments {session.pool.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AsyncSegments cannot be copied or pickled: it contains connections; create another one")


def _check_retry(retry: object) -> None:
    if not isinstance(retry, RetryPolicy):
        raise InputError(f"expected a RetryPolicy, got {type(retry).__name__}", path="retry")


def _check_http_client(http_client: object, transport: object) -> None:
    import httpx  # noqa: PLC0415 (as in __init__)

    if http_client is not None and transport is not None:
        raise InputError(
            "cannot be combined with transport; pass the transport to the httpx.AsyncClient instead",
            path="http_client",
        )
    if http_client is not None and not isinstance(http_client, httpx.AsyncClient):
        raise InputError(f"expected an httpx.AsyncClient, got {type(http_client).__name__}", path="http_client")


def _check_limiter(limiter: object) -> None:
    missing = [name for name in ("reserve", "give_back", "refused", "learned") if not hasattr(limiter, name)]
    if limiter is not None and missing:
        raise InputError(f"expected a SharedLimiter; {type(limiter).__name__} has no {missing[0]}()", path="limiter")
