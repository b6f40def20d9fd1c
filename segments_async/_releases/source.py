"""Where a release is read from: a file on disk, or one that has to be fetched first."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, TypeAlias

import anyio
from anyio.to_thread import run_sync

from segments_async._releases import ReleaseFile
from segments_async._wire.routes import GET_RELEASE
from segments_async.errors import DecodeError, InputError, ReleaseFailedError
from segments_async.models import Dataset, Release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async._http.session import Session

ReleaseSource: TypeAlias = Release | ReleaseFile | Dataset | str | os.PathLike[str]
"""A dataset whose release is named beside it, a release, the URL of its file, or the file."""

_ADDRESS = ("https://", "http://")


def path_of(source: object, name: str | None) -> Path | None:
    """The file on disk that is meant; None if the file has to be fetched."""
    if name is None and isinstance(source, str | os.PathLike) and not str(source).startswith(_ADDRESS):
        return Path(source)
    return None


def dataset_of(source: object) -> str | Dataset:
    """The dataset that is meant, as the release is named beside it."""
    if not isinstance(source, str | Dataset):
        raise InputError(f"expected a dataset before the release's name, got {type(source).__name__}", path="source")
    return source


def file_of(release: object, dataset: str | None = None) -> str:
    """
    The address of a release's file.

    Raises:
        InputError: It is still being built.
        ReleaseFailedError: The service could not build it.
        DecodeError: It has none.
    """
    if isinstance(release, Dataset):
        raise InputError("needs the release's name", path="name")
    if not isinstance(release, Release):
        raise InputError(f"expected a Release, a URL or a path, got {type(release).__name__}", path="source")
    if release.status == "FAILED":
        raise ReleaseFailedError(dataset or "the dataset", release.name)
    if release.status != "SUCCEEDED":
        raise InputError(f"release {release.name!r} is {release.status}; wait for it with releases.wait()", path="name")
    url = release.attributes.url if release.attributes is not None else None
    if not url or not url.startswith(_ADDRESS):
        raise DecodeError("the release has no file", path="attributes.url", payload=url)
    return url


async def address_of(session: Session, dataset: str | Dataset, name: str) -> str:
    """Ask where the file of a release can be read now."""
    return file_of(await session.call(GET_RELEASE, Release, path={"dataset": dataset, "name": name}), shown(dataset))


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """Make a folder that is deleted with all that is in it."""
    folder = Path(await run_sync(partial(mkdtemp, prefix="segments-async-")))
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(partial(rmtree, folder, ignore_errors=True))


def shown(dataset: str | Dataset) -> str:
    """What a dataset is called in errors."""
    return dataset if isinstance(dataset, str) else dataset.identifier


def check_writable(path: Path) -> None:
    """
    Refuse where no file can be written.

    Raises:
        InputError: It is a folder, or in one that may not be written.
    """
    if path.is_dir():
        raise InputError(f"is a folder; name the file: {path}", path="path")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot be written in {path.parent}", path="path")
