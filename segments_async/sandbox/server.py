from __future__ import annotations

import asyncio
import itertools
import threading
import time
import warnings
from collections import deque
from concurrent.futures import Future
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import anyio.to_thread
from anyio import CancelScope

from segments_async.sandbox.addresses import UNREACHABLE, Address, is_wildcard, listen, url_of
from segments_async.sandbox.adjustments import Adjustments
from segments_async.sandbox.app import Api
from segments_async.sandbox.arguments import check_choice, check_count, check_key, check_name, check_names
from segments_async.sandbox.contents import Contents
from segments_async.sandbox.fault_calls import FaultCalls
from segments_async.sandbox.faults import FaultScript
from segments_async.sandbox.gateway import Gateway
from segments_async.sandbox.loops import SocketlessLoop
from segments_async.sandbox.origin import STOP_SECONDS, Origin
from segments_async.sandbox.paging import MAX_PER_PAGE
from segments_async.sandbox.signing import EXPIRES_SECONDS, Signer
from segments_async.sandbox.state import State
from segments_async.sandbox.storage import ObjectStore, Storage
from segments_async.sandbox.strict import Remark, Reviewer
from segments_async.sandbox.transport import SandboxTransport
from segments_async.sandbox.webhook_calls import NOT_STARTED, WebhookCalls
from segments_async.sandbox.webhooks import Webhooks

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from segments_async.sandbox.calls import Call, Origin as OriginName

MAX_CALLS = 100_000
START_SECONDS = 10.0


class Sandbox(Adjustments, Contents, FaultCalls, WebhookCalls):
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
        host: The address to listen on. With ``"0.0.0.0"`` or ``"::"``, the URLs of files have the host that the API
            was called at, so that other machines and containers can reach them.
        port: The port of the API; 0 picks a free port.
        storage_port: The port of the storage; 0 picks a free port.
        listen: False opens no sockets, so that only `transport` reaches the sandbox, and no webhook can be sent.
            It is also False if the test run blocks sockets, as with ``--disable-socket`` of pytest-socket.
        max_calls: How many requests `calls` contains at most; older ones are forgotten. A call needs about 1 kB.
        clock: Returns the current time of the service, in seconds since the Unix epoch. Also an attribute that can be
            set later.

    Raises:
        ValueError: Both users have the same name or the same key, or an argument has a value that can never apply, such
            as a string for a list of names, or a port or seconds out of range.
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
        listen: bool = True,
        max_calls: int = MAX_CALLS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if other_user is None:
            other_user = "bert" if user == "jane" else "jane"
        for name, value in {"user": user, "other_user": other_user}.items():
            check_name(name, value)
        for name, value in {"api_key": api_key, "other_api_key": other_api_key}.items():
            check_key(name, value)
        if api_key == other_api_key or user == other_user:
            raise ValueError("other_user and other_api_key must differ from user and api_key.")
        check_choice("listen", listen, (True, False))
        check_count("max_calls", max_calls, "requests")
        self._api_key, self._user = api_key, user
        self._other_api_key, self._other_user = other_api_key, other_user
        self._organizations = check_names("organizations", organizations)
        self._addresses = (Address(host, port, "port"), Address(host, storage_port, "storage_port"))
        if port == storage_port != 0:
            raise ValueError(f"storage_port: expected another port than that of the API, got {port} for both.")
        self._is_wildcard = is_wildcard(host)
        self._listen = listen
        self.clock = clock
        self._store = ObjectStore(Signer(self._now))
        self._state = State(
            keys={api_key: user, other_api_key: other_user},
            users=check_names("users", users),
            organizations={name: {user: "admin"} for name in self._organizations},
            store=self._store,
            clock=self._now,
        )
        self.latency, self.release_seconds, self.max_per_page = latency, release_seconds, max_per_page
        self._initial = (latency, release_seconds, max_per_page)
        self._webhooks = Webhooks(self._now)
        self._state.notify = self._webhooks.notify
        self._calls: deque[Call] = deque(maxlen=max_calls)
        self._reviewer = Reviewer(deque(maxlen=max_calls), self._state)
        self._faults = FaultScript()
        self._url = ""
        self._apps: dict[OriginName, Gateway] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse attributes that do not exist, such as misspelt ones; a subclass may have its own."""
        if type(self) is Sandbox and not name.startswith("_") and not hasattr(Sandbox, name):
            near = get_close_matches(name, dir(Adjustments), 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise AttributeError(f"A sandbox has no attribute {name!r}{hint}", name=name, obj=self)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<Sandbox {self._url or 'not started'}>"

    def _now(self) -> float:
        return self.clock()

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
        listeners = self._open_sockets()
        self._url, self._store.url = map(url_of, listeners) if listeners else UNREACHABLE
        self._store.follows_host = self._is_wildcard and bool(listeners)
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(listeners, ready), name="segments-sandbox", daemon=True)
        self._thread.start()
        ready.result(START_SECONDS)

    def _open_sockets(self) -> list[socket.socket]:
        if not self._listen:
            return []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # from pytest-socket, which also raises
                return listen(self._addresses)
        except RuntimeError:  # from a guard such as pytest-socket; the system raises OSError
            self._listen = False
            return []

    def stop(self) -> None:
        """Stop serving: close every connection and both sockets, and end the thread. A no-op if not running."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(2 * STOP_SECONDS)

    def reset(self) -> None:
        """
        Delete all data, so that one sandbox can serve many tests.

        Requests still in progress are dropped. Datasets, releases, assets, faults, calls, webhooks and their deliveries
        are gone, and `latency`, `release_seconds`, `url_seconds`, `fail_releases` and the like have their initial
        values. Users, keys, URLs and `clock` stay.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.latency = 0.5
            ...     sandbox.reset()
            ...     print(sandbox.latency)
            0.0
        """
        self._run_in_loop(self._reset)

    def _reset(self) -> None:
        for app in self._apps.values():
            app.drop_requests()
        self._webhooks.reset()
        self._state.reset()
        self._faults.clear()
        self.clear_calls()
        self.latency, self.release_seconds, self.max_per_page = self._initial
        self.url_seconds = EXPIRES_SECONDS

    def _run_in_loop(self, function: Callable[[], None]) -> None:
        """Run *function* in the thread that serves, or here if there is none."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive() or thread is threading.current_thread():
            function()
            return

        async def run() -> None:
            function()

        asyncio.run_coroutine_threadsafe(run(), loop).result(START_SECONDS)

    def _run(self, listeners: list[socket.socket], ready: Future[None]) -> None:
        try:
            with asyncio.Runner(loop_factory=None if listeners else SocketlessLoop) as runner:
                runner.run(self._serve(listeners, ready))
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
            clock=self._now,
        )
        api = gateway(origin="api", answer=Api(self._state, self._reviewer), latency=lambda: self.latency)
        storage = gateway(
            origin="storage", answer=Storage(self._store, self._reviewer.review_storage), latency=lambda: 0.0
        )
        self._apps = {"api": api, "storage": storage}
        origins = [Origin(app, listener) for app, listener in zip((api, storage), listeners, strict=False)]
        self._webhooks.start(self._loop)
        for origin in origins:
            await origin.start()
        ready.set_result(None)
        await self._stopping.wait()
        await asyncio.gather(*(origin.stop() for origin in origins))
        await self._webhooks.aclose()

    @property
    def api_key(self) -> str:
        """The API key of `user`."""
        return self._api_key

    @property
    def user(self) -> str:
        """The username that belongs to `api_key`."""
        return self._user

    @property
    def other_api_key(self) -> str:
        """The API key of `other_user`."""
        return self._other_api_key

    @property
    def other_user(self) -> str:
        """A second user, initially without access to anything of `user`."""
        return self._other_user

    @property
    def organizations(self) -> tuple[str, ...]:
        """Organizations that can own datasets, with `user` as their administrator."""
        return self._organizations

    @property
    def is_listening(self) -> bool:
        """Whether it has sockets; if not, only `transport` reaches it."""
        return self._listen

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

        With ``Sandbox(listen=False)``, no sockets are opened.

        Example::

            client = AsyncSegments(sandbox.api_key, base_url=sandbox.url, transport=sandbox.transport())
        """
        apps = {urlsplit(self.url): self._apps["api"], urlsplit(self.storage_url): self._apps["storage"]}
        assert self._loop is not None  # `url` raises if not started
        return SandboxTransport({(url.hostname or "", url.port): app for url, app in apps.items()}, self._loop)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The requests received so far, on both origins, oldest first; at most the last *max_calls*."""
        return tuple(self._calls)

    @property
    def strict(self) -> tuple[Remark, ...]:
        """
        What a careful client would not have sent, although the service accepts it; at most the last *max_calls*.

        Such as unknown keys and parameters, categories that do not exist, a path without its slash, a write without a
        body, or the same read again and again. See ``docs/testing.md``.

        Example::

            assert sandbox.strict == ()
        """
        return tuple(self._reviewer.remarks)

    def clear_calls(self) -> None:
        """Clear the log of received requests, and `strict`."""
        self._calls.clear()
        self._reviewer.reset()


def _require_started(url: str) -> str:
    if not url:
        raise RuntimeError(NOT_STARTED)
    return url
