"""What is to survive of uploads: a file for each, in a folder that one process at a time may use."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
from anyio import to_thread
from attrs import define, field

from segments_async.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@define(eq=False)
class Record:
    """An upload, as it is kept."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    result: dict[str, Any] = field(factory=dict)


class Folder:
    """
    The records of a folder, which nobody else can open meanwhile.

    Args:
        path: The folder; it is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        await to_thread.run_sync(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def _open(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        # SQLite's lock is the one lock of a file that every system has, and that ends with its process.
        lock = sqlite3.connect(self._path / "lock.sqlite", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            raise InputError(f"{self._path} is in use by another process; give each its own", path="folder") from error
        self._lock = lock

    async def records(self) -> list[Record]:
        """Read all records, oldest first."""
        return await to_thread.run_sync(self._read)

    def _read(self) -> list[Record]:
        files = sorted(self._path.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        return [Record(**json.loads(file.read_text(encoding="utf-8"))) for file in files]

    async def save(self, record: Record) -> None:
        """
        Write a record: all of it, or nothing.

        Raises:
            InputError: An argument is not JSON.
        """
        try:
            text = json.dumps(attrs.asdict(record), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"expected JSON, as it is kept for a restart: {error}", path="arguments") from error
        await to_thread.run_sync(self._write, record.id, text)

    async def delete(self, name: str) -> None:
        """Delete a record, and all files whose names begin as its own does."""
        await to_thread.run_sync(self._delete, name)

    def _delete(self, name: str) -> None:
        for file in self._path.glob(f"{name}*"):
            file.unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        new = self._path / f"{name}.json.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self._path / f"{name}.json")
