"""PCD files in all three encodings, read and written."""

from __future__ import annotations

import io

import numpy as np
import pypcd4
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from segments_async.errors import InputError
from segments_async.pointclouds import array_to_pcd, read_pointcloud, sample_pcd
from segments_async.pointclouds.pcd_header import ENCODINGS, PcdHeader
from segments_async.pointclouds.pcd_reader import PcdReader
from segments_async.pointclouds.pcd_writer import PcdWriter

TYPES = [*(f"<f{size}" for size in (4, 8)), *(f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))]
COLUMNS = st.lists(st.tuples(st.sampled_from(TYPES), st.integers(1, 3)), min_size=1, max_size=4)


@st.composite
def points(draw):
    """Any points: fields of any type and count, with NaN and infinities."""
    fields = [(f"f{i}", kind, (n,) if n > 1 else ()) for i, (kind, n) in enumerate(draw(COLUMNS))]
    return draw(arrays.arrays(np.dtype(fields), st.integers(0, 40)))


def written(content, encoding):
    file = io.BytesIO()
    with PcdWriter(file, PcdHeader(content.dtype, len(content), encoding)) as writer:
        writer.write(content[:7])
        writer.write(content[7:])
    return file.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(content=points())
def test_round_trip(encoding, content):
    """Every field of every type comes back, bit by bit but for the payload of NaNs."""
    read = PcdReader(io.BytesIO(written(content, encoding)))
    assert read.header.dtype == content.dtype
    result = read.read()
    for name in content.dtype.names:
        np.testing.assert_array_equal(result[name], content[name])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("count", [2, 200_001])
def test_another_reader(tmp_path, encoding, count):
    """pypcd4, an independent reader, reads the same; beyond one chunk too."""
    places = np.random.default_rng(1).normal(0, 50, (count, 3)).astype(np.float32)
    intensity = np.arange(count) % 65_536
    array_to_pcd(places, tmp_path / "a.pcd", intensity=intensity, rgb=[[1, 2, 3]] * count, encoding=encoding)
    theirs = pypcd4.PointCloud.from_path(tmp_path / "a.pcd")
    np.testing.assert_array_equal(theirs.numpy(("x", "y", "z")), places)
    np.testing.assert_array_equal(theirs.pc_data["intensity"], intensity)
    assert set(theirs.pc_data["rgb"].tolist()) == {0x010203}


def test_reads_what_pypcd4_writes(tmp_path):
    content = np.arange(40, dtype=np.float32).reshape(10, 4)
    for encoding in ENCODINGS:
        pypcd4.PointCloud.from_xyzi_points(content).save(tmp_path / "a.pcd", pypcd4.Encoding(encoding))
        read = read_pointcloud(tmp_path / "a.pcd")
        np.testing.assert_array_equal(read.positions, content[:, :3])
        np.testing.assert_array_equal(read.intensity, content[:, 3])


def test_empty_clouds(tmp_path):
    """No point is a cloud too, in every encoding; the official SDK writes no file."""
    for encoding in ENCODINGS:
        array_to_pcd(np.empty((0, 3)), tmp_path / "a.pcd", intensity=[], rgb=np.empty((0, 3)), encoding=encoding)
        cloud = read_pointcloud(tmp_path / "a.pcd")
        assert (len(cloud), cloud.intensity.shape, cloud.rgb.shape) == (0, (0,), (0, 3))
        sample_pcd(tmp_path / "a.pcd", 5, tmp_path / "b.pcd", encoding=encoding)
        assert len(read_pointcloud(tmp_path / "b.pcd")) == 0


ODD_HEADERS = {
    "padding, old names, no count of points": b"# c\r\nVERSION .7\r\n\r\nCOLUMNS x _ y z _\r\n"
    b"SIZE 4 1 4 4 2\r\nTYPE F U F F U\r\n"
    b"COUNT 1 3 1 1 1\r\nWIDTH 2\r\nHEIGHT 1\r\nDATA ascii\r\n1 9 9 9 2 3 7\r\n4 9 9 9 5 6 7\r\n",
    "organised, tabs and spaces": b"FIELDS x y z\nSIZE 8 8 8\nTYPE F F F\nWIDTH 1\nHEIGHT 2\n"
    b"POINTS 2\nDATA ascii\n1\t2  3\n\n 4 5 6",
    "whole numbers": b"FIELDS z y x\nSIZE 2 2 2\nTYPE I I I\nCOUNT 1 1 1\nPOINTS 2\nDATA ascii\n3 2 1\n6 5 4\n",
}


@pytest.mark.parametrize("content", ODD_HEADERS.values(), ids=ODD_HEADERS)
def test_odd_files(content):
    cloud = read_pointcloud(content)
    assert cloud.positions.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (cloud.rgb, cloud.intensity, dict(cloud.fields)) == (None, None, {})


def test_fields_by_their_meaning():
    """Colours as floats, as PCL writes them; the rest under its own name."""
    packed = float(np.array([0x00FF8001], "<u4").view("<f4")[0])
    head = "FIELDS x y z rgb intensity ring normal\nSIZE 4 4 4 4 1 2 4\nTYPE F F F F U U F\nCOUNT 1 1 1 1 1 1 3\n"
    cloud = read_pointcloud(f"{head}POINTS 1\nDATA ascii\n1 2 3 {packed!r} 200 65535 0 0 1\n".encode())
    assert cloud.rgb.tolist() == [[255, 128, 1]]
    assert cloud.intensity.tolist() == [200]
    assert {name: values.tolist() for name, values in cloud.fields.items()} == {"ring": [65535], "normal": [[0, 0, 1]]}


@pytest.mark.parametrize(("total", "kept"), [(10, 3), (7, 7), (5, 9), (200_010, 7), (200_010, 199_999)])
def test_sampling(tmp_path, total, kept):
    """Exactly as many points as asked for, evenly spaced, each with all its fields, in order."""
    places = np.arange(total * 3).reshape(total, 3)
    array_to_pcd(places, tmp_path / "a.pcd", intensity=np.arange(total), rgb=np.full((total, 3), 9))
    result = sample_pcd(tmp_path / "a.pcd", kept)
    cloud = read_pointcloud(tmp_path / "a_sampled.pcd")
    chosen = [number * total // min(kept, total) for number in range(min(kept, total))]
    assert (result.points, result.fields) == (len(chosen), ("x", "y", "z", "rgb", "intensity"))
    np.testing.assert_array_equal(cloud.intensity, chosen)
    np.testing.assert_array_equal(cloud.positions[:, 0], np.array(chosen) * 3)
    assert np.all(cloud.rgb == 9)


def test_a_file_is_not_its_own_target(tmp_path):
    array_to_pcd([[1, 2, 3]], tmp_path / "a.pcd")
    with pytest.raises(InputError, match=r"output_path: is the file that is read"):
        sample_pcd(tmp_path / "a.pcd", 1, tmp_path / "a.pcd")
