"""Getting, changing and deleting in bulk, against the service in memory on a real socket."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest
from bulk_checks import check_report, drain, names_on, samples

from segments_async import (
    AuthenticationError,
    BulkError,
    DecodeError,
    InputError,
    LabelPut,
    LabelUpdate,
    NotFoundError,
    Outcome,
    ReleaseSample,
    SampleUpdate,
    ValidationError,
)
from segments_async.bulk import BulkSettings
from segments_async.resources.labels.delete import DeleteLabels
from segments_async.resources.labels.get import GetLabels
from segments_async.resources.labels.put import PutLabels
from segments_async.resources.labels.update import UpdateLabels
from segments_async.resources.samples.create import CreateSamples
from segments_async.resources.samples.delete import DeleteSamples
from segments_async.resources.samples.update import UpdateSamples
from segments_async.resources.samples.upload import UploadFiles

pytestmark = pytest.mark.anyio

BOXES = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}]}
FLOWERS = "sandbox/flowers"


@pytest.fixture
async def uuids(client, flowers):
    """Five samples, the first three of which are labelled."""
    report = await client.samples.create_many(flowers, samples(5))
    found = [outcome.uuid for outcome in report.results]
    await client.labels.put_many(LabelPut(uuid, BOXES, score=0.5) for uuid in found[:3])
    return found


def calls_of(sandbox, method, part="/"):
    return [call for call in sandbox.calls if call.method == method and part in call.path]


def test_names_of_operations():
    """A checkpoint records which operation it belongs to."""

    class Session:
        max_connections = 8
        pool = SimpleNamespace(base_url="https://example.com")

    settings, session = BulkSettings(), Session()
    operations = [
        CreateSamples(session, "jane/my flowers", settings),
        UploadFiles(session, "jane/my flowers", settings),
        DeleteSamples(session, "jane/my flowers", settings),
        UpdateSamples(session, settings),
        PutLabels(session, "my preds", settings),
        GetLabels(session, "my preds", settings),
        UpdateLabels(session, "my preds", settings),
        DeleteLabels(session, "my preds", settings),
    ]
    assert [(operation.kind, operation.scope) for operation in operations] == [
        ("samples.create_many", "jane/my flowers"),
        ("samples.upload_files", "jane/my flowers"),
        ("samples.delete_many", "jane/my flowers"),
        ("samples.update_many", ""),
        ("labels.put_many", "my preds"),
        ("labels.get_many", "my preds"),
        ("labels.update_many", "my preds"),
        ("labels.delete_many", "my preds"),
    ]


async def test_uuids(client, flowers):
    """Every sample by its name, however many pages it takes."""
    created = await client.samples.create_many(flowers, samples(2001))

    found = await client.samples.uuids(flowers)

    assert found == {outcome.key: outcome.uuid for outcome in created.results}
    assert list(found) == sorted(found)


class TestUpdateSamples:
    """PATCH, one for each."""

    async def test_what_is_not_named_stays(self, client, sandbox, uuids):
        given = {"uuid": UUID(uuids[1]), "assigned_labeler": "joe", "novel": [1]}
        report = await client.samples.update_many([SampleUpdate(uuids[0], priority=3, metadata={"a": 1}), given])

        check_report(report)
        assert dict(report.counts) == {"updated": 2}
        assert [outcome.key for outcome in report.results] == uuids[:2]
        assert [outcome.value.uuid for outcome in report.results] == uuids[:2]
        first, second = sandbox.samples(FLOWERS)[:2]
        assert (first["priority"], first["metadata"], first["name"]) == (3, {"a": 1}, "00000.png")
        assert (second["assigned_labeler"], second["novel"], second["priority"]) == ("joe", [1], 0)
        assert given == {"uuid": UUID(uuids[1]), "assigned_labeler": "joe", "novel": [1]}

        report = await client.samples.update_many([SampleUpdate(uuid=uuids[1], assigned_labeler=None)])
        assert report.succeeded == 1
        assert sandbox.samples(FLOWERS)[1]["assigned_labeler"] is None

    @pytest.mark.parametrize(
        ("item", "words"),
        [
            (7, "changes[0]: expected a SampleUpdate or a mapping, got int"),
            ({"priority": 1}, "changes[0].uuid: missing"),
            (SampleUpdate(""), "changes[0].uuid: expected a name, got ''"),
            ({"uuid": None}, "changes[0].uuid: expected a string, got NoneType"),
            (SampleUpdate("u", priority="high"), "changes[0].priority: expected a number, got str"),
            (SampleUpdate("u", name=None), "changes[0].name: expected a string, got NoneType"),
            (SampleUpdate("u", metadata={"x": float("nan")}), "changes[0].metadata.x: NaN is not JSON"),
            (
                {"uuid": "u", "attributes": {"image": {"url": 7}}},
                "changes[0].attributes.image.url: expected a string, got int",
            ),
        ],
    )
    async def test_bad_items(self, client, sandbox, uuids, item, words):
        report = await client.samples.update_many([item, SampleUpdate(uuids[0], priority=1)])

        check_report(report)
        assert dict(report.counts) == {"failed": 1, "updated": 1}
        assert str(report.results[0].error) == words
        assert type(report.results[0].error) is InputError
        assert len(calls_of(sandbox, "PATCH")) == 1

    async def test_failures_stay_alone(self, client, uuids):
        """A sample that is not there, a value that is refused, a second change: each fails by itself."""
        changes = [
            SampleUpdate("no-such-uuid", priority=1),
            SampleUpdate(uuids[0], priority=1),
            {"uuid": uuids[1], "readme": None},
            SampleUpdate(uuids[0], priority=2),
        ]
        report = await client.samples.update_many(changes)

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["failed", "updated", "failed", "failed"]
        assert [type(outcome.error) for outcome in report.failures] == [NotFoundError, ValidationError, InputError]
        assert report.stopped is None

    def test_misspelt_change(self):
        with pytest.raises(TypeError, match=r"^SampleUpdate\(\) got an unexpected keyword argument 'prioritty'$"):
            SampleUpdate("u", prioritty=1)
        with pytest.raises(TypeError, match=r"^LabelUpdate\(\) got an unexpected keyword argument 'status'$"):
            LabelUpdate("u", status="REVIEWED")


class TestDeleteSamples:
    """`samples_bulk` takes 1000 uuids at most, and skips what it does not know."""

    async def test_batches(self, client, sandbox, flowers):
        created = await client.samples.create_many(flowers, samples(2100))
        there = await client.samples.uuids(flowers)

        report = await client.samples.delete_many(flowers, there.values())

        check_report(report)
        assert dict(report.counts) == {"done": 2100}
        assert report.deleted_count == 2100
        assert {outcome.uuid for outcome in report.results} == {outcome.uuid for outcome in created.results}
        assert len(calls_of(sandbox, "DELETE")) == 3
        assert names_on(sandbox) == []

    async def test_unknown_ones_are_skipped(self, client, sandbox, uuids):
        given = [uuids[0], "no-such-uuid", UUID(uuids[1]), UUID("602a3eec-a61c-4a77-9fcc-3037ce5e9606")]
        report = await client.samples.delete_many(FLOWERS, given, batch_size=3)

        check_report(report)
        assert (dict(report.counts), report.deleted_count, report.requests) == ({"done": 4}, 2, 2)
        assert len(names_on(sandbox)) == 3

    async def test_bad_items(self, client, sandbox, uuids):
        report = await client.samples.delete_many(FLOWERS, [uuids[0], 7, "", uuids[0], "\ud800"])

        check_report(report)
        assert [str(outcome.error) for outcome in report.failures] == [
            "uuids[1]: expected a string, got int",
            "uuids[2]: expected a name, got ''",
            f"uuids[3]: '{uuids[0]}' appears more than once in this run",
            "uuids[4]: not valid Unicode: '\\ud800'",
        ]
        assert report.deleted_count == 1

    async def test_lost_answer(self, patient, sandbox):
        """The counts in the lost answer are missing, but the samples are done."""
        await patient.datasets.create("flowers")
        created = await patient.samples.create_many(FLOWERS, samples(4))
        sandbox.fail("DELETE", "/samples_bulk/", drop="after")

        report = await patient.samples.delete_many(FLOWERS, [outcome.uuid for outcome in created.results])

        assert (dict(report.counts), report.deleted_count, report.retries) == ({"done": 4}, 0, 1)
        assert names_on(sandbox) == []

    @pytest.mark.parametrize("lost", [True, False])
    async def test_dataset_that_is_not_there(self, patient, sandbox, lost):
        """It is not a success, even after a lost answer."""
        await patient.datasets.create("flowers")
        if lost:
            sandbox.fail("DELETE", "/samples_bulk/", status=502)
        report = await patient.samples.delete_many("sandbox/flower", ["a", "b", "c"], batch_size=1, concurrency=1)

        check_report(report)
        assert (report.stopped, dict(report.counts)) == ("fatal", {"failed": 1, "unsent": 2})
        assert type(report.failures[0].error) is NotFoundError

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"7"])
    async def test_no_answer(self, client, sandbox, uuids, body):
        """An answer that is not a JSON object did not come from the service."""
        sandbox.fail("DELETE", "/samples_bulk/", status=200, body=body)
        report = await client.samples.delete_many(FLOWERS, uuids)
        assert dict(report.counts) == {"unknown": 5}
        assert isinstance(report.failures[0].error, DecodeError)
        assert report.retry_items == uuids

    async def test_refused_uuid_is_found(self, client, sandbox, uuids):
        """The service only says that the list is wrong: it is halved until the bad one is alone."""
        fault = sandbox.fail("DELETE", "/samples_bulk/", status=400, json={"uuids": {"0": ["Not valid."]}}, times=3)
        report = await client.samples.delete_many(FLOWERS, uuids[:4])
        check_report(report)
        assert fault.hits == 3
        assert (report.failed, report.succeeded, report.deleted_count) == (1, 3, 3)


class TestGetLabels:
    """GET, one for each."""

    async def test_values(self, client, uuids):
        report = await client.labels.get_many([UUID(uuids[2]), *uuids[:2]])

        check_report(report)
        assert dict(report.counts) == {"done": 3}
        assert [outcome.value.sample_uuid for outcome in report.results] == [uuids[2], *uuids[:2]]
        assert [outcome.uuid for outcome in report.results] == [uuids[2], *uuids[:2]]
        assert report.results[0].value == await client.labels.get(uuids[2])

    async def test_unlabelled(self, client, sandbox, uuids):
        """It is done, and has no value; only this takes a second request to know."""
        sandbox.clear_calls()
        report = await client.labels.get_many(uuids)

        check_report(report)
        assert dict(report.counts) == {"done": 5}
        assert [outcome.value is None for outcome in report.results] == [False] * 3 + [True] * 2
        assert (report.requests, report.retries) == (7, 0)
        report.raise_if_failed()

    @pytest.mark.parametrize("labelset", ["ground-truth", "no-such-labelset"])
    async def test_missing_sample_or_labelset(self, client, uuids, labelset):
        """A missing sample or labelset is not reported as a sample without a label."""
        given = [uuids[0], "no-such-uuid"] if labelset == "ground-truth" else uuids
        report = await client.labels.get_many(given, labelset=labelset)

        check_report(report)
        assert {type(outcome.error) for outcome in report.failures} == {NotFoundError}
        assert report.succeeded == (labelset == "ground-truth")
        assert report.stopped is None

    async def test_bad_items(self, client, uuids):
        report = await client.labels.get_many([7, uuids[0], " ", uuids[0]])
        check_report(report)
        assert [str(outcome.error) for outcome in report.failures] == [
            "sample_uuids[0]: expected a string, got int",
            "sample_uuids[2]: expected a name, got ' '",
            f"sample_uuids[3]: '{uuids[0]}/ground-truth' appears more than once in this run",
        ]

    async def test_stream(self, client, uuids):
        """Outcomes come as they are there, and with ``keep="failures"`` none stays."""
        stream = client.labels.stream_get(iter(uuids), keep="failures", concurrency=2)
        seen = []
        await drain(stream, seen)
        assert {outcome.uuid for outcome in seen if outcome.value is not None} == set(uuids[:3])
        assert (stream.report.total, stream.report.results) == (5, [])


class TestUpdateLabels:
    """PATCH, one for each."""

    async def test_what_is_not_named_stays(self, client, sandbox, uuids):
        await client.request("POST", "/datasets/sandbox/flowers/labelsets/", json={"name": "preds", "attributes": "{}"})
        await client.labels.put(uuids[3], "preds", BOXES)
        given = {"sample_uuid": UUID(uuids[1]), "label_status": "REVIEWED", "novel": 7}
        report = await client.labels.update_many(
            [LabelUpdate(uuids[0], score=None), given, LabelUpdate(uuids[3], labelset="preds", label_status="LABELED")]
        )

        check_report(report)
        assert dict(report.counts) == {"done": 3}
        assert [outcome.key for outcome in report.results] == [
            f"{uuids[0]}/ground-truth",
            f"{uuids[1]}/ground-truth",
            f"{uuids[3]}/preds",
        ]
        assert report.results[1].value.label_status == "REVIEWED"
        first, second = sandbox.label(uuids[0]), sandbox.label(uuids[1])
        assert (first["score"], first["label_status"], first["attributes"]) == (None, "PRELABELED", BOXES)
        assert (second["score"], second["label_status"], second["novel"]) == (0.5, "REVIEWED", 7)
        assert sandbox.label(uuids[3], "preds")["label_status"] == "LABELED"
        assert given == {"sample_uuid": UUID(uuids[1]), "label_status": "REVIEWED", "novel": 7}

    async def test_single(self, client, sandbox, uuids):
        label = await client.labels.update(uuids[0], "ground-truth", label_status="LABELED", score=None)
        assert (label.label_status, label.score, label.attributes) == ("LABELED", None, label.attributes)
        assert sandbox.label(uuids[0])["attributes"] == BOXES
        with pytest.raises(NotFoundError):
            await client.labels.update(uuids[4], "ground-truth", score=1)

    @pytest.mark.parametrize(
        ("item", "words"),
        [
            ("u", "changes[0]: expected a LabelUpdate or a mapping, got str"),
            ({"score": 1}, "changes[0].sample_uuid: missing"),
            (LabelUpdate(7), "changes[0].sample_uuid: expected a string, got int"),
            (LabelUpdate("u", labelset=""), "changes[0].labelset: expected a name, got ''"),
            (LabelUpdate("u", score="high"), "changes[0].score: expected a number, got str"),
            (LabelUpdate("u", score=float("inf")), "changes[0].score: an infinity is not JSON"),
            (
                {"sample_uuid": "u", "attributes": {"annotations": [{"type": "bbox", "points": [], "id": "x"}]}},
                "changes[0].attributes.annotations[0].id: expected an integer, got str",
            ),
        ],
    )
    async def test_bad_items(self, client, uuids, item, words):
        report = await client.labels.update_many([item, LabelUpdate(uuids[0], score=1)])
        check_report(report)
        assert dict(report.counts) == {"failed": 1, "done": 1}
        assert str(report.results[0].error) == words

    async def test_failures_stay_alone(self, client, uuids):
        changes = [
            LabelUpdate(uuids[4], score=1),
            LabelUpdate(uuids[0], score=1),
            LabelUpdate(uuids[1], label_status="NOVEL"),
            {"sample_uuid": uuids[0], "score": 0},
        ]
        report = await client.labels.update_many(changes)
        check_report(report)
        assert [type(outcome.error) for outcome in report.failures] == [NotFoundError, ValidationError, InputError]
        assert (report.succeeded, report.stopped) == (1, None)


class TestDeleteLabels:
    """DELETE, one for each."""

    async def test_one_that_is_not_there_fails_alone(self, client, sandbox, uuids):
        report = await client.labels.delete_many([uuids[0], UUID(uuids[4]), uuids[1], uuids[1], None])

        check_report(report)
        assert [outcome.status for outcome in report.results] == ["done", "failed", "done", "failed", "failed"]
        assert [type(outcome.error) for outcome in report.failures] == [NotFoundError, InputError, InputError]
        assert str(report.results[4].error) == "sample_uuids[4]: expected a string, got NoneType"
        assert set(sandbox.labels(FLOWERS)) == {uuids[2]}
        assert report.stopped is None

    @pytest.mark.parametrize("fault", [{"drop": "after"}, {"status": 502, "handled": True}])
    async def test_lost_answer(self, patient, sandbox, fault):
        """The label is deleted, and the repeat finds nothing: it is done."""
        await patient.datasets.create("flowers")
        created = await patient.samples.create_many(FLOWERS, samples(3))
        uuids = [outcome.uuid for outcome in created.results]
        await patient.labels.put_many(LabelPut(uuid, BOXES) for uuid in uuids)
        sandbox.fail("DELETE", "/labels/*", times=2, **fault)

        report = await patient.labels.delete_many(uuids)

        assert (dict(report.counts), report.retries) == ({"done": 3}, 2)
        assert sandbox.labels(FLOWERS) == {}


CALLS = {
    "samples.update_many": lambda c, uuids, **o: c.samples.update_many(
        [{"uuid": u, "priority": 1} for u in uuids], **o
    ),
    "samples.delete_many": lambda c, uuids, **o: c.samples.delete_many(FLOWERS, uuids, **{"batch_size": 1, **o}),
    "labels.get_many": lambda c, uuids, **o: c.labels.get_many(uuids, **o),
    "labels.update_many": lambda c, uuids, **o: c.labels.update_many(
        [{"sample_uuid": u, "score": 1} for u in uuids], **o
    ),
    "labels.delete_many": lambda c, uuids, **o: c.labels.delete_many(uuids, **o),
}


@pytest.mark.parametrize("name", CALLS)
class TestAll:
    """Rules for each of them."""

    async def test_fatal(self, client, sandbox, uuids, name):
        sandbox.fail("*", "*", status=401, times=None)
        report = await CALLS[name](client, uuids, concurrency=1)
        check_report(report)
        assert (report.stopped, dict(report.counts)) == ("fatal", {"failed": 1, "unsent": 4})
        assert type(report.failures[0].error) is AuthenticationError
        assert len(report.retry_items) == 5

    async def test_on_error_raise(self, client, sandbox, uuids, name):
        sandbox.fail("*", "*", status=400, json={"detail": "No."}, times=None)
        with pytest.raises(BulkError, match="1 failed, 4 unsent") as caught:
            await CALLS[name](client, uuids, concurrency=1, on_error="raise")
        assert type(caught.value.__cause__) is ValidationError

    @pytest.mark.parametrize("drop", ["before", "after", "middle"])
    async def test_cut_connections(self, patient, sandbox, name, drop):
        """Each is sent again, and done."""
        await patient.datasets.create("flowers")
        created = await patient.samples.create_many(FLOWERS, samples(5))
        uuids = [outcome.uuid for outcome in created.results]
        await patient.labels.put_many(LabelPut(uuid, BOXES) for uuid in uuids)
        sandbox.fail("*", "*", drop=drop, times=3)

        report = await CALLS[name](patient, uuids)

        check_report(report)
        # The answer to a label's deletion has no body that could be cut in the middle.
        assert (report.succeeded, report.retries) == (5, 0 if (name, drop) == ("labels.delete_many", "middle") else 3)

    async def test_unknown_option(self, client, name):
        with pytest.raises(TypeError, match="did you mean 'max_failures'"):
            await CALLS[name](client, [], max_failure=1)

    async def test_value_that_is_not_iterable(self, client, name):
        calls = {
            "samples.update_many": client.samples.update_many,
            "samples.delete_many": lambda items: client.samples.delete_many(FLOWERS, items),
            "labels.get_many": client.labels.get_many,
            "labels.update_many": client.labels.update_many,
            "labels.delete_many": client.labels.delete_many,
        }
        for items in ("u-1", {"uuid": "u-1"}, None):
            with pytest.raises(InputError, match="expected an iterable or async iterable of items"):
                await calls[name](items)


class TestWhatNamesASample:
    """Samples, outcomes, mappings and uuids alike."""

    async def forms(self, client, flowers, uuids):
        """The five samples, each in another form."""
        created = await client.samples.create_many(flowers, samples(5))
        listed = await client.samples.list(flowers)
        return [
            UUID(uuids[0]),
            listed[1],
            created.results[2],
            {"uuid": uuids[3], "name": "00003.png"},
            ReleaseSample(uuid=uuids[4], name="00004.png"),
        ]

    async def test_delete_samples(self, client, sandbox, flowers, uuids):
        report = await client.samples.delete_many(flowers, await self.forms(client, flowers, uuids))
        check_report(report)
        assert [outcome.uuid for outcome in report.results] == uuids
        assert (report.deleted_count, names_on(sandbox)) == (5, [])

    async def test_get_and_delete_labels(self, client, sandbox, flowers, uuids):
        forms = await self.forms(client, flowers, uuids)
        found = await client.labels.get_many(forms)
        check_report(found)
        assert [outcome.uuid for outcome in found.results] == uuids
        assert [outcome.value is None for outcome in found.results] == [False, False, False, True, True]

        labels = [outcome.value for outcome in found.results[:2]]
        report = await client.labels.delete_many([*labels, found.results[2]])
        assert dict(report.counts) == {"done": 3}
        assert sandbox.labels(FLOWERS) == {}

    @pytest.mark.parametrize(
        ("item", "words"),
        [
            (Outcome(index=3, key=None, item={}, status="failed"), "[0]: this Outcome has no uuid"),
            ({"name": "a"}, "[0].uuid: missing"),
            (7, "[0]: expected a string, got int"),
        ],
    )
    async def test_without_a_uuid(self, client, sandbox, flowers, uuids, item, words):
        report = await client.samples.delete_many(flowers, [item, uuids[0]])
        assert str(report.results[0].error) == f"uuids{words}"
        report = await client.labels.get_many([item, uuids[1]])
        assert str(report.results[0].error) == f"sample_uuids{words}"
        assert report.results[1].value is not None
