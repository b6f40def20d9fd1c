"""
Parse the JSON of a release file incrementally, with only a window of the text in memory. Nothing here is async.

Each sample is parsed by the standard library's scanner, so the result equals that of ``json.loads``, including large
numbers and lone surrogates. Keys may come in any order.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from typing import IO, TYPE_CHECKING, Any

from segments_async._releases.value_end import ValueEnd
from segments_async._serialization.decoded_size import decoded_size, may_exceed
from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_BYTES = 256 * 1024
"""Bytes per read. A larger sample is still read whole."""
MAX_VALUE_BYTES = 1_000_000_000
"""Memory that the text of a value and its decoded form may take together; estimated before it is decoded."""
MAX_FILL_BYTES = 64 * 1024 * 1024
_COPIES_OF_TEXT = 2
"""While the window grows."""
_WIDEST_CHARACTER = 4
_MB = 1_000_000
MAX_TOKEN_CHARACTERS = 16
"""If the window ends inside a number, literal or escape, the scanner stops at most this far before its end."""
EXCERPT_CHARACTERS = 40

_space = re.compile(r"[ \t\r\n]*")
_read_value = json.JSONDecoder().raw_decode


class _UnreadableError(Exception):
    """A value that is not read, although its end can be found."""


class JsonText:
    """
    A JSON file, parsed value by value.

    Args:
        file: Opened in binary mode.
        name: Name of the file in errors.
        kind: What the file should be, for errors.
        remedy: What to do if it is truncated, for errors.
        max_bytes: Memory that a value may take.
    """

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        *,
        kind: str = "a release",
        remedy: str = "; download it again",
        max_bytes: int = MAX_VALUE_BYTES,
    ) -> None:
        self._max_bytes = max_bytes
        self._file = file
        self._name = name
        self._kind = kind
        self._truncated = f"is truncated{remedy}"
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        """The window."""
        self._index = 0
        """Position in the window."""
        self._offset = 0
        """Characters before the window."""
        self._expected_length = 0
        """Estimated from the previous value, as samples have similar lengths."""
        self._at_end = False
        self._fitting_end = -1
        """Characters before the end of a window that fits in memory as a whole, so that its values need no check."""
        self._exceeding_end = -1
        """The same of a window that does not, so that each of its values is checked."""
        self._list = ""
        self._item_index: int | None = None
        self._start = 0
        """Position of the last value in the window."""

    @property
    def position(self) -> int:
        """Characters parsed so far."""
        return self._offset + self._index

    def peek(self) -> str:
        """Return the next character that is not white space; empty at the end."""
        while True:
            match = _space.match(self._text, self._index)
            assert match is not None
            self._index = match.end()
            if self._index < len(self._text):
                return self._text[self._index]
            if self._at_end:
                return ""
            self._fill(WINDOW_BYTES)

    def take(self, expected: str) -> str:
        """Consume one of the *expected* characters, and return it."""
        found = self.peek()
        if not found:
            raise self.error(self._truncated)
        if found not in expected:
            excerpt = self._text[self._index : self._index + EXCERPT_CHARACTERS]
            raise self.error(f"is not JSON: expected {' or '.join(expected)} at character {self.position}: {excerpt!r}")
        self._index += 1
        return found

    def value(self) -> Any:
        """
        Parse the next value of any type.

        Raises:
            DecodeError: The text is not JSON, or the value would take too much memory.
        """
        try:
            return self._value()
        except _UnreadableError as found:
            raise self.error(str(found)) from found.__cause__

    def value_or_error(self) -> Any:
        """Parse the next value; one that is too large, or cannot be read, is skipped, and its error returned."""
        try:
            return self._value()
        except _UnreadableError as found:
            error = self.error(str(found))
            error.__cause__ = found.__cause__
            self._skip_value()
            return error

    def _value(self) -> Any:
        self.peek()
        more = max(WINDOW_BYTES, self._expected_length)
        if len(self._text) - self._index < self._expected_length:
            self._fill(more)
        while True:
            self._check_size()
            problem = None
            try:
                value, end = _read_value(self._text, self._index)
            except json.JSONDecodeError as error:
                problem = error
            except RecursionError:
                raise _UnreadableError(f"is nested too deeply at character {self.position}") from None
            except ValueError as error:  # an integer of thousands of digits
                problem_text = f"contains a value that cannot be read at character {self.position}: {error}"
                raise _UnreadableError(problem_text) from error
            # A number at the end of the window may be incomplete: from "0." of "0.5", the scanner reads 0.
            incomplete = (
                problem is None and isinstance(value, int | float) and end > len(self._text) - MAX_TOKEN_CHARACTERS
            )
            if problem is None and (self._at_end or not incomplete):
                self._expected_length = (end - self._index) * 5 // 4
                self._start, self._index = self._index, end
                return value
            if problem is not None and (self._at_end or not self._may_be_incomplete(problem)):
                raise self._syntax_error(problem)
            self._fill(more)
            more = min(2 * more, MAX_FILL_BYTES)

    def last_text(self) -> str:
        """Return the text of the value that was parsed last; call it before anything else is parsed."""
        return self._text[self._start : self._index]

    def members(self) -> Iterator[str]:
        """Iterate over the keys of an object; the caller reads each value before the next key."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                self.take('"')
            key = self.value()
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return

    def items(self, name: str, *, skip: bool = False) -> Iterator[Any]:
        """
        Iterate over the values of an array; errors raised meanwhile have the *name* of the array and the index.

        With *skip*, a value that is too large, or cannot be read, is not raised: its error takes its place.
        """
        read = self.value_or_error if skip else self.value
        self.take("[")
        self._list, self._item_index = name, 0
        if self.peek() == "]":
            self.take("]")
        else:
            yield read()
            while self.take(",]") == ",":
                self._item_index += 1
                yield read()
        self._item_index = None

    def end(self) -> None:
        """Refuse text after the end of the value."""
        if self.peek():
            raise self.error(f"continues after its end, at character {self.position}")

    def error(self, problem: str, path: str = "") -> DecodeError:
        """Return an error with the name of the file and the place in the current array."""
        if self._item_index is not None:
            path = f"{self._list}[{self._item_index}]"
        return DecodeError(f"{self._name} {problem}", path=path)

    def _check_size(self) -> None:
        """
        Check that the next value, or the part of it in the window, fits in memory, before it is decoded.

        Raises:
            _UnreadableError: It may not.
        """
        length = len(self._text) - self._index
        if not may_exceed(length, self._max_bytes - length * _COPIES_OF_TEXT * _WIDEST_CHARACTER):
            return
        window_end = self._offset + len(self._text)
        if self._fitting_end == window_end:
            return
        if self._exceeding_end != window_end:
            if self._size(len(self._text)) <= self._max_bytes:
                self._fitting_end = window_end
                return
            self._exceeding_end = window_end  # with the values that follow
        end = ValueEnd().find(self._text, self._index) or len(self._text)
        if may_exceed(end - self._index, self._max_bytes / 2) and (size := self._size(end)) > self._max_bytes:
            raise _UnreadableError(
                f"contains a value at character {self.position} that may take {size / _MB:.4g} MB of memory or more, "
                f"of at most {self._max_bytes / _MB:.4g}"
            )

    def _size(self, end: int) -> int:
        text = self._text[self._index : end]
        return decoded_size(text.encode("utf-8", "surrogatepass")) + _COPIES_OF_TEXT * sys.getsizeof(text)

    def _skip_value(self) -> None:
        """Continue after the next value, without keeping its text."""
        end = ValueEnd()
        while (found := end.find(self._text, self._index)) is None:
            self._index = len(self._text)
            if self._at_end:
                raise self.error(self._truncated)
            self._fill(WINDOW_BYTES)
        self._start = self._index = found

    def _may_be_incomplete(self, problem: json.JSONDecodeError) -> bool:
        """Return whether the problem may only be that the window ends too early."""
        return problem.msg.startswith("Unterminated string") or problem.pos > len(self._text) - MAX_TOKEN_CHARACTERS

    def _syntax_error(self, problem: json.JSONDecodeError) -> DecodeError:
        if self._at_end and self._may_be_incomplete(problem):
            return self.error(self._truncated)
        excerpt = self._text[problem.pos : problem.pos + EXCERPT_CHARACTERS]
        return self.error(f"is not JSON: {problem.msg} at character {self._offset + problem.pos}: {excerpt!r}")

    def _fill(self, size: int) -> None:
        data = self._file.read(size)
        self._at_end = not data
        try:
            text = self._decoder.decode(data, final=self._at_end)
        except UnicodeDecodeError:
            raise self.error("is not JSON: its text is not UTF-8") from None
        self._text = self._text[self._index :] + text
        self._offset += self._index
        self._index = 0


class ReleaseText:
    """
    A release file: iterating yields its samples, and fills `header` with everything else.

    Args:
        file: Opened in binary mode.
        name: Name of the file in errors.
        max_bytes: Memory that a sample may take.
        skip: Yield an error in place of a sample that is too large or cannot be read, instead of raising it.
    """

    def __init__(self, file: IO[bytes], name: str, *, max_bytes: int = MAX_VALUE_BYTES, skip: bool = False) -> None:
        self._text = JsonText(file, name, max_bytes=max_bytes)
        self._skip = skip
        self._has_samples = False
        self.header: dict[str, Any] = {}
        """The keys parsed so far; ``dataset`` without its samples."""

    @property
    def position(self) -> int:
        """Characters parsed so far."""
        return self._text.position

    def __iter__(self) -> Iterator[Any]:
        text = self._text
        if text.peek() != "{":
            text.take("{")
        for key in text.members():
            if key == "dataset" and text.peek() == "{":
                yield from self._dataset()
            else:
                self.header[key] = text.value()
        text.end()
        if not self._has_samples:
            raise text.error("is not a release: it has no samples", path="dataset.samples")

    def _dataset(self) -> Iterator[Any]:
        dataset = self.header["dataset"] = {}
        for key in self._text.members():
            if key == "samples" and self._text.peek() == "[":
                self._has_samples = True
                yield from self._text.items("dataset.samples", skip=self._skip)
            else:
                dataset[key] = self._text.value()
