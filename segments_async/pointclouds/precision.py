"""
Round positions to the 32-bit floats of the service, and refuse those that would lose precision.

The service stores positions as 32-bit floats: 24 bits of precision, so that a UTM northing of 4,649,776.22 m is off
by up to 0.25 m. Source: docs.segments.ai/reference/sample-types/supported-file-formats.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from segments_async._validators import is_number
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MAX_ROUNDING = 0.001
"""In the unit of the point cloud: a millimetre, if that is metres."""
AUTO_STEP = 100.0
"""An automatic origin is a multiple of this."""
_MAX_EXACT = 2.0**53
NO_ORIGIN = (0.0, 0.0, 0.0)

Triple = tuple[float, float, float]
Origin = Literal["auto"] | tuple[float, float, float] | None
"""What is subtracted from positions; ``"auto"`` is the minimum, rounded down to a multiple of 100."""


def check_rounding(max_rounding: float) -> float:
    """
    Check the greatest rounding error.

    Raises:
        InputError: It is not a number of 0 or more.
    """
    if not is_number(max_rounding) or math.isnan(max_rounding) or max_rounding < 0:
        raise InputError(f"expected a number of at least 0, got {max_rounding!r}", path="max_rounding")
    return max_rounding


def resolve_origin(origin: Origin | Sequence[float], lowest: Sequence[float]) -> Triple:
    """
    Return the origin to subtract.

    Args:
        origin: As given by the caller.
        lowest: The minimum of x, y and z.

    Raises:
        InputError: It is not ``"auto"``, nor three finite numbers.
    """
    if origin is None:
        return NO_ORIGIN
    if isinstance(origin, str):
        if origin != "auto":
            raise InputError(f"expected 'auto' or (x, y, z), got {origin!r}", path="origin")
        steps = [math.floor(value / AUTO_STEP) * AUTO_STEP if math.isfinite(value) else 0.0 for value in lowest]
        return steps[0], steps[1], steps[2]
    try:
        x, y, z = (float(value) for value in origin)
    except (TypeError, ValueError):
        raise InputError(f"expected 'auto' or (x, y, z), got {origin!r}", path="origin") from None
    if not all(map(math.isfinite, (x, y, z))):
        raise InputError(f"expected finite numbers, got {origin!r}", path="origin")
    return x, y, z


def narrow(positions: npt.NDArray[Any], origin: Triple, max_rounding: float, first: int = 0) -> npt.NDArray[np.float32]:
    """
    Subtract *origin*, and round to 32-bit floats. Points that are not finite stay so.

    Args:
        positions: N x 3.
        origin: What to subtract.
        max_rounding: The greatest error allowed.
        first: The index of the first point, for errors.

    Raises:
        InputError: A coordinate would change by more than *max_rounding*.
    """
    if positions.dtype == np.float32 and origin == NO_ORIGIN:
        return positions
    wide = np.asarray(positions, np.float64)
    if positions.dtype.kind in "iu" and np.any(np.abs(wide) > _MAX_EXACT):
        raise InputError("has whole numbers beyond 2**53, which floats cannot represent", path="positions")
    exact = wide - origin
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(np.float32)
        errors = np.abs(rounded.astype(np.float64) - exact)
    errors[~np.isfinite(exact)] = 0
    if errors.size and errors.max() > max_rounding:
        row = int(np.argmax(errors.max(axis=1)))
        raise InputError(
            f"32-bit floats, which the service stores, would move {tuple(exact[row].tolist())} by "
            f"{errors[row].max():.3g}, more than max_rounding ({max_rounding:g}); pass origin='auto', or an (x, y, z) "
            "near the points, and add it to the positions in labels",
            path=f"positions[{first + row}]",
        )
    return rounded
