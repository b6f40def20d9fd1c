from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from segments_async._download import get_file
from segments_async._wire.arguments import check_name
from segments_async._wire.endpoint import Endpoint, Repeat
from segments_async.errors import InputError, ReleaseFailedError, RequestTimeoutError
from segments_async.models import Dataset, Release
from segments_async.resources._base import create_once
from segments_async.resources._read_releases import ReadReleases
from segments_async.resources._release_source import GET_RELEASE, check_writable, file_of, shown
from segments_async.resources._telling import telling

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from segments_async._paging import Pages
    from segments_async._wire.arguments import OnError
    from segments_async.bulk import Progress

POLL_SHARE = 0.1
"""What takes long is looked at less often: after such a share of the time that passed."""
MAX_POLL = 30.0

_LIST = Endpoint(method="GET", path="/datasets/{dataset}/releases/")
_CREATE = Endpoint(method="POST", path="/datasets/{dataset}/releases/", repeat=Repeat.NEVER)
_DELETE = Endpoint(method="DELETE", path="/datasets/{dataset}/releases/{name}/")


class Releases(ReadReleases):
    """
    Releases: snapshots of a dataset with its labels, as one JSON file.

    Source: API documentation, "Releases".
    """

    def list(self, dataset: str | Dataset, *, on_error: OnError = "raise") -> Pages[Release]:
        """
        List the releases of a dataset.

        Example:
            ::

                for release in await client.releases.list("jane/flowers"):
                    print(release.name, release.status)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            on_error: ``"skip"`` leaves out a release that does not decode, and tells of it in `Pages.skipped`.

        Returns:
            All of them; the service gives them in one piece.
        """
        return self._whole(_LIST, Release, path={"dataset": dataset}, on_error=on_error)

    async def get(self, dataset: str | Dataset, name: str) -> Release:
        """
        Get a release.

        Example:
            ::

                release = await client.releases.get("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.

        Raises:
            NotFoundError: There is no such release.
        """
        return await self._session.call(GET_RELEASE, Release, path={"dataset": dataset, "name": name})

    async def create(self, dataset: str | Dataset, name: str, *, description: str = "") -> Release:
        """
        Ask for a release; it is built in the background, see `wait`.

        Example:
            ::

                await client.releases.create("jane/flowers", "v1", description="First hundred.")
                await client.releases.wait("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique in its dataset.
            description: A line for people.

        Returns:
            The release, which is PENDING.

        Raises:
            AlreadyExistsError: There is one of this name.
        """
        body = {"name": check_name(name), "description": description}
        GET_RELEASE.fill(dataset=dataset, name=name)  # a release that cannot be asked for is of no use

        async def create() -> Release:
            return await self._session.call(_CREATE, Release, path={"dataset": dataset}, json=body)

        async def find() -> Release:
            return await self.get(dataset, name)

        return await create_once(self._session, create, find, lambda found: (found.description or "") == description)

    async def delete(self, dataset: str | Dataset, name: str) -> None:
        """
        Delete a release; the samples and labels stay.

        Example:
            ::

                await client.releases.delete("jane/flowers", "v1")

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.

        Raises:
            NotFoundError: There is no such release.
        """
        await self._session.call(_DELETE, path={"dataset": dataset, "name": name})

    async def wait(self, dataset: str | Dataset, name: str, *, timeout: float = 600.0, poll: float = 2.0) -> Release:
        """
        Wait until a release is built.

        Example:
            ::

                release = await client.releases.wait("jane/flowers", "v1", timeout=1800)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.
            timeout: Seconds to wait at most.
            poll: Seconds between two looks; in time they become a tenth of those that passed, up to 30.

        Returns:
            The release, which has SUCCEEDED.

        Raises:
            ReleaseFailedError: The service could not build it.
            RequestTimeoutError: It was still being built after *timeout*.
        """
        for path, seconds in (("timeout", timeout), ("poll", poll)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= math.inf:
                raise InputError(f"expected seconds above 0, got {seconds!r}", path=path)
        clock = self._session.clock
        started = clock.monotonic()
        deadline = started + timeout
        while True:
            release = await self.get(dataset, name)
            if release.status == "SUCCEEDED":
                return release
            if release.status == "FAILED":
                raise ReleaseFailedError(shown(dataset), name)
            left = deadline - clock.monotonic()
            if left <= 0:
                raise RequestTimeoutError(
                    f"release {name!r} of {shown(dataset)} was still {release.status} after {timeout:g} s"
                )
            slower = min((clock.monotonic() - started) * POLL_SHARE, MAX_POLL)
            await clock.sleep(min(max(poll, slower), left))

    async def download(
        self,
        dataset: str | Dataset,
        name: str,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> Path:
        """
        Download the file of a release that is built.

        The file lives on another host, which never sees the API key. It is streamed to a temporary name beside
        *path* and renamed at the end, so that *path* is whole or not there. After a cut it goes on where it was, as
        often as there is something more each time; an address whose signature has expired is asked for anew.

        What came before it failed, was cancelled or killed stays beside *path*, hidden (``.flowers-v1.json.part`` and
        ``.part.json``), if it is a MiB at least and the host names the content by a strong ``ETag``. The next call with
        the same *path* goes on from there; a part of anything else is thrown away. What is downloaded to one *path*
        twice at the same time is not mixed up. On Windows nothing stays.

        Example:
            ::

                path = await client.releases.download("jane/flowers", "v1", "flowers-v1.json")
                async with open_release(path) as release:
                    print(await release.summary())

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: The release's name.
            path: Where to write; a file that is there is replaced.
            progress: Called with a `Progress`, whose `done` and `total` are bytes, at most ten times a second and at
                the end: ``progress=tqdm_progress("v1", unit="B", unit_scale=True)``.

        Returns:
            *path*.

        Raises:
            InputError: *path* cannot be written, a full disk included, or the release is still being built.
            ReleaseFailedError: The service could not build it.
            DecodeError: It has no file, or a page of HTML came instead.
        """
        target = Path(path)
        await anyio.to_thread.run_sync(check_writable, target)

        async def find() -> str:
            return file_of(await self.get(dataset, name), shown(dataset))

        with telling(progress) as tell:
            await get_file(self._session, await find(), target, renew=find, tell=tell, keep=True)
        return target
