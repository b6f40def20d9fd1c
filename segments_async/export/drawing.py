"""Draw exported polygons on their image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from segments_async._serialization.json import decode_json
from segments_async._validators import as_path, is_number
from segments_async.errors import DecodeError, InputError
from segments_async.export.categories import colour_of
from segments_async.images import load_image

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

_MIN_POINTS = 3


def draw_polygons(
    file: str | os.PathLike[str], image_id: int, folder: str | os.PathLike[str], *, opacity: float = 0.5
) -> Image.Image:
    """
    Draw the contours of an image, from an export in the format ``"polygon"``.

    Example::

        report = await client.releases.export("flowers-v1.json", "out", "polygon")
        draw_polygons(report.file, 1, report.folder).save("violet.png")

    Args:
        file: The JSON file of the export, of this package or of the official SDK.
        image_id: The ``id`` of the image in it.
        folder: The folder of the images.
        opacity: Of the polygons, from 0 to 1.

    Returns:
        The image with its polygons in the colours of their categories; its method ``show`` opens a window.

    Raises:
        InputError: There is no image of this id, or *opacity* is no such number.
        DecodeError: The JSON file or the image is damaged.
        OSError: One of them cannot be read.
    """
    if not is_number(opacity) or not 0 <= opacity <= 1:
        raise InputError(f"expected a number from 0 to 1, got {opacity!r}", path="opacity")
    path = as_path(file, "file")
    content = decode_json(path.read_bytes())
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        found = list(_contours(content, image_id))
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"is no export of polygons: {error!r}", path=str(path)) from error
    if image_id not in names:
        raise InputError(f"there is no image {image_id!r}; ids are {sorted(names)[:5]} and so on", path="image_id")
    picture = load_image(as_path(folder, "folder") / names[image_id]).convert("RGBA")
    layer = Image.new("RGBA", picture.size)
    pen = ImageDraw.Draw(layer)
    for points, colour in found:
        shape = [(x, y) for x, y in points.tolist()]
        if len(shape) < _MIN_POINTS:
            pen.line([*shape, shape[0]], fill=(*colour, round(255 * opacity)))
        else:
            pen.polygon(shape, fill=(*colour, round(255 * opacity)))
    return Image.alpha_composite(picture, layer).convert("RGB")


def _contours(content: Mapping[str, Any], image_id: int) -> Iterator[tuple[np.ndarray[Any, Any], tuple[int, int, int]]]:
    """Iterate over the contours of an image with their colours; points come in any nesting, as the SDK's do."""
    colours = {
        category["id"]: colour_of(category.get("color"), index) for index, category in enumerate(content["categories"])
    }
    for annotation in content["annotations"]:
        if annotation["image_id"] == image_id:
            for contour in annotation["polygons"]:
                yield np.asarray(contour, np.float64).reshape(-1, 2), colours[annotation["category_id"]]
