"""Images from above that are displayed under a point cloud. Source: the official SDK."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_required_keys
from segments_async.models.urls import URL


@define
class OrthoImageCorner(Model):
    """A position on the ground. Source: the official SDK."""

    x: float
    """World x, in the unit of the point cloud."""
    y: float
    """World y, in the unit of the point cloud; x, y and the upward z are right-handed."""


@define(kw_only=True)
class OrthoImageCorners(Model):
    """The four corners of an image, which may be rotated or skewed. Source: the official SDK."""

    top_left: OrthoImageCorner
    """World coordinates of the first pixel of the image."""
    top_right: OrthoImageCorner
    """World coordinates of the last pixel of the first row."""
    bottom_right: OrthoImageCorner
    """World coordinates of the last pixel of the image."""
    bottom_left: OrthoImageCorner
    """World coordinates of the first pixel of the last row."""


@define(kw_only=True)
class HeightMap(URL):
    """
    The height of the ground under an ortho image, with the same corners as the image. Source: the official SDK.

    The height of a pixel is ``offset + (R * 256 + G) * scale``. B is 255 if the height was measured, 128 if it was
    interpolated from neighbours, and 0 if it is unknown. `offset` and `scale` are always sent, because the service has
    no defaults for them.
    """

    encoding: str
    """The encoding of heights as colours: one of `HeightMapEncoding`."""
    offset: float = 0
    """World z of a pixel of value 0, in the unit of the point cloud."""
    scale: float = 1
    """Difference in world z between consecutive values, in the unit of the point cloud; greater than 0."""


def _choose_height_map(_image: Mapping[str, Any], height_map: Any) -> type[Model] | None:
    # The offset and scale of a height map that was stored without them are unknown.
    complete = has_required_keys(height_map, HeightMap)
    return HeightMap if complete or not isinstance(height_map, dict) else None


@define(kw_only=True)
class OrthoImage(URL):
    """
    An image from above, displayed under the point cloud. Source: the official SDK.

    The image is stretched to its four corners. A sample may have several, such as tiles.
    """

    corners: OrthoImageCorners
    """The positions of its corners."""
    height_map: HeightMap | dict[str, Any] | None = field(default=None, metadata=chosen_by(_choose_height_map))
    """The height of the ground, which gives annotations a z; plain JSON if it lacks a required key."""
