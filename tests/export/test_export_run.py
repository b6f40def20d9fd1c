"""How an export runs: what is fetched, what fails, and what is on disk afterwards."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import anyio
import numpy as np
import pytest
from release_builder import FOLDER, ReleaseBuilder, blobs, jpeg

from segments_async import DecodeError, ExportError, InputError, OutOfResourcesError
from segments_async.images import encode_bitmap, load_image

pytestmark = pytest.mark.anyio

FLOWER = [{"id": 1, "category_id": 2}]


@pytest.fixture
async def release(client, segmentation, tmp_path):
    return segmentation.write(tmp_path)


def files(folder, *, manifests=False):
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(
        str(path.relative_to(folder)) for path in found if manifests or not path.name.startswith(".segments-export-")
    )


async def test_what_is_written(client, release, tmp_path):
    """The report lists every file, and there are no others."""
    report = await client.releases.export(release, tmp_path / "new" / "out", "coco-panoptic")

    assert report.file == tmp_path / "new/out/export_coco-panoptic_jane_flowers_v1.json"
    assert report.folder == tmp_path / "new/out" / FOLDER
    assert (report.samples, report.unlabeled, report.failures) == (2, 1, [])
    assert files(tmp_path / "new/out") == [
        "export_coco-panoptic_jane_flowers_v1.json",
        f"{FOLDER}/a rose.jpg",
        f"{FOLDER}/a rose_label_ground-truth_coco-panoptic.png",
        f"{FOLDER}/violet.jpg",
        f"{FOLDER}/violet_label_ground-truth_coco-panoptic.png",
    ]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"label_status": "REVIEWED"}, [1]),
        ({"metadata": {"city": "Ulm"}}, [1]),
        ({"labelset": "model"}, []),
        ({}, [1, 3]),
    ],
)
async def test_samples_can_be_picked(client, release, tmp_path, options, numbers):
    """Images are numbered by their place among those that were picked."""
    report = await client.releases.export(release, tmp_path, "coco-instance", **options)

    assert [image["id"] for image in json.loads(report.file.read_text())["images"]] == numbers


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("pascal-voc",), {}, "format: expected one of coco-instance, coco-panoptic"),
        (
            ("yolo",),
            {},
            "format: 'yolo' supports labels of bboxes, image-vector-sequence, vector; this release has 'segm",
        ),
        (("semantic",), {"labelset": "nowhere"}, "labelset: the release has no labelset 'nowhere'"),
        (("semantic",), {"id_increment": -5}, "id_increment: category 1 becomes -4, not 0 to 65535"),
        (("semantic",), {"id_increment": 0.5}, "id_increment: expected an integer"),
        (("semantic",), {"on_error": "ignore"}, "on_error: expected 'raise' or 'skip', got 'ignore'"),
        (("semantic",), {"image_size": (5, 0)}, r"image_size: expected \(width, height\) in pixels"),
        (("semantic",), {"concurrency": 0}, "concurrency: expected a whole number from 1"),
    ],
)
async def test_invalid_arguments_are_refused_at_once(client, sandbox, release, tmp_path, arguments, options, says):
    """Nothing is fetched, nothing is written."""
    sandbox.clear_calls()

    with pytest.raises(InputError, match=says):
        await client.releases.export(release, tmp_path / "out", *arguments, **options)

    assert not sandbox.calls
    assert not (tmp_path / "out").exists()


async def test_a_release_of_the_service(client, sandbox, segmentation, tmp_path):
    """A `Release`, and one that is open already, are exported as a file on disk is."""
    await client.datasets.create(
        "flowers", task_type="segmentation-bitmap", task_attributes={"categories": segmentation.categories}
    )
    for name, array in segmentation.bitmaps.items():
        [asset] = [sample["attributes"]["image"] for sample in segmentation.samples if sample["name"] == name]
        sample = await client.samples.create("sandbox/flowers", name, {"image": asset})
        meaning = [{"id": int(number), "category_id": 2} for number in np.unique(array) if number]
        await client.labels.put_bitmap(sample, "ground-truth", array, meaning)
    await client.releases.create("sandbox/flowers", "v1")
    release = await client.releases.wait("sandbox/flowers", "v1")

    report = await client.releases.export(release, tmp_path / "one", "coco-instance")
    async with client.releases.open("sandbox/flowers", "v1") as opened:
        other = await client.releases.export(opened, tmp_path / "other", "coco-instance")

    assert report.samples == other.samples == 2
    assert report.file.read_bytes() == other.file.read_bytes()
    images = [call for call in sandbox.calls if call.method == "GET" and call.path.endswith((".jpg", ".png", ".json"))]
    assert images
    assert not any("authorization" in call.headers for call in images)


async def test_a_file_in_place_of_the_folder(client, release, tmp_path):
    with pytest.raises(InputError, match="folder: is not a folder"):
        await client.releases.export(release, release, "semantic")


async def _html(builder):
    url = await builder.put(b"<html>Sign in</html>", "image.jpg")
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER)
    builder.samples[-1]["attributes"]["image"]["url"] = url


async def _no_image(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER)
    builder.samples[-1]["attributes"]["image"]["url"] += "x"


async def _another_size(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER, image=jpeg(7, 5))


async def _category(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), [{"id": 1, "category_id": 77}])


async def _twice(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER * 2)


async def _cut(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER)
    attributes = builder.samples[-1]["labels"]["ground-truth"]["attributes"]
    content = encode_bitmap(np.arange(10_000).reshape(100, 100))
    attributes["segmentation_bitmap"]["url"] = await builder.put(content[:200], "bitmap.png")


async def _no_bitmap(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER)
    builder.samples[-1]["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"]["url"] = ""


async def _same_files(builder):
    await builder.segmented("violet.png", np.array([[1]]), FLOWER)


async def _undecodable(builder):
    await builder.segmented("bad.jpg", np.array([[1]]), FLOWER)
    builder.samples[-1]["metadata"] = "none"


BROKEN = {
    "html": (_html, "sample 'bad.jpg': its image is not an image; it begins with b'<html>"),
    "404": (_no_image, "sample 'bad.jpg': its image: 404 Not Found on GET http://"),
    "another-size": (_another_size, "sample 'bad.jpg': its bitmap is 1 x 1 pixels, but its image 7 x 5"),
    "category": (_category, r"sample 'bad.jpg': annotations\[0\]: there is no category 77; there are 1, 2, 3"),
    "twice": (_twice, r"sample 'bad.jpg': annotations\[1\].id: duplicate id 1"),
    "cut": (_cut, "sample 'bad.jpg': its bitmap is a damaged image"),
    "no-bitmap": (_no_bitmap, "sample 'bad.jpg': it has annotations, but no bitmap"),
    "same-files": (_same_files, "sample 'violet.png': another sample already has files named 'violet'"),
    "undecodable": (_undecodable, "bad.jpg"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_sample(client, segmentation, tmp_path, case):
    """By default the export fails and names it, and no file lists only some samples; or it is skipped and reported."""
    break_it, says = BROKEN[case]
    await break_it(segmentation)
    await segmentation.segmented("last.jpg", np.array([[1, 1]]), FLOWER)
    path = segmentation.write(tmp_path)

    with pytest.raises(DecodeError if case == "undecodable" else ExportError, match=says):
        await client.releases.export(path, tmp_path / "out", "coco-instance")
    assert not [name for name in files(tmp_path / "out") if not name.endswith(".jpg")]

    report = await client.releases.export(path, tmp_path / "out", "coco-instance", on_error="skip")
    [failure] = report.failures
    assert says[:12] in str(failure)
    assert failure.sample in {"bad.jpg", "violet.png"}
    assert (report.samples, report.unlabeled) == (3, 1)
    assert json.loads(report.file.read_text())["images"][-1]["file_name"] == "last.jpg"


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ({"type": "ellipse", "points": []}, r"annotations\[0\].type: expected one of bbox, polygon"),
        ({"type": "bbox", "points": [[1, 2], [3]]}, r"annotations\[0\].points: expected the points of a bbox"),
        ({"type": "polygon", "points": [[]]}, r"annotations\[0\].points: expected the points of a polygon"),
    ],
)
async def test_a_broken_shape(client, tmp_path, annotation, says):
    builder = ReleaseBuilder(client, "vector")
    await builder.drawn("bad.jpg", [{"id": 1, "category_id": 1, **annotation}])

    for kind in ("coco-instance", "yolo"):
        with pytest.raises(ExportError, match=f"sample 'bad.jpg': {says}"):
            await client.releases.export(builder.write(tmp_path), tmp_path, kind)


async def test_an_image_that_cannot_be_fetched(client, tmp_path):
    """An image in a bucket of the user's needs a size: COCO's tools do not accept null."""
    builder = ReleaseBuilder(client, "bboxes")
    box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
    builder.add("a.jpg", "s3://bucket/a.jpg", {"annotations": [box]})
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path, "coco-instance", image_size=(64, 48))

    [image] = json.loads(report.file.read_text())["images"]
    assert (image["width"], image["height"], image["file_name"]) == (64, 48, "a.jpg")
    for kind in ("coco-instance", "yolo"):
        with pytest.raises(ExportError, match=r"sample 'a.jpg': its image cannot be fetched.*image_size="):
            await client.releases.export(path, tmp_path, kind)


async def test_names_stay_inside_the_folder(client, tmp_path):
    """A sample may have any name."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    names = ["../../etc/passwd", "/abs/a.jpg", "meadow/b.jpg", "..", "x" * 300 + ".jpg", "nul\0.jpg", "c\\d.jpg"]
    for name in names:
        await builder.segmented(name, np.array([[1]]), FLOWER)

    report = await client.releases.export(builder.write(tmp_path), tmp_path / "out", "semantic")

    assert report.samples == len(names)
    written = files(tmp_path / "out")
    assert len(written) == 2 * len(names)
    assert {"etc/passwd.jpg", "abs/a.jpg", "meadow/b.jpg", "c/d.jpg", "nul_.jpg"} <= {
        name.removeprefix(f"{FOLDER}/") for name in written
    }
    assert files(tmp_path) == sorted([f"out/{name}" for name in written] + ["release.json"])


async def test_images_are_fetched_once(client, sandbox, release, tmp_path):
    """A run that was killed takes up the images that are there, unless they are to be fresh."""
    await client.releases.export(release, tmp_path, "coco-instance")
    violet = tmp_path / FOLDER / "violet.jpg"
    violet.write_bytes(b"half an ima")

    def fetched():
        paths = [call.path for call in sandbox.calls]
        sandbox.clear_calls()
        return sum(path.endswith(".jpg") for path in paths)

    fetched()
    await client.releases.export(release, tmp_path, "coco-instance")
    assert fetched() == 1
    assert violet.read_bytes()[:2] == b"\xff\xd8"
    await client.releases.export(release, tmp_path, "coco-instance", refresh=True)
    assert fetched() == 2


async def test_images_can_be_left_out(client, sandbox, release, tmp_path):
    """The sizes are then those of the bitmaps."""
    sandbox.clear_calls()

    report = await client.releases.export(release, tmp_path, "coco-instance", images=False)

    assert not [call for call in sandbox.calls if call.path.endswith(".jpg")]
    assert [(i["width"], i["height"]) for i in json.loads(report.file.read_text())["images"]] == [(40, 30), (25, 50)]


async def test_order_is_that_of_the_release(client, sandbox, tmp_path):
    """However long each sample takes, and however many are in flight."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    for number in range(30):
        big = 200 if number % 7 == 0 else 5
        await builder.segmented(f"{number}.png", np.ones((big, 5), int), FLOWER)

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance", concurrency=7)

    found = json.loads(report.file.read_text())
    assert [image["file_name"] for image in found["images"]] == [f"{number}.jpg" for number in range(30)]
    assert [(a["id"], a["image_id"]) for a in found["annotations"]] == [(n, n) for n in range(1, 31)]


async def test_progress(client, release, tmp_path):
    """It is reported at the start and at the end."""
    reported = []

    await client.releases.export(release, tmp_path, "semantic", progress=reported.append)

    assert (reported[-1].done, reported[-1].total, reported[-1].failed) == (3, 3, 0)
    assert reported[0].total is None


async def test_an_error_of_progress(client, release, tmp_path, caplog):
    """It is logged, and ends nothing."""

    def fail(_):
        raise ZeroDivisionError

    report = await client.releases.export(release, tmp_path / "out", "coco-instance", progress=fail)

    assert report.file.exists()
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


async def test_progress_that_is_interrupted(client, release, tmp_path):
    """What is not an Exception comes out bare, and nothing is left behind."""

    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await client.releases.export(release, tmp_path / "out", "coco-instance", progress=fail)

    assert not [name for name in files(tmp_path / "out") if not name.endswith(".jpg")]


@pytest.mark.parametrize("format", ["coco-instance", "coco-panoptic", "semantic"])
async def test_cancelling_leaves_no_half_file(client, release, tmp_path, format):
    """Existing files are complete, and there is no list of all samples."""
    with anyio.CancelScope() as scope:
        await client.releases.export(
            release, tmp_path / "out", format, concurrency=1, progress=lambda _: scope.cancel()
        )

    assert scope.cancelled_caught
    assert not [name for name in files(tmp_path / "out") if name.endswith((".part", ".json"))]


async def test_cancelled_before_anything_came(client, sandbox, release, tmp_path):
    """No file is left when the server does not answer."""
    sandbox.fail("GET", "*", times=None, delay=60, origin="storage")
    with anyio.move_on_after(0.1) as scope:
        await client.releases.export(release, tmp_path / "out", "coco-instance")

    assert scope.cancelled_caught

    assert files(tmp_path / "out") == []


@pytest.mark.parametrize("on_error", ["raise", "skip"])
async def test_a_full_disk(client, release, tmp_path, monkeypatch, on_error):
    """It names the file, ends the export even if broken samples are to be skipped, and leaves no half file."""
    real = Path.write_bytes

    def write_bytes(path, content):
        if path.parent.name == "v1":
            real(path, content[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(OutOfResourcesError, match=r"folder: cannot be written \(No space left on device\): .*\.jpg"):
        await client.releases.export(release, tmp_path / "out", "coco-instance", on_error=on_error)

    assert files(tmp_path / "out") == []


async def test_a_disk_that_is_full_at_the_end(client, release, tmp_path, monkeypatch):
    """The list of all samples is written last, and is whole or not there."""

    def copy(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("segments_async.export.output.shutil.copyfileobj", copy)
    with pytest.raises(
        OutOfResourcesError, match=r"No space left on device\): .*export_coco-instance_jane_flowers_v1.json"
    ):
        await client.releases.export(release, tmp_path / "out", "coco-instance")

    assert not [name for name in files(tmp_path / "out") if not name.endswith(".jpg")]


async def test_a_release_that_is_cut_off(client, release, tmp_path):
    """The error names the release file, not a sample, whether or not samples are to be skipped."""
    release.write_text(release.read_text()[:-900])
    for on_error in ("raise", "skip"):
        with pytest.raises(DecodeError, match=r"release\.json"):
            await client.releases.export(release, tmp_path / "out", "semantic", on_error=on_error)


async def test_a_file_that_is_not_a_release(client, tmp_path):
    path = tmp_path / "release.json"
    path.write_text('{"name": "v1"}')

    with pytest.raises(DecodeError, match=r"release\.json is not a release"):
        await client.releases.export(path, tmp_path / "out", "semantic")


@pytest.mark.parametrize(
    ("module", "format", "says"),
    [
        ("pycocotools", "coco-instance", r'pip install "segments-async\[export\]"'),
        ("cv2", "polygon", r'pip install "segments-async\[polygons\]"'),
    ],
)
async def test_the_extra_is_named(client, release, tmp_path, monkeypatch, module, format, says):
    """Formats that need more say so before anything is fetched; the others work without."""
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("_pycocotools", "_opencv"):
        monkeypatch.delitem(sys.modules, f"segments_async.export.{name}", raising=False)

    with pytest.raises(ImportError, match=says):
        await client.releases.export(release, tmp_path / "out", format)
    await client.releases.export(release, tmp_path / "out", "coco-panoptic")


async def test_memory_does_not_grow_with_the_images(client, tmp_path):
    """No more bitmaps are in memory than in progress."""
    import tracemalloc  # noqa: PLC0415 (slow once it is on)

    builder = ReleaseBuilder(client, "segmentation-bitmap")
    array = blobs(400, 300, [1, 2, 3], seed=1)
    meaning = [{"id": number, "category_id": 2} for number in (1, 2, 3)]
    for number in range(24):
        await builder.segmented(f"{number}.png", array, meaning)
    path = builder.write(tmp_path)
    tracemalloc.start()
    try:
        await client.releases.export(path, tmp_path, "instance", concurrency=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 12 * array.size * 4


async def test_a_killed_process_leaves_no_half_file(sandbox, release, tmp_path):
    """What carries its name is whole."""
    code = """
import os, sys, anyio
from segments_async import AsyncSegments
async def main():
    async with AsyncSegments("none") as client:
        await client.releases.export(
            *sys.argv[1:], concurrency=1, progress=lambda progress: os._exit(9) if progress.done else None
        )
anyio.run(main)
"""
    command = [sys.executable, "-c", code, str(release), str(tmp_path / "out"), "coco-panoptic"]
    ended = await anyio.run_process(command, check=False)

    assert ended.returncode == 9
    whole = [name for name in files(tmp_path / "out") if not name.endswith((".part", ".lock"))]
    assert f"{FOLDER}/violet.jpg" in whole
    assert not [name for name in whole if name.endswith(".json")]
    for name in whole:
        load_image(tmp_path / "out" / name)
