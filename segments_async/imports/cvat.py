"""
CVAT's XML: "CVAT for images", and "CVAT for video", whose tracks become sequences.

Source: docs.cvat.ai, "XML annotation format". Of images, objects are drawn in the order of ``z_order``. A turned box
becomes a polygon of four points, an ellipse one of 36 points. ``occluded``, ``group_id``, ``score`` and attributes
become attributes, and tags of an image attributes of the image. Where an annotation comes from (``source``) is not
imported. Of a video, each task is a sequence; its frames are the images ``frame_000000.png`` and so on.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from segments_async.errors import InputError
from segments_async.imports.cvat_frames import CvatFrames
from segments_async.imports.cvat_meta import CvatLabels, CvatTask, tasks_of
from segments_async.imports.cvat_shapes import SKELETONS, TAGS, CvatShapes
from segments_async.imports.cvat_tracks import TrackIds, parts_of, whole_track
from segments_async.imports.formats import Format
from segments_async.imports.peek import readable
from segments_async.imports.reading import UnreadableError, normalized, note_problem, size_of
from segments_async.imports.shapes import ImportProblem, SourceImage
from segments_async.imports.xml_text import root_tag, xml_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from segments_async.imports.peek import Peek
    from segments_async.imports.shapes import SourceObject

MAX_FRAMES = 1_000_000
MAX_LISTED = 1000
OTHERS = "elements <{}>"
_FILE = "annotations.xml"


class Cvat:
    """Reads CVAT's XML, or a folder that has it."""

    def __init__(self, path: Path, images: Path | None) -> None:
        self._path = path
        self._folder = images
        self._labels = CvatLabels()
        self._tasks: list[CvatTask] = []
        self._count = 0
        self._last_frame = -1
        self._track_ids: set[int] = set()
        self._has_tracks = False
        self.problems: list[ImportProblem] = []
        self.left_out: Counter[str] = Counter()

    def open(self) -> None:
        """Read the whole file once: the labels, the tasks, and how many images there are."""
        with readable(self._path):
            self._file = self._path / _FILE if self._path.is_dir() else self._path
            self._frames = CvatFrames(self._file.parent, self._folder)
            children = xml_children(self._file)
            if next(children).tag != "annotations":
                raise InputError(f"is not CVAT: it has no element <annotations>: {self._file}", path="path")
            numbers: Counter[str] = Counter()
            for element in children:
                self._look_at(element, numbers[element.tag])
                numbers[element.tag] += 1
        if self._count and self._has_tracks:
            raise InputError("has images and tracks; export the tracks as 'CVAT for video'", path="path")
        if self._has_tracks:
            self._tasks = self._tasks or [CvatTask(name=self._file.stem)]

    def _look_at(self, element: Element, number: int) -> None:
        match element.tag:
            case "meta":
                self._labels.add_meta(element)
                self._tasks = tasks_of(element)
            case "image":
                problems: list[ImportProblem] = []
                with note_problem(problems, f"image[{number}]"):
                    self._image(element)
                    self._count += 1
                if len(self.problems) < MAX_LISTED:
                    self.problems += problems
            case "track":
                self._has_tracks = True
                self._track_ids |= {int(key) for key in [element.get("id") or ""] if key.isdecimal()}
                for shape in element.iter():
                    if (shape.get("frame") or "").isdecimal():
                        self._last_frame = max(self._last_frame, int(shape.get("frame") or 0))
                self._note_attributes(element)
            case "version":
                pass
            case tag:
                self.left_out[OTHERS.format(tag)] += 1

    def _note_attributes(self, track: Element) -> None:
        """Read a track to find the types of its attributes."""
        shapes = CvatShapes(self._labels, (1, 1), Counter(), Counter())
        for shape in (shape for part in parts_of(track) for shape in part):
            with note_problem([], ""):
                shapes.objects_of(shape, track.get("label"), track.get("group_id"), "")

    @property
    def categories(self) -> list[dict[str, Any]]:
        """The labels, numbered from 1."""
        return self._labels.as_list()

    @property
    def task_type(self) -> str:
        """Sequences of tracks, or shapes."""
        return "image-vector-sequence" if self._has_tracks else "vector"

    def __len__(self) -> int:
        """Return the number of images, or of sequences."""
        return len(self._tasks) if self._has_tracks else self._count

    def images(self) -> Iterator[SourceImage]:
        """Iterate over the images, or over the sequences."""
        if self._has_tracks:
            yield from map(self._sequence, self._tasks)
            return
        for element in xml_children(self._file):
            if element.tag == "image":
                with note_problem([], ""):  # open() has listed it
                    yield self._image(element)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _image(self, element: Element) -> SourceImage:
        name = normalized(element.get("name") or "")
        if not name.strip("."):
            raise UnreadableError("it has no name")
        image = SourceImage(name=name, size=size_of(element.get("width"), element.get("height")))
        image.file = self._frames.file_of(name, element.get("subset"))
        shapes = CvatShapes(self._labels, image.size, image.changed, image.left_out)
        drawn: list[tuple[int, list[SourceObject]]] = []
        for index, child in enumerate(element):
            where = f"image {element.get('id', '?')}: {child.tag}[{index}]"
            with note_problem(image.problems, where, name):
                if child.tag == "tag":
                    self._add_tag(image, child)
                elif child.tag in TAGS:
                    objects = shapes.objects_of(child, child.get("label"), child.get("group_id"), where)
                    drawn.append((int(child.get("z_order") or 0), objects))
                else:
                    image.left_out[OTHERS.format(child.tag)] += 1
        for _, objects in sorted(drawn, key=lambda one: one[0]):
            image.objects += objects
        return image

    def _add_tag(self, image: SourceImage, tag: Element) -> None:
        label = tag.get("label")
        category = self._labels.id_of(label)
        attributes = image.image_attributes = image.image_attributes or {}
        attributes[label or ""] = True
        for attribute in tag.iterfind("attribute"):
            name = attribute.get("name") or ""
            attributes[f"{label} {name}"] = self._labels.value(category, name, (attribute.text or "").strip())

    def _sequence(self, task: CvatTask) -> SourceImage:
        frames = task.frames
        if frames is None:
            frames = max(0, (self._last_frame - task.start) // task.step + 1)
        sequence = SourceImage(name=normalized(task.name) or "video")
        if frames > MAX_FRAMES:
            sequence.problems.append(ImportProblem(sequence.name, f"{frames} frames are too many"))
            frames = 0
        sequence.frames = [
            SourceImage(name=name, size=task.size, file=file) for name, file in self._frames.of(task, frames)
        ]
        ids = TrackIds(self._track_ids)
        index = -1
        for element in xml_children(self._file):
            if element.tag != "track":
                continue
            index += 1
            if len(self._tasks) == 1 or element.get("task_id") == task.key:
                with note_problem(sequence.problems, f"track[{index}]", sequence.name):
                    self._add_track(sequence, element, task, partial(ids.of, index, element.get("id")))
        return sequence

    def _add_track(self, sequence: SourceImage, track: Element, task: CvatTask, id_of: Callable[[Any], int]) -> None:
        frames = sequence.frames or []
        label, group, key = track.get("label"), track.get("group_id"), track.get("id")
        changed: Counter[str] = Counter()
        for part in parts_of(track):
            given = self._given_shapes(sequence, track, part, task)
            shapes = CvatShapes(self._labels, task.size, changed, Counter())
            for index, child, is_keyframe in whole_track(sorted(given.items()), len(frames), changed):
                where = f"track {key}, frame {task.number_of(index)}"
                for number, found in enumerate(shapes.objects_of(child, label, group, where)):
                    track_id = id_of((found.attributes or {}).get("keypoint", number))
                    frames[index].objects.append(evolve(found, track_id=track_id, is_keyframe=is_keyframe))
        changed[SKELETONS] = min(changed[SKELETONS], 1)
        sequence.changed += changed

    def _given_shapes(
        self, sequence: SourceImage, track: Element, part: list[Element], task: CvatTask
    ) -> dict[int, Element]:
        """Return the shapes that can be read, by the index of their frame."""
        shapes = CvatShapes(self._labels, task.size, Counter(), sequence.left_out)
        given: dict[int, Element] = {}
        for child in part:
            where = f"track {track.get('id')}, frame {child.get('frame')}"
            with note_problem(sequence.problems, where, sequence.name):
                if child.tag not in TAGS:
                    raise UnreadableError(f"unexpected element <{child.tag}>")
                shapes.objects_of(child, track.get("label"), track.get("group_id"), where)
                given[task.index_of(child.get("frame"))] = child
        return given


def _recognizes(seen: Peek) -> bool:
    if seen.is_folder:
        path = seen.path / _FILE
        return _FILE in seen.names and path.is_file() and root_tag(path) == "annotations"
    return seen.xml_root == "annotations"


FORMAT = Format(
    name="cvat",
    looks_like="an XML file with the element <annotations>, often 'annotations.xml', or its folder",
    recognizes=_recognizes,
    reader=Cvat,
)
