"""
Record what the official SDK's point cloud helpers return, for `official_sdk.json`.

They need Open3D, of 310 MB, and pyquaternion, which are not among the test dependencies.

Run it where ``segments-ai==1.33.0``, ``open3d``, ``pyquaternion`` and ``plyfile`` are installed:
``python tests/pointclouds/record_official_sdk.py``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from plyfile import PlyData, PlyElement
from segments import utils
from segments.typing import PointcloudSequenceSampleAttributes

RECORD = Path(__file__).with_name("official_sdk.json")
POSITIONS = [[1, 2, 3], [4.5, 5, 6], [float("nan"), 1, 2], [500000.123, 4649776.22, -1], [0.1, -0.2, 1e-7]]
INTENSITY = [0, 1, 2, 65535, 255]
RGB = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30], [1, 1, 1]]
ENCODINGS = {"ascii": {}, "binary": {"write_ascii": False}}
COLOURS = {"plain": {}, "intensity": {"intensity": INTENSITY}, "rgb": {"rgb": RGB}}
COLOURS["both"] = COLOURS["intensity"] | COLOURS["rgb"]

CUBOIDS = [
    {"id": 1, "position": [0, 0, 0], "dimensions": [2, 1, 1], "yaw": 0.0},
    {"id": 2, "position": [3, 1, 0.5], "dimensions": [4, 2, 1.5], "yaw": 0.7},
    {"id": 3, "position": [-3, -1, 0], "dimensions": [3, 2, 2], "yaw": -2.5},
    {"id": 7, "position": [3.5, 1.5, 0.5], "dimensions": [1, 1, 1], "yaw": 1.0},
]
TRANSLATION = [1.0, -2.0, 0.5]


def points():
    """Points in and around the cuboids."""
    return np.random.default_rng(7).uniform(-6, 6, (2_000, 3)) * [1, 0.6, 0.2]


def xyz(values):
    return SimpleNamespace(**dict(zip("xyz", values, strict=True)))


def record_arrays(folder):

    recorded = {}
    for name, given in COLOURS.items():
        for encoding, options in ENCODINGS.items():
            path = folder / "scan.pcd"
            arrays = {key: np.array(values) for key, values in given.items()}
            utils.array_to_pcd(np.array(POSITIONS), str(path), **arrays, **options)
            recorded[f"{name}-{encoding}"] = path.read_bytes().hex()
    return recorded


def record_ply(folder):

    # Without one of these names it fails: it expects a KeyError, and numpy raises a ValueError.
    names = [(name, "f4") for name in "xyz"] + [("intensity", "f4")] + [(name, "u1") for name in "rgb"]
    rows = [(*place, 5, *colour) for place, colour in zip(POSITIONS, RGB, strict=True)]
    path = folder / "scan.ply"
    PlyData([PlyElement.describe(np.array(rows, names), "vertex")], byte_order=">").write(str(path))
    utils.ply_to_pcd(str(path), write_ascii=False)
    return {"ply": path.read_bytes().hex(), "pcd": (folder / "scan.pcd").read_bytes().hex()}


def record_sample(folder):

    places = np.arange(300, dtype=np.float32).reshape(100, 3)
    utils.array_to_pcd(places, str(folder / "all.pcd"), write_ascii=False)
    utils.sample_pcd(str(folder / "all.pcd"), 25, str(folder / "some.pcd"))

    return (folder / "some.pcd").read_bytes().hex()


def record_cuboids():

    def annotation(cuboid):
        places = {"position": xyz(cuboid["position"]), "dimensions": xyz(cuboid["dimensions"])}
        return SimpleNamespace(id=cuboid["id"], yaw=cuboid["yaw"], rotation=None, **places)

    label = SimpleNamespace(annotations=[annotation(cuboid) for cuboid in CUBOIDS])
    moved = SimpleNamespace(position=xyz(TRANSLATION), heading=None)
    return {
        "world": utils.cuboid_to_segmentation(points(), label).tolist(),
        "translated": utils.cuboid_to_segmentation(points(), label, moved).tolist(),
    }


def record_rotations():
    """The rotations that `find_camera_rotation` tries, in its order, as it sends them for an unrotated camera."""

    unrotated = {"qx": 0, "qy": 0, "qz": 0, "qw": 1}
    camera = {
        "url": "https://example.com/0.png",
        "intrinsics": {"intrinsic_matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        "extrinsics": {"translation": {"x": 0, "y": 0, "z": 0}, "rotation": unrotated},
    }
    frame = {"pcd": {"url": "https://example.com/0.pcd", "type": "pcd"}, "images": [camera]}
    sent = []

    class Client:
        def clone_dataset(self, *_):
            return SimpleNamespace(full_name="jane/clone")

        def get_samples(self, _):
            attributes = PointcloudSequenceSampleAttributes(frames=[frame])
            return [SimpleNamespace(uuid="u", attributes=attributes)]

        def update_sample(self, _, attributes):
            turn = attributes.frames[0].images[0].extrinsics.rotation
            sent.append([turn.qx, turn.qy, turn.qz, turn.qw])

    with patch("builtins.input", return_value="n"):
        try:
            utils.find_camera_rotation(Client(), "jane/clouds")
        except ValueError:
            return sent


def record():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "arrays": record_arrays(folder),
            "ply": record_ply(folder),
            "sample": record_sample(folder),
            "cuboids": record_cuboids(),
            "rotations": record_rotations(),
        }


if __name__ == "__main__":
    recorded = record()
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in recorded.items())
    RECORD.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    sys.stdout.write(f"{RECORD.stat().st_size} bytes\n")
