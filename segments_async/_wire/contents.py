"""Check samples and labels before they are sent: their types, mistyped keys, and the shapes of annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async._serialization.compile import fields_of, key_of
from segments_async._serialization.converter import check, unstructure
from segments_async._serialization.fit import fits
from segments_async._serialization.json import encode_json
from segments_async._serialization.label_shapes import refuse_misfit
from segments_async._serialization.mismatch import StructureError
from segments_async._wire.arguments import check_spelling, near_miss
from segments_async._wire.dataset_rules import ANNOTATION_TYPES
from segments_async.errors import InputError
from segments_async.models import (
    ImageSequenceSegmentationAnnotation,
    ImageSequenceVectorAnnotation,
    ImageVectorAnnotation,
    Label,
    LabelChanges,
    LabelPut,
    PointcloudSequenceCuboidAnnotation,
    PointcloudSequenceVectorAnnotation,
    PointcloudVectorAnnotation,
    Sample,
    SampleChanges,
    SampleCreate,
)
from segments_async.models._base import Model
from segments_async.models.label_attributes import (
    FrameLabelAttributes,
    MultiSensorLabelAttributes,
    SequenceLabelAttributes,
    class_of_task_type,
)
from segments_async.models.sample_attributes import SampleAttributes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments_async._wire.dataset_rules import DatasetRules


def _keys(*models: Any) -> frozenset[str]:
    """Return the keys of all *models* in JSON."""
    classes = [arm for model in models for arm in getattr(model, "__args__", (model,))]
    return frozenset(
        key_of(field)
        for model in classes
        if isinstance(model, type) and issubclass(model, Model)
        for field in fields_of(model)
    )


_SAMPLE_KEYS = _keys(SampleCreate)
_LABEL_KEYS = _keys(LabelPut)
_RETURNED_SAMPLE_KEYS = _keys(Sample)
_RETURNED_LABEL_KEYS = _keys(Label)
_SAMPLE_ATTRIBUTES_KEYS = _keys(SampleAttributes)
_LABEL_ATTRIBUTES_KEYS = _keys(FrameLabelAttributes, SequenceLabelAttributes, MultiSensorLabelAttributes)
_ANNOTATION_KEYS = _keys(
    ImageSequenceSegmentationAnnotation,
    ImageSequenceVectorAnnotation,
    PointcloudSequenceCuboidAnnotation,
    PointcloudSequenceVectorAnnotation,
)
_POINTS = {"bbox": (2, "two corners"), "point": (1, "one point")}
"""How many points an annotation of a type has."""
_AXES = {2: "x and y", 3: "x, y and z"}
"""The coordinates of a point on an image, and in a point cloud."""


def check_sample(fields: Mapping[str, Any]) -> None:
    """
    Check the keys of a sample to create.

    Raises:
        InputError: A value is of the wrong type, an essential one is missing, or a key is mistyped.
    """
    if not _SAMPLE_KEYS.issuperset(fields):
        check_spelling(fields, _SAMPLE_KEYS, _RETURNED_SAMPLE_KEYS)
    if not fits(fields, SampleCreate):
        check(fields, SampleCreate)  # finds what is wrong, or reads what is no plain JSON
    _check_sample_attributes(fields["attributes"])


def check_label(
    fields: Mapping[str, Any], rules: DatasetRules | None = None, *, may_be_unlike_any: bool = False
) -> None:
    """
    Check the keys of a label to put.

    Args:
        fields: The keys and values.
        rules: What the dataset says about its labels; None accepts all.
        may_be_unlike_any: Whether the service has returned the attributes, so that they may be of an unknown type.

    Raises:
        InputError: A value is of the wrong type, an essential one is missing, the attributes are no label of a known
            type, a key or the type of an annotation is mistyped, an annotation does not have the number of points or
            coordinates of its type, or a rule of the dataset is broken.
    """
    check_label_keys(fields)
    attributes = check(fields, LabelPut).attributes
    _check_label_attributes(fields["attributes"], rules)
    if not may_be_unlike_any and (rules is None or not rules.is_of_unknown_type):
        _check_shape(fields["attributes"], attributes)
    if rules is not None:
        _at("attributes", rules.check_type, attributes)


def is_of_unknown_type(label: Label) -> bool:
    """Whether a label of the service is unlabelled or of an unknown type, which can be put back as it is."""
    return not label.attributes or bool(label.label_type and class_of_task_type(label.label_type) is None)


def check_label_keys(fields: Mapping[str, Any]) -> None:
    """
    Check the keys of a label to put, but not its values.

    Raises:
        InputError: A key is mistyped.
    """
    check_spelling(fields, _LABEL_KEYS, _RETURNED_LABEL_KEYS)


def check_sample_content(fields: Mapping[str, Any]) -> None:
    """Check what changes a sample, without its missing or null keys; see `check_sample`."""
    check({"name": "", "attributes": {}, **fields}, SampleCreate)
    _check_sample_attributes(fields.get("attributes"))


def check_label_content(fields: Mapping[str, Any]) -> None:
    """Check what changes a label, without its missing or null keys; see `check_label`."""
    attributes = check({"sample_uuid": "", "attributes": {}, **fields}, LabelPut).attributes
    _check_label_attributes(fields.get("attributes"), None)
    if "attributes" in fields:
        _check_shape(fields["attributes"], attributes)


def check_sample_change(changes: Mapping[str, Any]) -> None:
    """
    Check the keys of a mapping that changes a sample, without its ``uuid``.

    Raises:
        InputError: A key is mistyped, or the mapping has no key of `SampleChanges`.
    """
    check_spelling(changes, _SAMPLE_KEYS, _RETURNED_SAMPLE_KEYS)
    _check_changes_something(changes, SampleChanges)


def check_label_change(changes: Mapping[str, Any]) -> None:
    """
    Check the keys of a mapping that changes a label, without its ``sample_uuid`` and ``labelset``.

    Raises:
        InputError: A key is mistyped, or the mapping has no key of `LabelChanges`.
    """
    # The keys that locate the label are not in *changes*, so they are no candidates here.
    check_spelling(changes, LabelChanges.__annotations__.keys(), _RETURNED_LABEL_KEYS)
    _check_changes_something(changes, LabelChanges)


def _check_changes_something(changes: Mapping[str, Any], known: type) -> None:
    keys = known.__annotations__
    if not any(key in keys for key in changes):
        raise InputError(f"changes nothing; expected at least one of {', '.join(keys)}")


def _check_sample_attributes(attributes: Any) -> None:
    if type(attributes) is dict and _SAMPLE_ATTRIBUTES_KEYS.issuperset(attributes):
        return
    if isinstance(attributes, Mapping):
        _at("attributes", check_spelling, attributes, _SAMPLE_ATTRIBUTES_KEYS)


def _check_label_attributes(attributes: Any, rules: DatasetRules | None) -> None:
    if attributes is not None and not isinstance(attributes, dict | list | Model):
        attributes = unstructure(attributes)
    if isinstance(attributes, dict | Model):
        try:
            _at("attributes", _check_part, attributes, rules)
        except RecursionError as error:
            raise InputError("nested too deeply, or contains itself", path="attributes") from error


def _check_shape(given: Any, read: Any) -> None:
    """Check that what was *given*, and *read* as models, is a label of a known type; a model is one."""
    if isinstance(given, Model):
        return
    try:
        refuse_misfit(read)
    except StructureError as error:
        encode_json(read, "attributes")  # NaN is the better explanation
        raise error.as_input_error("attributes") from error.__cause__


def _check_part(part: Any, rules: DatasetRules | None) -> None:
    """Check label attributes, those of one sensor, or those of one frame."""
    if isinstance(part, dict):
        check_spelling(part, _LABEL_ATTRIBUTES_KEYS)
    for index, annotation in enumerate(_list_of(part, "annotations")):
        try:
            _check_annotation(annotation, rules)
        except InputError as error:
            raise error.under(f"annotations[{index}]") from error.__cause__
    for index, frame in enumerate(_list_of(part, "frames")):
        _at(f"frames[{index}]", _check_part, frame, rules)
    for index, sensor in enumerate(_list_of(part, "sensors")):
        attributes = _value_of(sensor, "attributes")
        if isinstance(attributes, dict | Model):
            _at(f"sensors[{index}].attributes", _check_part, attributes, rules)


def _check_annotation(annotation: Any, rules: DatasetRules | None) -> None:
    if isinstance(annotation, dict) and not _ANNOTATION_KEYS.issuperset(annotation):
        check_spelling(annotation, _ANNOTATION_KEYS)
    kind = _value_of(annotation, "type")
    if isinstance(kind, str):
        if kind not in ANNOTATION_TYPES:
            near = near_miss(kind, ANNOTATION_TYPES)
            if near is not None:
                raise InputError(f"unknown type {str(kind)!r}; did you mean {near!r}?", path="type")
        elif isinstance(points := _value_of(annotation, "points"), list | tuple):
            _check_points(points, kind, annotation)
    if rules is not None and isinstance(annotation, dict | Model):
        rules.check_annotation(*(_value_of(annotation, key) for key in ("type", "category_id", "attributes")))


def _check_points(points: Sequence[Any], kind: str, annotation: Any) -> None:
    """Check how many points there are, and that each has the coordinates of an image or of a point cloud."""
    expected = _POINTS.get(kind)
    if expected is not None and len(points) != expected[0]:
        encode_json(points, "points")  # NaN is the better explanation
        raise InputError(f"a {kind} has {expected[1]}, got {len(points)}", path="points")
    try:
        lengths = set(map(len, points))
    except TypeError:  # a type that this version does not know
        return
    if lengths:
        axes = _axes_of(annotation, kind, len(points[0]))
        if lengths != {axes}:
            index = next(index for index, point in enumerate(points) if len(point) != axes)
            raise InputError(
                f"expected {_AXES[axes]}, got {counted(len(points[index]), 'number')}", path=f"points[{index}]"
            )


def _axes_of(annotation: Any, kind: str, found: int) -> int:
    """Return how many coordinates a point of an annotation has; *found* is what its first point has."""
    if isinstance(annotation, PointcloudVectorAnnotation):
        return 3
    if kind == "bbox" or isinstance(annotation, ImageVectorAnnotation):
        return 2
    return found if found in _AXES else 2


def _value_of(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    return getattr(value, key, None) if isinstance(value, Model) else None


def _list_of(value: Any, key: str) -> Any:
    found = _value_of(value, key)
    return found if isinstance(found, list | tuple) else ()


def _at(path: str, function: Callable[..., None], *arguments: Any) -> None:
    """Call *function*, and prefix the path of its InputError with *path*."""
    try:
        function(*arguments)
    except InputError as error:
        raise error.under(path) from error.__cause__
