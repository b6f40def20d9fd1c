"""Where a release file comes from: the disk, or an address to download it from."""

from __future__ import annotations

import os
import stat
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, TypeAlias

import anyio

from segments_async._releases import ReleaseFile
from segments_async._threads import run_sync
from segments_async._validators import as_path
from segments_async._wire.routes import GET_RELEASE
from segments_async.errors import DecodeError, InputError, ReleaseFailedError
from segments_async.models import Dataset, Release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async._http.session import Session

ReleaseSource: TypeAlias = Release | ReleaseFile | Dataset | str | os.PathLike[str]
"""A dataset (with the release's name in another argument), a release, the URL of its file, or the path of its file."""

_URL_PREFIXES = ("https://", "http://")


def local_path(source: object, name: str | None) -> Path | None:
    """
    Return the path of a file on disk; None if *source* is anything else, which has to be downloaded.

    Raises:
        InputError: It is a dataset, such as ``"jane/flowers"``, without the release's name.
    """
    if name is not None or not isinstance(source, str | os.PathLike) or str(source).startswith(_URL_PREFIXES):
        return None
    path = as_path(source, "source")
    if isinstance(source, str) and _is_dataset_name(source) and not path.exists():
        raise InputError(f"needs the release's name, as {source!r} is not a file but may be a dataset", path="name")
    return path


def _is_dataset_name(text: str) -> bool:
    owner, _, name = text.partition("/")
    parts_are_names = all(part.strip() and part not in {".", "..", "~"} for part in (owner, name))
    return parts_are_names and "/" not in name and not name.endswith((".json", ".gz"))


def check_dataset(source: object) -> str | Dataset:
    """
    Refuse a source that is not a dataset although the release's name is given.

    Raises:
        InputError: It is something else.
    """
    if not isinstance(source, str | Dataset):
        raise InputError(f"expected a dataset with the release's name, got {type(source).__name__}", path="source")
    return source


def release_url(release: object, dataset: str | None = None) -> str:
    """
    Return the address of a release's file.

    Raises:
        InputError: The release is still being built.
        ReleaseFailedError: The service failed to build it.
        DecodeError: It has no file.
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
    if not url or not url.startswith(_URL_PREFIXES):
        raise DecodeError("the release has no file", path="attributes.url", payload=url)
    return url


async def fetch_release_url(session: Session, dataset: str | Dataset, name: str) -> str:
    """Ask the service for the current address of a release's file."""
    release = await session.call(GET_RELEASE, Release, path={"dataset": dataset, "name": name})
    return release_url(release, identifier(dataset))


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """Create a folder, and delete it with its content at the end of the block."""
    try:
        folder = Path(await run_sync(partial(mkdtemp, prefix="segments-async-")))
    except OSError as error:
        raise InputError(f"no temporary folder can be created ({error.strerror or error})", path="TMPDIR") from error
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(partial(rmtree, folder, ignore_errors=True))


def identifier(dataset: str | Dataset) -> str:
    """Return the name of a dataset for errors."""
    return dataset if isinstance(dataset, str) else dataset.identifier


def check_writable(path: Path) -> None:
    """
    Refuse a path that cannot be written.

    Raises:
        InputError: It is a folder, or its folder is not writable.
    """
    is_folder = False
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a null character in the path raises ValueError
        problem = getattr(error, "strerror", None) or error
        raise InputError(f"cannot be written ({problem}): {path}", path="path") from error
    if is_folder:
        raise InputError(f"is a folder, expected a file: {path}", path="path")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot be written in {path.parent}", path="path")
