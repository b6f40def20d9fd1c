"""JSON text is written strictly, and errors name the place."""

import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from hypothesis import given, strategies

from segments_async._serialization.converter import check, decode_json, encode_json, unstructure
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
    pytest.param({"n": [10**4300]}, "n[0]", "an integer of more than 4300 digits", id="longer-than-python-prints"),
    pytest.param([2**64, math.nan], "[1]", "NaN is not JSON", id="nan-after-a-big-integer"),
    pytest.param([2**64, {1}], "[1]", "set is not JSON", id="set-after-a-big-integer"),
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
    big = type("Number", (int,), {})
    assert encode_json({"level": big(2**70), "none": None}) == b'{"level":%d,"none":null}' % (2**70)
    with pytest.raises(InputError, match=r"^level: an integer of more than 4300 digits$"):
        encode_json({"level": big(10**4300), "none": None})


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


BIG = [2**64, -(2**63) - 1, 2**128 - 1, -(10**18) * 10 + 1, 10**19, 10**400, 10**4299, int("9" * 4300)]


@pytest.mark.parametrize("number", BIG, ids=lambda number: f"{len(str(number))}-digits")
def test_integers_of_any_size(number):
    """They are exact both ways, wherever in a document they are."""
    for value in ({"a": [None, number], "b": "é\u2028"}, number, [number], {"x": {"y": number}, "z": 1.5}):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        assert encode_json(value) == text
        assert decode_json(text) == value
        assert decode_json(json.dumps(value, indent=1).encode()) == value
    model = SampleCreate("n", {}, metadata={"hash": number, "at": datetime(2020, 4, 10, tzinfo=UTC)})
    assert decode_json(encode_json(model))["metadata"] == {"hash": number, "at": "2020-04-10T00:00:00Z"}


@given(strategies.lists(strategies.integers() | strategies.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_come_back(numbers):
    """Of the same kind and value, and as the standard library reads them."""
    text = encode_json(numbers)
    assert list(map(repr, decode_json(text))) == list(map(repr, numbers)) == list(map(repr, json.loads(text)))


@pytest.mark.parametrize(
    "text",
    [
        b'{"timestamp":1604321234123456789,"n":18446744073709551615,"m":-1604321234123456789}',
        b'{"z":[0.00012345678901234567,-0.00012345678901234567],"e":1.2345678901234567e-05}',
        b'{"id":"12345678901234567890123","url":"https://x/0123456789abcdef"}',
        b"[12345678901234567890123.0,12345678901234567890123e2,12345678901234567890123E2]",
    ],
)
def test_ordinary_documents_stay_with_orjson(text, monkeypatch):
    """Nanoseconds, fractions, identifiers and floats are no big integers, so they cost no second reading."""
    monkeypatch.setattr("segments_async._serialization.json._read_exactly", None)
    assert decode_json(text) == json.loads(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b'{"a":NaN}',
        b'{"a":1',
        b"\xff",
        b"[" * 5000,
        b"[1" + b"0" * 5000 + b"]",
        b"[1e435]",
        b"[1e435,1234567890123456789012345]",
    ],
)
def test_decode_refuses_what_is_not_json(body):
    with pytest.raises(DecodeError, match=r"^not JSON: ") as caught:
        decode_json(body)
    assert caught.value.payload == body.decode(errors="replace")


class NaT(datetime):
    """A time as pandas.NaT would be if nothing were known about it; pandas itself is in `MISSING`."""

    def utcoffset(self):
        raise ValueError("NaTType does not support utcoffset")


MISSING = [pd.NaT, pd.NA]


class Place(pydantic.BaseModel):
    url: Any


class Image(pydantic.BaseModel):
    image: Place


class Faulty:
    def model_dump(self, **_):
        raise RuntimeError("no")


def test_values_of_other_libraries():
    """Scalars of Arrow, and models of Pydantic."""
    image = Image(image=Place(url=pa.scalar("x")))
    when = pa.scalar(datetime(2020, 4, 10, tzinfo=UTC))
    metadata = {"n": pa.scalar(2**64 - 1, pa.uint64()), "at": when, "none": pa.scalar(None)}
    sample = SampleCreate("n", image, metadata=metadata)
    check({"name": pa.scalar("n"), "attributes": image, "priority": pa.scalar(1.5)}, SampleCreate)
    assert decode_json(encode_json(sample)) == {
        "name": "n",
        "attributes": {"image": {"url": "x"}},
        "metadata": {"n": 2**64 - 1, "at": "2020-04-10T00:00:00Z", "none": None},
    }
    with pytest.raises(InputError, match=r"^attributes\.image\.url: expected a string, got int$"):
        check({"name": "n", "attributes": Image(image=Place(url=pa.scalar(7)))}, SampleCreate)
    with pytest.raises(InputError, match=r"^a: raised RuntimeError: no\nraised in model_dump ") as caught:
        encode_json({"a": Faulty()})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_times_and_columns_of_pandas_and_polars():
    """As rows of their tables contain them."""
    frame = pd.DataFrame({"at": pd.to_datetime(["2020-04-10T00:00:00Z", None]), "n": pd.array([7, None], "Int64")})
    assert encode_json(frame.to_dict("records")) == b'[{"at":"2020-04-10T00:00:00Z","n":7},{"at":null,"n":null}]'
    assert encode_json([frame["n"].iloc[0], np.datetime64("2020-04-10T00:00:00")]) == b'[7,"2020-04-10T00:00:00"]'
    rows = pl.DataFrame({"at": [datetime(2020, 4, 10, tzinfo=UTC), None], "n": [2**63 - 1, None]})
    assert encode_json(rows.to_dicts()) == (
        b'[{"at":"2020-04-10T00:00:00Z","n":9223372036854775807},{"at":null,"n":null}]'
    )


@pytest.mark.parametrize("missing", MISSING, ids=["NaT", "NA"])
def test_missing_values_of_pandas(missing):
    """They are null where null fits, and an error elsewhere."""
    assert encode_json({"metadata": {"taken": missing, "all": [missing, 1]}}) == (
        b'{"metadata":{"taken":null,"all":[null,1]}}'
    )
    check({"name": "n", "attributes": {}, "priority": missing, "metadata": missing}, SampleCreate)
    for fields, words in [
        ({"name": missing, "attributes": {}}, "name: expected a string, got null"),
        ({"name": "n", "attributes": missing}, "attributes: expected an object, got null"),
        ({"name": "n", "attributes": {"image": {"url": missing}}}, "attributes.image.url: expected a string, got null"),
    ]:
        with pytest.raises(InputError) as caught:
            check(fields, SampleCreate)
        assert str(caught.value) == words


def test_time_that_is_none():
    words = r"^a: raised ValueError: NaTType does not support utcoffset\nraised in utcoffset "
    with pytest.raises(InputError, match=words):
        encode_json({"a": NaT(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))})


def test_numpy_is_not_imported():
    code = (
        "import sys; from segments_async._serialization.converter import encode_json, structure; "
        "from segments_async.models import URL; encode_json(structure({'url': 'x'}, URL)); "
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 2**64 - 1, -(2**63)])
@pytest.mark.parametrize("place", [*range(-24, 3)])
def test_big_integers_where_a_large_text_is_cut(number, place):
    """The search works on a megabyte at a time."""
    start = b'["' + b"x" * (1024 * 1024 + place - 4) + b'",'
    assert decode_json(start + b"%d,1]" % number)[1] == number
