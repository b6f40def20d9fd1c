"""A set of texts that needs 12 to 24 bytes for each, where a set of Python needs over 100."""

from __future__ import annotations

import sys
from array import array

_FIRST_SLOTS = 1 << 10
_IS_WIDE = sys.hash_info.width >= 64  # noqa: PLR2004 (bits)


class TextSet:
    """
    Remember texts by 64 bits of Python's keyed hash: of a million, two that differ are taken for one in 3 of 10^8 runs.

    Example:
        >>> seen = TextSet()
        >>> seen.add("violet.jpg"), seen.add("violet.jpg")
        (True, False)
    """

    def __init__(self) -> None:
        self._slots = array("q", bytes(8 * _FIRST_SLOTS))
        self._room = _FIRST_SLOTS * 2 // 3
        """How many texts can be added until the table grows."""

    def add(self, text: str) -> bool:
        """Add *text*; return whether it is new."""
        value = (hash(text) if _IS_WIDE else _wide_hash(text)) or 1  # 0 marks a free slot
        slots = self._slots
        mask = len(slots) - 1
        place = value & mask
        while found := slots[place]:
            if found == value:
                return False
            place = (place + 1) & mask
        slots[place] = value
        self._room -= 1
        if not self._room:
            self._grow()
        return True

    def _grow(self) -> None:
        values, self._slots = self._slots, array("q", bytes(16 * len(self._slots)))
        slots, mask = self._slots, len(self._slots) - 1
        self._room = len(slots) * 2 // 3 - len(values) * 2 // 3
        for value in values:
            if value:
                place = value & mask
                while slots[place]:
                    place = (place + 1) & mask
                slots[place] = value


def _wide_hash(text: str) -> int:
    """Make 64 bits of two hashes, for Python on 32 bits."""
    return ((hash(text) % (1 << 32) - (1 << 31)) << 32) | hash(f"{text}\0") % (1 << 32)
