"""
The records of uploads in Redis.

An upload is a hash: its record, its state, its progress and the number of its run, which each `resume` raises. The
worker that runs it has a lease, and only that worker writes its progress and its end.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from segments_async._caller_errors import describe
from segments_async.fastapi._records import DAMAGED, ID, Record, parse, unreadable
from segments_async.fastapi.uploads import UploadStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator, Mapping

    from redis.asyncio import Redis

    from segments_async.fastapi.uploads import State

logger: logging.Logger = logging.getLogger("segments_async")

MAX_LOST = 5
"""Number of workers that may die while they run an upload; with the next one it fails, as it may be the cause."""
LOST = "This upload was interrupted several times."
QUIET_SECONDS = 60.0
"""Seconds for which the same failure is not logged again."""

_PRELUDE = """
local upload, lease, ids, open, id = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local function get(name) return redis.call('HGET', upload, name) end
local function set(...) redis.call('HSET', upload, ...) end
local function is_open() return get('state') == 'queued' or get('state') == 'running' end
local function is_held() return redis.call('EXISTS', lease) == 1 end
local function touch()
  local now = redis.call('TIME')
  redis.call('ZADD', ids, now[1] .. '.' .. string.format('%06d', tonumber(now[2])), id)
end
local function finish(state, detail)
  set('state', state, 'detail', detail)
  redis.call('HDEL', upload, 'cancel')
  redis.call('SREM', open, id)
  touch()
end
local function enter(...)
  set('state', 'queued', 'lost', 0, ...)
  redis.call('SADD', open, id)
  touch()
  return redis.call('HINCRBY', upload, 'run', 1)
end
local function count_lost()
  local lost = redis.call('HINCRBY', upload, 'lost', 1)
  if get('cancel') then finish('cancelled', '')
  elseif lost > tonumber(ARGV[2]) then finish('failed', ARGV[3]) end
end
"""
_SCRIPTS = {
    "create": "return enter('record', ARGV[2])",
    "resume": """
        if redis.call('EXISTS', upload) == 0 or is_open() then return 0 end
        redis.call('HDEL', upload, 'detail', 'progress', 'cancel')
        return enter()
    """,
    "cancel": """
        if not is_open() or (ARGV[2] ~= '' and get('run') ~= ARGV[2]) then return 0 end
        if not is_held() then finish('cancelled', '') return 0 end
        set('cancel', 1)
        return tonumber(get('run'))
    """,
    "forget": """
        if redis.call('TYPE', upload).ok == 'hash' and is_open() then return 0 end
        redis.call('DEL', upload)
        redis.call('ZREM', ids, id)
        return 1
    """,
    "begin": """
        if get('run') ~= ARGV[4] or not is_open() then return 'over' end
        if is_held() then return 'wait' end
        if get('state') == 'running' then count_lost() end
        if not is_open() then return 'over' end
        redis.call('SET', lease, ARGV[5], 'PX', ARGV[6])
        set('state', 'running')
        return 'begun'
    """,
    "beat": """
        if redis.call('GET', lease) ~= ARGV[2] then return 'lost' end
        redis.call('PEXPIRE', lease, ARGV[3])
        set('progress', ARGV[4], 'parts', ARGV[5])
        return get('cancel') and 'cancel' or ''
    """,
    "end": """
        if redis.call('GET', lease) ~= ARGV[2] then return 0 end
        set('progress', ARGV[3], 'parts', ARGV[4])
        redis.call('DEL', lease)
        if ARGV[5] ~= 'queued' then finish(ARGV[5], ARGV[6])
        elseif get('cancel') then finish('cancelled', '')
        else set('state', 'queued') end
        return 1
    """,
    "reclaim": """
        if is_held() then return 0 end
        if get('state') == 'running' then
          count_lost()
          if is_open() then set('state', 'queued') redis.call('HINCRBY', upload, 'run', 1) end
        end
        if not is_open() then redis.call('SREM', open, id) return 0 end
        return tonumber(get('run'))
    """,
}


class QueueUnavailableError(HTTPException, ConnectionError):
    """The Redis of the uploads cannot be used; answered with 503."""

    def __init__(self) -> None:
        HTTPException.__init__(self, 503, "The server of the uploads cannot be reached.")


class QueueStore:
    """
    The uploads of one queue.

    Args:
        client: A client whose answers are bytes.
        name: The name of the queue.
        takeover: Seconds after which a lease that is not renewed ends.
    """

    def __init__(self, client: Redis, name: str, takeover: float) -> None:
        self._client = client
        self._name = name
        self._milliseconds = round(takeover * 1000)
        self._logged: dict[str, float] = {}
        """When a failure was logged."""
        self._scripts = {name: client.register_script(_PRELUDE + text) for name, text in _SCRIPTS.items()}

    async def create(self, id: str, text: str) -> int:
        """Store a new upload; returns the number of its run."""
        return int(await self._call("create", id, text))

    async def resume(self, id: str) -> int:
        """Make an upload that has ended ``queued`` again; returns the number of the run, 0 if it has not ended."""
        return int(await self._call("resume", id))

    async def cancel(self, id: str, run: int | None = None) -> int:
        """Cancel an upload, or only *run* of it; returns the number of the run while a worker still runs it, else 0."""
        return int(await self._call("cancel", id, "" if run is None else run))

    async def forget(self, id: str) -> bool:
        """Delete an upload, unless it has not ended; returns whether it is gone."""
        return bool(await self._call("forget", id))

    async def begin(self, id: str, run: int, token: str) -> str:
        """Take the lease of an upload; returns ``begun``, ``wait`` while another worker has it, or ``over``."""
        answer: bytes = await self._call("begin", id, MAX_LOST, LOST, run, token, self._milliseconds)
        return answer.decode()

    async def beat(self, id: str, token: str, status: UploadStatus, parts: Iterable[str]) -> str:
        """Renew the lease and write the progress; returns ``lost`` or ``cancel`` if the run is to stop, else ``""``."""
        answer: bytes = await self._call("beat", id, token, self._milliseconds, _progress(status), _parts(parts))
        return answer.decode()

    async def end(
        self, id: str, token: str, status: UploadStatus, parts: Iterable[str], state: State, detail: str | None
    ) -> bool:
        """Give the lease back; returns False, and changes nothing, if it was lost."""
        return bool(await self._call("end", id, token, _progress(status), _parts(parts), state, detail or ""))

    async def reclaim(self) -> list[tuple[str, int]]:
        """Return the runs that no worker has: those that wait, and those whose worker died."""
        names = _ids(await self.reach(self._client.smembers(f"{self._name}:open")))
        runs = [(name, await self._reclaim(name)) for name in names]
        return [(name, run) for name, run in runs if run]

    async def _reclaim(self, id: str) -> int:
        try:
            return int(await self._call("reclaim", id, MAX_LOST, LOST))
        except (QueueUnavailableError, TypeError):  # a damaged one does not stop the others
            return 0

    async def find(self, id: str) -> tuple[Record, UploadStatus] | None:
        """Return an upload; None if there is none."""
        (fields,) = await self._fields([id])
        return entry(id, fields)

    async def parts(self, id: str) -> list[str]:
        """Return the names of the parts of an upload, which have a checkpoint each."""
        (fields,) = await self._fields([id])
        try:
            return [str(part) for part in json.loads(fields.get(b"parts", b"[]"))]
        except (AttributeError, TypeError, ValueError):  # damaged
            return []

    async def all(self) -> list[tuple[Record, UploadStatus]]:
        """Return all uploads, the least recently started or ended first."""
        names = _ids(await self.reach(self._client.zrange(f"{self._name}:ids", 0, -1)))
        entries = [entry(name, fields) for name, fields in zip(names, await self._fields(names), strict=True)]
        return [one for one in entries if one is not None]

    async def _fields(self, ids: list[str]) -> list[Any]:
        """Return the fields of uploads; an exception for a key that contains something else."""
        pipeline = self._client.pipeline(transaction=False)
        for name in ids:
            pipeline.hgetall(upload_key(self._name, name))
        found = await self.reach(pipeline.execute(raise_on_error=False)) if ids else []
        with self.errors():
            return [readable(fields) for fields in found]

    async def _call(self, script: str, id: str, *arguments: Any) -> Any:
        keys = [upload_key(self._name, id), *(f"{self._name}:{name}" for name in (f"lease:{id}", "ids", "open"))]
        return await self.reach(self._scripts[script](keys=keys, args=[id, *arguments]))

    async def reach(self, answer: Awaitable[Any]) -> Any:
        """
        Return what Redis answers.

        Raises:
            QueueUnavailableError: It does not, or it refuses the command.
        """
        with self.errors():
            return await answer

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise QueueUnavailableError for an error of Redis, and log it."""
        from redis.exceptions import RedisError  # noqa: PLC0415 (of an extra)

        try:
            yield
        except (RedisError, OSError) as error:
            self._log(describe(error))
            raise QueueUnavailableError from error

    def _log(self, reason: str) -> None:
        now = time.monotonic()
        self._logged = {text: at for text, at in self._logged.items() if now - at < QUIET_SECONDS}
        if reason not in self._logged:
            self._logged[reason] = now
            logger.error("the queue of the uploads cannot be used: %s", reason)


def upload_key(name: str, id: str) -> str:
    """Return the key of an upload in the queue *name*."""
    return f"{name}:upload:{id}"


def _ids(names: Iterable[bytes]) -> list[str]:
    return [name.decode() for name in names if ID.fullmatch(name.decode(errors="replace"))]


def readable(fields: Any) -> Any:
    """Return an answer; raise it if it is an error, unless it says that the key contains something else."""
    if isinstance(fields, Exception) and "WRONGTYPE" not in str(fields):
        raise fields
    return fields


def entry(id: str, fields: Mapping[bytes, bytes] | Exception) -> tuple[Record, UploadStatus] | None:
    """Return an upload from the fields of its hash; None if there is none."""
    if not fields or not ID.fullmatch(id):
        return None
    if isinstance(fields, Exception):
        return _damaged(id, fields)
    try:
        record = parse(id, fields[b"record"].decode())
        status = UploadStatus(
            id=id,
            kind=record.kind,
            state=fields[b"state"].decode(),  # type: ignore[arg-type]  # pydantic checks it
            detail=fields.get(b"detail", b"").decode() or None,
            **json.loads(fields.get(b"progress", b"{}")),
        )
    except Exception as error:  # noqa: BLE001 (a server may contain anything)
        return _damaged(id, error)
    return record, status


def _damaged(id: str, error: Exception) -> tuple[Record, UploadStatus]:
    logger.warning("%s is not a readable record: %s", id, describe(error))
    return unreadable(id, DAMAGED), UploadStatus(id=id, kind="", state="failed", detail=DAMAGED)


def _progress(status: UploadStatus) -> str:
    return status.model_dump_json(include={"done", "failed", "total", "remaining"})


def _parts(parts: Iterable[str]) -> str:
    return json.dumps(sorted(parts))
