"""
Names that users try, as other tools have them, where a model has another: the error says which.

A ``__getattr__`` would know any name, but Python then takes twice the time for each attribute of the object.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from attrs import fields

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "annotations": ("boxes", "cuboids", "objects", "polygons", "shapes"),
    "category_id": ("category", "class_id", "label"),
    "dimensions": ("size",),
    "frames": ("annotations", "images"),
    "point_annotations": ("point_labels",),
    "points": ("bbox", "box", "coordinates", "polygon"),
    "position": ("center", "centre", "location"),
    "segmentation_bitmap": ("bitmap", "mask"),
    "track_id": ("instance_id", "object_id"),
    "type": ("kind", "shape"),
    "yaw": ("angle", "heading"),
}
"""What other tools call a field of a label."""
METHODS_OF_PYDANTIC = {
    "model_copy": "copy.deepcopy(model)",
    "model_dump": "unstructure(model)",
    "model_dump_json": "json.dumps(unstructure(model))",
    "model_validate": "structure(json, Model)",
    "model_validate_json": "structure(json.loads(text), Model)",
}
"""The methods of the official SDK's models, and what to write instead."""


class OtherName:
    """A name that is not an attribute of a class; *instead* returns what to write for an object, or for the class."""

    def __init__(self, name: str, instead: Callable[[Any], str]) -> None:
        self.__doc__ = f"Not an attribute: write {instead(None)!r}."
        self._name = name
        self._instead = instead

    def __get__(self, owner: object, kind: type) -> NoReturn:
        what = f"type object {kind.__name__!r}" if owner is None else f"{kind.__name__!r} object"
        message = f"{what} has no attribute {self._name!r}; did you mean {self._instead(owner)!r}?"
        raise AttributeError(message, name=self._name, obj=kind if owner is None else owner)

    def __set__(self, owner: object, value: object) -> NoReturn:
        self.__get__(owner, type(owner))


class HidesOtherNames:
    """Leaves other names out of ``dir``."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        hidden = {
            name for cls in type(self).__mro__ for name, value in vars(cls).items() if isinstance(value, OtherName)
        }
        return [name for name in super().__dir__() if name not in hidden]


def name_other(owner: type, name: str, instead: str | Callable[[Any], str]) -> None:
    """Let *name* say what to write instead, unless *owner* has something of this name."""
    if not any(name in vars(cls) for cls in owner.__mro__):
        setattr(owner, name, OtherName(name, instead if callable(instead) else lambda _: instead))


def name_other_methods(model: type[Any]) -> None:
    """Let the methods that models of pydantic have say what to write."""
    for name, instead in METHODS_OF_PYDANTIC.items():
        name_other(model, name, instead)


def name_other_fields(models: Iterable[type[Any]]) -> None:
    """Let the names that other tools have for the fields of *models* say what to write."""
    for model in models:
        for name, instead in _names_of_fields(model).items():
            name_other(model, name, instead)


def name_inner_fields(owner: type, properties: Mapping[type[Any], str]) -> None:
    """
    Let the fields of the attributes of *owner*, and their other names, say where they are.

    Args:
        owner: The class with the attributes, such as `Label`.
        properties: The property of *owner* for each class of attributes.
    """
    for model in properties:
        for name in _names_of_fields(model):
            name_other(owner, name, _Place(name, properties))


class _Place:
    """Where a field of the attributes is; for an object whose attributes lack it, where they are themselves."""

    def __init__(self, name: str, properties: Mapping[type[Any], str]) -> None:
        self._name = name
        self._properties = properties

    def __call__(self, owner: Any) -> str:
        own = type(getattr(owner, "attributes", None))
        having = [model for model in self._properties if self._name in _names_of_fields(model)]
        if own in self._properties and own not in having:
            return self._properties[own]
        model = own if own in having else having[0]
        return f"{self._properties[model]}.{_names_of_fields(model)[self._name]}"


def missing(keys: Iterable[str], key: str) -> str:
    """
    Return the words about a missing *key* of JSON, of which *keys* are the unknown ones.

    Example:
        >>> missing(["category", "colour"], "category_id")
        "missing; write 'category_id' instead of 'category'"
    """
    others = OTHER_NAMES.get(key, ())
    meant = next((other for other in keys if other in others and other not in OTHER_NAMES), None)
    return "missing" if meant is None else f"missing; write {key!r} instead of {meant!r}"


def _names_of_fields(model: type[Any]) -> dict[str, str]:
    """Return the fields of *model* by their own and their other names."""
    names = [found.name for found in fields(model) if found.name != "extra"]
    return {other: name for name in names for other in OTHER_NAMES.get(name, ())} | {name: name for name in names}
