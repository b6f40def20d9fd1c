"""Label Studio's JSON export."""

from __future__ import annotations

import itertools
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from segments_async import DecodeError, InputError
from segments_async.imports import read_annotations
from segments_async.imports.brush import brush_bits
from segments_async.imports.reading import UnreadableError
from segments_async.imports.turned import turned

RECTANGLE = {"x": 25, "y": 50, "width": 50, "height": 25, "rotation": 0}


def region(kind="rectanglelabels", value=None, label="rose", number="r1", **more):
    value = dict(RECTANGLE if value is None else value)
    if kind.endswith("labels") and label is not None:
        value[kind] = [label]
    return {
        "id": number,
        "type": kind,
        "value": value,
        "from_name": "label",
        "to_name": "image",
        "original_width": 64,
        "original_height": 48,
        "image_rotation": 0,
        **more,
    }


def annotation(*regions, number=1, **more):
    return {"id": number, "completed_by": 1, "result": list(regions), "was_cancelled": False, **more}


def task(*annotations, image="/data/upload/3/0a1b2c3d-rose.jpg", number=1, predictions=(), **more):
    given = {"id": number, "annotations": list(annotations), "predictions": list(predictions), "meta": {}, **more}
    return {**given, "data": {"image": image}} if "data" not in more else given


def write(folder, tasks):
    path = folder / "project-1.json"
    path.write_text(tasks if isinstance(tasks, str) else json.dumps(tasks), encoding="utf-8")
    return path


def read(folder, tasks, task_type=None, **options):
    with read_annotations(write(folder, tasks), **options) as annotations:
        return list(annotations.labels(task_type))


def shapes(folder, *regions, **options):
    [label] = read(folder, [task(annotation(*regions))], **options)
    return label


def test_rectangle(tmp_path):
    with read_annotations(write(tmp_path, [task(annotation(region()))])) as annotations:
        assert (annotations.format, len(annotations)) == ("label-studio", 1)
        assert [(one.id, one.name) for one in annotations.categories] == [(1, "rose")]
        [label] = annotations
    assert label.attributes["annotations"] == [
        {"id": 1, "category_id": 1, "type": "bbox", "points": [[16, 24], [48, 36]]}
    ]
    assert (label.name, label.size, label.problems) == ("rose.jpg", (64, 48), [])
    assert (label.left_out, label.changed) == ({}, {})


def test_all_shapes(tmp_path):
    label = shapes(
        tmp_path,
        region(value={**RECTANGLE, "rotation": 90}, number="a"),
        region("ellipselabels", {"x": 50, "y": 50, "radiusX": 25, "radiusY": 10, "rotation": 0}, number="b"),
        region("polygonlabels", {"points": [[0, 0], [50, 0], [50, 100]], "closed": True}, number="c"),
        region("keypointlabels", {"x": 12.5, "y": 25, "width": 0.5}, "tip", number="d", parentID="a"),
        region("vectorlabels", {"vertices": [{"x": 0, "y": 0}, {"x": 100, "y": 100}], "closed": False}, number="e"),
        region("vectorlabels", {"vertices": [{"x": 0, "y": 0, "isBezier": True}]}, number="f"),
        region("bitmasklabels", {"imageDataURL": "data:image/png;base64,AA"}, number="g"),
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
    )
    four, round_, polygon, dot, line = label.attributes["annotations"]
    assert four["points"] == [list(point) for point in turned([(16, 24), (48, 24), (48, 36), (16, 36)], (16, 24), 90)]
    assert (len(round_["points"]), round_["points"][0]) == (36, [48, 24])
    assert polygon["points"] == [[0, 0], [32, 0], [32, 48]]
    assert (dot["type"], dot["points"], dot["category_id"]) == ("point", [[8, 12]], 2)
    assert (line["type"], line["points"]) == ("polyline", [[0, 0], [64, 48]])
    assert label.changed == {
        "turned boxes that became polygons of four points": 1,
        "ellipses that became polygons of 36 points": 1,
    }
    assert label.left_out == {
        "links of regions to their parents": 1,
        "relations between regions": 1,
        "results of type 'vectorlabels'": 1,
        "results of type 'bitmasklabels'": 1,
    }


def test_labels_and_answers_of_a_region(tmp_path):
    """Results with the same id are one region: its shape, its labels and what was asked about it."""
    asked = [
        region("rectangle", label=None),
        region("labels", {**RECTANGLE, "labels": ["rose", "bud"]}, None),
        region("choices", {**RECTANGLE, "choices": ["red"]}, from_name="color"),
        region("textarea", {**RECTANGLE, "text": ["one", "two"]}, from_name="note"),
        region("rating", {"rating": 4}, from_name="stars"),
        region("choices", {"choices": ["sunny", "cold"]}, number="i1", from_name="weather"),
        region("taxonomy", {"taxonomy": [["plant", "rose"]]}, number="i2", from_name="kind"),
        region("pairwise", {"selected": "left"}, number="i3"),
    ]
    asked[0] |= {"score": 0.5, "meta": {"text": ["look"]}}
    label = shapes(tmp_path, *asked)
    [found] = label.attributes["annotations"]
    assert found["attributes"] == {
        "score": 0.5, "text": "look", "labels": "rose, bud", "color": "red", "note": "one, two", "stars": 4
    }  # fmt: skip
    assert label.attributes["image_attributes"] == {"weather": "sunny, cold", "kind": "plant / rose"}
    assert label.left_out == {"results of type 'pairwise'": 1}
    assert sum(label.changed.values()) == 1


def encoded(bits):
    """Run lengths of a brush in the simplest form: one run for each stretch of equal values, of eight bits each."""
    values = np.repeat(bits.ravel().astype(np.uint8) * 255, 4)
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1), values.size]
    text = f"{values.size:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    for start, end in itertools.pairwise(edges):
        text += f"1{3:02b}{end - start - 1:016b}{values[start]:08b}"
    text += "0" * (-len(text) % 8)
    return [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]


@settings(max_examples=50)
@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_brushes_are_decoded(width, height, random):
    bits = np.array([[random.random() < 0.5 for _ in range(width)] for _ in range(height)])
    assert (brush_bits(encoded(bits), (width, height)) == bits).all()


OFFICIAL_RLE = [0, 0, 0, 140, 57, 27, 254, 35, 0, 191, 255, 108, 2, 255, 254, 31, 0, 143, 255, 11, 128, 0]


def test_a_brush_as_label_studio_writes_it():
    """Encoded with the converter of label-studio-sdk, which mixes both kinds of runs."""
    bits = np.zeros((5, 7), bool)
    bits[1:3, 2:6] = bits[4, 0] = True
    assert (brush_bits(OFFICIAL_RLE, (7, 5)) == bits).all()


@pytest.mark.parametrize(
    "rle", [[], [0, 0], "text", [1, -1], [300], [0.5], [None], [[1]], encoded(np.ones((2, 2)))[:-2], [255] * 20]
)
def test_a_damaged_brush(rle):
    with pytest.raises(UnreadableError, match="rle: "):
        brush_bits(rle, (2, 2))


def test_brushes_in_a_label(tmp_path):
    bits = np.zeros((48, 64), bool)
    bits[3:9, 5:20] = True
    whole = region("brushlabels", {"format": "rle", "rle": encoded(bits)})
    other = region("brushlabels", {"format": "rle", "rle": [1, 2, 3]}, number="r2")
    label = shapes(tmp_path, whole, other, task_type="segmentation-bitmap")
    assert (label.bitmap.astype(bool) == bits).all()
    assert "result[1]" in str(label.problems[0])
    label = shapes(tmp_path, whole)
    assert sum(label.left_out.values()) == 1


def test_which_annotation_becomes_the_label(tmp_path):
    def labelled(name, **more):
        return annotation(region(label=name), **more)

    guess = {"id": 9, "result": [region(label="guess")], "score": 0.75, "created_at": "2025-01-01"}
    cases = {
        "truth": [labelled("truth", ground_truth=True, updated_at="2020"), labelled("new", updated_at="2024")],
        "new": [labelled("new", updated_at="2024"), labelled("old", updated_at="2020")],
        "last": [labelled("first"), labelled("last")],
        "kept": [labelled("kept"), labelled("skipped", was_cancelled=True)],
        "guess": [],
        "nothing": [annotation()],
        "cancelled": [labelled("x", was_cancelled=True)],
    }
    tasks = [
        task(*given, image=f"{name}.jpg", predictions=[guess] if name in {"guess", "new", "cancelled"} else [])
        for name, given in cases.items()
    ]
    tasks += [task(image="untouched.jpg", drafts=[{}])]
    with read_annotations(write(tmp_path, tasks)) as annotations:
        names = {one.id: one.name for one in annotations.categories}
        labels = {label.name.removesuffix(".jpg"): label for label in annotations}
    chosen = {
        name: label.attributes and [names[one["category_id"]] for one in label.attributes["annotations"]]
        for name, label in labels.items()
    }
    assert chosen == {
        "truth": ["truth"], "new": ["new"], "last": ["last"], "kept": ["kept"], "guess": ["guess"], "nothing": [],
        "cancelled": None, "untouched": None,
    }  # fmt: skip
    assert labels["new"].left_out == {"further annotations of a task": 1, "predictions": 1}
    assert labels["cancelled"].left_out == {"cancelled annotations": 1, "predictions": 1}
    assert labels["kept"].left_out == {"cancelled annotations": 1}
    assert labels["untouched"].left_out == {"drafts": 1}
    assert (labels["guess"].source.score, labels["guess"].source.label_status) == (0.75, "PRELABELED")


@pytest.mark.parametrize(
    ("address", "name", "url"),
    [
        ("/data/upload/3/0a1b2c3d-ros%C3%A9%201.jpg", "rosé 1.jpg", None),
        ("/data/upload/rosé.jpg", "rosé.jpg", None),
        ("/data/local-files/?d=wood/a%20b.jpg", "wood/a b.jpg", None),
        ("https://example.com/data/local-files/?d=wood%5Ca.jpg", "wood/a.jpg", None),
        ("https://example.com/x/a.jpg?size=3", "a.jpg", "https://example.com/x/a.jpg?size=3"),
        ("s3://bucket/wood/a.jpg", "wood/a.jpg", None),
        ("gs://bucket/a", "a", None),
    ],
)
def test_names_of_images(tmp_path, address, name, url):
    [label] = read(tmp_path, [task(annotation(), image=address)])
    assert (label.name, label.url) == (name, url)


def test_equal_names_get_longer(tmp_path):
    tasks = [task(image=f"https://example.com/{n}/a.jpg", number=n) for n in (1, 2, 2)]
    with read_annotations(write(tmp_path, [*tasks, task(image="b.jpg")])) as annotations:
        assert [label.name for label in annotations] == ["1/a.jpg", "2/a.jpg", "b.jpg"]
        assert list(map(str, annotations.problems)) == ["tasks[2]: an earlier task has the same image, '2/a.jpg'"]


def test_several_images_of_a_task(tmp_path):
    first, second = region(item_index=0), region(label="bud", item_index=1, number="r2")
    data = {"pages": ["a/1.jpg", "a/2.jpg"], "thumb": "t.png", "text": "..."}
    [one, two] = read(tmp_path, [task(annotation(first, second), data=data)])
    assert [label.attributes["annotations"][0]["category_id"] for label in (one, two)] == [1, 2]
    assert (one.name, two.name) == ("1.jpg", "2.jpg")
    assert one.left_out == {"further images of a task, in other fields": 1}


def test_sizes_come_from_the_image_if_the_file_has_none(tmp_path, photos):
    bare = region()
    del bare["original_width"]
    folder = photos("0a1b2c3d-rose.jpg", size=(32, 32))
    [label] = read(tmp_path, [task(annotation(bare))], images=folder)
    assert label.attributes["annotations"][0]["points"] == [[8, 16], [24, 24]]
    assert label.file == folder / "0a1b2c3d-rose.jpg"
    [label] = read(tmp_path, [task(annotation(bare))])
    assert "original_width: missing" in str(label.problems[0])


BROKEN = {
    "expected an object": 5,
    "expected an object, got NoneType": {"id": "a", "type": "rectanglelabels"},
    "it has no label": region(label=None, number="a"),
    "expected a finite number": region(value={**RECTANGLE, "x": None}, number="a"),
    "no area": region(value={**RECTANGLE, "width": 0}, number="a"),
    "image_rotation: 90": region(image_rotation=90, number="a"),
    "points[1]: expected 2 numbers": region("polygonlabels", {"points": [[1, 2], [3]]}, number="a"),
    "rotation[0]": region(value={**RECTANGLE, "rotation": "x"}, number="a"),
}


@pytest.mark.parametrize("words", BROKEN)
def test_one_broken_region_is_named_and_the_rest_arrives(tmp_path, words):
    label = shapes(tmp_path, region(number="b"), BROKEN[words], region(number="c"))
    assert len(label.attributes["annotations"]) == 2
    [problem] = label.problems
    assert str(problem).startswith("tasks[0].annotations[0].result[1] (rose.jpg): ")
    assert words in str(problem)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (None, "expected an object"),
        ({"id": 1}, "expected an object"),
        (task(data={"text": "hello"}), "there is no image among 'text'"),
        (task(image="data:image/png;base64,AA"), "expected the address of the image"),
        (task(5, image="b.jpg"), "expected an object"),
    ],
)
def test_one_broken_task_is_named_and_the_rest_arrives(tmp_path, broken, words):
    with read_annotations(write(tmp_path, [task(annotation(region())), broken]), "label-studio") as annotations:
        assert [label.name for label in annotations] == ["rose.jpg"]
        assert len(annotations) == 1
        [problem] = annotations.problems
    assert str(problem).startswith("tasks[1]: ")
    assert words in str(problem)


def test_a_result_that_is_no_list(tmp_path):
    [label] = read(tmp_path, [task({**annotation(), "result": {}})])
    assert "result: expected a list, got dict" in str(label.problems[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps([task(annotation(region()))])[:-40], "is truncated"),
        (json.dumps([task()]) + "x", "continues after its end"),
        ("{}", "is not Label Studio"),
        (json.dumps([{"id": 1, "image": "a.jpg", "annotation_id": 5}]), "is JSON-MIN"),
        ("<a/>", "is not Label Studio"),
    ],
)
def test_a_broken_file(tmp_path, text, words):
    with pytest.raises((DecodeError, InputError), match=words):
        read(tmp_path, text, format="label-studio")


@given(st.tuples(*[st.floats(0, 100)] * 2), st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
def test_percents_become_pixels(tmp_path_factory, percents, size):
    x, y = percents
    dot = region("keypointlabels", {"x": x, "y": y, "width": 1}, original_width=size[0], original_height=size[1])
    label = shapes(tmp_path_factory.mktemp("a"), dot)
    [found] = label.attributes["annotations"]
    assert found["points"][0] == pytest.approx([x * size[0] / 100, y * size[1] / 100], abs=1e-6)


def test_memory_is_flat(tmp_path):
    peaks = []
    for count in (300, 900):
        note = {"note": "x" * 5000}
        path = write(tmp_path, [task(annotation(region()), image=f"{n}.jpg", meta=note) for n in range(count)])
        tracemalloc.start()
        with read_annotations(path) as annotations:
            assert sum(len(label.attributes["annotations"]) for label in annotations) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


@pytest.mark.anyio
async def test_import(client, tmp_path, photos):
    guess = {"result": [region()], "score": 0.5}
    path = write(tmp_path, [task(annotation(region()), image="a.jpg"), task(image="b.jpg", predictions=[guess])])
    report = await client.datasets.import_annotations("roses", path, images=photos("a.jpg", "b.jpg"), create=True)
    report.raise_if_failed()
    [_, sample] = [outcome.uuid for outcome in report.samples.results]
    label = await client.labels.get(sample, "ground-truth")
    assert (label.score, label.label_status) == (0.5, "PRELABELED")
