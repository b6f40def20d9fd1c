"""
Parse the JSON of a release file incrementally, with only a window of the text in memory. Nothing here is async.

Each sample is parsed by the standard library's scanner, so the result equals that of ``json.loads``, including large
numbers and lone surrogates. Keys may come in any order.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import IO, TYPE_CHECKING, Any

from segments_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_BYTES = 256 * 1024
"""Bytes per read. A larger sample is still read whole."""
MAX_VALUE_CHARACTERS = 256 * 1024 * 1024
"""Larger values are refused: such a file is not a release, and the value would exhaust memory."""
MAX_TOKEN_CHARACTERS = 16
"""If the window ends inside a number, literal or escape, the scanner stops at most this far before its end."""
EXCERPT_CHARACTERS = 40

_space = re.compile(r"[ \t\r\n]*")
_read_value = json.JSONDecoder().raw_decode


class JsonText:
    """
    A JSON file, parsed value by value.

    Args:
        file: Opened in binary mode.
        name: Name of the file in errors.
        kind: What the file should be, for errors.
        remedy: What to do if it is truncated, for errors.
    """

    def __init__(
        self, file: IO[bytes], name: str, *, kind: str = "a release", remedy: str = "; download it again"
    ) -> None:
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
        """Parse the next value of any type."""
        self.peek()
        more = max(WINDOW_BYTES, self._expected_length)
        if len(self._text) - self._index < self._expected_length:
            self._fill(more)
        while True:
            problem = None
            try:
                value, end = _read_value(self._text, self._index)
            except json.JSONDecodeError as error:
                problem = error
            except RecursionError:
                raise self.error(f"is nested too deeply at character {self.position}") from None
            except ValueError as error:  # an integer of thousands of digits
                problem_text = f"contains a value that cannot be read at character {self.position}: {error}"
                raise self.error(problem_text) from error
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
            if len(self._text) - self._index > MAX_VALUE_CHARACTERS:
                raise self.error(
                    f"contains a value of more than {MAX_VALUE_CHARACTERS} characters; it is not {self._kind}"
                )
            self._fill(more)
            more *= 2

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

    def items(self, name: str) -> Iterator[Any]:
        """Iterate over the values of an array; errors raised meanwhile have the *name* of the array and the index."""
        self.take("[")
        self._list, self._item_index = name, 0
        if self.peek() == "]":
            self.take("]")
        else:
            yield self.value()
            while self.take(",]") == ",":
                self._item_index += 1
                yield self.value()
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
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._text = JsonText(file, name)
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
                yield from self._text.items("dataset.samples")
            else:
                dataset[key] = self._text.value()
