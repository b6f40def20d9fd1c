"""Annotations and links, which occur in all label types. Source: docs.segments.ai/reference/label-types."""

from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class Annotation(Model):
    """An object in a label; the base class of all annotations. Source: docs.segments.ai/reference/label-types."""

    id: int
    """Unique in its label, and greater than 0. If there is a `track_id`, the service keeps both equal."""
    category_id: int
    """`TaskAttributeCategory.id` of its category."""
    attributes: dict[str, Any] | None = None
    """Values of the category's attributes, by name."""
    track_id: int | None = None
    """Identifies the object in all frames and sensors; always present in sequences."""


@define(kw_only=True)
class LinkFrameAttributes(Model):
    """The attributes of a link in one frame. Source: the official SDK."""

    attributes: dict[str, Any]
    """Values of the link attributes that change from frame to frame, by name."""


@define(kw_only=True)
class Link(Model):
    """
    A link from one object to another. Source: docs.segments.ai/reference/label-types; the official SDK.

    Example:
        >>> Link(from_id=1, to_id=2, attributes={"side": "left"}).to_id
        2
    """

    from_id: int
    """`Annotation.track_id` of the source object; outside sequences, its `id`."""
    to_id: int
    """`Annotation.track_id` of the target object; outside sequences, its `id`."""
    attributes: dict[str, Any] | None = None
    """Values of the link attributes that apply to the whole sample, by name."""
    frames: list[LinkFrameAttributes] | None = None
    """Values that apply to a single frame: one entry for each frame of the sample, in order; None if there are none."""
