"""``datasets.import_annotations``: images become samples, annotations become labels."""

from __future__ import annotations

import gzip
import json
import zipfile

import anyio
import numpy as np
import pytest
from coco_files import CATEGORIES, annotation, box, coco, image, write
from round_trips import exported, without_names

from segments_async import BulkError, DecodeError, InputError, NotFoundError
from segments_async.imports import read_annotations

pytestmark = pytest.mark.anyio

NAMES = ["rose.jpg", "wood/violet.jpg", "a rosé 蔷薇.jpg"]


def three(annotations=None):
    images = [image(number, name) for number, name in enumerate(NAMES)]
    return coco(images, [box(image_id=number) for number in range(3)] if annotations is None else annotations)


async def labels_of(client, dataset, labelset="ground-truth"):
    return {
        sample.name: sample.label
        async for sample in client.samples.list(dataset, labelset=labelset, include_full_label=True)
    }


async def test_a_new_dataset_with_uploaded_images(client, photos, tmp_path):
    report = await client.datasets.import_annotations(
        "flowers", write(tmp_path, three()), images=photos(*NAMES), create=True
    )
    report.raise_if_failed()
    assert (report.samples.counts, report.labels.counts) == ({"created": 3}, {"done": 3})
    assert [outcome.index for outcome in report.samples.results] == [0, 1, 2]
    dataset = await client.datasets.get("sandbox/flowers")
    assert dataset.task_type == "vector"
    assert [(category.id, category.name) for category in dataset.task_attributes.categories] == [
        (1, "rose"),
        (7, "violet"),
    ]
    labels = await labels_of(client, dataset)
    assert set(labels) == set(NAMES)
    assert labels["rose.jpg"].attributes.annotations[0].points == [[1, 2], [11, 22]]
    assert labels["rose.jpg"].label_status == "PRELABELED"
    again = await client.datasets.import_annotations("sandbox/flowers", write(tmp_path, three()), create=True)
    assert (again.samples.counts, again.labels.counts) == ({"existing": 3}, {"done": 3})


async def test_urls_of_the_file_and_of_a_prefix(client, tmp_path):
    content = three()
    content["images"][0]["coco_url"] = "https://example.com/images/1.jpg"
    path = write(tmp_path, content)
    report = await client.datasets.import_annotations("flowers", path, create=True)
    assert report.samples.counts == {"created": 1, "failed": 2}
    assert report.labels.counts == {"done": 1, "unsent": 2}
    assert "images[1]: the dataset has no sample 'wood/violet.jpg', and the image is not in the folder" in str(
        report.samples.failures[0].error
    )
    with pytest.raises(BulkError):
        report.raise_if_failed()
    report = await client.datasets.import_annotations("sandbox/flowers", path, images="https://example.com/all")
    assert report.samples.counts == {"created": 2, "existing": 1}
    found = [sample async for sample in client.samples.list("sandbox/flowers", name="violet")]
    assert found[0].attributes.image.url == "https://example.com/all/wood/violet.jpg"


async def put_samples(client, *names, **settings):
    dataset = await client.datasets.create(
        "flowers", task_attributes={"categories": settings.pop("categories", CATEGORIES)}, **settings
    )
    items = [{"name": name, "attributes": {"image": {"url": "https://example.com/a.jpg"}}} for name in names]
    (await client.samples.create_many(dataset, items)).raise_if_failed()
    return dataset


async def test_existing_samples_are_matched_by_name(client, tmp_path):
    """By the whole name, or by its end if that is unique on both sides; never by another folder's image."""
    images = [
        image(n, name)
        for n, name in enumerate(["x/rose.jpg", "train/violet.jpg", "a/lily.jpg", "b/lily.jpg", "q/oak.jpg"])
    ]
    dataset = await put_samples(
        client, "x/rose.jpg", "violet.jpg", "lily.jpg", "z/oak.jpg", "extra.jpg", task_type="vector"
    )
    path = write(tmp_path, coco(images, [box(image_id=n) for n in range(5)]))
    report = await client.datasets.import_annotations(dataset, path)
    assert [outcome.status for outcome in report.samples.results] == [
        "existing",
        "existing",
        "failed",
        "failed",
        "failed",
    ]
    labels = await labels_of(client, dataset)
    assert sorted(name for name, label in labels.items() if label) == ["violet.jpg", "x/rose.jpg"]
    assert report.changed == {"images whose sample has the same name in another folder": 1}


async def test_accents_in_both_forms(client, tmp_path):
    dataset = await put_samples(client, "rose\u0301.jpg", task_type="vector")
    report = await client.datasets.import_annotations(dataset, write(tmp_path, coco([image(1, "ros\u00e9.jpg")])))
    assert report.labels.counts == {"done": 1}


async def test_categories_are_matched_by_name(client, tmp_path):
    """Other ids, other case; what the dataset does not have is named, and left out."""
    dataset = await put_samples(client, "rose.jpg", task_type="vector", categories=[{"id": 30, "name": "Rose"}])
    path = write(tmp_path, coco(annotations=[box(), box(category_id=7)]))
    report = await client.datasets.import_annotations(dataset, path)
    [label] = (await labels_of(client, dataset)).values()
    assert [one.category_id for one in label.attributes.annotations] == [30]
    assert report.left_out == {"annotations of category 'violet', which the dataset does not have": 1}


async def test_bitmaps(client, photos, tmp_path):
    entries = [
        annotation(image_id=0, bbox=[1, 1, 9, 9]),
        annotation(image_id=0, category_id=7, segmentation=[[1, 1, 30, 1, 30, 20]]),
    ]
    path = write(tmp_path, three(entries))
    report = await client.datasets.import_annotations(
        "flowers", path, images=photos(*NAMES), create=True, task_type="segmentation-bitmap"
    )
    report.raise_if_failed()
    labels = await labels_of(client, "sandbox/flowers")
    found, annotations = await client.labels.get_bitmap(labels["rose.jpg"].sample_uuid)
    with read_annotations(path) as opened:
        expected = next(opened.labels("segmentation-bitmap"))
    assert np.array_equal(found, expected.bitmap)
    assert [one.category_id for one in annotations] == [1, 7]
    assert labels["wood/violet.jpg"].attributes.annotations == []


async def test_a_checkpoint_skips_what_is_done(client, sandbox, photos, tmp_path):
    """A label that failed is put by the next run, the others are not sent again."""
    path, folder = write(tmp_path, three()), photos(*NAMES)
    options = {
        "images": folder,
        "create": True,
        "checkpoint": tmp_path / "import.db",
        "task_type": "segmentation-bitmap",
    }
    sandbox.fail("PUT", "/labels/*", times=1, status=400, json={"detail": "no"})
    report = await client.datasets.import_annotations("flowers", path, **options)
    assert report.labels.counts == {"done": 2, "failed": 1}
    report = await client.datasets.import_annotations("flowers", path, **options)
    assert report.samples.counts == {"existing": 3}
    assert report.labels.counts == {"done": 1, "skipped": 2}


async def test_a_checkpoint_that_cannot_be_used_is_refused_before_images_are_sent(client, sandbox, photos, tmp_path):
    path, folder = write(tmp_path, three()), photos(*NAMES)
    (tmp_path / "text.db").write_text("no database" * 100)
    for name, words in (("no-folder/import.db", "its folder does not exist"), ("text.db", "is not a checkpoint file")):
        with pytest.raises(InputError, match=words):
            await client.datasets.import_annotations(
                "flowers", path, images=folder, create=True, checkpoint=tmp_path / name
            )
    assert sandbox.assets() == {}
    assert await client.samples.list("sandbox/flowers") == []


async def test_progress_covers_images_and_labels(client, photos, tmp_path):
    seen = []
    await client.datasets.import_annotations(
        "flowers", write(tmp_path, three()), images=photos(*NAMES), create=True, progress=seen.append
    )
    assert (seen[-1].done, seen[-1].total, seen[-1].finished) == (6, 6, True)
    assert [one.finished for one in seen].count(True) == 1
    assert [one.done for one in seen] == sorted(one.done for one in seen)


async def test_one_broken_annotation_is_named_and_the_rest_arrives(client, photos, tmp_path):
    entries = [box(image_id=n % 3) for n in range(50)]
    entries[17] = {**entries[17], "bbox": ["x", 1, 2, 3]}
    report = await client.datasets.import_annotations(
        "flowers", write(tmp_path, three(entries)), images=photos(*NAMES), create=True
    )
    report.raise_if_failed()
    labels = await labels_of(client, "sandbox/flowers")
    assert sum(len(label.attributes.annotations) for label in labels.values()) == 49
    [problem] = report.problems
    assert str(problem).startswith("annotations[17] (a rosé 蔷薇.jpg): bbox[0]: expected a number, got 'x'")
    assert report.problem_count == 1


async def test_nothing_is_sent_if_the_file_is_damaged(client, sandbox, tmp_path):
    path = write(tmp_path, json.dumps(three())[:-40])
    with pytest.raises(DecodeError, match="is truncated"):
        await client.datasets.import_annotations("flowers", path, create=True)
    path = write(tmp_path, "{}")
    with pytest.raises(InputError, match="not recognized"):
        await client.datasets.import_annotations("flowers", path, create=True)
    assert not sandbox.calls


@pytest.mark.parametrize("format", [None, "coco-instance"])
async def test_an_archive_is_named_as_one(client, tmp_path, format):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("instances.json", json.dumps(three()))
    for name, content in (("export.zip", None), ("export.json.gz", gzip.compress(b"{}"))):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"^path: is an archive; unpack it, .*{name}$"):
            await client.datasets.import_annotations("flowers", tmp_path / name, format=format, create=True)


async def test_a_folder_whose_file_is_meant(client, tmp_path):
    """As Roboflow writes COCO."""
    write(tmp_path, three(), "_annotations.coco.json")
    with pytest.raises(
        InputError, match=r"if a file in this folder is meant \(_annotations\.coco\.json\), pass its path"
    ):
        await client.datasets.import_annotations("flowers", tmp_path, create=True)


async def test_nothing_is_created_for_an_unknown_task_type(client, sandbox, tmp_path):
    path = write(tmp_path, three())
    with pytest.raises(InputError, match=r"^task_type: expected one of .*, got 'pointcloud-cuboid'"):
        await client.datasets.import_annotations("flowers", path, create=True, task_type="pointcloud-cuboid")
    assert not sandbox.calls


async def test_a_problem_of_no_image_is_listed_once(client, tmp_path):
    """Though the file is read for the images, and again for the labels."""
    content = coco([image(1), {"id": 2, "file_name": ""}])
    content["images"][0]["coco_url"] = "https://example.com/1.jpg"
    report = await client.datasets.import_annotations("flowers", write(tmp_path, content), create=True)
    assert [problem.where for problem in report.problems] == ["images[1]"]


async def test_categories_of_one_name_keep_their_ids(client, tmp_path):
    content = coco([image(1) | {"coco_url": "https://example.com/1.jpg"}], [box(), box(category_id=7)])
    content["categories"] = [{"id": 1, "name": "rose"}, {"id": 7, "name": "rose"}]
    await client.datasets.import_annotations("flowers", write(tmp_path, content), create=True)
    [label] = (await labels_of(client, "sandbox/flowers")).values()
    assert [one.category_id for one in label.attributes.annotations] == [1, 7]


async def test_a_dataset_that_does_not_fit(client, sandbox, tmp_path):
    path = write(tmp_path, three())
    with pytest.raises(NotFoundError):
        await client.datasets.import_annotations("sandbox/nothing", path)
    await put_samples(client, "rose.jpg", categories=[{"id": 1, "name": "car"}])
    with pytest.raises(
        InputError, match="none of the file's categories: the file has 'rose', 'violet', the dataset 'car'"
    ):
        await client.datasets.import_annotations("sandbox/flowers", path)
    await client.datasets.create("points", task_type="pointcloud-cuboid", task_attributes={"categories": CATEGORIES})
    with pytest.raises(InputError, match="task_type"):
        await client.datasets.import_annotations("sandbox/points", path)


async def test_another_labelset_is_created(client, photos, tmp_path):
    path = write(tmp_path, three())
    await client.datasets.import_annotations("flowers", path, images=photos(*NAMES), create=True, labelset="model")
    labels = await labels_of(client, "sandbox/flowers", "model")
    assert all(labels.values())


async def test_raise_at_the_first_failure(client, photos, tmp_path):
    path = write(tmp_path, three())
    with pytest.raises(BulkError, match="images"):
        await client.datasets.import_annotations(
            "flowers", path, images=photos("rose.jpg"), create=True, on_error="raise"
        )


async def test_the_loop_is_not_blocked_for_long_and_cancelling_ends_it(client, photos, tmp_path):
    images = [image(n, f"{n}.jpg") for n in range(300)]
    path = write(tmp_path, coco(images, [box(image_id=n) for n in range(300)]))
    with anyio.move_on_after(0.05):
        await client.datasets.import_annotations("flowers", path, images="https://example.com", create=True)


async def test_round_trip_of_shapes(client, photos, tmp_path):
    """Export, import and export give equal files."""
    dataset = await client.datasets.create(
        "flowers",
        task_type="vector",
        task_attributes={
            "categories": [
                {"id": 3, "name": "rose", "color": [1, 2, 3], "mine": 5},
                {"id": 0, "name": "leaf", "has_instances": True},
            ]
        },
    )
    report = await client.samples.upload_files(dataset, [(name, (photos(name) / name).read_bytes()) for name in NAMES])
    shapes = [
        ("bbox", [[1, 2], [31.5, 40]], 3),
        ("polygon", [[0, 0], [10, 0], [10, 5.5], [0, 5]], 0),
        ("polygon", [[1, 1], [9, 1], [9, 9], [1, 9]], 0),
        ("polygon", [[-5, -5], [30, 0], [20, 70]], 3),
        ("point", [[7.25, 8]], 3),
    ]
    for sample, chosen in zip(report.results, (shapes, shapes[:1], []), strict=True):
        label = [
            {"id": n, "category_id": c, "type": kind, "points": points} for n, (kind, points, c) in enumerate(chosen, 1)
        ]
        await client.labels.put(sample.uuid, "ground-truth", {"annotations": label}, label_status="LABELED")
    first, _ = await exported(client, dataset, tmp_path / "one", "coco-instance")
    report = await client.datasets.import_annotations("again", first.file, images=first.folder, create=True)
    report.raise_if_failed()
    assert (report.problems, report.left_out, report.changed) == ([], {}, {})
    second, _ = await exported(client, report.dataset, tmp_path / "two", "coco-instance")
    assert without_names(second.file.read_bytes()) == without_names(first.file.read_bytes())


async def test_round_trip_of_bitmaps(client, photos, tmp_path):
    dataset = await client.datasets.create("flowers", task_attributes={"categories": CATEGORIES})
    report = await client.samples.upload_files(dataset, [(name, (photos(name) / name).read_bytes()) for name in NAMES])
    generator = np.random.default_rng(3)
    for sample in report.results:
        array = np.kron(generator.choice([0, 5, 70_000, 2**24 - 1], (12, 16)), np.ones((4, 4), int))
        annotations = [
            {"id": 70_000, "category_id": 7},
            {"id": 5, "category_id": 1},
            {"id": 2**24 - 1, "category_id": 1},
        ]
        await client.labels.put_bitmap(sample.value, "ground-truth", array, annotations, label_status="LABELED")
    first, _ = await exported(client, dataset, tmp_path / "one", "coco-instance")
    report = await client.datasets.import_annotations("again", first.file, images=first.folder, create=True)
    report.raise_if_failed()
    assert report.dataset.task_type == "segmentation-bitmap"
    assert (report.problems, report.left_out, report.changed) == ([], {}, {})
    second, _ = await exported(client, report.dataset, tmp_path / "two", "coco-instance")
    assert without_names(second.file.read_bytes()) == without_names(first.file.read_bytes())
