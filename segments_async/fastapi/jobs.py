"""Background uploads in a web application that resume after a restart."""

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
from segments_async.fastapi._groups import background_task_group
from segments_async.fastapi._records import Record, RecordFolder
from segments_async.fastapi.clients import client_from_state
from segments_async.fastapi.problems import public_message
from segments_async.fastapi.uploads import State, Upload, UploadStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from segments_async._client import AsyncSegments
    from segments_async.bulk import BulkReport

    Work = Callable[..., Awaitable[BulkReport[Any] | None]]
    """An async function of the `Upload`, the client and JSON keyword arguments; it is called again after a restart."""
    W = TypeVar("W", bound=Work)

logger: logging.Logger = logging.getLogger("segments_async")

STREAM_SECONDS = 30.0
"""Maximum duration of an event stream, so that open streams do not block a server shutdown; browsers reconnect."""
HEARTBEAT_SECONDS = 10.0
"""Seconds without a change after which a stream sends a comment, to keep the connection open."""

_NOT_STARTED = "The application is not started; UploadJobs run while the application runs."

UploadId = Annotated[str, PathParameter(description="The id that `start` returned.")]


class UploadJobs(APIRouter):
    """
    Run uploads in the background, report their progress, and resume them after a restart.

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

    The routes are ``GET /`` (lists all uploads), ``GET /{id}``, ``GET /{id}/events`` (server-sent events: a
    ``progress`` event for each change, then an ``end`` event), ``POST /{id}/resume`` and ``DELETE /{id}`` (cancels).
    Pass ``dependencies=[...]`` to control who may call them.

    Uploads survive a restart: an upload interrupted by a shutdown or a crash resumes from its checkpoint when the
    application starts again, so no completed item is sent twice. To resume, its function is called again with the
    same arguments.

    Args:
        folder: Where the state of the uploads is stored. One process at a time can use it: start the application
            with one worker, or give each worker its own folder.
        options: Passed to FastAPI's APIRouter.
    """

    def __init__(self, folder: str | Path, **options: Any) -> None:
        super().__init__(lifespan=self._run, **options)
        self._folder = Path(folder)
        self._kinds: dict[str, Work] = {}
        self._uploads: dict[str, Upload] = {}
        self._group: TaskGroup | None = None
        self._client: AsyncSegments | None = None
        self._store: RecordFolder | None = None
        self.add_api_route("/", self._list, name="list_uploads", methods=["GET"])
        self.add_api_route("/{id}", self._get, name="get_upload", methods=["GET"])
        self.add_api_route(
            "/{id}/events", self._events, name="watch_upload", methods=["GET"], response_class=StreamingResponse
        )
        self.add_api_route("/{id}/resume", self._resume, name="resume_upload", methods=["POST"])
        self.add_api_route("/{id}", self._cancel, name="cancel_upload", methods=["DELETE"])

    def kind(self, work: W) -> W:
        """
        Register an upload function under its name.

        Example:
            ::

                @jobs.kind
                async def folder(upload: Upload, client: AsyncSegments, *, path: str) -> None: ...

        Args:
            work: An async function. Keep its name as long as there may be unfinished uploads.

        Raises:
            InputError: A function of this name is registered already.
        """
        name = work.__name__
        if name in self._kinds:
            raise InputError(f"a kind {name!r} is registered already", path="work")
        self._kinds[name] = work
        return work

    async def start(self, work: Work | str, /, **arguments: Any) -> UploadStatus:
        """
        Start an upload and return immediately.

        Example:
            ::

                status = await jobs.start(folder, dataset="jane/flowers", path="/data/flowers")

        Args:
            work: A function registered with `kind`, or its name.
            arguments: JSON keyword arguments for the function. They are written to the folder, so do not pass API
                keys.

        Raises:
            InputError: The function is not registered, or an argument is not JSON-serializable.
            RuntimeError: The application is not started.
        """
        name = work if isinstance(work, str) else work.__name__
        self._check_kind(name)
        record = Record(id=uuid4().hex, kind=name, arguments=arguments)
        await self._require_store().save(record)
        return self._launch(record).status

    def status(self, id: str) -> UploadStatus:
        """
        Return the status of an upload.

        Example:
            ::

                print(jobs.status(id).done)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        return self._get_upload(id).status

    async def watch(self, id: str) -> AsyncIterator[UploadStatus]:
        """
        Yield the status of an upload: now, and after each change until it has ended.

        Example:
            ::

                async for status in jobs.watch(id):
                    print(status.done, status.total)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        upload = self._get_upload(id)
        while True:
            status, changed = upload.status, upload.changed
            yield status
            if status.state != "running":
                return
            await changed.wait()

    async def cancel(self, id: str) -> UploadStatus:
        """
        Cancel an upload; uploaded items stay uploaded, and `resume` continues with the rest.

        Example:
            ::

                await jobs.cancel(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        upload = self._get_upload(id)
        if upload.status.state == "running":
            upload.scope.cancel()
            await upload.ended.wait()  # by then its checkpoint is closed, so it can be resumed
            await self._end(upload, "cancelled")
        return upload.status

    async def resume(self, id: str) -> UploadStatus:
        """
        Resume an upload that was cancelled or failed, or retry the failed items of one that is done.

        Example:
            ::

                await jobs.resume(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        upload = self._get_upload(id)
        if upload.status.state == "running":
            return upload.status
        self._check_kind(upload.record.kind)
        record = attrs.evolve(upload.record, state="running", result={})
        await self._require_store().save(record)
        return self._launch(record).status

    async def forget(self, id: str) -> None:
        """
        Delete the record and the checkpoints of an upload that has ended; uploaded items stay uploaded.

        Example:
            ::

                await jobs.forget(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
            InputError: The upload is running; cancel it first.
        """
        if self._get_upload(id).status.state == "running":
            raise InputError("the upload is running; cancel it first", path="id")
        await self._require_store().delete(id)
        self._uploads.pop(id, None)

    def _check_kind(self, name: str) -> None:
        if name not in self._kinds:
            raise InputError(f"expected one of {sorted(self._kinds)}, got {name!r}", path="work")

    @asynccontextmanager
    async def _run(self, app: Any) -> AsyncIterator[None]:
        self._client = client_from_state(app)
        async with RecordFolder(self._folder) as self._store, background_task_group() as self._group:
            self._uploads.clear()
            for record in await self._store.records():
                self._restore(record)
            yield  # shutdown cancels uploads but their records stay "running", so the next start resumes them
        self._store = self._group = None

    def _restore(self, record: Record) -> None:
        if record.state != "running":
            self._register(record)
        elif record.kind in self._kinds:
            self._launch(record)
        else:  # the file stays "running", so that a version of the application with this kind resumes the upload
            detail = f"This version of the application does not have the upload kind {record.kind!r}."
            self._register(attrs.evolve(record, state="failed", result={"detail": detail}))

    def _launch(self, record: Record) -> Upload:
        if self._group is None or self._client is None:
            raise RuntimeError(_NOT_STARTED)
        upload = self._register(record)
        self._group.start_soon(self._work, upload, self._client)
        return upload

    def _register(self, record: Record) -> Upload:
        status = UploadStatus(id=record.id, kind=record.kind, state=record.state, **record.result)
        previous = self._uploads.get(record.id)
        upload = self._uploads[record.id] = Upload(record, self._folder, status)
        if previous is not None:
            previous.changed.set()
        return upload

    async def _work(self, upload: Upload, client: AsyncSegments) -> None:
        try:
            with upload.scope:
                report = await self._kinds[upload.record.kind](upload, client, **upload.record.arguments)
                if report is not None and report.stopped:
                    logger.error("upload %s (%s): %s", upload.id, upload.record.kind, report.as_error())
                    await self._end(upload, "failed", public_message(report.as_error()))
                else:
                    await self._end(upload, "done")
        except SegmentsError as error:
            logger.error("upload %s (%s) failed: %s", upload.id, upload.record.kind, error)  # noqa: TRY400 (the message suffices)
            await self._end(upload, "failed", public_message(error))
        except Exception as error:
            logger.exception("upload %s (%s) failed", upload.id, upload.record.kind)
            await self._end(upload, "failed", public_message(error))
        finally:
            upload.ended.set()

    async def _end(self, upload: Upload, state: State, detail: str | None = None) -> None:
        if upload.status.state != "running":
            return
        upload.update(state=state, detail=detail, remaining=None)
        upload.record.state = state
        upload.record.result = upload.status.model_dump(include={"done", "failed", "total", "detail"})
        with anyio.CancelScope(shield=True):
            await self._require_store().save(upload.record)

    def _require_store(self) -> RecordFolder:
        if self._store is None:
            raise RuntimeError(_NOT_STARTED)
        return self._store

    def _get_upload(self, id: str) -> Upload:
        try:
            return self._uploads[id]
        except KeyError:
            raise NotFoundError(detail=f"upload {id!r} does not exist") from None

    def _get_upload_or_404(self, id: str) -> Upload:
        if id not in self._uploads:
            raise HTTPException(404, "upload does not exist")
        return self._uploads[id]

    async def _list(self) -> list[UploadStatus]:
        return [upload.status for upload in self._uploads.values()]

    async def _get(self, id: UploadId) -> UploadStatus:
        return self._get_upload_or_404(id).status

    async def _cancel(self, id: UploadId) -> UploadStatus:
        return await self.cancel(self._get_upload_or_404(id).id)

    async def _resume(self, id: UploadId) -> UploadStatus:
        return await self.resume(self._get_upload_or_404(id).id)

    async def _events(self, id: UploadId) -> StreamingResponse:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._stream(self._get_upload_or_404(id)), media_type="text/event-stream", headers=headers
        )

    async def _stream(self, upload: Upload) -> AsyncIterator[str]:
        deadline = anyio.current_time() + STREAM_SECONDS
        sent: UploadStatus | None = None
        while anyio.current_time() < deadline:
            status, changed = upload.status, upload.changed
            if status is not sent:
                name = "progress" if status.state == "running" else "end"
                yield f"event: {name}\ndata: {status.model_dump_json()}\n\n"
                sent = status
            if status.state != "running":
                return
            with anyio.move_on_after(HEARTBEAT_SECONDS) as waiting:
                await changed.wait()
            if waiting.cancelled_caught:
                yield ": still here\n\n"
