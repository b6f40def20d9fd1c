"""A second export into the same folder: the manifest, what is stale, what stays, and what is in the way."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from release_builder import FOLDER, ReleaseBuilder, jpeg
from waiting import until

from segments_async import ExportError, InputError
from segments_async.export.lock import LOCK_NAME, FolderLock

pytestmark = pytest.mark.anyio
FLOWER = [{"id": 1, "category_id": 2}]


def box(*points):
    return {"id": 1, "category_id": 1, "type": "bbox", "points": [list(point) for point in points]}


def tree(folder):
    """Everything in a folder, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".segments-export-")
    }


def manifests(folder):
    return {path.name: path.read_text().splitlines() for path in folder.rglob(".segments-export-*")}


@pytest.fixture
def fetched(sandbox):
    def count():
        calls = [call.path for call in sandbox.calls if call.origin == "storage" and call.method == "GET"]
        sandbox.clear_calls()
        return len(calls)

    return count


async def test_the_manifest(client, shapes, tmp_path):
    """It lists what was written, with a digest of the address of each image, and no signature."""
    report = await client.releases.export(shapes.write(tmp_path), tmp_path / "out", "yolo")

    assert report.file == report.folder / "data.yaml"
    [(name, lines)] = manifests(tmp_path).items()
    assert name.startswith(".segments-export-yolo-")
    header, *records = map(json.loads, lines)
    assert (header["owner"], header["dataset"]) == ("jane", "flowers")
    assert (header["format"], header["labelset"], header["summary"]) == ("yolo", "ground-truth", "data.yaml")
    written = {str(path.relative_to(report.folder)) for path in report.folder.rglob("*") if path.is_file()}
    assert {record["path"] for record in records} == written - {name, "data.yaml"}
    assert all(("digest" in record) == record["path"].endswith(".jpg") for record in records)


@pytest.mark.parametrize("kind", ["yolo", "coco-instance"])
async def test_the_same_again(client, shapes, tmp_path, fetched, kind):
    """Nothing is fetched, and everything is the same."""
    path = shapes.write(tmp_path)
    await client.releases.export(path, tmp_path / "out", kind)
    before, listed = tree(tmp_path / "out"), manifests(tmp_path / "out")
    fetched()

    await client.releases.export(path, tmp_path / "out", kind)

    assert fetched() == 0
    assert tree(tmp_path / "out") == before
    assert {name: Counter(lines) for name, lines in manifests(tmp_path / "out").items()} == {
        name: Counter(lines) for name, lines in listed.items()
    }


async def test_another_image_at_the_same_name(client, tmp_path):
    """The address decides, not the name."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("f.jpg", [box((1, 1), (5, 5))], size=(40, 20))
    await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo")
    builder.samples.clear()
    await builder.drawn("f.jpg", [box((8, 8), (40, 40))], size=(80, 80))

    report = await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo")

    assert (report.folder / "f.jpg").read_bytes() == jpeg(80, 80)
    assert (report.folder / "f.txt").read_text() == "0 0.300000 0.300000 0.400000 0.400000\n"


async def test_stale_files_go(client, tmp_path):
    """Labels and images of samples that are gone, and folders that are empty then."""
    builder = ReleaseBuilder(client, "bboxes")
    for name in ("e.jpg", "deep/er/f.jpg"):
        await builder.drawn(name, [box((1, 1), (5, 5))])
    await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo")
    builder.samples[0]["labels"]["ground-truth"]["attributes"]["annotations"] = []
    del builder.samples[1]

    await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo")
    await client.releases.export(builder.write(tmp_path), tmp_path / "alone", "yolo")

    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    assert not (tmp_path / "out" / FOLDER / "deep").exists()


async def test_what_others_put_there_stays(client, tmp_path):
    """Beside our files, in folders that we empty, and where we would write."""
    builder = ReleaseBuilder(client, "bboxes")
    for name in ("a.jpg", "deep/b.jpg"):
        await builder.drawn(name, [])
    await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo")
    folder = tmp_path / "out" / FOLDER
    mine = {"notes.txt": b"mine", "deep/notes.txt": b"mine", "c.txt": b"mine"}
    for name, content in mine.items():
        (folder / name).write_bytes(content)
    del builder.samples[1]
    await builder.drawn("c.jpg", [box((1, 1), (5, 5))])
    path = builder.write(tmp_path)

    with pytest.raises(ExportError, match=r"sample 'c.jpg': .*c.txt was not written by an export; pass overwrite=True"):
        await client.releases.export(path, tmp_path / "out", "yolo")
    report = await client.releases.export(path, tmp_path / "out", "yolo", on_error="skip")

    assert [failure.sample for failure in report.failures] == ["c.jpg"]
    assert {name: (folder / name).read_bytes() for name in mine} == mine
    await client.releases.export(path, tmp_path / "out", "yolo", overwrite=True)
    assert (folder / "c.txt").read_text().startswith("0 ")
    assert (folder / "notes.txt").read_bytes() == b"mine"


async def test_the_same_file_of_another_origin(client, tmp_path):
    """A file that is what would be written is left alone: neither an error nor ours."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [])
    folder = tmp_path / "out" / FOLDER
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"")
    path = builder.write(tmp_path)

    await client.releases.export(path, tmp_path / "out", "yolo")
    builder.samples.clear()
    await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo")

    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == {"a.txt", "data.yaml"}


@pytest.mark.parametrize("kind", ["coco-instance", "yolo"])
async def test_another_labelset_is_refused(client, shapes, tmp_path, sandbox, kind):
    """Its files would have the same names; nothing is fetched or changed."""
    shapes.samples[0]["labels"]["model"] = shapes.samples[0]["labels"]["ground-truth"]
    path = shapes.write(tmp_path)
    await client.releases.export(path, tmp_path / "out", kind)
    before = tree(tmp_path / "out")
    sandbox.clear_calls()

    with pytest.raises(InputError, match=r"folder: .* contains an export of labelset 'ground-truth' in this format"):
        await client.releases.export(path, tmp_path / "out", kind, labelset="model")

    assert not sandbox.calls
    assert tree(tmp_path / "out") == before
    await client.releases.export(path, tmp_path / "out", kind, labelset="model", overwrite=True)
    await client.releases.export(path, tmp_path / "alone", kind, labelset="model")
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    assert manifests(tmp_path / "out").keys() == manifests(tmp_path / "alone").keys()


async def test_masks_of_two_labelsets(client, segmentation, tmp_path):
    """Their names differ, so they share a folder and its images."""
    for sample in segmentation.samples:
        sample["labels"]["model"] = sample["labels"]["ground-truth"]
    path = segmentation.write(tmp_path)
    one = await client.releases.export(path, tmp_path, "semantic")
    other = await client.releases.export(path, tmp_path, "semantic", labelset="model")
    await client.releases.export(path, tmp_path, "semantic")

    assert (one.samples, other.samples) == (2, 2)
    assert len(list(one.folder.glob("*_label_*.png"))) == 4


async def test_formats_share_a_folder(client, segmentation, tmp_path, fetched):
    """Images are fetched once, and an image goes when the last format that lists it is exported again without it."""
    path = segmentation.write(tmp_path)
    await client.releases.export(path, tmp_path, "semantic")
    fetched()
    report = await client.releases.export(path, tmp_path, "coco-panoptic")
    assert fetched() == 2  # the bitmaps
    segmentation.samples = [sample for sample in segmentation.samples if sample["name"] != "violet.jpg"]
    fewer = segmentation.write(tmp_path)

    await client.releases.export(fewer, tmp_path, "semantic")
    assert (report.folder / "violet.jpg").exists()
    assert not list(report.folder.glob("violet_label_ground-truth_semantic.png"))
    await client.releases.export(fewer, tmp_path, "coco-panoptic")
    assert not list(report.folder.glob("violet*"))


async def test_a_release_made_again_under_its_name(client, shapes, tmp_path, caplog):
    """It replaces the export of the earlier one; exports in other formats stay, and a warning names them."""
    first, second = shapes.as_json(), shapes.as_json()
    second["created_at"] = "2026-02-01T00:00:00Z"
    del second["dataset"]["samples"][0]
    path = tmp_path / "release.json"

    def written(content):
        path.write_text(json.dumps(content))
        return path

    await client.releases.export(written(first), tmp_path / "out", "coco-instance")
    await client.releases.export(path, tmp_path / "out", "yolo")
    before = tree(tmp_path / "out")
    assert not caplog.messages
    await client.releases.export(written(second), tmp_path / "out", "yolo")
    [message] = caplog.messages
    assert "(coco-instance) of an earlier release 'v1', made at 2026-01-01T00:00:00" in message
    summary = "export_coco-instance_jane_flowers_v1.json"
    assert tree(tmp_path / "out")[summary] == before[summary]

    await client.releases.export(path, tmp_path / "out", "coco-instance")
    assert len(caplog.messages) == 1
    for kind in ("yolo", "coco-instance"):
        await client.releases.export(path, tmp_path / "alone", kind)
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")


async def test_another_release_in_the_same_folder(client, tmp_path):
    """``a_b`` of ``c`` and ``a`` of ``b_c`` have one folder."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [])
    raw = builder.as_json()
    path = tmp_path / "release.json"

    def named(owner, dataset):
        raw["dataset"] |= {"owner": owner, "name": dataset}
        path.write_text(json.dumps(raw))
        return path

    await client.releases.export(named("a_b", "c"), tmp_path / "out", "yolo")
    with pytest.raises(InputError, match="contains an export of release 'v1' of a_b/c"):
        await client.releases.export(named("a", "b_c"), tmp_path / "out", "coco-instance")
    await client.releases.export(path, tmp_path / "out", "coco-instance", overwrite=True)
    await client.releases.export(path, tmp_path / "alone", "coco-instance")
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    named("a_b", "c")
    with pytest.raises(InputError, match="contains an export of release 'v1' of a/b_c"):
        await client.releases.export(path, tmp_path / "out", "coco-instance")


@pytest.mark.parametrize("kind", ["coco-instance", "yolo"])
async def test_a_summary_of_others(client, shapes, tmp_path, sandbox, kind):
    """The JSON file or ``data.yaml`` that no export wrote is refused before anything is fetched."""
    name = {"yolo": f"{FOLDER}/data.yaml"}.get(kind, "export_coco-instance_jane_flowers_v1.json")
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    path = shapes.write(tmp_path)
    sandbox.clear_calls()

    with pytest.raises(InputError, match=r"folder: .* was not written by an export; pass overwrite=True"):
        await client.releases.export(path, tmp_path / "out", kind)

    assert not sandbox.calls
    assert tree(tmp_path / "out") == {name: b"mine"}
    await client.releases.export(path, tmp_path / "out", kind, overwrite=True)
    assert file.read_text() != "mine"


async def test_an_export_that_failed(client, segmentation, tmp_path):
    """The JSON file of the export before is gone as soon as its images may be others, and a third export repairs it."""
    path = segmentation.write(tmp_path)
    first = await client.releases.export(path, tmp_path / "out", "coco-panoptic")
    expected = tree(tmp_path / "out")
    await segmentation.segmented("z.jpg", np.array([[1]]), [{"id": 1, "category_id": 77}])

    with pytest.raises(ExportError):
        await client.releases.export(segmentation.write(tmp_path), tmp_path / "out", "coco-panoptic")

    assert not first.file.exists()
    del segmentation.samples[-1]
    await client.releases.export(segmentation.write(tmp_path), tmp_path / "out", "coco-panoptic")
    assert tree(tmp_path / "out") == expected


async def test_without_images(client, segmentation, tmp_path):
    """Images of an export before are stale for one that has none."""
    path = segmentation.write(tmp_path)
    await client.releases.export(path, tmp_path / "out", "semantic")

    report = await client.releases.export(path, tmp_path / "out", "semantic", images=False)

    assert not list(report.folder.glob("*.jpg"))
    assert len(list(report.folder.glob("*.png"))) == 2


DAMAGED = ["", "{}", "[]", "no JSON\n", '{"segments_async": "export", "version": 1}\n', "\0\0\0"]


@pytest.mark.parametrize("content", DAMAGED)
async def test_a_damaged_manifest(client, shapes, tmp_path, content):
    path = shapes.write(tmp_path)
    report = await client.releases.export(path, tmp_path / "out", "yolo")
    expected = tree(tmp_path / "out")
    [manifest] = report.folder.glob(".segments-export-*")
    manifest.write_text(content)

    with pytest.raises(InputError, match="is not the list of an earlier export; pass overwrite=True"):
        await client.releases.export(path, tmp_path / "out", "yolo")
    assert tree(tmp_path / "out") == expected
    await client.releases.export(path, tmp_path / "out", "yolo", overwrite=True)
    assert tree(tmp_path / "out") == expected
    await client.releases.export(path, tmp_path / "out", "yolo")


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=20)
@given(content=st.binary(max_size=80), at=st.integers(0, 400))
async def test_any_bytes_in_a_manifest(client, tmp_path_factory, content, at):
    """They end in an export or in an InputError, and no file of others is touched."""
    tmp_path = tmp_path_factory.mktemp("damaged")
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [])
    path = builder.write(tmp_path)
    report = await client.releases.export(path, tmp_path / "out", "yolo")
    [manifest] = report.folder.glob(".segments-export-*")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:at] + content + whole[at:])
    (tmp_path / "mine.txt").write_text("mine")

    with contextlib.suppress(InputError):
        await client.releases.export(path, tmp_path / "out", "yolo")
    assert (tmp_path / "mine.txt").read_text() == "mine"


async def test_a_manifest_that_points_outside(client, tmp_path):
    """What it says of files elsewhere is ignored."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [])
    path = builder.write(tmp_path)
    report = await client.releases.export(path, tmp_path / "out", "yolo")
    [manifest] = report.folder.glob(".segments-export-*")
    outside = tmp_path / "precious.txt"
    outside.write_text("mine")
    with manifest.open("a") as file:
        for name in (str(outside), "../../../../precious.txt", "a/../../../../../precious.txt", ""):
            file.write(json.dumps({"path": name}) + "\n")

    await client.releases.export(path, tmp_path / "out", "yolo")

    assert outside.read_text() == "mine"


@pytest.mark.parametrize("kind", ["yolo", "coco-panoptic"])
async def test_after_a_kill(client, sandbox, shapes, segmentation, tmp_path, kind):
    """What a killed export left is completed or deleted by the next one, temporary files included."""
    builder = shapes if kind == "yolo" else segmentation
    release = builder.write(tmp_path)
    code = """
import os, sys, anyio
from pathlib import Path
from segments_async import AsyncSegments
real = Path.replace
def replace(path, target):
    if str(target).endswith(("t.txt", "rose.txt", "panoptic.png")):
        os._exit(9)
    return real(path, target)
Path.replace = replace
async def main():
    async with AsyncSegments("none") as client:
        await client.releases.export(*sys.argv[1:], concurrency=1)
anyio.run(main)
"""
    command = [sys.executable, "-c", code, str(release), str(tmp_path / "out"), kind]
    assert (await anyio.run_process(command, check=False)).returncode == 9
    assert list((tmp_path / "out").rglob(".*.part"))
    assert manifests(tmp_path / "out")

    await client.releases.export(release, tmp_path / "out", kind)
    await client.releases.export(release, tmp_path / "alone", kind)

    assert tree(tmp_path / "out") == tree(tmp_path / "alone")


SAMPLES = st.lists(
    st.tuples(
        st.sampled_from(["a.jpg", "b", "sub/a.jpg", "A.jpg", "a/b.jpg", "a.jpg/x.jpg", "scan_0.25"]),
        st.integers(1, 2),
        st.integers(0, 1),
    ),
    max_size=4,
    unique_by=lambda sample: sample[0],
)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=12)
@example(runs=[([("a.jpg/x.jpg", 1, 0)], False), ([("a.jpg", 1, 0)], True)], kind="yolo")
@given(
    runs=st.lists(st.tuples(SAMPLES, st.booleans()), min_size=2, max_size=4),
    kind=st.sampled_from(["yolo", "coco-instance"]),
)
async def test_any_sequence_of_exports_equals_the_last_alone(client, tmp_path_factory, runs, kind):
    tmp_path = tmp_path_factory.mktemp("again")
    for samples, images in runs:
        builder = ReleaseBuilder(client, "bboxes")
        for name, size, boxes in samples:
            await builder.drawn(name, [box((1, 1), (5, 5))] * boxes, size=(20 * size, 20))
        path = builder.write(tmp_path)
        await client.releases.export(path, tmp_path / "out", kind, images=images, on_error="skip")
    await client.releases.export(path, tmp_path / "alone", kind, images=images, on_error="skip")

    assert tree(tmp_path / "out") == tree(tmp_path / "alone")


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=6)
@given(
    kinds=st.lists(st.sampled_from(["semantic", "instance", "coco-instance", "coco-panoptic"]), min_size=2, max_size=4)
)
async def test_any_sequence_of_formats_with_overwrite_equals_the_last_alone(client, tmp_path_factory, kinds):
    tmp_path = tmp_path_factory.mktemp("formats")
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    await builder.segmented("a.jpg", np.array([[0, 1]]), FLOWER)
    path = builder.write(tmp_path)
    for kind in kinds:
        await client.releases.export(path, tmp_path / "out", kind, overwrite=True)
    await client.releases.export(path, tmp_path / "alone", kinds[-1])

    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    assert manifests(tmp_path / "out").keys() == manifests(tmp_path / "alone").keys()


async def test_formats_at_once(client, segmentation, tmp_path, fetched):
    """One waits for the end of the other; images are fetched once."""
    path = segmentation.write(tmp_path)
    fetched()
    async with anyio.create_task_group() as group:
        for kind in ("semantic", "instance", "coco-panoptic"):
            group.start_soon(client.releases.export, path, tmp_path / "out", kind)

    assert fetched() == 2 + 3 * 2
    assert len(list((tmp_path / "out" / FOLDER).glob("*.jpg"))) == 2
    assert len(list((tmp_path / "out" / FOLDER).glob("*.png"))) == 6
    assert not list((tmp_path / "out").rglob("*.lock"))


@pytest.mark.parametrize("kind", ["coco-instance", "yolo"])
async def test_one_format_at_once(client, tmp_path, caplog, kind):
    """Two releases under one name: the result is that of one of them alone, and the log says who waits."""
    builder = ReleaseBuilder(client, "bboxes")
    paths = []
    for name in ("one", "two"):
        builder.samples.clear()
        for number in range(6):
            await builder.drawn(f"{name if number else 'shared'}-{number}.jpg", [box((1, 1), (5, 5 + number))])
        (tmp_path / name).mkdir()
        paths.append(builder.write(tmp_path / name))
    waiting = "waiting for the end of another export"
    async with anyio.create_task_group() as group, FolderLock(tmp_path / "out" / FOLDER):
        for path in paths * 2:
            group.start_soon(client.releases.export, path, tmp_path / "out", kind)
        await until(lambda: sum(waiting in record.message for record in caplog.records) == 4)
    alone = []
    for path in paths:
        await client.releases.export(path, path.parent / "alone", kind)
        alone.append(tree(path.parent / "alone"))

    assert tree(tmp_path / "out") in alone


async def test_processes_at_once(sandbox, shapes, tmp_path):
    """The lock works between processes, and a killed process releases it."""
    path = shapes.write(tmp_path)
    code = """
import os, sys, time, anyio
from pathlib import Path
from segments_async import AsyncSegments
from segments_async.export.folder import ExportFolder
real = ExportFolder.delete_stale
def delete_stale(folder):
    print("began", flush=True)
    if sys.argv[4] == "die":
        os._exit(9)
    assert sys.stdin.read(1) or True  # waits until the test has seen that the other one waits
    real(folder)
ExportFolder.delete_stale = delete_stale
async def main():
    async with AsyncSegments("none") as client:
        await client.releases.export(*sys.argv[1:4])
anyio.run(main)
print("ended", flush=True)
"""
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "out"), "yolo"]
    killed = await anyio.run_process([*command, "die"], check=False)
    assert killed.returncode == 9
    assert list((tmp_path / "out").rglob("*.lock"))

    async with await anyio.open_process([*command, "wait"]) as first:
        assert b"began" in await first.stdout.receive()
        async with await anyio.open_process([*command, "wait"]) as second:
            with anyio.move_on_after(1) as waited:
                await second.stdout.receive()
            assert waited.cancelled_caught
            await first.stdin.aclose()
            assert b"ended" in b"".join([part async for part in first.stdout])  # its lines may come in pieces
            await second.stdin.aclose()
            assert b"ended" in b"".join([part async for part in second.stdout])
    assert (first.returncode, second.returncode) == (0, 0)
    assert not list((tmp_path / "out").rglob("*.lock"))


async def test_a_wait_that_is_cancelled(client, shapes, tmp_path):
    """It takes nothing from the export that runs."""
    path = shapes.write(tmp_path)
    folder = tmp_path / "out" / FOLDER
    async with FolderLock(folder):
        with anyio.move_on_after(0.3) as scope:
            await client.releases.export(path, tmp_path / "out", "yolo")
        assert scope.cancelled_caught
        assert [file.name for file in folder.iterdir()] == [LOCK_NAME]
    assert not (tmp_path / "out").exists()
    await client.releases.export(path, tmp_path / "out", "yolo")
