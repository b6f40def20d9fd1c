"""Attributes of the type that the caller expects, or an error that says which type they are."""

from collections.abc import Mapping
from typing import Any, TypeVar

from segments_async.errors import WrongTypeError
from segments_async.models._base import Model
from segments_async.models._other_names import name_other

M = TypeVar("M", bound=Model)
Names = Mapping[type[Model], str]


def name_types(owner: type, classes: Mapping[str, type[Model]], names: Names) -> None:
    """
    Let the names of task types that are not properties of *owner* say which property it is.

    Args:
        owner: The class with the properties.
        classes: The class of attributes of each task type.
        names: The property of each class.
    """
    for task_type, model in classes.items():
        for name in (task_type.replace("-", "_"), task_type.replace("-", "_").removesuffix("_sequence")):
            if name:
                frame = names[model].removesuffix("_sequence")
                instead = names[model] if name.endswith("_sequence") or not hasattr(owner, frame) else frame
                name_other(owner, name, instead)


def typed(owner: Any, name: str, kind: type[M], names: Names) -> M:
    """
    Return the attributes of *owner*, which is what its property *name* returns.

    Args:
        owner: A model with `attributes`.
        name: The property.
        kind: The class of attributes that it returns.
        names: The properties for the other classes.

    Raises:
        WrongTypeError: They are of another type.
    """
    attributes = owner.attributes
    if isinstance(attributes, kind):
        return attributes
    raise WrongTypeError(f"{_describe(owner)} has no {name!r}: {_what_it_has(attributes, names)}")


def _describe(owner: Any) -> str:
    which = getattr(owner, "name", None) or getattr(owner, "sample_uuid", None)
    words = type(owner).__name__
    return f"this {words}" if which is None else f"the {words} {which!r}"


def _what_it_has(attributes: Any, names: Names) -> str:
    if not attributes:
        return "it has no attributes"
    name = names.get(type(attributes))
    if name is None:
        return f"the type of its attributes is not known; see 'attributes', of the class {type(attributes).__name__}"
    return f"its attributes are {type(attributes).__name__}; use {name!r}"
