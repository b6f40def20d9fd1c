"""The options of an export of any format, its report, and the errors of samples."""

from __future__ import annotations

import stat
from collections import Counter
from typing import TYPE_CHECKING, Literal, get_args

from attrs import field, frozen

from segments_async._validators import is_count
from segments_async._wire.arguments import check_on_error
from segments_async.errors import ExportError, InputError
from segments_async.models.datasets import GROUND_TRUTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from segments_async._wire.arguments import OnError
    from segments_async.bulk import Progress
    from segments_async.errors import DecodeError
    from segments_async.models import ReleaseDataset

ExportFormat = Literal[
    "coco-instance",
    "coco-panoptic",
    "instance",
    "instance-color",
    "parquet",
    "polygon",
    "semantic",
    "semantic-color",
    "yolo",
]
"""The formats of ``client.releases.export``."""
PARQUET = "parquet"

BITMAPS = frozenset({"segmentation-bitmap", "segmentation-bitmap-highres"})
SHAPES = frozenset({"vector", "bboxes", "keypoints"})
SEQUENCE = "image-vector-sequence"
_NOT_OF_TABLES = {"id_increment": None, "image_size": None, "refresh": False}
"""Options that are about images and classes, with their defaults."""
_TASK_TYPES: dict[str, frozenset[str]] = {
    **dict.fromkeys(get_args(ExportFormat), BITMAPS),
    "coco-instance": BITMAPS | SHAPES,
    "yolo": frozenset({"vector", "bboxes", SEQUENCE}),
}


@frozen(kw_only=True)
class Plan:
    """The options of an export; ``client.releases.export`` explains them."""

    folder: Path
    format: ExportFormat
    labelset: str = GROUND_TRUTH
    label_status: str | Iterable[str] | None = None
    metadata: Mapping[str, object] | str | Iterable[str] | None = None
    id_increment: int | None = None
    images: bool = True
    image_size: tuple[int, int] | None = None
    refresh: bool = False
    overwrite: bool = False
    on_error: OnError = "raise"
    concurrency: int | None = None
    progress: Callable[[Progress], None] | None = None

    def check(self) -> None:
        """
        Check the options.

        Raises:
            InputError: An option is invalid; `path` names it.
        """
        if self.format not in _TASK_TYPES:
            raise InputError(f"expected one of {', '.join(sorted(_TASK_TYPES))}, got {self.format!r}", path="format")
        check_on_error(self.on_error)
        if self.id_increment is not None and not is_count(self.id_increment):
            raise InputError(f"expected an integer, got {self.id_increment!r}", path="id_increment")
        for name in ("images", "refresh", "overwrite"):
            if not isinstance(value := getattr(self, name), bool):
                raise InputError(f"expected True or False, got {value!r}", path=name)
        if self.image_size is not None and not _is_size(self.image_size):
            raise InputError(f"expected (width, height) in pixels, got {self.image_size!r}", path="image_size")
        if self.format == PARQUET:
            self._refuse_options_of_images()
        self._check_folder()

    def _refuse_options_of_images(self) -> None:
        for name, default in _NOT_OF_TABLES.items():
            if getattr(self, name) != default:
                raise InputError(f"{PARQUET!r} has neither images nor classes, so it has no such option", path=name)

    def _check_folder(self) -> None:
        try:
            is_folder = stat.S_ISDIR(self.folder.stat().st_mode)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:  # the name is too long, or contains a null character
            problem = getattr(error, "strerror", None) or error
            raise InputError(f"cannot be used ({problem}): {self.folder}", path="folder") from error
        if not is_folder:
            raise InputError(f"is not a folder: {self.folder}", path="folder")

    def check_task_type(self, task_type: str | None) -> None:
        """
        Check that the format supports labels of *task_type*; tables have all of them.

        Raises:
            InputError: It does not; the message lists the task types that it supports.
        """
        supported = _TASK_TYPES[self.format]
        if self.format != PARQUET and task_type not in supported:
            names = ", ".join(sorted(supported))
            raise InputError(
                f"{self.format!r} supports labels of {names}; this release has {task_type or 'no task type'!r}",
                path="format",
            )


def _is_size(size: object) -> bool:
    return (
        isinstance(size, tuple | list)
        and len(size) == 2  # noqa: PLR2004
        and all(is_count(side) and side > 0 for side in size)
    )


@frozen(kw_only=True)
class ExportReport:
    """
    What an export wrote, and what it left out.

    Example::

        report = await client.releases.export("flowers-v1.json", "out", "coco-instance", on_error="skip")
        for failure in report.failures:
            print(failure.sample, failure.problem)
    """

    file: Path | None
    """The JSON file of COCO and polygons, the ``data.yaml`` of YOLO; None for formats without such a file."""
    folder: Path
    """The folder of the images, and of the format's files for each sample; of Parquet, that of both files."""
    samples: int
    """Samples (of sequences: frames) that were exported."""
    unlabeled: int
    """Samples (of sequences: frames) without a label, which are not exported; in Parquet, they are in the samples."""
    left_out: Mapping[str, int] = field(factory=Counter)
    """
    Counts of what the format cannot represent, or what does not fit together: polylines, shapes outside the image,
    boxes and polygons without area, coordinates that are not numbers, annotations without pixels and so on.
    """
    failures: list[ExportError] = field(factory=list)
    """With ``on_error="skip"``: the errors of samples that could not be exported, in the order of the release."""
    elapsed: float = 0.0
    """Seconds."""


def owner_of(dataset: ReleaseDataset) -> str:
    """Return the name of the owner, which a release has alone or with more about the user; empty if it has none."""
    return dataset.owner if isinstance(dataset.owner, str) else getattr(dataset.owner, "username", "")


def foreign_error(error: Exception, sample: str, uuid: str | None) -> ExportError:
    """Return the error of a sample that provoked an exception of another kind, which becomes the cause."""
    failure = ExportError(f"{type(error).__name__}: {error}", sample=sample, uuid=uuid)
    failure.__cause__ = error
    return failure


def as_export_error(error: DecodeError) -> ExportError:
    """Convert the error of a sample that does not decode, and name the sample."""
    raw = error.payload if isinstance(error.payload, dict) else {}
    uuid = raw.get("uuid")
    failure = ExportError(str(error), sample=str(raw.get("name")), uuid=uuid if isinstance(uuid, str) else None)
    failure.__cause__ = error
    return failure
