"""Models from plain JSON and back: the compiled readers and writers beside those that cattrs itself generates."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import orjson
from attrs import NOTHING
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.orjson import make_converter

from benchmarks.cases.json_models import PAYLOADS, is_lossless, model_of
from benchmarks.harness import Case, Check, Contestant, Scale, speed_ratio
from benchmarks.stopwatch import Run, measure_loop
from segments_async._serialization import converter as serialization
from segments_async._serialization.compile import ByType, arms_of, fields_of, key_of
from segments_async._serialization.json import encode_json, simplify
from segments_async.models import Label, Model, Sample
from segments_async.models._base import CHOOSE

if TYPE_CHECKING:
    from collections.abc import Callable

    import cattrs

TARGETS = {"image label": (1.3, 2.0), "cuboid label": (1.3, 1.0), "1000 samples": (1.8, 1.5)}
"""How many times as fast as cattrs without detailed validation: reading and writing, by payload."""


def case(scale: Scale) -> Case:
    """Describe the case."""
    contestants = []
    checks: list[Check] = []
    for payload, (read_target, write_target) in TARGETS.items():
        arguments = {"payload": payload, "repeats": scale.of(20)}
        names = {work: f"{work.__name__.replace('_', ', ')}: {payload}" for work in _WORKS}
        contestants += [Contestant(name=name, work=work, arguments=arguments) for work, name in names.items()]
        for ours, theirs, target in [
            (read_compiled, read_cattrs, read_target),
            (read_compiled, read_cattrs_detailed, None),
            (write_compiled, write_cattrs, write_target),
        ]:
            title = f"{names[theirs]}, times as fast"
            checks.append(speed_ratio(title, names[ours], names[theirs], at_least=target))
    return Case(
        name="compiled",
        about="decoded JSON to models, and models to JSON text, with the same strict hooks for values and unions",
        unit="payload",
        contestants=contestants,
        checks=checks,
        turns=scale.turns,
        has_server=False,
    )


def read_compiled(payload: str, repeats: int) -> Run:
    """Read with the compiled readers, which keep unknown keys and know the path of a problem."""
    plain = PAYLOADS[payload]()
    return measure_loop(partial(serialization.structure, plain, _model(payload)), repeats=repeats)


def read_cattrs(payload: str, repeats: int) -> Run:
    """Read with functions that cattrs generates without detailed validation; a problem has no path."""
    return _read_with_cattrs(payload, repeats, detailed=False)


def read_cattrs_detailed(payload: str, repeats: int) -> Run:
    """Read with functions that cattrs generates with detailed validation, its default; a problem has a path."""
    return _read_with_cattrs(payload, repeats, detailed=True)


def write_compiled(payload: str, repeats: int) -> Run:
    """Write with the compiled writers, which orjson calls."""
    models = serialization.structure(PAYLOADS[payload](), _model(payload))
    return measure_loop(partial(encode_json, models), repeats=repeats)


def write_cattrs(payload: str, repeats: int) -> Run:
    """Write with functions that cattrs generates, and its converter for orjson."""
    plain = PAYLOADS[payload]()
    models = serialization.structure(plain, _model(payload))
    converter = _writing_converter()

    def write() -> bytes:
        return orjson.dumps(converter.unstructure(models))

    assert is_lossless(plain, orjson.loads(write()))
    return measure_loop(write, repeats=repeats)


_WORKS: tuple[Callable[..., Run], ...] = (
    read_compiled,
    read_cattrs,
    read_cattrs_detailed,
    write_compiled,
    write_cattrs,
)


def _model(payload: str) -> Any:
    return model_of(payload, Label, Sample)


def _read_with_cattrs(payload: str, repeats: int, *, detailed: bool) -> Run:
    plain, model = PAYLOADS[payload](), _model(payload)
    expected = serialization.structure(plain, model)
    converter = serialization.converter.copy(detailed_validation=detailed)
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, Model), partial(_cattrs_reader, converter)
    )
    with patch.object(serialization, "converter", converter):  # the hooks for lists and unions look it up there
        assert converter.structure(plain, model) == expected
        return measure_loop(partial(converter.structure, plain, model), repeats=repeats)


def _cattrs_reader(converter: cattrs.Converter, model: type[Model]) -> Callable[[Any, Any], Any]:
    """Have cattrs generate a reader; around it, choose the class of tagged fields and keep unknown keys."""
    fields = fields_of(model)
    known = {key_of(a) for a in fields}
    choices = [(a, key_of(a), a.metadata[CHOOSE]) for a in fields if CHOOSE in a.metadata]
    base: dict[str, Any] = {a.name: override(rename=key_of(a)) for a in fields} | {"extra": override(omit=True)}

    def generate(arms: tuple[type[Model] | None, ...]) -> Callable[[Any, Any], Any]:
        hooks = {
            a.name: override(rename=key, struct_hook=_arm_reader(converter, a.type, arm))
            for (a, key, _), arm in zip(choices, arms, strict=True)
        }
        return make_dict_structure_fn(
            model,
            converter,
            _cattrs_detailed_validation=converter.detailed_validation,
            **(base | hooks),
        )

    readers = ByType(generate)

    def read(value: Any, kind: Any) -> Any:
        arms = tuple(None if (found := value.get(key)) is None else choose(value, found) for _, key, choose in choices)
        instance = readers[arms](value, kind)
        if not known.issuperset(value):
            instance.extra = {key: item for key, item in value.items() if key not in known}
        return instance

    return read


def _arm_reader(converter: cattrs.Converter, kind: Any, arm: type[Model] | None) -> Callable[[Any, Any], Any]:
    if arm is not None:
        return converter.get_structure_hook(arm)
    plain = [arm for arm in arms_of(kind) if not (isinstance(arm, type) and issubclass(arm, Model))]
    return serialization._union_reader(kind, plain)  # noqa: SLF001 (the same hook as the compiled reader's)


def _writing_converter() -> cattrs.Converter:
    converter = make_converter()

    def writer(model: type[Model]) -> Callable[[Any], Any]:
        overrides: dict[str, Any] = {
            a.name: override(rename=key_of(a), omit_if_default=a.default is not NOTHING and a.default is None)
            for a in fields_of(model)
        }
        write = make_dict_unstructure_fn(model, converter, **overrides, extra=override(omit=True))

        def write_all(instance: Any) -> Any:
            return {**instance.extra, **write(instance)} if instance.extra else write(instance)

        return write_all

    converter.register_unstructure_hook_factory(lambda kind: isinstance(kind, type) and issubclass(kind, Model), writer)
    converter.register_unstructure_hook(datetime, simplify)
    return converter
