"""
Keep an answer as text, and make models of it when one is asked for.

The collector of garbage looks at a text never, and at the models of an answer again and again. The text also takes a
third of their memory, or less.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segments_async._serialization.collector import without_collections
from segments_async._serialization.converter import reader_of, structure_answer
from segments_async._serialization.fit import fits
from segments_async._serialization.json import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Answer(Generic[T]):
    """
    The values of an answer: one, or several rows of a list, all made when the first of them is asked for.

    So reading all values decodes the text once, in whatever order, and without pauses of the garbage collector.

    Example:
        >>> answer = Answer(b'[{"uuid": "u-1", "name": "a.png"}]', Sample)
        >>> number = answer.put_off(0)
        >>> answer.value(number).name
        'a.png'

    Args:
        text: JSON: an object, or a list of them.
        model: The class of each.
    """

    __slots__ = ("_lock", "_model", "_rows", "_text", "_values")

    def __init__(self, text: bytes, model: type[T]) -> None:
        self._text = text
        self._model = model
        self._rows: list[int] = []
        """The row of each value."""
        self._values: list[T] | None = None
        self._lock = RLock()

    def put_off(self, row: int) -> int:
        """Return the number with which to ask for the value of *row*, which `fits`; each has a model of its own."""
        self._rows.append(row)
        return len(self._rows) - 1

    def value(self, number: int) -> T:
        """Return the value of that number, always the same object."""
        values = self._values
        return (self._read() if values is None else values)[number]

    def _read(self) -> list[T]:
        with self._lock:
            if self._values is None:
                self._values = without_collections(self._make)
                self._text, self._rows = b"", []
            return self._values

    def _make(self) -> list[T]:
        decoded: Any = decode_json(self._text)
        rows = decoded if isinstance(decoded, list) else [decoded]
        read = reader_of(self._model)
        return [read(rows[row], None) for row in self._rows]


def later(model: type[T]) -> Callable[[Any, bytes], Answer[T] | T]:
    """Return what reads an answer as an `Answer` of one value, or as a model at once unless it is certain to fit."""

    def read(value: Any, text: bytes) -> Answer[T] | T:
        if not fits(value, model):
            return structure_answer(value, model)
        answer = Answer(text, model)
        answer.put_off(0)
        return answer

    return read
