"""Images that lie under a point cloud. Source: the official SDK."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_essentials
from segments_async.models.urls import URL


@define
class OrthoImageCorner(Model):
    """A place on the ground. Source: the official SDK."""

    x: float
    """World x, in the unit of the point cloud."""
    y: float
    """World y, in the unit of the point cloud; x, y and the upward z are right-handed."""


@define(kw_only=True)
class OrthoImageCorners(Model):
    """Where the corners of an image lie; four of them, so that it may be turned or skewed. Source: the official SDK."""

    top_left: OrthoImageCorner
    """Where the image's first pixel lies, in world coordinates."""
    top_right: OrthoImageCorner
    """Where the last pixel of the first row lies, in world coordinates."""
    bottom_right: OrthoImageCorner
    """Where the image's last pixel lies, in world coordinates."""
    bottom_left: OrthoImageCorner
    """Where the first pixel of the last row lies, in world coordinates."""


@define(kw_only=True)
class HeightMap(URL):
    """
    The height of the ground under an ortho image, of which it has the corners. Source: the official SDK.

    A pixel's height is ``offset + (R * 256 + G) * scale``. Its B is 255 where it was measured, 128 where it was
    filled in from its neighbours, 0 where nothing is known. `offset` and `scale` are always sent, as the service
    has no defaults for them.
    """

    encoding: str
    """How heights are written as colours: one of `HeightMapEncoding`."""
    offset: float = 0
    """World z of a pixel of value 0, in the unit of the point cloud."""
    scale: float = 1
    """World z from one value to the next, in the unit of the point cloud; greater than 0."""


def _choose_height_map(_image: Mapping[str, Any], height_map: Any) -> type[Model] | None:
    # Nobody knows the offset and scale of one that was stored without them.
    complete = has_essentials(height_map, HeightMap)
    return HeightMap if complete or not isinstance(height_map, dict) else None


@define(kw_only=True)
class OrthoImage(URL):
    """
    An image from above, laid under the point cloud. Source: the official SDK.

    It is stretched over its four corners. A sample may have many, such as tiles.
    """

    corners: OrthoImageCorners
    """Where it lies."""
    height_map: HeightMap | dict[str, Any] | None = field(default=None, metadata=chosen_by(_choose_height_map))
    """The ground under it, so that what is drawn on it gets a z; JSON as it came if it lacks an essential part."""
