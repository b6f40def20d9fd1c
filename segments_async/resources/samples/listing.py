"""The query of a list of samples, and the labels that come with it."""

from __future__ import annotations

from http import HTTPStatus
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._streams.pages import Tracking
from segments_async._wire.arguments import check_name, sort_by
from segments_async._wire.changes import SAMPLES, labels_in, sample_field
from segments_async._wire.endpoint import dataset_name, segment
from segments_async._wire.filters import check_statuses, filters_parameter, parse_conditions, parse_statuses
from segments_async._wire.routes import GET_DATASET, GET_LABEL, GET_LABELSET
from segments_async.errors import InputError, NotFoundError, SegmentsError, ServerError, ValidationError
from segments_async.models import Dataset, Label, LabelSummary, Sample
from segments_async.models.datasets import GROUND_TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from segments_async._http.pool import Pool
    from segments_async._http.session import Session
    from segments_async._streams.page import Fetch, Page


def list_query(
    *,
    labelset: str | None,
    include_full_label: bool,
    name: str | None,
    label_status: str | Iterable[str] | None,
    metadata: Mapping[str, Any] | str | Iterable[str] | None,
    sort: str,
    direction: str,
) -> dict[str, Any]:
    """
    Convert the filters of ``samples.list`` to query parameters.

    Raises:
        InputError: A filter cannot be expressed.
    """
    if include_full_label and labelset is None:
        raise InputError("needs a labelset", path="include_full_label")
    if name is not None and not isinstance(name, str):
        raise InputError(f"expected a string, got {type(name).__name__}", path="name")
    statuses = parse_statuses(label_status)
    check_statuses(statuses or ())
    return {
        "labelset": None if labelset is None else check_name(labelset, "labelset"),
        "include_full_label": 1 if include_full_label else None,
        "name__contains": name,
        "filters": filters_parameter(parse_conditions(metadata)),
        "label_status": None if statuses is None else ",".join(statuses),
        "sort": sort_by(sort, direction),
    }


def track_samples(pool: Pool, dataset: str | Dataset, query: Mapping[str, Any]) -> Tracking[Sample]:
    """Return which writes shift the list of samples that *query* selects and sorts."""
    sort = str(query["sort"]).removeprefix("-")
    order = labels_in(GROUND_TRUTH) if sort == "gt_label__updated_at" else sample_field(sort)
    kinds = {SAMPLES, order}
    if query["name__contains"] is not None:
        kinds.add(sample_field("name"))
    if query["filters"] is not None:
        kinds.add(sample_field("metadata"))
    if query["label_status"] is not None:
        kinds.add(labels_in(query["labelset"] or GROUND_TRUTH))
    name = dataset_name(dataset)
    return Tracking(attrgetter("uuid"), lambda: pool.changes.watch(name, kinds, [order]), "client.samples.list(...)")


class LabelledSamples:
    """
    Pages of samples with their labels.

    Args:
        session: Makes the calls.
        dataset: The dataset of the samples.
        labelset: The labelset of the labels.
        fetch: Fetches a page of samples.
    """

    def __init__(self, session: Session, dataset: str | Dataset, labelset: str, fetch: Fetch[Sample]) -> None:
        self._session = session
        segment(labelset, "labelset")
        self._path = {"dataset": dataset, "name": labelset}
        GET_LABELSET.fill(**self._path)
        self._labelset = labelset
        self._fetch = fetch

    async def fetch(self, number: int, per_page: int | None) -> Page[Sample] | None:
        """
        Fetch a page, and check whether the labelset exists if the answer leaves that open.

        A service may answer an unknown labelset with an error of any kind, or with samples without labels.
        """
        try:
            page = await self._fetch(number, per_page)
        except (NotFoundError, ValidationError):
            await self._check_labelset()
            raise
        except ServerError as error:
            if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._check_labelset(cause=error)
            raise
        if number == 1 and page is not None and all(sample.label is None for sample in page.rows):
            await self._check_labelset()
        return page

    async def fetch_whole(self, number: int, per_page: int | None) -> Page[Sample] | None:
        """Fetch a page with complete labels; those that the service only summarizes are fetched one by one."""
        page = await self.fetch(number, per_page)
        summarized = [] if page is None else [row for row in page.rows if isinstance(row.label, LabelSummary)]
        if summarized:
            await self._complete(summarized)
        return page

    async def _check_labelset(self, cause: SegmentsError | None = None) -> None:
        """
        Check that the labelset exists; with a *cause*, that error is more useful than a failure of the check.

        Raises:
            NotFoundError: It does not.
        """
        try:
            await self._session.call(GET_LABELSET, path=self._path)
        except NotFoundError as error:
            dataset = await self._session.call(GET_DATASET, Dataset, path={"dataset": self._path["dataset"]})
            raise NotFoundError(
                error.status,
                error.method,
                error.url,
                f"there is no labelset {self._labelset!r} in {dataset.identifier}",
                request_id=error.request_id,
                body=error.body,
            ) from None
        except SegmentsError:
            if cause is None:
                raise

    async def _complete(self, samples: list[Sample]) -> None:
        errors: list[Exception] = []

        async def complete(sample: Sample) -> None:
            path = {"sample_uuid": sample.uuid, "labelset": self._labelset}
            try:
                sample.label = await self._session.call(GET_LABEL, Label, path=path)
            except NotFoundError:
                sample.label = None  # deleted after the page was fetched
            except Exception as error:  # noqa: BLE001 (raised below, without an exception group)
                errors.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for sample in samples:
                group.start_soon(complete, sample)
        if errors:
            raise errors[0]
