"""What is written for an array, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segments_async.errors import InputError
from segments_async.pointclouds import array_to_pcd, read_pointcloud

UTM = np.array([[500_000.123, 4_649_776.22, 102.5], [500_010.456, 4_649_790.87, 99.25]])


def refused(tmp_path, *arguments, **options):
    with pytest.raises(InputError) as caught:
        array_to_pcd(*arguments, tmp_path / "a.pcd", **options)
    assert list(tmp_path.iterdir()) == []
    return str(caught.value)


def test_large_coordinates_are_refused(tmp_path):
    """As 32-bit floats they would move by decimetres, silently."""
    message = refused(tmp_path, UTM)
    assert message.startswith(
        "positions[0]: 32-bit floats, which the service stores, would move (500000.123, 4649776.22,"
    )
    assert "origin='auto'" in message


def test_an_origin_keeps_them(tmp_path):
    for origin, expected in [("auto", (500_000, 4_649_700, 0)), ((500_000, 4_649_776, 0), (500_000, 4_649_776, 0))]:
        written = array_to_pcd(UTM, tmp_path / "a.pcd", origin=origin)
        assert written.origin == expected
        back = read_pointcloud(written.path).positions.astype(np.float64) + written.origin
        np.testing.assert_allclose(back, UTM, rtol=0, atol=1e-5)


def test_loss_can_be_accepted(tmp_path):
    array_to_pcd(UTM, tmp_path / "a.pcd", max_rounding=math.inf)
    np.testing.assert_array_equal(read_pointcloud(tmp_path / "a.pcd").positions, UTM.astype(np.float32))


@given(
    places=st.lists(st.tuples(*[st.floats(-1e7, 1e7)] * 3), min_size=1, max_size=5),
    tolerance=st.sampled_from([0.0, 1e-3, 0.3]),
)
def test_nothing_moves_further_than_allowed(tmp_path_factory, places, tolerance):
    path = tmp_path_factory.getbasetemp() / "a.pcd"
    try:
        array_to_pcd(places, path, max_rounding=tolerance)
    except InputError:
        assert np.abs(np.float64(np.float32(places)) - places).max() > tolerance
    else:
        assert np.abs(read_pointcloud(path).positions.astype(np.float64) - places).max() <= tolerance


def test_points_that_are_not_finite_stay(tmp_path):
    """Labels of points go by their order, so that none is dropped; and none of them decides about an origin."""
    places = np.array([[math.nan, 4e6, 1], [math.inf, 4_000_001, 2], [7, 4_000_002, -math.inf]])
    for encoding in ("ascii", "binary", "binary_compressed"):
        written = array_to_pcd(places, tmp_path / "a.pcd", origin="auto", encoding=encoding)
        assert written.origin == (0, 4_000_000, 0)
        np.testing.assert_array_equal(read_pointcloud(written.path).positions, places - written.origin)
    assert array_to_pcd(np.full((2, 3), math.nan), tmp_path / "b.pcd", origin="auto").origin == (0, 0, 0)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        pytest.param(np.array([[0, 1, 1]], np.uint8), [0, 1, 1], id="dark integers are not fractions"),
        pytest.param(np.array([[0.0, 0.5, 1.0]]), [0, 128, 255], id="fractions"),
        pytest.param(np.array([[0.0, 127.6, 255.0]]), [0, 128, 255], id="floats"),
        pytest.param(np.array([[0, 128, 255]], np.int64), [0, 128, 255], id="whole numbers"),
        pytest.param(np.array([[0, 32_768, 65_535]], np.uint16), [0, 128, 255], id="sixteen bits"),
    ],
)
def test_colours(tmp_path, rgb, expected):
    array_to_pcd([[1, 2, 3]], tmp_path / "a.pcd", rgb=rgb)
    assert read_pointcloud(tmp_path / "a.pcd").rgb.tolist() == [expected]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float16, np.float64, bool])
def test_intensities_of_any_type(tmp_path, kind):
    """They become 32-bit floats in their own range; booleans are not numbers."""
    given = np.array([[0], [1]], kind)
    if kind is bool:
        assert (
            refused(tmp_path, [[1, 2, 3]] * 2, intensity=given) == "intensity: expected an array of numbers, got bool"
        )
    else:
        array_to_pcd([[1, 2, 3]] * 2, tmp_path / "a.pcd", intensity=given)
        cloud = read_pointcloud(tmp_path / "a.pcd")
        assert (cloud.intensity.dtype, cloud.intensity.tolist()) == (np.float32, [0, 1])


@pytest.mark.parametrize(
    ("positions", "options", "message"),
    [
        ([1, 2, 3], {}, "positions: expected shape (N, 3), got (3,)"),
        ([[1, 2]], {}, "positions: expected shape (N, 3), got (1, 2)"),
        ([["a", "b", "c"]], {}, "positions: expected an array of numbers, got <U1"),
        ([[1, 2, 3], [1]], {}, "positions: expected an array of numbers: "),
        ([[1j, 2, 3]], {}, "positions: expected an array of numbers, got complex128"),
        (
            [[1e300, 2, 3]],
            {},
            "positions[0]: 32-bit floats, which the service stores, would move (1e+300, 2.0, 3.0) by inf",
        ),
        ([[2**60 + 1, 2, 3]], {}, "positions: has whole numbers beyond 2**53, which floats cannot represent"),
        ([[1, 2, 3]], {"intensity": [1, 2]}, "intensity: expected shape (1,), got (2,)"),
        ([[1, 2, 3]], {"intensity": [1e300]}, "intensity: has values that a 32-bit float cannot represent"),
        ([[1, 2, 3]], {"rgb": [[1, 2]]}, "rgb: expected shape (1, 3), got (1, 2)"),
        ([[1, 2, 3]], {"rgb": [[-1, 2, 3]]}, "rgb: expected values from 0 to 65535, got -1 to 3"),
        ([[1, 2, 3]], {"rgb": [[0, 2, 300.0]]}, "rgb: expected values from 0 to 255, got 0.0 to 300.0"),
        ([[1, 2, 3]], {"rgb": [[0, 2, math.nan]]}, "rgb: expected values from 0 to 255, got nan to nan"),
        ([[1, 2, 3]], {"encoding": "text"}, "encoding: expected one of ascii, binary, binary_compressed, got 'text'"),
        ([[1, 2, 3]], {"origin": "none"}, "origin: expected 'auto' or (x, y, z), got 'none'"),
        ([[1, 2, 3]], {"origin": (1, 2)}, "origin: expected 'auto' or (x, y, z), got (1, 2)"),
        ([[1, 2, 3]], {"origin": (1, 2, math.nan)}, "origin: expected finite numbers, got (1, 2, nan)"),
        ([[1, 2, 3]], {"max_rounding": -1}, "max_rounding: expected a number of at least 0, got -1"),
    ],
)
def test_refused(tmp_path, positions, options, message):
    assert refused(tmp_path, positions, **options).startswith(message)


def test_a_failure_keeps_the_file_that_is_there(tmp_path):
    array_to_pcd([[1, 2, 3]], tmp_path / "a.pcd")
    before = (tmp_path / "a.pcd").read_bytes()
    with pytest.raises(InputError):
        array_to_pcd(UTM, tmp_path / "a.pcd")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pcd"]
    assert (tmp_path / "a.pcd").read_bytes() == before
