"""
Read the folders of nuScenes from its JSON tables; the development kit is not needed.

Source: the schema of nuScenes 1.0 (nuscenes-devkit, docs/schema_nuscenes.md).
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np

from segments_async._releases.text import JsonText
from segments_async.errors import DecodeError, InputError
from segments_async.models import PCDType
from segments_async.pointclouds.kitti import scene_camera
from segments_async.pointclouds.rigid import Rigid
from segments_async.pointclouds.scenes import Scene, SceneCamera, SceneFrame, folder_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    Row = dict[str, Any]

T = TypeVar("T")
LIDAR = "LIDAR_TOP"
CAMERAS = ("CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_LEFT", "CAM_BACK", "CAM_BACK_RIGHT")
_MICROSECOND = 1_000


def nuscenes_scenes(
    folder: str | os.PathLike[str],
    version: str | None = None,
    *,
    scenes: Sequence[str] | None = None,
    cameras: Sequence[str] = CAMERAS,
    lidar: str = LIDAR,
) -> Iterator[Scene]:
    """
    Read the scenes of nuScenes: their key frames, with poses and calibrated images.

    The tables are read row by row; only rows of key frames of the chosen sensors stay in memory.

    Example::

        drives = nuscenes_scenes("/data/nuscenes", "v1.0-mini", scenes=["scene-0061"])
        report = await client.samples.upload_files("jane/drives", (drive.upload() for drive in drives))

    Args:
        folder: The folder that contains ``samples`` and the folder of the tables.
        version: The name of the folder of the tables, such as ``"v1.0-trainval"``; may be left out if there is one.
        scenes: Names of scenes; all by default.
        cameras: The cameras, in the order of the images.
        lidar: The sensor of the point clouds.

    Returns:
        The scenes. The coordinates of a frame are those of its point cloud, as the service wants them; the pose of a
        camera considers that the vehicle moves between the point cloud and the image. World coordinates are those of
        nuScenes, minus the first position, which is in the metadata as ``origin``.

    Raises:
        InputError: There is no such folder, version, scene or sensor.
        DecodeError: A table is missing or damaged.
    """
    root = folder_of(folder)
    tables_folder = _version_folder(root, version)
    with _damage(tables_folder):
        tables = _Tables(tables_folder, lidar, cameras)
        rows = list(tables.rows("scene"))
        unknown = sorted(set(scenes or ()) - {row["name"] for row in rows})
    if unknown:
        raise InputError(f"there is no scene {unknown[0]!r}", path="scenes")
    for row in rows:
        if scenes is None or row["name"] in scenes:
            with _damage(tables_folder):
                scene = tables.scene(row, root)
            yield scene


@contextmanager
def _damage(folder: Path) -> Iterator[None]:
    """Turn errors about the values of the tables into a `DecodeError`."""
    try:
        yield
    except KeyError as error:
        raise DecodeError(f"has a row without {error}", path=str(folder)) from error
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError) and error.path != "rotation":
            raise
        raise DecodeError(f"has a row that does not fit: {error}", path=str(folder)) from error


def _version_folder(root: Path, version: str | None) -> Path:
    found = sorted(path.parent.name for path in root.glob("*/sample_data.json"))
    if version is None and len(found) != 1:
        raise InputError(f"expected one of the folders with tables: {found or 'there are none'}", path="version")
    if version is not None and version not in found:
        raise InputError(f"there are no tables in {version!r}; expected one of {found}", path="version")
    return root / (version or found[0])


class _Tables:
    """The tables of a version, as far as the key frames of the chosen sensors need them."""

    def __init__(self, folder: Path, lidar: str, cameras: Sequence[str]) -> None:
        self._folder = folder
        self._lidar, self._cameras = lidar, list(cameras)
        channels = {row["token"]: row["channel"] for row in self.rows("sensor")}
        unknown = next((name for name in (lidar, *cameras) if name not in channels.values()), None)
        if unknown is not None:
            raise InputError(
                f"there is no sensor {unknown!r}; expected one of {sorted(channels.values())}", path="cameras"
            )
        wanted = {token for token, channel in channels.items() if channel in {lidar, *cameras}}
        self._sensors = {row["token"]: row for row in self.rows("calibrated_sensor") if row["sensor_token"] in wanted}
        self._channel = {token: channels[row["sensor_token"]] for token, row in self._sensors.items()}
        self._data: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        for row in self.rows("sample_data"):
            if row["is_key_frame"] and row["calibrated_sensor_token"] in self._sensors:
                self._data[row["sample_token"]][self._channel[row["calibrated_sensor_token"]]] = row
        poses = {row["ego_pose_token"] for found in self._data.values() for row in found.values()}
        self._poses = {row["token"]: _transform(row) for row in self.rows("ego_pose") if row["token"] in poses}
        self._samples = {row["token"]: row for row in self.rows("sample")}
        self._logs = {row["token"]: row for row in self.rows("log")}

    def rows(self, table: str) -> Iterator[Row]:
        """Read a table row by row."""
        path = self._folder / f"{table}.json"
        try:
            with path.open("rb") as file:
                yield from _array(file, path)
        except FileNotFoundError as error:
            raise DecodeError("is missing", path=str(path)) from error

    def scene(self, row: Row, root: Path) -> Scene:
        """Return a scene with its key frames."""
        frames: list[SceneFrame] = []
        origin = np.zeros(3)
        for data in self._key_frames(row):
            lidar = self._place(data[self._lidar])
            origin = origin if frames else lidar.translation
            cameras = tuple(self._camera(data[name], name, lidar, root) for name in self._cameras if name in data)
            path, time = root / data[self._lidar]["filename"], data[self._lidar]["timestamp"] * _MICROSECOND
            frames.append(SceneFrame(path, PCDType.NUSCENES, lidar.moved(origin).pose(), time, cameras))
        log = self._logs.get(row.get("log_token", ""), {})
        metadata = {"description": row.get("description", ""), "location": log.get("location", "")}
        return Scene(row["name"], frames, {**metadata, "origin": origin.tolist()})

    def _key_frames(self, row: Row) -> Iterator[dict[str, Row]]:
        """Follow the samples of a scene; those without a point cloud are left out."""
        token, seen = row["first_sample_token"], set[str]()
        while token:
            if token in seen:
                problem = f"the samples of {row['name']} follow each other in a circle"
                raise DecodeError(problem, path=str(self._folder / "sample.json"))
            seen.add(token)
            data = self._data.get(token, {})
            if self._lidar in data:
                yield data
            token = self._find(self._samples, token, "sample")["next"]

    def _camera(self, row: Row, name: str, lidar: Rigid, root: Path) -> SceneCamera:
        matrix = np.array(self._sensors[row["calibrated_sensor_token"]]["camera_intrinsic"], np.float64)
        if matrix.shape != (3, 3):
            problem = f"the sensor {name!r} has no intrinsics, so it is not a camera"
            raise DecodeError(problem, path=str(self._folder / "calibrated_sensor.json"))
        return scene_camera(root / row["filename"], name, matrix, lidar.inverse() @ self._place(row))

    def _place(self, row: Row) -> Rigid:
        """From the coordinates of a sensor to those of the world, when it took this row."""
        ego = self._find(self._poses, row["ego_pose_token"], "ego_pose")
        return ego @ _transform(self._sensors[row["calibrated_sensor_token"]])

    def _find(self, rows: dict[str, T], token: str, table: str) -> T:
        if token not in rows:
            raise DecodeError(f"has no row {token!r}", path=str(self._folder / f"{table}.json"))
        return rows[token]


def _transform(row: Row) -> Rigid:
    return Rigid.from_wxyz(row["rotation"], row["translation"])


def _array(file: IO[bytes], path: Path) -> Iterator[Row]:
    text = JsonText(file, str(path))
    text.take("[")
    if text.peek() == "]":
        return
    while True:
        row = text.value()
        if not isinstance(row, dict):
            raise DecodeError("has something else than rows", path=str(path))
        yield row
        if text.take(",]") == "]":
            return
