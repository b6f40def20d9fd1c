from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import anyio.to_thread
import orjson
from anyio import CancelScope

from segments_async.sandbox.app import Api
from segments_async.sandbox.contents import Contents
from segments_async.sandbox.faults import Drop, Fault, FaultScript, default_content
from segments_async.sandbox.gateway import Gateway
from segments_async.sandbox.origin import STOP_SECONDS, Origin
from segments_async.sandbox.paging import MAX_PER_PAGE
from segments_async.sandbox.signing import Signer
from segments_async.sandbox.state import State
from segments_async.sandbox.storage import ObjectStore, Storage
from segments_async.sandbox.transport import SandboxTransport
from segments_async.sandbox.webhook_calls import NOT_STARTED, WebhookCalls
from segments_async.sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from segments_async.sandbox.calls import Call, Origin as OriginName

MAX_CALLS = 100_000
START_SECONDS = 10.0


class Sandbox(Contents, WebhookCalls):
    """
    An in-memory implementation of the Segments.ai service on two loopback sockets: the API, and a storage like S3.

    It runs its own event loop in a thread, so asyncio, trio and blocking clients can all use it. All data is lost when
    it stops, and a stopped sandbox cannot be started again.

    Roles work as in the service: other users' private datasets return 404, and changes that the role does not allow
    return 403. `add_workunit` and `add_comment` simulate people who work in the browser.

    Example:
        >>> import httpx
        >>> with Sandbox() as sandbox:
        ...     key = {"Authorization": f"APIKey {sandbox.api_key}"}
        ...     print(httpx.get(f"{sandbox.url}/user", headers=key).json()["username"])
        sandbox

    Arguments:
        api_key: The API key of *user*.
        user: The username that belongs to *api_key*.
        other_api_key: The API key of *other_user*.
        other_user: A second user, initially without access to anything of *user*; None for ``"jane"``, or ``"bert"``
            if *user* is ``"jane"``.
        users: Further users, without an API key, who can be added as collaborators.
        organizations: Organizations that can own datasets, with *user* as their administrator.
        latency: Seconds to wait before handling each API request. Also an attribute that can be set later.
        release_seconds: Seconds that a release stays PENDING; with 0, it is done at the first request for it. Also an
            attribute that can be set later.
        max_per_page: Rows per page at most; a request for more gets this many, as from Django REST Framework. Also an
            attribute that can be set later.
        host: The address to listen on.
        port: The port of the API; 0 picks a free port.
        storage_port: The port of the storage; 0 picks a free port.
        clock: Returns the current time of the service, in seconds since the Unix epoch.

    Raises:
        ValueError: Both users have the same name or the same key.
        OSError: On start, if a port is in use or the address is not local.
    """

    def __init__(
        self,
        *,
        api_key: str = "sandbox-key",
        user: str = "sandbox",
        other_api_key: str = "other-sandbox-key",
        other_user: str | None = None,
        users: Iterable[str] = ("bert", "joe"),
        organizations: Iterable[str] = ("acme",),
        latency: float = 0.0,
        release_seconds: float = 0.0,
        max_per_page: int = MAX_PER_PAGE,
        host: str = "127.0.0.1",
        port: int = 0,
        storage_port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api_key = api_key
        self.user = user
        self.other_api_key = other_api_key
        self.other_user: str = other_user or ("bert" if user == "jane" else "jane")
        if api_key == other_api_key or user == self.other_user:
            raise ValueError("other_user and other_api_key must differ from user and api_key.")
        self.organizations: tuple[str, ...] = tuple(organizations)
        self.latency = latency
        self._addresses = ((host, port), (host, storage_port))
        self._clock = clock
        self._store = ObjectStore(Signer(clock))
        self._state = State(
            keys={api_key: user, other_api_key: self.other_user},
            users=users,
            organizations={name: {user: "admin"} for name in self.organizations},
            store=self._store,
            clock=clock,
        )
        self._state.release_seconds = release_seconds
        self._state.max_per_page = max_per_page
        self._webhooks = Webhooks(clock)
        self._state.notify = self._webhooks.notify
        self._calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self._faults = FaultScript()
        self._url = ""
        self._apps: dict[OriginName, Gateway] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self._url or 'not started'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        with CancelScope(shield=True):  # cancelling here would leave a started sandbox that is never stopped
            await anyio.to_thread.run_sync(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)

    def start(self) -> None:
        """
        Start serving; both sockets accept connections when this returns.

        Raises:
            RuntimeError: The sandbox was started before.
        """
        if self._thread is not None:
            raise RuntimeError("This sandbox was started before; create a new one.")
        listeners = _listen(self._addresses)
        self._url, self._store.url = (_url(listener) for listener in listeners)
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(listeners, ready), name="segments-sandbox", daemon=True)
        self._thread.start()
        ready.result(START_SECONDS)

    def stop(self) -> None:
        """Stop serving: close every connection and both sockets, and end the thread. A no-op if not running."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(2 * STOP_SECONDS)

    def _run(self, listeners: list[socket.socket], ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(listeners, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, listeners: list[socket.socket], ready: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        gateway = partial(
            Gateway,
            calls=self._calls,
            faults=self._faults,
            request_ids=map("sandbox-{:06}".format, itertools.count(1)),
            clock=self._clock,
        )
        api = gateway(origin="api", answer=Api(self._state), latency=lambda: self.latency)
        storage = gateway(origin="storage", answer=Storage(self._store), latency=lambda: 0.0)
        self._apps = {"api": api, "storage": storage}
        origins = [Origin(app, listener) for app, listener in zip((api, storage), listeners, strict=True)]
        for origin in origins:
            await origin.start()
        ready.set_result(None)
        await self._stopping.wait()
        await asyncio.gather(*(origin.stop() for origin in origins))
        await self._webhooks.aclose()

    @property
    def url(self) -> str:
        """The base URL of the API, such as ``"http://127.0.0.1:40123"``."""
        return _require_started(self._url)

    @property
    def storage_url(self) -> str:
        """The base URL of the storage."""
        return _require_started(self._store.url)

    def transport(self) -> SandboxTransport:
        """
        Return an httpx transport to the running sandbox, for tests that must not open connections.

        Example:
            ::

                client = AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=sandbox.transport())
        """
        apps = {urlsplit(self.url): self._apps["api"], urlsplit(self.storage_url): self._apps["storage"]}
        assert self._loop is not None  # `url` raises if not started
        return SandboxTransport({(url.hostname or "", url.port): app for url, app in apps.items()}, self._loop)

    @property
    def release_seconds(self) -> float:
        """Seconds that releases created from now on stay PENDING."""
        return self._state.release_seconds

    @release_seconds.setter
    def release_seconds(self, seconds: float) -> None:
        self._state.release_seconds = seconds

    @property
    def max_per_page(self) -> int:
        """Rows per page at most."""
        return self._state.max_per_page

    @max_per_page.setter
    def max_per_page(self, rows: int) -> None:
        self._state.max_per_page = rows

    @property
    def url_seconds(self) -> float:
        """Validity of file URLs signed from now on, in seconds; one hour by default."""
        return self._store.signer.get_seconds

    @url_seconds.setter
    def url_seconds(self, seconds: float) -> None:
        self._store.signer.get_seconds = seconds

    @property
    def fail_releases(self) -> bool:
        """Whether releases created from now on end as FAILED."""
        return self._state.fail_releases

    @fail_releases.setter
    def fail_releases(self, fail: bool) -> None:
        self._state.fail_releases = fail

    def fail(
        self,
        method: str,
        path: str,
        *,
        times: int | None = 1,
        skip: int = 0,
        status: int | None = 503,
        json: Any = None,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        handled: bool = False,
        drop: Drop | None = None,
        delay: float = 0.0,
        stall: float = 0.0,
        rate: float | None = None,
        origin: OriginName = "api",
    ) -> Fault:
        """
        Inject a fault: the next matching requests get *status* instead of the real response.

        Faults apply in the order in which they were added, at most one per request.

        Example:
            >>> with Sandbox() as sandbox:
            ...     fault = sandbox.fail("PUT", "/labels/*", status=429, headers={"Retry-After": "2"})
            ...     print(fault.hits)
            0

        Args:
            method: The HTTP method, such as ``"GET"``; ``"*"`` for all.
            path: The end of the path, such as ``"/samples/"``; or, if it contains a ``*``, a pattern for the whole
                path. It is matched against the path as sent, ignoring a trailing slash.
            times: How many requests it affects; None for all.
            skip: How many matching requests to let through first.
            status: The status of the response; None for the real response, for example with *delay*.
            json: The body of the response, as a JSON value.
            body: The raw body of the response, such as ``b"<html>"`` with status 200. Without *json* and *body*, an
                error has the body that the service (4xx) or the gateway in front of it (5xx) sends.
            headers: The headers of the response.
            content_type: The content type of the response; by default it matches the body.
            handled: Handle the request before sending *status*, like a gateway that times out too early.
            drop: Drop the connection, regardless of *status*: ``"before"`` the request is handled, ``"after"`` it is
                handled, or in the ``"middle"`` of the body of the real response.
            delay: Seconds to wait before handling the request.
            stall: Seconds to wait between handling the request and sending the response.
            rate: Bytes of the response body sent per second; None for no limit.
            origin: The origin of the requests: ``"api"`` or ``"storage"``.

        Returns:
            The fault; its ``hits`` counts the requests it has affected.
        """
        sent = dict(headers or {})
        content, kind = default_content(status or 200, sent)
        if json is not None:
            content, kind = orjson.dumps(json), "application/json"
        elif body is not None:
            content, kind = body.encode() if isinstance(body, str) else body, "application/json"
        fault = Fault(
            method=method.upper(),
            path=path,
            origin=origin,
            times=times,
            skip=skip,
            status=None if drop else status,
            content=content,
            content_type=content_type or kind,
            headers=sent,
            handled=handled or status is None or drop in {"after", "middle"},
            drop=drop,
            delay=delay,
            stall=stall,
            rate=rate,
        )
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Remove all scripted faults."""
        self._faults.clear()

    @property
    def calls(self) -> tuple[Call, ...]:
        """The requests received so far, on both origins, oldest first; at most the last 100,000."""
        return tuple(self._calls)

    def clear_calls(self) -> None:
        """Clear the log of received requests."""
        self._calls.clear()


def _require_started(url: str) -> str:
    if not url:
        raise RuntimeError(NOT_STARTED)
    return url


def _listen(addresses: Iterable[tuple[str, int]]) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        listeners.extend(socket.create_server(address) for address in addresses)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
