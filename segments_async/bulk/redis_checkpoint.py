"""A checkpoint in Redis, so that another machine can continue a run. Every call of the journal blocks."""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from segments_async._redis import blocking_client, check_redis_url
from segments_async._threads import run_sync
from segments_async._validators import is_number
from segments_async.bulk.journal import FileRow, ItemRow
from segments_async.bulk.redis_errors import redis_error, translated_errors
from segments_async.errors import ConnectError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from redis import Redis

    T = TypeVar("T")

VERSION = "1"
LEASE_SECONDS = 30.0
ANSWER_SECONDS = 30.0
"""Seconds after which a server that does not answer cannot be used."""
MAX_PATIENCE_SECONDS = 15.0
"""Maximum seconds for which a run waits for a server that restarts, however long the lease is."""
_POLL_SECONDS = 0.05
_ROWS_PER_WRITE = 1000
_WRITE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for index = 3, #ARGV, 3 do redis.call('HSET', KEYS[tonumber(ARGV[index])], ARGV[index + 1], ARGV[index + 2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
"""HSET is the first to write, because Redis obeys its `maxmemory` only until a script has written."""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
_LOST = "was taken over by another run, or deleted, so the outcomes of this run are not recorded any more"


class RedisCheckpoint:
    """
    Record the finished items of a bulk run in Redis, where another machine finds them.

    One run at a time uses it. A killed run loses it after *lease* seconds; the next run waits until then. What
    it records stays until `delete` is called.

    Example::

        checkpoint = RedisCheckpoint("redis://localhost", "flowers")
        await client.samples.create_many("jane/flowers", samples, checkpoint=checkpoint)

    Args:
        url: The URL of the server.
        name: Identifies the run; the same name continues it.
        prefix: The start of its keys in Redis.
        lease: Seconds after which a run that no longer responds loses the checkpoint; at least 1.
        options: Passed to ``redis.Redis.from_url``.

    If Redis cannot be used, a run raises a `ConnectError`, a `RequestTimeoutError`, an `OutOfResourcesError` if Redis
    is full, or an `InputError`, such as for a wrong password. Once the run has begun, it stops, and its report has the
    error.

    Raises:
        ImportError: The extra ``redis`` is not installed.
        InputError: *url* is not the URL of a Redis server, or *name* or *lease* is invalid.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        prefix: str = "segments-checkpoint:",
        lease: float = LEASE_SECONDS,
        **options: Any,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise InputError(f"expected a name, got {name!r}", path="name")
        if not is_number(lease) or not 1 <= lease < 1e6:  # noqa: PLR2004
            raise InputError(f"expected seconds of at least 1, got {lease!r}", path="lease")
        check_redis_url(url, options, used_by=type(self).__name__)
        self._url = url
        self._options = {"socket_timeout": ANSWER_SECONDS, **options, "decode_responses": False}
        self.name = name
        self._prefix = prefix
        self._lease = lease

    def open(self, header: Mapping[str, str], interrupted: Event, *, read_only: bool = False) -> RedisJournal:
        """Open it for a run with *header*; `interrupted` ends the wait for another run's lease."""
        lease = None if read_only else self._lease
        with translated_errors(self.name):
            client = self._connect()
        return RedisJournal(client, self.name, self._prefix, lease, header, interrupted)

    async def delete(self) -> None:
        """
        Delete what was recorded. A run that uses it stops.

        Example::

            await checkpoint.delete()

        Raises:
            ConnectError: Redis cannot be reached, or cannot be written now.
            InputError: The user may not do this, or the password is wrong.
        """
        await run_sync(self._delete)

    def _delete(self) -> None:
        with translated_errors(self.name):
            client = self._connect()
        with translated_errors(self.name, client), client:
            client.delete(*_keys(self._prefix, self.name))

    def _connect(self) -> Redis:
        client = blocking_client(self._url, self._options)
        client.connection_pool.connection_kwargs["decode_responses"] = False  # the URL may say otherwise
        return client

    def __reduce__(self) -> tuple[Any, ...]:
        make = partial(type(self), self._url, self.name, prefix=self._prefix, lease=self._lease, **self._options)
        return make, ()

    def __repr__(self) -> str:
        return f"RedisCheckpoint(name={self.name!r})"  # the URL may contain a password


class RedisJournal:
    """
    An open checkpoint; see `segments_async.bulk.journal.Journal`, whose calls it has.

    Without a *lease* it is only read, also while another run uses it.
    """

    def __init__(
        self,
        client: Redis,
        name: str,
        prefix: str,
        lease: float | None,
        header: Mapping[str, str],
        interrupted: Event,
    ) -> None:
        self._client: Any = client
        self._name = name
        self._interrupted = interrupted
        self._read_only = lease is None
        self._lease_milliseconds = round((lease or 0) * 1000)
        self._owner = uuid.uuid4().hex
        self._keys = _keys(prefix, name)
        self._lock, self._header, self._items, self._files = self._keys
        self._closed = Event()
        self._is_open = False
        try:
            with translated_errors(self._name, self._client):
                if not self._read_only:
                    self._acquire()
                self._check({"version": VERSION, **header})
                if not self._read_only:
                    self.write([], [])  # a user may be allowed less than this needs
                self.is_new: bool = not any(client.hlen(key) for key in (self._items, self._files))
        except BaseException:
            self.close()
            raise
        self._is_open = True
        if lease is not None:
            Thread(target=self._renew, args=(lease / 3,), daemon=True).start()

    def find(self, keys: Iterable[str]) -> dict[str, tuple[ItemRow | None, list[FileRow]]]:
        """Return the recorded item and files of each of *keys*."""
        keys = list(keys)
        if not keys:
            return {}
        with translated_errors(self._name, self._client):
            items = self._lasting(lambda: self._client.hmget(self._items, keys))
            files = self._lasting(lambda: self._client.hmget(self._files, keys))
            return {
                key: (_item(key, item), _file_rows(key, file))
                for key, item, file in zip(keys, items, files, strict=True)
            }

    def write(self, items: Iterable[ItemRow], files: Iterable[FileRow]) -> None:
        """Record *items* and uploaded *files*, unless another run has taken the checkpoint over."""
        files = list(files)
        with translated_errors(self._name, self._client):
            rows = [(3, row.key, json.dumps([_text(row.digest), row.status, row.uuid])) for row in items]
            rows += [(4, key, value) for key, value in self._lasting(lambda: self._merged(files)).items()]
            for start in range(0, max(1, len(rows)), _ROWS_PER_WRITE):
                part = [value for row in rows[start : start + _ROWS_PER_WRITE] for value in row]
                if not self._lasting(partial(self._write_rows, part)):
                    raise self._error(_LOST)

    def _write_rows(self, rows: list[Any]) -> Any:
        return self._client.eval(_WRITE, 4, *self._keys, self._owner, self._lease_milliseconds, *rows)

    def check_place(self) -> None:
        """Check that no other run has taken the checkpoint over."""
        with translated_errors(self._name, self._client):
            if not self._read_only and self._lasting(lambda: self._client.get(self._lock)) != self._owner.encode():
                raise self._error(_LOST)

    def close(self) -> None:
        """Release the checkpoint, and close the connections."""
        self._closed.set()
        if not self._read_only:
            with suppress(Exception):  # the lease ends by itself
                self._client.eval(_RELEASE, 1, self._lock, self._owner)
        self._client.close()

    def interrupt(self) -> None:
        """End what is being done now, by closing the connections; call this from any thread."""
        self._interrupted.set()
        self._client.connection_pool.disconnect()

    def _acquire(self) -> None:
        """
        Wait until the lease of a killed run expires.

        Raises:
            InputError: Another run renews it, or this one was cancelled.
        """
        left = float("inf")
        while not self._client.set(self._lock, self._owner, nx=True, px=self._lease_milliseconds):
            before, left = left, self._client.pttl(self._lock)
            if left > before:
                raise self._error("is in use by another run")
            if self._interrupted.wait(_POLL_SECONDS):
                raise self._error("was not used, because the run was cancelled")

    def _check(self, header: Mapping[str, str]) -> None:
        if not self._read_only:
            for name, value in header.items():
                self._client.hsetnx(self._header, name, value)
        existing = {name.decode(): value.decode() for name, value in self._client.hgetall(self._header).items()}
        for name, value in header.items():
            if existing and existing.get(name) != value:
                raise self._error(f"belongs to another run: its {name} is {existing.get(name)!r}, not {value!r}")

    def _renew(self, seconds: float) -> None:
        """Prolong the lease while the process lives, however long an item takes."""
        while not self._closed.wait(seconds):
            with suppress(Exception):  # the next write says so
                if self._client.get(self._lock) == self._owner.encode():
                    self._client.pexpire(self._lock, self._lease_milliseconds)

    def _merged(self, files: Iterable[FileRow]) -> dict[str, str]:
        """Return the field of each item whose files changed: all its files, with those that are recorded already."""
        changed: dict[str, dict[str, list[str]]] = {}
        for row in files:
            changed.setdefault(row.key, {})[str(row.place)] = [_text(row.digest) or "", row.url, row.asset]
        keys = list(changed)
        known = self._client.hmget(self._files, keys) if keys else []
        return {
            key: json.dumps((json.loads(text) if text else {}) | changed[key])
            for key, text in zip(keys, known, strict=True)
        }

    def _lasting(self, call: Callable[[], T]) -> T:
        """Call again while the server restarts, at most for half of the lease, so that it does not end meanwhile."""
        patience = min(self._lease_milliseconds / 2000, MAX_PATIENCE_SECONDS) if self._is_open else 0
        deadline = time.monotonic() + patience
        while True:
            try:
                return call()
            except Exception as error:
                is_passing = isinstance(redis_error(self._name, error), ConnectError)
                if not is_passing or time.monotonic() > deadline or self._interrupted.wait(_POLL_SECONDS):
                    raise

    def _error(self, problem: str) -> InputError:
        return InputError(f"{self._name} {problem}", path="checkpoint")


def _keys(prefix: str, name: str) -> list[str]:
    # The braces keep the keys on one node of a cluster.
    return [f"{prefix}{{{name}}}:{part}" for part in ("lock", "header", "items", "files")]


def _text(digest: bytes | None) -> str | None:
    return None if digest is None else b64encode(digest).decode()


def _item(key: str, text: bytes | None) -> ItemRow | None:
    if text is None:
        return None
    digest, status, found = json.loads(text)
    return ItemRow(key, None if digest is None else b64decode(digest), status, found)


def _file_rows(key: str, text: bytes | None) -> list[FileRow]:
    rows = json.loads(text) if text else {}
    return [FileRow(key, int(place), b64decode(digest), url, asset) for place, (digest, url, asset) in rows.items()]
