"""Upload records on disk: one file per upload, in a folder used by one process at a time."""

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
    """The stored state of an upload."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    result: dict[str, Any] = field(factory=dict)


class RecordFolder:
    """
    The upload records in a folder, locked against other processes.

    Args:
        path: The folder. It is created if missing.
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
        # SQLite locks files on every platform, and the lock is released when the process dies.
        lock = sqlite3.connect(self._path / "lock.sqlite", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            raise InputError(
                f"{self._path} is in use by another process; give each process its own folder", path="folder"
            ) from error
        self._lock = lock

    async def records(self) -> list[Record]:
        """Read all records, the least recently written first."""
        return await to_thread.run_sync(self._read)

    def _read(self) -> list[Record]:
        files = sorted(self._path.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        return [Record(**json.loads(file.read_text(encoding="utf-8"))) for file in files]

    async def save(self, record: Record) -> None:
        """
        Write a record atomically.

        Raises:
            InputError: An argument is not JSON-serializable.
        """
        try:
            text = json.dumps(attrs.asdict(record), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"expected JSON, to store it for a restart: {error}", path="arguments") from error
        await to_thread.run_sync(self._write, record.id, text)

    async def delete(self, name: str) -> None:
        """Delete a record and its checkpoints: every file whose name starts with *name*."""
        await to_thread.run_sync(self._delete, name)

    def _delete(self, name: str) -> None:
        for file in self._path.glob(f"{name}*"):
            file.unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        new = self._path / f"{name}.json.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self._path / f"{name}.json")
