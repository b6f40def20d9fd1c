"""The notes on words that the service refuses, and on datasets that it does not find."""

import pytest

from segments_async import NotFoundError, ValidationError
from segments_async._wire.choices import notes_on_choices
from segments_async._wire.not_found import note_missing
from segments_async._wire.replies import Reply, error_for
from segments_async._wire.routes import (
    ADD_COLLABORATOR,
    CREATE_ISSUE,
    DELETE_ISSUE,
    DELETE_LABELSET,
    GET_COLLABORATOR,
    GET_DATASET,
    GET_LABEL,
    GET_RELEASE,
    GET_SAMPLE,
    GET_USER,
    LIST_SAMPLES,
    UPDATE_SAMPLE,
)


@pytest.mark.parametrize(
    ("field", "word", "near"),
    [
        ("task_type", "bounding-boxes", "bboxes"),
        ("task_type", "segmentation_bitmap", "segmentation-bitmap"),
        ("label_status", "labelled", "LABELED"),
        ("[3].label_status", "verify", "VERIFIED"),
        ("status", "open", "OPEN"),
        ("role", "administrator", "admin"),
        ("category", "street", "street_scenery"),
        ("task_type", "text", None),
        ("category", "flowers", None),
        ("label_status", "DONE", None),
    ],
)
def test_a_refused_word_comes_with_the_known_ones(field, word, near):
    [note] = notes_on_choices({field: [f'"{word}" is not a valid choice.']})

    assert note.startswith(f"{field}: did you mean {near!r}? Known" if near else f"{field}: Known values: ")
    assert "''" not in note


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ['"x" is not a valid choice.']},
        {"task_type": ["This field is required."]},
        {"task_type": []},
    ],
)
def test_other_problems_have_no_note(fields):
    assert list(notes_on_choices(fields)) == []


def test_the_error_of_an_answer_has_the_note():
    content = b'{"task_type": ["\\"bbox\\" is not a valid choice."]}'
    error = error_for(Reply(400, "POST", "https://x", {}, content), now=0)

    assert isinstance(error, ValidationError)
    assert error.__notes__[0].startswith("task_type: did you mean 'bboxes'? Known values: 'bboxes', ")


@pytest.mark.parametrize(
    ("endpoint", "path", "params", "detail", "note"),
    [
        (GET_DATASET, {}, {}, "Not found.", ""),
        (LIST_SAMPLES, {}, {"page": 1}, "Not found.", ""),
        (LIST_SAMPLES, {}, {"labelset": "x"}, "Not found.", ", or its dataset has no labelset 'x'"),
        (LIST_SAMPLES, {}, {"page": 2}, "Invalid page.", None),
        (ADD_COLLABORATOR, {}, {}, "Not found.", None),
        (GET_LABEL, {"sample_uuid": "u", "labelset": "x"}, {}, "Not found.", None),
    ],
)
def test_which_dataset_is_missing(endpoint, path, params, detail, note):
    error = NotFoundError(404, "GET", "https://x", detail)
    note_missing(error, endpoint, {"dataset": "jane/flowrs", **path}, params)

    words = "there is no dataset 'jane/flowrs', or the key has no access to it"
    assert getattr(error, "__notes__", []) == ([] if note is None else [f"{words}{note}"])


@pytest.mark.parametrize(
    ("endpoint", "path", "words"),
    [
        (GET_RELEASE, {"dataset": "a/b", "name": "v1"}, "no release 'v1' in 'a/b', or no such dataset"),
        (DELETE_LABELSET, {"dataset": "a/b", "name": "x"}, "no labelset 'x' in 'a/b', or no such dataset"),
        (GET_COLLABORATOR, {"dataset": "a/b", "user": "joe"}, "no collaborator 'joe' in 'a/b', or no such dataset"),
        (GET_SAMPLE, {"uuid": "u-1"}, "no sample 'u-1'"),
        (CREATE_ISSUE, {"sample_uuid": "u-1"}, "no sample 'u-1'"),
        (DELETE_ISSUE, {"uuid": "i-1"}, "no issue 'i-1'"),
        (GET_USER, {"username": "joe"}, "no user 'joe'"),
        (UPDATE_SAMPLE, {"uuid": "u-1"}, None),  # or the user to assign is missing
    ],
)
def test_what_is_missing(endpoint, path, words):
    error = NotFoundError(404, endpoint.method, "https://x", "Not found.")
    note_missing(error, endpoint, path, {})

    expected = [] if words is None else [f"there is {words}, or the key has no access to it"]
    assert getattr(error, "__notes__", []) == expected


def test_a_missing_user_is_no_missing_dataset():
    error = NotFoundError(400, "GET", "https://x", "the user does not exist")
    note_missing(error, GET_DATASET, {"dataset": "a/b"}, {})
    assert not hasattr(error, "__notes__")


def test_many_refused_words_and_long_ones():
    """There are at most ten notes, in time that grows with the length of a word."""
    assert (
        len(list(notes_on_choices({f"{index}.role": ['"x" is not a valid choice.'] for index in range(1_500)}))) == 10
    )
    assert list(notes_on_choices({"role": ['"' * 1_000_000]})) == []
    assert len(list(notes_on_choices({"role": ['"' * 1_000_000 + " is not a valid choice"]}))) == 1
