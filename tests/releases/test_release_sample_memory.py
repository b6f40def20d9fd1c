"""One sample of a release takes bounded memory: a larger one is an error before it is decoded, or is left out."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hostile_shapes import SHAPES
from hypothesis import given, strategies as st

from segments_async import DecodeError, InputError, open_release
from segments_async._releases.value_end import ValueEnd

LIMIT_MB = 2
SIZE = 600_000
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\\", '"', '\\"]}', "]", "}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    JSON, st.sampled_from([",1", "]", "}", " ,", "\n]"]), st.integers(1, 5), st.booleans(), st.sampled_from([None, 1])
)
def test_the_end_of_a_value(value, after, length, ascii_only, indent):
    """Wherever the pieces end, and whatever is in the strings."""
    written = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    text = written + after
    end, found, start = ValueEnd(), None, 0
    while found is None:
        found = end.find(text[start : start + length], 0)
        start += length
    assert start - length + found == len(written)


@given(st.text('[]{}",\\ a0', max_size=30), st.integers(1, 5))
def test_any_text_has_an_end_or_none(text, length):
    end = ValueEnd()
    for start in range(0, len(text), length):
        found = end.find(text[start : start + length], 0)
        assert found is None or 0 <= found <= length


@pytest.fixture
def hostile(files):
    """``hostile(value)``: a release whose second sample has this JSON as an attribute."""

    def write(value):
        whole = json.dumps(files.release([files.sample(0), {**files.sample(1), "attributes": "HERE"}, files.sample(2)]))
        return files.write(whole.encode().replace(b'"HERE"', value))

    return write


@pytest.mark.anyio
@pytest.mark.parametrize("shape", SHAPES)
async def test_large_sample(hostile, shape):
    """It is found before it is decoded: the peak is a few times the limit, where decoding would take 50 times it."""
    path = hostile(SHAPES[shape](SIZE))
    tracemalloc.start()
    try:
        async with open_release(path, max_sample_mb=LIMIT_MB) as release:
            samples = release.samples(on_error="skip")
            names = [sample.name async for sample in samples]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert names == ["0.png", "2.png"]
    [error] = samples.skipped
    assert error.path == "dataset.samples[1]"
    assert "of at most 2" in str(error)
    assert peak < 6 * LIMIT_MB * 1_000_000


@pytest.mark.anyio
async def test_raised_after_the_samples_before_it(hostile):
    path = hostile(SHAPES["pairs"](SIZE))
    names = []
    async with open_release(path, max_sample_mb=LIMIT_MB) as release:
        samples = release.samples()
        names.append((await anext(samples)).name)
        with pytest.raises(DecodeError, match=r"samples\[1\]: v1.json contains a value at character"):
            await anext(samples)
        with pytest.raises(DecodeError, match="at most 2"):
            await release.summary()
    assert names == ["0.png"]


@pytest.mark.anyio
async def test_within_the_limit(hostile):
    """The same sample is read where the limit allows it, and by default."""
    path = hostile(b'{"image": {"url": "https://x.test/a.png"}, "more": %s}' % SHAPES["pairs"](SIZE))
    for options in ({"max_sample_mb": 100}, {}):
        async with open_release(path, **options) as release:
            assert [sample.name async for sample in release.samples()] == ["0.png", "1.png", "2.png"]


@pytest.mark.anyio
async def test_many_small_samples_in_a_large_window(files):
    """After a large sample the window is large; the samples in it are judged one by one."""
    big = {**files.sample(0), "metadata": {"text": "x" * 300_000}}
    path = files.write_release([big] * 2 + [files.sample(number) for number in range(3000)])
    async with open_release(path, max_sample_mb=LIMIT_MB) as release:
        assert len([sample async for sample in release.samples()]) == 3002


@pytest.mark.anyio
@pytest.mark.parametrize("unreadable", [b"[" * 100_000 + b"]" * 100_000, b"9" * 5000], ids=["deep", "digits"])
async def test_other_samples_that_cannot_be_read(hostile, unreadable):
    """They are left out too, as the end of each is known."""
    async with open_release(hostile(unreadable)) as release:
        samples = release.samples(on_error="skip")
        assert [sample.name async for sample in samples] == ["0.png", "2.png"]
        assert [error.path for error in samples.skipped] == ["dataset.samples[1]"]


@pytest.mark.anyio
async def test_large_header(files):
    """What is not a sample is not left out."""
    path = files.write(json.dumps({"x": "HERE", **files.release([])}).replace('"HERE"', SHAPES["pairs"](SIZE).decode()))
    with pytest.raises(DecodeError, match="at most 2"):
        async with open_release(path, max_sample_mb=LIMIT_MB):
            pass


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), "1", None, True])
def test_invalid_limits(tmp_path, limit):
    with pytest.raises(InputError, match="max_sample_mb"):
        open_release(tmp_path / "v1.json", max_sample_mb=limit)
