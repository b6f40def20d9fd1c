"""Values of kept outcomes: checked when they arrive, made when they are asked for, and one object from then on."""

import copy
import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import attrs
import httpx
import orjson
import pytest
from bulk_checks import body_of, check_report, sample, samples

from segments_async import AsyncSegments, DecodeError, Label, LabelPut, Sample, Succeeded
from segments_async._serialization import answer as answers
from segments_async._serialization.answer import Answer
from segments_async.bulk.outcomes import sent_outcome

ROW = {"uuid": "u-0", "created_at": "2100-01-01T00:00:00Z", "metadata": {"seen": True}, "priority": 0.5}
BOXES = {"annotations": [{"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2], [3, 4]]}]}
DAMAGE = [
    ({"uuid": None}, "uuid: expected a string, got null"),
    ({"priority": "high"}, "priority: expected a number, got str"),
    ({"created_at": 7}, "created_at: expected a string, got int"),
    ({"metadata": []}, "metadata: expected an object, got list"),
    ({"issues": [7]}, r"issues\[0\]: expected an object, got int"),
    ({"label": "none"}, "label: expected an object, got str"),
]


def service(change):
    """A client of a service that stores what it gets; *change* is what it makes of each row."""

    def respond(request):
        sent = orjson.loads(body_of(request))
        if isinstance(sent, list):
            rows = [change({**ROW, **row, "uuid": f"u-{row['name']}"}) for row in sent]
            return httpx.Response(201, content=orjson.dumps(rows))
        return httpx.Response(200, json=change({"label_type": "vector", **sent}))

    return AsyncSegments("some-key", transport=httpx.MockTransport(respond))


async def run_of(change=lambda row: row, count=6, **options):
    async with service(change) as client:
        return await client.samples.create_many("jane/flowers", samples(count), batch_size=3, **options)


def models_in_memory():
    gc.collect()
    return sum(type(found) in {Label, Sample} for found in gc.get_objects())


def only(name, changes):
    return lambda row: {**row, **changes} if row["name"] == name else row


@pytest.mark.anyio
async def test_no_model_is_made_until_a_value_is_asked_for():
    before = models_in_memory()
    report = await run_of()

    assert models_in_memory() <= before
    assert [value.name for value in report.values] == [f"{number:05}.png" for number in range(6)]
    assert report.values[0].metadata == {"seen": True}


@pytest.mark.anyio
@pytest.mark.parametrize(("changes", "problem"), DAMAGE)
async def test_damage_is_found_at_once(changes, problem):
    """The item of a damaged row fails, the others have their values, and outcomes that are not kept say the same."""
    report = await run_of(only("00004.png", changes))
    seen = []
    other = await run_of(only("00004.png", changes), keep="failures", on_outcome=seen.append)

    check_report(report)
    [failed] = report.failures
    with pytest.raises(DecodeError, match=f"^{problem}"):
        raise failed.error
    assert (failed.index, failed.status, failed.value) == (4, "failed", None)
    assert [value.name for value in report.values] == [f"{n:05}.png" for n in (0, 1, 2, 3, 5)]
    assert str(other.failures[0].error) == str(failed.error)
    assert [outcome.value for outcome in sorted(seen, key=lambda o: o.index)] == [o.value for o in report.results]


@pytest.mark.anyio
@pytest.mark.parametrize("attributes", [7, "none", [[]], {"image": 7}, {"image": {"url": 7}}, {"other": 1}])
async def test_attributes_that_fit_no_class_stay_plain(attributes):
    report = await run_of(only("00001.png", {"attributes": attributes}))

    assert report.succeeded == 6
    assert report.values[1].attributes == attributes


@pytest.mark.anyio
async def test_a_value_is_one_object():
    report = await run_of()
    outcome = report.results[1]

    outcome.value.metadata = {"mine": 1}
    assert outcome.value is outcome.value
    assert report.values[1] is outcome.value
    assert report.values[1].metadata == {"mine": 1}
    match outcome:
        case Succeeded(value=Sample(name=name)):
            assert name == "00001.png"


@pytest.mark.anyio
async def test_an_outcome_kept_alone_keeps_no_other_value():
    before = models_in_memory()
    outcome = (await run_of()).results[1]

    assert outcome.value.name == "00001.png"
    assert models_in_memory() == before + 1


def test_threads_that_ask_one_outcome_get_the_same_object():
    """Also the one that comes just when another has made the value, and let go of the answer."""
    for _ in range(50):
        answer = Answer(orjson.dumps([{"uuid": "u", "name": "a"}]), Sample)
        outcome = sent_outcome(
            "created", 0, "a", "u", {}, {}, attempts=1, request_id=None, value=answer, number=answer.put_off(0)
        )
        start = Barrier(8)

        def read(outcome=outcome, start=start):
            start.wait()
            return outcome.value

        with ThreadPoolExecutor(8) as pool:
            values = [future.result() for future in [pool.submit(read) for _ in range(8)]]
        assert all(value is outcome.value for value in values)


@pytest.mark.anyio
async def test_the_same_name_twice_has_two_values():
    async with service(lambda row: row) as client:
        report = await client.samples.create_many("jane/flowers", [sample("a"), sample("a")], check_duplicates=False)

    first, second = report.values
    assert first == second
    assert first is not second


@pytest.mark.anyio
@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, attrs.evolve, lambda outcome: pickle.loads(pickle.dumps(outcome))],
    ids=["copy", "deepcopy", "evolve", "pickle"],
)
async def test_copies_have_the_value(duplicate):
    report = await run_of()
    [eager] = [o for o in (await run_of()).results if o.index == 2 and o.value]

    copied = duplicate(report.results[2])

    assert type(copied) is Succeeded
    assert copied == eager == report.results[2]
    assert copied.value.name == "00002.png"


@pytest.mark.anyio
async def test_what_an_outcome_lacks_is_said_as_before():
    outcome = (await run_of()).results[0]

    with pytest.raises(AttributeError, match=r"^'Succeeded' object has no attribute 'valeu'$") as raised:
        outcome.valeu  # noqa: B018
    assert (raised.value.name, raised.value.obj) == ("valeu", outcome)
    with pytest.raises(AttributeError):
        object.__new__(Succeeded).value  # noqa: B018 (as tools make it that restore objects)
    assert not hasattr(object.__new__(Succeeded), "index")
    assert "value" not in repr(outcome)


@pytest.mark.anyio
async def test_an_answer_is_decoded_once(monkeypatch):
    """Reading all values takes time in proportion to their number, in any order."""
    report = await run_of(count=30)
    texts = []
    decode = answers.decode_json
    monkeypatch.setattr(answers, "decode_json", lambda text: (texts.append(text), decode(text))[1])

    for outcome in reversed(report.results):
        assert outcome.value.name == outcome.key

    assert len(texts) == 10


@pytest.mark.anyio
async def test_integers_beyond_64_bits():
    report = await run_of(only("00001.png", {"metadata": {"big": 7}}))
    text = b'[{"uuid": "u", "name": "a", "metadata": {"big": 123456789012345678901234567890}}]'
    answer = Answer(text, Sample)

    assert report.values[1].metadata == {"big": 7}
    assert answer.value(answer.put_off(0)).metadata == {"big": 123456789012345678901234567890}


def test_threads_get_the_same_object():
    for _ in range(20):
        rows = orjson.dumps([{"uuid": f"u-{n}", "name": str(n)} for n in range(50)])
        answer = Answer(rows, Sample)
        numbers = [answer.put_off(row) for row in range(50)]
        start = Barrier(4)

        def read(answer=answer, numbers=numbers, start=start):
            start.wait()
            return [answer.value(number) for number in numbers]

        with ThreadPoolExecutor(4) as pool:
            first, *others = [future.result() for future in [pool.submit(read) for _ in range(4)]]
        assert [value.name for value in first] == [str(n) for n in range(50)]
        assert all(one is same for other in others for one, same in zip(first, other, strict=True))


@pytest.mark.anyio
@pytest.mark.parametrize("keep", ["all", "failures"])
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"score": "high"}, "score: expected a number, got str"),
        ({"label_status": 7}, "label_status: expected a string, got int"),
        ({"created_by": {}}, "created_by: expected a string, got dict"),
    ],
)
async def test_damage_of_an_answer_to_a_label(keep, changes, problem):
    """The service did something, and it is unknown what."""
    async with service(lambda row: {**row, **changes}) as client:
        reports = [
            await client.labels.put_many([LabelPut("u-1", BOXES)], labelset="ground-truth", keep=keep),
            await client.labels.update_many([{"sample_uuid": "u-1", "score": 0.5}], labelset="ground-truth", keep=keep),
        ]

    for report in reports:
        assert dict(report.counts) == {"unknown": 1}
        [failed] = report.failures
        assert isinstance(failed.error, DecodeError)
        assert problem in str(failed.error)
        assert failed.error.status == 200


@pytest.mark.anyio
async def test_values_of_calls_that_answer_one_by_one():
    before = models_in_memory()
    async with service(lambda row: {"uuid": "u-1", "name": "a", "label_status": "LABELED", **row}) as client:
        put = await client.labels.put_many([LabelPut("u-1", BOXES, score=0.5)], labelset="ground-truth")
        labels = await client.labels.update_many([{"sample_uuid": "u-1", "score": 1}], labelset="ground-truth")
        changed = await client.samples.update_many([{"uuid": "u-1", "readme": "new"}])

    assert models_in_memory() <= before
    assert put.values[0].vector.annotations[0].points == [[1, 2], [3, 4]]
    assert (put.values[0].score, labels.values[0].score, changed.values[0].readme) == (0.5, 1, "new")
    assert put.values[0] is put.results[0].value
