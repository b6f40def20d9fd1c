"""YOLO, as Ultralytics trains on."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st
from round_trips import exported

from segments_async import InputError
from segments_async.imports import read_annotations
from segments_async.imports.yolo_lines import pixels_of, split_line


@pytest.fixture
def dataset(tmp_path, photos):
    """``dataset({"images/train/a.jpg": "0 0.5 0.5 0.2 0.2"})``: images with labels; None is no file."""

    def make(labels, yaml="path: .\ntrain: images\nnames: {0: rose, 4: violet}\n"):
        root = photos(*labels)
        for name, text in labels.items():
            if text is not None:
                path = root.joinpath(name.replace("images/", "labels/", 1)).with_suffix(".txt")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        (root / "data.yaml").write_text(yaml, encoding="utf-8")
        return root

    return make


def read(path, task_type=None, **options):
    with read_annotations(path, **options) as annotations:
        return list(annotations.labels(task_type))


def test_boxes_segments_and_oriented_boxes(dataset):
    root = dataset(
        {
            "images/train/a rosé.jpg": "0 0.5 0.5 0.25 0.5\n4 0.1 0.1 0.5 0.1 0.5 0.5\n\n"
            "0 0 0 1 0 1 1 0 1\n4 .5 .5 .25 .5 0.9\n",
            "images/val/empty.jpg": "",
            "images/val/none.jpg": None,
        }
    )
    for path in (root, root / "data.yaml"):
        one, empty, none = read(path)
        assert [label.name for label in (one, empty, none)] == [
            "images/train/a rosé.jpg",
            "images/val/empty.jpg",
            "images/val/none.jpg",
        ]
        first, second, third, fourth = one.attributes["annotations"]
        assert (first["type"], first["points"], first["category_id"]) == ("bbox", [[24, 12], [40, 36]], 1)
        assert (second["type"], second["category_id"], len(second["points"])) == ("polygon", 5, 3)
        assert third["points"] == [[0, 0], [64, 0], [64, 48], [0, 48]]
        assert (fourth["type"], fourth["attributes"]) == ("bbox", {"confidence": 0.9})
        assert empty.attributes["annotations"] == []
        assert none.attributes is None
        assert one.file is not None
    [bitmap, *_] = read(root, "segmentation-bitmap")
    assert bitmap.bitmap.shape == (48, 64)


def test_keypoints(dataset):
    root = dataset(
        {"images/a.jpg": "0 .5 .5 .25 .5 .25 .5 2 .1 .1 0"}, "train: images\nnames: [person]\nkpt_shape: [2, 3]\n"
    )
    [label] = read(root)
    box, point = label.attributes["annotations"]
    assert (point["points"], point["attributes"]) == ([[16, 24]], {"keypoint": 0, "visibility": 2})
    assert box["type"] == "bbox"


@pytest.mark.parametrize(
    "line",
    ["0", "0 1 2", "0 a b c d", "9 .5 .5 .1 .1", "-1 .5 .5 .1 .1", "0.5 .5 .5 .1 .1", "0 nan .5 .1 .1", "0 .5 .5 0 .1"],
)
def test_one_broken_line_is_named_and_the_rest_arrives(dataset, line):
    [label] = read(dataset({"images/a.jpg": f"0 .5 .5 .1 .1\n{line}\n0 .5 .5 .2 .2"}))
    assert len(label.attributes["annotations"]) == 2
    assert str(label.problems[0]).startswith("labels/a.txt:2 (images/a.jpg): ")


def test_images_missing_on_either_side(dataset):
    root = dataset({"images/a.jpg": "0 .5 .5 .1 .1", "images/b.jpg": "0 .5 .5 .1 .1"})
    (root / "images" / "b.jpg").unlink()
    with read_annotations(root) as annotations:
        assert len(annotations) == 1
        assert annotations.left_out == {"label files whose image is not there": 1}
        assert str(annotations.problems[0]) == "labels/b.txt: its image is not there"


def test_images_in_another_folder(dataset, tmp_path):
    """Labels without images, as some tools write them; ``images=`` has the images."""
    root = dataset({"images/a.jpg": "0 .5 .5 .25 .5"}, "names: [rose]\n")
    (root / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="has no images"):
        read(root)
    with read_annotations(root, images=tmp_path / "elsewhere") as annotations:
        [label] = annotations
        assert (label.name, len(label.attributes["annotations"]), annotations.problems) == ("a.jpg", 1, [])


def test_lists_of_images(dataset):
    root = dataset({"images/a.jpg": "0 .5 .5 .25 .5", "images/b.jpg": ""}, "train: train.txt\nnames: [rose]\n")
    (root / "train.txt").write_text("./images/a.jpg\n")
    assert [label.name for label in read(root)] == ["images/a.jpg"]


@pytest.mark.parametrize("yaml", ["", "names: 5", "[1, 2]", "names: {a: b}", "a: [", "names: [a]\nkpt_shape: 3"])
def test_a_yaml_that_is_none(dataset, yaml):
    with pytest.raises(InputError):
        read(dataset({"images/a.jpg": ""}, yaml), format="yolo")


def test_a_damaged_image_is_named(dataset):
    root = dataset({"images/a.jpg": "0 .5 .5 .25 .5", "images/b.jpg": "0 .5 .5 .25 .5"})
    (root / "images" / "a.jpg").write_bytes(b"...")
    broken, whole = read(root)
    assert "its size cannot be read" in str(broken.problems[0])
    assert len(whole.attributes["annotations"]) == 1


@given(st.integers(1, 5000), st.floats(-2, 3), st.floats(0.001, 2))
@example(64, 1.2, 0.5)
@example(64, 0.0, 0.5)
def test_edges_outside_the_image_stay_there(side, center, size):
    line = split_line(f"0 {center:.6f} 0.5 {size:.6f} 0.2")
    edges = pixels_of(line.box[0], line.box[2], side, line.digits)
    for edge, sign in zip(edges, (-0.5, 0.5), strict=True):
        assert edge == pytest.approx((line.box[0] + sign * line.box[2]) * side, abs=2e-6 * side)


def test_short_numbers_are_exact():
    line = split_line("0 0.5 0.5 0.2 0.25")
    assert pixels_of(line.box[0], line.box[2], 64, line.digits) == (25.6, 38.4)


@given(st.integers(1, 5000), st.tuples(st.floats(0, 1), st.floats(0, 1)))
@example(1, (0.0, 0.7993385389873995))
@example(1, (0.2006614610126005, 1.0))
def test_pixels_give_the_same_fractions(side, edges):
    """What an export writes of a box that was imported is what was in the file."""
    low, high = sorted(edge * side for edge in edges)
    center, size = f"{(low + high) / 2 / side:.6f}", f"{(high - low) / side:.6f}"
    left, right = pixels_of(float(center), float(size), side, 6)
    left, right = max(left, 0), min(right, side)
    assert f"{(left / side + right / side) / 2:.6f}" == center
    assert f"{abs(right / side - left / side):.6f}" == size


@pytest.mark.anyio
async def test_round_trip(client, photos, tmp_path):
    """Export, import and export give equal files."""
    categories = [{"id": 3, "name": 'a "rose"'}, {"id": 0, "name": "leaf"}, {"id": 90, "name": "yes"}]
    dataset = await client.datasets.create("flowers", task_type="bboxes", task_attributes={"categories": categories})
    names = ["rose.png", "images/b 蔷薇.png", "wood/c.png"]
    files = [(name, (photos(name, size=(67, 53)) / name).read_bytes()) for name in names]
    report = await client.samples.upload_files(dataset, files)
    boxes = [([[0, 0], [22.3, 53]], 3), ([[1 / 3, 2.5], [66.9, 7]], 90), ([[-4, -4], [90, 90]], 0)]
    for sample, chosen in zip(report.results, (boxes, boxes[:1], []), strict=True):
        label = [
            {"id": n, "category_id": c, "type": "bbox", "points": points} for n, (points, c) in enumerate(chosen, 1)
        ]
        await client.labels.put(sample.uuid, "ground-truth", {"annotations": label}, label_status="LABELED")
    first, one = await exported(client, dataset, tmp_path / "one", "yolo")
    report = await client.datasets.import_annotations("again", first.folder, create=True, task_type="bboxes")
    report.raise_if_failed()
    assert (report.problems, report.left_out, report.changed) == ([], {}, {})
    _, two = await exported(client, report.dataset, tmp_path / "two", "yolo")
    assert one.keys() == two.keys()
    for name, content in one.items():
        if name == "data.yaml":
            assert content.splitlines()[1:] == two[name].splitlines()[1:]
        else:
            assert content == two[name], name
