"""
JSON Lines, from a file or from standard input (``-``), read only as fast as the items are used.

A line that is no JSON object becomes an item that fails, so that the other lines are not lost.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from cyclopts import Parameter

from segments_async.cli.statuses import CommandError
from segments_async.cli.streams import closed, interruptible
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

STDIN = "-"
FAILURE = "_failure"
"""The key that a failures file adds to each item: the line and the error. It is dropped when the item is read again."""
PIECE_BYTES = 1 << 16
MAX_LINE_BYTES = 256 << 20
UUID_LENGTH = 36

Uuids = Annotated[list[str], Parameter(name="UUID")]
Folders = Annotated[list[str], Parameter(name="FOLDER")]


class BadLine(Mapping[str, Any]):
    """A line that is no item: whatever reads it raises the error, which becomes the error of the item."""

    def __init__(self, number: int, text: str, problem: str) -> None:
        self.number = number
        self.text = text
        self.problem = problem

    def error(self) -> InputError:
        """Return the error, which names the line."""
        return InputError(self.problem, path=f"line {self.number}")

    def __getitem__(self, key: str) -> NoReturn:
        raise self.error()

    def __iter__(self) -> Iterator[str]:
        raise self.error()

    def __len__(self) -> NoReturn:
        raise self.error()


def check_source(source: str) -> None:
    """
    Check that a file can be read, before anything is sent.

    Raises:
        CommandError: It cannot.
    """
    if source == STDIN:
        if "stdin" in closed:
            raise CommandError("standard input is closed")
        return
    try:
        Path(source).open("rb").close()
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise CommandError(f"cannot read {source}: {problem}", hint="- reads standard input") from error


def read_stdin() -> bytes:
    """Read all of standard input."""
    return b"".join(_stdin_pieces())


@contextmanager
def whole_file(source: str) -> Iterator[str]:
    """Return the path of a file that is read more than once; standard input is copied to one first."""
    if source != STDIN:
        yield source
        return
    check_source(source)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "standard input"
        with path.open("wb") as file:
            file.writelines(_stdin_pieces())
        yield str(path)


def _stdin_pieces() -> Iterator[bytes]:
    """Yield standard input, as it arrives: between two pieces Python notices an interrupt."""
    check_source(STDIN)
    with interruptible():
        while piece := os.read(sys.stdin.fileno(), PIECE_BYTES):
            yield piece


def is_source(path: Path, source: str) -> bool:
    """Return whether *path* is the file that *source* is read from, also if the shell opened it."""
    try:
        opened = os.fstat(sys.stdin.fileno()) if source == STDIN else Path(source).stat()
        return os.path.samestat(opened, path.stat())
    except (OSError, ValueError):
        return False


class LineNumbers:
    """
    On which line each item is, and how far the input was read.

    Only where empty lines are skipped is anything kept, so that a long input costs no memory.

    Attributes:
        ended: Whether the input was read to its end.
        last: The last line that was read.
    """

    def __init__(self) -> None:
        self.ended: bool = False
        self.last: int = 0
        self._items = 0
        self._starts = array("Q")
        self._skipped = array("Q")

    async def read(self, source: str) -> AsyncIterator[bytes]:
        """Yield the lines of *source* that are not empty, and note where they are."""
        async for line in _lines(source):
            self.last += 1
            content = (line.removeprefix(codecs.BOM_UTF8) if self.last == 1 else line).strip()
            if content:
                self.add(self.last)
                yield content
        self.ended = True

    def add(self, line: int) -> None:
        """Note that the next item is on *line*."""
        skipped = line - self._items - 1
        if skipped != (self._skipped[-1] if self._skipped else 0):
            self._starts.append(self._items)
            self._skipped.append(skipped)
        self._items += 1

    def of(self, index: int) -> int:
        """Return the line of the item with this index."""
        place = bisect_right(self._starts, index)
        return index + 1 + (self._skipped[place - 1] if place else 0)


async def read_items(source: str, lines: LineNumbers, parse: Callable[[Any], Any] | None = None) -> AsyncIterator[Any]:
    """
    Yield the items of *source*, one a line; empty lines are skipped.

    Args:
        source: A path, or ``-`` for standard input.
        lines: Is told the line of each item.
        parse: Converts what a line contains to an item; a CommandError that it raises becomes the item's error. By
            default a line must contain an object.
    """
    from segments_async._serialization.json import decode_json
    from segments_async.errors import DecodeError

    parse = parse or _as_object
    async for content in lines.read(source):
        number = lines.last
        if number == 1 and content.startswith(b"["):
            raise CommandError(
                f"{_shown(source)} is a JSON array, not JSON Lines",
                hint=f"convert it with: jq -c '.[]' {source if source != STDIN else ''}".rstrip(),
            )
        try:
            yield parse(_without_failure(decode_json(content)))
        except DecodeError as error:
            yield BadLine(number, content.decode(errors="replace"), error.problem)
        except CommandError as error:
            yield BadLine(number, content.decode(errors="replace"), str(error))


def read_uuids(words: list[str], lines: LineNumbers | None) -> list[str] | AsyncIterator[Any]:
    """Return the uuids *words*; or yield those on standard input, if *lines* are noted: text, or objects with one."""
    return words if lines is None else _read_uuids(lines)


async def _read_uuids(lines: LineNumbers) -> AsyncIterator[Any]:
    async for content in lines.read(STDIN):
        yield _uuid_of(content)


async def as_async(items: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
    """Iterate over items of either kind."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    for item in items:
        yield item


def uuid_in(item: Any) -> Any:
    """
    Return the uuid of an item that `read_uuids` yields.

    Raises:
        CommandError: It is an object without one.
    """
    if isinstance(item, dict) and "uuid" not in item:
        raise CommandError("uuid: missing")
    return item["uuid"] if isinstance(item, dict) else item


def lines_of_stdin(words: list[str], what: str = "uuids") -> LineNumbers | None:
    """
    Return where to note the lines of standard input, if that is what is meant; None if it is not.

    Raises:
        CommandError: Some of *words* are on standard input, but not all; or it is closed.
    """
    if STDIN not in words:
        return None
    if len(words) > 1:
        raise CommandError(f"- cannot be combined with {what}")
    check_source(STDIN)
    return LineNumbers()


def _uuid_of(content: bytes) -> Any:
    from segments_async._serialization.json import decode_json
    from segments_async.errors import DecodeError

    try:
        value = _without_failure(decode_json(content))
    except DecodeError:
        return content.decode(errors="replace")  # a uuid without quotes
    if isinstance(value, dict) and "uuid" not in value and "sample_uuid" in value:
        value["uuid"] = value["sample_uuid"]
    return value


def _as_object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise CommandError(f"expected an object, got {type(value).__name__}")
    return value


def _without_failure(value: Any) -> Any:
    if isinstance(value, dict):
        value.pop(FAILURE, None)
    return value


async def _lines(source: str) -> AsyncIterator[bytes]:
    """Yield lines, without what ends them."""
    rest = bytearray()
    async for piece in _pieces(source):
        rest += piece
        if len(rest) > MAX_LINE_BYTES:
            raise CommandError(f"a line of {_shown(source)} is longer than {MAX_LINE_BYTES >> 20} MiB")
        if b"\n" not in piece:
            continue
        *lines, tail = bytes(rest).split(b"\n")
        rest = bytearray(tail)
        for line in lines:
            yield line
    if rest:
        yield bytes(rest)


async def _pieces(source: str) -> AsyncIterator[bytes]:
    if source == STDIN:
        if sys.stdin.isatty():
            print("reading from the terminal; Ctrl-D ends the input", file=sys.stderr)
        descriptor = sys.stdin.fileno()
        while piece := await _read(descriptor):
            yield piece
        return
    with Path(source).open("rb", buffering=0) as file:  # noqa: ASYNC230 (a local file is never late)
        while piece := await _read(file.fileno()):
            yield piece


async def _read(descriptor: int) -> bytes:
    """Read what is there. The event loop waits for what may be late, so that an interrupt ends the wait."""
    import anyio

    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(os.read, descriptor, PIECE_BYTES, abandon_on_cancel=True)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor):
        await anyio.wait_readable(descriptor)
    return os.read(descriptor, PIECE_BYTES)


def _shown(source: str) -> str:
    return "standard input" if source == STDIN else source
