"""What the scripts find on the machine."""

from __future__ import annotations

import io

from PIL import Image

PETS = [{"name": "cat", "id": 1}, {"name": "dog", "id": 2}, {"name": "other", "id": 3, "has_instances": True}]


def picture(width=8, height=6, *, kind="JPEG"):
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 30, 160)).save(file, kind)
    return file.getvalue()
