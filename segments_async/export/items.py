"""The items to export: an image with its label, from a sample or from a frame of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from segments_async._serialization.converter import unstructure
from segments_async._wire.suffixes import split_suffix, url_suffix
from segments_async.errors import ExportError
from segments_async.export.names import safe_part, safe_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.models import ReleaseSample


@frozen(kw_only=True)
class Item:
    """An image and its label."""

    number: int
    """COCO's ``image_id``: the sample's number among the selected samples, from 1."""
    sample: str
    """The sample's name."""
    uuid: str | None
    stem: str
    """The path of its files, relative to the folder and without extension: ``meadow/violet``."""
    suffixes: tuple[str, str]
    """The known suffixes of the sample's name and of the image's URL, such as ``.jpg``; empty if there is none."""
    image_url: str | None
    """None if there is no image, or if fetching it needs the user's own credentials (such as ``s3://``)."""
    bitmap_url: str | None
    annotations: list[dict[str, Any]] | None
    """As JSON; None if the item is not labelled."""
    frame: str | None = None
    """The name of the frame in a sequence."""

    @property
    def unfetched_name(self) -> str:
        """The path of an image file that is not fetched, relative to the folder."""
        return self.stem + (self.suffixes[1] or self.suffixes[0])

    def error(self, problem: str, cause: Exception | None = None) -> ExportError:
        """Return an error that names the sample and the frame."""
        where = "" if self.frame is None else f"frame {self.frame!r}: "
        error = ExportError(where + problem, sample=self.sample, uuid=self.uuid)
        error.__cause__ = cause
        return error


def items_of(sample: ReleaseSample, number: int, labelset: str, *, sequence: bool) -> Iterator[Item]:
    """
    Split a sample into items: one, or one per frame of a sequence.

    Raises:
        ExportError: The sample or its label does not have the structure of its task type.
    """
    label = sample.labels.get(labelset)
    attributes = None if label is None else unstructure(label.attributes)
    source = unstructure(sample.attributes)
    if not sequence:
        yield _item(sample, number, source, attributes)
        return
    labels, sources = (_frames(part, sample) for part in (attributes, source))
    for index, frame in enumerate(labels):
        source_frame = sources[index] if index < len(sources) else None
        name = source_frame.get("name") if isinstance(source_frame, dict) else None
        frame_name = name if isinstance(name, str) else f"{index + 1:05d}"
        yield _item(sample, number, source_frame, frame, frame_name=frame_name)


def _frames(attributes: object, sample: ReleaseSample) -> list[Any]:
    frames = _get(attributes, "frames")
    if frames is None:
        return []
    if not isinstance(frames, list):
        raise ExportError(f"expected a list of frames, got {type(frames).__name__}", sample=sample.name)
    return frames


def _item(
    sample: ReleaseSample, number: int, source: object, attributes: object, *, frame_name: str | None = None
) -> Item:
    name, suffix = split_suffix(sample.name)
    stem = safe_path(name)
    image_url = _get(source, "image", "url")
    return Item(
        number=number,
        sample=sample.name,
        uuid=sample.uuid,
        stem=stem if frame_name is None else f"{stem}-{safe_part(frame_name.replace('/', '_'))}",
        suffixes=(suffix if frame_name is None else "", url_suffix(image_url)),
        image_url=_fetchable(image_url),
        bitmap_url=_fetchable(_get(attributes, "segmentation_bitmap", "url")),
        annotations=_annotations(attributes, sample),
        frame=frame_name,
    )


def _annotations(attributes: object, sample: ReleaseSample) -> list[dict[str, Any]] | None:
    annotations = _get(attributes, "annotations")
    if annotations is None:
        return None
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise ExportError("expected a list of annotations", sample=sample.name, uuid=sample.uuid)
    return annotations


def _get(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _fetchable(url: object) -> str | None:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None
