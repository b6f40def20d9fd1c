"""PLY files: byte orders, types and names of properties, and what is no cloud."""

from __future__ import annotations

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from segments_async.errors import DecodeError, InputError
from segments_async.pointclouds import ply_to_pcd, read_pointcloud

PLACES = np.array([[1.5, 2, 3], [4, 5, 6], [7, 8, 9]])
HEAD = "ply\nformat {} 1.0\n{}end_header\n"


def save(path, fields, *, byte_order="<", text=False, more=()):
    """Write vertices from columns: ``{"x": (values, "f4")}``."""
    data = np.empty(len(PLACES), [(name, kind) for name, (_, kind) in fields.items()])
    for name, (values, _) in fields.items():
        data[name] = values
    PlyData([PlyElement.describe(data, "vertex"), *more], text=text, byte_order=byte_order).write(str(path))
    return path


def axes(kind="f4"):
    return {name: (PLACES[:, axis], kind) for axis, name in enumerate("xyz")}


@pytest.mark.parametrize(("byte_order", "text"), [("<", False), (">", False), ("=", True)])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_byte_orders(tmp_path, byte_order, text, kind):
    """Faces are left out."""
    faces = PlyElement.describe(
        np.array([([0, 1, 2],)], [("vertex_indices", "O")]), "face", len_types={"vertex_indices": "u1"}
    )
    colours = {name: ([1, 2, 255], "u1") for name in ("red", "green", "blue")}
    strength = {"intensity": ([0, 7, 65_535], "u2")}
    path = save(tmp_path / "a.ply", axes(kind) | colours | strength, byte_order=byte_order, text=text, more=[faces])

    written = ply_to_pcd(path, color="both", encoding="ascii")

    assert written.fields == ("x", "y", "z", "rgb", "intensity")
    for cloud in (read_pointcloud(written.path), read_pointcloud(path)):
        np.testing.assert_array_equal(cloud.positions, PLACES)
        assert cloud.rgb.tolist() == [[1] * 3, [2] * 3, [255] * 3]
        assert cloud.intensity.tolist() == [0, 7, 65_535]


@pytest.mark.parametrize(
    ("names", "values", "kind", "expected"),
    [
        ("rgb", [0, 1, 1], "u1", [0, 1, 1]),
        ("rgb", [0, 0.5, 1], "f4", [0, 128, 255]),
        (("red", "green", "blue"), [0, 300, 65_535], "u2", [0, 1, 255]),
        (("red", "green", "blue"), [0, 300, 65_535], "i4", [0, 1, 255]),
    ],
)
def test_colours(tmp_path, names, values, kind, expected):
    path = save(tmp_path / "a.ply", axes() | dict.fromkeys(names, (values, kind)))
    assert read_pointcloud(ply_to_pcd(path).path).rgb[:, 0].tolist() == expected


def test_one_colour_or_the_other(tmp_path):
    """As the official SDK: colours rather than intensities, since the service shows only one."""
    path = save(tmp_path / "a.ply", axes() | {"i": ([1, 2, 3], "u1")} | {name: ([1, 2, 3], "u1") for name in "rgb"})
    assert ply_to_pcd(path).fields == ("x", "y", "z", "rgb")
    assert ply_to_pcd(path, color="intensity").fields == ("x", "y", "z", "intensity")
    with pytest.raises(InputError, match="color: expected one of rgb, intensity, both, got 'grey'"):
        ply_to_pcd(path, color="grey")


def test_large_coordinates(tmp_path):
    """64-bit positions lose nothing; in 32 bits they would."""
    path = save(tmp_path / "a.ply", {name: (PLACES[:, axis] + 5_000_000.1, "f8") for axis, name in enumerate("xyz")})
    with pytest.raises(InputError, match="origin='auto'"):
        ply_to_pcd(path, max_rounding=0.0001)
    written = ply_to_pcd(path, origin="auto", max_rounding=0.0001)
    assert written.origin == (5e6, 5e6, 5e6)
    np.testing.assert_allclose(read_pointcloud(written.path).positions, np.float32(PLACES + 0.1))


def test_no_points(tmp_path):
    content = HEAD.format("ascii", "element vertex 0\nproperty float x\nproperty float y\nproperty float z\n")
    (tmp_path / "a.ply").write_text(content)
    written = ply_to_pcd(tmp_path / "a.ply", origin="auto")
    assert (written.points, len(read_pointcloud(written.path))) == (0, 0)


def test_the_name_has_the_suffix_elsewhere(tmp_path):
    """The official SDK replaces every ``.ply`` in the path."""
    folder = tmp_path / "scans.ply.d"
    folder.mkdir()
    assert ply_to_pcd(save(folder / "a.ply", axes())).path == folder / "a.pcd"


XYZ = "property float x\nproperty float y\nproperty float z\n"
BROKEN = {
    "empty": (b"", "is not a PLY file; it is empty"),
    "a page": (b"<html>sorry</html>", "is not a PLY file; it begins with b'<html>"),
    "promises": (
        HEAD.format("binary_little_endian", f"element vertex {10**12}\n{XYZ}").encode(),
        "promises 1,000,000,000,000 elements",
    ),
    "promises in text": (
        HEAD.format("ascii", f"element vertex {10**12}\n{XYZ}").encode() + b"1 2 3\n",
        "promises 1,000,000,000,000 elements",
    ),
    "cut": (
        HEAD.format("binary_big_endian", f"element vertex 9\n{XYZ}").encode() + bytes(50),
        "is a damaged PLY file: ",
    ),
    "cut in text": (
        HEAD.format("ascii", f"element vertex 2\n{XYZ}").encode() + b"1 2 3\n4 5",
        "is a damaged PLY file: ",
    ),
    "no header end": (b"ply\nformat ascii 1.0\nelement vertex 1\n", "is a damaged PLY file: "),
    "no vertices": (HEAD.format("ascii", "element face 0\nproperty float x\n").encode(), "has no element 'vertex'"),
    "no z": (
        HEAD.format("ascii", "element vertex 1\nproperty float x\nproperty float y\n").encode() + b"1 2\n",
        "has no field 'z'; its fields are x, y",
    ),
    "letters": (HEAD.format("ascii", f"element vertex 1\n{XYZ}").encode() + b"1 b 3\n", "is a damaged PLY file: "),
    "no colours": (
        HEAD.format("ascii", f"element vertex 1\n{XYZ}" + "".join(f"property int {name}\n" for name in "rgb")).encode()
        + b"1 2 3 0 -1 5\n",
        "has colours that are none: expected values from 0 to 65535, got -1 to 5",
    ),
    "unknown type": (
        HEAD.format("ascii", "element vertex 1\nproperty quad x\n").encode() + b"1\n",
        "is a damaged PLY file: ",
    ),
    "not ASCII": (b"ply\nformat ascii 1.0\ncomment \xff\nelement vertex 0\nend_header\n", "is a damaged PLY file: "),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path, content, message):
    """A `DecodeError` with the file's path, and no file is written."""
    path = tmp_path / "a.ply"
    path.write_bytes(content)
    with pytest.raises(DecodeError) as caught:
        ply_to_pcd(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]
