"""Start an import: open the annotations, and find or create the dataset and its labelset."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._threads import run_sync
from segments_async._wire.endpoint import segment
from segments_async._wire.routes import CREATE_LABELSET, GET_DATASET, GET_ME
from segments_async.errors import AlreadyExistsError
from segments_async.imports import Annotations, read_annotations
from segments_async.models import Dataset, Labelset, User
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources.importing.run import Import

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.imports import ImportReport

    Create = Callable[..., Awaitable[Dataset]]


async def import_annotations(
    session: Session,
    dataset: str | Dataset,
    source: str | os.PathLike[str] | Annotations,
    *,
    format: str | None,
    images: str | os.PathLike[str] | None,
    labelset: str,
    create: Create | None,
    lossy: bool,
    task_type: str | None,
    settings: BulkSettings,
) -> ImportReport:
    """Import annotations; see ``datasets.import_annotations``. *create* creates a dataset if it does not exist."""
    segment(labelset, "labelset")
    if isinstance(source, Annotations):
        opened = source
    else:
        opened = await run_sync(partial(read_annotations, source, format, images=images))
    try:
        await run_sync(opened.__enter__)
        if task_type is not None:
            await run_sync(opened.labels, task_type)  # so that nothing is created if there is no such task type
        if create is None or settings.dry_run:
            found = await find_dataset(session, dataset)
        else:
            found = await create_dataset(session, dataset, opened, task_type, create)
            await create_labelset(session, found, labelset)
        return await Import(session, found, opened, labelset=labelset, lossy=lossy, settings=settings).run()
    finally:
        if opened is not source:
            with anyio.CancelScope(shield=True):
                await run_sync(opened.close)


async def find_dataset(session: Session, dataset: str | Dataset) -> Dataset:
    """Return a dataset with its categories."""
    return await session.call(GET_DATASET, Dataset, path={"dataset": dataset})


async def create_dataset(
    session: Session,
    dataset: str | Dataset,
    annotations: Annotations,
    task_type: str | None,
    create: Create,
) -> Dataset:
    """Create a dataset with the categories of the annotations, or return the existing one."""
    owner, _, name = (dataset if isinstance(dataset, str) else dataset.identifier).rpartition("/")
    me = (await session.call(GET_ME, User)).username
    settings: dict[str, Any] = {"task_type": task_type or annotations.task_type}
    if categories := annotations.categories:
        settings["task_attributes"] = {"format_version": "0.1", "categories": categories}
    await create(name, organization=owner if owner not in {"", me} else None, exist_ok=True, **settings)
    return await find_dataset(session, f"{owner or me}/{name}")


async def create_labelset(session: Session, dataset: Dataset, labelset: str) -> None:
    """Create a labelset unless it exists."""
    if labelset == GROUND_TRUTH or any(one.name == labelset for one in dataset.labelsets or ()):
        return
    body = {"name": labelset, "description": "", "attributes": "{}"}
    with suppress(AlreadyExistsError):
        await session.call(CREATE_LABELSET, Labelset, path={"dataset": dataset}, json=body)
