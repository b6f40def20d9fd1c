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
    RateLimitError,
    ReleaseFailedError,
    SegmentsError,
    TransportError,
)

CALL = {"method": "PUT", "url": "https://api.segments.ai/labels/u-1/ground-truth/"}


OF_THEIR_OWN = {
    DecodeError: DecodeError("no string", path="[3].name", payload=[1], status=200, request_id="r-1", **CALL),
    InputError: InputError("expected a string", path="samples[3].name"),
    ExportError: ExportError("its image is not an image", sample="violet.jpg", uuid="u-1"),
    ReleaseFailedError: ReleaseFailedError("jane/flowers", "v1"),
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
    """As torch does in the parent of a worker: the text is the message, and nothing else is made up."""
    text = f"Caught {cls.__name__} in DataLoader worker process 0.\n{_example(cls)}"

    rebuilt = cls(text)

    assert str(rebuilt) == text
    assert str(pickle.loads(pickle.dumps(rebuilt))) == text
    if issubclass(cls, ApiError):
        assert (rebuilt.status, rebuilt.method, rebuilt.detail, rebuilt.fields) == (None, None, text, {})


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
