"""Make a sample of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async.models import SampleCreate

if TYPE_CHECKING:
    from segments_async.tables.cells import TableRow

METADATA = "metadata."
"""Before the key of metadata that has a column of its own."""
_SETTINGS = ("metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme")


def make_sample(row: TableRow) -> SampleCreate:
    """
    Make the sample of a row.

    Raises:
        InputError: A value is missing, or does not go with another one.
    """
    values = row.values
    if "name" not in values:
        raise row.error("no name", "name")
    extra = values.get("extra", {})
    settings = {key: values.get(key, extra.get(key)) for key in _SETTINGS}
    metadata = {name.removeprefix(METADATA): value for name, value in values.items() if name.startswith(METADATA)}
    if metadata:
        settings["metadata"] = {**(settings["metadata"] or {}), **metadata}
    return SampleCreate(values["name"], _attributes_of(row), **settings)


def _attributes_of(row: TableRow) -> dict[str, Any]:
    values = row.values
    attributes = dict(values.get("attributes", {}))
    if "url" in values and "urls" in values:
        raise row.error("a sample has either a url or urls", "urls")
    if "url" in values:
        _set_file(attributes, row, "url", values["url"])
    elif "urls" in values:
        urls = values["urls"]
        frames = attributes.setdefault("frames", [{} for _ in urls])
        if not isinstance(frames, list) or len(frames) != len(urls):
            raise row.error(f"{counted(len(urls), 'url')}, but another number of frames in attributes", "urls")
        for frame, url in zip(frames, urls, strict=True):
            _set_file(frame, row, "urls", url)
    elif not attributes:
        raise row.error("no url, urls or attributes")
    return attributes


def _set_file(place: Any, row: TableRow, name: str, url: str) -> None:
    kind = row.values.get("pcd_type")
    if kind is None and row.values.get("sample_type", "").startswith("pointcloud"):
        kind = "pcd"
    key = "image" if kind is None else "pcd"
    if not isinstance(place, dict) or key in place:
        raise row.error(f"attributes have another {key}", name)
    place[key] = {"url": url} if kind is None else {"url": url, "type": kind}
