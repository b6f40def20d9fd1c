"""Find the end of a JSON value piece by piece, without building the value. Nothing here is async."""

from __future__ import annotations

import re

_sign = re.compile(r"[\[\]{}]")
_scalar = re.compile(r"[^,\]}\s]*")
_in_string = re.compile(r'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.DOTALL)
"""Characters and escapes; a bounded number of them, as the pattern needs memory for each escape."""
_OPENING = "[{"
_PART = 64 * 1024
"""Characters that are searched at once, so that a short value costs little in a long text."""


class ValueEnd:
    """
    Find where a value ends that is well-formed; of any other, some place is found, or none.

    Example:
        >>> end = ValueEnd()
        >>> end.find('[{"a": "]', 0), end.find('"}], 7', 0)
        (None, 3)
    """

    def __init__(self) -> None:
        self._depth = 0
        self._is_first = True
        self._is_string = False
        self._is_escape = False
        """Whether the last piece ended in a backslash of a string."""

    def find(self, text: str, index: int) -> int | None:
        """Return the index after the value, which goes on at *index*; None if it goes on in the next piece."""
        if self._is_first and index < len(text):
            self._is_first = False
            if text[index] not in '"[{':
                self._is_first = True  # a number may go on in the next piece
                scalar = _end(_scalar, text, index)
                return scalar if scalar < len(text) else None
        while index < len(text):
            if self._is_string:
                index = self._skip_string(text, index)
                if not (self._is_string or self._depth):
                    return index
            else:
                part_end = min(len(text), index + _PART)
                quote = text.find('"', index, part_end)
                end = self._find_closing(text, index, part_end if quote < 0 else quote)
                if end is not None:
                    return end
                self._is_string = quote >= 0
                index = quote + 1 if self._is_string else part_end
        return None

    def _skip_string(self, text: str, index: int) -> int:
        """Return the index after the string, or the length of the text."""
        if self._is_escape:
            self._is_escape = False
            index += 1
        while index < len(text):
            index = _end(_in_string, text, index)
            if index < len(text) and text[index] == '"':
                self._is_string = False
                return index + 1
            if index == len(text) - 1:
                self._is_escape = True
                break
        return len(text)

    def _find_closing(self, text: str, start: int, end: int) -> int | None:
        """Return the index after the bracket that closes the value, if it is in this part without strings."""
        closing = text.count("]", start, end) + text.count("}", start, end)
        if closing < self._depth:
            self._depth += text.count("[", start, end) + text.count("{", start, end) - closing
            return None
        for found in _sign.finditer(text, start, end):
            self._depth += 1 if found[0] in _OPENING else -1
            if not self._depth:
                return found.end()
        return None


def _end(pattern: re.Pattern[str], text: str, index: int) -> int:
    match = pattern.match(text, index)
    assert match is not None  # they match anything, also nothing
    return match.end()
