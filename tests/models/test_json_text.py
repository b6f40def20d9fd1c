"""JSON text is written strictly, and errors name the place."""

import math
import subprocess
import sys
from datetime import UTC, date, datetime
from enum import IntEnum
from types import MappingProxyType
from uuid import UUID

import numpy as np
import pytest

from segments_async._serialization.converter import decode_json, encode_json, unstructure
from segments_async.errors import DecodeError, InputError
from segments_async.models import URL, ImageSampleAttributes, LabelStatus, SampleCreate


class Level(IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()


GOOD = [
    pytest.param({"a": None, "b": [None]}, b'{"a":null,"b":[null]}', id="null-stays"),
    pytest.param({"null": "null"}, b'{"null":"null"}', id="the-word-null"),
    pytest.param([1, 1.0, -0.0, True], b"[1,1.0,-0.0,true]", id="numbers-keep-their-kind"),
    pytest.param([2**64 - 1, -(2**63)], b"[18446744073709551615,-9223372036854775808]", id="64-bits"),
    pytest.param("é\U0001f600", '"é\U0001f600"'.encode(), id="utf-8"),
    pytest.param({"w": np.array([[1.5, 2.0]]), "n": np.int64(3)}, b'{"w":[[1.5,2.0]],"n":3}', id="numpy"),
    pytest.param(np.arange(6).reshape(2, 3).T, b"[[0,3],[1,4],[2,5]]", id="numpy-turned"),
    pytest.param({"a": np.array(["x", None], dtype=object)}, b'{"a":["x",null]}', id="numpy-objects"),
    pytest.param([np.bool_(1), np.float64(0.5), np.str_("x")], b'[true,0.5,"x"]', id="numpy-scalars"),
    pytest.param(datetime(2020, 4, 10, tzinfo=UTC), b'"2020-04-10T00:00:00Z"', id="time"),
    pytest.param(date(2020, 4, 10), b'"2020-04-10"', id="date"),
    pytest.param(UUID(int=1), b'"00000000-0000-0000-0000-000000000001"', id="uuid"),
    pytest.param([LabelStatus.LABELED, Level.HIGH], b'["LABELED",3]', id="enum-members"),
    pytest.param((1, (2, Text("x"))), b'[1,[2,"x"]]', id="tuples-and-subclasses"),
    pytest.param(MappingProxyType({"a": 1}), b'{"a":1}', id="mapping"),
    pytest.param({"a": [URL(url="x", extra={"b": 1})]}, b'{"a":[{"b":1,"url":"x"}]}', id="model-anywhere"),
    pytest.param(
        SampleCreate("n", {"image": URL(url="x")}, metadata={"t": (LabelStatus.LABELED,), "n": None}),
        b'{"name":"n","attributes":{"image":{"url":"x"}},"metadata":{"t":["LABELED"],"n":null}}',
        id="model",
    ),
]


@pytest.mark.parametrize(("value", "text"), GOOD)
def test_encode(value, text):
    assert encode_json(value) == text
    assert decode_json(encode_json(unstructure(value))) == decode_json(text)


def nested(levels, inside=0):
    for _ in range(levels):
        inside = [inside]
    return inside


def in_itself():
    ring = {}
    ring["ring"] = ring
    return ring


BAD = [
    pytest.param(math.nan, "", "NaN is not JSON", id="nan"),
    pytest.param({"weights": [1, 2, math.nan]}, "weights[2]", "NaN is not JSON", id="nan-inside"),
    pytest.param({"a": None, "b": {"c": -math.inf}}, "b.c", "an infinity is not JSON", id="infinity"),
    pytest.param({"w": np.array([[1, np.nan]])}, "w[0][1]", "NaN is not JSON", id="numpy-array"),
    pytest.param([np.float32("inf")], "[0]", "an infinity is not JSON", id="numpy-scalar"),
    pytest.param(
        SampleCreate("n", ImageSampleAttributes.from_url("x"), metadata={"w": math.nan}),
        "metadata.w",
        "NaN is not JSON",
        id="in-a-model",
    ),
    pytest.param({"a": ["\ud800"]}, "a[0]", "half a character (a lone surrogate) in '\\ud800'", id="surrogate"),
    pytest.param({"\udfff": 1}, "", "half a character (a lone surrogate) in '\\udfff'", id="surrogate-in-key"),
    pytest.param({"a": {1: 2}}, "a", "a key must be a string, got 1", id="key"),
    pytest.param({"a": {None: 2}}, "a", "a key must be a string, got None", id="key-none"),
    pytest.param([datetime(2020, 4, 10)], "[0]", "a time needs a zone, as in datetime.now(UTC)", id="naive"),  # noqa: DTZ001
    pytest.param([2**64], "[0]", "an integer beyond 64 bits", id="big"),
    pytest.param([-(2**63) - 1], "[0]", "an integer beyond 64 bits", id="small"),
    pytest.param({"a": {1, 2}}, "a", "set is not JSON", id="set"),
    pytest.param({"a": b"x"}, "a", "bytes is not JSON", id="bytes"),
    pytest.param({"a": object}, "a", "type is not JSON", id="class"),
    pytest.param({"a": np.longdouble(1)}, "a", "longdouble is not JSON", id="numpy-long"),
]


@pytest.mark.parametrize(("value", "path", "problem"), BAD)
def test_refuse(value, path, problem):
    with pytest.raises(InputError) as caught:
        encode_json(value)
    assert (caught.value.path, caught.value.problem) == (path, problem)


@pytest.mark.parametrize("number", [Level.HIGH, type("Number", (int,), {})(3)])
def test_an_integer_of_another_class_beside_a_null(number):
    """With a null, every value is looked at again: a range would compare such a number with each of its own."""
    with_null = {"level": number, "none": None}
    assert encode_json(with_null) == b'{"level":3,"none":null}'
    with pytest.raises(InputError, match="beyond 64 bits"):
        encode_json({"level": type("Number", (int,), {})(2**70), "none": None})


@pytest.mark.parametrize("cause", ["int too big to convert", None, ZeroDivisionError()])
def test_cause_of_a_refusal_is_an_exception(monkeypatch, cause):
    """Some versions of orjson set a text as the cause, which no program can raise again."""

    class RefusedError(TypeError):
        __cause__ = cause

    def dumps(*_, **__):
        raise RefusedError("no")

    monkeypatch.setattr("segments_async._serialization.json.orjson.dumps", dumps)
    with pytest.raises(InputError) as caught:
        encode_json({"a": 1})
    assert isinstance(caught.value.__cause__, Exception)


def test_what_is_no_exception_is_not_wrapped():
    class Interrupting:
        def tolist(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_json([Interrupting()])


def test_refusal_starts_at_the_given_place():
    with pytest.raises(InputError, match=r"^samples\[17\]\.metadata\.w\[1\]: NaN is not JSON$"):
        encode_json({"metadata": {"w": [0, math.nan]}}, "samples[17]")
    with pytest.raises(InputError, match=r"^samples\[1\]: NaN is not JSON$"):
        encode_json([0, math.nan], "samples")


@pytest.mark.parametrize("value", [nested(300), nested(100_000), nested(300, math.nan), in_itself()])
def test_too_many_levels_are_an_error_not_a_crash(value):
    with pytest.raises(InputError, match="nested too deeply") as caught:
        encode_json(value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [nested(100_000), in_itself()])
def test_nor_is_making_them_plain(value):
    with pytest.raises(InputError, match="nested too deeply") as caught:
        unstructure(value)
    assert len(str(caught.value)) < 400


def test_errors_of_unstructure_name_the_place():
    with pytest.raises(InputError, match=r"^metadata\.seen\[1\]: a time needs a zone"):
        unstructure(SampleCreate("n", {}, metadata={"seen": [1, datetime(2020, 4, 10)]}))  # noqa: DTZ001


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b'{"a":NaN}', b'{"a":1', b"\xff", b"[" * 5000])
def test_decode_refuses_what_is_not_json(body):
    with pytest.raises(DecodeError, match=r"^not JSON: ") as caught:
        decode_json(body)
    assert caught.value.payload == body.decode(errors="replace")


def test_numpy_is_not_imported():
    code = (
        "import sys; from segments_async._serialization.converter import encode_json, structure; "
        "from segments_async.models import URL; encode_json(structure({'url': 'x'}, URL)); "
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
