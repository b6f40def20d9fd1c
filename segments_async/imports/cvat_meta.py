"""What ``<meta>`` of a CVAT file says: labels with their attributes, and the frames of each task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async.imports.named_categories import NamedCategories, Value, value_of
from segments_async.imports.reading import UnreadableError, size_of, text_of
from segments_async.imports.xml_text import text_in

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_COLOR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_STEP = re.compile(r"step\s*=\s*(\d+)")
_KINDS = {"select": "select", "radio": "select", "checkbox": "checkbox", "number": "number", "text": "text"}


@frozen(kw_only=True)
class CvatTask:
    """The frames of a task."""

    key: str | None = None
    """The id, which tracks of a project refer to."""
    name: str
    frames: int | None = None
    """How many there are; None if the file does not state it."""
    start: int = 0
    """The number of the first frame, as tracks count."""
    step: int = 1
    size: tuple[int, int] | None = None

    def index_of(self, number: Any) -> int:
        """Return the index of a frame."""
        index, rest = divmod(int(number) - self.start, self.step)
        if rest or index < 0 or (self.frames is not None and index >= self.frames):
            raise UnreadableError(f"there is no frame {number}")
        return index

    def number_of(self, index: int) -> int:
        """Return the number of a frame, as tracks and file names count."""
        return self.start + index * self.step


class CvatLabels:
    """The labels of a file; if it does not list them, those that its annotations have."""

    def __init__(self) -> None:
        self._names = NamedCategories()
        self._declared: dict[int, dict[str, dict[str, Any]]] = {}
        self._colors: dict[int, list[int]] = {}

    def add_meta(self, meta: Element) -> None:
        """Read the labels; those with a parent are points of a skeleton."""
        for label in meta.iterfind(".//labels/label"):
            name = text_in(label, "name")
            if name is None or text_in(label, "parent") is not None:
                continue
            number = self._names.id_of(name)
            attributes = map(_declaration, label.iterfind("attributes/attribute"))
            self._declared[number] = {one["name"]: one for one in attributes if one["name"]}
            if color := _COLOR.fullmatch(text_in(label, "color") or ""):
                self._colors[number] = [int(part, 16) for part in color.groups()]

    def id_of(self, name: str | None) -> int:
        """Return the id of a label."""
        if self._declared and text_of(name, "label") not in self._names:
            raise UnreadableError(f"there is no label {name!r}")
        return self._names.id_of(name)

    def note(self, category: int, attributes: dict[str, Any] | None) -> None:
        """Note attributes that CVAT has for all labels, such as ``occluded``."""
        self._names.note(category, attributes)

    def value(self, category: int, name: str, text: str) -> Value:
        """Return the value of an attribute, by its type."""
        kind = self._declared.get(category, {}).get(name, {}).get("input_type")
        return text if kind in {"select", "text"} else value_of(text)

    def as_list(self) -> list[dict[str, Any]]:
        """Return the categories."""
        found = self._names.as_list()
        for category in found:
            declared = self._declared.get(category["id"], {})
            others = [one for one in category.get("attributes", []) if one["name"] not in declared]
            if declared or others:
                category["attributes"] = [*declared.values(), *others]
            if color := self._colors.get(category["id"]):
                category["color"] = color
        return found


def _declaration(attribute: Element) -> dict[str, Any]:
    kind = _KINDS.get(text_in(attribute, "input_type") or "", "text")
    values = [value for value in (text_in(attribute, "values") or "").split("\n") if value]
    declared: dict[str, Any] = {"name": text_in(attribute, "name"), "input_type": kind}
    default = text_in(attribute, "default_value")
    if kind == "select":
        declared["values"] = values
    if default is not None:
        declared["default_value"] = default if kind in {"select", "text"} else value_of(default)
    if (mutable := text_in(attribute, "mutable")) is not None:
        declared["is_track_level"] = mutable != "True"
    return declared


def tasks_of(meta: Element) -> list[CvatTask]:
    """Return the tasks of ``<meta>``: of a task, a job or a project."""
    tasks = [*meta.iterfind("task"), *meta.iterfind("job"), *meta.iterfind("project/tasks/task")]
    return [_task(task) for task in tasks]


def _task(task: Element) -> CvatTask:
    step = _STEP.search(text_in(task, "frame_filter") or "")
    return CvatTask(
        key=text_in(task, "id"),
        name=text_in(task, "name") or text_in(task, "source") or f"task {text_in(task, 'id') or 1}",
        frames=_whole(text_in(task, "size")),
        start=_whole(text_in(task, "start_frame")) or 0,
        step=(int(step[1]) if step else 1) or 1,
        size=size_of(text_in(task, "original_size/width"), text_in(task, "original_size/height")),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
