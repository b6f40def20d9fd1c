"""
Estimate the memory that JSON takes when it is decoded, before it is.

Two bytes of text may become a hundred bytes of objects, so a limit on the text alone limits nothing. The estimate
counts the signs between values. Its weights are at least what a value after such a sign was measured to take, with what
the parser and the models need: the estimate is never too low, and 1.0 to 5 times too high.
"""

from __future__ import annotations

_MOST = 125
"""No byte of text costs more; the models of a list of empty objects, ``[{},{},{}]``, come closest."""
_VALUE = 32
"""A place in a list or in an object, and one in the document that orjson builds first."""
_LIST = 72
_OBJECT = 64
_MODEL = 200
_FIRST_MEMBER = 104
"""An object without members has no table for them."""
_MEMBER = 72
_STRING = 64
"""A string apart from its characters."""
_NUMBER = 32
_NUMBER_CHARACTERS = 4
"""With the comma. Python keeps one object for each shorter integer."""
_NARROW = 2
"""Bytes for each character: in orjson's copy of the text, and in a string."""
_WIDE = 5
"""The same if a character is not ASCII; one emoji makes each character of its string four bytes wide."""


def may_exceed(length: int, max_bytes: float) -> bool:
    """
    Return whether JSON of *length* bytes might take more than *max_bytes*; most answers are so short that none can.

    Example:
        >>> may_exceed(100_000, 64_000_000), may_exceed(10_000_000, 64_000_000)
        (False, True)
    """
    return length * _MOST > max_bytes


def decoded_size(text: bytes) -> int:
    """
    Return the most bytes that JSON *text* takes while and after it is decoded to models, without the text itself.

    Example:
        >>> decoded_size(b'{"points": [[1.5, 2.5], [3.5, 4.5]]}')
        1078
    """
    lists, objects, members = text.count(b"["), text.count(b"{"), text.count(b":")
    values = 1 + lists + objects + text.count(b",")
    character = _NARROW if text.isascii() and b"\\u" not in text else _WIDE
    return (
        values * _VALUE
        + lists * _LIST
        + objects * (_OBJECT + _MODEL)
        + min(objects, members) * _FIRST_MEMBER
        + members * _MEMBER
        + text.count(b'"') // 2 * _STRING
        + min(values, len(text) // _NUMBER_CHARACTERS) * _NUMBER
        + len(text) * character
    )
