"""Usual slips of async code, of paths, and of users of the official SDK: each works, or says what to write."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import re
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path

import httpx
import pytest
import segments
import segments.exceptions
import segments.utils

import segments_async
from segments_async import (
    AsyncSegments,
    Collaborator,
    Dataset,
    ImageVectorAnnotation,
    InputError,
    Issue,
    Label,
    Labelset,
    Pages,
    Release,
    Sample,
    TaskType,
    WrongTypeError,
    open_release,
    structure,
)
from segments_async._misuse import OFFICIAL_CALLS, OFFICIAL_EXPORTS, OFFICIAL_METHODS
from segments_async.imports import Annotations
from segments_async.pointclouds.pcd_writer import PcdWriter
from segments_async.training import ItemReader

ERRORS_PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
ITEM = {"name": "a", "attributes": {"image": {"url": "https://example.com/a.png"}}}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def with_client(client):
    with client:
        pass


def with_stream(client):
    with client.labels.stream_put([]):
        pass


def with_prefetch(client):
    with client.samples.list("sandbox/flowers").prefetch():
        pass


def with_release(_):
    with open_release("v1.json"):
        pass


def with_items(client):
    with client.releases.iterate("v1.json"):
        pass


def for_list(client):
    for _ in client.samples.list("sandbox/flowers"):
        pass


def for_prefetch(client):
    for _ in client.samples.list("sandbox/flowers").prefetch():
        pass


def for_stream(client):
    for _ in client.labels.stream_put([]):
        pass


def first_of_list(client):
    return client.samples.list("sandbox/flowers")[0]


OF_PAGES = (
    "write 'async for' instead of 'for': Pages is asynchronous, and has no items by index; "
    "write '(await ...)[0]' for one of them"
)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (with_client, "write 'async with' instead of 'with': AsyncSegments is asynchronous"),
        (with_stream, "write 'async with' instead of 'with': BulkStream is asynchronous"),
        (with_prefetch, "write 'async with' instead of 'with': Prefetch is asynchronous"),
        (with_release, "write 'async with' instead of 'with': ReleaseFile is asynchronous"),
        (with_items, "write 'async with' instead of 'with': ReleaseItems is asynchronous"),
        (for_list, OF_PAGES),
        (for_prefetch, "write 'async for' instead of 'for': Prefetch is asynchronous, and has no items by index"),
        (for_stream, "write 'async for' instead of 'for': BulkStream is asynchronous, and has no items by index"),
        (first_of_list, OF_PAGES),
        (
            lambda client: len(client.samples.list("sandbox/flowers")),
            "Pages has no length before it is awaited: write 'len(await ...)'",
        ),
    ],
)
async def test_a_slip_says_what_to_write(client, slip, words):
    with pytest.raises(TypeError) as caught:
        slip(client)

    assert str(caught.value) == words


async def not_awaited():
    return Dataset(name="flowers")


@pytest.fixture
def coroutine():
    made = not_awaited()
    yield made
    made.close()


async def async_for(coroutine):
    async for _ in coroutine:
        pass


async def async_for_result(coroutine):
    await coroutine
    async for _ in [1]:
        pass


async def async_with(coroutine):
    async with coroutine:
        pass


async def twice(coroutine):
    await coroutine
    await coroutine


async def result(coroutine):
    await (await coroutine)


async def run_in_a_loop(coroutine):
    asyncio.run(coroutine)


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (lambda coroutine: coroutine.name, "'coroutine' object has no attribute 'name'"),
        (list, "'coroutine' object is not iterable"),
        (lambda coroutine: coroutine[0], "'coroutine' object is not subscriptable"),
        (len, "object of type 'coroutine' has no len()"),
        (
            lambda coroutine: asyncio.run(async_for(coroutine)),
            "'async for' requires an object with __aiter__ method, got",
        ),
        (
            lambda coroutine: asyncio.run(async_with(coroutine)),
            "'coroutine' object does not support the asynchronous context manager protocol",
        ),
        (lambda one: asyncio.run(async_for_result(one)), "'async for' requires an object with __aiter__ method, got"),
        (json.dumps, "Object of type coroutine is not JSON serializable"),
        (lambda coroutine: asyncio.run(result(coroutine)), "object Dataset can't be used in 'await' expression"),
        (lambda coroutine: asyncio.run(twice(coroutine)), "cannot reuse already awaited coroutine"),
        (lambda _: compile("await x", "", "exec"), "'await' outside function"),
        (lambda _: compile("def f(): await x", "", "exec"), "'await' outside async function"),
        (
            lambda coroutine: asyncio.run(run_in_a_loop(coroutine)),
            "asyncio.run() cannot be called from a running event loop",
        ),
        (asyncio.create_task, "no running event loop"),
        (lambda _: asyncio.run(not_awaited), "a coroutine was expected, got <"),
    ],
)
def test_the_page_of_errors_has_the_words_of_python(coroutine, slip, words):
    """A search for what Python says about a forgotten ``await`` finds what to write."""
    with pytest.raises((AttributeError, TypeError, RuntimeError, SyntaxError, ValueError), match=re.escape(words)):
        slip(coroutine)

    assert f"`{words}" in ERRORS_PAGE


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (
            lambda client: client.releases.create("jane/flowers", "v1", "first"),
            "Releases.create() takes 3 positional arguments but 4 were given",
        ),
        (
            lambda client: client.samples.list("jane/flowers", label_set="ground-truth"),
            "Samples.list() got an unexpected keyword argument 'label_set'",
        ),
        (
            lambda _: ImageVectorAnnotation(category=1),
            "ImageVectorAnnotation.__init__() got an unexpected keyword argument 'category'",
        ),
        (
            lambda _: ImageVectorAnnotation(id=1, type="bbox", points=[]),
            "ImageVectorAnnotation.__init__() missing 1 required keyword-only argument: 'category_id'",
        ),
        (
            lambda _: ImageVectorAnnotation(1, 2),
            "ImageVectorAnnotation.__init__() takes 1 positional argument but 3 were given",
        ),
    ],
)
def test_the_page_of_errors_has_the_words_of_python_about_arguments(slip, words):
    """A wrapper of each call that says it better would cost every call; newer Pythons add what may be meant."""
    with pytest.raises(TypeError) as caught:
        slip(AsyncSegments("some-key"))

    assert str(caught.value).startswith(words)
    assert f"| `{words}` |" in ERRORS_PAGE


def test_a_call_that_is_never_awaited():
    client = AsyncSegments("some-key")
    with pytest.warns(RuntimeWarning) as caught:
        client.datasets.get("jane/flowers")

    assert str(caught[0].message) == "coroutine 'Datasets.get' was never awaited"
    assert f"`{caught[0].message}`" in ERRORS_PAGE


@pytest.mark.anyio
@pytest.mark.parametrize(
    "call",
    [
        lambda client, coroutine: client.datasets.get(coroutine),
        lambda client, coroutine: client.samples.create_many(coroutine, [ITEM]),
        lambda client, coroutine: client.samples.create_many("jane/flowers", coroutine),
        lambda client, coroutine: client.labels.get(coroutine),
        lambda client, coroutine: client.labels.put("u-1", "ground-truth", coroutine),
        lambda client, coroutine: client.datasets.create("flowers", task_attributes=coroutine),
        lambda client, coroutine: client.datasets.update("jane/flowers", public=coroutine),
    ],
)
async def test_a_coroutine_as_argument(client, coroutine, call):
    with pytest.raises(InputError, match=r"a coroutine(| is not JSON); write 'await' before the call that returns it$"):
        await call(client, coroutine)


@pytest.mark.anyio
async def test_an_attribute_of_a_row(client):
    """A list that is not awaited has none of them; what tools look for is missing as ever."""
    pages = client.datasets.list()
    with pytest.raises(AttributeError) as caught:
        pages.name  # noqa: B018
    words = (
        "'Pages' object has no attribute 'name'; write 'await' for a list of all rows, or 'async for' for each of them"
    )
    assert (str(caught.value), caught.value.name, caught.value.obj) == (words, "name", pages)
    with pytest.raises(AttributeError, match=r"'_repr_html_'$"):
        pages._repr_html_  # noqa: B018
    with pytest.raises(TypeError, match="'Pages' object is not an iterator"):
        next(pages)
    assert await client.datasets.list().first() is None


def test_what_is_not_awaited_says_so_in_a_notebook():
    client = AsyncSegments("some-key")
    pages = "'await' it for a list of all rows, or write 'async for'>"
    assert repr(client.samples.list("jane/flowers")) == f"<Pages of client.samples.list(...): {pages}"
    assert repr(client.releases.list("jane/flowers")) == f"<Pages: {pages}"
    assert repr(client.samples.list("jane/flowers").prefetch()) == "<Prefetch: write 'async with' to use it>"
    assert repr(client.labels.stream_put([])) == "<BulkStream: write 'async with' to use it>"
    assert repr(client.releases.iterate("v1.json")) == "<ReleaseItems: write 'async with' to use it>"


@pytest.mark.anyio
async def test_hints_change_nothing_for_who_looks(client):
    pages = client.samples.list("sandbox/flowers")

    assert bool(pages)
    assert not isinstance(pages, Iterable)
    assert not hasattr(client, "get_dataset")


@pytest.mark.parametrize("name", [name for name in dir(segments.SegmentsClient) if not name.startswith("_")])
@pytest.mark.anyio
async def test_names_of_the_official_sdk_name_the_call_that_replaces_them(client, name):
    with pytest.raises(AttributeError) as caught:
        getattr(client, name)

    assert str(caught.value).endswith(f"the official SDK's {name}() is 'await client.{OFFICIAL_CALLS[name]}(...)' here")
    assert callable(attrgetter(OFFICIAL_CALLS[name])(client))


@pytest.mark.anyio
async def test_other_names_are_missing_as_ever(client):
    with pytest.raises(AttributeError, match=r"'AsyncSegments' object has no attribute 'sample'$"):
        client.sample  # noqa: B018


@pytest.mark.parametrize("name", OFFICIAL_EXPORTS)
def test_exports_of_the_official_sdk(name):
    """An import statement and an attribute say what replaces them, as far as that exists; who looks finds nothing."""
    with pytest.raises(AttributeError, match=f"^module 'segments_async' has no attribute '{name}'; the official SDK's"):
        getattr(segments_async, name)
    assert not hasattr(segments_async, name)
    assert getattr(segments_async, name, None) is None
    with pytest.raises(ImportError, match=f"the official SDK's {name} is ") as caught:
        exec(f"from segments_async import {name}")
    for word in re.findall(r"\w+Error|AsyncSegments|open_release", str(caught.value).partition(" is ")[2]):
        assert hasattr(segments_async, word)
    assert any(hasattr(module, name) for module in (segments, segments.exceptions, segments.utils))
    assert name not in dir(segments_async)


def test_other_exports_are_missing_as_ever():
    assert not hasattr(segments_async, "no_such_name")
    with pytest.raises(AttributeError, match=r"^module 'segments_async' has no attribute 'AsyncSegment'$"):
        segments_async.AsyncSegment  # noqa: B018


async def created(client):
    dataset = await client.datasets.create("flowers")
    await client.samples.create_many(dataset, [{**ITEM, "name": f"{number}"} for number in range(5)])
    return dataset


OBJECTS = {
    "Dataset": Dataset(name="flowers"),
    "Sample": structure({"uuid": "u-1", **ITEM}, Sample),
    "Label": structure(
        {"sample_uuid": "u-1", "labelset": "ground-truth", "label_type": "vector", "attributes": {"annotations": []}},
        Label,
    ),
    "Issue": structure({"uuid": "u-1", "description": "", "status": "OPEN"}, Issue),
    "Collaborator": structure({"user": {"username": "joe"}, "role": "labeler"}, Collaborator),
    "Labelset": Labelset(name="predictions"),
    "Release": structure({"uuid": "u-1", "name": "v1"}, Release),
}


@pytest.mark.parametrize("kind", OFFICIAL_METHODS)
def test_methods_of_official_objects(kind):
    """They name the call of the client; what else is missing is reported as ever, and tools find nothing new."""
    value = OBJECTS[kind]
    for name, call in OFFICIAL_METHODS[kind].items():
        with pytest.raises(AttributeError, match=re.escape(f"'await client.{call}'")) as caught:
            getattr(value, name)
        assert (caught.value.name, caught.value.obj) == (name, value)
        assert not hasattr(value, name)
        assert name not in dir(value)
    with pytest.raises(AttributeError, match=rf"^'{kind}' object has no attribute 'nmae'$"):
        value.nmae  # noqa: B018
    assert not any(hasattr(value, name) for name in ("_repr_html_", "_ipython_display_", "__array__", "model_dump"))


@pytest.mark.parametrize("kind", OBJECTS)
def test_attributes_of_objects_are_looked_up_directly(kind):
    """Python takes twice the time for each attribute of an object whose class has a ``__getattr__``."""
    assert not hasattr(type(OBJECTS[kind]), "__getattr__")
    assert all(not hasattr(type(OBJECTS[kind]), name) for name in OFFICIAL_METHODS[kind])


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_are_copied_and_pickled(kind):
    value = OBJECTS[kind]
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_another_type_of_sample_is_said_as_before():
    with pytest.raises(WrongTypeError, match="use 'image'"):
        OBJECTS["Sample"].pointcloud  # noqa: B018


@pytest.mark.parametrize(
    "slip",
    [
        lambda label: label.annotations[0],
        lambda label: len(label.annotations),
        lambda label: bool(label.annotations),
        lambda label: list(label.annotations),
    ],
)
def test_the_parentheses_of_annotations(slip):
    with pytest.raises(TypeError, match=r"^'annotations' is a method: write 'for .* in label.annotations\(\)', or "):
        slip(OBJECTS["Label"])


def test_annotations_is_a_method_for_who_looks():
    method = OBJECTS["Label"].annotations
    assert list(method()) == list(Label.annotations(OBJECTS["Label"])) == []
    assert not isinstance(method, Iterable)
    assert (callable(method), inspect.getdoc(method)) == (True, inspect.getdoc(Label.annotations))
    assert list(inspect.signature(method).parameters) == ["sample"]


def test_asyncio_run_of_a_list():
    rows = [{"uuid": f"u-{number}", **ITEM} for number in range(5)]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=rows))
    client = AsyncSegments("some-key", transport=transport)

    assert len(asyncio.run(client.samples.list("jane/flowers"))) == 5


def test_tasks_of_a_list(sandbox):
    """Also of the same list twice, and of one that is cancelled before and while it runs."""

    async def main():
        async with AsyncSegments("sandbox-key", base_url=sandbox.url) as client:
            pages = client.samples.list(await created(client), per_page=2)
            first, second = asyncio.create_task(pages), asyncio.create_task(pages)
            early, late = asyncio.create_task(pages), asyncio.create_task(pages)
            early.cancel()
            await asyncio.sleep(0)
            late.cancel()
            ended = await asyncio.gather(first, second, early, late, return_exceptions=True)

            assert [len(rows) for rows in ended[:2]] == [5, 5]
            assert [type(error) for error in ended[2:]] == [asyncio.CancelledError] * 2
            async with asyncio.TaskGroup() as group:
                task = group.create_task(pages)
            assert len(task.result()) == len(await pages) == 5
            assert pages._runs == {}

    asyncio.run(main())


def test_a_list_that_is_closed_fetches_nothing():
    async def fetch(number, rows):
        raise AssertionError

    async def main():
        pages = Pages(fetch)
        pages.close()

    asyncio.run(main())


@pytest.mark.anyio
async def test_paths_below_the_home_directory(client, home):
    dataset = await client.datasets.create("flowers")
    (home / "images").mkdir()
    (home / "images" / "a.png").write_bytes(b"...")

    assert (await client.samples.upload_files(dataset, "~/images", checkpoint="~/run.db")).values[0].name == "a.png"
    assert (await client.samples.upload_files(dataset, ["~/images/a.png"])).failed == 0
    assert (await client.assets.upload("~/images/a.png")).url
    files = client.samples.list(dataset)
    assert (await client.assets.download_many(files, "~/copies")).values[0][0].parent == home / "copies"
    await client.releases.create(dataset, "v1")
    await client.releases.wait(dataset, "v1", poll=0.01)
    assert await client.releases.download(dataset, "v1", "~/v1.json") == home / "v1.json"
    assert (home / "run.db").exists()


@pytest.mark.parametrize(
    ("kind", "hint"),
    [(Annotations, ""), (PcdWriter, ""), (ItemReader, "; in async code, write 'client.releases.iterate(...)'")],
)
def test_with_for_async_with(kind, hint):
    """What is not asynchronous says so, and what to use in async code."""

    async def slip():
        async with object.__new__(kind):
            pass

    with pytest.raises(TypeError) as caught:
        asyncio.run(slip())
    assert str(caught.value) == f"write 'with' instead of 'async with': {kind.__name__} is not asynchronous{hint}"


@pytest.mark.parametrize(
    ("resource", "name", "hint"),
    [
        ("samples", "upload", "; did you mean 'upload_files'?"),
        ("samples", "creat", "; did you mean 'create'?"),
        ("labels", "bitmap", "; did you mean 'get_bitmap' or 'put_bitmap'?"),
        ("datasets", "hologram", ""),
        ("datasets", "__fspath__", ""),
    ],
)
def test_a_call_that_a_resource_does_not_have(resource, name, hint):
    with pytest.raises(AttributeError) as caught:
        getattr(getattr(AsyncSegments("key"), resource), name)
    assert str(caught.value) == f"{resource.title()!r} object has no attribute {name!r}{hint}"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("bboxes", "vector"),
        ("keypoints", "vector"),
        ("image_segmentation", "segmentation"),
        ("image_segmentation_sequence", "segmentation_sequence"),
        ("image_vector", "vector"),
        ("image_vector_sequence", "vector_sequence"),
        ("multisensor_sequence", "multisensor"),
        ("segmentation_bitmap", "segmentation"),
        ("segmentation_bitmap_highres", "segmentation"),
    ],
)
def test_the_name_of_a_task_type_for_a_property(name, instead):
    label = Label()
    with pytest.raises(AttributeError) as caught:
        getattr(label, name)
    assert str(caught.value) == f"'Label' object has no attribute {name!r}; did you mean {instead!r}?"
    assert not hasattr(Label, name)
    assert name not in dir(label)
    assert instead in dir(label)


def test_every_task_type_is_a_property_or_says_which():
    for task_type in TaskType:
        name = task_type.replace("-", "_")
        with pytest.raises(AttributeError, match="has no attributes|did you mean" if name else "no attribute"):
            getattr(Label(), name or "_")
