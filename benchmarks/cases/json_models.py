"""Conversion between JSON text and models, as each client does it for responses and request bodies."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.harness import Case, Check, Contestant, Scale, speed_ratio
from benchmarks.payloads import cuboid_label, new_sample, stored, vector_label
from benchmarks.stopwatch import Run, measure_loop
from segments_async._serialization.collector import without_collections
from segments_async._serialization.converter import structure
from segments_async._serialization.json import decode_json, encode_json
from segments_async.models import Label, Model, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOADS: dict[str, Callable[[], Any]] = {
    "image label": lambda: vector_label(1000),
    "cuboid label": lambda: cuboid_label(100, 50),
    "1000 samples": lambda: [stored(new_sample(number)) for number in range(1000)],
}
READ_TARGETS = {"image label": 3.0, "cuboid label": 3.0, "1000 samples": 1.3}
WRITE_TARGET = 2.0
TIMES = {"created_at", "updated_at"}


def case(scale: Scale) -> Case:
    """Return the case."""
    contestants = []
    checks: list[Check] = []
    for payload, target in READ_TARGETS.items():
        for way, at_least in [("read", target), ("write", WRITE_TARGET)]:
            arguments = {"payload": payload, "way": way, "repeats": scale.of(20)}
            us, them = f"{way} {payload}, ours", f"{way} {payload}, official SDK"
            contestants += [
                Contestant(name=us, work=ours, arguments=arguments),
                Contestant(name=them, work=official, arguments=arguments, needs=["segments"]),
            ]
            checks.append(speed_ratio(f"{way} {payload}, times as fast", us, them, at_least=at_least))
    return Case(
        name="json",
        about="a label of 1,000 polygons, one of 100 frames x 50 cuboids, a page of samples, between text and models",
        unit="payload",
        contestants=contestants,
        checks=checks,
        turns=scale.turns,
        has_server=False,
    )


def ours(payload: str, way: str, repeats: int) -> Run:
    """Read or write with this package."""
    plain = PAYLOADS[payload]()
    text = orjson.dumps(plain)
    model = model_of(payload, Label, Sample)

    def read() -> Any:
        return without_collections(lambda: structure(decode_json(text), model))  # as Session.call does

    models = read()
    assert is_typed(models)  # JSON without models would not be a fair comparison
    assert is_lossless(plain, orjson.loads(encode_json(models)))
    return measure_loop(read if way == "read" else partial(encode_json, models), repeats=repeats)


def official(payload: str, way: str, repeats: int) -> Run:
    """Read or write like the official SDK, in `convert_model` and the methods that send models."""
    from pydantic import TypeAdapter
    from segments.resource_api import Label as TheirLabel, Sample as TheirSample

    plain = PAYLOADS[payload]()
    text = json.dumps(plain).encode()
    model = model_of(payload, TheirLabel, TheirSample)

    def read() -> Any:
        return TypeAdapter(model).validate_python(json.loads(text))

    def write() -> bytes:
        dumped = (
            [sample.model_dump(mode="json", exclude_unset=True) for sample in models]
            if isinstance(models, list)
            else models.model_dump(mode="json", exclude_unset=True)
        )
        return json.dumps(dumped).encode()

    models = read()
    return measure_loop(read if way == "read" else write, repeats=repeats)


def model_of(payload: str, label: Any, sample: Any) -> Any:
    """Choose the type to read a payload as, given a client's classes for a label and a sample."""
    return list[sample] if payload == "1000 samples" else label


def is_typed(read: Any) -> bool:
    """Return whether all levels are models."""
    if isinstance(read, list):
        return all(isinstance(sample.attributes, Model) for sample in read)
    return next(read.annotations(), None) is not None


def is_lossless(plain: Any, written: Any) -> bool:
    """Return whether everything that was read is written, except nulls and trailing zeros of times."""
    return bool(_comparable(plain) == _comparable(written))


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {name: _comparable(item) for name, item in value.items() if item is not None and name not in TIMES}
    return value
