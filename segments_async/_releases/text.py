"""
Walk through the JSON text of a release, of which only a window is in memory. Nothing here is async.

Each sample is read by the standard library's own scanner, so that it equals what ``json.loads`` makes of it: numbers of
any size, lone surrogates and all. Keys come in any order.
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
"""So much is read at once; a sample that is larger is read whole."""
MAX_VALUE_CHARACTERS = 256 * 1024 * 1024
"""No sample is so large: a file with such a value is something else, and would fill the memory."""
NEAR = 16
"""Text that ends inside a number, word or escape is found wrong at most so many characters before its end."""
SHOWN = 40

_space = re.compile(r"[ \t\r\n]*")
_read_value = json.JSONDecoder().raw_decode


class JsonText:
    """
    A file of JSON, read value by value.

    Args:
        file: Opened for reading bytes.
        name: What it is called in errors.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._before = 0
        self._usual = 0
        """Length of the value before; the next one is probably as long."""
        self._ended = False
        self._item: int | None = None

    @property
    def position(self) -> int:
        """Characters behind us."""
        return self._before + self._at

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _space.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(WINDOW_BYTES)

    def take(self, expected: str) -> str:
        """Go past one of the characters *expected*, and return it."""
        found = self.peek()
        if not found:
            raise self.error("ends before its end; download it again")
        if found not in expected:
            shown = self._text[self._at : self._at + SHOWN]
            raise self.error(f"is not JSON: expected {' or '.join(expected)} at character {self.position}: {shown!r}")
        self._at += 1
        return found

    def value(self) -> Any:
        """Read the next value, whatever it is."""
        self.peek()
        more = max(WINDOW_BYTES, self._usual)
        if len(self._text) - self._at < self._usual:
            self._fill(more)
        while True:
            problem = None
            try:
                value, end = _read_value(self._text, self._at)
            except json.JSONDecodeError as error:
                problem = error
            except RecursionError:
                raise self.error(f"is nested too deeply at character {self.position}") from None
            # A number might go on: of "0.5" cut after the point, the scanner reads the 0.
            cut = problem is None and isinstance(value, int | float) and end > len(self._text) - NEAR
            if problem is None and (self._ended or not cut):
                self._usual = (end - self._at) * 5 // 4
                self._at = end
                return value
            if problem is not None and (self._ended or not self._may_go_on(problem)):
                raise self._broken(problem)
            if len(self._text) - self._at > MAX_VALUE_CHARACTERS:
                raise self.error(f"holds a value of more than {MAX_VALUE_CHARACTERS} characters; it is no release")
            self._fill(more)
            more *= 2

    def members(self) -> Iterator[str]:
        """Walk through an object: gives each key, and its value is read before the next."""
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

    def samples(self) -> Iterator[Any]:
        """Read the array of samples, one by one; errors meanwhile say which one it is."""
        self.take("[")
        self._item = 0
        if self.peek() == "]":
            self.take("]")
        else:
            yield self.value()
            while self.take(",]") == ",":
                self._item += 1
                yield self.value()
        self._item = None

    def end(self) -> None:
        """Refuse what follows the end."""
        if self.peek():
            raise self.error(f"goes on after its end, at character {self.position}")

    def error(self, problem: str, path: str = "") -> DecodeError:
        """Make an error that names the file, and the sample that it is about."""
        if self._item is not None:
            path = f"dataset.samples[{self._item}]"
        return DecodeError(f"{self._name} {problem}", path=path)

    def _may_go_on(self, problem: json.JSONDecodeError) -> bool:
        """Whether text beyond the window may cure *problem*."""
        return problem.msg.startswith("Unterminated string") or problem.pos > len(self._text) - NEAR

    def _broken(self, problem: json.JSONDecodeError) -> DecodeError:
        if self._ended and self._may_go_on(problem):
            return self.error("ends before its end; download it again")
        shown = self._text[problem.pos : problem.pos + SHOWN]
        return self.error(f"is not JSON: {problem.msg} at character {self._before + problem.pos}: {shown!r}")

    def _fill(self, size: int) -> None:
        data = self._file.read(size)
        self._ended = not data
        try:
            text = self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError:
            raise self.error("is not JSON: its text is not UTF-8") from None
        self._text = self._text[self._at :] + text
        self._before += self._at
        self._at = 0


class ReleaseText:
    """
    The file of a release: iterate over it for its samples, and `header` is filled on the way with all the rest.

    Args:
        file: Opened for reading bytes.
        name: What it is called in errors.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._text = JsonText(file, name)
        self._found = False
        self.header: dict[str, Any] = {}
        """Keys of the file as far as they were met; ``dataset`` without its samples."""

    @property
    def position(self) -> int:
        """Characters that were read."""
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
        if not self._found:
            raise text.error("is no release: it holds no samples", path="dataset.samples")

    def _dataset(self) -> Iterator[Any]:
        dataset = self.header["dataset"] = {}
        for key in self._text.members():
            if key == "samples" and self._text.peek() == "[":
                self._found = True
                yield from self._text.samples()
            else:
                dataset[key] = self._text.value()
