"""What labels of every type are made of. Source: docs.segments.ai/reference/label-types."""

from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class Annotation(Model):
    """An object in a label; what every annotation has. Source: docs.segments.ai/reference/label-types."""

    id: int
    """Unique in its label, and greater than 0; where there is a `track_id`, the service keeps both equal."""
    category_id: int
    """`TaskAttributeCategory.id` of what it is."""
    attributes: dict[str, Any] | None = None
    """Values of the category's attributes, by name."""
    track_id: int | None = None
    """The same for an object in all frames and sensors; always there in sequences."""


@define(kw_only=True)
class LinkFrameAttributes(Model):
    """What a link is like in one frame. Source: the official SDK."""

    attributes: dict[str, Any]
    """Values of the link attributes that change from frame to frame, by name."""


@define(kw_only=True)
class Link(Model):
    """
    That one object belongs to another. Source: docs.segments.ai/reference/label-types; the official SDK.

    Example:
        >>> Link(from_id=1, to_id=2, attributes={"side": "left"}).to_id
        2
    """

    from_id: int
    """`Annotation.track_id` of the object it starts at; without sequences, its `id`."""
    to_id: int
    """`Annotation.track_id` of the object it leads to; without sequences, its `id`."""
    attributes: dict[str, Any] | None = None
    """Values of the link attributes that hold for the whole sample, by name."""
    frames: list[LinkFrameAttributes] | None = None
    """Values that hold for one frame: as many as the sample has frames, in their order; None if there are none."""
