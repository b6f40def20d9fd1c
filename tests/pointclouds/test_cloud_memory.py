"""Large files are converted in memory that does not depend on their size."""

from __future__ import annotations

import subprocess
import sys

import laspy
import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from segments_async.pointclouds import array_to_pcd

CALLS = {
    "las": "las_to_pcd('a.las', origin='auto', encoding=sys.argv[1])",
    "laz": "las_to_pcd('a.laz', origin='auto', encoding=sys.argv[1])",
    "ply": "ply_to_pcd('a.ply', encoding=sys.argv[1])",
    "pcd": "sample_pcd('a.pcd', 10**6, encoding=sys.argv[1])",
}
MAX_MB = 12
"""How much more five times as many points may take; in memory, 800,000 points take 13 MB or more per array."""


def write(folder, kind, count):
    places = np.random.default_rng(5).uniform(0, 500, (count, 3)).astype(np.float32)
    if kind == "pcd":
        array_to_pcd(places, folder / "a.pcd", intensity=places[:, 0])
    elif kind == "ply":
        rows = np.rec.fromarrays([*places.T, places[:, 0]], names="x,y,z,intensity")
        PlyData([PlyElement.describe(rows, "vertex")], byte_order=">").write(str(folder / "a.ply"))
    else:
        header = laspy.LasHeader(point_format=3, version="1.2")
        header.scales = [0.001] * 3
        las = laspy.LasData(header)
        las.x, las.y, las.z = places.T
        las.red = np.arange(count) % 256
        las.write(folder / f"a.{kind}")


def peak_mb(folder, kind, encoding):
    """The most memory of a process of its own, without the pages of files, which are mapped."""
    source = f"""
import sys
from segments_async.pointclouds import las_to_pcd, ply_to_pcd, sample_pcd
{CALLS[kind]}
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM" if {kind != "ply"} else "RssAnon")]
print(int(line.split()[1]) / 1024)
"""
    result = subprocess.run(
        [sys.executable, "-c", source, encoding], cwd=folder, capture_output=True, text=True, check=True
    )
    return float(result.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("las", "binary"),
        ("las", "binary_compressed"),
        ("laz", "binary"),
        ("ply", "binary"),
        ("pcd", "binary_compressed"),
    ],
)
def test_memory_is_bounded(tmp_path, kind, encoding):
    """A million points take about what 200,000 take, which is one chunk."""
    write(tmp_path, kind, 200_000)
    small = peak_mb(tmp_path, kind, encoding)
    write(tmp_path, kind, 1_000_000)
    assert peak_mb(tmp_path, kind, encoding) < small + MAX_MB
