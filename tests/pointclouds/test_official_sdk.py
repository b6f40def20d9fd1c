"""
The results equal those of the official SDK, wherever it is right; see `record_official_sdk` for how they were recorded.

Where they differ, the SDK is wrong: 16-bit colours and dark colours are clipped or scaled, `sample_pcd` loses the
intensity and keeps too many points, `las_to_pcd` raises whatever the file, `ply_to_pcd` needs a file with intensity and
colours.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from plyfile import PlyData
from record_official_sdk import COLOURS, ENCODINGS, POSITIONS, RECORD

from segments_async.pointclouds import array_to_pcd, ply_to_pcd, read_pointcloud, sample_pcd

OFFICIAL = json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_array_to_pcd(tmp_path, colours, encoding):
    """Binary files are equal byte by byte; numbers in text have other digits behind those that count."""
    path = tmp_path / "scan.pcd"
    array_to_pcd(POSITIONS, path, **COLOURS[colours], encoding=encoding, max_rounding=float("inf"))
    theirs = bytes.fromhex(OFFICIAL["arrays"][f"{colours}-{encoding}"])
    if encoding == "binary":
        assert path.read_bytes() == theirs
    ours, official = read_pointcloud(path), read_pointcloud(theirs)
    np.testing.assert_array_equal(ours.positions, official.positions)
    np.testing.assert_array_equal(ours.intensity, official.intensity)
    np.testing.assert_array_equal(ours.rgb, official.rgb)


def test_ply_to_pcd(tmp_path):
    path = tmp_path / "scan.ply"
    path.write_bytes(bytes.fromhex(OFFICIAL["ply"]["ply"]))
    assert PlyData.read(str(path)).byte_order == ">"

    written = ply_to_pcd(path, max_rounding=float("inf"))

    assert written.path == tmp_path / "scan.pcd"
    assert written.path.read_bytes() == bytes.fromhex(OFFICIAL["ply"]["pcd"])


def test_sample_pcd(tmp_path):
    """If the number of points divides evenly."""
    array_to_pcd(np.arange(300).reshape(100, 3), tmp_path / "all.pcd")
    sampled = sample_pcd(tmp_path / "all.pcd", 25)
    theirs = read_pointcloud(bytes.fromhex(OFFICIAL["sample"]))
    np.testing.assert_array_equal(read_pointcloud(sampled.path).positions, theirs.positions)
