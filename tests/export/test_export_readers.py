"""Each format, read by the reader that its users use, or by that reader's own rules."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from release_builder import FOLDER, ReleaseBuilder, blobs, jpeg

from segments_async import InputError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("default::DeprecationWarning:pycocotools"),
]


def box(*points, number=1, category=1, kind="bbox"):
    return {"id": number, "category_id": category, "type": kind, "points": [list(point) for point in points]}


def load(file):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(file))


def check_coco(file):
    """What pycocotools and users of COCO rely on; gives the annotations with their masks."""
    found = json.loads(file.read_text())
    coco = load(file)
    for image in found["images"]:
        assert isinstance(image["width"], int)
        assert isinstance(image["height"], int)
        assert image["file_name"]
    assert len({image["id"] for image in found["images"]}) == len(found["images"])
    assert len({image["file_name"].lower() for image in found["images"]}) == len(found["images"])
    assert [annotation["id"] for annotation in found["annotations"]] == list(range(1, len(found["annotations"]) + 1))
    masks = []
    for annotation in found["annotations"]:
        image = coco.imgs[annotation["image_id"]]
        assert annotation["category_id"] in coco.cats
        x, y, width, height = annotation["bbox"]
        assert 0 <= x <= x + width <= image["width"] + 1e-6
        assert 0 <= y <= y + height <= image["height"] + 1e-6
        mask = coco.annToMask(annotation)
        assert mask.shape == (image["height"], image["width"])
        if "keypoints" in annotation:
            assert not mask.any()
            continue
        assert annotation["area"] > 0
        masks.append((annotation, mask))
    return masks


def evaluate(file, kind):
    """COCO's average precision of a file with itself."""
    truth = load(file)
    guesses = [{**annotation, "score": 0.9} for annotation in json.loads(file.read_text())["annotations"]]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(guesses), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
async def test_coco_of_bitmaps_equals_itself(client, segmentation, tmp_path, kind):
    report = await client.releases.export(segmentation.write(tmp_path), tmp_path, "coco-instance")

    for annotation, mask in check_coco(report.file):
        assert mask.sum() == annotation["area"]
    assert evaluate(report.file, kind) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
async def test_coco_of_shapes_equals_itself(client, tmp_path, kind):
    builder = ReleaseBuilder(client, "vector")
    star = [(30, 2), (40, 44), (4, 15), (60, 15), (20, 44)]
    shapes = [
        box((1, 2), (31.5, 40)),
        box((0, 0), (20, 0), (20, 15.5), (0, 15), number=2, kind="polygon", category=2),
        box(*star, number=3, kind="polygon", category=3),
        box((-10, -10), (30, 90), (90, 20), number=4, kind="polygon", category=2),
    ]
    await builder.drawn("a.jpg", shapes)
    await builder.drawn("b.jpg", [box((5, 5), (60, 40), category=3)])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    assert len(check_coco(report.file)) == 5
    assert evaluate(report.file, kind) == pytest.approx(1.0)


async def test_coco_without_images_has_sizes(client, tmp_path):
    """A null size makes pycocotools fail."""
    builder = ReleaseBuilder(client, "vector")
    await builder.drawn("a.jpg", [box((1, 1), (5, 1), (5, 5), kind="polygon")])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance", images=False)

    [(_, mask)] = check_coco(report.file)
    assert mask.any()
    assert not list(report.folder.glob("*.jpg"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP"])
async def test_turned_images(client, tmp_path, kind, orientation):
    """The size is that of the upright image, in every container."""
    builder = ReleaseBuilder(client, "vector")
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif.tobytes()}
    Image.new("RGB", (40, 20)).save(file, kind, **options)
    builder.add("a", await builder.put(file.getvalue(), "a"), {"annotations": []})

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    [image] = json.loads(report.file.read_text())["images"]
    assert (image["width"], image["height"]) == ((20, 40) if orientation > 4 else (40, 20))
    assert image["file_name"] == f"a.{ {'TIFF': 'tif', 'JPEG': 'jpg'}.get(kind, kind.lower()) }"


def rgb2id(pixels):
    """As panopticapi.utils.rgb2id."""
    pixels = pixels.astype(np.int64)
    return pixels[..., 0] + 256 * pixels[..., 1] + 256 * 256 * pixels[..., 2]


async def test_panoptic(client, segmentation, tmp_path):
    """The checks of panopticapi's evaluation, ``pq_compute_single_core``, and of its format page."""
    report = await client.releases.export(segmentation.write(tmp_path), tmp_path, "coco-panoptic")

    found = json.loads(report.file.read_text())
    images = {image["id"]: image for image in found["images"]}
    categories = {category["id"]: category for category in found["categories"]}
    assert {category["isthing"] for category in categories.values()} <= {0, 1}
    assert [annotation["image_id"] for annotation in found["annotations"]] == list(images)
    for annotation in found["annotations"]:
        image = images[annotation["image_id"]]
        with Image.open(report.folder / annotation["file_name"]) as png:
            assert (png.mode, png.size) == ("RGB", (image["width"], image["height"]))
            ids = rgb2id(np.asarray(png))
        segments = {segment["id"]: segment for segment in annotation["segments_info"]}
        assert len(segments) == len(annotation["segments_info"])
        counts = dict(zip(*(part.tolist() for part in np.unique(ids, return_counts=True)), strict=True))
        counts.pop(0, None)  # VOID
        assert counts.keys() == segments.keys()
        for number, segment in segments.items():
            assert segment["category_id"] in categories
            assert segment["area"] == counts[number]
            rows, columns = np.where(ids == number)
            left, top = columns.min(), rows.min()
            assert segment["bbox"] == [left, top, columns.max() - left + 1, rows.max() - top + 1]
            assert segment["iscrowd"] == 0
        stuff = [s["category_id"] for s in segments.values() if not categories[s["category_id"]]["isthing"]]
        assert len(stuff) == len(set(stuff))


@pytest.mark.parametrize("kind", ["semantic", "semantic-color", "instance", "instance-color"])
async def test_masks(client, segmentation, tmp_path, kind):
    """Pillow reads them with the size of their images, and what does not fit together is counted."""
    report = await client.releases.export(segmentation.write(tmp_path), tmp_path, kind)

    suffix = f"_label_ground-truth_{kind.replace('color', 'colored').replace('-', '_')}.png"
    masks = sorted(report.folder.glob(f"*{suffix}"))
    assert len(masks) == 2
    for mask in masks:
        with Image.open(mask) as png, Image.open(report.folder / mask.name.replace(suffix, ".jpg")) as image:
            png.load()
            assert png.size == image.size
            assert png.mode == {"semantic": "L", "instance": "I;16"}.get(kind, "RGB")
    assert report.left_out == {"annotations without pixels": 1}


@pytest.mark.parametrize("kind", ["semantic", "semantic-color", "instance", "instance-color", "coco-panoptic"])
async def test_what_is_left_out_of_pngs(client, tmp_path, kind):
    """Pixels without an annotation, and annotations without pixels."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    array = np.zeros((20, 40), np.uint32)
    array[:5], array[5:10] = 1, 9
    await builder.segmented("a.png", array, [{"id": 1, "category_id": 1}, {"id": 7, "category_id": 1}])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, kind)

    assert report.left_out == {"annotations without pixels": 1, "pixels of no annotation": 200}


def read_yaml(path):
    """The part of YAML that `data.yaml` uses; double-quoted strings are like Python's."""
    found, names = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if match := re.fullmatch(r'  (\d+): (".*")', line):
            names[int(match[1])] = ast.literal_eval(match[2])
        else:
            key, _, value = line.partition(":")
            found[key] = value.strip()
    return found | {"names": names}


def check_yolo(folder):
    """The rules of Ultralytics: check_det_dataset, img2label_paths and verify_image_label."""
    data = read_yaml(folder / "data.yaml")
    assert {"train", "val", "names"} <= data.keys()
    count = len(data["names"])
    assert int(data["nc"]) == count
    assert sorted(data["names"]) == list(range(count))
    assert (folder / data["train"]).is_dir()
    formats = {"bmp", "dng", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp", "pfm", "heic", "avif", "jp2"}
    images = [path for path in folder.rglob("*.*") if path.suffix[1:].lower() in formats]
    labels = {}
    for image in images:
        head, found, tail = str(image).rpartition("/images/")
        label = f"{head}/labels/{tail}" if found else str(image)
        path = folder / f"{label.rsplit('.', 1)[0]}.txt"
        assert path.is_file(), "an image without a label is taken for background"
        rows = [line.split() for line in path.read_text().strip().splitlines() if line]
        for row in rows:
            assert len(row) == 5
            assert 0 <= int(row[0]) < count
            values = list(map(float, row[1:]))
            assert all(0 <= value <= 1 for value in values)
            assert values[2] > 0 < values[3]
        labels[str(image.relative_to(folder))] = rows
    assert len(list(folder.rglob("*.txt"))) == len(images)
    return data["names"], labels


async def test_yolo(client, shapes, tmp_path):
    """Classes are contiguous from 0 in the order of categories; a labelled image without boxes has an empty file."""
    report = await client.releases.export(shapes.write(tmp_path), tmp_path, "yolo")

    names, labels = check_yolo(report.folder)
    assert names == {0: "sky", 1: "flower", 2: "leaf"}
    assert [row[0] for row in labels["violet.jpg"]] == ["0"]
    assert [row[0] for row in labels["rose.jpg"]] == ["2"]
    assert labels["empty.jpg"] == []
    assert report.left_out == {"polygons": 1, "points": 1}


NASTY = [
    'a "b": {c}', "# no comment", "- x", "\\n", "a\nb", "yes", "1", "", "é ü 漢字", "\U0001f339", "tab\there", "null",
    "a\x85b\u2028c\x7f", "\ud800half",
]  # fmt: skip


async def test_yolo_names_and_ids(client, tmp_path):
    """Names are escaped, and ids with gaps are renumbered."""
    categories = [{"id": 7 * number + 3, "name": name} for number, name in enumerate(NASTY)]
    builder = ReleaseBuilder(client, "bboxes", categories=categories)
    await builder.drawn("a.jpg", [box((1, 1), (9, 9), category=categories[-1]["id"])])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "yolo")

    names, labels = check_yolo(report.folder)
    assert list(names.values()) == [name.replace("\ud800", "\ufffd") for name in NASTY]
    assert labels["a.jpg"][0][0] == str(len(NASTY) - 1)


async def test_yolo_with_the_numbers_of_the_official_sdk(client, tmp_path):
    """`id_increment` keeps ids, so that gaps are filled; an id below 0 is refused at once."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [box((1, 1), (9, 9), category=3)])
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path, "yolo", id_increment=0)

    names, labels = check_yolo(report.folder)
    assert names == {0: "unused 0", 1: "sky", 2: "flower", 3: "leaf"}
    assert labels["a.jpg"][0][0] == "3"
    with pytest.raises(InputError, match="id_increment: category 1 becomes -1"):
        await client.releases.export(path, tmp_path / "other", "yolo", id_increment=-2)


async def test_yolo_of_an_images_folder(client, tmp_path):
    """Ultralytics looks for the label of ``images/a.jpg`` in ``labels/a.txt``."""
    builder = ReleaseBuilder(client, "bboxes")
    for name in (
        "images/a.jpg",
        "x/images/images/a.jpg",
        "labels/a.jpg",
        "plain/a.jpg",
        "images.jpg",
        "dotted.name.jpg",
    ):
        await builder.drawn(name, [box((1, 1), (9, 9))])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "yolo", on_error="skip")

    check_yolo(report.folder)
    assert report.samples == 6


async def test_yolo_below_an_images_folder_is_logged(client, shapes, tmp_path, caplog):
    await client.releases.export(shapes.write(tmp_path), tmp_path / "images", "yolo")

    assert "Ultralytics looks for labels of images below a folder 'images' in 'labels'" in caplog.text


POINT = st.tuples(st.floats(-100, 200) | st.integers(-5, 70), st.floats(-100, 200) | st.integers(-5, 70))
ANYTHING = st.floats() | st.integers(-(10**30), 10**30) | st.integers(-2, 70)


@st.composite
def annotations(draw):
    kind = draw(st.sampled_from(["bbox", "polygon", "point", "polyline"]))
    fewest, most = (2, 2) if kind == "bbox" else (1, 6)
    points = st.lists(POINT | st.tuples(ANYTHING, ANYTHING), min_size=fewest, max_size=most)
    return {"category_id": draw(st.integers(1, 3)), "type": kind, "points": [list(point) for point in draw(points)]}


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=40)
@given(shapes=st.lists(annotations(), max_size=5))
async def test_any_shapes(client, tmp_path_factory, shapes):
    """COCO and YOLO are readable whatever was drawn, and everything is either written or counted."""
    tmp_path = tmp_path_factory.mktemp("shapes")
    builder = ReleaseBuilder(client, "vector")
    numbered = [{"id": number, **shape} for number, shape in enumerate(shapes, 1)]
    await builder.drawn("a.jpg", numbered)
    path = builder.write(tmp_path)

    coco = await client.releases.export(path, tmp_path / "coco", "coco-instance")
    yolo = await client.releases.export(path, tmp_path / "yolo", "yolo")

    check_coco(coco.file)
    written = len(json.loads(coco.file.read_text())["annotations"])
    assert written + sum(coco.left_out.values()) == len(shapes)
    _, labels = check_yolo(yolo.folder)
    assert len(labels["a.jpg"]) + sum(yolo.left_out.values()) == len(shapes)


async def test_random_bitmaps(client, tmp_path):
    """Objects of all shapes: the masks that pycocotools draws are the bitmap."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    arrays = [blobs(20 + seed, 33 - seed, list(range(1, 2 + seed)), seed=seed) for seed in range(6)]
    for seed, array in enumerate(arrays):
        meaning = [{"id": int(number), "category_id": 1 + int(number) % 3} for number in np.unique(array) if number]
        await builder.segmented(f"{seed}.png", array, meaning, image=jpeg(array.shape[1], array.shape[0]))

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    covered = [np.zeros_like(array) for array in arrays]
    for annotation, mask in check_coco(report.file):
        covered[annotation["image_id"] - 1] += mask
    assert all(np.array_equal(one, array > 0) for one, array in zip(covered, arrays, strict=True))
    assert report.folder == tmp_path / FOLDER
