"""The images of an import and the samples of the dataset, matched by name in a temporary database on disk."""

from __future__ import annotations

import sqlite3
import unicodedata
from typing import TYPE_CHECKING, Any

from segments_async._serialization.json import decode_json, encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from segments_async.imports.shapes import SourceImage

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE images (number INTEGER PRIMARY KEY, key TEXT, base TEXT, uuid TEXT, item BLOB);
CREATE TABLE samples (key TEXT PRIMARY KEY, base TEXT, uuid TEXT);
CREATE TABLE counts (base TEXT PRIMARY KEY, images INTEGER);
"""
_BATCH = 500
_MATCH = """
UPDATE images SET uuid = (SELECT uuid FROM samples WHERE samples.key = images.key);
CREATE INDEX images_by_base ON images (base);
CREATE INDEX samples_by_base ON samples (base);
"""
_MATCH_WITHOUT_FOLDERS = """
UPDATE images SET uuid = (
    SELECT uuid FROM samples WHERE samples.base = images.base AND (
        substr('/' || images.key, -length(samples.key) - 1) = '/' || samples.key
        OR substr('/' || samples.key, -length(images.key) - 1) = '/' || images.key
    )
)
WHERE uuid IS NULL
AND (SELECT count(*) FROM samples WHERE samples.base = images.base) = 1
AND (SELECT count(*) FROM images AS others WHERE others.base = images.base) = 1
"""


class MatchedImages:
    """
    The images of a file, each with the uuid of its sample.

    A sample belongs to an image if it has the image's name. Otherwise, it does if one name is the end of the other, as
    of ``train/rose.jpg`` and ``rose.jpg``, and no other image or sample has the same last part.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_SCHEMA)

    def add_images(self, images: Iterable[SourceImage]) -> None:
        """Store the images, with what is needed to create their samples."""
        self._database.execute("BEGIN")
        for number, image in enumerate(images):
            key = name_key(image.name)
            row = number, key, key.rpartition("/")[2], encode_json(_item_of(image))
            self._database.execute("INSERT INTO images (number, key, base, item) VALUES (?, ?, ?, ?)", row)
        self._database.execute("COMMIT")

    def add_samples(self, samples: Iterable[tuple[str, str]]) -> None:
        """Store names and uuids of samples."""
        rows = [(name_key(name), name_key(name).rpartition("/")[2], uuid) for name, uuid in samples]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO samples VALUES (?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def match(self) -> int:
        """Find the sample of each image; returns how many were found without the folders of a name."""
        self._database.executescript(_MATCH)
        missing = self.count(missing=True)
        self._database.execute(_MATCH_WITHOUT_FOLDERS)
        return missing - self.count(missing=True)

    def count(self, *, missing: bool = False) -> int:
        """Count the images, or those without a sample."""
        where = "WHERE uuid IS NULL" if missing else ""
        [(count,)] = self._database.execute(f"SELECT count(*) FROM images {where}")  # noqa: S608 (constants)
        return int(count)

    def set_uuid(self, number: int, uuid: str) -> None:
        """Note the sample of an image."""
        self._database.execute("UPDATE images SET uuid = ? WHERE number = ?", (uuid, number))

    def uuids(self, first: int, last: int) -> dict[int, str]:
        """Return the samples of the images from *first* to *last*."""
        query = "SELECT number, uuid FROM images WHERE number BETWEEN ? AND ? AND uuid IS NOT NULL"
        return dict(self._database.execute(query, (first, last)))

    def rows(self) -> Iterator[list[tuple[int, str | None, dict[str, Any]]]]:
        """Iterate over the images in batches, each image with its number, the uuid of its sample and `_item_of`."""
        last = -1
        query = "SELECT number, uuid, item FROM images WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._database.execute(query, (last, _BATCH)).fetchall():
            yield [(number, uuid, decode_json(item)) for number, uuid, item in rows]
            last = rows[-1][0]

    def close(self) -> None:
        """Delete the database."""
        self._database.close()


def name_key(name: str) -> str:
    """Return a name in the form in which names are compared: file systems write accents in two ways."""
    return unicodedata.normalize("NFC", name).encode("utf-8", "replace").decode()


def _item_of(image: SourceImage) -> dict[str, Any]:
    frames = [image] if image.frames is None else image.frames
    return {
        "name": image.name,
        "files": [None if frame.file is None else str(frame.file) for frame in frames],
        "urls": [frame.url for frame in frames],
        "names": None if image.frames is None else [frame.name for frame in frames],
        "attributes": image.sample_attributes,
        "settings": image.sample_settings,
    }
