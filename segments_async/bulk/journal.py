"""The file of a checkpoint: an SQLite database with one row per item. Every call here blocks."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import contextmanager, suppress
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._caller_errors import describe
from segments_async._wire.shortages import shortage_advice, shortage_code
from segments_async.bulk.place import problem_of_place
from segments_async.errors import InputError, OutOfResourcesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

APPLICATION_ID = 0x5365676D
"""Distinguishes checkpoints from databases of other programs (SQLite's ``PRAGMA application_id``)."""
VERSION = 1
"""Version of the tables below (``PRAGMA user_version``)."""

_TABLES = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE items (key TEXT PRIMARY KEY, digest BLOB, status TEXT NOT NULL, uuid TEXT) WITHOUT ROWID",
    """
    CREATE TABLE files (
        key TEXT, place INTEGER, digest BLOB NOT NULL, url TEXT NOT NULL, asset TEXT NOT NULL, PRIMARY KEY (key, place)
    ) WITHOUT ROWID
    """,
)

_SETTINGS = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0")
"""SQLite's advice for files that anyone may have written; see https://sqlite.org/security.html."""
_SHORTAGES = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_NOMEM: errno.ENOMEM}
_WRONG_TYPES = (
    """
    SELECT 1 FROM items WHERE typeof(key) != 'text' OR typeof(status) != 'text'
    OR typeof(digest) NOT IN ('blob', 'null') OR typeof(uuid) NOT IN ('text', 'null')
    """,
    """
    SELECT 1 FROM files WHERE typeof(key) != 'text' OR typeof(place) != 'integer'
    OR typeof(digest) != 'blob' OR typeof(url) != 'text' OR typeof(asset) != 'text'
    """,
)
"""Queries that find a value of another type: SQLite stores any type in any column."""
_REFUSED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM})
"""Errors whose reason may be the permissions of the file or of its folder."""
_STEPS_BETWEEN_CHECKS = 10_000
"""Steps of SQLite's virtual machine after which it checks whether it was interrupted: well under a millisecond."""


@frozen
class ItemRow:
    """The recorded outcome of one item."""

    key: str
    digest: bytes | None
    """Digest of what was sent; None if a change could not be detected."""
    status: str
    uuid: str | None


@frozen
class FileRow:
    """An uploaded file of an item."""

    key: str
    place: int
    """Index of the file within the item, from 0."""
    digest: bytes
    url: str
    asset: str
    """The asset, as JSON."""


class Journal:
    """
    An open checkpoint file, locked against other runs.

    Args:
        path: The file; created if it does not exist.
        header: Identifies the run, such as its operation and dataset; an existing file must have the same header.
        interrupted: Once this is set, SQLite ends what it does, and every call raises InputError.

    Raises:
        InputError: The file cannot be opened, is not a regular file, is in use or damaged, or was written by another
            run, another program or a newer version.
        OutOfResourcesError: The disk is full, or this machine has too many open files.
    """

    def __init__(self, path: Path, header: Mapping[str, str], interrupted: Event | None = None) -> None:
        self._path = path
        self._place = path.absolute()
        self._interrupted = interrupted or Event()
        # Python's sqlite3 can keep the GIL while it waits for another thread's call on the same connection.
        self._lock = Lock()
        with self._translated_errors():
            self._refuse_special_file()
            # An absolute path is never `:memory:` or a URI.
            self._db = sqlite3.connect(self._place, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._translated_errors():
                self._db.set_progress_handler(self._interrupted.is_set, _STEPS_BETWEEN_CHECKS)
                self._open(header)
                self._identity = _identity(self._place)
                self.is_new: bool = (
                    self._db.execute("SELECT 1 FROM items UNION ALL SELECT 1 FROM files").fetchone() is None
                )
        except BaseException:
            self._db.close()
            raise

    def find(self, keys: Iterable[str]) -> dict[str, tuple[ItemRow | None, list[FileRow]]]:
        """Return the recorded item and files of each of *keys*."""
        with self._lock, self._translated_errors():
            return {key: (self._item(key), self._files(key)) for key in keys}

    def write(self, items: Iterable[ItemRow], files: Iterable[FileRow]) -> None:
        """Record *items* and uploaded *files* in one transaction."""
        with self._lock, self._translated_errors():
            self._db.execute("BEGIN")
            try:
                self._db.executemany(
                    "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)",
                    [(row.key, row.digest, row.status, row.uuid) for row in items],
                )
                self._db.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                    [(row.key, row.place, row.digest, row.url, row.asset) for row in files],
                )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        self.check_place()

    def check_place(self) -> None:
        """Check that the file is still in its place: SQLite writes to a deleted file without an error."""
        with self._translated_errors():
            try:
                is_same = _identity(self._place) == self._identity
            except FileNotFoundError:
                is_same = False
            if not is_same:
                raise self._error("was deleted or replaced during the run, so its outcomes are not recorded")

    def close(self) -> None:
        """Close the file and release its lock."""
        with self._lock, self._translated_errors():
            self._db.close()

    def interrupt(self) -> None:
        """End what SQLite does now; call this from any thread."""
        self._interrupted.set()
        with suppress(sqlite3.Error):  # it was closed in the meantime
            self._db.interrupt()

    def _refuse_special_file(self) -> None:
        """Refuse what is not a regular file: SQLite would wait for the writer of a pipe, for example."""
        if os.fspath(self._path) == ":memory:":
            raise self._error("would not be a file")
        try:
            mode = os.stat(self._path).st_mode  # noqa: PTH116 (pathlib refuses some names)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            raise self._error("is not a file")

    def _item(self, key: str) -> ItemRow | None:
        row = self._db.execute("SELECT * FROM items WHERE key = ?", (key,)).fetchone()
        return None if row is None else ItemRow(*row)

    def _files(self, key: str) -> list[FileRow]:
        return [FileRow(*row) for row in self._db.execute("SELECT * FROM files WHERE key = ?", (key,))]

    def _open(self, header: Mapping[str, str]) -> None:
        for setting in _SETTINGS:
            self._db.execute(f"PRAGMA {setting}")
        # The connection keeps its lock, so a second run is refused; the lock of a killed process is released by the OS.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN EXCLUSIVE")
        is_empty = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        self._db.execute("COMMIT")
        if is_empty and self._pragma("application_id") == self._pragma("user_version") == 0:
            self._create(header)
        self._check(header)
        # With WAL, a killed process loses no committed rows; a power failure loses the last few at most.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _create(self, header: Mapping[str, str]) -> None:
        self._db.execute("BEGIN")
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute(f"PRAGMA user_version = {VERSION}")
        for table in _TABLES:
            self._db.execute(table)
        self._db.executemany("INSERT INTO header VALUES (?, ?)", header.items())
        self._db.execute("COMMIT")

    def _check(self, header: Mapping[str, str]) -> None:
        if self._pragma("application_id") != APPLICATION_ID:
            raise self._error("is a database of another program")
        version = self._pragma("user_version")
        if version > VERSION:
            raise self._error(f"was written by a newer version (format {version}, this one reads {VERSION})")
        # The schema comes before any query of a table: a view or a trigger could compute for ever, or write elsewhere.
        if version != VERSION or self._schema() != sorted(map(_normalized, _TABLES)):
            raise self._error("has other tables than a checkpoint")
        damage = self._pragma("quick_check(1)")
        if damage != "ok":
            raise self._error(f"is damaged ({' '.join(damage.split())})")
        if any(self._db.execute(f"{query} LIMIT 1").fetchone() for query in _WRONG_TYPES):
            raise self._error("is damaged (it contains a value of another type)")
        existing = dict(self._db.execute("SELECT name, value FROM header"))
        for name, value in header.items():
            if existing.get(name) != value:
                raise self._error(f"belongs to another run: its {name} is {existing.get(name)!r}, not {value!r}")

    def _pragma(self, name: str) -> Any:
        return self._db.execute(f"PRAGMA {name}").fetchone()[0]

    def _schema(self) -> list[str]:
        """Return the statements of all tables, views, triggers and indexes, except the statistics of SQLite."""
        query = "SELECT sql FROM sqlite_master WHERE type != 'table' OR substr(name, 1, 7) != 'sqlite_'"
        rows = self._db.execute(query)
        return sorted(_normalized(str(sql)) for (sql,) in rows)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """
        Raise errors of SQLite, of the file system and of values that SQLite cannot store as `InputError`.

        A shortage, such as a full disk, is an `OutOfResourcesError`.
        """
        try:
            yield
        except (InputError, OutOfResourcesError):
            raise
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _SHORTAGES:
                raise self._shortage(str(error), _SHORTAGES[code]) from error
            if code in _REFUSED and (reason := problem_of_place(self._place)) is not None:
                raise self._error(reason) from error
            problem = {
                sqlite3.SQLITE_BUSY: "is in use by another run",
                sqlite3.SQLITE_LOCKED: "is in use by another run",
                sqlite3.SQLITE_NOTADB: "is not a checkpoint file",
                sqlite3.SQLITE_CORRUPT: "is damaged",
                sqlite3.SQLITE_CANTOPEN: "cannot be opened",
                sqlite3.SQLITE_READONLY: "cannot be written",
                sqlite3.SQLITE_INTERRUPT: "was not used to the end, because the run was cancelled",
            }.get(code, "cannot be used")
            raise self._error(f"{problem} ({error})") from error
        except Exception as error:
            reason = getattr(error, "strerror", None) or describe(error)
            if (short := shortage_code(error)) is not None:
                raise self._shortage(reason, short) from error
            raise self._error(f"cannot be used ({reason})") from error

    def _error(self, problem: str) -> InputError:
        return InputError(f"{self._path} {problem}", path="checkpoint")

    def _shortage(self, reason: str, code: int) -> OutOfResourcesError:
        problem = f"{self._path} cannot be used ({reason}); {shortage_advice(code)}"
        return OutOfResourcesError(problem, path="checkpoint", errno=code)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _normalized(statement: str) -> str:
    """Return an SQL statement with single spaces, as SQLite stores it otherwise as it was written."""
    return " ".join(statement.split())
