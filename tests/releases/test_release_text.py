"""Release files as text: a window of it at a time, and every sample just as ``json.loads`` reads it."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, strategies as st

from segments_async import DecodeError
from segments_async._releases.text import ReleaseText

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\ud800", 2**70, "\\", '"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OTHER_KEYS = st.dictionaries(st.text().filter(lambda key: key not in {"dataset", "samples"}), JSON, max_size=3)


class Trickle(io.BytesIO):
    """A file that gives fewer bytes than it is asked for."""

    def __init__(self, data, limit):
        super().__init__(data)
        self.limit = limit

    def read(self, size=-1):
        return super().read(min(size, self.limit) if size >= 0 else self.limit)


def read(data, limit=1 << 20):
    text = ReleaseText(Trickle(data, limit), "v1.json")
    return list(text), text.header


@given(st.lists(JSON, max_size=5), OTHER_KEYS, OTHER_KEYS, st.integers(1, 9), st.data())
def test_samples_and_header_are_read_as_a_whole_would_be(samples, head, keys, limit, data):
    """In any order of keys, with any spaces, in pieces that end anywhere."""
    dataset = dict(data.draw(st.permutations([*keys.items(), ("samples", samples)])))
    whole = dict(data.draw(st.permutations([*head.items(), ("dataset", dataset)])))
    written = json.dumps(
        whole, indent=data.draw(st.sampled_from([None, 1])), ensure_ascii=data.draw(st.booleans())
    ).encode("utf-8", "replace")
    expected = json.loads(written)

    found, header = read(written, limit)

    assert repr(found) == repr(expected["dataset"].pop("samples"))  # NaN is not equal to itself
    assert repr(sorted(header.items())) == repr(sorted(expected.items()))


WHOLE = json.dumps({"name": "é", "dataset": {"samples": [{"a": [1.5, "\ud800", None]}, {"b": True}]}, "z": 1}).encode()


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_cut_anywhere(length):
    """It is always noticed, with one kind of error."""
    with pytest.raises(DecodeError, match=r"^(dataset.samples\[[01]\]: )?v1.json is truncated"):
        read(WHOLE[:length])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is truncated"),
        (b"<!DOCTYPE html><html>", r"not JSON: expected \{ at character 0: '<!DOCTYPE html>"),
        (b"[1]", r"expected \{"),
        (b"\x89PNG\r\n", "not UTF-8"),
        (b'{"dataset": {}}', "is not a release: it has no samples"),
        (b'{"dataset": 7}', "is not a release"),
        (b'{"dataset": {"samples": {}}}', "is not a release"),
        (b'{"images": [], "annotations": []}', "is not a release"),
        (b'{"dataset": {"samples": []}} x', "continues after its end, at character 29"),
        (b'{"dataset": {"samples": [1 2]}}', r"expected , or \] at character 27"),
        (b'{"dataset": {"samples": [1,]}}' + b" " * 99, "not JSON: .* at character 27"),
        (b'{"dataset": {"samples": [{"a": nope}, 1, 2, 3, 4, 5, 6, 7]}}', "Expecting value at character 31: 'nope"),
        (b'{7: {"samples": []}}', 'expected "'),
        (b'{"dataset": {"samples": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}}", "nested too deeply"),
    ],
)
def test_file_that_is_not_a_release(data, words):
    with pytest.raises(DecodeError, match=words):
        read(data)


def test_text_that_is_wrong_is_not_read_to_its_end():
    """A mistake is found where it is, however long the rest."""
    data = Trickle(b'{"dataset": {"samples": [{"a": nope}' + b" " * 5_000_000, 100_000)
    with pytest.raises(DecodeError, match="nope"):
        list(ReleaseText(data, "v1.json"))
    assert data.tell() < 1_000_000


def test_value_without_an_end_does_not_fill_the_memory():
    with pytest.raises(DecodeError, match="MB of memory or more"):
        list(ReleaseText(io.BytesIO(b'{"images": "' + b"x" * 5_000_000), "v1.json", max_bytes=1_000_000))
