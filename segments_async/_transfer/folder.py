from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from segments_async._transfer.file_names import address_digest, digest_in, file_name
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class DownloadFolder:
    """
    Files on disk, one for each content address, whatever they are called.

    Args:
        path: Where they are; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: dict[str, str] = {}
        self._under_way: dict[str, anyio.Event | None] = {}
        """Digests of what is being fetched, with what tells of the end, if somebody waits for it."""

    async def open(self) -> None:
        """
        Look at what is there from earlier runs.

        Raises:
            InputError: It can neither be made nor read.
        """
        try:
            await run_sync(self._look)
        except (OSError, ValueError) as error:  # a null character is a ValueError
            words = getattr(error, "strerror", None) or error
            raise InputError(f"cannot be used ({words}): {self._path}", path="folder") from error

    def _look(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with os.scandir(self._path) as entries:
            self._names = {digest: entry.name for entry in entries if (digest := digest_in(entry.name))}

    async def path_for(self, url: str, name: str | None, fetch: Callable[[Path], Awaitable[None]]) -> tuple[Path, bool]:
        """Say where the file is, after *fetch* has put it there unless it was; and whether it was."""
        digest = address_digest(url)
        while digest not in self._names:
            if digest in self._under_way:
                await self._end_of(digest)
                continue
            self._under_way[digest] = None
            file = file_name(url, name, digest)
            try:
                await fetch(self._path / file)
                self._names[digest] = file
            finally:
                if (ended := self._under_way.pop(digest)) is not None:
                    ended.set()
            return self._path / file, False
        return self._path / self._names[digest], True

    async def forget(self, url: str) -> None:
        """Delete the file, so that it is fetched when it is asked for again."""
        if (name := self._names.pop(address_digest(url), None)) is not None:
            await run_sync(partial((self._path / name).unlink, missing_ok=True))

    async def _end_of(self, digest: str) -> None:
        """Wait until somebody else has fetched it, or failed to."""
        ended = self._under_way[digest] = self._under_way[digest] or anyio.Event()
        await ended.wait()
