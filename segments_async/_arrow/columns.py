"""
The columns of the tables, as plain data: this module needs no extra.

``docs/tables.md`` shows them for readers; a test compares both.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

ColumnType = Literal["text", "json", "integer", "number", "true or false", "time", "integers", "texts", "points"]
"""
What a column contains, and its type in Arrow.

``"text"``: string. ``"json"``: string, JSON text. ``"integer"``: int64. ``"number"``: float64. ``"true or false"``:
bool. ``"time"``: timestamp[us, UTC]. ``"integers"``: list of int64. ``"texts"``: list of string. ``"points"``: list of
lists of float64.
"""
Level = Literal["sample", "label", "sensor", "frame", "annotation", "outcome"]
"""What a value describes. Rows of the same label, sensor or frame have the same value."""


@frozen
class Column:
    """
    A column of a table.

    Example:
        >>> LABEL_COLUMNS[0]
        Column(name='sample_uuid', type='text', level='label', meaning='The sample.')
    """

    name: str
    """The name in the table."""
    type: ColumnType
    """What it contains."""
    level: Level
    """What its values describe."""
    meaning: str
    """A description in one line."""


def _of(level: Level, *columns: tuple[str, ColumnType, str]) -> tuple[Column, ...]:
    return tuple(Column(name, kind, level, meaning) for name, kind, meaning in columns)


SAMPLE_COLUMNS: tuple[Column, ...] = _of(
    "sample",
    ("uuid", "text", "The identifier assigned by the service."),
    ("name", "text", "Unique in its dataset."),
    ("dataset", "text", '`"owner/name"`, if the service says it.'),
    ("sample_type", "text", "`image`, `image-sequence`, `pointcloud`, `pointcloud-sequence` or `multi-sensor`."),
    ("url", "text", "The image or point cloud; null for sequences and several sensors."),
    ("urls", "texts", "The images or point clouds of a sequence, in order."),
    ("pcd_type", "text", "The format of its point clouds, such as `kitti`."),
    ("attributes", "json", "What the data to label has besides these; the whole of several sensors."),
    ("metadata", "json", "Your own metadata."),
    ("priority", "number", "Priority in the labelling queue."),
    ("assigned_labeler", "text", "Username of the labeler."),
    ("assigned_reviewer", "text", "Username of the reviewer."),
    ("readme", "text", "Markdown text."),
    ("data_type", "text", "Always `IMAGE` so far."),
    ("created_at", "time", "When it was created."),
    ("created_by", "text", "Username of the creator."),
    ("label_status", "text", "The status of its label in the requested labelset."),
    ("label_score", "number", "The score of this label."),
    ("label_updated_at", "time", "When this label was last changed."),
    ("label_created_by", "text", "Username of its creator."),
    ("label_reviewed_by", "text", "Username of its reviewer."),
    ("extra", "json", "Everything else, such as issues, keys of the service that are new, and inexact values."),
)
"""The columns of `samples_table`: one row for each sample."""

LABEL_COLUMNS: tuple[Column, ...] = (
    *_of(
        "label",
        ("sample_uuid", "text", "The sample."),
        ("sample_name", "text", "Its name, if the table was made of samples."),
        ("labelset", "text", "The labelset."),
        ("label_type", "text", "One of `TaskType`, such as `vector`."),
        ("label_status", "text", "One of `LabelStatus`, such as `REVIEWED`."),
        ("score", "number", "Confidence of a prediction: one value for the whole label."),
        ("rating", "number", "The rating by a reviewer, in stars."),
        ("created_at", "time", "When the label was first saved."),
        ("created_by", "text", "Username of the creator."),
        ("updated_at", "time", "When it was last changed."),
        ("updated_by", "text", "Username of who last changed it."),
        ("reviewed_at", "time", "When it was last reviewed."),
        ("reviewed_by", "text", "Username of the reviewer."),
        ("label_extra", "json", "What else the label has: links, format version, frames without annotations."),
    ),
    *_of(
        "sensor",
        ("sensor_index", "integer", "Position of the sensor, from 0; null if the label has no sensors."),
        ("sensor", "text", "The name of the sensor."),
        ("sensor_type", "text", "The task type of the sensor."),
    ),
    *_of(
        "frame",
        ("frame", "integer", "Index of the frame, from 0; null if the label is no sequence."),
        ("bitmap_url", "text", "The segmentation bitmap of the image or frame."),
        ("point_annotations", "integers", "The annotation id of each point; in the first row of the frame."),
        ("image_attributes", "json", "Values of the attributes of the whole image, frame or point cloud."),
    ),
    *_of(
        "annotation",
        ("annotation_index", "integer", "Position in its frame, from 0; null in the row of a label without any."),
        ("id", "integer", "`Annotation.id`."),
        ("category_id", "integer", "`Annotation.category_id`."),
        ("category", "text", "The name of the category, if categories are known."),
        ("track_id", "integer", "Identifies the object in all frames and sensors."),
        ("is_keyframe", "true or false", "Whether it was drawn in this frame rather than interpolated."),
        ("index", "integer", "The frame as some annotations of point clouds state it."),
        ("type", "text", "`bbox`, `polygon`, `polyline`, `point`, `cuboid` or `cuboid-sync`; null in segmentations."),
        ("x_min", "number", "Left edge of a bbox, in pixels."),
        ("y_min", "number", "Top edge of a bbox, in pixels."),
        ("x_max", "number", "Right edge of a bbox, in pixels."),
        ("y_max", "number", "Bottom edge of a bbox, in pixels."),
        ("points", "points", "Points of other shapes: `[x, y]` in pixels, or `[x, y, z]` in point clouds."),
        *(
            (f"{name}_{axis}", "number", f"{text}, along {axis}.")
            for name, text in (("position", "Centre of a cuboid"), ("dimensions", "Size of a cuboid"))
            for axis in "xyz"
        ),
        ("yaw", "number", "Rotation of a cuboid about z, in radians."),
        *(
            (f"rotation_{part}", "number", f"Rotation of a cuboid about all axes: {part} of the quaternion.")
            for part in ("qx", "qy", "qz", "qw")
        ),
        *(
            (f"{name}_{part}", "number", f"{name.capitalize()} of a cuboid, {part}.")
            for name in ("velocity", "acceleration")
            for part in ("relative", "absolute")
        ),
        ("attributes", "json", "Values of the category's attributes, by name."),
        ("extra", "json", "Everything else: keys of the service that are new, and inexact values."),
    ),
)
"""The columns of `labels_table`: one row for each annotation, and one for each label without any."""

OUTCOME_COLUMNS: tuple[Column, ...] = _of(
    "outcome",
    ("index", "integer", "Position in the input, from 0."),
    ("key", "text", "The name of the sample, or `sample_uuid/labelset`."),
    ("uuid", "text", "The uuid of the sample."),
    ("status", "text", "`created`, `existing`, `updated`, `done`, `skipped`, `failed`, `unsent` or `unknown`."),
    ("succeeded", "true or false", "Whether the item is stored by the service."),
    ("error_type", "text", "The class of the error, such as `NotFoundError`."),
    ("error", "text", "What went wrong."),
    ("error_status", "integer", "The HTTP status of the error, if it was an answer."),
    ("retryable", "true or false", "Whether the same item may succeed later."),
    ("attempts", "integer", "How many times it was sent."),
    ("request_id", "text", "Request id of the last response."),
)
"""The columns of `BulkReport.to_arrow`: one row for each outcome that was kept."""
