"""The query of a list of samples, and the labels that come with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import anyio

from segments_async._wire.arguments import check_name, sort_by
from segments_async._wire.endpoint import segment
from segments_async._wire.routes import GET_DATASET, GET_LABEL, GET_LABELSET
from segments_async.errors import InputError, NotFoundError
from segments_async.models import Dataset, Label, LabelSummary, Sample

if TYPE_CHECKING:
    from segments_async._http.session import Session
    from segments_async._streams.pages import Fetch, Page


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
    return {
        "labelset": None if labelset is None else check_name(labelset, "labelset"),
        "include_full_label": 1 if include_full_label else None,
        "name__contains": name,
        "filters": _filters(metadata),
        "label_status": _join_values(label_status, "label_status"),
        "sort": sort_by(sort, direction),
    }


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
        """Fetch a page; on a 404, check whether the labelset is what is missing, for a better error."""
        try:
            return await self._fetch(number, per_page)
        except NotFoundError:
            await self._check_labelset()
            raise

    async def fetch_whole(self, number: int, per_page: int | None) -> Page[Sample] | None:
        """Fetch a page with complete labels; those that the service only summarizes are fetched one by one."""
        if number == 1:
            await self._check_labelset()
        page = await self._fetch(number, per_page)
        summarized = [] if page is None else [row for row in page.rows if isinstance(row.label, LabelSummary)]
        if summarized:
            await self._complete(summarized)
        return page

    async def _check_labelset(self) -> None:
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


def _join_values(given: str | Iterable[str] | None, path: str) -> str | None:
    """Join several values with commas, as the service expects them in one parameter."""
    if given is None:
        return None
    values = [given] if isinstance(given, str) else list(given)
    for value in values:
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"expected text, got {value!r}", path=path)
    if not values:
        raise InputError("expected at least one value; leave it out to get all", path=path)
    return ",".join(values)


def _filters(metadata: Mapping[str, Any] | str | Iterable[str] | None) -> str | None:
    """Format the metadata filter as ``key:value,key:value``; the service has no syntax for a comma in a value."""
    if isinstance(metadata, Mapping):
        metadata = [f"{key}:{_format_value(key, value)}" for key, value in metadata.items()]
    elif isinstance(metadata, str):
        metadata = [metadata]
    pairs = [] if metadata is None else list(metadata)
    if not pairs:
        return None
    for pair in pairs:
        if not isinstance(pair, str) or ":" not in pair.strip(":"):
            raise InputError(f'expected "key:value", got {pair!r}', path="metadata")
        if "," in pair:
            raise InputError(f"cannot filter by a value with a comma: {pair!r}", path="metadata")
    return _join_values(pairs, "metadata")


def _format_value(key: Any, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise InputError(f"expected text, a number or a bool, got {type(value).__name__}", path=f"metadata.{key}")
    return str(value).lower() if isinstance(value, bool) else str(value)
