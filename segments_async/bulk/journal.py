"""The file of a checkpoint: SQLite, one row for each finished item. Every call here blocks."""

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
"""Tells our files from those of other programs (SQLite's ``PRAGMA application_id``)."""
VERSION = 1
"""Of the tables below (``PRAGMA user_version``)."""

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
    """What became of one item."""

    key: str
    digest: bytes | None
    """Of what was sent; None if nothing tells whether it is the same."""
    status: str
    uuid: str | None


@frozen
class FileRow:
    """A file of an item that is up."""

    key: str
    place: int
    """Which of the item's files, from 0."""
    digest: bytes
    url: str
    asset: str
    """The asset, as JSON."""


class Journal:
    """
    An open checkpoint file, which no other run can open meanwhile.

    Args:
        path: Made if it is not there.
        header: What the run is, such as its operation and its dataset; that of an existing file must be the same.

    Raises:
        InputError: It cannot be opened, is in use, corrupt, of another program or a newer version, or belongs to
            another run.
    """

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        self._path = path
        with self._explained():
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._explained():
                self._open(header)
                self.is_new: bool = (
                    self._db.execute("SELECT 1 FROM items UNION ALL SELECT 1 FROM files").fetchone() is None
                )
        except BaseException:
            self._db.close()
            raise

    def find(self, keys: Iterable[str]) -> dict[str, tuple[ItemRow | None, list[FileRow]]]:
        """What is known of each of *keys*."""
        with self._explained():
            return {key: (self._item(key), self._files(key)) for key in keys}

    def write(self, items: Iterable[ItemRow], files: Iterable[FileRow]) -> None:
        """Note what became of *items*, and which *files* are up; all of it or nothing."""
        with self._explained():
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
        """Let another run have it."""
        with self._explained():
            self._db.close()

    def _item(self, key: str) -> ItemRow | None:
        row = self._db.execute("SELECT * FROM items WHERE key = ?", (key,)).fetchone()
        return None if row is None else ItemRow(*row)

    def _files(self, key: str) -> list[FileRow]:
        return [FileRow(*row) for row in self._db.execute("SELECT * FROM files WHERE key = ?", (key,))]

    def _open(self, header: Mapping[str, str]) -> None:
        # One connection that keeps its lock: a second run is refused, and a killed one leaves nothing locked.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN EXCLUSIVE")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        self._db.execute("COMMIT")
        if tables == 0:
            self._create(header)
        self._check(header)
        # With WAL, a process that is killed loses nothing; a machine that loses power, the last moments at most.
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
            raise self._problem("is a database of another program")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise self._problem(f"was written by a newer version (format {version}, this one reads {VERSION})")
        damage = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise self._problem(f"is damaged ({' '.join(damage.split())})")
        there = dict(self._db.execute("SELECT name, value FROM header"))
        for name, value in header.items():
            if there.get(name) != value:
                raise self._problem(f"belongs to another run: its {name} is {there.get(name)!r}, here it is {value!r}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in the caller's words what SQLite says in its own."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            words = {
                sqlite3.SQLITE_BUSY: "is in use by another run",
                sqlite3.SQLITE_LOCKED: "is in use by another run",
                sqlite3.SQLITE_NOTADB: "is no checkpoint, but a file of another kind",
                sqlite3.SQLITE_CORRUPT: "is damaged",
                sqlite3.SQLITE_CANTOPEN: "cannot be opened",
                sqlite3.SQLITE_READONLY: "cannot be written",
                sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
            }.get(code, "cannot be used")
            raise self._problem(f"{words} ({error})") from error

    def _problem(self, words: str) -> InputError:
        return InputError(f"{self._path} {words}", path="checkpoint")
