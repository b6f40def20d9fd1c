"""
Split an array of ids into runs of equal pixels, to measure all objects in one pass.

A bitmap of two million pixels has some ten thousand runs, so work on runs is cheap. A mask per object would visit all
pixels again for each object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]


@frozen(eq=False)
class Part:
    """The runs of one object, with its area and its bounding box."""

    area: int
    """Number of pixels."""
    left: int
    top: int
    right: int
    """The last column plus 1."""
    bottom: int
    """The last row plus 1."""
    starts: Numbers
    """Index of the first pixel of each run, counted along the lines; ascending."""
    ends: Numbers
    """Index of the last pixel of each run, plus 1."""

    @property
    def box(self) -> list[int]:
        """COCO's ``[x, y, width, height]``."""
        return [self.left, self.top, self.right - self.left, self.bottom - self.top]


def runs_of(ids: npt.NDArray[np.uint32], *, by_columns: bool = False) -> dict[int, Part]:
    """
    Find the runs of every object.

    Args:
        ids: Height x width.
        by_columns: Whether lines are columns, as in COCO, instead of rows. A run may continue at the start of the next
            line.

    Returns:
        The objects by id, ascending, without unlabelled pixels.
    """
    height, width = ids.shape
    line = height if by_columns else width
    pixels = (ids.T if by_columns else ids).ravel()
    starts = np.concatenate(([0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1))
    ends = np.append(starts[1:], pixels.size)
    values = pixels[starts]
    order = np.argsort(values, kind="stable")
    order = order[np.searchsorted(values[order], 1) :]
    sorted_values = values[order]
    boundaries = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    parts = {}
    for runs in np.split(order, boundaries) if order.size else []:
        parts[int(values[runs[0]])] = _measure(starts[runs], ends[runs], line, by_columns=by_columns)
    return parts


def _measure(starts: Numbers, ends: Numbers, line: int, *, by_columns: bool) -> Part:
    first, last = starts // line, (ends - 1) // line
    if (first == last).all():
        low, high = int((starts % line).min()), int(((ends - 1) % line).max()) + 1
    else:  # a run that continues in the next line includes the end of one line and the start of the next
        low, high = 0, line
    lines = int(first[0]), int(last[-1]) + 1
    (left, right), (top, bottom) = (lines, (low, high)) if by_columns else ((low, high), lines)
    area = int((ends - starts).sum())
    return Part(area=area, left=left, top=top, right=right, bottom=bottom, starts=starts, ends=ends)
