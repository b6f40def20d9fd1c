"""Release files sample by sample: typed, picked, counted, and never whole in memory."""

from __future__ import annotations

import json
import threading
import tracemalloc

import anyio
import pytest

from segments_async import (
    ClientStateError,
    DecodeError,
    ImageVectorLabelAttributes,
    InputError,
    LabelsetSummary,
    open_release,
    unstructure,
)
from segments_async._releases import batches, file as module

pytestmark = pytest.mark.anyio


async def names(path, **arguments):
    async with open_release(path) as release:
        return [sample.name async for sample in release.samples(**arguments)]


async def collect(samples, found):
    """Take names until there is an error."""
    async for sample in samples:
        found.append(sample.name)


async def test_header_and_samples(files):
    """Everything is there, as models, and writes back what was read."""
    raw = files.release(
        [files.sample(0), files.sample(1, labels={"ground-truth": None, "model": files.label("PRELABELED")})]
    )

    async with open_release(files.write(raw)) as release:
        samples = [sample async for sample in release.samples()]

        assert (release.name, release.header.description) == ("v1", "First.")
        assert (release.dataset.owner, release.dataset.task_type) == ("jane", "vector")
        assert release.dataset.task_attributes.categories[1].name == "rose"
        assert [labelset.name for labelset in release.dataset.labelsets] == ["ground-truth", "model"]
    assert isinstance(samples[0].labels["ground-truth"].attributes, ImageVectorLabelAttributes)
    assert samples[0].labels["ground-truth"].label_type == "vector"
    assert samples[0].attributes.image.url == "https://example.com/0.png"
    assert samples[0].labels["model"] is None
    for sample, original in zip(samples, raw["dataset"]["samples"], strict=True):
        labels = {name: label and {**label, "label_type": "vector"} for name, label in original["labels"].items()}
        assert unstructure(sample) == {**original, "labels": labels}


@pytest.mark.parametrize("order", ["samples first", "dataset first", "an unknown key last"])
async def test_keys_in_any_order(files, order):
    """Keys after the samples are in the header too."""
    raw = files.release([files.sample(number) for number in range(3)])
    if order == "samples first":
        raw["dataset"] = {"samples": raw["dataset"].pop("samples"), **raw["dataset"]}
    elif order == "dataset first":
        raw = {"dataset": raw.pop("dataset"), **raw}
    else:
        raw["dataset"]["colour"] = "blue"

    async with open_release(files.write(raw)) as release:
        assert (release.name, release.dataset.task_type) == ("v1", "vector")
        assert release.header.description == "First."
        assert release.dataset.extra == ({"colour": "blue"} if order == "an unknown key last" else {})
        assert len([sample async for sample in release.samples()]) == 3


async def test_labelset(files):
    """Only its labels are there; samples without one come with None."""
    path = files.write_release(
        [files.sample(0), files.sample(1, labels={"model": files.label()}), files.sample(2, labels=None)]
    )

    async with open_release(path) as release:
        found = [sample.labels async for sample in release.samples(labelset="model")]

    assert [list(labels) for labels in found] == [["model"]] * 3
    assert [labels["model"] is not None for labels in found] == [False, True, False]


@pytest.mark.parametrize(
    ("pick", "expected"),
    [
        ({}, "01234"),
        ({"label_status": "LABELED"}, "034"),
        ({"label_status": ["REVIEWED", "UNLABELED"]}, "12"),
        ({"label_status": "PRELABELED", "labelset": "model"}, "4"),
        ({"metadata": {"city": "London"}}, "13"),
        ({"metadata": {"city": "Paris", "night": True}}, "0"),
        ({"metadata": "night:true"}, "03"),
        ({"metadata": ["city:London", "night:false"]}, "1"),
        ({"metadata": {"zoo": "7"}}, ""),
        ({"metadata": {"city": "Paris"}, "label_status": "LABELED"}, "04"),
        ({"label_status": "labeled"}, "034"),
        ({"label_status": ["Reviewed", "unlabeled"]}, "12"),
        ({"label_status": "approved"}, ""),
        ({"label_status": ["Approved", "LABELED"]}, "034"),
    ],
)
async def test_pick(files, pick, expected):
    """By the status of one labelset's label, and by metadata."""
    samples = [files.sample(number) for number in range(5)]
    samples[1]["labels"]["ground-truth"]["label_status"] = "REVIEWED"
    samples[2]["labels"] = {}
    samples[4]["labels"]["model"] = files.label("PRELABELED")
    if "pproved" in str(pick):
        samples += [{**files.sample(5), "labels": {"ground-truth": files.label("Approved")}}]
        expected += "5"

    found = await names(files.write_release(samples), **pick)

    assert "".join(name.removesuffix(".png") for name in found) == expected


@pytest.mark.parametrize(
    ("pick", "path", "words"),
    [
        ({"labelset": "modle"}, "labelset", "no labelset 'modle'; it has 'ground-truth', 'model'"),
        ({"labelset": 7}, "labelset", "no labelset 7"),
        ({"label_status": []}, "label_status", "at least one"),
        ({"label_status": [7]}, "label_status", "expected text, got"),
        ({"metadata": "city"}, "metadata", "key:value"),
        ({"metadata": {"zoo": None}}, "metadata.zoo", "a number, a bool or a list, got NoneType"),
        ({"metadata": "height:>tall"}, "metadata", "expected a number after '>'"),
        ({"on_error": "ignore"}, "on_error", "'raise' or 'skip'"),
    ],
)
async def test_invalid_pick(files, pick, path, words):
    async with open_release(files.write_release([])) as release:
        with pytest.raises(InputError, match=words) as caught:
            release.samples(**pick)
    assert caught.value.path == path


@pytest.mark.parametrize("word", ["labelled", "REVIEWD"])
async def test_word_that_is_no_status(files, word):
    """Known once the whole file has been searched, before the first sample."""
    async with open_release(files.write_release([files.sample(number) for number in range(3)])) as release:
        with pytest.raises(InputError, match=r"is not a label status; did you mean '(LABELED|REVIEWED)'") as caught:
            await anext(release.samples(label_status=["LABELED", word]))
    assert caught.value.path == "label_status"


async def test_status_without_a_ground_truth(files):
    """A status is that of a label in a labelset, which then has to be named."""
    async with open_release(files.write_release([], labelsets=[{"name": "model"}])) as release:
        with pytest.raises(InputError, match="no labelset 'ground-truth'; it has 'model'") as caught:
            release.samples(label_status="LABELED")
    assert caught.value.path == "label_status"


BAD = [
    ({"name": 7}, "dataset.samples[1].name"),
    ({"labels": 7}, "dataset.samples[1].labels"),
    ({"labels": {"ground-truth": 7}}, "dataset.samples[1].labels.ground-truth"),
    ({"labels": {"ground-truth": {"attributes": {"annotations": 7}}}}, "dataset.samples[1].labels.ground-truth"),
]


@pytest.mark.parametrize(("keys", "path"), BAD)
async def test_sample_that_does_not_decode(files, keys, path):
    """The error names it, after the samples before it; or it is skipped and reported."""
    file = files.write_release([files.sample(0), files.sample(1, **keys), files.sample(2)])
    found = []

    async with open_release(file) as release:
        with pytest.raises(DecodeError) as caught:
            await collect(release.samples(), found)
        samples = release.samples(on_error="skip")
        rest = [sample.name async for sample in samples]

    assert found == ["0.png"]
    assert caught.value.path.startswith(path)
    assert caught.value.payload["uuid"] == "u-1"
    assert rest == ["0.png", "2.png"]
    assert [str(error) for error in samples.skipped] == [str(caught.value)]
    assert f"sample {keys.get('name', '1.png')!r}" in str(caught.value)


async def test_item_that_is_not_a_sample(files):
    with pytest.raises(DecodeError, match=r"dataset.samples\[1\]: expected an object, got int"):
        await names(files.write_release([files.sample(0), 7]))
    with pytest.raises(DecodeError, match=r"dataset.samples\[1\]"):
        async with open_release(files.write_release([files.sample(0), 7])) as release:
            await release.summary()


async def test_truncated(files):
    """It is noticed on opening, as the header might continue after the samples."""
    text = json.dumps(files.release([files.sample(number) for number in range(9)]))

    with pytest.raises(DecodeError, match=r"dataset.samples\[5\]: v1\.json is truncated; download it again"):
        await names(files.write(text[: text.index('"u-5"')]))


async def test_cut_between_samples(files):
    """A file that was changed after it was opened."""
    text = json.dumps(files.release([files.sample(number) for number in range(9)]))
    path = files.write(text)
    found = []

    async with open_release(path) as release:
        files.write(text[: text.index('"u-5"')])
        with pytest.raises(DecodeError, match=r"samples\[5\]: v1.json is truncated"):
            await collect(release.samples(on_error="skip"), found)
        with pytest.raises(DecodeError, match="is truncated"):
            await release.summary()

    assert found == [f"{number}.png" for number in range(5)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "v1.json is not JSON: .*DOCTYPE"),
        (b"", "is truncated"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
        ('{"images": [{"id": 1}], "annotations": []}', "v1.json is not a release"),
        ('{"dataset": {"samples": []}}', "v1.json is not a release"),
        ('{"name": "v1", "dataset": {"name": 7, "samples": []}}', r"dataset.name: v1.json is not a release: expected"),
    ],
)
async def test_foreign_file(files, content, words):
    with pytest.raises(DecodeError, match=words):
        await names(files.write(content))


async def test_invalid_path(files, tmp_path):
    for path, words in ((tmp_path / "none.json", "No such file"), (tmp_path, "directory"), ("a\0b", "null")):
        with pytest.raises(InputError, match=f"cannot be read .*{words}") as caught:
            await names(path)
        assert caught.value.path == "path"
    with pytest.raises(InputError, match="expected a path, got bytes"):
        open_release(b"v1.json")


async def test_open_and_close(files):
    """It is read inside its block, once; several walks at a time; a walk ends with the block."""
    path = files.write_release([files.sample(number) for number in range(3)])
    release = open_release(path)
    with pytest.raises(ClientStateError, match="inside its 'async with'"):
        release.samples()
    async with release:
        one, other = release.samples(), release.samples()
        assert [(await anext(one)).name, (await anext(other)).name, (await anext(one)).name] == [
            "0.png",
            "0.png",
            "1.png",
        ]
    with pytest.raises(ClientStateError, match="is closed"):
        await anext(release.samples())
    with pytest.raises(ClientStateError, match="is closed"):
        async with release:
            pass


async def test_walk_that_outlives_its_block(files, monkeypatch):
    """The walk raises; it does not seem to be at its end."""
    monkeypatch.setattr(module, "MAX_BATCH_SAMPLES", 2)
    async with open_release(files.write_release([files.sample(number) for number in range(9)])) as release:
        samples = release.samples()
        await anext(samples)
    with pytest.raises(ClientStateError, match="is closed"):
        await anext(samples)


async def test_cancelled_step_loses_nothing(files, monkeypatch):
    """A sample that was read while its reader was cancelled comes next."""
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 1)
    async with open_release(files.write_release([files.sample(number) for number in range(40)])) as release:
        samples, found = release.samples(), []
        for turn in range(400):
            with anyio.move_on_after(0.0001 * (turn % 4)):
                found.append((await anext(samples)).name)
            if len(found) == 40:
                break

    assert found == [f"{number}.png" for number in range(40)]


async def test_several_readers_share_a_walk(files, monkeypatch):
    """Each sample goes to one of them."""
    monkeypatch.setattr(module, "MAX_BATCH_SAMPLES", 2)
    found = []
    async with open_release(files.write_release([files.sample(number) for number in range(50)])) as release:
        samples = release.samples()

        async def read():
            async for sample in samples:
                found.append(sample.name)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(read)

    assert sorted(found) == sorted(f"{number}.png" for number in range(50))


async def test_the_loop_reads_nothing(files, monkeypatch):
    """Opening, decoding and structuring happen in worker threads."""
    threads = set()
    structure, opened = module.structure, batches._open_file
    monkeypatch.setattr(module, "structure", lambda *a: (threads.add(threading.current_thread()), structure(*a))[1])
    monkeypatch.setattr(batches, "_open_file", lambda *a: (threads.add(threading.current_thread()), opened(*a))[1])

    assert len(await names(files.write_release([files.sample(number) for number in range(20)]))) == 20

    assert threads
    assert threading.main_thread() not in threads


async def test_summary(files):
    """Samples by status, annotations by category, whatever the shape of the labels."""
    samples = [files.sample(number) for number in range(4)]
    samples[0]["labels"]["ground-truth"] = files.label("REVIEWED", 1, 1, 2, 9)
    samples[1]["labels"] = {
        "ground-truth": None,
        "model": {"attributes": {"frames": [{"annotations": [{"category_id": 2}]}]}},
    }
    sensors = [{"name": "cam", "attributes": {"frames": [{"annotations": [{"category_id": 1}] * 2}]}}]
    samples[2]["labels"]["model"] = {"label_status": "PRELABELED", "attributes": {"sensors": sensors}}

    async with open_release(files.write_release(samples)) as release:
        summary = await release.summary()

    assert (summary.name, summary.task_type, summary.samples) == ("v1", "vector", 4)
    assert summary.labelsets == {
        "ground-truth": LabelsetSummary(
            labels=3,
            statuses={"LABELED": 2, "REVIEWED": 1, "UNLABELED": 1},
            categories={"violet": 4, "rose": 1, "9": 1},
        ),
        "model": LabelsetSummary(
            labels=2, statuses={"UNLABELED": 3, "PRELABELED": 1}, categories={"violet": 2, "rose": 1}
        ),
    }


async def test_memory_is_flat(files):
    """Only a small part of 16 MB is in memory at any time."""
    one = json.dumps(files.sample(0, labels={"ground-truth": files.label("LABELED", *[1] * 50)}))
    head, tail = json.dumps(files.release([])).split("[]}}")[0] + "[", "]}}"
    path = files.write(head + ",".join([one] * 4000) + tail)
    assert path.stat().st_size > 16_000_000
    count = 0
    async with open_release(path) as release:
        samples = release.samples(labelset="ground-truth")
        await anext(samples)
        tracemalloc.start()
        try:
            async for _ in samples:
                count += 1
                if count == 1000:
                    break
            limit = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert limit < 8_000_000
