"""``client.releases.export(..., "parquet")``: a release as two tables."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segments_async import DecodeError, ExportError, InputError

pytestmark = pytest.mark.anyio

BOX = {"id": 1, "category_id": 2, "type": "bbox", "points": [[1, 2], [3, 4]]}
NAMES = ["labels.parquet", "samples.parquet"]


def sample(name, annotations=(), status="LABELED", **more):
    label = None if annotations is None else {"label_status": status, "attributes": {"annotations": list(annotations)}}
    return {
        "name": name,
        "uuid": name,
        "attributes": {"image": {"url": "x"}},
        "labels": {"ground-truth": label},
        **more,
    }


def write(folder, samples, name="v1", **more):
    categories = {"format_version": "0.1", "categories": [{"name": "rose", "id": 2}]}
    labelsets = [{"name": "ground-truth"}, {"name": "model"}]
    dataset = {"owner": "jane", "name": "flowers", "task_type": "pointcloud-cuboid", "task_attributes": categories}
    content = {"name": name, "dataset": {**dataset, "labelsets": labelsets, "samples": samples}, **more}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


async def test_both_tables(client, tmp_path):
    """Of any task type; samples without a label are in the samples only."""
    seen = []
    path = write(tmp_path, [sample("a", [BOX, BOX]), sample("b"), sample("c", None)])
    report = await client.releases.export(path, tmp_path / "new" / "out", "parquet", progress=seen.append)
    folder = tmp_path / "new" / "out"
    assert (report.file, report.folder, report.samples, report.unlabeled, report.failures) == (None, folder, 3, 1, [])
    assert names_in(folder) == NAMES
    samples, labels = pq.read_table(folder / "samples.parquet"), pq.read_table(folder / "labels.parquet")
    assert samples["name"].to_pylist() == ["a", "b", "c"]
    assert samples["label_status"].to_pylist() == ["LABELED", "LABELED", None]
    assert labels["sample_name"].to_pylist() == ["a", "a", "b"]
    assert labels["category"].to_pylist() == ["rose", "rose", None]
    assert (seen[-1].done, seen[-1].total) == (3, 3)


async def test_filters(client, tmp_path):
    path = write(tmp_path, [sample("a", [BOX]), sample("b", [BOX], "REJECTED"), sample("c", [BOX], metadata={"x": 1})])
    await client.releases.export(path, tmp_path / "out", "parquet", label_status="rejected")
    assert pq.read_table(tmp_path / "out" / "samples.parquet")["name"].to_pylist() == ["b"]
    await client.releases.export(path, tmp_path / "out", "parquet", metadata={"x": 1})
    assert pq.read_table(tmp_path / "out" / "labels.parquet")["sample_name"].to_pylist() == ["c"]


@pytest.mark.parametrize(
    ("name", "value"), [("id_increment", 1), ("id_increment", 0), ("image_size", (4, 4)), ("refresh", True)]
)
async def test_options_of_images_are_refused(client, tmp_path, name, value):
    with pytest.raises(InputError, match=f"^{name}: 'parquet' has neither images nor classes"):
        await client.releases.export(write(tmp_path, []), tmp_path / "out", "parquet", **{name: value})
    assert not (tmp_path / "out").exists()


async def test_the_same_export_again_replaces_its_files(client, tmp_path):
    out = tmp_path / "out"
    await client.releases.export(write(tmp_path, [sample("a")]), out, "parquet")
    await client.releases.export(write(tmp_path, [sample("b"), sample("c")]), out, "parquet", images=False)
    assert pq.read_table(out / "samples.parquet")["name"].to_pylist() == ["b", "c"]
    assert names_in(out) == NAMES


@pytest.mark.parametrize("other", ["release", "labelset", "table", "text"])
async def test_what_is_in_the_way_is_refused(client, tmp_path, other):
    """Unless it is to be overwritten; other files are never touched."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    problem = "was not written by an export"
    if other == "table":
        pq.write_table(pa.table({"x": [1]}), out / "labels.parquet")
    elif other == "text":
        (out / "samples.parquet").write_text("no table", encoding="utf-8")
    elif other == "release":
        await client.releases.export(write(tmp_path, [sample("old")], name="v0"), out, "parquet")
        problem = "is an export of release 'v0' of jane/flowers, labelset 'ground-truth'"
    else:
        await client.releases.export(write(tmp_path, [sample("old")]), out, "parquet", labelset="model")
        problem = "is an export of release 'v1' of jane/flowers, labelset 'model'"
    before = names_in(out)
    path = write(tmp_path, [sample("a")])
    with pytest.raises(InputError, match=rf"^folder: .*\.parquet {problem}; overwrite=True replaces it$"):
        await client.releases.export(path, out, "parquet")
    assert names_in(out) == before
    await client.releases.export(path, out, "parquet", overwrite=True)
    assert pq.read_table(out / "samples.parquet")["name"].to_pylist() == ["a"]
    assert (out / "mine.txt").read_text(encoding="utf-8") == "mine"


async def test_a_sample_that_does_not_decode(client, tmp_path):
    """It ends the export, which leaves the earlier files as they are, or is skipped and named."""
    out = tmp_path / "out"
    await client.releases.export(write(tmp_path, [sample("old")]), out, "parquet")
    path = write(tmp_path, [sample("a", [BOX]), {"name": 5}, sample("b", [BOX])])
    with pytest.raises(DecodeError, match=r"dataset\.samples\[1\]"):
        await client.releases.export(path, out, "parquet")
    assert names_in(out) == NAMES
    assert pq.read_table(out / "samples.parquet")["name"].to_pylist() == ["old"]
    report = await client.releases.export(path, out, "parquet", on_error="skip")
    assert (report.samples, len(report.failures)) == (2, 1)
    assert isinstance(report.failures[0], ExportError)
    assert "samples[1]" in str(report.failures[0])
    assert pq.read_table(out / "labels.parquet")["sample_name"].to_pylist() == ["a", "b"]


async def test_a_truncated_release(client, tmp_path):
    path = write(tmp_path, [sample("a", [BOX])])
    path.write_text(path.read_text(encoding="utf-8")[:-60], encoding="utf-8")
    with pytest.raises(DecodeError):
        await client.releases.export(path, tmp_path / "out", "parquet", on_error="skip")
    assert not (tmp_path / "out").exists() or names_in(tmp_path / "out") == []


async def test_a_folder_that_cannot_be_written(client, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"^folder: "):
        await client.releases.export(write(tmp_path, []), tmp_path / "file" / "out", "parquet")
    (tmp_path / "out" / "labels.parquet").mkdir(parents=True)
    with pytest.raises(InputError, match=r"^folder: "):
        await client.releases.export(write(tmp_path, []), tmp_path / "out", "parquet", overwrite=True)
    assert names_in(tmp_path / "out") == ["labels.parquet"]


async def test_several_batches(client, tmp_path):
    boxes = [{**BOX, "id": number} for number in range(1, 5_502)]
    await client.releases.export(
        write(tmp_path, [sample(str(n), boxes) for n in range(2)]), tmp_path / "out", "parquet"
    )
    ids = pq.read_table(tmp_path / "out" / "labels.parquet")["id"].to_pylist()
    assert ids == [*range(1, 5_502)] * 2
