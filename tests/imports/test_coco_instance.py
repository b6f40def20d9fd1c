"""COCO instance, read into shapes, boxes and bitmaps."""

from __future__ import annotations

import json
import random
import tracemalloc

import numpy as np
import pytest
from coco_files import annotation, box, coco, image, write
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from segments_async import ClientStateError, DecodeError, InputError
from segments_async.imports import read_annotations
from segments_async.imports.run_lengths import run_length_bits

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning:pycocotools")

TRIANGLE = [1, 1, 30, 1, 30, 20]


def compressed(bits):
    found = coco_mask.encode(np.asfortranarray(bits.astype(np.uint8)))
    return {"size": list(found["size"]), "counts": found["counts"].decode()}


def read(folder, content, task_type=None, **options):
    with read_annotations(write(folder, content)) as annotations:
        return list(annotations.labels(task_type, **options))


def shapes(folder, annotations, task_type="vector", **options):
    [label] = read(folder, coco(annotations=annotations), task_type, **options)
    return label


def test_box(tmp_path):
    label = shapes(tmp_path, [box(1.5, 2, 10, 20, category_id=7)])
    assert label.attributes == {
        "format_version": "0.1",
        "annotations": [{"id": 1, "category_id": 7, "type": "bbox", "points": [[1.5, 2], [11.5, 22]]}],
    }
    assert (label.name, label.size, label.problems, +label.left_out) == ("rose.jpg", (64, 48), [], {})


def test_polygons_of_several_parts_and_the_rectangle(tmp_path):
    """The rectangle of a box is a box; parts become polygons, which is counted."""
    label = shapes(
        tmp_path,
        [
            annotation(bbox=[1, 1, 29, 19], segmentation=[TRIANGLE]),
            annotation(bbox=[1, 1, 4, 4], segmentation=[[1, 1, 5, 1, 5, 5, 1, 5]]),
            annotation(bbox=[0, 0, 9, 9], segmentation=[TRIANGLE, [3, 3, 9, 3, 9, 9], [1, 1, 2, 2]]),
        ],
    )
    kinds = [found["type"] for found in label.attributes["annotations"]]
    assert kinds == ["polygon", "bbox", "polygon", "polygon"]
    assert label.changed == {"polygons of several parts, imported as one polygon for each part": 1}
    assert label.left_out == {"polygons of one or two points": 1}


def test_crowds_keypoints_and_attributes(tmp_path):
    """What has no field of its own becomes attributes."""
    categories = [{"id": 1, "name": "person", "keypoints": ["nose", "left eye", "tail"], "skeleton": [[1, 2]]}]
    entry = annotation(
        bbox=[0, 0, 5, 5], keypoints=[1, 2, 2, 3, 4, 1, 0, 0, 0], num_keypoints=2, attributes={"torn": True}
    )
    [label] = read(tmp_path, coco(annotations=[{**entry, "iscrowd": 1}], categories=categories))
    drawn, nose, eye = label.attributes["annotations"]
    assert (drawn["type"], drawn["attributes"]) == ("bbox", {"torn": True, "iscrowd": True})
    assert (nose["points"], nose["attributes"]["keypoint"], nose["attributes"]["visibility"]) == ([[1, 2]], "nose", 2)
    assert (eye["points"], eye["attributes"]["keypoint"]) == ([[3, 4]], "left eye")


def test_masks_become_contours_only_on_request(tmp_path):
    bits = np.zeros((48, 64), bool)
    bits[5:20, 5:30] = True
    bits[8:12, 8:12] = False
    entry = annotation(bbox=[5, 5, 25, 15], segmentation=compressed(bits))
    label = shapes(tmp_path, [entry])
    assert label.attributes["annotations"] == []
    assert label.left_out == {"masks, as shapes are wanted; lossy=True takes their contours": 1}
    label = shapes(tmp_path, [entry], lossy=True)
    [polygon] = label.attributes["annotations"]
    assert polygon["points"] == [[5, 5], [5, 19], [29, 19], [29, 5]]
    assert sorted(label.changed.values()) == [1, 1]  # the contour, and its hole


def test_boxes_of_everything(tmp_path):
    """A stated box is taken; one around the shape only on request."""
    entries = [box(), annotation(segmentation=[TRIANGLE], bbox=[1, 1, 29, 19]), annotation(segmentation=[TRIANGLE])]
    label = shapes(tmp_path, entries, "bboxes")
    assert [found["type"] for found in label.attributes["annotations"]] == ["bbox", "bbox"]
    assert label.changed == {"polygons of which only the box is imported": 1}
    assert label.left_out == {"polygons without a box; lossy=True takes the box around them": 1}
    label = shapes(tmp_path, entries, "bboxes", lossy=True)
    assert label.attributes["annotations"][2]["points"] == [[1, 1], [30, 20]]


def test_bitmap_has_the_pixels_of_pycocotools(tmp_path):
    """Polygons, run lengths of both kinds and boxes, drawn in order; later ones cover earlier ones."""
    random_bits = np.random.default_rng(1).random((48, 64)) > 0.7
    counts = np.diff(np.flatnonzero(np.diff(random_bits.T.ravel(), prepend=False)), prepend=0).tolist()
    counts.append(48 * 64 - sum(counts))
    entries = [
        annotation(1, bbox=[1, 1, 29, 19], segmentation=[TRIANGLE, [40, 40, 60, 41, 50, 47.5]]),
        annotation(2, bbox=[0, 0, 64, 48], segmentation=compressed(random_bits), category_id=7),
        annotation(3, bbox=[0, 0, 64, 48], segmentation={"size": [48, 64], "counts": counts}),
        annotation(4, bbox=[-5, 2, 10, 20]),
        annotation(5, bbox=[100, 2, 10, 20]),
    ]
    path = write(tmp_path, coco(annotations=entries))
    reader = COCO(str(path))
    expected = np.zeros((48, 64), np.uint32)
    for entry in entries[:3]:
        expected[reader.annToMask(entry) > 0] = entry["id"]
    expected[2:22, 0:5] = 4
    with read_annotations(path) as annotations:
        [label] = annotations.labels("segmentation-bitmap")
    assert (label.bitmap == expected).all()
    assert [found["id"] for found in label.attributes["annotations"]] == [1, 3, 4]
    assert label.left_out == {
        "objects without pixels: outside the image, smaller than a pixel, or covered by later ones": 2
    }
    assert label.changed["objects that later ones cover in part"] == 2


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_like_pycocotools(seed):
    generator = np.random.default_rng(seed)
    height, width = generator.integers(1, 400, 2)
    bits = generator.random((height, width)) > generator.random()
    found = compressed(bits)
    assert (run_length_bits(found["counts"], (int(width), int(height))) == bits).all()


IDS = [0, 5, 2**24 + 3, 2**40, "a", "rosé 1", 3.0]


def test_ids_of_all_kinds(tmp_path):
    """0, gaps, beyond 24 bits, strings and floats, for images, annotations and categories."""
    images = [image(number, f"{index}.jpg") for index, number in enumerate(IDS)]
    categories = [{"id": number, "name": f"c{index}"} for index, number in enumerate(IDS)]
    entries = [box(number=number, image_id=number, category_id=number) for number in IDS]
    for task_type in ("vector", "segmentation-bitmap"):
        labels = read(tmp_path, coco(images, entries, categories), task_type)
        assert [label.attributes["annotations"][0]["id"] for label in labels] == [1] * len(IDS)
        ids = [label.attributes["annotations"][0]["category_id"] for label in labels]
        assert len(set(ids)) == len(ids)
        assert ids[:4] == IDS[:4]
    with read_annotations(write(tmp_path, coco(images, entries, categories))) as annotations:
        assert [category.id for category in annotations.categories] == ids


@pytest.mark.parametrize(
    "name", ["train/a/rose.jpg", "a rose.jpg", "rosé 蔷薇.jpg", "./x//rose.jpg", "train\\rose.jpg"]
)
def test_names(tmp_path, name):
    [label] = read(tmp_path, coco([image(name=name)]))
    assert label.name == name.replace("\\", "/").replace("./x//", "x/")


CORNERS = [[1, 1], [30, 1], [30, 20]]
VARIANTS = {
    "no brackets around the ring": ([1, 1, 30, 1, 30, 20], "polygon", CORNERS, {}),
    "a list for each point": ([CORNERS], "polygon", CORNERS, {}),
    "an empty list": ([], "bbox", [[1, 1], [30, 20]], {}),
    "an empty ring": ([[]], "bbox", [[1, 1], [30, 20]], {}),
    "two points": ([[1, 1, 30, 20]], "bbox", [[1, 1], [30, 20]], {
        "polygons of one or two points of which only the box is imported": 1
    }),
}  # fmt: skip


@pytest.mark.parametrize("kind", VARIANTS)
def test_segmentations_as_other_tools_write_them(tmp_path, kind):
    """With a box beside them."""
    segmentation, shape, points, changed = VARIANTS[kind]
    content = coco(annotations=[annotation(bbox=[1, 1, 29, 19], segmentation=segmentation)])
    with read_annotations(write(tmp_path, content)) as annotations:
        [label] = annotations.labels("vector")
    [found] = label.attributes["annotations"]
    assert (found["type"], found["points"], dict(label.changed)) == (shape, points, changed)
    assert not label.problems
    assert not label.left_out


def test_run_lengths_in_a_list(tmp_path):
    lengths = {"counts": [10, 4, 48 * 64 - 14], "size": [48, 64]}
    content = coco(annotations=[annotation(bbox=[0, 10, 1, 4], segmentation=[lengths])])
    with read_annotations(write(tmp_path, content)) as annotations:
        assert annotations.task_type == "segmentation-bitmap"
        [label] = annotations
    assert label.bitmap.sum() == 4


BROKEN = {
    "not an object": 5,
    "no image": box(image_id=99),
    "unknown category": box(category_id=3),
    "three numbers": annotation(bbox=[1, 2, 3]),
    "text": annotation(bbox="1,2,3,4"),
    "nothing": annotation(),
    "odd": annotation(segmentation=[[1, 2, 3]]),
    "infinite": annotation(bbox=[1, 2, 1e300, 4]),
    "keypoints": annotation(keypoints=[1, 2]),
    "no counts": annotation(segmentation={"size": [48, 64]}),
    "no size": annotation(segmentation={"counts": [1]}),
    "strange": annotation(segmentation="polygon"),
    "attributes": box(attributes=[1]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_one_broken_annotation_is_named_and_the_rest_arrives(tmp_path, kind):
    path = write(tmp_path, coco(annotations=[box(), BROKEN[kind], box(5, 5, 6, 6)]))
    with read_annotations(path) as annotations:
        [label] = annotations.labels()
        [problem] = [*annotations.problems, *label.problems]
    assert len(label.attributes["annotations"]) == 2
    assert problem.where.startswith("annotations[1]")
    assert problem.problem


def test_nan_is_named(tmp_path):
    text = json.dumps(coco(annotations=[box(), box(float("nan")), box()]))
    [label] = read(tmp_path, text)
    assert len(label.attributes["annotations"]) == 2
    assert "bbox[0]: expected a finite number" in str(label.problems[0])


@pytest.mark.parametrize("counts", [[5], "04", "0\x10", [10, -1], "é", [48 * 64, 1], "0" * 30])
def test_masks_that_do_not_fit_are_named(tmp_path, counts):
    entry = annotation(bbox=[0, 0, 5, 5], segmentation={"size": [48, 64], "counts": counts})
    label = shapes(tmp_path, [entry, box()], "segmentation-bitmap")
    assert [found["id"] for found in label.attributes["annotations"]] == [1]
    assert label.problems[0].where == "annotations[0]"


def test_broken_images_are_named(tmp_path):
    images = [image(), {"id": 2}, "x", image(1, "again.jpg"), image(4, "violet.jpg")]
    path = write(tmp_path, coco(images, [box(), box(image_id=4)]))
    with read_annotations(path) as annotations:
        labels = list(annotations)
        assert [label.name for label in labels] == ["rose.jpg", "violet.jpg"]
        assert sorted(problem.where for problem in annotations.problems) == ["images[1]", "images[2]", "images[3]"]


def test_categories_that_the_dataset_lacks(tmp_path):
    label = shapes(tmp_path, [box(), box(category_id=7)], category_ids={1: 40})
    assert [found["category_id"] for found in label.attributes["annotations"]] == [40]
    assert label.left_out == {"annotations of category 'violet', which the dataset does not have": 1}


@pytest.mark.parametrize("cut", [1, 30, 200, -1])
def test_truncated_file(tmp_path, cut):
    text = json.dumps(coco())[:cut]
    with pytest.raises(DecodeError, match=r"instances\.json is truncated"):
        read_annotations(write(tmp_path, text), "coco-instance").__enter__()
    with pytest.raises((DecodeError, InputError), match="is truncated"):
        read_annotations(write(tmp_path, text)).__enter__()


def test_results_without_images_are_refused(tmp_path):
    path = write(tmp_path, [box()])
    with pytest.raises(InputError, match="lack the images"):
        read_annotations(path, "coco-instance").__enter__()


@pytest.mark.parametrize("content", ["", "hello", "{}", '{"images": []}', "[1, 2]", "<a/>", "\x00\x01", "<a"])
def test_an_unknown_format_names_the_candidates(tmp_path, content):
    with pytest.raises(InputError, match=r"not recognized|not XML"):
        read_annotations(write(tmp_path, content))


def test_arguments(tmp_path):
    path = write(tmp_path, coco())
    with pytest.raises(InputError, match="did you mean 'coco-instance'"):
        read_annotations(path, "coco-instances")
    with pytest.raises(InputError, match="cannot be read"):
        read_annotations(tmp_path / "missing.json")
    with pytest.raises(InputError, match="folder of the images"):
        read_annotations(path, images=tmp_path / "missing")
    with read_annotations(path) as annotations, pytest.raises(InputError, match="task_type"):
        annotations.labels("pointcloud-cuboid")
    with pytest.raises(ClientStateError, match="closed"):
        len(annotations)


def test_natural_task_type(tmp_path):
    mask = annotation(bbox=[0, 0, 1, 1], segmentation={"size": [48, 64], "counts": [48 * 64]})
    for entries, expected in ([[mask], "segmentation-bitmap"], [[mask, box()], "vector"], [[], "vector"]):
        with read_annotations(write(tmp_path, coco(annotations=entries))) as annotations:
            assert annotations.task_type == expected


def test_keys_in_any_order(tmp_path):
    content = coco()
    shuffled = {key: content[key] for key in ("annotations", "categories", "images")}
    assert read(tmp_path, shuffled)[0].attributes == read(tmp_path, content)[0].attributes


def peak_of(path):
    tracemalloc.start()
    try:
        with read_annotations(path) as annotations:
            count = sum(len(label.attributes["annotations"]) for label in annotations)
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_depend_on_the_number_of_images(tmp_path):
    generator = random.Random(1)
    peaks = []
    for number in (200, 3000):
        images = [image(index, f"{index}.jpg") for index in range(number)]
        entries = [box(index, image_id=generator.randrange(number)) for index in range(4 * number)]
        count, peak = peak_of(write(tmp_path, coco(images, entries)))
        assert count == 4 * number
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 3_000_000


def test_images_are_found_in_the_folder(tmp_path):
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    for name in ("rose.jpg", "deep/violet.jpg", "deep/twice.jpg", "twice.jpg"):
        (photos / name).write_bytes(b"...")
    (tmp_path / "secret.jpg").write_bytes(b"...")
    (photos / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    names = ["train/rose.jpg", "x/violet.jpg", "deep/twice.jpg", "../secret.jpg", "link.jpg", "missing.jpg"]
    images = [image(index, name) for index, name in enumerate(names)]
    path = write(tmp_path, coco(images, []))
    with read_annotations(path, images=photos) as annotations:
        files = [label.file and label.file.relative_to(photos).as_posix() for label in annotations]
    assert files == ["rose.jpg", "deep/violet.jpg", "deep/twice.jpg", None, None, None]
    with read_annotations(path, images="https://example.com/photos/") as annotations:
        assert [label.url for label in annotations][1] == "https://example.com/photos/x/violet.jpg"
