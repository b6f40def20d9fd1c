"""What may be labelled in a dataset: its categories."""

from typing import Any

from attrs import define

from segments_async.models._base import Model


@define(kw_only=True)
class TaskAttributeCategory(Model):
    """
    A category an annotation can have; keys of your own are kept in `extra`.

    Source: docs.segments.ai/reference/categories-and-task-attributes.
    """

    name: str
    """Shown in the label editor."""
    id: int
    """What the `category_id` of an annotation refers to."""
    color: list[float] | None = None
    """Red, green, blue, and perhaps alpha: 0 to 255 each."""
    has_instances: bool | None = None
    """Whether objects of this category are told apart."""
    attributes: list[dict[str, Any]] | None = None
    """Object attributes to fill in, as the service defines them."""
    dimensions: dict[str, Any] | None = None
    """Size of a new cuboid, in the unit of the point cloud: ``x`` length, ``y`` width, ``z`` height."""
    link_attributes: list[dict[str, Any]] | None = None
    """Attributes of a link that starts at an object of this category."""
    link_category_restrictions: list[int] | None = None
    """Ids of the categories a link from this one may lead to."""


@define(kw_only=True)
class TaskAttributes(Model):
    """
    Categories and attributes of a dataset.

    Source: docs.segments.ai/reference/categories-and-task-attributes.
    """

    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""
    categories: list[TaskAttributeCategory] | None = None
    """What an annotation can be."""
    image_attributes: list[dict[str, Any]] | None = None
    """Attributes of a whole image, as the service defines them."""
    warning_rules: list[dict[str, Any]] | None = None
    """Checks the label editor makes, as the service defines them."""
