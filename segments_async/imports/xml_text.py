"""
Read XML with expat, without what makes XML unsafe.

A file that declares an entity, or refers to another file, is refused.

Only one child of the root is in memory at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement
from xml.parsers import expat

from segments_async.errors import DecodeError
from segments_async.imports.peek import readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_BYTES = 64 * 1024
MAX_DEPTH = 100
"""Maximum nesting of elements; annotations have less than ten levels."""


class _UnsafeError(ValueError):
    pass


class _Builder:
    """Builds the elements, and keeps the children of the root that are complete."""

    def __init__(self, encoding: str | None = None) -> None:
        self.root: Element | None = None
        self.ready: list[Element] = []
        self._open: list[Element] = []
        self.parser = parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse_entity
        parser.ExternalEntityRefHandler = self._refuse_entity
        parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == MAX_DEPTH:
            raise _UnsafeError(f"has more than {MAX_DEPTH} elements within each other")
        element = SubElement(self._open[-1], tag, attributes) if len(self._open) > 1 else Element(tag, attributes)
        if self.root is None:
            self.root = element
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        element = self._open.pop()
        if len(self._open) == 1:
            self.ready.append(element)

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if len(element):
            element[-1].tail = (element[-1].tail or "") + text
        elif len(self._open) > 1:
            element.text = (element.text or "") + text

    def _doctype(self, _name: str, system: str | None, _public: str | None, _has_subset: int) -> None:
        if system is not None:
            raise _UnsafeError("refers to another file (a document type), which is not read")

    def _refuse_entity(self, *_: Any) -> bool:
        raise _UnsafeError("declares an entity, which is not read")


def xml_children(path: Path) -> Iterator[Element]:
    """
    Yield the root of an XML file, without children, and then each of its children when it is complete.

    Raises:
        DecodeError: The file is truncated, is not XML, or has entities.
    """
    builder = _Builder()
    has_root = False
    with readable(path), path.open("rb") as file:
        while True:
            data = file.read(_CHUNK_BYTES)
            _feed(builder, data, path)
            if builder.root is not None and not has_root:
                has_root = True
                yield builder.root
            yield from builder.ready
            builder.ready.clear()
            if not data:
                return


def _feed(builder: _Builder, data: bytes, path: Path) -> None:
    try:
        builder.parser.Parse(data, not data)
    except expat.ExpatError as error:
        words = "is truncated" if not data else "is not XML"
        raise DecodeError(f"{path.name} {words}: {error}") from error
    except _UnsafeError as error:
        raise DecodeError(f"{path.name} {error}") from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not have
        raise DecodeError(f"{path.name} is not XML: {error}") from error


def read_xml(path: Path) -> Element:
    """Return the root of a small XML file, with everything in it; raises like `xml_children`."""
    children = xml_children(path)
    root = next(children, None)
    if root is None:
        raise DecodeError(f"{path.name} is empty")
    root.extend(list(children))
    return root


def root_tag(path: Path) -> str | None:
    """Return the tag of the root; None if it cannot be read."""
    try:
        return next(xml_children(path)).tag
    except (DecodeError, StopIteration):
        return None


def text_in(element: Element, path: str) -> str | None:
    """Return the text of a descendant without white space around it; None if it is missing or empty."""
    found = element.findtext(path)
    return (found or "").strip() or None
