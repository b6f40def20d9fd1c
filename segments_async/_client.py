from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

import httpx

from segments_async._session import Session, check_base_url
from segments_async._wire.arguments import check_count
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async.errors import AuthenticationError, InputError
from segments_async.resources import Assets, Datasets, Labels, Releases, Samples
from segments_async.settings import DEFAULT_BASE_URL, Clock, RetryPolicy, timeout_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

MOST_CONNECTIONS = 10_000
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
    the first call; outside ``async with``, call `aclose` at the end.

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
        clock: Clock = Clock(),  # noqa: B008 (frozen)
    ) -> None:
        check_count(max_connections, "max_connections", MOST_CONNECTIONS)
        if http_client is not None and transport is not None:
            raise InputError("excludes transport; give the transport to the client instead", path="http_client")
        if http_client is not None and not isinstance(http_client, httpx.AsyncClient):
            raise InputError(f"expected an httpx.AsyncClient, got {type(http_client).__name__}", path="http_client")
        if not isinstance(retry, RetryPolicy):
            raise InputError(f"expected a RetryPolicy, got {type(retry).__name__}", path="retry")
        self._session = Session(
            api_key=_find_key(api_key),
            base_url=check_base_url(base_url or os.environ.get("SEGMENTS_API_URL") or DEFAULT_BASE_URL),
            timeout=timeout_from(timeout),
            max_connections=max_connections,
            retry=retry,
            transport=transport,
            http_client=http_client,
            clock=clock,
        )
        self.datasets = Datasets(self._session)
        self.samples = Samples(self._session)
        self.labels = Labels(self._session)
        self.releases = Releases(self._session)
        self.assets = Assets(self._session)

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

                issues = await client.request("GET", "/datasets/jane/flowers/issues/")

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
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        self._session.check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncSegments {self._session.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AsyncSegments cannot be copied or pickled: it holds connections and a key; make another")


def _find_key(api_key: str | None) -> str:
    key = os.environ.get("SEGMENTS_API_KEY") if api_key is None else api_key
    if not isinstance(key, str) or not key.strip():
        raise AuthenticationError(
            detail="no API key: pass api_key, or set SEGMENTS_API_KEY to one from https://segments.ai/account"
        )
    key = key.strip()  # a key read from a file ends with a line break
    if not key.isascii() or not key.isprintable() or " " in key:
        # The key itself is not shown, not even a wrong one.
        raise AuthenticationError(
            detail="the API key holds characters that no key has; look at api_key, or SEGMENTS_API_KEY"
        )
    return key
