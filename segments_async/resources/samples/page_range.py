"""A part of a list of samples, for workers that read one list together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._streams.smaller_pages import SmallerPages
from segments_async._wire.routes import LIST_SAMPLES
from segments_async.models import Sample
from segments_async.resources._base import MAX_PER_PAGE, Resource
from segments_async.resources.samples.listing import LabelledSamples, list_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from segments_async._http.session import Session


@frozen(kw_only=True)
class SampleList:
    """
    A list of samples that workers read range by range.

    They are sorted by the time of their creation, so that new samples do not shift the ranges.
    """

    dataset: str
    labelset: str | None
    include_full_label: bool
    filters: Mapping[str, Any]
    per_page: int = MAX_PER_PAGE

    def query(self) -> dict[str, Any]:
        """
        Return the query parameters.

        Raises:
            InputError: A filter cannot be expressed.
        """
        return list_query(
            labelset=self.labelset,
            include_full_label=self.include_full_label,
            name=self.filters.get("name"),
            label_status=self.filters.get("label_status"),
            metadata=self.filters.get("metadata"),
            sort="created_at",
            direction="asc",
        )


class PageRange(Resource):
    """A range of the pages of a list; *stop* None reads to the end of the list."""

    def __init__(self, session: Session, samples: SampleList, first: int, stop: int | None) -> None:
        super().__init__(session)
        fetch = self._page_fetcher(LIST_SAMPLES, Sample, path={"dataset": samples.dataset}, params=samples.query())
        fetch = SmallerPages(fetch, "samples", has_first=first == 1).fetch
        if samples.labelset is not None:
            labelled = LabelledSamples(session, samples.dataset, samples.labelset, fetch)
            fetch = labelled.fetch_whole if samples.include_full_label else labelled.fetch
        self._fetch = fetch
        self._per_page = samples.per_page
        self._first = first
        self._stop = stop

    async def pages(self) -> AsyncIterator[list[Sample]]:
        """Yield the pages that are not empty."""
        number = self._first
        while self._stop is None or number < self._stop:
            page = await self._fetch(number, self._per_page)
            if page is None or not page.received:
                return
            yield page.rows
            number += 1
