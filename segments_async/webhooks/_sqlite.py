"""A store of message ids in an SQLite file, for the processes of one machine."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segments_async.errors import InputError
from segments_async.webhooks._stores import LEASE, SECONDS, Claim, check_times

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

_BUSY_SECONDS = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS webhook_messages (id TEXT PRIMARY KEY, done INTEGER NOT NULL, until REAL NOT NULL);
CREATE INDEX IF NOT EXISTS webhook_messages_until ON webhook_messages (until);
"""


class SqliteReplayGuard:
    """
    Remember the ids of received messages in an SQLite file, which the processes of one machine share.

    They survive a restart: a message whose process was killed is processed by the next delivery after the lease.

    Example::

        hooks = WebhookRouter(secret, replay=SqliteReplayGuard("webhooks.db"))

    Args:
        path: The file, on a local disk. It is created if missing.
        seconds: How long an id is remembered; at least 600.
        lease: Seconds after which a message that was claimed, but neither finished nor released, can be claimed again.
            Longer than any handler takes.
        clock: Returns seconds since the epoch; for tests.

    Raises:
        InputError: The file cannot be used, or *seconds* or *lease* is too small.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        seconds: float = SECONDS,
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_times(seconds, lease)
        self._path = Path(path)
        self._seconds = seconds
        self.lease = lease
        self._clock = clock
        try:
            with closing(self._connect()) as connection:
                connection.executescript(_TABLE)
                connection.execute("SELECT id, done, until FROM webhook_messages LIMIT 1")
        except (sqlite3.Error, ValueError) as error:
            raise InputError(f"cannot be used ({error}): {self._path}", path="path") from error

    def claim(self, message_id: str, /) -> Claim:
        """Lease a message, unless it is leased or done."""
        with self._transaction() as connection:
            now = self._clock()
            connection.execute("DELETE FROM webhook_messages WHERE until <= ?", (now,))
            row = connection.execute("SELECT done FROM webhook_messages WHERE id = ?", (message_id,)).fetchone()
            if row is not None:
                return Claim.DONE if row[0] else Claim.LEASED
            connection.execute("INSERT INTO webhook_messages VALUES (?, 0, ?)", (message_id, now + self.lease))
            return Claim.NEW

    def finish(self, message_id: str, /) -> None:
        """Mark a message as done, so that it is not processed again."""
        with self._transaction() as connection:
            until = self._clock() + self._seconds
            connection.execute("INSERT OR REPLACE INTO webhook_messages VALUES (?, 1, ?)", (message_id, until))

    def release(self, message_id: str, /) -> None:
        """End the lease of a message, because its processing failed, so that it can be delivered again."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM webhook_messages WHERE id = ? AND NOT done", (message_id,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # A connection for each step may be used by any thread, and in a process that was forked.
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection
