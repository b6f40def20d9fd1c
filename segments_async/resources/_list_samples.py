"""Lists of samples, their filters, and the labels that come with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import anyio

from segments_async._wire.arguments import check_name, sort_by
from segments_async._wire.endpoint import Endpoint
from segments_async.errors import InputError, NotFoundError
from segments_async.models import Dataset, Label, LabelSummary, Sample
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import MAX_PER_PAGE, Resource

if TYPE_CHECKING:
    from segments_async._paging import Fetch, Page, Pages, Prefetch
    from segments_async._session import Session
    from segments_async._wire.arguments import OnError

_LIST = Endpoint(method="GET", path="/datasets/{dataset}/samples/", read_timeout=120.0)
_PAGES_AT_ONCE = 4
_GET_DATASET = Endpoint(method="GET", path="/datasets/{dataset}/")
_GET_LABELSET = Endpoint(method="GET", path="/datasets/{dataset}/labelsets/{labelset}/")
_GET_LABEL = Endpoint(method="GET", path="/labels/{sample_uuid}/{labelset}/")


def _query(
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
    Write the filters of ``samples.list`` as the service takes them.

    Raises:
        InputError: One of them cannot be expressed.
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
        "label_status": _joined(label_status, "label_status"),
        "sort": sort_by(sort, direction),
    }


class LabelledSamples:
    """
    Pages of samples with their labels.

    Args:
        session: Makes the calls.
        dataset: Whose samples they are.
        labelset: Whose labels they are.
        fetch: Gives a page of samples.
    """

    def __init__(self, session: Session, dataset: str | Dataset, labelset: str, fetch: Fetch[Sample]) -> None:
        self._session = session
        self._path = {"dataset": dataset, "labelset": labelset}
        _GET_LABELSET.fill(**self._path)
        self._fetch = fetch

    async def fetch(self, number: int, per_page: int | None) -> Page[Sample] | None:
        """Fetch a page; one that is not found may be so for want of the labelset, which is then said."""
        try:
            return await self._fetch(number, per_page)
        except NotFoundError:
            await self._check_labelset()
            raise

    async def fetch_whole(self, number: int, per_page: int | None) -> Page[Sample] | None:
        """Fetch a page whose labels are whole, also from a service that gave summaries."""
        if number == 1:
            await self._check_labelset()
        page = await self._fetch(number, per_page)
        summed_up = [] if page is None else [row for row in page.rows if isinstance(row.label, LabelSummary)]
        if summed_up:
            await self._complete(summed_up)
        return page

    async def _check_labelset(self) -> None:
        try:
            await self._session.call(_GET_LABELSET, path=self._path)
        except NotFoundError as error:
            dataset = await self._session.call(_GET_DATASET, Dataset, path={"dataset": self._path["dataset"]})
            raise NotFoundError(
                error.status,
                error.method,
                error.url,
                f"there is no labelset {self._path['labelset']!r} in {dataset.identifier}",
                request_id=error.request_id,
                body=error.body,
            ) from None

    async def _complete(self, samples: list[Sample]) -> None:
        errors: list[Exception] = []

        async def complete(sample: Sample) -> None:
            path = {"sample_uuid": sample.uuid, "labelset": self._path["labelset"]}
            try:
                sample.label = await self._session.call(_GET_LABEL, Label, path=path)
            except NotFoundError:
                sample.label = None  # it was deleted since
            except Exception as error:  # noqa: BLE001 (raised below, bare instead of in a group)
                errors.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for sample in samples:
                group.start_soon(complete, sample)
        if errors:
            raise errors[0]


class SampleLists(Resource):
    """The samples of a dataset, one after the other."""

    def list(
        self,
        dataset: str | Dataset,
        *,
        labelset: str | None = None,
        include_full_label: bool = False,
        name: str | None = None,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        sort: str = "name",
        direction: Literal["asc", "desc"] = "asc",
        per_page: int = MAX_PER_PAGE,
        lookahead: int = 1,
        on_error: OnError = "raise",
    ) -> Pages[Sample]:
        """
        List the samples of a dataset.

        Example:
            ::

                samples = await client.samples.list("jane/flowers", label_status=["LABELED", "REVIEWED"])
                async for sample in client.samples.list("jane/flowers", labelset="ground-truth"):
                    print(sample.name, sample.label)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            labelset: Give each sample its label of this labelset, as a summary.
            include_full_label: Give the whole label instead; needs *labelset*.
            name: Only samples whose name contains this.
            label_status: Only samples with one of these statuses; see `LabelStatus`.
            metadata: Only samples with all of these: a mapping, or ``"key:value"`` strings.
            sort: ``"name"``, ``"created_at"``, ``"priority"`` or ``"gt_label__updated_at"``.
            direction: ``"asc"`` or ``"desc"``.
            per_page: Samples a request, 1000 at most.
            lookahead: Pages that are fetched at the same time.
            on_error: ``"skip"`` leaves out a sample that does not decode, and tells of it in `Pages.skipped`.

        Returns:
            Pages of samples.

        Raises:
            DecodeError: A sample does not decode; its `row` says which one.
            InputError: A filter cannot be expressed: a comma inside a metadata value, or *include_full_label*
                without *labelset*.
            NotFoundError: There is no such dataset, or no such labelset in it.
        """
        query = _query(
            labelset=labelset,
            include_full_label=include_full_label,
            name=name,
            label_status=label_status,
            metadata=metadata,
            sort=sort,
            direction=direction,
        )
        fetch = self._fetcher(_LIST, Sample, path={"dataset": dataset}, params=query, on_error=on_error)
        if labelset is not None:
            fetch = LabelledSamples(self._session, dataset, labelset, fetch).fetch
        return self._paged(fetch, per_page=per_page, lookahead=lookahead)

    def stream(
        self,
        dataset: str | Dataset,
        *,
        labelset: str = GROUND_TRUTH,
        name: str | None = None,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        sort: str = "name",
        direction: Literal["asc", "desc"] = "asc",
        per_page: int = 100,
        prefetch: int = 4,
        on_error: OnError = "raise",
    ) -> Prefetch[Sample]:
        """
        Go through all samples of a dataset with their whole labels, fetched in the background.

        Example:
            ::

                async with client.samples.stream("jane/flowers", labelset="ground-truth") as samples:
                    async for sample in samples:
                        if isinstance(sample.label, Label):  # None if it is not labelled
                            print(sample.name, sample.label.attributes)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            labelset: Whose labels to give; a `Label` each, never a summary.
            name: Only samples whose name contains this.
            label_status: Only samples with one of these statuses; see `LabelStatus`.
            metadata: Only samples with all of these: a mapping, or ``"key:value"`` strings.
            sort: ``"name"``, ``"created_at"``, ``"priority"`` or ``"gt_label__updated_at"``.
            direction: ``"asc"`` or ``"desc"``.
            per_page: Samples a request, 1000 at most. Fewer are better for large labels, as those of sequences.
            prefetch: Pages ahead of you at most; with *per_page*, this is what bounds the memory.
            on_error: ``"skip"`` leaves out a sample that does not decode, and tells of it in `Prefetch.skipped`.

        Returns:
            A block, inside which there are the samples. Leaving it early cancels what is under way.

        Raises:
            DecodeError: A sample does not decode; its `row` says which one.
            InputError: A filter cannot be expressed, or a number makes no sense.
            NotFoundError: There is no such dataset, or no such labelset in it.
        """
        query = _query(
            labelset=labelset,
            include_full_label=True,
            name=name,
            label_status=label_status,
            metadata=metadata,
            sort=sort,
            direction=direction,
        )
        fetch = self._fetcher(_LIST, Sample, path={"dataset": dataset}, params=query, on_error=on_error)
        labelled = LabelledSamples(self._session, dataset, labelset, fetch)
        return self._paged(labelled.fetch_whole, per_page=per_page).prefetch(prefetch)

    async def uuids(self, dataset: str | Dataset) -> dict[str, str]:
        """
        Get the uuid of every sample by its name.

        Example:
            ::

                uuids = await client.samples.uuids("jane/flowers")
                await client.labels.put(uuids["violet.jpg"], "ground-truth", attributes)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.

        Returns:
            Names and uuids, sorted by name.

        Raises:
            NotFoundError: There is no such dataset.
        """
        pages = self.list(dataset, lookahead=min(_PAGES_AT_ONCE, self._session.max_connections))
        return {sample.name: sample.uuid async for sample in pages}


def _joined(words: str | Iterable[str] | None, path: str) -> str | None:
    """Several words as the service takes them in one parameter."""
    if words is None:
        return None
    several = [words] if isinstance(words, str) else list(words)
    for word in several:
        if not isinstance(word, str) or not word.strip():
            raise InputError(f"expected words, got {word!r}", path=path)
    if not several:
        raise InputError("expected at least one; leave it out to get all", path=path)
    return ",".join(several)


def _filters(metadata: Mapping[str, Any] | str | Iterable[str] | None) -> str | None:
    """The metadata filter as ``key:value,key:value``; the service knows no way to write a comma in a value."""
    if isinstance(metadata, Mapping):
        metadata = [f"{key}:{_shown(key, value)}" for key, value in metadata.items()]
    elif isinstance(metadata, str):
        metadata = [metadata]
    pairs = [] if metadata is None else list(metadata)
    if not pairs:
        return None
    for pair in pairs:
        if not isinstance(pair, str) or ":" not in pair.strip(":"):
            raise InputError(f'expected "key:value", got {pair!r}', path="metadata")
        if "," in pair:
            raise InputError(f"a value with a comma cannot be filtered by: {pair!r}", path="metadata")
    return _joined(pairs, "metadata")


def _shown(key: Any, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise InputError(f"expected text, a number or a bool, got {type(value).__name__}", path=f"metadata.{key}")
    return str(value).lower() if isinstance(value, bool) else str(value)
