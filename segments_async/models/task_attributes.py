"""What may be labelled in a dataset: its categories and their attributes."""

from typing import Annotated, Any

from attrs import define

from segments_async.models._base import Model, Tagged
from segments_async.models.geometry import PartialXYZ
from segments_async.models.input_types import TaskAttribute


@define(kw_only=True)
class TaskAttributeCategory(Model):
    """
    A category an annotation can have; keys of your own are kept in `extra`.

    Source: docs.segments.ai/reference/categories-and-attributes.
    """

    name: str
    """Shown in the label editor."""
    id: int
    """What the `category_id` of an annotation refers to."""
    color: list[float] | None = None
    """Red, green, blue, and perhaps alpha: 0 to 255 each."""
    has_instances: bool | None = None
    """Whether objects of this category are told apart."""
    attributes: list[TaskAttribute] | None = None
    """What to fill in for an object."""
    dimensions: PartialXYZ | None = None
    """Size of a new cuboid, in the unit of the point cloud: x length, y width, z height."""
    lock_dimensions: bool | None = None
    """Whether the size of a cuboid cannot be changed; False if not given."""
    lock_position: bool | None = None
    """Whether a cuboid cannot be moved; False if not given."""
    lock_rotation: bool | None = None
    """Whether a cuboid cannot be turned; False if not given."""
    link_attributes: list[TaskAttribute] | None = None
    """What to fill in for a link that starts at an object of this category; the service takes five input types."""
    link_category_restrictions: list[int] | None = None
    """Ids of the categories a link from this one may lead to."""


@define(kw_only=True)
class IntersectingCuboidsRule(Model):
    """Warn of cuboids that intersect. Source: docs.segments.ai/reference/categories-and-attributes."""

    name: str = "intersecting-cuboids"
    """Always ``"intersecting-cuboids"``."""
    excluded_categories: list[int] | None = None
    """Ids of categories whose cuboids may intersect with all others; not beside `excluded_set_of_categories`."""
    excluded_set_of_categories: list[int] | None = None
    """Ids of categories whose cuboids may intersect with those of another in this list."""


@define(kw_only=True)
class CuboidDimensionLimitsRule(Model):
    """Warn of cuboids that are too small or too large. Source: docs.segments.ai/reference/categories-and-attributes."""

    name: str = "cuboid-dimension-limits"
    """Always ``"cuboid-dimension-limits"``."""
    categories: list[int] | None = None
    """Ids of the categories it applies to; an empty list is all of them."""
    min: PartialXYZ | None = None
    """Least length, width and height, in the unit of the point cloud."""
    max: PartialXYZ | None = None
    """Greatest length, width and height, in the unit of the point cloud."""


WarningRule = Annotated[
    IntersectingCuboidsRule | CuboidDimensionLimitsRule | dict[str, Any],
    Tagged(
        "name",
        {"intersecting-cuboids": IntersectingCuboidsRule, "cuboid-dimension-limits": CuboidDimensionLimitsRule},
    ),
]
"""Chosen by its ``name``; one that this version does not know is JSON as it came."""


@define(kw_only=True)
class TaskAttributes(Model):
    """
    Categories and attributes of a dataset.

    Source: docs.segments.ai/reference/categories-and-attributes.

    Example:
        >>> car = TaskAttributeCategory(name="car", id=1, attributes=[CheckboxTaskAttribute(name="parked")])
        >>> TaskAttributes(categories=[car]).categories[0].attributes[0].input_type
        'checkbox'
    """

    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""
    categories: list[TaskAttributeCategory] | None = None
    """What an annotation can be."""
    image_attributes: list[TaskAttribute] | None = None
    """What to fill in for a whole image or point cloud."""
    circle_radius: float | None = None
    """Radius of a circle about the ego position in the 3D interfaces, in the unit of the point cloud."""
    warning_rules: list[WarningRule] | None = None
    """Checks the label editor makes."""
