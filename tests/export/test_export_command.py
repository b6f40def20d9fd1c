"""``segments-async releases export``, and the earlier name `export`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from release_builder import CATEGORIES, FOLDER, jpeg

from segments_async.cli import main
from segments_async.images import encode_bitmap


@pytest.fixture
def release(sandbox, tmp_path):
    """The file of a release of one good sample and one bad one, made without an event loop."""
    urls = {name: f"{sandbox.storage_url}/{name}" for name in ("good.jpg", "bitmap.png", "bad.jpg")}
    contents = {"good.jpg": jpeg(2, 1), "bitmap.png": encode_bitmap(np.array([[0, 1]])), "bad.jpg": b"<html>"}
    for name, content in contents.items():
        sandbox.fail("GET", f"/{name}", times=None, status=200, body=content, origin="storage")
    attributes = {
        "annotations": [{"id": 1, "category_id": 2}, {"id": 2, "category_id": 2}],
        "segmentation_bitmap": {"url": urls["bitmap.png"]},
    }
    samples = [
        {
            "uuid": name,
            "name": name,
            "attributes": {"image": {"url": urls[name]}},
            "labels": {"ground-truth": {"label_status": "LABELED", "attributes": attributes}},
        }
        for name in ("good.jpg", "bad.jpg")
    ]
    dataset = {"name": "flowers", "owner": "jane", "task_type": "segmentation-bitmap", "samples": samples}
    dataset |= {"labelsets": [{"name": "ground-truth"}], "task_attributes": {"categories": CATEGORIES}}
    path = tmp_path / "release.json"
    path.write_text(json.dumps({"name": "v1", "dataset": dataset}))
    return str(path)


def test_export(release, tmp_path, capsys):
    """It prints what was written and what was not; the exit status is not 0 if something failed."""
    assert main(["releases", "export", release, str(tmp_path / "out"), "coco-instance", "--skip"]) == 1

    shown = capsys.readouterr()
    assert "1 exported to" in shown.out
    assert "left out: annotations without pixels (1)" in shown.out
    assert "sample 'bad.jpg': its image is not an image" in shown.err
    assert (tmp_path / "out" / FOLDER / "good.jpg").exists()


def test_export_of_the_labels_alone(release, tmp_path, capsys):
    """Neither a key nor the images are needed."""
    assert main(["export", release, str(tmp_path / "out"), "semantic", "--no-images", "--id-increment", "3"]) == 0

    assert len(list((tmp_path / "out" / FOLDER).glob("*.png"))) == 2


def test_export_over_another(release, tmp_path, capsys):
    """What is in the way is refused, or replaced if that is wanted."""
    folder = tmp_path / "out" / FOLDER
    folder.mkdir(parents=True)
    (folder / "good_label_ground-truth_semantic.png").write_bytes(b"mine")
    arguments = ["export", release, str(tmp_path / "out"), "semantic", "--no-images"]

    assert main(arguments) == 1
    assert "was not written by an export; pass --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["coco-instance"], 1, "sample 'bad.jpg'"),
        (["pascal-voc"], 2, "format: expected one of coco-instance"),
        (["semantic", "--labelset", "nowhere"], 2, "labelset: the release has no labelset 'nowhere'"),
        (["semantic", "--status", "labelled"], 2, "did you mean 'LABELED'?"),
    ],
)
def test_what_goes_wrong_is_one_line(release, tmp_path, capsys, arguments, status, says):
    assert main(["export", release, str(tmp_path / "out"), *arguments]) == status

    [line] = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize(("key", "says"), [(None, "401 Unauthorized"), ("the sandbox's", "404 Not Found")])
def test_addresses_that_expired(release, sandbox, tmp_path, capsys, monkeypatch, key, says):
    """They are renewed with the key of the environment; the sandbox has no such sample."""
    monkeypatch.setenv("SEGMENTS_API_URL", sandbox.url)
    monkeypatch.delenv("SEGMENTS_API_KEY", raising=False)
    if key:
        monkeypatch.setenv("SEGMENTS_API_KEY", sandbox.api_key)
    sandbox.clear_faults()
    sandbox.fail("GET", "/good.jpg", times=None, status=403, origin="storage")

    assert main(["export", release, str(tmp_path / "out"), "semantic"]) == 1

    shown = capsys.readouterr().err
    assert shown.startswith(f"error: sample 'good.jpg': its image: {says} on GET {sandbox.url}/samples/good.jpg/")
    assert "raised while requesting a new URL for" in shown
