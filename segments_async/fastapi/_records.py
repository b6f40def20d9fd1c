"""Upload records on disk: one file per upload, in a folder used by one process at a time."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import stat
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import NAMESPACE_URL, uuid4, uuid5

import attrs
from attrs import define, field

from segments_async._threads import run_sync
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger: logging.Logger = logging.getLogger("segments_async")

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Maximum size of a record file; the arguments of an upload are in it."""
ID = re.compile("[0-9a-f]{32}")
"""The ids of uploads."""
DAMAGED = "The record of this upload cannot be read."
FOREIGN = "This file in the folder of the uploads is not the record of an upload."

_LEFTOVER = re.compile(r"[0-9a-f]{32}\.(json|[0-9a-f]{32})\.new")
_STATES = frozenset({"running", "done", "failed", "cancelled"})
_RESULT: dict[str, tuple[type, ...]] = {
    "done": (int,),
    "failed": (int,),
    "total": (int, type(None)),
    "detail": (str, type(None)),
}


@define(eq=False)
class Record:
    """The stored state of an upload."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    """``running`` until the upload has ended: the next start runs it again."""
    result: dict[str, Any] = field(factory=dict)
    owner: str | None = None
    unreadable: bool = False
    """Whether the file is damaged or not a record: it is listed, and can only be forgotten."""


class RecordFolder:
    """
    The upload records in a folder, locked against other processes.

    Disk errors are not raised: they are logged, and reported by the return value.

    Args:
        path: The folder. It is created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: sqlite3.Connection | None = None
        self._foreign: dict[str, Path] = {}

    async def __aenter__(self) -> Self:
        try:
            await run_sync(self._open)
        except (OSError, sqlite3.Error):
            logger.exception("%s cannot be used; uploads are kept in memory and end with the application", self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def _open(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = _lock(self._path / "lock.sqlite")
        except sqlite3.DatabaseError as error:
            if _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise InputError(
                    f"{self._path} is in use by another process or another UploadJobs. Several processes share their "
                    "uploads with UploadJobs(QueueBackend(url)); otherwise, start the application with one worker, or "
                    "give each process its own folder (under pytest-xdist, a folder such as tmp_path)",
                    path="folder",
                ) from error
            if _code(error) != sqlite3.SQLITE_NOTADB:
                raise
            (self._path / "lock.sqlite").unlink()  # a damaged file locks nothing
            self._lock = _lock(self._path / "lock.sqlite")
        for file in self._path.iterdir():
            if _LEFTOVER.fullmatch(file.name):  # its process was killed while it wrote
                file.unlink(missing_ok=True)

    async def records(self) -> list[Record]:
        """Read all records, the least recently written first."""
        return await self._in_thread(self._read_all) or []

    async def read(self, id: str) -> Record | None:
        """Read a record; None if there is none."""
        return await run_sync(self.read_now, id)

    def read_now(self, id: str) -> Record | None:
        """Read a record, blocking; None if there is none."""
        file = self._foreign.get(id) or (self._path / f"{id}.json" if ID.fullmatch(id) else None)
        return None if file is None or self._lock is None or not os.path.lexists(file) else self._read(file)

    async def save(self, record: Record, text: str | None = None) -> bool:
        """
        Write a record: all of it or nothing, also when the machine stops.

        Args:
            record: The record.
            text: What `serialize` returned for it, if it was called already.

        Returns:
            Whether it was written.
        """
        return await self._in_thread(self._write, record, text) is not None

    async def delete(self, id: str) -> bool:
        """Delete a record and its checkpoints; returns whether it is gone."""
        return await self._in_thread(self._delete, id) is not None

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._lock is None:  # another process may own the folder
            return None
        try:
            return await run_sync(function, *arguments)
        except Exception:  # whatever a disk does
            logger.exception("the folder of the uploads: %s failed", function.__name__.strip("_"))
            return None

    def _read_all(self) -> list[Record]:
        files = []
        for file in self._path.glob("*.json"):
            try:
                files.append((file.lstat().st_mtime_ns, file.name, file))
            except OSError:
                continue  # deleted in the meantime
        return [self._read(file) for *_, file in sorted(files)]

    def _read(self, file: Path) -> Record:
        if not ID.fullmatch(file.stem):
            name = uuid5(NAMESPACE_URL, os.fsencode(file.name).hex()).hex
            if name not in self._foreign:
                logger.warning("%r is not the record of an upload", str(file))
            self._foreign[name] = file
            return unreadable(name, FOREIGN)
        try:
            return parse(file.stem, _read_regular(file))
        except Exception as error:  # noqa: BLE001 (a file may contain anything)
            logger.warning("%r is not a readable record: %r", str(file), error)
            return unreadable(file.stem, DAMAGED)

    def _write(self, record: Record, text: str | None) -> bool:
        text = serialize(record) if text is None else text
        new = self._path / f"{record.id}.{uuid4().hex}.new"
        try:
            with new.open("x", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path / f"{record.id}.json")
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        _sync_folder(self._path)
        return True

    def _delete(self, id: str) -> bool:
        foreign = self._foreign.pop(id, None)
        for file in [foreign] if foreign else list(self._path.glob(f"{id}*")):
            file.unlink(missing_ok=True)
        return True


def serialize(record: Record) -> str:
    """
    Return the text of a record.

    Raises:
        InputError: An argument is not JSON-serializable, or the record is too large.
    """
    fields = attrs.asdict(record)
    del fields["unreadable"]
    if record.owner is None:
        del fields["owner"]
    try:
        text = json.dumps(fields, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"expected JSON, to store it for a restart: {error}", path="arguments") from error
    if len(text) > MAX_RECORD_BYTES:
        raise InputError(f"larger than {MAX_RECORD_BYTES:,} bytes as JSON", path="arguments")
    return text


def _lock(path: Path) -> sqlite3.Connection:
    # SQLite locks files on every platform, and the lock is released when the process dies.
    lock = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except BaseException:
        lock.close()
        raise
    return lock


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part


def _read_regular(file: Path) -> str:
    """Read a regular file, bounded: a pipe would block, and a link may lead anywhere."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_RECORD_BYTES:
        raise ValueError("not a regular file of a sensible size")
    return file.read_text(encoding="utf-8")


def parse(id: str, text: str) -> Record:
    """
    Return the record in a text.

    Raises:
        ValueError: It is not the record of this upload.
    """
    content = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(content, dict) or content.get("id") != id:
        raise ValueError("not the record of this upload")
    record = Record(**content)
    valid = (
        isinstance(record.kind, str)
        and isinstance(record.arguments, dict)
        and isinstance(record.state, str)
        and record.state in _STATES
        and isinstance(record.owner, str | None)
        and record.unreadable is False
        and isinstance(record.result, dict)
        and all(name in _RESULT and isinstance(value, _RESULT[name]) for name, value in record.result.items())
    )
    if not valid:
        raise ValueError("a field has an unexpected value")
    json.dumps(content).encode("ascii")
    str(record.kind).encode()  # lone surrogates could not be sent to a browser
    str(record.result.get("detail")).encode()
    return record


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def unreadable(id: str, detail: str) -> Record:
    """Return a record in place of one that cannot be read."""
    return Record(id=id, kind="", arguments={}, state="failed", result={"detail": detail}, unreadable=True)


def _sync_folder(path: Path) -> None:
    """Make a renaming survive a power failure, where the platform can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
