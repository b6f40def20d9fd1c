"""Hypothesis strategies: JSON of every model, with unknown keys at every level."""

from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from hypothesis import strategies as st

from segments_async import models
from segments_async._serialization.compile import arms_of, default_of, fields_of, key_of
from segments_async.models import Model, TaskType, webhooks
from segments_async.models._base import CHOOSE, KNOWN_VALUES, is_required

MODELS = sorted(
    {
        value
        for value in (*vars(models).values(), *vars(webhooks).values())
        if isinstance(value, type) and issubclass(value, Model) and not value.__name__.startswith("_")
    },
    key=lambda model: model.__name__,
)
DISTINGUISHING = {
    *("annotations", "attributes", "frames", "image", "pcd", "point_annotations", "segmentation_bitmap", "sensors"),
    *("input_type", "model", "name", "task_type", "type"),
}
"""Keys that make an object one of the known shapes."""

words = st.text(st.characters(codec="utf-8"), max_size=6)
keys = st.sampled_from(["extra", "camelCase", "self", "get", "key", ""]) | words
foreign_keys = keys.filter(lambda key: key not in DISTINGUISHING)
integers = st.integers(-(2**63), 2**64 - 1)
numbers = integers | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)
times = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat().replace("+00:00", "Z")) | words
PLAIN = {
    Any: anything,
    NoneType: st.none(),
    str: words,
    int: integers,
    float: numbers,
    bool: st.booleans(),
    datetime: times,
}

LABEL_TYPES = {
    models.ImageSegmentationLabelAttributes: ["segmentation-bitmap", "segmentation-bitmap-highres"],
    models.ImageVectorLabelAttributes: ["vector", "bboxes", "keypoints"],
    models.ImageSequenceSegmentationLabelAttributes: ["image-segmentation-sequence"],
    models.ImageSequenceVectorLabelAttributes: ["image-vector-sequence"],
    models.PointcloudSegmentationLabelAttributes: ["pointcloud-segmentation"],
    models.PointcloudCuboidLabelAttributes: ["pointcloud-cuboid"],
    models.PointcloudVectorLabelAttributes: ["pointcloud-vector"],
    models.PointcloudSequenceSegmentationLabelAttributes: ["pointcloud-segmentation-sequence"],
    models.PointcloudSequenceCuboidLabelAttributes: ["pointcloud-cuboid-sequence"],
    models.PointcloudSequenceVectorLabelAttributes: ["pointcloud-vector-sequence"],
    models.MultiSensorLabelAttributes: ["multisensor-sequence"],
}
"""The eleven shapes, each with its tags."""
SAMPLE_TYPES = {
    models.ImageSampleAttributes: ["vector", "segmentation-bitmap"],
    models.ImageSequenceSampleAttributes: ["image-vector-sequence", "image-segmentation-sequence"],
    models.PointcloudSampleAttributes: ["pointcloud-cuboid", "pointcloud-segmentation"],
    models.PointcloudSequenceSampleAttributes: ["pointcloud-cuboid-sequence", "pointcloud-vector-sequence"],
    models.MultiSensorSampleAttributes: ["multisensor-sequence"],
}
assert {tag for tags in LABEL_TYPES.values() for tag in tags} == set(TaskType) - {TaskType.EMPTY}


def json_of(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    """JSON of a field's type; nulls are left out, as those of optional fields may go."""
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is Annotated:
        return one_of_tagged(*get_args(kind), depth)
    if get_origin(kind) is list:
        return st.lists(json_of(get_args(kind)[0], depth - 1), max_size=2) if depth else st.just([])
    if isinstance(kind, type) and issubclass(kind, Model):
        return objects(kind, depth)
    if arms_of(kind) != {kind}:
        return st.one_of(*(json_of(arm, depth) for arm in sorted(arms_of(kind) - {NoneType}, key=str)))
    return st.dictionaries(foreign_keys, json_of(get_args(kind)[1], depth), max_size=2)


@st.composite
def one_of_tagged(draw, _union, tagged, depth):
    """An object of one of the classes of a tagged union, or of an unknown class."""
    word = draw(st.sampled_from([*tagged.classes, "hologram", None]))
    wire = draw(json_of(dict[str, Any], 0) if word not in tagged.classes else objects(tagged.classes[word], depth))
    return wire if word is None else {**wire, tagged.key: str(word)}


@st.composite
def objects(draw, model, depth=4):
    """An object of a model: its fields, and unknown keys."""
    fields = fields_of(model)
    known = {key_of(a) for a in fields}
    wire = draw(st.dictionaries(foreign_keys.filter(lambda key: key not in known), anything, max_size=1))
    for a in fields:
        if not is_required(a) and default_of(a) is None and not draw(st.booleans()):
            continue
        if CHOOSE in a.metadata:
            tag, wire[key_of(a)] = draw(chosen(model, a.name, depth))
            wire.update(tag)
        elif KNOWN_VALUES in a.metadata:
            wire[key_of(a)] = draw(st.sampled_from(a.metadata[KNOWN_VALUES]))
        elif key_of(a) not in wire:
            nullable = is_required(a) and NoneType in arms_of(a.type)
            wire[key_of(a)] = draw(st.none() | json_of(a.type, depth) if nullable else json_of(a.type, depth))
        if wire[key_of(a)] is None and not is_required(a):
            del wire[key_of(a)]  # the null of an optional field may go
    return wire


@st.composite
def chosen(draw, model, name, depth):
    """JSON of a field whose class a tag beside it or its shape chooses, and the tag."""
    if name == "label":
        return {}, draw(objects(models.Label, depth) | objects(models.LabelSummary, depth))
    if name == "height_map":
        return {}, draw(objects(models.HeightMap, depth) | json_of(dict[str, Any], 0))
    if name == "object":
        return {}, draw(json_of(next(a.type for a in fields_of(model) if a.name == name), depth))
    shapes = LABEL_TYPES if "Label" in model.__name__ else SAMPLE_TYPES
    if model in (models.LabelSensor, models.SampleSensor):
        shapes = {shape: tags for shape, tags in shapes.items() if "MultiSensor" not in shape.__name__}
    shape = draw(st.sampled_from([*shapes, None]))
    tags = ["hologram", ""] if shape is None else [*shapes[shape], "", "hologram"]
    nothing = st.just([]) if shapes is LABEL_TYPES else st.just({})
    wire = draw(objects(shape, depth) if shape else nothing | json_of(dict[str, Any], 0))
    key = {models.Label: "label_type", models.LabelSensor: "task_type", models.SampleSensor: "task_type"}.get(model)
    return ({key: draw(st.sampled_from(tags))} if key else {}), wire
