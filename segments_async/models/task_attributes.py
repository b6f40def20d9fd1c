"""The categories and attributes of a dataset."""

from typing import Annotated, Any

from attrs import define

from segments_async.models._base import Model, Tagged
from segments_async.models.geometry import PartialXYZ
from segments_async.models.input_types import TaskAttribute


@define(kw_only=True)
class TaskAttributeCategory(Model):
    """
    A category of annotations; your own keys are kept in `extra`.

    Source: docs.segments.ai/reference/categories-and-attributes.
    """

    name: str
    """The name displayed in the label editor."""
    id: int
    """The id, which `category_id` of annotations refers to."""
    color: list[float] | None = None
    """Red, green, blue and optionally alpha, each from 0 to 255."""
    has_instances: bool | None = None
    """Whether the objects of this category are distinguished."""
    attributes: list[TaskAttribute] | None = None
    """Attributes of each object."""
    dimensions: PartialXYZ | None = None
    """Size of a new cuboid, in the unit of the point cloud: x length, y width, z height."""
    lock_dimensions: bool | None = None
    """Whether the size of a cuboid cannot be changed; False if not given."""
    lock_position: bool | None = None
    """Whether a cuboid cannot be moved; False if not given."""
    lock_rotation: bool | None = None
    """Whether a cuboid cannot be rotated; False if not given."""
    link_attributes: list[TaskAttribute] | None = None
    """Attributes of links that start at an object of this category; the service accepts five input types."""
    link_category_restrictions: list[int] | None = None
    """Ids of the categories that a link from this category may target."""


@define(kw_only=True)
class IntersectingCuboidsRule(Model):
    """A warning about cuboids that intersect. Source: docs.segments.ai/reference/categories-and-attributes."""

    name: str = "intersecting-cuboids"
    """Always ``"intersecting-cuboids"``."""
    excluded_categories: list[int] | None = None
    """Ids of categories whose cuboids may intersect all others; excludes `excluded_set_of_categories`."""
    excluded_set_of_categories: list[int] | None = None
    """Ids of categories whose cuboids may intersect cuboids of other categories in this list."""


@define(kw_only=True)
class CuboidDimensionLimitsRule(Model):
    """
    A warning about cuboids that are too small or too large.

    Source: docs.segments.ai/reference/categories-and-attributes.
    """

    name: str = "cuboid-dimension-limits"
    """Always ``"cuboid-dimension-limits"``."""
    categories: list[int] | None = None
    """Ids of the categories it applies to; an empty list means all categories."""
    min: PartialXYZ | None = None
    """Minimum length, width and height, in the unit of the point cloud."""
    max: PartialXYZ | None = None
    """Maximum length, width and height, in the unit of the point cloud."""


WarningRule = Annotated[
    IntersectingCuboidsRule | CuboidDimensionLimitsRule | dict[str, Any],
    Tagged(
        "name",
        {"intersecting-cuboids": IntersectingCuboidsRule, "cuboid-dimension-limits": CuboidDimensionLimitsRule},
    ),
]
"""The class is determined by ``name``; an unknown one stays plain JSON."""


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
    """The categories of annotations."""
    image_attributes: list[TaskAttribute] | None = None
    """Attributes of a whole image or point cloud."""
    circle_radius: float | None = None
    """Radius of a circle around the ego position in the 3D interfaces, in the unit of the point cloud."""
    warning_rules: list[WarningRule] | None = None
    """Checks that the label editor performs."""
