"""LAS and LAZ files: scales, offsets, extra dimensions, colours, and what is no cloud."""

from __future__ import annotations

import contextlib
import math
import struct
import subprocess
import sys
import textwrap

import laspy
import numpy as np
import pytest
from hypothesis import given, strategies as st

from segments_async.errors import DecodeError, InputError
from segments_async.pointclouds import las_to_pcd, read_pointcloud

COUNT = 1_000
NORTHING = np.array([500_000, 4_649_700, 100])


def save(path, *, point_format=3, version="1.2", count=COUNT, colours=None, offset=NORTHING):
    """Write points within 50 m of a place in UTM coordinates; returns their positions as the file has them."""
    header = laspy.LasHeader(point_format=point_format, version=version)
    header.scales, header.offsets = [0.001] * 3, offset
    header.add_extra_dim(laspy.ExtraBytesParams("deviation", "f8"))
    las = laspy.LasData(header)
    places = np.random.default_rng(3).uniform(0, 50, (count, 3)) + offset
    las.x, las.y, las.z = places.T
    las.intensity = np.arange(count) % 65_536
    las.deviation = np.linspace(0, 1, count)
    if colours is not None:
        las.red, las.green, las.blue = colours.T
    las.write(path)
    return np.stack([las.x, las.y, las.z], axis=-1)


@pytest.mark.parametrize("suffix", ["las", "laz"])
@pytest.mark.parametrize(("point_format", "version"), [(0, "1.2"), (3, "1.2"), (3, "1.4"), (6, "1.4"), (7, "1.4")])
def test_positions(tmp_path, suffix, point_format, version):
    """Scaled, offset, and relative to the origin, exactly as the file has them."""
    path = tmp_path / f"scan.{suffix}"
    places = save(path, point_format=point_format, version=version)

    written = las_to_pcd(path, origin="auto")

    assert written.path == tmp_path / "scan.pcd"
    assert (written.points, written.origin) == (COUNT, (500_000, 4_649_700, 100))
    cloud = read_pointcloud(written.path)
    np.testing.assert_allclose(cloud.positions + np.array(written.origin), places, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(cloud.intensity, np.arange(COUNT))
    assert cloud.rgb is None, "colours that are all black are none"


def test_read(tmp_path):
    """Everything is there, extra dimensions too, and positions in 64 bits."""
    places = save(tmp_path / "a.las", colours=np.full((COUNT, 3), 256, np.uint16))
    cloud = read_pointcloud((tmp_path / "a.las").read_bytes())
    np.testing.assert_array_equal(cloud.positions, places)
    assert np.all(cloud.rgb == 1)
    assert cloud.fields["deviation"][-1] == 1.0
    assert {"classification", "gps_time"} <= set(cloud.fields)
    assert not {"X", "x", "intensity", "red"} & set(cloud.fields)


def test_large_coordinates_need_an_origin(tmp_path):
    save(tmp_path / "a.las")
    with pytest.raises(InputError, match=r"positions\[\d+\]: 32-bit floats, .* origin='auto'"):
        las_to_pcd(tmp_path / "a.las")
    assert not (tmp_path / "a.pcd").exists()
    las_to_pcd(tmp_path / "a.las", max_rounding=0.5)


@pytest.mark.parametrize(("highest", "expected"), [(65_535, [0, 255]), (255, [0, 255]), (1, [0, 1])])
def test_colours(tmp_path, highest, expected):
    """LAS says 16 bits, but many programs write 8."""
    colours = np.zeros((COUNT, 3), np.uint16)
    colours[-1] = highest
    save(tmp_path / "a.las", colours=colours)
    written = las_to_pcd(tmp_path / "a.las", origin="auto")
    assert written.fields == ("x", "y", "z", "rgb")
    assert read_pointcloud(written.path).rgb[[0, -1], 2].tolist() == expected
    assert las_to_pcd(tmp_path / "a.las", origin="auto", color="both").fields == ("x", "y", "z", "rgb", "intensity")


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_no_points(tmp_path, suffix):
    save(tmp_path / f"a.{suffix}", count=0)
    assert las_to_pcd(tmp_path / f"a.{suffix}", origin="auto").points == 0
    assert len(read_pointcloud(tmp_path / "a.pcd")) == 0


def refusal(path):
    with pytest.raises(DecodeError) as caught:
        las_to_pcd(path, origin="auto")
    with pytest.raises(DecodeError):
        read_pointcloud(path, "las")
    assert sorted(found.name for found in path.parent.iterdir()) == [path.name]
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_cut_files(tmp_path, suffix):
    """Wherever they are cut."""
    path = tmp_path / f"a.{suffix}"
    save(path)
    content = path.read_bytes()
    for length in sorted({3, 4, 60, 200, 300, 400, len(content) // 2, len(content) - 40, len(content) - 1}):
        path.write_bytes(content[:length])
        refusal(path)


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_promised_points(tmp_path, suffix):
    """A header that states 10^12 points, of which the file has a thousand."""
    path = tmp_path / f"a.{suffix}"
    save(path, point_format=6, version="1.4")
    content = bytearray(path.read_bytes())
    content[247:255] = struct.pack("<Q", 10**12)
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("suffix", ["las", "laz"])
@given(changes=st.lists(st.tuples(st.integers(4, 900), st.integers(0, 255)), min_size=1, max_size=3))
def test_damaged_bytes(tmp_path_factory, suffix, changes):
    """Whatever bytes are wrong, nothing but a `DecodeError` comes of it, soon."""
    path = tmp_path_factory.getbasetemp() / f"whole.{suffix}"
    if not path.exists():
        save(path, point_format=6, version="1.4")
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place] = value
    with contextlib.suppress(DecodeError):
        read_pointcloud(bytes(content), "las")


@pytest.mark.parametrize("place", [96, 100, 243])
def test_promised_records(tmp_path, place):
    """A header that states 4 billion records, which laspy would look for; it must not take minutes."""
    path = tmp_path / "a.las"
    save(path, point_format=6, version="1.4")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, place, 2**32 - 1)
    path.write_bytes(content)
    assert "is truncated: its header promises" in refusal(path)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scales_that_are_not_finite(tmp_path, value):
    """All points would be NaN."""
    path = tmp_path / "a.las"
    save(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<d", content, 131, value)
    path.write_bytes(content)
    assert "has scales or offsets that are not finite" in refusal(path)


def test_other_files(tmp_path):
    path = tmp_path / "a.las"
    for content, start in [(b"", "it is empty"), (b"<html>", "it begins with b'<htm'")]:
        path.write_bytes(content)
        assert refusal(path) == f"{path}: is not a LAS file; {start}"


def test_laz_without_its_library(tmp_path):
    """An ImportError with the command, as for every other extra."""
    save(tmp_path / "a.laz")
    source = textwrap.dedent("""
        import sys
        sys.modules["lazrs"] = sys.modules["laszip"] = None
        from segments_async.pointclouds import las_to_pcd
        try:
            las_to_pcd(sys.argv[1], origin="auto")
        except ImportError as error:
            print(error)
    """)
    result = subprocess.run(
        [sys.executable, "-c", source, tmp_path / "a.laz"], capture_output=True, text=True, check=True
    )
    assert result.stdout == 'LAZ files need lazrs: pip install "segments-async[pointcloud]"\n'
    assert not (tmp_path / "a.pcd").exists()
