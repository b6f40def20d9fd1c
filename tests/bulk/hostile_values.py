"""
Values, files and functions of a caller that raise an exception, at a chosen call.

The values of real libraries (``test_values_of_other_libraries.py``) do not raise on demand, so these have their
interfaces: a datetime as ``pandas.NaT`` is one, mappings, sequences, and files.
"""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from segments_async import FileSample

BOXES = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}]}
UUID = "602a3eec-a61c-4a77-9fcc-3037ce5e9606"


class Unreadable(Exception):  # noqa: N818
    """An exception whose message cannot be read."""

    def __str__(self):
        raise ZeroDivisionError


class Trap:
    """Raises the exception at the call with this number, from 1; once, or from then on."""

    def __init__(self, error, at=1, *, once=False):
        self.error = error
        self.at = at
        self.once = once
        self.calls = 0

    def __call__(self, *_, **__):
        self.calls += 1
        if self.calls == self.at or (self.calls > self.at and not self.once):
            raise self.error


class Unzoned(datetime):
    """What ``pandas.NaT`` is: a datetime whose `utcoffset` raises."""

    trap = None

    def utcoffset(self):
        self.trap()
        return super().utcoffset()


def moment(trap):
    kind = type("Unzoned", (Unzoned,), {"trap": staticmethod(trap)})
    return kind(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))


class Fields(Mapping):
    """A mapping that raises while it is read."""

    def __init__(self, fields, trap):
        self._fields = fields
        self._trap = trap

    def __getitem__(self, key):
        self._trap()
        return self._fields[key]

    def __iter__(self):
        self._trap()
        return iter(self._fields)

    def __len__(self):
        self._trap()
        return len(self._fields)


class Files(Sequence):
    """A sequence that raises while it is read."""

    def __init__(self, files, trap):
        self._files = files
        self._trap = trap

    def __getitem__(self, index):
        self._trap()
        return self._files[index]

    def __len__(self):
        self._trap()
        return len(self._files)


def text(content, trap):
    """A string whose methods raise."""

    def method(name):
        def run(self, *arguments):
            trap()
            return getattr(str, name)(self, *arguments)

        return run

    names = ["strip", "encode", "startswith", "split", "replace", "__hash__", "__eq__", "__len__", "__str__"]
    return type("Text", (str,), {name: method(name) for name in names})(content)


def identifier(trap, value=UUID):
    def to_text(_):
        trap()
        return value

    return type("Identifier", (uuid.UUID,), {"__str__": to_text})(value)


def array(trap, value=((0, 1), (1, 1))):
    """An object that numpy and the JSON writer ask for its content."""

    class Array:
        def __array__(self, *_, **__):
            import numpy as np  # noqa: PLC0415 (an extra)

            trap()
            return np.array(value)

        def tolist(self):
            trap()
            return [list(row) for row in value]

    return Array()


def attributed(trap):
    """An object without the attribute that is asked for, which raises something else."""

    class Attributed:
        def __getattr__(self, name):
            trap()
            raise AttributeError(name)

    return Attributed()


class Opened(io.RawIOBase):
    """A file that raises while it is read."""

    def __init__(self, trap):
        self._trap = trap

    @property
    def name(self):
        self._trap()
        return "opened.png"

    def read(self, size=-1):
        self._trap()
        return b"picture"


class Located(os.PathLike):
    """A path that raises when it is asked for."""

    def __init__(self, trap, path="no-such-file.png"):
        self._trap = trap
        self._path = path

    def __fspath__(self):
        self._trap()
        return self._path


def function(trap, result=None):
    def run(*_):
        trap()
        return result

    return run


VALUES = {
    "time": moment,
    "mapping": lambda trap: Fields({"a": 1}, trap),
    "sequence": lambda trap: Files([1, 2], trap),
    "array": array,
    "object": attributed,
    "uuid": identifier,
}
"""Values inside the JSON of an item."""

IMAGE = {"image": {"url": "http://127.0.0.1:1/a.png"}}
ASSETS = lambda assets: {"image": {"url": assets[0].url}}  # noqa: E731 (a table entry)


def inside(build):
    """Items of every kind of value."""
    return {name: (lambda trap, make=make: build(make(trap))) for name, make in VALUES.items()}


ITEMS = {
    "samples.create_many": {
        **inside(lambda value: {"name": "bad", "attributes": IMAGE, "metadata": {"x": [value]}}),
        "item": lambda trap: Fields({"name": "bad", "attributes": IMAGE}, trap),
        "name": lambda trap: {"name": text("bad", trap), "attributes": IMAGE},
        "attributes": lambda trap: {"name": "bad", "attributes": Fields(IMAGE, trap)},
        "no item": attributed,
    },
    "samples.update_many": {
        **inside(lambda value: {"uuid": UUID, "metadata": {"x": value}}),
        "item": lambda trap: Fields({"uuid": UUID, "priority": 1}, trap),
        "identifier": lambda trap: {"uuid": identifier(trap), "priority": 1},
    },
    "samples.delete_many": {"identifier": identifier, "text": lambda trap: text(UUID, trap), "no item": attributed},
    "samples.upload_files": {
        **inside(lambda value: FileSample("bad", b"x", metadata={"x": value})),
        "opened": lambda trap: ("bad", Opened(trap)),
        "path": Located,
        "path of a sample": lambda trap: FileSample("bad", Located(trap)),
        "files": lambda trap: FileSample("bad", Files([b"x"], trap)),
        "attributes": lambda trap: FileSample("bad", b"x", function(trap, IMAGE)),
        "result of attributes": lambda trap: FileSample("bad", b"x", lambda _: {"image": Fields(IMAGE["image"], trap)}),
        "item": lambda trap: Fields({"name": "bad", "files": b"x"}, trap),
        "name": lambda trap: (text("bad", trap), b"x"),
        "no file": lambda trap: ("bad", attributed(trap)),
    },
    "labels.put_many": {
        **inside(lambda value: {"sample_uuid": UUID, "attributes": {**BOXES, "x": value}}),
        "item": lambda trap: Fields({"sample_uuid": UUID, "attributes": BOXES}, trap),
        "identifier": lambda trap: {"sample_uuid": identifier(trap), "attributes": BOXES},
        "labelset": lambda trap: {"sample_uuid": UUID, "labelset": text("ground-truth", trap), "attributes": BOXES},
    },
    "labels.update_many": {
        **inside(lambda value: {"sample_uuid": UUID, "attributes": {**BOXES, "x": value}}),
        "item": lambda trap: Fields({"sample_uuid": UUID, "score": 1}, trap),
    },
    "labels.get_many": {"identifier": identifier, "text": lambda trap: text(UUID, trap), "no item": attributed},
    "labels.delete_many": {"identifier": identifier, "text": lambda trap: text(UUID, trap), "no item": attributed},
    "labels.put_bitmaps": {
        "array": lambda trap: {"sample_uuid": UUID, "array": array(trap), "annotations": [{"id": 1, "category_id": 1}]},
        "annotations": lambda trap: {"sample_uuid": UUID, "array": [[0, 1]], "annotations": Files([], trap)},
        "item": lambda trap: Fields({"sample_uuid": UUID, "array": [[0]], "annotations": []}, trap),
        "attribute": lambda trap: {
            "sample_uuid": UUID,
            "array": [[0]],
            "annotations": [],
            "image_attributes": {"at": moment(trap)},
        },
    },
    "assets.download_many": {
        "url": lambda trap: text("http://127.0.0.1:1/x.png", trap),
        "item": lambda trap: Fields({"uuid": UUID, "name": "x", "attributes": IMAGE}, trap),
        "name": lambda trap: {"uuid": UUID, "name": text("x", trap), "attributes": IMAGE},
        "attributes": lambda trap: {"uuid": UUID, "name": "x", "attributes": Fields(IMAGE, trap)},
    },
}
"""Items by operation and by what in them raises."""
