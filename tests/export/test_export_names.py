"""Names of exported files: the sample's own, with a suffix that fits, and never that of another file."""

from __future__ import annotations

import io
import json
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from PIL import Image
from release_builder import ReleaseBuilder, jpeg

from segments_async import ExportError, LabelPut
from segments_async._wire.suffixes import image_suffix, split_suffix, url_suffix
from segments_async.export.claims import Claims
from segments_async.export.items import Item
from segments_async.export.names import label_path, safe_path

pytestmark = pytest.mark.anyio
FLOWER = [{"id": 1, "category_id": 2}]


def image(kind):
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, kind)
    return file.getvalue()


def serve(sandbox, path, content):
    """An address of any form, without a Content-Type."""
    sandbox.fail("GET", path, times=None, status=200, body=content, origin="storage")
    return sandbox.storage_url + path


@pytest.mark.parametrize(
    ("name", "path", "kind", "expected"),
    [
        ("rose.jpg", "/download/12345", "JPEG", "rose.jpg"),
        ("rose.jpg", "/v1.25", "JPEG", "rose.jpg"),
        ("rose.JPG", "/rose.jpg", "JPEG", "rose.JPG"),
        ("rose", "/rose.jpeg", "JPEG", "rose.jpeg"),
        ("rose", "/download", "JPEG", "rose.jpg"),
        ("rose.jpg", "/rose.png", "PNG", "rose.png"),
        ("rose.png", "/rose.png", "JPEG", "rose.jpg"),
        ("scan_0.25", "/a/1.png", "PNG", "scan_0.25.png"),
        ("scan 1.5", "/a/x.png", "PNG", "scan 1.5.png"),
        ("photo.tar.gz.jpg", "/z", "JPEG", "photo.tar.gz.jpg"),
        (".hidden.jpg", "/z", "JPEG", ".hidden.jpg"),
        ("..jpg", "/z", "JPEG", "..jpg.jpg"),
        ("x/", "/z", "JPEG", "x.jpg"),
        ("v1.txt", "/z", "JPEG", "v1.txt.jpg"),
        ("page.webp", "/z", "WEBP", "page.webp"),
        ("page.tif", "/z", "TIFF", "page.tif"),
        ("e\u0301.jpg", "/z", "JPEG", "e\u0301.jpg"),
        ("trailing. ", "/z", "JPEG", "trailing. .jpg"),
        ("a\\b.jpg", "/z", "JPEG", "a/b.jpg"),
    ],
)
async def test_suffixes(client, sandbox, tmp_path, name, path, kind, expected):
    """The name's own suffix if it fits the content, then the URL's, then the usual one."""
    builder = ReleaseBuilder(client, "vector")
    builder.add(name, serve(sandbox, path, image(kind)), {"annotations": []})

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    [entry] = json.loads(report.file.read_text())["images"]
    assert entry["file_name"] == expected
    assert (report.folder / expected).is_file()


@pytest.mark.parametrize("kind", ["yolo", "coco-instance"])
async def test_dotted_names_do_not_collide(client, tmp_path, kind):
    builder = ReleaseBuilder(client, "vector")
    for name in ("scan_0.25", "scan_0.50", "scan_0"):
        await builder.drawn(name, [])

    report = await client.releases.export(builder.write(tmp_path), tmp_path, kind)

    assert {path.name for path in report.folder.glob("*.jpg")} == {"scan_0.25.jpg", "scan_0.50.jpg", "scan_0.jpg"}


async def test_sequences_with_dots(client, tmp_path):
    builder = ReleaseBuilder(client, "image-vector-sequence")
    for name in ("s.1", "s.2", "clip.mp4"):
        builder.add(name, "", {"frames": [{"annotations": []}]})
        builder.samples[-1]["attributes"] = {"frames": [{"image": {"url": await builder.put(jpeg(9, 9), "f.jpg")}}]}

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "yolo")

    assert {path.name for path in report.folder.glob("*.txt")} == {"s.1-00001.txt", "s.2-00001.txt", "clip-00001.txt"}


async def test_a_mask_does_not_replace_an_image(client, tmp_path):
    """A sample that is named like the mask of another one is written under another name."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    names = ["a.jpg", "a_label_ground-truth_semantic.png", "b_label_ground-truth_semantic.png", "b.jpg"]
    for shade, name in enumerate(names):
        await builder.segmented(name, np.array([[1]]), FLOWER, image=jpeg(1, 1, shade=shade * 50))

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "semantic")

    written = [path for path in report.folder.iterdir() if not path.name.startswith(".")]
    assert (report.samples, len(written)) == (4, 8)
    images = [path for path in written if path.read_bytes()[:2] == b"\xff\xd8"]
    assert len({path.read_bytes() for path in images}) == 4


async def test_a_yolo_label_does_not_replace_an_image(client, sandbox, tmp_path):
    """An image whose address ends in ``.txt`` is not written as a text file."""
    builder = ReleaseBuilder(client, "bboxes")
    builder.add("a", serve(sandbox, "/a.txt", image("PNG")), {"annotations": []})
    builder.add("data", serve(sandbox, "/data.yaml", image("PNG")), {"annotations": []})

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "yolo")

    assert sorted(path.name for path in report.folder.iterdir() if path.name[0] != ".") == [
        "a.png", "a.txt", "data.png", "data.txt", "data.yaml",
    ]  # fmt: skip


async def test_names_that_differ_only_in_case(client, tmp_path):
    """On some file systems they are one file, so the second one gets another name, everywhere the same."""
    builder = ReleaseBuilder(client, "bboxes")
    for shade, name in enumerate(["Rose.jpg", "rose.jpg", "ROSE.jpg", "\u00e9.jpg", "e\u0301.jpg"]):
        await builder.drawn(name, [], size=(20 + shade, 20))

    report = await client.releases.export(builder.write(tmp_path), tmp_path, "coco-instance")

    entries = json.loads(report.file.read_text())["images"]
    assert report.samples == len({entry["file_name"].casefold() for entry in entries}) == 5
    for entry in entries:
        with Image.open(report.folder / entry["file_name"]) as picture:
            assert picture.width == entry["width"]
    again = await client.releases.export(builder.write(tmp_path), tmp_path / "again", "coco-instance")
    assert again.file.read_bytes() == report.file.read_bytes()


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("names", [("a.jpg", "a.jpg/b.jpg"), ("a.jpg/b.jpg", "a.jpg"), ("x.jpg", "data.yaml/b.jpg")])
async def test_a_folder_in_place_of_a_file(client, tmp_path, names, on_error):
    """It is the failure of the second sample."""
    builder = ReleaseBuilder(client, "bboxes")
    for name in names:
        await builder.drawn(name, [])
    path = builder.write(tmp_path)

    if on_error == "raise":
        with pytest.raises(ExportError, match=f"sample '{names[1]}'"):
            await client.releases.export(path, tmp_path / "out", "yolo")
        return
    report = await client.releases.export(path, tmp_path / "out", "yolo", on_error="skip")
    assert (report.samples, [failure.sample for failure in report.failures]) == (1, [names[1]])


async def test_names_that_are_too_long(client, tmp_path):
    """Parts of a path are cut; a path that is too long as a whole is the failure of its sample."""
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    for name in ("x" * 300 + ".jpg", "é" * 200 + ".jpg", "/".join(["y" * 150] * 40) + ".jpg", "z.jpg"):
        await builder.segmented(name, np.array([[1]]), FLOWER)
    path = builder.write(tmp_path)

    report = await client.releases.export(path, tmp_path / "out", "semantic", on_error="skip")

    assert report.samples == 3
    [failure] = report.failures
    assert failure.sample.startswith("yyy")
    assert "File name too long" in failure.problem


async def test_a_labelset_with_a_long_name(client, tmp_path):
    """The names of its masks are cut too."""
    labelset = "l" * 240
    builder = ReleaseBuilder(client, "segmentation-bitmap")
    for name in ("v" * 170 + ".jpg", "w" * 170 + ".jpg"):
        await builder.segmented(name, np.array([[1]]), FLOWER, labelset=labelset)
    raw = builder.as_json()
    raw["dataset"]["labelsets"].append({"name": labelset})
    path = tmp_path / "release.json"
    path.write_text(json.dumps(raw))

    report = await client.releases.export(path, tmp_path / "out", "semantic", labelset=labelset)

    assert len(list(report.folder.glob("*.png"))) == report.samples == 2


async def test_a_folder_that_is_there_already(client, tmp_path):
    """A folder of others in place of a file is the failure of that sample."""
    builder = ReleaseBuilder(client, "bboxes")
    await builder.drawn("a.jpg", [])
    await builder.drawn("b.jpg", [])
    (tmp_path / "out/segments/jane_flowers/v1/a.jpg").mkdir(parents=True)

    report = await client.releases.export(builder.write(tmp_path), tmp_path / "out", "yolo", on_error="skip")

    assert (report.samples, [failure.sample for failure in report.failures]) == (1, ["a.jpg"])
    assert (tmp_path / "out/segments/jane_flowers/v1/a.jpg").is_dir()


def item(name):
    return Item(
        number=1, sample=name, uuid="u", stem=safe_path(split_suffix(name)[0]), suffixes=("", ""),
        image_url=None, bitmap_url=None, annotations=[],
    )  # fmt: skip


PARTS = st.sampled_from(["a", "A", "a.jpg", "b", "a_label", "A_label", "é", "e\u0301", "data.yaml", "images", "labels"])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), max_size=8))
def test_no_two_files_are_one(names):
    """On a file system that ignores case; and no file is a folder."""
    claims = Claims(lambda stem: [f"{stem}_label"], ["data.yaml"])
    files, folders = [], set()
    for name in names:
        try:
            stem = claims.claim(item(name)).stem
        except ExportError:
            continue
        files += [f"{stem}.jpg".casefold(), f"{stem}_label.png".casefold()]
        parts = stem.casefold().split("/")
        folders |= {"/".join(parts[:count]) for count in range(1, len(parts))}
    assert len(files) == len(set(files))
    assert folders.isdisjoint(files)
    assert "data.yaml" not in folders


def test_parts_of_names():
    assert split_suffix("meadow/rose.JPG") == ("meadow/rose", ".JPG")
    assert split_suffix("a.jpg/scan_0.25") == ("a.jpg/scan_0.25", "")
    assert split_suffix("clip.mp4") == ("clip", ".mp4")
    assert url_suffix("https://example.com/a%2Ejpg?x=.png#.gif") == ".jpg"
    assert url_suffix("https://example.com/clip.mp4") == ""
    assert url_suffix("http://[") == ""
    assert image_suffix("MPO", "", ".jpg") == ".jpg"
    assert image_suffix("FITS", "", "") == ".fits"
    assert image_suffix("FITS", ".fit", "") == ".fit"
    assert len(label_path("a/" + "x" * 300, ".txt")) < 250
    assert safe_path("half \ud800") == "half _"


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\\"), max_size=30)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=15)
@example(stems=["scan_0.25", "scan_0.50", "scan_0"], suffix="")
@example(stems=["e\u0301", "\u00e9", "E\u0301", "\u00c9"], suffix=".jpg")
@example(stems=["a.jpg", "a", "A", "a.png", "a.txt"], suffix=".jpg")
@example(stems=["con", "a b ", " a", "a.", "%2e", "\u202e", "#?;&"], suffix=".JPG")
@given(
    stems=st.lists(NAMES, min_size=1, max_size=4, unique=True), suffix=st.sampled_from([".jpg", ".JPG", ".jpeg", ""])
)
async def test_any_file_name_survives(client, tmp_path_factory, stems, suffix):
    """From a folder through an upload, a release and an export; one that differs only in case gets a digest."""
    tmp_path = tmp_path_factory.mktemp("names")
    names = [
        name for stem in stems if (name := f"{stem}{suffix}").strip(". ") and name[0] != "." and name.strip() == name
    ]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(jpeg(3 + number, 2))
    dataset = await client.datasets.create(f"names-{tmp_path.name}", task_type="vector")
    uploaded = await client.samples.upload_files(dataset, [tmp_path / name for name in names])
    uploaded.raise_if_failed()
    await client.labels.put_many([LabelPut(outcome.uuid, {"annotations": []}) for outcome in uploaded.results])
    await client.releases.create(dataset, "v1")
    release = await client.releases.wait(dataset, "v1", poll=0.01)

    report = await client.releases.export(release, tmp_path / "out", "coco-instance")

    entries = json.loads(report.file.read_text())["images"]
    widths = {entry["width"]: entry["file_name"] for entry in entries}
    stays = {name: name if split_suffix(name)[1] else f"{name}.jpg" for name in names}
    assert len({unicodedata.normalize("NFC", name).casefold() for name in widths.values()}) == len(names)
    for number, name in enumerate(names):
        found = widths[3 + number]
        with Image.open(report.folder / found) as picture:
            assert picture.width == 3 + number
        stem, end = split_suffix(stays[name])
        assert found == stays[name] or re.fullmatch(re.escape(stem) + "-[0-9a-f]{8}" + re.escape(end), found)
    assert widths[3] == stays[names[0]] if names else not widths
