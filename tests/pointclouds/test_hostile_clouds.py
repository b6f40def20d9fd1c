"""PCD files that are damaged or cut, or state more points than they have: a `DecodeError`, and little memory."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segments_async.errors import DecodeError, InputError
from segments_async.pointclouds import array_to_pcd, read_pointcloud, sample_pcd

HEAD = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {0}\nHEIGHT 1\nPOINTS {0}\nDATA {1}\n"


def head(points, encoding):
    return HEAD.format(points, encoding).encode()


HUGE = 10**12
BROKEN = {
    "empty": (b"", "is not a PCD file, as it has no DATA line; it is empty"),
    "a page": (b"<html>" * 99_999, "is not a PCD file, as it has no DATA line; it begins with b'<html>"),
    "no fields": (b"DATA ascii\n", "its header has no FIELDS"),
    "unknown encoding": (head(1, "zip"), "has DATA 'zip'; expected one of ascii, binary, binary_compressed"),
    "no encoding": (head(1, ""), "has DATA ''"),
    "too few sizes": (head(1, "ascii").replace(b"SIZE 4 4 4", b"SIZE 4 4"), "has 3 FIELDS, but 2 values in SIZE"),
    "unknown type": (head(1, "ascii").replace(b"F F F", b"F F S"), "has a field 'z' of TYPE 'S' and SIZE '4'"),
    "unknown size": (head(1, "ascii").replace(b"SIZE 4", b"SIZE 3"), "has a field 'x' of TYPE 'F' and SIZE '3'"),
    "no count": (head(1, "ascii").replace(b"COUNT 1", b"COUNT 0"), "has a field 'x' of COUNT '0'"),
    "wide points": (head(1, "ascii").replace(b"COUNT 1", b"COUNT 1000000"), "has points of 4,000,008 bytes"),
    "two of one name": (head(1, "ascii").replace(b"x y", b"x x"), "has two fields of one name: x x z"),
    "no points": (head(1, "ascii").replace(b"POINTS", b"P").replace(b"WIDTH", b"W"), "has no POINTS"),
    "negative": (head(-1, "binary"), "has WIDTH '-1'; expected a whole number"),
    "disagreement": (head(2, "ascii").replace(b"WIDTH 2", b"WIDTH 3"), "has POINTS 2, but WIDTH 3 and HEIGHT 1"),
    "no z": (head(1, "ascii").replace(b"y z", b"y w") + b"1 2 3\n", "has no field 'z'; its fields are x, y, w"),
    "promises": (head(HUGE, "binary") + bytes(24), "promises 1,000,000,000,000 points, but is followed by 24 bytes"),
    "promises in text": (
        head(HUGE, "ascii") + b"1 2 3\n",
        "promises 1,000,000,000,000 points, but is followed by 6 bytes",
    ),
    "promises compressed": (
        head(HUGE, "binary_compressed") + struct.pack("<II", 8, 24) + bytes(8),
        "has 24 bytes of points; its header promises 12,000,000,000,000",
    ),
    "a bomb": (
        head(300_000_000, "binary_compressed") + struct.pack("<II", 8, 3_600_000_000) + bytes(8),
        "is truncated: 3,600,000,000 bytes of points, compressed to 8",
    ),
    "no sizes": (head(1, "binary_compressed") + bytes(3), "the sizes of its compressed points are missing"),
    "damaged": (
        head(2, "binary_compressed") + struct.pack("<II", 9, 24) + b"\xff" * 9,
        "has damaged compressed points",
    ),
    "too few": (head(2, "ascii") + b"1.5 2 3\n", "is truncated: 1 of 2 points missing"),
    "too many": (head(1, "ascii") + b"1 2 3\n4 5 6\n", "has more than 1 point, which its header promises"),
    "a cut line": (head(2, "ascii") + b"1 2 3\n4 5\n", "has a line that is not a point, after line 0 of its points"),
    "letters": (head(1, "ascii") + b"1 2 c\n", "has a line that is not a point"),
    "beyond its type": (
        head(1, "ascii").replace(b"SIZE 4", b"SIZE 1").replace(b"E F", b"E U") + b"256 2 3\n",
        "not a point",
    ),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path, content, message):
    with pytest.raises(DecodeError) as caught:
        read_pointcloud(content, "pcd")
    assert message in str(caught.value)
    path = tmp_path / "a.pcd"
    path.write_bytes(content)
    if "'z'" not in message:  # sampling does not look at positions
        with pytest.raises(DecodeError) as caught:
            sample_pcd(path, 1)
        assert str(caught.value).startswith(f"{path}: ")
        assert list(tmp_path.iterdir()) == [path]


@given(cut=st.floats(0, 1, exclude_max=True), encoding=st.sampled_from(["ascii", "binary", "binary_compressed"]))
def test_cut_files(tmp_path_factory, cut, encoding):
    """A file that is cut before its last number is never taken for whole."""
    path = tmp_path_factory.getbasetemp() / "cut.pcd"
    array_to_pcd(np.arange(300.0).reshape(100, 3), path, intensity=np.arange(100), encoding=encoding)
    content = path.read_bytes()
    with pytest.raises((DecodeError, InputError)):
        read_pointcloud(content[: int((len(content) - 4) * cut)], "pcd")


@given(st.binary(max_size=400))
def test_anything(content):
    """No bytes make it raise anything else."""
    for prefix in (
        b"",
        b"ply\n",
        b"LASF",
        HEAD.format(3, "ascii").encode(),
        HEAD.format(3, "binary_compressed").encode(),
    ):
        for kind in (None, "pcd", "ply", "las", "kitti", "nuscenes"):
            with contextlib.suppress(DecodeError, InputError):
                read_pointcloud(prefix + content, kind)


def test_binary_formats():
    content = np.arange(20, dtype="<f4").tobytes()
    assert read_pointcloud(content, "kitti").positions.tolist()[1] == [4, 5, 6]
    assert read_pointcloud(content, "binary-xyzir").fields["ring"].tolist() == [4, 9, 14, 19]
    assert len(read_pointcloud(b"", "nuscenes")) == 0
    with pytest.raises(DecodeError, match="has 79 bytes, which is no multiple of the 16 of a point"):
        read_pointcloud(content[:-1], "kitti")


def test_the_type_is_needed():
    with pytest.raises(InputError, match=r"type: is no PCD, PLY or LAS file, so that its type is needed"):
        read_pointcloud(bytes(32))
    with pytest.raises(InputError, match=r"type: expected one of pcd, ply, las, .*, got 'splat'"):
        read_pointcloud(bytes(32), "splat")
    with pytest.raises(InputError, match=r"source: expected a path, got int"):
        read_pointcloud(7)
    with pytest.raises(FileNotFoundError):
        read_pointcloud("missing.pcd")


@pytest.mark.parametrize("missing", ["laspy", "lzf", "plyfile", "numpy"])
def test_a_missing_extra(tmp_path, missing):
    """The command that installs it; numpy is needed by all, the others only by their formats."""
    array_to_pcd([[1, 2, 3]], tmp_path / "a.pcd", encoding="binary_compressed")
    (tmp_path / "a.ply").write_bytes(b"ply\n")
    (tmp_path / "a.las").write_bytes(b"LASF")
    source = f"""
import sys
sys.modules[{missing!r}] = None
try:
    from segments_async.pointclouds import read_pointcloud
    read_pointcloud(sys.argv[1] + {{"laspy": "/a.las", "lzf": "/a.pcd", "plyfile": "/a.ply"}}[{missing!r}])
except ImportError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", source, tmp_path], capture_output=True, text=True, check=True)
    assert 'need an extra: pip install "segments-async[pointcloud]" (' in result.stdout
