"""Recorded drives: point clouds with poses and calibrated cameras, and the samples that are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from segments_async._counting import counted
from segments_async._validators import is_count
from segments_async.errors import DecodeError, InputError
from segments_async.models import (
    PCD,
    Asset,
    CalibratedImage,
    CameraConvention,
    CameraExtrinsics,
    CameraIntrinsics,
    EgoPose,
    FileSample,
    PointcloudSampleAttributes,
    PointcloudSequenceSampleAttributes,
    SampleCreate,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping


@frozen
class SceneCamera:
    """An image of a frame, and the calibration of its camera."""

    path: Path
    """The file."""
    name: str
    """The name of the camera."""
    intrinsics: CameraIntrinsics
    """Its projection."""
    extrinsics: CameraExtrinsics
    """Its pose, relative to the point cloud; the axes are OpenCV's."""

    def image(self, url: str) -> CalibratedImage:
        """Return the image at *url*."""
        return CalibratedImage(
            url=url,
            name=self.name,
            intrinsics=self.intrinsics,
            extrinsics=self.extrinsics,
            camera_convention=CameraConvention.OPEN_CV,
        )


@frozen
class SceneFrame:
    """A point cloud, and the images that were taken at the same time."""

    path: Path
    """The file of the point cloud."""
    type: str
    """Its format, one of `PCDType`."""
    pose: EgoPose
    """From the coordinates of the point cloud to those of the scene, whose origin is the first frame."""
    timestamp: int | None
    """Nanoseconds; None if unknown."""
    cameras: tuple[SceneCamera, ...] = ()
    """The images."""

    @property
    def files(self) -> list[Path]:
        """The files of the frame: the point cloud, then the images."""
        return [self.path, *(camera.path for camera in self.cameras)]

    def attributes(self, urls: Iterator[str]) -> PointcloudSampleAttributes:
        """Return the frame with the next *urls*, in the order of `files`."""
        return PointcloudSampleAttributes(
            pcd=PCD(url=next(urls), type=self.type),
            images=[camera.image(next(urls)) for camera in self.cameras] or None,
            ego_pose=self.pose,
            timestamp=self.timestamp,
        )


@frozen
class Scene:
    """
    A recorded drive, which becomes one sample: a sequence of point clouds.

    Example::

        scenes = kitti_scenes("2011_09_26")
        report = await client.samples.upload_files("jane/drives", (scene.upload() for scene in scenes))
    """

    name: str
    """The name of the sample."""
    frames: list[SceneFrame] = field(repr=lambda frames: f"<{counted(len(frames), 'frame')}>")
    """The frames, in order."""
    metadata: Mapping[str, Any] = field(factory=dict)
    """The metadata of the sample, such as the place."""

    @property
    def files(self) -> list[Path]:
        """All files of the scene."""
        return [path for frame in self.frames for path in frame.files]

    def upload(self) -> FileSample:
        """
        Return an item for ``samples.upload_files``, which uploads the files and creates the sample.

        Example::

            report = await client.samples.upload_files("jane/drives", [scene.upload()], checkpoint="drives.db")

        Raises:
            InputError: A file of the scene is missing.
        """
        missing = next((path for path in self.files if not path.is_file()), None)
        if missing is not None:
            raise InputError(f"there is no file {missing}", path=self.name)
        return FileSample(self.name, self.files, self._from_assets, metadata=self.metadata or None)

    def sample(self, url_of: Callable[[Path], str]) -> SampleCreate:
        """
        Return an item for ``samples.create_many``, whose files are in a bucket already.

        Example::

            root = Path("/data/nuscenes")
            items = [scene.sample(lambda path: f"s3://drives/{path.relative_to(root)}") for scene in scenes]
            report = await client.samples.create_many("jane/drives", items)

        Args:
            url_of: Returns the address of a file.
        """
        return SampleCreate(self.name, self._attributes(map(url_of, self.files)), metadata=self.metadata or None)

    def split(self, frames: int) -> list[Scene]:
        """
        Divide a long scene into several, as sequences of thousands of frames are hard to label.

        Example::

            parts = [part for scene in scenes for part in scene.split(100)]

        Args:
            frames: The greatest number of frames of a part.

        Returns:
            Scenes with ``-000``, ``-001`` and so on appended to their names, in the coordinates of the whole scene.

        Raises:
            InputError: *frames* is not a whole number above 0.
        """
        if not is_count(frames) or frames < 1:
            raise InputError(f"expected a whole number of at least 1, got {frames!r}", path="frames")
        return [
            attrs.evolve(self, name=f"{self.name}-{number:03}", frames=self.frames[start : start + frames])
            for number, start in enumerate(range(0, len(self.frames), frames))
        ]

    def _from_assets(self, assets: list[Asset]) -> PointcloudSequenceSampleAttributes:
        return self._attributes(iter([asset.url for asset in assets]))

    def _attributes(self, urls: Iterator[str]) -> PointcloudSequenceSampleAttributes:
        return PointcloudSequenceSampleAttributes(frames=[frame.attributes(urls) for frame in self.frames])


def read_text(path: Path) -> str:
    """
    Read a small text file of a folder.

    Raises:
        DecodeError: It is missing, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DecodeError("is missing", path=str(path)) from error
    except UnicodeDecodeError as error:
        raise DecodeError("is not a text", path=str(path)) from error


def folder_of(folder: str | os.PathLike[str]) -> Path:
    """
    Check a folder.

    Raises:
        InputError: It is not a folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"there is no folder {path}", path="folder")
    return path
