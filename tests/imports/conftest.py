from __future__ import annotations

import io

import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """A folder of images; ``photos("a.jpg", "b/c.jpg")`` adds some of 64 x 48 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()

    def add(*names, size=(64, 48)):
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = io.BytesIO()
            Image.new("RGB", size, (90, 30, 160)).save(file, "PNG")
            path.write_bytes(file.getvalue())
        return folder

    return add
