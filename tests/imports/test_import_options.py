"""The options of bulk calls in an import, and its command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from coco_files import annotation, box, coco, image, write

from segments_async import BulkError, InputError, NotFoundError


@pytest.mark.anyio
async def test_each_outcome_is_passed_on(client, photos, tmp_path):
    path = write(tmp_path, coco([image(1, "a.jpg"), image(2, "lost.jpg")], [box(), box(image_id=2)]))
    seen = []
    report = await client.datasets.import_annotations(
        "flowers", path, images=photos("a.jpg"), create=True, on_outcome=seen.append
    )
    outcomes = [*report.samples.results, *report.labels.results]
    assert sorted(map(id, seen)) == sorted(map(id, outcomes))
    assert sorted((one.index, one.status) for one in seen) == [
        (0, "created"),
        (0, "done"),
        (1, "failed"),
        (1, "unsent"),
    ]


@pytest.mark.anyio
async def test_an_exception_of_on_outcome_ends_the_import(client, photos, tmp_path):
    def refuse(outcome):
        raise KeyError(outcome.key)

    with pytest.raises(BulkError, match="on_outcome raised KeyError"):
        await client.datasets.import_annotations(
            "flowers", write(tmp_path, coco()), images=photos("rose.jpg"), create=True, on_outcome=refuse
        )


@pytest.mark.anyio
async def test_dry_run_sends_nothing(client, sandbox, photos, tmp_path):
    path = write(tmp_path, coco())
    with pytest.raises(NotFoundError):
        await client.datasets.import_annotations("sandbox/flowers", path, create=True, dry_run=True)
    await client.datasets.create(
        "flowers", task_type="vector", task_attributes={"categories": [{"id": 1, "name": "rose"}]}
    )
    before = len(sandbox.calls)
    report = await client.datasets.import_annotations("sandbox/flowers", path, images=photos("rose.jpg"), dry_run=True)
    assert (report.samples.counts, report.labels.counts) == ({"unsent": 1}, {"unsent": 1})
    assert {call.method for call in sandbox.calls[before:]} == {"GET"}


@pytest.mark.anyio
async def test_mistyped_options(client, tmp_path):
    path = write(tmp_path, coco())
    with pytest.raises(TypeError, match="concurency"):
        await client.datasets.import_annotations("flowers", path, create=True, concurency=3)
    with pytest.raises(InputError, match="labelset"):
        await client.datasets.import_annotations("flowers", path, create=True, labelset="")


def run(sandbox, *arguments):
    environment = {**os.environ, "SEGMENTS_API_KEY": sandbox.api_key, "SEGMENTS_API_URL": sandbox.url}
    return subprocess.run(
        [sys.executable, "-m", "segments_async", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_command(sandbox, photos, tmp_path):
    entries = [box(), annotation(bbox=[1, 2]), box(category_id=7)]
    path = write(tmp_path, coco(annotations=entries))
    command = ["labels", "import", "flowers", path, "--images", photos("rose.jpg"), "--checkpoint", tmp_path / "c.db"]
    missing = run(sandbox, *command)
    assert missing.returncode == 5, missing.stderr
    done = run(sandbox, *command, "--create")
    assert done.returncode == 0, done.stderr
    assert "annotations[1] (rose.jpg): bbox: expected 4 numbers, got 2" in done.stderr
    assert "1 created, 1 done" in done.stderr
    again = run(sandbox, *command, "--json")
    assert "1 existing, 1 skipped" in again.stderr
    assert [json.loads(line)["status"] for line in again.stdout.splitlines()] == ["existing", "skipped"]


def test_command_with_an_image_that_is_lost(sandbox, photos, tmp_path):
    path = write(tmp_path, coco([image(1, "rose.jpg"), image(2, "lost.jpg")], [box(), box(image_id=2)]))
    failures = tmp_path / "failures.jsonl"
    ended = run(
        sandbox, "labels", "import", "flowers", path, "--images", photos("rose.jpg"), "--create", "--failures", failures
    )
    assert ended.returncode == 1, ended.stderr
    assert "1 failed: " in ended.stderr
    assert "is not in the folder of the images; pass --images" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "1 created, 1 done, 1 failed"
    [line] = failures.read_text().splitlines()
    assert json.loads(line)["image"] == "lost.jpg"


def test_dry_run_writes_no_failures(sandbox, photos, tmp_path):
    path = write(tmp_path, coco([image(1, "rose.jpg"), image(2, "lost.jpg")], [box(), box(image_id=2)]))
    failures = tmp_path / "failures.jsonl"
    command = ["labels", "import", "flowers", path, "--images", photos("rose.jpg"), "--failures", failures]
    assert run(sandbox, *command, "--create").returncode == 1
    failures.unlink()
    ended = run(sandbox, *command, "--dry-run")
    assert (ended.returncode, failures.exists()) == (1, False), ended.stderr


def test_command_refuses_an_unknown_format(sandbox, tmp_path):
    ended = run(sandbox, "labels", "import", "flowers", write(tmp_path, "{}"), "--create")
    assert ended.returncode == 2, ended.stderr
    assert "not recognized" in ended.stderr
