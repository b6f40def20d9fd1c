"""Whatever a release file, a path or a name provokes ends in a `SegmentsError` or a result."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from segments_async import DecodeError, InputError, SegmentsError, open_release
from segments_async._releases import file as module

pytestmark = pytest.mark.anyio

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = {
    "uuid", "name", "attributes", "metadata", "labels", "ground-truth", "label_status", "label_type", "annotations",
    "frames", "sensors", "image", "url", "points", "category_id", "id", "type", "segmentation_bitmap",
}  # fmt: skip
NEAR = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(KEYS)), inner, max_size=6),
    max_leaves=20,
)


async def read_all(path):
    """Read a file in every way, and give the errors."""
    errors = []
    for on_error in ("raise", "skip"):
        for options in ({}, {"labelset": "ground-truth", "label_status": "LABELED", "metadata": {"a": 1}}):
            try:
                async with open_release(path) as release:
                    async for sample in release.samples(on_error=on_error, **options):
                        assert sample.name is not None
            except SegmentsError as error:
                errors.append(error)
    try:
        async with open_release(path) as release:
            await release.summary()
    except SegmentsError as error:
        errors.append(error)
    return errors


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(content=st.binary(max_size=200))
async def test_any_bytes_as_a_release(files, content):
    assert await read_all(files.write(content))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(samples=st.lists(NEAR, max_size=4), dataset=st.dictionaries(st.sampled_from(["labelsets", "task_type"]), JSON))
async def test_any_samples(files, samples, dataset):
    """Nothing that a sample contains is an error of the whole file with ``on_error="skip"``."""
    path = files.write_release(samples, **dataset)
    errors = await read_all(path)
    assert all(isinstance(error, DecodeError | InputError) for error in errors)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
async def test_a_damaged_release(files, data):
    """Some bytes are changed, left out or put in."""
    content = bytearray(json.dumps(files.release([files.sample(number) for number in range(3)])).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    await read_all(files.write(bytes(content)))


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"a": 10**30}},
        {"labels": {"ground-truth": {"label_status": ["LABELED"], "attributes": {}}}},
        {"labels": {"ground-truth": {"label_status": {"a": 1}, "attributes": {}}}},
        {"labels": {"ground-truth": {"label_type": [1], "attributes": {"annotations": [{"type": ["bbox"]}]}}}},
        {"labels": [1]},
    ],
)
async def test_strange_samples(files, change):
    """Each is read, or is a failure of its own."""
    samples = [files.sample(0), {**files.sample(1), **change}, files.sample(2)]
    path = files.write_release(samples)

    async with open_release(path) as release:
        found = release.samples(label_status=["LABELED"], on_error="skip")
        names = [sample.name async for sample in found]

    assert names[0] == "0.png"
    assert names[-1] == "2.png"
    assert len(found.skipped) <= 1
    await read_all(path)


async def test_a_number_of_thousands_of_digits(files):
    content = json.dumps(files.release([files.sample(0)])).replace('"Paris"', "1" * 5000)
    errors = await read_all(files.write(content))

    assert all(isinstance(error, DecodeError) for error in errors)
    assert "contains a value that cannot be read" in str(errors[0])


async def test_deep_nesting(files):
    """The parser takes it, and functions that walk through it do not."""
    content = json.dumps(files.release([files.sample(0, labels={"ground-truth": {"attributes": "DEEP"}})]))
    for depth in (300, 600, 900, 5000):
        deep = '{"frames":[' * depth + '{"annotations":[]}' + "]}" * depth
        for error in await read_all(files.write(content.replace('"DEEP"', deep))):
            assert isinstance(error, DecodeError)


async def test_an_exception_of_another_kind_is_the_cause(files, monkeypatch):
    """With ``on_error="skip"`` it is one sample's failure."""
    real = module.structure

    def broken(value, kind):
        if isinstance(value, dict) and value.get("name") == "1.png":
            raise ZeroDivisionError("odd")
        return real(value, kind)

    monkeypatch.setattr(module, "structure", broken)
    path = files.write_release([files.sample(number) for number in range(3)])
    async with open_release(path) as release:
        samples = release.samples(on_error="skip")
        assert [sample.name async for sample in samples] == ["0.png", "2.png"]
        [error] = samples.skipped
        assert str(error) == "dataset.samples[1]: ZeroDivisionError: odd (sample '1.png')"
        assert isinstance(error.__cause__, ZeroDivisionError)
        with pytest.raises(DecodeError) as caught:
            [sample async for sample in release.samples()]
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


class Raises:
    def __fspath__(self):
        raise RuntimeError("no path")


PATHS = ["a\0b", "x" * 5000, "/", "", Raises(), b"v1.json", None, 7]


@pytest.mark.parametrize("path", PATHS)
async def test_paths_that_are_none(client, path, tmp_path):
    """Neither of a release file, nor of a folder to write to."""
    with pytest.raises(InputError):
        async with open_release(path):
            pass
    for use in (client.releases.open, client.releases.iterate):
        with pytest.raises(SegmentsError):
            async with use(path):
                pass
    with pytest.raises(SegmentsError):
        await client.releases.summary(path)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/"])
async def test_places_that_are_none(client, files, sandbox, path):
    release = files.write_release([files.sample(0)])
    await client.datasets.create("flowers", task_type="vector")
    await client.releases.create("sandbox/flowers", "v1")
    await client.releases.wait("sandbox/flowers", "v1", poll=0.01)
    if path:
        with pytest.raises(InputError, match="folder"):
            await client.releases.export(release, path, "yolo")
    if path is not None and path:
        with pytest.raises(InputError, match="cache"):
            async with client.releases.iterate(release, cache=path):
                pass
    with pytest.raises(InputError, match="path"):
        await client.releases.download("sandbox/flowers", "v1", path)
