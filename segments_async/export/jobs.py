"""The jobs of an export: one for each item of the release, in its order."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Self

from segments_async._releases.export_plan import SEQUENCE, as_export_error, foreign_error
from segments_async.errors import ExportError
from segments_async.export.items import Item, items_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from segments_async._releases import ReleaseFile
    from segments_async._releases.export_plan import Plan
    from segments_async.export.claims import Claims
    from segments_async.export.formats import EncodedEntries
    from segments_async.models import ReleaseSample

    Outcome = EncodedEntries | ExportError | None
    Job = Callable[[], Awaitable[Outcome]]


class Jobs:
    """
    Iterate over the release, and yield a job for each item; an invalid sample becomes a job that returns its error.

    This is a class and not an async generator, as trio warns about generators that are not iterated to their end.

    Args:
        release: The open release.
        plan: The options.
        claims: The paths that items have taken.
        exporter_of: Returns a function that exports the items of a sample.
    """

    def __init__(
        self,
        release: ReleaseFile,
        plan: Plan,
        claims: Claims,
        exporter_of: Callable[[ReleaseSample], Callable[[Item], Awaitable[Outcome]]],
    ) -> None:
        self._samples = release.samples(
            labelset=plan.labelset, label_status=plan.label_status, metadata=plan.metadata, on_error=plan.on_error
        )
        self._labelset = plan.labelset
        self._sequence = release.dataset.task_type == SEQUENCE
        self._claims = claims
        self._exporter_of = exporter_of
        self._number = 0
        self._skipped_count = 0
        self._queue: deque[Job] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Job:
        while not self._queue:
            try:
                sample = await anext(self._samples)
            except StopAsyncIteration:
                self._queue_skipped()
                if not self._queue:
                    raise
                break
            self._number += 1
            self._queue_skipped()
            self._queue.extend(self._jobs_of(sample))
        return self._queue.popleft()

    def _jobs_of(self, sample: ReleaseSample) -> Iterator[Job]:
        try:
            export = self._exporter_of(sample)
            for item in items_of(sample, self._number, self._labelset, sequence=self._sequence):
                yield self._job(export, item)
        except ExportError as error:
            yield partial(_return_error, error)
        except Exception as error:  # noqa: BLE001 (of whatever a sample contains)
            yield partial(_return_error, foreign_error(error, sample.name, sample.uuid))

    def _job(self, export: Callable[[Item], Awaitable[Outcome]], item: Item) -> Job:
        """Return the job of an item; it is an error if its files would overwrite those of another."""
        if item.annotations is not None:
            try:
                item = self._claims.claim(item)
            except ExportError as error:
                return partial(_return_error, error)
        return partial(export, item)

    def _queue_skipped(self) -> None:
        """Queue the errors of samples that were skipped since the last call."""
        skipped = self._samples.skipped
        while self._skipped_count < len(skipped):
            self._queue.append(partial(_return_error, as_export_error(skipped[self._skipped_count])))
            self._skipped_count += 1


async def _return_error(error: ExportError) -> Outcome:
    return error
