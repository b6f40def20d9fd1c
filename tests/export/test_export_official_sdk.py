"""The same release, exported by the official SDK and by this client: the same files."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from release_builder import FOLDER, ReleaseBuilder, blobs, jpeg

pytest.importorskip("skimage", reason="the official export needs scikit-image")

from segments.dataset import SegmentsDataset
from segments.utils import export_dataset

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("default"),  # its warnings are its business
]
MASKS = ["instance", "instance-color", "semantic", "semantic-color"]
COCO_KEYS = {"id", "image_id", "category_id"}


@pytest.fixture
def official(tmp_path, monkeypatch):
    """Export with the official SDK, in a folder of its own, and give that."""

    def export(builder, format, **options):
        folder = tmp_path / "official"
        cache = folder / FOLDER
        cache.mkdir(parents=True, exist_ok=True)
        for name, array in builder.bitmaps.items():
            # Its cache contains bitmaps as grey PNGs of 16 bits, which it cannot write with Pillow 13, but reads.
            stem = name.rsplit(".", 1)[0]
            Image.fromarray(array.astype(np.uint16)).save(cache / f"{stem}_label_ground-truth.png")
        monkeypatch.chdir(folder)
        dataset = SegmentsDataset(str(builder.write(folder)), preload=False)
        export_dataset(dataset, export_format=format, **options)
        return folder

    return export


@pytest.fixture
def ours(tmp_path, client):
    async def export(builder, format, **options):
        folder = tmp_path / "ours"
        await client.releases.export(builder.write(tmp_path), folder, format, **options)
        return folder

    return export


def loaded(folder):
    [path] = folder.glob("export_*.json")
    return path.name, json.loads(path.read_text())


def pixels(folder):
    """The pixels and modes of the PNGs in a folder, by name."""
    result = {}
    for path in sorted((folder / FOLDER).glob("*_label_ground-truth_*.png")):
        with Image.open(path) as image:
            result[path.name] = image.mode, np.asarray(image)
    return result


@pytest.mark.parametrize("format", ["coco-instance", "polygon"])
async def test_lists_of_objects(segmentation, official, ours, format):
    """COCO instance and polygons, with run lengths, boxes, areas and contours, are the same to the last digit."""
    if format == "polygon":
        pytest.importorskip("cv2", reason="polygons need OpenCV")
    expected = loaded(official(segmentation, format))

    found = loaded(await ours(segmentation, format))

    assert len(expected[1]["annotations"]) == 6
    assert found == expected


async def test_panoptic(segmentation, official, ours):
    """COCO panoptic is the same but for the colours of further objects of a category, which it draws by lot."""
    name, expected = loaded(folder := official(segmentation, "coco-panoptic"))

    found_name, found = loaded(ours_folder := await ours(segmentation, "coco-panoptic"))

    assert found_name == name
    for key in ("info", "categories", "images"):
        assert found[key] == expected[key]
    theirs, mine = pixels(folder), pixels(ours_folder)
    assert mine.keys() == theirs.keys()
    for one, other in zip(expected["annotations"], found["annotations"], strict=True):
        assert (one["file_name"], one["image_id"]) == (other["file_name"], other["image_id"])
        ids = {a.pop("id"): b.pop("id") for a, b in zip(one["segments_info"], other["segments_info"], strict=True)}
        assert one == other
        assert len(set(ids.values())) == len(ids)
        (mode, expected_pixels), (found_mode, found_pixels) = theirs[one["file_name"]], mine[one["file_name"]]
        assert mode == found_mode == "RGB"
        weights = np.array([1, 256, 65_536])
        translated = np.vectorize({0: 0, **ids}.get)(expected_pixels @ weights)
        assert np.array_equal(translated, found_pixels @ weights)


@pytest.mark.parametrize("format", MASKS)
async def test_masks(segmentation, official, ours, format):
    """The PNGs have the same names, modes and pixels."""
    theirs = pixels(official(segmentation, format))

    mine = pixels(await ours(segmentation, format))

    assert len(theirs) == 2
    assert mine.keys() == theirs.keys()
    for name, (mode, expected) in theirs.items():
        assert mine[name][0] == mode
        assert np.array_equal(mine[name][1], expected), name


async def test_id_increment(segmentation, official, ours):
    theirs = pixels(official(segmentation, "semantic", id_increment=10))

    mine = pixels(await ours(segmentation, "semantic", id_increment=10))

    assert all(np.array_equal(mine[name][1], expected) for name, (_, expected) in theirs.items())


async def test_coco_of_shapes(shapes, official, ours):
    """Our file contains everything that the official one does, and what COCO requires."""
    name, expected = loaded(official(shapes, "coco-instance"))

    found_name, found = loaded(await ours(shapes, "coco-instance"))

    assert found_name == name
    assert [{**mine, **theirs} for mine, theirs in zip(found["annotations"], expected["annotations"], strict=True)] == (
        found["annotations"]
    )
    assert {key: found[key] for key in ("info", "categories", "images")} == {
        key: expected[key] for key in ("info", "categories", "images")
    }
    assert all({"bbox", "area", "iscrowd"} <= annotation.keys() for annotation in found["annotations"])


async def test_yolo(shapes, official, ours):
    """With `id_increment`, each line is the same to the last digit; ours also has files without lines."""

    def lines(folder):
        return {path.name: path.read_text() for path in (folder / FOLDER).glob("*.txt")}

    expected = lines(official(shapes, "yolo"))

    assert set(expected) == {"violet.txt", "rose.txt"}
    assert lines(await ours(shapes, "yolo", id_increment=0)) == expected | {"empty.txt": ""}


async def test_yolo_of_a_sequence(client, official, ours):
    """Each frame with annotations has its file, with the same name; the official SDK needs the size as an argument."""
    builder = ReleaseBuilder(client, "image-vector-sequence")
    box = {"id": 1, "category_id": 2, "track_id": 1, "is_keyframe": True, "index": 0}
    frames = [
        {"annotations": [box | {"type": "bbox", "points": [[0, 0], [20 + number, 10]]}] * (number % 3)}
        for number in range(5)
    ]
    builder.add("one.mp4", "", {"frames": frames})
    url = await builder.put(jpeg(40, 20), "frame.jpg")
    builder.samples[0]["attributes"] = {"frames": [{"image": {"url": url}, "name": f"f{n}"} for n in range(4)]}
    builder.samples[0]["attributes"]["frames"].append({"image": {"url": url}})

    def lines(folder):
        return {path.name: path.read_text() for path in (folder / FOLDER).glob("*.txt")}

    expected = lines(official(builder, "yolo", image_width=40, image_height=20))

    assert set(expected) == {"one-f1.txt", "one-f2.txt", "one-00005.txt"}
    found = lines(await ours(builder, "yolo", id_increment=0))
    assert {name: text for name, text in found.items() if text} == expected
    assert set(found) - set(expected) == {"one-f0.txt", "one-f3.txt"}


async def test_images_are_kept_as_they_came(segmentation, official, ours, sandbox):
    """The same images under the same names; ours are the original bytes, where the SDK encodes JPEGs again."""
    theirs = official(segmentation, "coco-instance") / FOLDER
    mine = await ours(segmentation, "coco-instance") / FOLDER

    names = {path.name for path in theirs.glob("*.jpg")} - {"unlabelled.jpg"}
    assert {path.name for path in mine.glob("*.jpg")} == names == {"violet.jpg", "a rose.jpg"}
    contents = Counter(sandbox.assets().values())
    assert all(contents[(mine / name).read_bytes()] for name in names)


async def test_many_random_bitmaps(client, segmentation, official, ours):
    """Objects of all shapes have the run lengths, boxes and areas of the official ones."""
    for seed in range(12):
        ids = list(range(1, 2 + seed))
        array = blobs(20 + seed, 33 - seed, ids, seed=seed)
        await segmentation.segmented(f"{seed}.png", array, [{"id": i, "category_id": 1 + i % 3} for i in ids])
    expected = loaded(official(segmentation, "coco-instance"))

    assert loaded(await ours(segmentation, "coco-instance")) == expected
