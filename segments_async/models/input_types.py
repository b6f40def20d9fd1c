"""
The attributes of objects, links and whole images: one class for each input type.

Source: docs.segments.ai/reference/categories-and-attributes, and the official SDK.
"""

from typing import Annotated, Any

from attrs import define

from segments_async.models._base import Model, Tagged
from segments_async.models.enums import InputType


@define(kw_only=True)
class BaseTaskAttribute(Model):
    """Base class of all attributes. Source: docs.segments.ai/reference/categories-and-attributes; the official SDK."""

    name: str
    """The key of its value in the `attributes` of a label."""
    is_mandatory: bool | None = None
    """Whether the label editor warns if it has no value."""
    is_track_level: bool | None = None
    """
    Whether its value is the same in all frames of a sequence. For links, True if not given: the value is then in the
    `attributes` of the link, otherwise in its `frames`.
    """
    synced_across_sensors: bool | None = None
    """Whether its value is the same in all sensors."""
    sensor_filter: str | None = None
    """The sensors it applies to."""
    sensors: str | None = None
    """The sensors it applies to: ``"2D"``, ``"3D"`` or ``"all"``."""


@define(kw_only=True)
class SelectTaskAttribute(BaseTaskAttribute):
    """
    A choice of one of several values.

    Example:
        >>> SelectTaskAttribute(name="color", values=["red", "green"], default_value="red").input_type
        'select'
    """

    input_type: str = "select"
    """Always ``"select"``."""
    values: list[str]
    """The values to choose from."""
    default_value: str | None = None
    """The initial value."""


@define(kw_only=True)
class MultiselectTaskAttribute(BaseTaskAttribute):
    """A choice of any number of values."""

    input_type: str = "multiselect"
    """Always ``"multiselect"``."""
    values: list[str]
    """The values to choose from."""
    default_value: str | list[str] | None = None
    """The initial value or values."""


@define(kw_only=True)
class TextTaskAttribute(BaseTaskAttribute):
    """A free text."""

    input_type: str = "text"
    """Always ``"text"``."""
    default_value: str | None = None
    """The initial text."""


@define(kw_only=True)
class NumberTaskAttribute(BaseTaskAttribute):
    """A number; the service may also store its limits as strings, which are empty if there is no limit."""

    input_type: str = "number"
    """Always ``"number"``."""
    default_value: float | str | None = None
    """The initial number."""
    min: float | str | None = None
    """The minimum."""
    max: float | str | None = None
    """The maximum."""
    step: float | str | None = None
    """The step of the input field."""


@define(kw_only=True)
class CheckboxTaskAttribute(BaseTaskAttribute):
    """A checkbox."""

    input_type: str = "checkbox"
    """Always ``"checkbox"``."""
    default_value: bool | str | None = None
    """Whether it is initially checked; the service may store this as a string."""


@define(kw_only=True)
class Vector3TaskAttribute(BaseTaskAttribute):
    """A vector of three numbers."""

    input_type: str = "vector3"
    """Always ``"vector3"``."""


@define(kw_only=True)
class QuaternionTaskAttribute(BaseTaskAttribute):
    """A rotation."""

    input_type: str = "quaternion"
    """Always ``"quaternion"``."""


@define(kw_only=True)
class PointsTaskAttribute(BaseTaskAttribute):
    """A list of points."""

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
"""The class is determined by ``input_type``; an unknown one stays plain JSON."""
