"""Render arrays of ids as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segments_async.images.bitmaps import check_ids, translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

PALETTE = np.array(
    [
        (0, 113, 188), (216, 82, 24), (236, 176, 31), (125, 46, 141), (118, 171, 47), (76, 189, 237),
        (161, 19, 46), (255, 0, 0), (255, 127, 0), (190, 190, 0), (0, 255, 0), (0, 0, 255),
        (170, 0, 255), (84, 84, 0), (84, 170, 0), (84, 255, 0), (170, 84, 0), (170, 170, 0),
        (170, 255, 0), (255, 84, 0), (255, 170, 0), (255, 255, 0), (0, 84, 127), (0, 170, 127),
        (0, 255, 127), (84, 0, 127), (84, 84, 127), (84, 170, 127), (84, 255, 127), (170, 0, 127),
        (170, 84, 127), (170, 170, 127), (170, 255, 127), (255, 0, 127), (255, 84, 127), (255, 170, 127),
    ],
    np.uint8,
)  # fmt: skip
"""The colours of ids 1, 2, 3 and so on, repeating: the official SDK's ``COLORMAP``."""


def colorize(array: npt.ArrayLike, colours: Mapping[int, Sequence[float]] | None = None) -> npt.NDArray[np.uint8]:
    """
    Render annotation ids, or category ids, as colours.

    Example::

        Image.fromarray(colorize(array)).save("objects.png")

    Args:
        array: Height x width: ids as in a bitmap.
        colours: Red, green and blue of each id, 0 to 255; further numbers, such as alpha, are ignored. Ids not in
            *colours* are black. By default the palette of the label editor is used.

    Returns:
        Height x width x 3; id 0 is black, unless *colours* contains it.
    """
    ids = check_ids(array)
    if colours is None:
        numbers = np.where(ids == 0, len(PALETTE), (ids - np.uint32(1)) % len(PALETTE))
        return np.take(_PALETTE_AND_BLACK, numbers, axis=0, mode="clip")
    return translate(ids, {number: colour[:3] for number, colour in (colours or {0: (0, 0, 0)}).items()}, np.uint8)


_PALETTE_AND_BLACK = np.vstack([PALETTE, np.zeros((1, 3), np.uint8)])
