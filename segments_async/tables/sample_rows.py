"""The row of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._arrow.batches import fits
from segments_async._arrow.columns import SAMPLE_COLUMNS
from segments_async.tables.moving import move, move_one, rest_text, types_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments_async._arrow.columns import ColumnType
    from segments_async.tables.moving import Object, Row

_SAMPLE = types_of(
    SAMPLE_COLUMNS,
    [
        *("uuid", "name", "data_type", "metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme"),
        *("created_at", "created_by"),
    ],
)
_LABEL: Mapping[str, tuple[str, ColumnType]] = {
    "label_status": ("label_status", "text"),
    "score": ("label_score", "number"),
    "updated_at": ("label_updated_at", "time"),
    "created_by": ("label_created_by", "text"),
    "reviewed_by": ("label_reviewed_by", "text"),
}


def sample_row(sample: Object, labelset: str | None) -> Row:
    """
    Return the row of a sample.

    Args:
        sample: The sample as plain JSON, which is taken apart.
        labelset: The labelset of the label columns, for a sample of a release.
    """
    row: Row = {}
    _move_label(sample, row, labelset)
    move(sample, row, _SAMPLE)
    for key in ("dataset", "dataset_full_name"):
        if "dataset" not in row or sample.get(key) == row["dataset"]:
            move_one(sample, key, row, "dataset", "text")
    _move_attributes(sample, row)
    row["extra"] = rest_text(sample)
    return row


def _move_label(sample: Object, row: Row, labelset: str | None) -> None:
    """Copy what the label columns have; the label itself is for `labels_table`."""
    labels, label = sample.pop("labels", None), sample.pop("label", None)
    if type(labels) is dict and labelset is not None:
        label = labels.get(labelset)
    if type(label) is dict:
        for key, (name, kind) in _LABEL.items():
            move_one(label, key, row, name, kind)


def _move_attributes(sample: Object, row: Row) -> None:
    attributes = sample.get("attributes")
    if type(attributes) is not dict:
        move_one(sample, "attributes", row, "attributes", "json")
        return
    if type(attributes.get("sensors")) is list:
        row["sample_type"] = "multi-sensor"
    elif type(attributes.get("frames")) is list:
        _move_frames(attributes, row)
    elif (kind := _kind_of(attributes)) is not None:
        row["sample_type"] = _TYPES[kind]
        _move_file(attributes, kind, row)
    if attributes or "sample_type" not in row:
        move_one(sample, "attributes", row, "attributes", "json")
    else:
        del sample["attributes"]


_TYPES = {"image": "image", "pcd": "pointcloud"}


def _kind_of(place: Any) -> str | None:
    """Return the key of the file of an image, a point cloud or a frame."""
    if type(place) is not dict:
        return None
    return next((key for key in _TYPES if type(place.get(key)) is dict), None)


def _has_file(place: Object, kind: str) -> bool:
    """Return whether the file is described by nothing but the values that have columns."""
    file = place[kind]
    keys = {"url"} if kind == "image" else {"url", "type"}
    return file.keys() == keys and all(fits(value, "text") for value in file.values())


def _move_file(attributes: Object, kind: str, row: Row) -> None:
    if _has_file(attributes, kind):
        file = attributes.pop(kind)
        row["url"] = file["url"]
        if kind == "pcd":
            row["pcd_type"] = file["type"]


def _move_frames(attributes: Object, row: Row) -> None:
    """Move the URLs of the frames, if all frames are of one kind; an object for each frame stays if any needs one."""
    frames = attributes["frames"]
    kinds = {_kind_of(frame) for frame in frames}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        return
    row["sample_type"] = f"{_TYPES[kind]}-sequence"
    formats = {frame[kind].get("type") for frame in frames if _has_file(frame, kind)}
    if len(formats) != 1 or not all(_has_file(frame, kind) for frame in frames):
        return
    row["urls"] = [frame.pop(kind)["url"] for frame in frames]
    if kind == "pcd":
        row["pcd_type"] = formats.pop()
    if not any(frames):
        del attributes["frames"]
