"""
An array of ids as runs of equal pixels: what is counted and measured is done for all objects at once.

A bitmap of two million pixels has some ten thousand runs, so that all that follows costs next to nothing, whereas one
mask for each object would cost all pixels again each time.
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
    """Where one object is."""

    area: int
    """Number of pixels."""
    left: int
    top: int
    right: int
    """One more than its last column."""
    bottom: int
    """One more than its last row."""
    starts: Numbers
    """Where its runs begin, counted along the lines; ascending."""
    ends: Numbers
    """One more than where its runs end."""

    @property
    def box(self) -> list[int]:
        """COCO's ``[x, y, width, height]``."""
        return [self.left, self.top, self.right - self.left, self.bottom - self.top]


def runs_of(ids: npt.NDArray[np.uint32], *, by_columns: bool = False) -> dict[int, Part]:
    """
    Find the runs of every object.

    Args:
        ids: Height x width.
        by_columns: Whether runs go down columns, as those of COCO, and not along rows. A run goes on at the beginning
            of the next line.

    Returns:
        The objects by id, ascending; what is unlabelled is left out.
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
    cuts = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    parts = {}
    for which in np.split(order, cuts) if order.size else []:
        parts[int(values[which[0]])] = _part(starts[which], ends[which], line, across=by_columns)
    return parts


def _part(starts: Numbers, ends: Numbers, line: int, *, across: bool) -> Part:
    first, last = starts // line, (ends - 1) // line
    if (first == last).all():
        low, high = int((starts % line).min()), int(((ends - 1) % line).max()) + 1
    else:  # a run that goes on in the next line has the end of one and the beginning of the other
        low, high = 0, line
    lines = int(first[0]), int(last[-1]) + 1
    (left, right), (top, bottom) = (lines, (low, high)) if across else ((low, high), lines)
    area = int((ends - starts).sum())
    return Part(area=area, left=left, top=top, right=right, bottom=bottom, starts=starts, ends=ends)
