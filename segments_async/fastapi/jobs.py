"""Background uploads in a web application that resume after a restart."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from fastapi import APIRouter

from segments_async._validators import is_count
from segments_async.errors import InputError
from segments_async.fastapi._kinds import Kinds
from segments_async.fastapi._queue_runner import QueueRunner
from segments_async.fastapi._queue_worker import Worker
from segments_async.fastapi._routes import add_routes
from segments_async.fastapi._runner import Runner
from segments_async.fastapi.clients import client_from_app
from segments_async.fastapi.queue import QueueBackend
from segments_async.fastapi.uploads import ACTIVE, UploadStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from segments_async._client import AsyncSegments
    from segments_async.fastapi._kinds import Work

    W = TypeVar("W", bound=Work)


class UploadJobs(APIRouter):
    """
    Run uploads in the background, report their progress, and resume them after a restart.

    Example::

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
    Pass ``dependencies=[...]`` to control who may call them, and ``owner=`` to show each caller only its own uploads.

    No error of an upload or of the disk ends the application: a record that cannot be written is logged and kept in
    memory, and a damaged one is listed as ``failed``.

    Uploads survive a restart: an upload interrupted by a shutdown or a crash resumes from its checkpoint when the
    application starts again, so no completed item is sent twice. To resume, its function is called again with the
    same arguments.

    Args:
        folder: Where the state of the uploads is stored. One process at a time can use it: start the application
            with one worker, or give each worker its own folder. Or a `QueueBackend`, for several web processes and
            hosts: the uploads are then run by workers, see `worker`.
        owner: A dependency that returns the name of the caller. The routes then show, cancel and resume only uploads
            that were started with ``start(..., owner=name)``; any other upload is answered with 404.
        max_running: Maximum number of uploads that run at the same time, in each worker of a `QueueBackend`. The
            others are ``queued``, also after a restart.
        options: Passed to FastAPI's APIRouter.

    Raises:
        InputError: *owner* is not callable, or *max_running* is less than 1.
    """

    def __init__(
        self,
        folder: str | Path | QueueBackend,
        *,
        owner: Callable[..., Any] | None = None,
        max_running: int = 4,
        **options: Any,
    ) -> None:
        super().__init__(lifespan=self._run, **options)
        if not is_count(max_running) or max_running < 1:
            raise InputError(f"expected an integer of at least 1, got {max_running!r}", path="max_running")
        self._kinds = Kinds()
        self._max_running = max_running
        self._backend = folder if isinstance(folder, QueueBackend) else None
        self._runner: QueueRunner | Runner = (
            QueueRunner(folder, self._kinds)
            if isinstance(folder, QueueBackend)
            else Runner(Path(folder), self._kinds, max_running)
        )
        add_routes(self, self._runner, owner)

    def kind(self, work: W) -> W:
        """
        Register an upload function under its name.

        Example::

            @jobs.kind
            async def folder(upload: Upload, client: AsyncSegments, *, path: str) -> None: ...

        Args:
            work: An async function. Keep its name as long as there may be unfinished uploads.

        Raises:
            InputError: It is not an async function that accepts an upload and a client, or a function of this name
                is registered already.
        """
        self._kinds.add(work)
        return work

    def worker(self, factory: Callable[[], AsyncSegments]) -> dict[str, Any]:
        """
        Return the settings of a worker of a `QueueBackend`, for the queue's own command.

        Example::

            jobs = UploadJobs(QueueBackend("redis://localhost"))  # in application.py
            settings = jobs.worker(AsyncSegments)

            # saq application.settings --workers 2

        A worker that is asked to stop returns its uploads, and another one continues them at once; the uploads of a
        killed worker are continued after the `takeover` of the backend. An upload whose sixth worker dies is
        ``failed``, as it may be the cause; `resume` tries again.

        Args:
            factory: Creates the client of a worker.

        Returns:
            A dictionary for ``saq``; you may change it.

        Raises:
            InputError: The uploads are kept in a folder, or *factory* is not callable.
        """
        if self._backend is None:
            raise InputError("uploads in a folder run in the application; pass a QueueBackend", path="folder")
        if not callable(factory):
            raise InputError(f"expected a function that creates a client, got {factory!r}", path="factory")
        return Worker(self._backend, self._kinds, factory, self._max_running).settings()

    async def start(self, work: Work | str, /, *, owner: str | None = None, **arguments: Any) -> UploadStatus:
        """
        Start an upload and return immediately.

        Example::

            status = await jobs.start(folder, dataset="jane/flowers", path="/data/flowers", owner="jane")

        Args:
            work: A function registered with `kind`, or its name.
            owner: Whose upload it is, for ``UploadJobs(owner=...)``. Without an owner, no caller sees it there.
            arguments: JSON keyword arguments for the function. They are written to the folder or to Redis, so do not
                pass API keys.

        Returns:
            Its status, which is ``running``, or ``queued`` while `max_running` others run, or until a worker begins
            with it.

        Raises:
            InputError: The function is not registered, it has no such argument, one is missing, or one is not
                JSON-serializable.
            RuntimeError: The application is not started; FastAPI answers it with 503.
        """
        if owner is not None and (not isinstance(owner, str) or not owner):
            raise InputError(f"expected a name, got {owner!r}", path="owner")
        name = work if isinstance(work, str) else getattr(work, "__name__", repr(work))
        return await self._runner.start(name, arguments, owner, uuid4().hex)

    def status(self, id: str) -> UploadStatus:
        """
        Return the status of an upload.

        Example::

            print(jobs.status(id).done)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        return self._runner.find_now(id)[1]

    async def watch(self, id: str) -> AsyncIterator[UploadStatus]:
        """
        Yield the status of an upload: now, and after each change until it has ended.

        Example::

            async for status in jobs.watch(id):
                print(status.done, status.total)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        _, status = await self._runner.find(id)
        upload = self._runner.follow(id, status)
        while upload is not None and upload.status.state in ACTIVE:
            status = upload.status
            yield status
            await upload.wait_for_change(status)
        yield status if upload is None else upload.status

    async def cancel(self, id: str) -> UploadStatus:
        """
        Cancel an upload; uploaded items stay uploaded, and `resume` continues with the rest.

        Example::

            await jobs.cancel(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
        """
        return await self._runner.cancel(id)

    async def resume(self, id: str) -> UploadStatus:
        """
        Resume an upload that was cancelled or failed, or retry the failed items of one that is done.

        An upload that is queued or running already is left alone, and its status is returned.

        Example::

            await jobs.resume(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
            InputError: Its record cannot be read, or this version of the application cannot run it.
        """
        return await self._runner.resume(id)

    async def forget(self, id: str) -> None:
        """
        Delete the record and the checkpoints of an upload that has ended; uploaded items stay uploaded.

        Example::

            await jobs.forget(id)

        Args:
            id: What `start` returned.

        Raises:
            NotFoundError: There is no such upload.
            InputError: The upload is running; cancel it first.
        """
        await self._runner.forget(id)

    @asynccontextmanager
    async def _run(self, app: Any) -> AsyncIterator[None]:
        if self._runner.is_running():  # included twice
            yield
            return
        async with self._runner.run(client_from_app(app)):
            yield
