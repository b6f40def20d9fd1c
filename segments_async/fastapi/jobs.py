"""Uploads that go on in the background of a web application, and after its restart."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import uuid4

import anyio
import attrs
from fastapi import APIRouter, HTTPException, Path as PathParameter
from fastapi.responses import StreamingResponse

from segments_async.errors import InputError, NotFoundError, SegmentsError
from segments_async.fastapi._groups import passing_group
from segments_async.fastapi._records import Folder, Record
from segments_async.fastapi.clients import client_of
from segments_async.fastapi.problems import public_words
from segments_async.fastapi.uploads import State, Upload, UploadStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from segments_async._client import AsyncSegments
    from segments_async.bulk import BulkReport

    Work = Callable[..., Awaitable[BulkReport[Any] | None]]
    """Given the `Upload`, the client, and keyword arguments that are JSON, as it is called again after a restart."""
    W = TypeVar("W", bound=Work)

logger: logging.Logger = logging.getLogger("segments_async")

STREAM_SECONDS = 30.0
"""A stream of events ends after this, so that it keeps no server from stopping; browsers connect anew by themselves."""
HEARTBEAT_SECONDS = 10.0

_NOT_STARTED = "The application is not started: UploadJobs run between its start and its stop."

UploadId = Annotated[str, PathParameter(description="What `start` returned.")]


class UploadJobs(APIRouter):
    """
    Run uploads in the background, tell how far they are, and go on with them after a restart.

    Example:
        ::

            jobs = UploadJobs("uploads")

            @jobs.kind
            async def folder(upload: Upload, client: AsyncSegments, *, dataset: str, path: str) -> BulkReport[Sample]:
                return await client.samples.upload_files(dataset, Path(path).glob("*.jpg"), **upload.options())

            app = FastAPI(lifespan=lifespan(AsyncSegments))
            app.include_router(jobs, prefix="/uploads")

            @app.post("/datasets/{owner}/{name}/uploads")
            async def begin(owner: str, name: str) -> UploadStatus:
                return await jobs.start(folder, dataset=f"{owner}/{name}", path="/data/flowers")

    Its routes are ``GET /`` (all), ``GET /{id}``, ``GET /{id}/events`` (server-sent events: one for each change, named
    ``progress``, the last one ``end``), ``POST /{id}/resume`` and ``DELETE /{id}``, which cancels. Give them
    ``dependencies=[...]`` of yours that say who may call them.

    An upload survives the application: one that the stop of a server or a crash interrupted goes on when it starts
    again, from its checkpoint, so nothing that is done is sent twice. For that its function is called anew, with the
    same arguments.

    Args:
        folder: Where it keeps what is to survive. It belongs to one process at a time: start the application with
            one worker, or give each worker a folder of its own.
        options: Of FastAPI's APIRouter.
    """

    def __init__(self, folder: str | Path, **options: Any) -> None:
        super().__init__(lifespan=self._run, **options)
        self._folder = Path(folder)
        self._kinds: dict[str, Work] = {}
        self._uploads: dict[str, Upload] = {}
        self._group: TaskGroup | None = None
        self._client: AsyncSegments | None = None
        self._store: Folder | None = None
        self.add_api_route("/", self._list, name="list_uploads", methods=["GET"])
        self.add_api_route("/{id}", self._get, name="get_upload", methods=["GET"])
        self.add_api_route(
            "/{id}/events", self._events, name="watch_upload", methods=["GET"], response_class=StreamingResponse
        )
        self.add_api_route("/{id}/resume", self._resume, name="resume_upload", methods=["POST"])
        self.add_api_route("/{id}", self._cancel, name="cancel_upload", methods=["DELETE"])

    def kind(self, work: W) -> W:
        """
        Register a function that does uploads, by its name.

        Example:
            ::

                @jobs.kind
                async def folder(upload: Upload, client: AsyncSegments, *, path: str) -> None: ...

        Args:
            work: An async function; keep its name while there may be unfinished uploads.

        Raises:
            InputError: There is one of this name.
        """
        name = work.__name__
        if name in self._kinds:
            raise InputError(f"there is a kind {name!r} already", path="work")
        self._kinds[name] = work
        return work

    async def start(self, work: Work | str, /, **arguments: Any) -> UploadStatus:
        """
        Begin an upload, and return at once.

        Example:
            ::

                status = await jobs.start(folder, dataset="jane/flowers", path="/data/flowers")

        Args:
            work: What was registered by `kind`, or its name.
            arguments: For it, as JSON. They are written to the folder, so no key should be among them.

        Raises:
            InputError: It is no such kind, or an argument is not JSON.
            RuntimeError: The application is not started.
        """
        name = work if isinstance(work, str) else work.__name__
        self._check_kind(name)
        record = Record(id=uuid4().hex, kind=name, arguments=arguments)
        await self._open_store().save(record)
        return self._begin(record).status

    def status(self, id: str) -> UploadStatus:
        """
        Tell how far an upload is.

        Example:
            ::

                print(jobs.status(id).done)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        return self._find(id).status

    async def watch(self, id: str) -> AsyncIterator[UploadStatus]:
        """
        Tell how far an upload is, now and with each change, until it has ended.

        Example:
            ::

                async for status in jobs.watch(id):
                    print(status.done, status.total)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        upload = self._find(id)
        while True:
            status, changed = upload.status, upload.changed
            yield status
            if status.state != "running":
                return
            await changed.wait()

    async def cancel(self, id: str) -> UploadStatus:
        """
        Stop an upload; what is done stays done, and `resume` goes on with the rest.

        Example:
            ::

                await jobs.cancel(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        upload = self._find(id)
        if upload.status.state == "running":
            upload.scope.cancel()
            await upload.ended.wait()  # its checkpoint is closed then, so that it can be resumed
            await self._end(upload, "cancelled")
        return upload.status

    async def resume(self, id: str) -> UploadStatus:
        """
        Go on with an upload that was cancelled or failed; one that is done sends what failed again.

        Example:
            ::

                await jobs.resume(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        upload = self._find(id)
        if upload.status.state == "running":
            return upload.status
        self._check_kind(upload.record.kind)
        record = attrs.evolve(upload.record, state="running", result={})
        await self._open_store().save(record)
        return self._begin(record).status

    async def forget(self, id: str) -> None:
        """
        Delete what is kept of an upload that has ended, its checkpoint included; what was uploaded stays.

        Example:
            ::

                await jobs.forget(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
            InputError: It is running; cancel it first.
        """
        if self._find(id).status.state == "running":
            raise InputError("it is running; cancel it first", path="id")
        await self._open_store().delete(id)
        self._uploads.pop(id, None)

    def _check_kind(self, name: str) -> None:
        if name not in self._kinds:
            raise InputError(f"expected one of {sorted(self._kinds)}, got {name!r}", path="work")

    @asynccontextmanager
    async def _run(self, app: Any) -> AsyncIterator[None]:
        self._client = client_of(app)
        async with Folder(self._folder) as self._store, passing_group() as self._group:
            self._uploads.clear()
            for record in await self._store.records():
                self._take_up(record)
            yield  # what runs at the end is cancelled, but its record says "running": the next start goes on
        self._store = self._group = None

    def _take_up(self, record: Record) -> None:
        if record.state != "running":
            self._keep(record)
        elif record.kind in self._kinds:
            self._begin(record)
        else:  # its file still says that it runs: a version of the application that knows the kind goes on with it
            detail = f"This version of the application has no uploads of the kind {record.kind!r}."
            self._keep(attrs.evolve(record, state="failed", result={"detail": detail}))

    def _begin(self, record: Record) -> Upload:
        if self._group is None or self._client is None:
            raise RuntimeError(_NOT_STARTED)
        upload = self._keep(record)
        self._group.start_soon(self._work, upload, self._client)
        return upload

    def _keep(self, record: Record) -> Upload:
        status = UploadStatus(id=record.id, kind=record.kind, state=record.state, **record.result)
        before = self._uploads.get(record.id)
        upload = self._uploads[record.id] = Upload(record, self._folder, status)
        if before is not None:
            before.changed.set()
        return upload

    async def _work(self, upload: Upload, client: AsyncSegments) -> None:
        try:
            with upload.scope:
                report = await self._kinds[upload.record.kind](upload, client, **upload.record.arguments)
                if report is not None and report.stopped:
                    logger.error("upload %s (%s): %s", upload.id, upload.record.kind, report.as_error())
                    await self._end(upload, "failed", public_words(report.as_error()))
                else:
                    await self._end(upload, "done")
        except SegmentsError as error:
            logger.error("upload %s (%s) failed: %s", upload.id, upload.record.kind, error)  # noqa: TRY400 (it says all)
            await self._end(upload, "failed", public_words(error))
        except Exception as error:
            logger.exception("upload %s (%s) failed", upload.id, upload.record.kind)
            await self._end(upload, "failed", public_words(error))
        finally:
            upload.ended.set()

    async def _end(self, upload: Upload, state: State, detail: str | None = None) -> None:
        if upload.status.state != "running":
            return
        upload.update(state=state, detail=detail, remaining=None)
        upload.record.state = state
        upload.record.result = upload.status.model_dump(include={"done", "failed", "total", "detail"})
        with anyio.CancelScope(shield=True):
            await self._open_store().save(upload.record)

    def _open_store(self) -> Folder:
        if self._store is None:
            raise RuntimeError(_NOT_STARTED)
        return self._store

    def _find(self, id: str) -> Upload:
        try:
            return self._uploads[id]
        except KeyError:
            raise NotFoundError(detail=f"there is no upload {id!r}") from None

    def _found(self, id: str) -> Upload:
        if id not in self._uploads:
            raise HTTPException(404, "there is no such upload")
        return self._uploads[id]

    async def _list(self) -> list[UploadStatus]:
        return [upload.status for upload in self._uploads.values()]

    async def _get(self, id: UploadId) -> UploadStatus:
        return self._found(id).status

    async def _cancel(self, id: UploadId) -> UploadStatus:
        return await self.cancel(self._found(id).id)

    async def _resume(self, id: UploadId) -> UploadStatus:
        return await self.resume(self._found(id).id)

    async def _events(self, id: UploadId) -> StreamingResponse:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(self._found(id)), media_type="text/event-stream", headers=headers)

    async def _stream(self, upload: Upload) -> AsyncIterator[str]:
        ends = anyio.current_time() + STREAM_SECONDS
        told: UploadStatus | None = None
        while anyio.current_time() < ends:
            status, changed = upload.status, upload.changed
            if status is not told:
                name = "progress" if status.state == "running" else "end"
                yield f"event: {name}\ndata: {status.model_dump_json()}\n\n"
                told = status
            if status.state != "running":
                return
            with anyio.move_on_after(HEARTBEAT_SECONDS) as waiting:
                await changed.wait()
            if waiting.cancelled_caught:
                yield ": still here\n\n"
