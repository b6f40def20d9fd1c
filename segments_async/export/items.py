"""What a format is made of: an image and its label, out of a sample or a frame of one."""

from __future__ import annotations

import hashlib
import os
import re
from posixpath import splitext
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import frozen

from segments_async._serialization.converter import unstructure
from segments_async.errors import ExportError, SegmentsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.models import ReleaseSample

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]" if os.name == "posix" else r'[\x00-\x1f\x7f<>:"|?*]')
_LONGEST = 180
"""Bytes of a name; file systems take 255, and suffixes are to come."""


@frozen(kw_only=True)
class Item:
    """An image and its label."""

    number: int
    """COCO's ``image_id``: the sample's place among those that were picked, from 1."""
    sample: str
    """The sample's name."""
    uuid: str
    stem: str
    """Its files, relative to the folder and without extension: ``meadow/violet``."""
    extension: str
    """Of the image, with its dot."""
    image_url: str | None
    """None if there is none, or if it cannot be fetched without credentials of the user's."""
    bitmap_url: str | None
    annotations: list[dict[str, Any]] | None
    """As JSON; None if it is not labelled."""
    frame: str | None = None
    """The frame's name, of a sequence."""

    @property
    def image_name(self) -> str:
        """The image's file, relative to the folder."""
        return self.stem + self.extension

    def error(self, problem: str, cause: SegmentsError | None = None) -> ExportError:
        """Name the item beside what is wrong with it."""
        where = "" if self.frame is None else f"frame {self.frame!r}: "
        error = ExportError(where + problem, sample=self.sample, uuid=self.uuid)
        error.__cause__ = cause
        return error


def items_of(sample: ReleaseSample, number: int, labelset: str, *, sequence: bool) -> Iterator[Item]:
    """
    Take a sample apart.

    Raises:
        ExportError: It has not the shape that its task type promises.
    """
    label = sample.labels.get(labelset)
    attributes = None if label is None else unstructure(label.attributes)
    source = unstructure(sample.attributes)
    if not sequence:
        yield _item(sample, number, source, attributes)
        return
    labels, sources = (_frames(part, sample) for part in (attributes, source))
    for index, frame in enumerate(labels):
        origin = sources[index] if index < len(sources) else None
        name = origin.get("name") if isinstance(origin, dict) else None
        shown = name if isinstance(name, str) else f"{index + 1:05d}"
        yield _item(sample, number, origin, frame, frame_name=shown)


def _frames(attributes: object, sample: ReleaseSample) -> list[Any]:
    frames = _at(attributes, "frames")
    if frames is None:
        return []
    if not isinstance(frames, list):
        raise ExportError(f"expected a list of frames, got {type(frames).__name__}", sample=sample.name)
    return frames


def _item(
    sample: ReleaseSample, number: int, source: object, attributes: object, *, frame_name: str | None = None
) -> Item:
    stem = safe_path(splitext(sample.name)[0])
    image_url = _at(source, "image", "url")
    return Item(
        number=number,
        sample=sample.name,
        uuid=sample.uuid,
        stem=stem if frame_name is None else f"{stem}-{_safe_part(frame_name.replace('/', '_'))}",
        extension=_extension(image_url),
        image_url=_fetchable(image_url),
        bitmap_url=_fetchable(_at(attributes, "segmentation_bitmap", "url")),
        annotations=_annotations(attributes, sample),
        frame=frame_name,
    )


def _annotations(attributes: object, sample: ReleaseSample) -> list[dict[str, Any]] | None:
    annotations = _at(attributes, "annotations")
    if annotations is None:
        return None
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise ExportError("expected a list of annotations", sample=sample.name, uuid=sample.uuid)
    return annotations


def _at(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _extension(url: object) -> str:
    try:
        return _safe_part(splitext(urlsplit(url).path)[1]) if isinstance(url, str) else ""
    except ValueError:  # no URL at all
        return ""


def _fetchable(url: object) -> str | None:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None


def safe_path(name: str) -> str:
    """
    Make a relative path of a name, which stays inside the folder it is put in.

    Example:
        >>> safe_path("../../etc/passwd")
        'etc/passwd'
    """
    parts = [_safe_part(part) for part in name.replace("\\", "/").split("/") if part.strip(" .")]
    return "/".join(parts) or "_"


def _safe_part(part: str) -> str:
    safe = _UNSAFE.sub("_", part).encode("utf-8", "replace").decode()
    if len(safe.encode()) <= _LONGEST:
        return safe
    digest = hashlib.sha256(part.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{safe.encode()[: _LONGEST - 17].decode('utf-8', 'ignore')}-{digest}"
