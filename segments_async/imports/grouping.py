"""
Group the annotations of a JSON file by image, in a temporary database on disk.

Files such as COCO's have all images in one list and all annotations in another, in any order, so nothing is known of an
image before the end of the file. The text of each element is kept in SQLite, so memory does not depend on the size of
the file. The database has no name: SQLite deletes it when it is closed, or when the process ends.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from segments_async._serialization.json import decode_json
from segments_async.errors import DecodeError, OutOfResourcesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BATCH = 1000
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE images (number INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB NOT NULL);
CREATE TABLE annotations (number INTEGER PRIMARY KEY, key TEXT, body BLOB NOT NULL);
BEGIN;
"""
Row = tuple[int, str | None, bytes]
"""The index of an element in its list, the id of its image, and its JSON text."""


class Grouping:
    """Images and their annotations; fill it, call `finish`, then read it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)

    def add_images(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Store images; yields those whose id an earlier one has, which are not stored."""
        for row in rows:
            with _disk():
                stored = self._database.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", row).rowcount
            if not stored:
                yield row

    def add_annotations(self, rows: Iterator[Row]) -> None:
        """Store annotations."""
        while batch := list(islice(rows, _BATCH)):
            with _disk():
                self._database.executemany("INSERT INTO annotations VALUES (?, ?, ?)", batch)

    def finish(self) -> None:
        """Index what was stored."""
        with _disk():
            self._database.execute("COMMIT")
            self._database.execute("CREATE INDEX by_image ON annotations (key)")

    def __len__(self) -> int:
        [(count,)] = self._database.execute("SELECT count(*) FROM images")
        return int(count)

    def images(self) -> Iterator[tuple[int, str, Any]]:
        """Iterate over the images, each with its index and its id."""
        last = -1
        query = "SELECT number, key, body FROM images WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._database.execute(query, (last, _BATCH)).fetchall():
            for number, key, body in rows:
                yield number, key, read_body(body)
            last = rows[-1][0]

    def annotations_of(self, key: str) -> list[tuple[int, Any]]:
        """Return the annotations of an image, each with its index, in the order of the file."""
        query = "SELECT number, body FROM annotations WHERE key = ? ORDER BY number"
        rows = self._database.execute(query, (key,)).fetchall()
        if not rows:
            return []
        numbers, bodies = zip(*rows, strict=True)
        return list(zip(numbers, _read_bodies(bodies), strict=True))

    def orphans(self, limit: int) -> tuple[int, list[tuple[int, str | None]]]:
        """Count the annotations without an image, and return the first ones: the index and the image's id."""
        where = "FROM annotations WHERE key IS NULL OR NOT EXISTS (SELECT 1 FROM images WHERE key = annotations.key)"
        [(count,)] = self._database.execute(f"SELECT count(*) {where}")
        rows = self._database.execute(f"SELECT number, key {where} ORDER BY number LIMIT ?", (limit,))
        return count, rows.fetchall()

    def close(self) -> None:
        """Delete the database."""
        self._database.close()


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutOfResourcesError(f"the temporary database of the import cannot be written: {error}") from error


def body_of(text: str) -> bytes:
    """Encode the text of a JSON value; lone surrogates are kept."""
    return text.encode("utf-8", "surrogatepass")


def read_body(body: bytes) -> Any:
    """Parse what `body_of` returned; NaN, which orjson refuses, is read as Python reads it."""
    try:
        return decode_json(body)
    except DecodeError:
        return json.loads(body.decode("utf-8", "surrogatepass"))


def _read_bodies(bodies: tuple[bytes, ...]) -> list[Any]:
    """Parse several values at once, which is faster."""
    try:
        values: list[Any] = decode_json(b"[%s]" % b",".join(bodies))
    except DecodeError:
        return list(map(read_body, bodies))
    return values
