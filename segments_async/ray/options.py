"""What each worker of a cluster needs to create a client."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from segments_async._client import AsyncSegments
from segments_async.errors import AuthenticationError
from segments_async.settings import RetryPolicy

if TYPE_CHECKING:
    from segments_async.limits import SharedLimiter


@frozen(kw_only=True)
class ClientOptions:
    """
    The arguments of the clients that workers create. It can be pickled, and does not contain the API key.

    Example::

        options = ClientOptions(max_connections=16, limiter=RayLimiter("segments", rate=100))

    Raises:
        InputError: An argument is invalid.
    """

    base_url: str | None = None
    """The URL of the service; by default the worker's environment variable ``SEGMENTS_API_URL``, or the usual URL."""
    timeout: float | None = None
    """Seconds for each phase of a request, as for `AsyncSegments`."""
    max_connections: int = 16
    """Maximum connections of each worker."""
    retry: RetryPolicy = field(factory=RetryPolicy)
    """How often, and after which delays, a failed request is retried."""
    transport: Literal["aiohttp"] | None = None
    """The transport for requests, as for `AsyncSegments`."""
    limiter: SharedLimiter | None = None
    """The rate limit that all workers share, such as a `RayLimiter`."""
    max_answer_mb: float = 512
    """Maximum megabytes (10^6 bytes) of memory that one response may take, as for `AsyncSegments`."""
    key_variable: str = "SEGMENTS_API_KEY"
    """The environment variable of the workers that contains the API key."""

    def __attrs_post_init__(self) -> None:
        self._client("only-to-check-the-arguments")

    def create(self) -> AsyncSegments:
        """
        Create a client with the API key of this process.

        Example::

            async with options.create() as client:
                print(await client.users.me())

        Returns:
            A client, which is for one event loop.

        Raises:
            AuthenticationError: The environment of this process has no API key.
        """
        key = os.environ.get(self.key_variable)
        if not key or not key.strip():
            raise AuthenticationError(
                detail=f"no API key on the worker {socket.gethostname()}: set {self.key_variable} in the environment "
                "of every node, or with ray.init(runtime_env={'env_vars': ...}), which shows the key to all users of "
                "the cluster"
            )
        client = self._client(key)
        place = f"the environment variable {self.key_variable} of {socket.gethostname()}"
        client._session.key_place = place  # noqa: SLF001 (only here does a key come from elsewhere)
        return client

    def _client(self, key: str) -> AsyncSegments:
        return AsyncSegments(
            key,
            base_url=self.base_url,
            timeout=self.timeout,
            max_connections=self.max_connections,
            retry=self.retry,
            transport=self.transport,
            limiter=self.limiter,
            max_answer_mb=self.max_answer_mb,
        )
