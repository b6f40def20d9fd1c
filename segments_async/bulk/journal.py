"""The file of a checkpoint: an SQLite database with one row per item. Every call here blocks."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from segments_async.errors import InputError

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

    Raises:
        InputError: The file cannot be opened, is in use or damaged, or was written by another run, another program
            or a newer version.
    """

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        self._path = path
        with self._translated_errors():
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._translated_errors():
                self._open(header)
                self.is_new: bool = (
                    self._db.execute("SELECT 1 FROM items UNION ALL SELECT 1 FROM files").fetchone() is None
                )
        except BaseException:
            self._db.close()
            raise

    def find(self, keys: Iterable[str]) -> dict[str, tuple[ItemRow | None, list[FileRow]]]:
        """Return the recorded item and files of each of *keys*."""
        with self._translated_errors():
            return {key: (self._item(key), self._files(key)) for key in keys}

    def write(self, items: Iterable[ItemRow], files: Iterable[FileRow]) -> None:
        """Record *items* and uploaded *files* in one transaction."""
        with self._translated_errors():
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

    def close(self) -> None:
        """Close the file and release its lock."""
        with self._translated_errors():
            self._db.close()

    def _item(self, key: str) -> ItemRow | None:
        row = self._db.execute("SELECT * FROM items WHERE key = ?", (key,)).fetchone()
        return None if row is None else ItemRow(*row)

    def _files(self, key: str) -> list[FileRow]:
        return [FileRow(*row) for row in self._db.execute("SELECT * FROM files WHERE key = ?", (key,))]

    def _open(self, header: Mapping[str, str]) -> None:
        # The connection keeps its lock, so a second run is refused; the lock of a killed process is released by the OS.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN EXCLUSIVE")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        self._db.execute("COMMIT")
        if tables == 0:
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
        if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise self._error("is a database of another program")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise self._error(f"was written by a newer version (format {version}, this one reads {VERSION})")
        damage = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise self._error(f"is damaged ({' '.join(damage.split())})")
        existing = dict(self._db.execute("SELECT name, value FROM header"))
        for name, value in header.items():
            if existing.get(name) != value:
                raise self._error(f"belongs to another run: its {name} is {existing.get(name)!r}, not {value!r}")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Raise errors of SQLite as `InputError`."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            problem = {
                sqlite3.SQLITE_BUSY: "is in use by another run",
                sqlite3.SQLITE_LOCKED: "is in use by another run",
                sqlite3.SQLITE_NOTADB: "is not a checkpoint file",
                sqlite3.SQLITE_CORRUPT: "is damaged",
                sqlite3.SQLITE_CANTOPEN: "cannot be opened",
                sqlite3.SQLITE_READONLY: "cannot be written",
                sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
            }.get(code, "cannot be used")
            raise self._error(f"{problem} ({error})") from error

    def _error(self, problem: str) -> InputError:
        return InputError(f"{self._path} {problem}", path="checkpoint")
