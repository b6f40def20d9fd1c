"""Messages of the library name Python's arguments; at a shell they name the options."""

from __future__ import annotations

import sys

import pytest
from command_files import label, write_lines

from segments_async.cli.app import app
from segments_async.cli.wording import options_of, with_options, with_place

IMPORT = {"--images", "--lossy", "--create", "--task-type", "--labelset", "--max-failures"}
EXPORT = {"--overwrite", "--no-images", "--id-increment", "--label-status"}


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        (
            IMPORT,
            "is not in the folder of the images; pass images=",
            "is not in the folder of the images; pass --images",
        ),
        (IMPORT, "which are not imported; pass images=.", "which are not imported; pass --images."),
        (IMPORT, "pass the folder of the images as 'images'", "pass the folder of the images as --images"),
        (IMPORT, "shapes are wanted; lossy=True takes contours", "shapes are wanted; --lossy takes contours"),
        (IMPORT, "needs task_type='bboxes'", "needs --task-type bboxes"),
        (IMPORT, "more than max_failures=3 failed", "more than --max-failures 3 failed"),
        (EXPORT, "; overwrite=True replaces it", "; --overwrite replaces it"),
        (EXPORT, "pass overwrite=True, or choose", "pass --overwrite, or choose"),
        (EXPORT, "has no image; pass images=False", "has no image; pass --no-images"),
        (EXPORT, "its size is unknown; pass image_size=", "its size is unknown; pass image_size="),
        (IMPORT, "overwrite=True", "overwrite=True"),
        (
            EXPORT,
            "release 'v1' is PENDING; wait for it with releases.wait()",
            "release 'v1' is PENDING; `segments-async releases create DATASET NAME --exist-ok --wait` waits for it",
        ),
        (EXPORT, "https://x.org/?overwrite=True", "https://x.org/?overwrite=True"),
        (EXPORT, "no file a.overwrite=True", "no file a.overwrite=True"),
    ],
)
def test_arguments_are_options(options, text, expected):
    """Only those that the command has; what looks alike in the user's own text stays."""
    assert with_options(text, options) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task_type: expected text, got int", "--task-type: expected text, got int"),
        ("max_failures[2]: expected", "--max-failures[2]: expected"),
        ("dataset: expected", "dataset: expected"),
        ("samples[0].task_type: missing", "samples[0].task_type: missing"),
    ],
)
def test_a_place_is_an_option(text, expected):
    assert with_place(text, IMPORT) == expected


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["labels", "import"], {"--images", "--lossy", "--concurrency", "--dry-run", "--checkpoint"}),
        (["samples", "upload"], {"--if-exists", "--failures"}),
        (["releases", "export"], {"--overwrite", "--no-images", "--label-status"}),
        (["datasets", "get"], set()),
    ],
)
def test_options_of_a_command(words, some):
    current = app
    for word in words:
        current = current[word]
    command = current.default_command
    assert options_of(command) >= some
    assert not options_of(command) & {"--context", "--bulk", "--dataset", "--uuids"}


def test_what_is_wrong_with_an_option(command, flowers):
    status, _, errors = command("samples", "list", "flowers", "--label-status", "done")
    assert status == 2
    assert errors.startswith("error: --label-status: 'DONE' is not a label status")
    status, _, errors = command("labels", "get", "u-1", "--concurrency", "0")
    assert (status, errors.startswith("error: --concurrency: expected ")) == (2, True)


def test_a_release_that_is_not_built(command, flowers, tmp_path):
    """What the error recommends works: the release that there is, is waited for."""
    command.sandbox.release_seconds = 0.2
    command.json("releases", "create", "flowers", "v1")
    status, _, errors = command("releases", "download", "flowers", "v1", tmp_path / "v1.json")
    assert (status, "releases create DATASET NAME --exist-ok --wait" in errors) == (2, True), errors
    [release] = command.json("releases", "create", "flowers", "v1", "--exist-ok", "--wait")
    assert release["status"] == "SUCCEEDED"
    assert command("releases", "create", "flowers", "v1")[0] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="it has /dev/full")
def test_failures_on_a_full_disk(command, samples, tmp_path):
    labels = write_lines(tmp_path / "labels.jsonl", [label("no-such-sample")])
    status, _, errors = command("labels", "put", labels, "--failures", "/dev/full")
    assert status == 1
    assert "error: --failures: cannot write /dev/full: No space left on device" in errors.splitlines()


def test_a_folder_that_is_not_replaced(command, tmp_path):
    release = tmp_path / "v1.json"
    release.write_text('{"name": "v1", "dataset": {"name": "a", "owner": "b", "task_type": "bboxes", "samples": []}}')
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "samples.parquet").write_text("mine")
    status, _, errors = command("releases", "export", release, folder, "parquet")
    assert (status, "; --overwrite replaces it" in errors, "overwrite=" in errors) == (2, True, False)
