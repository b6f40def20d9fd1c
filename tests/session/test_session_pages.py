"""Lists, page by page, on a real socket."""

from __future__ import annotations

import inspect
import threading
import tracemalloc
from contextlib import AsyncExitStack, suppress
from urllib.parse import parse_qs

import anyio
import pytest

from segments_async import DecodeError, InputError, NotFoundError, ServerError, TransportError, structure
from segments_async._streams.page import Page
from segments_async._streams.pages import Pages

pytestmark = pytest.mark.anyio

COUNT = 25


@pytest.fixture
async def world(world):
    """25 samples, ``s00`` to ``s24``."""
    await world.client.samples.delete(world.uuid)
    samples = [{"name": name, "attributes": {"image": {"url": "a.png"}}} for name in NAMES]
    await world.client.request("POST", "/datasets/sandbox/flowers/samples_bulk/", json=samples)
    world.sandbox.clear_calls()
    return world


NAMES = [f"s{number:02}" for number in range(COUNT)]


def listed(world, **options):
    return world.client.samples.list(world.dataset, **options)


def asked(world):
    """The pages that were asked for."""
    return [int(parse_qs(call.query)["page"][0]) for call in world.sandbox.calls]


@pytest.mark.parametrize("lookahead", [1, 3])
@pytest.mark.parametrize("per_page", [4, 5, 25, 26])
async def test_everything(world, per_page, lookahead):
    """All rows in order, whether or not the last page is full."""
    samples = listed(world, per_page=per_page, lookahead=lookahead)

    assert [sample.name for sample in await samples] == NAMES
    assert [sample.name async for sample in samples] == NAMES
    assert [[sample.name for sample in page] async for page in samples.pages()] == [
        NAMES[start : start + per_page] for start in range(0, COUNT, per_page)
    ]


@pytest.mark.parametrize(("per_page", "pages"), [(25, [1, 2]), (26, [1, 2]), (10, [1, 2, 3])])
async def test_requests(world, per_page, pages):
    """A full last page costs one more request, which is answered with 404; so does a first page that may be cut."""
    await listed(world, per_page=per_page)

    assert asked(world) == pages


async def test_lookahead(world):
    """Three at a time; what lies beyond the end does no harm."""
    rows = listed(world, per_page=5, lookahead=3).pages()

    assert len(await anext(rows)) == 5
    assert sorted(asked(world)) == [1, 2, 3]
    for _ in range(3):
        await anext(rows)
    assert sorted(asked(world)) == [1, 2, 3, 4, 5, 6]
    await anext(rows)
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(rows)
    assert len(asked(world)) == 6


async def test_first(world):
    first = await listed(world, sort="name", direction="desc").first()

    assert first.name == "s24"
    assert [call.query for call in world.sandbox.calls] == ["sort=-name&per_page=1&page=1"]
    assert await listed(world, name="nothing").first() is None


async def test_empty(world):
    assert await listed(world, name="nothing") == []
    assert [page async for page in listed(world, name="nothing").pages()] == []
    assert await world.client.datasets.list("bert") == []
    assert await world.client.releases.list(world.dataset) == []


async def test_list_in_one_piece(world):
    for name in ("v1", "v2"):
        await world.client.releases.create(world.dataset, name)
    world.sandbox.clear_calls()
    releases = world.client.releases.list(world.dataset)

    assert [release.name for release in await releases] == ["v1", "v2"]
    assert [release.name async for release in releases] == ["v1", "v2"]
    assert (await releases.first()).name == "v1"
    assert [(call.path, call.query) for call in world.sandbox.calls] == [
        ("/datasets/sandbox/flowers/releases/", "")
    ] * 3


@pytest.mark.parametrize("lookahead", [1, 3])
async def test_leaving_early(world, lookahead):
    """No task is left, and neither event loop warns."""
    async for sample in listed(world, per_page=2, lookahead=lookahead):
        if sample.name == "s02":
            break
    async for page in listed(world, per_page=2, lookahead=lookahead).pages():
        assert page
        break
    with suppress(LookupError):
        async for _ in listed(world, per_page=2, lookahead=lookahead):
            raise LookupError
    with anyio.move_on_after(0.05):
        async for _ in listed(world, per_page=2, lookahead=lookahead):
            await anyio.sleep(1)

    before = len(world.sandbox.calls)
    await anyio.wait_all_tasks_blocked()
    assert world.client.stats().in_flight == 0
    assert len(world.sandbox.calls) == before


async def test_each_use_starts_from_the_first_page(world):
    samples = listed(world)
    await samples
    await world.client.samples.create(world.dataset, "s99", {"image": {"url": "a.png"}})

    assert len(await samples) == COUNT + 1


async def test_missing_dataset(world):
    """Only a page after the first may be missing; listing a missing dataset is an error in every way of use."""
    samples = world.client.samples.list("sandbox/trees", lookahead=3)

    with pytest.raises(NotFoundError, match="Not found"):
        await samples
    with pytest.raises(NotFoundError):
        await samples.first()
    with pytest.raises(NotFoundError):
        await anext(aiter(samples))


async def test_dataset_that_vanishes(world):
    """A later 404 that does not concern the page is not the end of the list."""
    world.sandbox.fail("GET", "/samples/", skip=1, status=404, json={"detail": "Not found."})

    with pytest.raises(NotFoundError):
        await listed(world, per_page=10)


@pytest.mark.parametrize("lookahead", [1, 3])
async def test_faults(world, lookahead):
    """A page is a call like any other: repeated, and at last an error, bare and not in a group."""
    world.sandbox.fail("GET", "/samples/", status=502)
    world.sandbox.fail("GET", "/samples/", drop="middle")
    assert len(await listed(world, per_page=5, lookahead=lookahead)) == COUNT

    world.sandbox.fail("GET", "/samples/", skip=2, times=None, status=500)
    with pytest.raises(ServerError):
        await listed(world, per_page=5, lookahead=lookahead)
    world.sandbox.clear_faults()

    world.sandbox.fail("GET", "/samples/", times=None, drop="before")
    with pytest.raises(TransportError):
        await listed(world, lookahead=lookahead)


async def test_continuing_after_an_error(world):
    """The iterator still stands before the page that failed."""
    pages = listed(world, per_page=10).pages()
    await anext(pages)
    world.sandbox.fail("GET", "/samples/", status=400)
    with pytest.raises(Exception, match="400"):
        await anext(pages)

    assert [sample.name for sample in await anext(pages)] == NAMES[10:20]


@pytest.mark.parametrize("per_page", [0, -1, 1001, 1.5, "10", True, None])
async def test_invalid_page_size(world, per_page):
    with pytest.raises(InputError) as caught:
        listed(world, per_page=per_page)

    assert caught.value.path == "per_page"


@pytest.mark.parametrize("lookahead", [0, 33, "1"])
async def test_invalid_lookahead(world, lookahead):
    with pytest.raises(InputError) as caught:
        listed(world, lookahead=lookahead)

    assert caught.value.path == "lookahead"


@pytest.mark.parametrize("dataset", ["flowers", "a/../b", "a/", "/b", "a/b/c", "a/..", "", 7, None, "a/ "])
async def test_invalid_dataset(world, dataset):
    """Refused where it is written, not at the first page."""
    with pytest.raises(InputError, match="dataset"):
        world.client.samples.list(dataset)
    with pytest.raises(InputError, match="dataset"):
        world.client.releases.list(dataset)
    assert world.sandbox.calls == ()


@pytest.mark.parametrize("walk", ["lookahead", "prefetch"])
async def test_many_pages(walk):
    """5,000 pages are walked in a loop: they need no deeper stack and no more memory than 500."""
    depths, live = [], []

    async def fetch(page, per_page):
        if page % 500 == 0:
            depths.append(len(inspect.stack(0)))
            live.append(tracemalloc.get_traced_memory()[0])
        return Page([str(page) * 500], per_page) if page < 5_000 else Page([str(page)], 1)

    pages = Pages(fetch, per_page=2, lookahead=4, limit=8)
    count = 0
    tracemalloc.start()
    try:
        async with AsyncExitStack() as stack:
            rows = pages if walk == "lookahead" else await stack.enter_async_context(pages.prefetch(4))
            async for _ in rows:
                count += 1
    finally:
        tracemalloc.stop()

    assert count == 5_000

    assert max(depths) < 100
    assert live[-1] - live[0] < 50_000


async def test_three_hundred_pages(world):
    samples = [{"name": f"t{number:03}", "attributes": {"image": {"url": "a.png"}}} for number in range(300)]
    await world.client.request("POST", "/datasets/sandbox/flowers/samples_bulk/", json=samples)

    assert len([sample async for sample in listed(world, per_page=1, name="t")]) == 300


async def test_large_page_is_read_off_the_event_loop(world, monkeypatch):
    """Decoding many megabytes takes long and must not block other tasks. A small page is decoded in the loop."""
    threads = []

    def noting(value, model):
        threads.append(threading.get_ident())
        return structure(value, model)

    monkeypatch.setattr("segments_async._http.session.structure", noting)
    world.sandbox.fail("GET", "/samples/", status=200, json=[{"uuid": "u", "name": "n" * 600_000}])

    assert len((await listed(world).first()).name) == 600_000
    assert (await listed(world).first()).name == "s00"
    assert threads[0] != threading.get_ident()
    assert threads[1] == threading.get_ident()

    world.sandbox.fail("GET", "/samples/", status=200, json=[{"uuid": "u", "name": "n" * 600_000}, {"uuid": 1}])
    with pytest.raises(DecodeError, match="row 1 of the list"):
        await listed(world)
