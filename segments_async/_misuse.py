"""What to write instead, for the usual slips: a forgotten ``async`` or ``await``, and the names of the official SDK."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import partial
from inspect import currentframe
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

Method = TypeVar("Method", bound="Callable[..., Any]")

OFFICIAL_CALLS = {
    "add_dataset": "datasets.create",
    "add_dataset_collaborator": "datasets.add_collaborator",
    "add_issue": "issues.create",
    "add_label": "labels.put",
    "add_labelset": "labelsets.create",
    "add_release": "releases.create",
    "add_sample": "samples.create",
    "add_samples": "samples.create_many",
    "clone_dataset": "datasets.clone",
    "close": "aclose",
    "delete_dataset": "datasets.delete",
    "delete_dataset_collaborator": "datasets.remove_collaborator",
    "delete_issue": "issues.delete",
    "delete_label": "labels.delete",
    "delete_labelset": "labelsets.delete",
    "delete_release": "releases.delete",
    "delete_sample": "samples.delete",
    "delete_samples": "samples.delete_many",
    "get_dataset": "datasets.get",
    "get_dataset_collaborator": "datasets.get_collaborator",
    "get_datasets": "datasets.list",
    "get_issues": "issues.list",
    "get_label": "labels.get",
    "get_labelset": "labelsets.get",
    "get_labelsets": "labelsets.list",
    "get_release": "releases.get",
    "get_releases": "releases.list",
    "get_sample": "samples.get",
    "get_samples": "samples.list",
    "get_user": "users.me",
    "get_workunits": "workunits.list",
    "update_dataset": "datasets.update",
    "update_dataset_collaborator": "datasets.update_collaborator",
    "update_issue": "issues.update",
    "update_label": "labels.update",
    "update_sample": "samples.update",
    "upload_asset": "assets.upload",
}
"""The calls of the official SDK's client, and those of this client."""


OFFICIAL_METHODS = {
    "Dataset": {
        "add_collaborator": "datasets.add_collaborator(dataset, ...)",
        "add_labelset": "labelsets.create(dataset, ...)",
        "add_release": "releases.create(dataset, ...)",
        "add_sample": "samples.create(dataset, ...)",
        "clone": "datasets.clone(dataset, ...)",
        "delete": "datasets.delete(dataset)",
        "delete_samples": "samples.delete_many(dataset, ...)",
        "get_collaborator": "datasets.get_collaborator(dataset, ...)",
        "get_issues": "issues.list(dataset)",
        "get_labelset": "labelsets.get(dataset, ...)",
        "get_labelsets": "labelsets.list(dataset)",
        "get_release": "releases.get(dataset, ...)",
        "get_releases": "releases.list(dataset)",
        "get_samples": "samples.list(dataset)",
        "get_workunits": "workunits.list(dataset)",
        "update": "datasets.update(dataset, ...)",
    },
    "Sample": {
        "add_issue": "issues.create(sample.uuid, ...)",
        "add_label": "labels.put(sample.uuid, ...)",
        "delete": "samples.delete(sample.uuid)",
        "delete_label": "labels.delete(sample.uuid, ...)",
        "get_issues": "issues.list(dataset)",
        "get_label": "labels.get(sample.uuid)",
        "update": "samples.update(sample.uuid, ...)",
        "update_label": "labels.update(sample.uuid, ...)",
    },
    "Label": {
        "delete": "labels.delete(label.sample_uuid, ...)",
        "update": "labels.update(label.sample_uuid, ...)",
    },
    "Issue": {"delete": "issues.delete(issue.uuid)", "update": "issues.update(issue.uuid, ...)"},
    "Collaborator": {
        "delete": "datasets.remove_collaborator(dataset, ...)",
        "update": "datasets.update_collaborator(dataset, ...)",
    },
    "Labelset": {"delete": "labelsets.delete(dataset, labelset.name)"},
    "Release": {"delete": "releases.delete(dataset, release.name)"},
}
"""The methods of the official SDK's objects, and what to write instead."""


class _OfficialMethod:
    """A method of the official SDK's object: there is none here, and the error says what to write."""

    def __init__(self, name: str, call: str) -> None:
        self._name = name
        self._call = call

    def __get__(self, owner: object, kind: type) -> NoReturn:
        if owner is None:
            message = f"type object {kind.__name__!r} has no attribute {self._name!r}"
            raise AttributeError(message, name=self._name, obj=kind)
        raise _no_method(owner, self._name, self._call)


OFFICIAL_EXPORTS = {
    "InvalidModelError": "InputError",
    "NetworkError": "TransportError, and ApiError with a status",
    "SegmentsClient": "AsyncSegments",
    "SegmentsDataset": "client.releases.iterate(...)",
    "TimeoutError": "RequestTimeoutError",
    "export_dataset": "client.releases.export(...)",
    "get_semantic_bitmap": "images.semantic",
    "load_release": "open_release, or client.releases.open(...)",
}
"""What the official SDK's modules export under another name than this package."""


class OfficialNames:
    """
    Says what to write where a method of the official SDK's object is looked for; models have no client.

    A ``__getattr__`` would be simpler, but Python then takes twice the time for each attribute of the object.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __init_subclass__(cls) -> None:
            for name, call in OFFICIAL_METHODS.get(cls.__name__, {}).items():
                setattr(cls, name, _OfficialMethod(name, call))
            super().__init_subclass__()

        def __dir__(self) -> list[str]:
            official = {name for cls in type(self).__mro__ for name in OFFICIAL_METHODS.get(cls.__name__, ())}
            return [name for name in super().__dir__() if name not in official]


_UNAWAITED = re.compile(r"(\bgot |^)(?:coroutine|<coroutine object .*>)( is not JSON|)$")


def with_await(problem: str) -> str:
    """
    Return the words about an argument; one that is a coroutine lacks an ``await``.

    Example:
        >>> with_await("expected a Dataset, got coroutine")
        "expected a Dataset, got a coroutine; write 'await' before the call that returns it"
    """
    return _UNAWAITED.sub(r"\1a coroutine\2; write 'await' before the call that returns it", problem)


class NeedsAsyncWith:
    """Raises an error that recommends ``async with`` where an object is used with ``with``; its repr does too."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: write 'async with' to use it>"

    if not TYPE_CHECKING:  # type checkers report it themselves

        def __enter__(self) -> NoReturn:
            raise TypeError(f"write 'async with' instead of 'with': {type(self).__name__} is asynchronous")

        def __exit__(self, *_: object) -> None:
            """Never called, but Python requires it."""


class NeedsWith:
    """Raises an error that recommends ``with`` where an object is used with ``async with``."""

    __slots__ = ()

    _in_async_code: ClassVar[str] = ""
    """What to write in async code, if there is something."""

    if not TYPE_CHECKING:  # type checkers report it themselves

        def __aenter__(self) -> NoReturn:
            hint = f"; in async code, write {self._in_async_code}" if self._in_async_code else ""
            raise TypeError(f"write 'with' instead of 'async with': {type(self).__name__} is not asynchronous{hint}")

        def __aexit__(self, *_: object) -> NoReturn:
            """Never called, but Python requires it."""


class NeedsAsyncFor:
    """
    Raises an error that recommends ``async for`` where an object is used with ``for``.

    An ``__iter__`` would make it an instance of `Iterable`.
    """

    if not TYPE_CHECKING:

        def __getitem__(self, _: object) -> NoReturn:
            name = type(self).__name__
            by_index = "; write '(await ...)[0]' for one of them" if hasattr(type(self), "__await__") else ""
            message = f"write 'async for' instead of 'for': {name} is asynchronous, and has no items by index{by_index}"
            raise TypeError(message)


def needs_parentheses(hint: str) -> Callable[[Method], Method]:
    """Let a method that is used like a list, as in ``label.annotations[0]``, raise an error with *hint*."""

    def decorate(method: Method) -> Method:
        return cast("Method", _ListLike(method, hint))

    return decorate


class _ListLike:
    """The descriptor of such a method."""

    def __init__(self, method: Callable[..., Any], hint: str) -> None:
        self._method = method
        bound = type("_BoundMethod", (_Bound,), {"_hint": hint, "__doc__": method.__doc__})
        self._bound: type[_Bound] = bound

    def __get__(self, owner: object, kind: type) -> Callable[..., Any]:
        return self._method if owner is None else self._bound(self._method, owner)


class _Bound(partial[Any]):
    """A method of one object; to iterate over it asks `__getitem__`, as an ``__iter__`` would make it iterable."""

    _hint: ClassVar[str]

    def _error(self) -> TypeError:
        return TypeError(f"{self.func.__name__!r} is a method: {self._hint}")

    def __getitem__(self, _: object) -> NoReturn:
        raise self._error()

    def __len__(self) -> int:
        raise self._error()


def no_export(name: str) -> Exception:
    """
    Return the error for a name that this package does not export; it names what replaces one of the official SDK.

    An import statement would replace the words of an `AttributeError` by its own, so for these it is an `ImportError`
    there. ``hasattr`` and ``getattr`` need an `AttributeError`.
    """
    words = f"module 'segments_async' has no attribute {name!r}"
    replacement = OFFICIAL_EXPORTS.get(name)
    if replacement is None:
        return AttributeError(words)
    hint = f"the official SDK's {name} is {replacement} here"
    if _is_imported():
        return ImportError(f"cannot import name {name!r} from 'segments_async'; {hint}", name="segments_async")
    return AttributeError(f"{words}; {hint}")


def _is_imported() -> bool:
    """Whether an import statement looks for a name; Python calls a function of importlib for each that has names."""
    frame = currentframe()
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "_handle_fromlist"


def _no_method(owner: object, name: str, call: str) -> AttributeError:
    message = f"{type(owner).__name__!r} object has no attribute {name!r}"
    hint = f"the official SDK's {name}() is 'await client.{call}' here"
    return AttributeError(f"{message}; {hint}", name=name, obj=owner)


def no_attribute(owner: object, name: str) -> AttributeError:
    """Return the error for a missing attribute of the client; it names the call that replaces one of the SDK."""
    message = f"{type(owner).__name__!r} object has no attribute {name!r}"
    call = OFFICIAL_CALLS.get(name)
    if call is not None:
        message += f"; the official SDK's {name}() is 'await client.{call}(...)' here"
    return AttributeError(message, name=name, obj=owner)


def no_call(resource: object, name: str) -> AttributeError:
    """Return the error for a missing attribute of a resource; it names the calls that may have been meant."""
    cls = type(resource)
    message = f"{cls.__name__!r} object has no attribute {name!r}"
    calls = [] if name.startswith("_") else [call for call in dir(cls) if not call.startswith("_")]
    meant = [call for call in calls if name in call.split("_")] or get_close_matches(name, calls, n=1)
    hint = f"; did you mean {' or '.join(map(repr, meant))}?" if meant else ""
    return AttributeError(f"{message}{hint}", name=name, obj=resource)


def not_a_row(pages: object, name: str) -> AttributeError:
    """Return the error for an attribute that a list does not have: perhaps its rows do."""
    message = f"{type(pages).__name__!r} object has no attribute {name!r}"
    hint = "" if name.startswith("_") else "; write 'await' for a list of all rows, or 'async for' for each of them"
    return AttributeError(f"{message}{hint}", name=name, obj=pages)


def has_no_length(owner: Any) -> TypeError:
    """Return the error for ``len`` of a list that is not awaited."""
    return TypeError(f"{type(owner).__name__} has no length before it is awaited: write 'len(await ...)'")
