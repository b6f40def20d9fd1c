"""The routes of `UploadJobs`: who may see an upload, and its events."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from attrs import frozen
from fastapi import APIRouter, Depends, Header, HTTPException, Path, Response
from fastapi.responses import StreamingResponse

from segments_async.errors import InputError, NotFoundError
from segments_async.fastapi._queue_store import QueueUnavailableError
from segments_async.fastapi.uploads import ACTIVE, UploadStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from segments_async.fastapi._queue_runner import QueueRunner
    from segments_async.fastapi._records import Record
    from segments_async.fastapi._runner import Runner
    from segments_async.fastapi.uploads import Followed

STREAM_SECONDS = 30.0
"""Maximum duration of an event stream, so that open streams do not block a server shutdown; browsers reconnect."""
HEARTBEAT_SECONDS = 10.0
"""Seconds without a change after which a stream sends a comment, to keep the connection open."""
_UNAVAILABLE_SECONDS = 1.0
# Proxies must forward each event at once, and unchanged.
STREAM_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}

UploadId = Annotated[str, Path(description="The id that `start` returned.")]
LastEventId = Annotated[str | None, Header(description="The last event that the client received.")]


@frozen
class Caller:
    """Who sends a request."""

    owner: str | None
    """Its owner name; None if there is no `owner` dependency, so that it sees all uploads."""

    def may_see(self, record: Record) -> bool:
        """Whether an upload is the caller's."""
        return self.owner is None or record.owner == self.owner


def add_routes(router: APIRouter, runner: Runner | QueueRunner, owner: Callable[..., Any] | None) -> None:
    """Add the routes for the uploads of *runner* to *router*."""
    caller_dependency = Depends(_caller_dependency(owner))

    async def find(id: str, caller: Caller) -> UploadStatus:
        try:
            record, status = await runner.find(id)
        except NotFoundError:
            record = None
        if record is None or not caller.may_see(record):
            raise HTTPException(404, "upload does not exist")
        return status

    async def list_uploads(caller: Caller = caller_dependency) -> list[UploadStatus]:
        return [status for record, status in await runner.all() if caller.may_see(record)]

    async def get_upload(id: UploadId, caller: Caller = caller_dependency) -> UploadStatus:
        return await find(id, caller)

    async def watch_upload(
        id: UploadId, caller: Caller = caller_dependency, last_event_id: LastEventId = None
    ) -> Response:
        status = await find(id, caller)
        if status.state not in ACTIVE and last_event_id == _event_id(status):
            return Response(status_code=204)  # a browser then does not reconnect
        events = _stream(runner.follow(id, status) or status, last_event_id)
        return StreamingResponse(events, media_type="text/event-stream", headers=STREAM_HEADERS)

    async def resume_upload(id: UploadId, caller: Caller = caller_dependency) -> UploadStatus:
        await find(id, caller)
        return await runner.resume(id)

    async def cancel_upload(id: UploadId, caller: Caller = caller_dependency) -> UploadStatus:
        await find(id, caller)
        return await runner.cancel(id)

    router.add_api_route("/", list_uploads, methods=["GET"])
    router.add_api_route("/{id}", get_upload, methods=["GET"])
    router.add_api_route("/{id}/events", watch_upload, methods=["GET"], response_class=StreamingResponse)
    router.add_api_route("/{id}/resume", resume_upload, methods=["POST"])
    router.add_api_route("/{id}", cancel_upload, methods=["DELETE"])


def _caller_dependency(owner: Callable[..., Any] | None) -> Callable[..., Caller]:
    if owner is None:
        return lambda: Caller(None)
    if not callable(owner):
        raise InputError(f"expected a dependency, such as a function of the request, got {owner!r}", path="owner")
    name = Depends(owner)

    def caller(owner: Any = name) -> Caller:
        if not isinstance(owner, str) or not owner:
            raise TypeError(f"the dependency of UploadJobs(owner=...) must return a name, not {owner!r}")
        return Caller(owner)

    return caller


async def _stream(source: Followed | UploadStatus, last_event_id: str | None) -> AsyncIterator[str]:
    """Send a status after each change; each event contains all of it, so a client that reconnects misses nothing."""
    deadline = anyio.current_time() + STREAM_SECONDS
    yield "retry: 1000\n\n"
    sent = last_event_id
    while (left := deadline - anyio.current_time()) > 0:
        status = source if isinstance(source, UploadStatus) else source.status
        if isinstance(source, UploadStatus) or status.state not in ACTIVE:
            yield _event("end", status)
            return
        if _event_id(status) != sent:
            yield _event("progress", status)
            sent = _event_id(status)
        with anyio.move_on_after(min(HEARTBEAT_SECONDS, left)) as waiting:
            await _wait_for_change(source, status)
        if waiting.cancelled_caught:
            yield ": still here\n\n"


async def _wait_for_change(source: Followed, status: UploadStatus) -> None:
    """Wait also while the uploads cannot be read: a browser whose stream is answered with 503 does not reconnect."""
    while True:
        try:
            return await source.wait_for_change(status)
        except QueueUnavailableError:
            await anyio.sleep(_UNAVAILABLE_SECONDS)


def _event(name: str, status: UploadStatus) -> str:
    return f"id: {_event_id(status)}\nevent: {name}\ndata: {status.model_dump_json()}\n\n"


def _event_id(status: UploadStatus) -> str:
    """Return the same id for the same status, also after a restart of the application."""
    return blake2b(status.model_dump_json().encode(), digest_size=8).hexdigest()
