"""Pages that are fetched in the background, rows that cannot be decoded, and samples with full labels."""

from __future__ import annotations

import gc
from urllib.parse import parse_qs

import anyio.lowlevel
import pytest
from hypothesis import given, strategies as st
from waiting import LIMIT, settle

from segments_async import (
    ClientStateError,
    DecodeError,
    InputError,
    Label,
    NotFoundError,
    ServerError,
    TransportError,
    ValidationError,
)
from segments_async._streams.page import Page
from segments_async._streams.pages import Pages

pytestmark = pytest.mark.anyio

BOX = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}]}
NAMES = [f"s{number:02}" for number in range(25)]


@pytest.fixture
async def world(world):
    """25 samples, ``s00`` to ``s24``; those with an even number are labelled."""
    await world.client.samples.delete(world.uuid)
    samples = [{"name": name, "attributes": {"image": {"url": "a.png"}}} for name in NAMES]
    created = await world.client.request("POST", "/datasets/sandbox/flowers/samples_bulk/", json=samples)
    for sample in created[::2]:
        await world.client.labels.put(sample["uuid"], "ground-truth", BOX)
    world.sandbox.clear_calls()
    return world


def prefetched(world, pages=4, **options):
    return world.client.samples.list(world.dataset, **{"per_page": 4, **options}).prefetch(pages)


def asked(world):
    """The pages that were asked for."""
    return [int(parse_qs(call.query)["page"][0]) for call in world.sandbox.calls if call.path.endswith("/samples/")]


async def names_of(block):
    async with block as rows:
        return [sample.name async for sample in rows]


async def gather(rows, names):
    """Note the names that come before an error."""
    async for sample in rows:
        names.append(sample.name)


@pytest.mark.parametrize("pages", [1, 3, 32])
@pytest.mark.parametrize("per_page", [1, 4, 5, 25, 26])
async def test_order(world, per_page, pages):
    """All rows in order, whether or not the last page is full, and as whole pages too."""
    assert await names_of(prefetched(world, pages, per_page=per_page)) == NAMES
    async with prefetched(world, pages, per_page=per_page) as rows:
        chunks = [[sample.name for sample in page] async for page in rows.pages()]
    assert chunks == [NAMES[start : start + per_page] for start in range(0, 25, per_page)]


async def test_order_when_early_pages_are_late(world):
    """Rows are returned in order, though later pages arrive first."""
    for _ in range(3):
        world.sandbox.fail("GET", "/samples/", status=None, delay=0.05, skip=0)
    assert await names_of(prefetched(world)) == NAMES


async def test_other_lists(world):
    """Every list can be fetched ahead, also one in one piece, and an empty one."""
    for name in ("v1", "v2"):
        await world.client.releases.create(world.dataset, name)
    assert await names_of(world.client.releases.list(world.dataset).prefetch(3)) == ["v1", "v2"]
    assert await names_of(world.client.datasets.list().prefetch()) == ["flowers"]
    assert await names_of(prefetched(world, name="nothing")) == []


async def test_window(world):
    """No more pages than the limit are fetched ahead; the next is requested when one is taken."""
    async with prefetched(world, 2) as rows:
        walk = rows.pages()
        for pages in ([1, 2], [1, 2, 3]):
            await settle(world.client)
            assert sorted(asked(world)) == pages
            await anext(walk)


async def test_fetches_while_the_consumer_works():
    """While the consumer works on the first page, the next ones are fetched."""
    came = anyio.Event()

    async def fetch(number, per_page):
        if number == 4:
            came.set()
        return Page([number], 1)

    async with Pages(fetch, per_page=1, limit=3).prefetch(3) as rows:
        assert await anext(rows) == 1
        with anyio.fail_after(LIMIT):
            await came.wait()


async def test_leaving_early(world):
    """Requests in flight are cancelled, whether the block ends, raises, or is cancelled; neither event loop warns."""
    world.sandbox.latency = 0.02
    async with prefetched(world) as rows:
        async for sample in rows:
            if sample.name == "s02":
                break
    async with prefetched(world):
        pass
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012
        async with prefetched(world) as rows:
            await anext(rows)
            raise LookupError("mine")
    with anyio.move_on_after(0.05) as scope:
        async with prefetched(world) as rows:
            async for _ in rows:
                await anyio.sleep_forever()
    assert scope.cancelled_caught

    before = world.client.stats()
    await anyio.wait_all_tasks_blocked()
    gc.collect()
    assert world.client.stats().requests == before.requests
    assert before.in_flight == 0
    assert await names_of(prefetched(world)) == NAMES


async def test_cancelled_step_loses_nothing(world):
    """A cancelled step can be repeated."""
    world.sandbox.latency = 0.03
    names = []
    async with prefetched(world, 2) as rows:
        while len(names) < 25:
            with anyio.move_on_after(0.01):
                names.append((await anext(rows)).name)
    assert names == NAMES


async def test_errors_come_in_order(world):
    """The error of a page is raised unchanged, after the rows before it; continuing requests the page again."""
    world.sandbox.fail("GET", "/samples/", status=400, skip=2)
    names = []
    async with prefetched(world, 1) as rows:
        with pytest.raises(ValidationError, match="400 Bad Request"):
            await gather(rows, names)
        assert names == NAMES[:8]
        assert [sample.name async for sample in rows] == NAMES[8:]


async def test_faults(world):
    """A page is a call like any other: it is repeated, and its final error is raised without an exception group."""
    world.sandbox.fail("GET", "/samples/", status=502)
    world.sandbox.fail("GET", "/samples/", drop="middle")
    assert await names_of(prefetched(world)) == NAMES

    world.sandbox.fail("GET", "/samples/", skip=2, times=None, status=500)
    with pytest.raises(ServerError):
        await names_of(prefetched(world))
    world.sandbox.clear_faults()

    world.sandbox.fail("GET", "/samples/", times=None, drop="before")
    with pytest.raises(TransportError):
        await names_of(prefetched(world))


async def test_no_page_is_asked_for_once_the_end_is_known():
    """Pages beyond the end were requested before it was known."""
    numbers = []

    async def fetch(number, per_page):
        numbers.append(number)
        return Page([number], 1) if number < 3 else Page([], 0)

    async with Pages(fetch, per_page=1, limit=4).prefetch(4) as rows:
        await anyio.wait_all_tasks_blocked()
        assert [row async for row in rows] == [1, 2]
        await anyio.wait_all_tasks_blocked()
    assert sorted(numbers) == [1, 2, 3, 4]


async def test_page_beyond_the_end():
    """A page after the last may fail, or never come, without harm."""

    async def fetch(number, per_page):
        if number == 2:
            raise LookupError
        if number > 2:
            await anyio.sleep_forever()
        return Page(["a"], 1)

    async with Pages(fetch, per_page=2, limit=4).prefetch(4) as rows:
        assert [row async for row in rows] == ["a"]


async def test_missing_dataset(world):
    with pytest.raises(NotFoundError, match="Not found"):
        await names_of(world.client.samples.list("sandbox/trees").prefetch(3))


@pytest.mark.parametrize("pages", [0, -1, 33, 1.5, "4", True, None])
async def test_invalid_number_of_pages(world, pages):
    with pytest.raises(InputError, match="prefetch: expected a whole number from 1 to 32"):
        prefetched(world, pages)


async def test_use_outside_of_the_block(world):
    """One clear sentence, instead of a wait without end."""
    block = prefetched(world)
    with pytest.raises(ClientStateError, match="inside its 'async with'"):
        await anext(block)
    async with block:
        pass
    with pytest.raises(ClientStateError, match="inside its 'async with'"):
        await anext(block)
    with pytest.raises(ClientStateError, match="entered before"):
        async with block:
            pass


@pytest.mark.parametrize("way", ["rows", "prefetch", "pages"])
async def test_several_consumers(world, way):
    """Tasks that share an iterator share its rows: none is lost, none comes twice."""
    names = []

    async def work(rows):
        async for row in rows:
            names.extend(sample.name for sample in (row if way == "pages" else [row]))
            await anyio.lowlevel.checkpoint()

    samples = world.client.samples.list(world.dataset, per_page=2, lookahead=3)
    async with samples.prefetch(3) as block, anyio.create_task_group() as group:
        shared = {"rows": aiter(samples), "prefetch": block, "pages": samples.pages()}[way]
        for _ in range(4):
            group.start_soon(work, shared)
    assert sorted(names) == NAMES


# Rows that do not decode


async def spoil(world, *rows):
    """Let the next walk over pages of 4 find a number in these rows where text should be."""
    samples = await world.client.request("GET", "/datasets/sandbox/flowers/samples/")
    for row in rows:
        samples[row]["uuid"] = 7
    for start in range(0, 25, 4):
        world.sandbox.fail("GET", "/samples/", status=200, json=samples[start : start + 4])


async def test_row_that_does_not_decode(world):
    """The error names the row, in its page and in the list, and the call."""
    await spoil(world, 9, 11)
    pages = world.client.samples.list(world.dataset, per_page=4)
    names = []
    with pytest.raises(DecodeError) as caught:
        await gather(pages, names)

    error = caught.value
    assert names == NAMES[:8]
    assert (error.page, error.row, error.path) == (3, 9, "[1].uuid")
    assert error.payload["name"] == "s09"
    assert (error.status, error.method) == (200, "GET")
    assert "page=3: [1].uuid (row 9 of the list, on page 3): expected a string, got int" in str(error)
    assert error.request_id in str(error)
    assert pages.skipped == []


@pytest.mark.parametrize("rows", [[0], [2, 10], [4, 5, 6, 7], [24]])
async def test_skipping(world, rows):
    """The rest continues, and the report names each row; a page with skipped rows is not taken for the last one."""
    await spoil(world, *rows)
    pages = world.client.samples.list(world.dataset, per_page=4, on_error="skip")

    assert [sample.name for sample in await pages] == [name for row, name in enumerate(NAMES) if row not in rows]
    assert [(error.row, error.page) for error in pages.skipped] == [(row, row // 4 + 1) for row in rows]
    assert [error.payload["name"] for error in pages.skipped] == [NAMES[row] for row in rows]
    assert len(await pages) == 25
    assert pages.skipped == []


async def test_skipping_in_the_background(world):
    """The report is in the list's order, and counts only what was reached."""
    world.sandbox.fail("GET", "/samples/", skip=1, status=200, json=[{"uuid": 1}, {"uuid": 2}, {}, "no sample"])
    pages = world.client.samples.list(world.dataset, per_page=4, on_error="skip")
    async with pages.prefetch(1) as rows:
        walk = rows.pages()
        await anext(walk)
        assert rows.skipped == []
        await anext(walk)
        assert [error.row for error in rows.skipped] == [4, 5, 6, 7]
        assert pages.skipped is rows.skipped


async def test_first_of_what_decodes(world):
    world.sandbox.fail("GET", "/samples/", status=200, json=[{"uuid": 1}])
    pages = world.client.samples.list(world.dataset, on_error="skip")

    assert (await pages.first()).name == "s01"
    assert [error.row for error in pages.skipped] == [0]


async def test_answer_that_is_not_a_list(world):
    """Nothing can be skipped where there are no rows."""
    for answer in ({"detail": "?"}, "<html>"):
        world.sandbox.fail("GET", "/samples/", status=200, json=answer)
        with pytest.raises(DecodeError, match="expected a list") as caught:
            await world.client.samples.list(world.dataset, on_error="skip")
        assert caught.value.row is None


async def test_list_in_one_piece_names_its_row(world):
    world.sandbox.fail("GET", "/releases/", status=200, json=[{"name": "v1"}, {"name": None}])
    with pytest.raises(DecodeError, match=r"\[1\].name \(row 1 of the list, on page 1\)"):
        await world.client.releases.list(world.dataset)


@pytest.mark.parametrize("on_error", ["ignore", None, True, []])
async def test_invalid_policy(world, on_error):
    with pytest.raises(InputError, match="on_error: expected 'raise' or 'skip'"):
        world.client.samples.list(world.dataset, on_error=on_error)


# Samples with whole labels


async def test_stream(world):
    """Every sample with its whole label, or None."""
    async with world.client.samples.stream(world.dataset, per_page=4) as samples:
        found = {sample.name: sample.label async for sample in samples}

    assert list(found) == NAMES
    assert all(isinstance(found[name], Label) for name in NAMES[::2])
    assert found["s04"].attributes.annotations[0].type == "bbox"
    assert all(found[name] is None for name in NAMES[1::2])
    queries = [call.query for call in world.sandbox.calls if call.path.endswith("/samples/")]
    assert all("labelset=ground-truth&include_full_label=1" in query for query in queries)


async def test_stream_with_filters(world):
    async with world.client.samples.stream(
        world.dataset, name="s0", label_status="PRELABELED", direction="desc", prefetch=2
    ) as samples:
        assert [sample.name async for sample in samples] == ["s08", "s06", "s04", "s02", "s00"]


async def test_stream_from_a_service_that_gives_summaries(world):
    """Labels that came as summaries are fetched one by one; one that has been deleted is None."""
    listed = await world.client.samples.list(world.dataset, labelset="ground-truth", per_page=4)
    rows = [{"uuid": row.uuid, "name": row.name, "label": {"label_status": "PRELABELED"}} for row in listed[:4]]
    world.sandbox.fail("GET", "/samples/", status=200, json=rows)
    async with world.client.samples.stream(world.dataset, prefetch=1) as samples:
        labels = [sample.label async for sample in samples]
    assert [type(label) for label in labels] == [Label, type(None), Label, type(None)]

    world.sandbox.fail("GET", "/samples/", status=200, json=rows)
    world.sandbox.fail("GET", "/labels/*", times=None, status=500)
    with pytest.raises(ServerError):
        await names_of(world.client.samples.stream(world.dataset, prefetch=1))


async def test_labelset_that_is_not_there(world):
    """The error names the labelset, and not the dataset, which is there."""
    words = "there is no labelset 'predictions' in sandbox/flowers"
    with pytest.raises(NotFoundError, match=words):
        await world.client.samples.list(world.dataset, labelset="predictions")
    with pytest.raises(NotFoundError, match=words):
        await names_of(world.client.samples.stream(world.dataset, labelset="predictions"))
    with pytest.raises(NotFoundError, match="datasets/sandbox/trees/: Not found"):
        await names_of(world.client.samples.stream("sandbox/trees"))


@pytest.mark.parametrize("labelset", ["", None, 7, ".."])
async def test_invalid_labelset(world, labelset):
    with pytest.raises(InputError, match="labelset"):
        world.client.samples.stream(world.dataset, labelset=labelset)


async def test_cancelled_fetches_end_before_the_block_does():
    """No task outlives its block."""
    ended = []

    async def fetch(number, per_page):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(number)
        return Page([], 0)

    async with Pages(fetch, per_page=1, limit=3).prefetch(3):
        await anyio.wait_all_tasks_blocked()
    assert sorted(ended) == [1, 2, 3]


@given(
    total=st.integers(0, 30),
    per_page=st.integers(1, 7),
    pages=st.integers(1, 6),
    pauses=st.lists(st.integers(0, 5), min_size=1),
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_whatever_comes_first(backend, total, per_page, pages, pauses):
    """However long each page and each row takes: all rows, once, in order."""

    async def pause(number):
        for _ in range(pauses[number % len(pauses)]):
            await anyio.lowlevel.checkpoint()

    async def fetch(number, size):
        await pause(number)
        rows = list(range(total))[(number - 1) * size : number * size]
        return Page(rows, len(rows)) if rows or number == 1 else None

    async def walk():
        found = []
        async with Pages(fetch, per_page=per_page, limit=6).prefetch(pages) as rows:
            async for row in rows:
                found.append(row)
                await pause(row)
        return found

    assert anyio.run(walk, backend=backend) == list(range(total))
