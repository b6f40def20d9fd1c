from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import attrs

from segments_async._serialization.converter import check, structure, unstructure
from segments_async._serialization.json import decode_json, encode_json
from segments_async._wire.arguments import check_name, json_contains, without_none
from segments_async._wire.chunks import MAX_BATCH_ITEMS
from segments_async._wire.endpoint import dataset_name, dataset_path
from segments_async._wire.routes import CREATE_SAMPLE, CREATE_SAMPLES, UPDATE_SAMPLE
from segments_async.bulk.operation import Job, Prepared, Success
from segments_async.bulk.report import SUCCESSES
from segments_async.errors import AlreadyExistsError, DecodeError, InputError, SegmentsError
from segments_async.models import Dataset, Sample, SampleCreate
from segments_async.resources._base import create_once
from segments_async.resources._operations import ServiceOperation

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings


BATCHES_IN_FLIGHT = 8


class CreateSamples(ServiceOperation[Sample]):
    """Create samples in batches, matched with the answer by name."""

    kind = "samples.create_many"
    items_name = "samples"
    missing_is_fatal = True

    def __init__(self, session: Session, dataset: str | Dataset, settings: BulkSettings) -> None:
        dataset_path(dataset)
        self.scope: str = dataset_name(dataset)
        super().__init__(session)
        self._path = {"dataset": dataset}
        self._if_exists = settings.if_exists
        # Only the single POST tells a name that is taken from one that was free.
        limit = min(settings.batch_size or MAX_BATCH_ITEMS, MAX_BATCH_ITEMS)
        self.batch_size: int = 1 if settings.if_exists == "error" else limit
        self.journal_before_send: bool = settings.if_exists == "error"
        if settings.if_exists == "update":
            # What was merely found by an earlier run may differ from what was sent; what this one finds, it compares.
            self.done_statuses: Collection[str] = SUCCESSES - {"existing"}
            self.status_aliases: Mapping[str, str] = {"existing": "updated"}
        default = session.max_connections if self.batch_size == 1 else BATCHES_IN_FLIGHT
        self.concurrency: int = min(settings.concurrency or default, session.max_connections)
        self._started: float | None = None
        self._new_since: datetime | None = None

    def prepare(self, item: Any) -> Prepared:
        """Check a sample and encode it."""
        fields = fields_of(item)
        check(fields, SampleCreate)
        body = encode_json(fields)
        return Prepared(check_name(fields["name"]), body, size=len(body) + 1)

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Sample] | SegmentsError]:
        """Create a batch, or one sample by itself where `batch_size` is 1."""
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
            # The batch call returns what is there.
            [result] = await self._send_batch(jobs, stats)
            if isinstance(result, Success) and result.status == "created":
                result = attrs.evolve(result, status="existing")
            return [result]
        return [Success("created", sample, sample.uuid)]

    async def _send_batch(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Sample] | SegmentsError]:
        body = b"[" + b",".join(job.prepared.body for job in jobs) + b"]"
        rows = await self._session.call(CREATE_SAMPLES, list[Any], path=self._path, content=body, stats=stats)
        self._note_time(stats)
        named = {row["name"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)}
        return [await self._result(job, named.get(job.prepared.key), stats) for job in jobs]

    async def _result(self, job: Job, row: Any, stats: CallStats) -> Success[Sample] | SegmentsError:
        if row is None:
            return DecodeError("the answer lacks this sample", path=job.prepared.key, request_id=stats.request_id)
        try:
            sample = structure(row, Sample)
            sent = decode_json(job.prepared.body) if self._if_exists == "update" else {}
            if changes := differences(row, sent):
                sample = await self._session.call(
                    UPDATE_SAMPLE, Sample, path={"uuid": sample.uuid}, json=changes, stats=stats
                )
                return Success("updated", sample, sample.uuid)
        except SegmentsError as error:
            return error
        is_old = self._new_since is not None and _is_before(sample.created_at, self._new_since)
        return Success("existing" if is_old else "created", sample, sample.uuid)

    def _note_time(self, stats: CallStats) -> None:
        """
        Learn from the first answer since when a sample is of this run, by the service's clock.

        The answer's ``Date`` less the time that passed here since the run began: nothing of the run is older.
        """
        if self._new_since is None and stats.date is not None and self._started is not None:
            passed = timedelta(seconds=time.monotonic() - self._started)
            try:
                self._new_since = parsedate_to_datetime(stats.date) - passed
            except ValueError:
                return


async def create_sample(
    session: Session, path: Mapping[str, Any], prepared: Prepared, stats: CallStats, *, uncertain: bool = False
) -> Sample:
    """
    Create one sample by the documented POST.

    Where the answer is lost, the same sample goes through ``samples_bulk``, which creates it or returns what is there;
    *uncertain* says that this may have happened to an earlier process.

    Raises:
        AlreadyExistsError: The name is taken, perhaps by what another client created meanwhile.
    """

    async def create() -> Sample:
        return await session.call(CREATE_SAMPLE, Sample, path=path, content=prepared.body, stats=stats)

    async def find() -> Sample:
        batch = b"[" + prepared.body + b"]"
        samples = await session.call(CREATE_SAMPLES, list[Sample], path=path, content=batch, stats=stats)
        found = next((sample for sample in samples if sample.name == prepared.key), None)
        if found is None:
            raise DecodeError("the answer lacks this sample", path=prepared.key, request_id=stats.request_id)
        return found

    sent = decode_json(prepared.body)

    def same(found: Sample) -> bool:
        return not differences(unstructure(found), sent)

    return await create_once(session, create, find, same, uncertain=uncertain)


def differences(there: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent and is not what is there; the service may add keys (signed URLs) to attributes."""
    return {
        key: value
        for key, value in sent.items()
        if not (json_contains(there.get(key), value) if key == "attributes" else there.get(key) == value)
    }


def _is_before(moment: datetime | str | None, since: datetime) -> bool:
    return isinstance(moment, datetime) and moment < since


def fields_of(item: Any) -> Mapping[str, Any]:
    """What an item says, as the keys of `SampleCreate`; a mapping is taken as given."""
    if isinstance(item, SampleCreate | Sample):
        names = (
            "name",
            "attributes",
            "metadata",
            "priority",
            "assigned_labeler",
            "assigned_reviewer",
            "readme",
        )
        given = without_none({name: getattr(item, name) for name in names})
        # What else a Sample carries was said by the service, not by the caller.
        return {**given, **(item.extra if isinstance(item, SampleCreate) else {})}
    if isinstance(item, Mapping):
        return item
    raise InputError(f"expected a SampleCreate, a Sample or a mapping, got {type(item).__name__}")
