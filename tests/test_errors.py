from __future__ import annotations

import inspect
import pickle

import pytest

from segments_async import errors
from segments_async.bulk import BulkError, BulkReport
from segments_async.errors import (
    ApiError,
    ClientStateError,
    DecodeError,
    ExportError,
    InputError,
    OutOfResourcesError,
    RateLimitError,
    ReleaseFailedError,
    SegmentsError,
    TransportError,
    printable,
)

CALL = {"method": "PUT", "url": "https://api.segments.ai/labels/u-1/ground-truth/"}


OF_THEIR_OWN = {
    DecodeError: DecodeError("no string", path="[3].name", payload=[1], status=200, request_id="r-1", **CALL),
    InputError: InputError("expected a string", path="samples[3].name"),
    ExportError: ExportError("its image is not an image", sample="violet.jpg", uuid="u-1"),
    ReleaseFailedError: ReleaseFailedError("jane/flowers", "v1"),
    OutOfResourcesError: OutOfResourcesError("too many open files", path="files[3]", errno=24),
    BulkError: BulkError("2 items: 2 failed", report=BulkReport()),
}


def _example(cls: type[SegmentsError]) -> SegmentsError:
    if issubclass(cls, ApiError):
        fields = {"name": ["This field is required."]}
        return cls(418, "PUT", CALL["url"], "No.", fields, "r-1", {"detail": "No."}, retry_after=7.0)
    if issubclass(cls, TransportError):
        return cls("the connection was lost", **CALL, sent=False)
    return OF_THEIR_OWN.get(cls) or cls("something is wrong")


CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, SegmentsError)]
CLASSES.append(BulkError)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_a_pickle(cls):
    """Process pools and task queues carry errors by pickle."""
    error = _example(cls)
    error.add_note("sent 3 times")

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is cls
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert {k: v for k, v in vars(copy).items() if k != "report"} == {
        k: v for k, v in vars(error).items() if k != "report"
    }


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_can_be_rebuilt_from_its_text(cls):
    """As torch does in the parent of a worker: the text, escaped, is the message, and nothing else is made up."""
    text = f"Caught {cls.__name__} in DataLoader worker process 0.\n{_example(cls)}"

    rebuilt = cls(text)

    assert str(rebuilt) == printable(text)
    assert str(pickle.loads(pickle.dumps(rebuilt))) == printable(text)
    if issubclass(cls, ApiError):
        assert (rebuilt.status, rebuilt.method, rebuilt.detail, rebuilt.fields) == (None, None, text, {})


@pytest.mark.parametrize("cls", CLASSES)
def test_the_traceback_of_a_worker_keeps_its_lines(cls):
    """Only that: the worker's own message, and any other text, stay in one line."""
    lines = [
        f"Caught {cls.__name__} in DataLoader worker process 0.",
        "Original Traceback (most recent call last):",
        '  File "train.py", line 3, in __getitem__',
        f"segments_async.errors.{cls.__name__}: bad \x1b[31mname",
        "",
    ]

    assert str(cls("\n".join(lines))).split("\n") == [printable(line) for line in lines]
    assert "\n" not in str(cls("\n".join(["sample", *lines])))


def test_api_error_names_the_call():
    """Status, method, URL, the service's words and the request id are in one line."""
    error = ApiError(404, "GET", "https://api.segments.ai/user", "Not found.", request_id="r-1")

    assert str(error) == "404 Not Found on GET https://api.segments.ai/user: Not found. [request id r-1]"


def test_local_api_error_has_no_call():
    """An error raised locally carries neither status nor method nor URL."""
    error = RateLimitError(detail="the gate is closed", retry_after=3.0)

    assert (error.status, error.method, error.url) == (None, None, None)
    assert str(error) == "the gate is closed"


def test_unknown_status_has_no_phrase():
    assert str(ApiError(599, "GET", "u", "odd")) == "599 on GET u: odd"


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [(InputError, ValueError), (errors.RequestTimeoutError, TimeoutError), (ClientStateError, RuntimeError)],
)
def test_errors_are_what_python_calls_them(cls, builtin):
    assert issubclass(cls, builtin)


def test_official_name_of_the_rate_limit():
    assert errors.APILimitError is RateLimitError


@pytest.mark.parametrize(
    ("path", "parent", "expected"),
    [
        ("name", "samples[3]", "samples[3].name"),
        ("[2].x", "attributes", "attributes[2].x"),
        ("", "files[0]", "files[0]"),
    ],
)
def test_input_error_moves_outwards(path, parent, expected):
    assert InputError("no", path=path).under(parent).path == expected


def test_input_error_keeps_its_cause_when_it_moves():
    cause = KeyError("width")
    error = InputError("raised KeyError: 'width'", path="attributes")
    error.__cause__ = cause
    error.add_note("raised in make (app.py, line 3)")

    moved = error.under("files[2]")

    assert moved.__cause__ is cause
    assert moved.__notes__ == error.__notes__


class Unrestorable(Exception):  # noqa: N818
    """An exception that pickles, and cannot be restored: a common mistake in a constructor."""

    def __init__(self, one, two):
        super().__init__(one)


class Hostile:
    """A value that neither pickles nor has a repr."""

    def __reduce__(self):
        raise ZeroDivisionError

    def __repr__(self):
        raise ZeroDivisionError


def nested(depth, make):
    value = 1
    for _ in range(depth):
        value = make(value)
    return value


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: (inner,)])
@pytest.mark.parametrize("depth", [150, 900, 100_000])
def test_a_deep_body_does_not_prevent_a_pickle(make, depth):
    """The note says what was there."""
    deep = nested(depth, make)
    words = f"({type(deep).__name__}, nested too deeply to be pickled)"
    for error, name in (
        (DecodeError("unknown shape", payload=deep, status=200, **CALL), "payload"),
        (ApiError(400, "PUT", CALL["url"], "No.", body=deep), "body"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert getattr(copy, name) == words
        assert str(copy) == str(error)


def test_what_is_not_deep_stays_as_it_is():
    shared = {"name": ["This field is required."]}
    body = nested(60, lambda inner: {"a": inner, "b": shared, "c": [1, "x", None]})
    assert pickle.loads(pickle.dumps(ApiError(400, body=body))).body == body
    cyclic = {}
    cyclic["self"] = cyclic
    copy = pickle.loads(pickle.dumps(ApiError(400, body=cyclic)))
    assert copy.body["self"] is copy.body


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (lambda assets: assets, "<function <lambda> at 0x"),
        (Hostile(), "<Hostile>"),
        ([Hostile()], "<list>"),
        (Unrestorable(1, 2), "Unrestorable(1)"),
    ],
)
def test_values_that_do_not_pickle_become_text(payload, words):
    error = DecodeError("unknown shape", payload=payload)
    assert pickle.loads(pickle.dumps(error)).payload.startswith(words)


def test_a_long_text_is_cut():
    class Long:
        def __repr__(self):
            return "x" * 10_000

    assert len(pickle.loads(pickle.dumps(DecodeError("", payload=Long()))).payload) == 1000


def test_the_cause_of_a_lost_request_is_not_pickled():
    """An exception of a transport contains the request with its headers, and so the API key."""
    error = TransportError("lost", **CALL)
    error.__cause__ = ValueError("with a request")
    assert pickle.loads(pickle.dumps(error)).__cause__ is None
    outer = TransportError("unknown", **CALL)
    outer.__cause__ = error
    assert str(pickle.loads(pickle.dumps(outer)).__cause__) == str(error)


@pytest.mark.parametrize(("cause", "kept"), [(KeyError("width"), True), (Unrestorable(1, 2), False)])
def test_a_cause_survives_if_it_can(cause, kept):
    error = InputError("raised an exception", path="attributes")
    error.__cause__ = cause
    copy = pickle.loads(pickle.dumps(error))
    assert repr(copy.__cause__) == repr(cause if kept else None)
