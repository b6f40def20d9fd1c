"""
What is filled in for an object, a link or a whole image: one class for each way to do so.

Source: docs.segments.ai/reference/categories-and-attributes, and the official SDK.
"""

from typing import Annotated, Any

from attrs import define

from segments_async.models._base import Model, Tagged
from segments_async.models.enums import InputType


@define(kw_only=True)
class BaseTaskAttribute(Model):
    """What every attribute has. Source: docs.segments.ai/reference/categories-and-attributes; the official SDK."""

    name: str
    """The key of its value in the `attributes` of a label."""
    is_mandatory: bool | None = None
    """Whether the label editor warns if it is not filled in."""
    is_track_level: bool | None = None
    """
    Whether it is the same in all frames of a sequence. Of a link, True if not given: its value is in the link's
    `attributes` then, else in its `frames`.
    """
    synced_across_sensors: bool | None = None
    """Whether it is the same in all sensors."""
    sensor_filter: str | None = None
    """Which sensors it is for."""
    sensors: str | None = None
    """Which sensors it is for: ``"2D"``, ``"3D"`` or ``"all"``."""


@define(kw_only=True)
class SelectTaskAttribute(BaseTaskAttribute):
    """
    One of several words.

    Example:
        >>> SelectTaskAttribute(name="color", values=["red", "green"], default_value="red").input_type
        'select'
    """

    input_type: str = "select"
    """Always ``"select"``."""
    values: list[str]
    """The words."""
    default_value: str | None = None
    """The word to start with."""


@define(kw_only=True)
class MultiselectTaskAttribute(BaseTaskAttribute):
    """Any of several words."""

    input_type: str = "multiselect"
    """Always ``"multiselect"``."""
    values: list[str]
    """The words."""
    default_value: str | list[str] | None = None
    """The word, or the words, to start with."""


@define(kw_only=True)
class TextTaskAttribute(BaseTaskAttribute):
    """A text."""

    input_type: str = "text"
    """Always ``"text"``."""
    default_value: str | None = None
    """The text to start with."""


@define(kw_only=True)
class NumberTaskAttribute(BaseTaskAttribute):
    """A number; the service keeps limits as text too, which is empty where there is none."""

    input_type: str = "number"
    """Always ``"number"``."""
    default_value: float | str | None = None
    """The number to start with."""
    min: float | str | None = None
    """The least number."""
    max: float | str | None = None
    """The greatest number."""
    step: float | str | None = None
    """How far the arrows of the field go."""


@define(kw_only=True)
class CheckboxTaskAttribute(BaseTaskAttribute):
    """Yes or no."""

    input_type: str = "checkbox"
    """Always ``"checkbox"``."""
    default_value: bool | str | None = None
    """Whether it is ticked at first; the service may have kept it as text."""


@define(kw_only=True)
class Vector3TaskAttribute(BaseTaskAttribute):
    """Three numbers."""

    input_type: str = "vector3"
    """Always ``"vector3"``."""


@define(kw_only=True)
class QuaternionTaskAttribute(BaseTaskAttribute):
    """A rotation."""

    input_type: str = "quaternion"
    """Always ``"quaternion"``."""


@define(kw_only=True)
class PointsTaskAttribute(BaseTaskAttribute):
    """Places."""

    input_type: str = "points"
    """Always ``"points"``."""


TaskAttribute = Annotated[
    SelectTaskAttribute
    | MultiselectTaskAttribute
    | TextTaskAttribute
    | NumberTaskAttribute
    | CheckboxTaskAttribute
    | Vector3TaskAttribute
    | QuaternionTaskAttribute
    | PointsTaskAttribute
    | dict[str, Any],
    Tagged(
        "input_type",
        {
            InputType.SELECT: SelectTaskAttribute,
            InputType.MULTISELECT: MultiselectTaskAttribute,
            InputType.TEXT: TextTaskAttribute,
            InputType.NUMBER: NumberTaskAttribute,
            InputType.CHECKBOX: CheckboxTaskAttribute,
            InputType.VECTOR3: Vector3TaskAttribute,
            InputType.QUATERNION: QuaternionTaskAttribute,
            InputType.POINTS: PointsTaskAttribute,
        },
    ),
]
"""Chosen by its ``input_type``; one that this version does not know is JSON as it came."""
