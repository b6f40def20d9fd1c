from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import anyio

from segments_async._threads import run_sync
from segments_async._transfer.file_errors import file_error
from segments_async._transfer.file_names import address_digest, digest_in, file_name
from segments_async._wire.suffixes import suffix_fits
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class DownloadFolder:
    """
    A folder of downloaded files, one for each content address.

    Args:
        path: The folder; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: dict[str, str] = {}
        """The name of each file, by the digest of its address."""
        self._taken: frozenset[str] = frozenset()
        """Names of folders and other things that are not files."""
        self._in_flight: dict[str, anyio.Event | None] = {}
        """Digests of files being downloaded, each with an event for its end if another task waits for it."""

    async def open(self) -> None:
        """
        Create the folder, or list the files that earlier runs downloaded.

        Raises:
            InputError: It cannot be created or read.
            OutOfResourcesError: The disk is full, or this machine has too many open files.
        """
        try:
            await run_sync(self._scan)
        except (OSError, ValueError) as error:  # a null character in the path raises ValueError
            raise file_error(error, "cannot be used", self._path, "folder") from error

    def _scan(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with os.scandir(self._path) as entries:
            named = [(digest, entry) for entry in entries if (digest := digest_in(entry.name))]
        self._names = {digest: entry.name for digest, entry in named if entry.is_file()}
        self._taken = frozenset(entry.name for _, entry in named) - frozenset(self._names.values())

    async def path_for(self, url: str, name: str | None, fetch: Callable[[Path], Awaitable[str]]) -> tuple[Path, bool]:
        """
        Return the path of the file, downloaded by *fetch* if necessary, and whether it existed before.

        Args:
            url: The address of the file.
            name: A name for it; None uses the address.
            fetch: Downloads the file to a path, and returns its media type.

        Raises:
            InputError: Something that is not a file has its name.
        """
        digest = address_digest(url)
        while digest not in self._names:
            if digest in self._in_flight:
                await self._wait_for(digest)
                continue
            file = file_name(url, name, digest)
            path = self._path / file
            if file in self._taken:
                raise InputError(f"cannot be written (its name is taken): {path}", path="folder")
            self._in_flight[digest] = None
            try:
                media_type = await fetch(path)
                if not suffix_fits(file, media_type):
                    path = await self._rename(path, file_name(url, name, digest, media_type))
                self._names[digest] = path.name
            finally:
                if (ended := self._in_flight.pop(digest)) is not None:
                    ended.set()
            return path, False
        return self._path / self._names[digest], True

    async def delete(self, url: str) -> None:
        """Delete the file, so that the next `path_for` downloads it again."""
        if (name := self._names.pop(address_digest(url), None)) is not None:
            await run_sync(partial((self._path / name).unlink, missing_ok=True))

    async def _rename(self, path: Path, name: str) -> Path:
        """Rename a file whose suffix only its media type shows, and return its path; keep a name that works."""
        if name == path.name or name in self._taken:
            return path
        try:
            return await run_sync(path.replace, self._path / name)
        except OSError:
            return path

    async def _wait_for(self, digest: str) -> None:
        """Wait until another task has downloaded the file, or failed to."""
        ended = self._in_flight[digest] = self._in_flight[digest] or anyio.Event()
        await ended.wait()
