from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from segments_async import __version__
from segments_async.cli import demonstration, main
from segments_async.cli.pictures import digits


@pytest.fixture
def images(tmp_path):
    """A folder with three images, one of them in a subfolder, and another file."""
    (tmp_path / "more").mkdir()
    for number, name in enumerate(["a.png", "b c.jpg", "more/é.webp"]):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_demo_of_a_folder(images, capsys):
    """The images arrive, and the table and the verdict are shown."""
    assert main(["demo", str(images)]) == 0

    shown = capsys.readouterr().out
    assert "Verified: 3 samples and 0 labels match what was sent" in shown
    assert "retries" in shown


def test_demo_reports_failures(images, capsys):
    """An image that cannot be uploaded is named, and the exit status is not 0."""
    (images / "empty.png").touch()

    assert main(["demo", str(images)]) == 1
    assert "empty.png: failed" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["uuid", "labels", "name"])
def test_demo_finds_a_difference(images, monkeypatch, capsys, change):
    """The verdict depends on the content of the release."""
    real = demonstration._compare

    def compare(pictures, uploads, released, stored):
        first = released["a.png"]
        if change == "name":
            released["stranger"] = released.pop("a.png")
        else:
            first[change] = {"ground-truth": {"attributes": {}}} if change == "labels" else "another"
        return real(pictures, uploads, released, stored)

    monkeypatch.setattr(demonstration, "_compare", compare)

    assert main(["demo", str(images)]) == 1


def test_demo_without_images(tmp_path, capsys):
    assert main(["demo", str(tmp_path)]) == 2
    assert main(["demo", str(tmp_path / "nowhere")]) == 2
    assert "no images" in capsys.readouterr().err


def test_version_and_usage():
    command = [sys.executable, "-m", "segments_async.cli"]

    assert __version__ in subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_digits_are_the_real_ones():
    """1,797 images with a box around the ink, compared with scikit-learn's pixels."""
    pictures = digits()

    assert len(pictures) == 1797
    assert pictures[0].content().startswith(b"\x89PNG")
    [zero] = pictures[0].label["annotations"]
    assert zero["category_id"] == 0
    assert zero["points"] == [[1.0, 0.0], [7.0, 8.0]]  # columns 1 to 6, rows 0 to 7 are inked
