from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from segments_async._serialization.answer import Answer
from segments_async._serialization.converter import structure_answer, unstructure
from segments_async._serialization.fit import fits
from segments_async._serialization.json import decode_json, encode_json, read_time
from segments_async._wire.arguments import check_name, json_contains, without_none
from segments_async._wire.chunks import MAX_BATCH_ITEMS
from segments_async._wire.contents import check_sample
from segments_async._wire.routes import CREATE_SAMPLE, CREATE_SAMPLES, UPDATE_SAMPLE
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.bulk.outcomes import SUCCESSES
from segments_async.errors import AlreadyExistsError, DecodeError, InputError, SegmentsError
from segments_async.models import Dataset, Sample, SampleCreate
from segments_async.resources._base import create_once
from segments_async.resources._operations import BATCHES_IN_FLIGHT, DatasetOperation

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.bulk.outcomes import Status

_FIELDS = ("name", "attributes", "metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme")
"""The fields of a sample that its creator sets; the service sets the others."""


class CreateSamples(DatasetOperation[Sample]):
    """
    Create samples in batches; the rows of the answer are matched to the items by name.

    *since*, by the service's clock, is when the run started of which this is a part; samples that were created earlier
    are ``existing``. By default the first answer says it.
    """

    kind = "samples.create_many"
    items_name = "samples"

    def __init__(
        self, session: Session, dataset: str | Dataset, settings: BulkSettings, *, since: datetime | None = None
    ) -> None:
        # Only a POST of a single sample reports that the name is taken; the batch call returns the existing sample.
        limit = min(settings.batch_size or MAX_BATCH_ITEMS, MAX_BATCH_ITEMS)
        batch_size = 1 if settings.if_exists == "error" else limit
        in_flight = session.max_connections if batch_size == 1 else BATCHES_IN_FLIGHT
        super().__init__(session, dataset, settings, batch_size=batch_size, in_flight=in_flight)
        self._if_exists = settings.if_exists
        self.journal_before_send: bool = settings.if_exists == "error"
        if settings.if_exists == "update":
            # A sample that an earlier run only found may differ from what is sent now, so it is compared again.
            self.done_statuses: Collection[str] = SUCCESSES - {"existing"}
            self.status_aliases: Mapping[str, str] = {"existing": "updated"}
        self._started: float | None = None
        self._created_since = since

    def prepare(self, item: Any) -> Prepared:
        """Check a sample and encode it."""
        fields = fields_of(item)
        check_sample(fields)
        body = encode_json(fields)
        return Prepared(check_name(fields["name"]), body, size=len(body) + 1)

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Sample] | SegmentsError]:
        """Create a batch, or a single sample if `batch_size` is 1."""
        if self._started is None:
            self._started = time.monotonic()
        if self.batch_size > 1:
            return await self._send_batch(jobs, stats)
        try:
            sample = await create_sample(
                self._session, self._path, jobs[0].prepared, stats, uncertain=jobs[0].uncertain
            )
        except AlreadyExistsError:
            if self._if_exists == "error":
                raise
            # The batch call returns the existing sample.
            [result] = await self._send_batch(jobs, stats)
            if isinstance(result, Success) and result.status == "created":
                result = attrs.evolve(result, status="existing")
            return [result]
        return [Success("created", sample, sample.uuid)]

    async def _send_batch(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Sample] | SegmentsError]:
        body = b"[" + b",".join(job.prepared.body for job in jobs) + b"]"
        read = partial(self._read_batch, jobs, stats)
        results, rows = await self._session.call(CREATE_SAMPLES, read=read, path=self._path, content=body, stats=stats)
        for index, row in rows.items():
            results[index] = await self._update(jobs[index], row, results[index], stats)
        return results

    def _read_batch(
        self, jobs: Sequence[Job], stats: CallStats, answer: Any, text: bytes
    ) -> tuple[list[Success[Sample] | SegmentsError], dict[int, Any]]:
        """Return the result of each job, and the rows to compare with the jobs of the same index, if any."""
        rows = structure_answer(answer, list[Any])
        self._note_start(stats)
        place_of = {row["name"]: i for i, row in enumerate(rows) if type(row) is dict and type(row.get("name")) is str}
        places = [place_of.get(job.prepared.key) for job in jobs]
        values = Answer(text, Sample)
        results = [
            _missing(job, stats) if place is None else self._result(rows[place], place, values)
            for job, place in zip(jobs, places, strict=True)
        ]
        compared = enumerate(places) if self._if_exists == "update" else ()
        return results, {index: rows[place] for index, place in compared if place is not None}

    def _result(self, row: dict[str, Any], place: int, values: Answer[Sample]) -> Success[Sample] | SegmentsError:
        """Return the result of *row*, the one at *place* in its answer."""
        if self.values == "never" and isinstance(row.get("uuid"), str):
            return Success(self._status_of(row), None, row["uuid"])
        if self.values == "later" and fits(row, Sample):
            return Success(self._status_of(row), values, row["uuid"], values.put_off(place))
        try:
            sample = structure_answer(row, Sample)
        except SegmentsError as error:
            return error
        return Success(self._status(sample.created_at), sample, sample.uuid)

    async def _update(
        self, job: Job, row: Any, result: Success[Sample] | SegmentsError, stats: CallStats
    ) -> Success[Sample] | SegmentsError:
        """Send what differs in a sample that existed, if anything does."""
        if not isinstance(result, Success) or not (changes := differences(row, decode_json(job.prepared.body))):
            return result
        try:
            sample = await self._session.call(
                UPDATE_SAMPLE, Sample, path={"uuid": result.uuid}, json=changes, stats=stats
            )
        except SegmentsError as error:
            return error
        return Success("updated", sample, sample.uuid)

    def _status_of(self, row: Mapping[str, Any]) -> Status:
        created_at = row.get("created_at")
        return self._status(read_time(created_at) if type(created_at) is str else None)

    def _status(self, created_at: datetime | str | None) -> Status:
        """Return whether a sample of this time was created by this run, or existed before."""
        is_old = self._created_since is not None and _is_before(created_at, self._created_since)
        return "existing" if is_old else "created"

    def _note_start(self, stats: CallStats) -> None:
        """
        Compute from the first answer when this run started, by the service's clock.

        That is the answer's ``Date`` minus the time elapsed here. Samples created earlier are not from this run.
        """
        if self._created_since is None and stats.date is not None and self._started is not None:
            elapsed = timedelta(seconds=time.monotonic() - self._started)
            try:
                self._created_since = parsedate_to_datetime(stats.date) - elapsed
            except ValueError:
                return


async def create_sample(
    session: Session, path: Mapping[str, Any], prepared: Prepared, stats: CallStats, *, uncertain: bool = False
) -> Sample:
    """
    Create one sample with the documented POST.

    If the answer is lost, the sample is sent to ``samples_bulk``, which creates it or returns the existing one.
    *uncertain* means that an earlier process may already have sent it without seeing an answer.

    Raises:
        AlreadyExistsError: The name is taken, perhaps by a sample that another client created in the meantime.
    """

    async def create() -> Sample:
        return await session.call(CREATE_SAMPLE, Sample, path=path, content=prepared.body, stats=stats)

    async def find() -> Sample:
        batch = b"[" + prepared.body + b"]"
        samples = await session.call(CREATE_SAMPLES, list[Sample], path=path, content=batch, stats=stats)
        found = next((sample for sample in samples if sample.name == prepared.key), None)
        if found is None:
            raise DecodeError("missing in the answer", path=prepared.key, request_id=stats.request_id)
        return found

    sent = decode_json(prepared.body)

    def same(found: Sample) -> bool:
        return not differences(unstructure(found), sent)

    return await create_once(session, create, find, same, uncertain=uncertain)


def differences(existing: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of *sent* that differ from *existing*; attributes may have more keys, such as signed URLs."""
    return {
        key: value
        for key, value in sent.items()
        if not (json_contains(existing.get(key), value) if key == "attributes" else existing.get(key) == value)
    }


def _missing(job: Job, stats: CallStats) -> DecodeError:
    return DecodeError("missing in the answer", path=job.prepared.key, request_id=stats.request_id)


def _is_before(moment: datetime | str | None, since: datetime) -> bool:
    return isinstance(moment, datetime) and moment < since


def fields_of(item: Any) -> Mapping[str, Any]:
    """Convert an item to the keys of `SampleCreate`; a mapping is returned unchanged."""
    if type(item) is dict:
        return item
    if isinstance(item, SampleCreate | Sample):
        given = without_none({name: getattr(item, name) for name in _FIELDS})
        # The other fields of a Sample were set by the service, not by the caller.
        return {**given, **(item.extra if isinstance(item, SampleCreate) else {})}
    if isinstance(item, Mapping):
        return item
    if hasattr(item, "model_dump"):  # a sample of the official SDK
        return without_none({name: value for name, value in unstructure(item).items() if name in _FIELDS})
    raise InputError(f"expected a SampleCreate, a Sample or a mapping, got {type(item).__name__}")
