"""Lists that change while they are read, lists that the service cuts, and pages that it cannot build."""

from __future__ import annotations

import logging
import string
from urllib.parse import parse_qs

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from segments_async import (
    AsyncSegments,
    BulkError,
    LabelUpdate,
    ListChangedError,
    NotFoundError,
    RequestTimeoutError,
    RetryPolicy,
    SegmentsError,
    ServerError,
)
from segments_async._streams.page import Page
from segments_async._streams.pages import Pages, Tracking
from segments_async._streams.smaller_pages import SmallerPages
from segments_async._wire.changes import SAMPLES, Changes, Write
from segments_async._wire.page_lengths import MIN_LIMIT, LongestPages
from segments_async._wire.routes import CREATE_SAMPLE, DELETE_SAMPLE
from segments_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

FLOWERS, TREES = "sandbox/flowers", "sandbox/trees"
IMAGE = {"image": {"url": "https://example.com/a.png"}}


def items(count, first=0):
    return [{"name": f"{number:04}", "attributes": IMAGE} for number in range(first, first + count)]


@pytest.fixture
def box():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(box, anyio_backend):
    """A client, and 30 samples in each of two datasets."""
    async with AsyncSegments(box.api_key, base_url=box.url, retry=RetryPolicy(attempts=1)) as client:
        for name in (FLOWERS, TREES):
            await client.datasets.create(name.partition("/")[2], task_type="bboxes")
            await client.samples.create_many(name, items(30))
        box.clear_calls()
        yield client


def queries(box):
    found = [parse_qs(call.query) for call in box.calls if call.path.endswith("/samples/")]
    return [(int(query["per_page"][0]), int(query["page"][0])) for query in found]


async def label_all(client, dataset, status="PRELABELED"):
    uuids = await client.samples.uuids(dataset)
    puts = [{"sample_uuid": uuid, "attributes": {"annotations": []}, "label_status": status} for uuid in uuids.values()]
    (await client.labels.put_many(puts, concurrency=1)).raise_if_failed()
    return uuids


# Writes


async def read(pages, use, act):
    """Read a list in one of its forms, and act on every row."""
    count = 0
    if use == "pages":
        async for page in pages.pages():
            for sample in page:
                await act(sample)
                count += 1
    elif use == "prefetch":
        async with pages.prefetch(2) as rows:
            async for sample in rows:
                await act(sample)
                count += 1
    else:
        async for sample in pages:
            await act(sample)
            count += 1
    return count


@pytest.mark.parametrize("use", ["rows", "pages", "prefetch"])
@pytest.mark.parametrize("lookahead", [1, 3])
async def test_deleting_what_is_listed(client, use, lookahead):
    """No row is skipped silently, whatever the form of the list."""

    async def delete(sample):
        await client.samples.delete(sample.uuid)

    pages = client.samples.list(FLOWERS, per_page=10, lookahead=lookahead)
    with pytest.raises(ListChangedError, match=r"rows = await client\.samples\.list") as caught:
        await read(pages, use, delete)
    assert "DELETE /samples/" in str(caught.value) or "one of its samples" in str(caught.value)

    rows = await client.samples.list(FLOWERS, per_page=10)
    for row in rows:
        await delete(row)
    assert await client.samples.list(FLOWERS) == []


async def test_stream_that_is_changed(client):
    async def delete_all():
        async with client.samples.stream(FLOWERS, per_page=10) as samples:
            async for sample in samples:
                await client.samples.delete(sample.uuid)

    with pytest.raises(ListChangedError):
        await delete_all()


async def test_error_stays(client):
    """A list that has changed cannot be resumed."""
    rows = client.samples.list(FLOWERS, per_page=10).pages()
    await anext(rows)
    await client.samples.create(FLOWERS, "new", IMAGE)
    for _ in range(3):
        with pytest.raises(ListChangedError):
            await anext(rows)


async def test_list_that_has_been_read(client):
    """The rows of a single page can be deleted while they are iterated over, also if they are a round number."""
    await client.samples.create_many(FLOWERS, items(20, first=30))
    count = 0
    async for sample in client.samples.list(FLOWERS):
        await client.samples.delete(sample.uuid)
        count += 1
    assert count == 50
    async with client.samples.list(TREES).prefetch() as samples:
        async for sample in samples:
            await client.samples.delete(sample.uuid)
    assert await client.samples.list(TREES) == await client.samples.list(FLOWERS) == []


WRITES = {
    "create": lambda client, _: client.samples.create(FLOWERS, "new", IMAGE),
    "create_many": lambda client, _: client.samples.create_many(FLOWERS, items(2, first=90)),
    "delete": lambda client, uuids: client.samples.delete(uuids["0003"]),
    "delete_many": lambda client, uuids: client.samples.delete_many(FLOWERS, [uuids["0020"]]),
    "rename": lambda client, uuids: client.samples.update(uuids["0020"], name="0000a"),
    "rename many": lambda client, uuids: client.samples.update_many([{"uuid": uuids["0003"], "name": "zzz"}]),
    "put": lambda client, uuids: client.labels.put(uuids["0003"], "ground-truth", {"annotations": []}),
    "update": lambda client, uuids: client.labels.update(uuids["0003"], "ground-truth", label_status="REJECTED"),
    "update_many": lambda client, uuids: client.labels.update_many([LabelUpdate(uuids["0003"], score=0.5)]),
    "delete label": lambda client, uuids: client.labels.delete(uuids["0003"]),
    "metadata": lambda client, uuids: client.samples.update(uuids["0003"], metadata={"city": "Ghent"}),
    "priority": lambda client, uuids: client.samples.update(uuids["0003"], priority=7),
    "request": lambda client, uuids: client.request("DELETE", f"/samples/{uuids['0003']}/"),
    "request many": lambda client, _: client.request("POST", f"/datasets/{FLOWERS}/samples_bulk/", json=items(1, 99)),
}
ALWAYS = {"create", "create_many", "delete", "delete_many", "request", "request many"}
LABELS = {"put", "update", "update_many", "delete label"}
RENAMES = {"rename", "rename many"}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("options", "shifting"),
    [
        ({}, ALWAYS | RENAMES),
        ({"sort": "created_at"}, ALWAYS),
        ({"sort": "priority"}, ALWAYS | {"priority"}),
        ({"sort": "created_at", "name": "0"}, ALWAYS | RENAMES),
        ({"sort": "created_at", "label_status": "PRELABELED"}, ALWAYS | LABELS),
        ({"sort": "created_at", "label_status": "UNLABELED", "labelset": "other"}, ALWAYS),
        ({"sort": "gt_label__updated_at"}, ALWAYS | LABELS),
        ({"sort": "created_at", "metadata": {"city": "London"}}, ALWAYS | {"metadata"}),
    ],
)
async def test_which_writes_end_a_list(client, write, options, shifting):
    """Those that can shift it, by any client of the pool; the same calls in another dataset do not."""
    uuids = await label_all(client, FLOWERS)
    await client.labelsets.create(FLOWERS, "other")
    metadata = {"city": "London"}
    changes = [{"uuid": uuid, "metadata": metadata, "priority": n} for n, uuid in enumerate(uuids.values())]
    await client.samples.update_many(changes)
    other = client.with_options(timeout=10)

    async def use(dataset):
        pages = client.samples.list(dataset, per_page=10, **options).pages()
        await anext(pages)
        await WRITES[write](other, uuids)
        return sum([len(page) async for page in pages])

    if write in shifting:
        with pytest.raises(ListChangedError):
            await use(FLOWERS)
    else:
        assert await use(FLOWERS) == 20


@pytest.mark.parametrize("write", WRITES)
async def test_writes_elsewhere(client, write):
    """A list of one dataset can drive changes of another one."""
    uuids = await label_all(client, FLOWERS)
    await label_all(client, TREES)
    for options in ({}, {"label_status": "PRELABELED"}):
        pages = client.samples.list(TREES, per_page=10, **options).pages()
        await anext(pages)
        if options and write == "request":
            uuids["0003"] = uuids["0004"]
        if write not in {"create", "delete", "delete label"} or not options:
            await WRITES[write](client, uuids)
        assert sum([len(page) async for page in pages]) == 20


async def test_write_in_flight(client, box):
    """A write that was sent before the list started, and is answered while it is read, counts."""
    box.fail("DELETE", "/samples/*", status=None, delay=0.3)
    uuids = await client.samples.uuids(FLOWERS)
    changed = False
    async with anyio.create_task_group() as group:
        group.start_soon(client.samples.delete, uuids["0003"])
        await anyio.wait_all_tasks_blocked()
        pages = client.samples.list(FLOWERS, per_page=10).pages()
        assert len(await anext(pages)) == 10
        try:
            await anext(pages)
        except ListChangedError:
            changed = True
    assert changed


async def test_datasets(client):
    for name in ("a", "b", "c"):
        await client.datasets.create(name)
    pages = client.datasets.list(per_page=2).pages()
    await anext(pages)
    await client.samples.create(FLOWERS, "new", IMAGE)
    await client.datasets.update(FLOWERS, description="Roses.")
    assert len(await anext(pages)) == 2
    await client.datasets.delete("sandbox/a")
    with pytest.raises(ListChangedError, match=r"rows = await client\.datasets\.list"):
        await anext(pages)

    for write in (
        lambda: client.datasets.create("d"),
        lambda: client.datasets.clone(FLOWERS),
        lambda: client.datasets.update("sandbox/d", name="e"),
    ):
        pages = client.datasets.list(per_page=2).pages()
        await anext(pages)
        await write()
        with pytest.raises(ListChangedError):
            await anext(pages)


async def test_list_as_the_input_of_a_bulk_call(client):
    """It is read to its end first."""
    await label_all(client, FLOWERS)
    targets = []

    async def doomed(dataset):
        async for sample in client.samples.list(dataset, per_page=10):
            yield sample.uuid

    with pytest.raises(BulkError) as caught:
        await client.samples.delete_many(TREES, doomed(TREES), batch_size=5, concurrency=1)
    assert isinstance(caught.value.__cause__, ListChangedError)

    async def changes():
        async for sample in client.samples.list(FLOWERS, label_status="PRELABELED", per_page=10):
            targets.append(sample)
            yield LabelUpdate(sample.uuid, label_status="REVIEWED")

    with pytest.raises(BulkError) as caught:
        await client.labels.update_many(changes())
    assert isinstance(caught.value.__cause__, ListChangedError)

    await client.datasets.create("copies", task_type="bboxes")
    for _ in range(2):  # the second run finds the samples that it lists
        report = await client.samples.create_many("sandbox/copies", client.samples.list(FLOWERS, per_page=10))
        assert (report.total, report.succeeded, report.exhausted) == (30, 30, True)
    report = await client.samples.create_many(FLOWERS, client.samples.list(FLOWERS, per_page=10), batch_size=3)
    assert report.succeeded == 30


async def test_list_that_cannot_be_read_as_input(client, box):
    """Its error is raised."""
    box.fail("GET", "/samples/", skip=1, times=None, status=400)
    with pytest.raises(SegmentsError, match="400"):
        await client.samples.create_many(TREES, client.samples.list(FLOWERS, per_page=10))


@pytest.mark.parametrize("burst", [1, 9, 10, 11, 25])
@pytest.mark.parametrize("use", ["rows", "pages", "prefetch"])
async def test_rows_that_others_insert(client, box, burst, use):
    """No row comes twice."""
    names = []
    async with AsyncSegments(box.api_key, base_url=box.url) as stranger:

        async def act(sample):
            names.append(sample.name)
            if len(names) == 1:
                new = [{"name": f"0000{letter}", "attributes": IMAGE} for letter in string.ascii_lowercase[:burst]]
                await stranger.samples.create_many(FLOWERS, new)

        await read(client.samples.list(FLOWERS, per_page=10), use, act)
    assert sorted(set(names)) == sorted(names)
    assert {item["name"] for item in items(30)} <= set(names)


class Service:
    """Rows in the service's order, of which pages are cut; own writes are reported like those of the client."""

    def __init__(self, count, cap=1000):
        self.rows = [str(number) for number in range(count)]
        self.cap = cap
        self.changes = Changes()
        self.longest_pages = LongestPages()

    async def fetch(self, number, per_page):
        size = min(per_page, self.cap)
        await anyio.lowlevel.checkpoint()
        rows = self.rows[(number - 1) * size : number * size]
        may_be_cut = self.longest_pages.may_be_cut("rows", len(rows), per_page)
        return Page(rows, len(rows), may_be_cut=may_be_cut) if rows or number == 1 else None

    async def write(self, write, apply):
        self.changes.begin(write)
        await anyio.lowlevel.checkpoint()
        apply()
        await anyio.lowlevel.checkpoint()
        self.changes.end(write)

    def pages(self, **options):
        tracking = Tracking(str, lambda: self.changes.watch("a/b", [SAMPLES]), "list()")
        return Pages(self.fetch, limit=6, tracking=tracking, **options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 30),
    per_page=st.integers(1, 8),
    ahead=st.integers(0, 4),
    lookahead=st.integers(1, 3),
    writes=st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 40)), max_size=4),
    together=st.booleans(),
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_any_order_of_own_writes(  # noqa: C901 (a list, its reader and its writers)
    backend, count, per_page, ahead, lookahead, writes, together
):
    """Every row that is there from start to end comes once, or the list ends with the error."""
    service = Service(count)
    untouched = set(service.rows)

    async def write(where, deletes):
        if deletes:
            if not service.rows:
                return
            row = service.rows[where % len(service.rows)]
            untouched.discard(row)
            await service.write(
                Write(DELETE_SAMPLE, {"uuid": row}, dict), lambda: row in service.rows and service.rows.remove(row)
            )
        else:
            await service.write(
                Write(CREATE_SAMPLE, {"dataset": "a/b"}, dict), lambda: service.rows.insert(where, f"new {where}")
            )

    async def consume(rows, group):
        found = []
        async for row in rows:
            found.append(row)
            for at, deletes, where in writes:
                if at == len(found):
                    if together:
                        group.start_soon(write, where, deletes)
                    else:
                        await write(where, deletes)
        return found

    async def walk():
        async with anyio.create_task_group() as group:
            if together and writes:
                group.start_soon(write, writes[0][2], writes[0][1])
            pages = service.pages(per_page=per_page, lookahead=lookahead)
            try:
                if not ahead:
                    return await consume(pages, group)
                async with pages.prefetch(ahead) as rows:
                    return await consume(rows, group)
            except ListChangedError:
                return None

    found = anyio.run(walk, backend=backend)
    if found is not None:
        assert len(set(found)) == len(found)
        assert untouched <= set(found)


# Pages that the service cuts


@given(
    count=st.integers(0, 620),
    per_page=st.integers(1, 1000),
    cap=st.sampled_from([50, 100, 250, 500]) | st.integers(MIN_LIMIT, 1000),
    ahead=st.integers(0, 4),
    lookahead=st.integers(1, 3),
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_any_page_cap(backend, count, per_page, cap, ahead, lookahead):
    """A service that sends at most *cap* rows per page gives the whole list."""
    service = Service(count, cap)

    async def walk():
        pages = service.pages(per_page=per_page, lookahead=lookahead)
        if not ahead:
            return await pages
        async with pages.prefetch(ahead) as rows:
            return [row async for row in rows]

    assert anyio.run(walk, backend=backend) == service.rows


@pytest.mark.parametrize("cap", range(MIN_LIMIT, 301))
def test_every_page_cap(cap):
    """Also just below and above a multiple of it, and in a list that is as long as an earlier one."""

    async def walk():
        service = Service(2 * cap + 1, cap)
        for count in (cap - 1, cap, cap, cap + 1, 2 * cap, 2 * cap + 1, cap):
            service.rows = [str(number) for number in range(count)]
            assert await service.pages(per_page=1000) == service.rows

    anyio.run(walk)


@pytest.mark.parametrize("cap", [10, 25, 33, 64, 99])
async def test_caps_of_a_real_service(client, box, cap):
    """Lists of all kinds, however odd the limit."""
    await client.samples.create_many(FLOWERS, items(71, first=30))
    for number in range(cap):
        await client.datasets.create(f"more-{number}")
    box.max_per_page = cap
    assert len(await client.samples.list(FLOWERS)) == 101
    assert len([sample async for sample in client.samples.list(FLOWERS, labelset="ground-truth")]) == 101
    async with client.samples.stream(FLOWERS) as samples:
        assert len([sample async for sample in samples]) == 101
    assert len(await client.datasets.list()) == len(box.datasets())


@pytest.mark.parametrize("lookahead", [1, 3])
async def test_capped_service(client, box, lookahead):
    """250 samples in pages of 100 at most: the size that came is asked for from then on."""
    await client.samples.create_many(FLOWERS, items(220, first=30))
    box.clear_calls()
    box.max_per_page = 100
    assert len(await client.samples.list(FLOWERS, lookahead=lookahead)) == 250
    if lookahead == 1:
        assert queries(box) == [(1000, 1), (100, 2), (100, 3)]
    assert len([sample async for sample in client.samples.list(FLOWERS, lookahead=lookahead)]) == 250
    async with client.samples.stream(FLOWERS, per_page=250) as samples:
        assert len([sample async for sample in samples]) == 250
    assert (await client.samples.list(FLOWERS).first()).name == "0000"


async def test_what_a_short_first_page_costs(client, box):
    """One more request, unless a longer page came before, and always if the length is a round number."""
    await client.samples.create_many(FLOWERS, items(21, first=30))
    await client.samples.create_many(TREES, items(20, first=30))
    for dataset, per_page, sent in [
        (TREES, 40, [(40, 1), (40, 2)]),
        (TREES, 1000, [(1000, 1), (50, 2)]),
        (FLOWERS, 1000, [(1000, 1), (51, 2)]),
        (FLOWERS, 1000, [(1000, 1), (51, 2)]),
        (TREES, 1000, [(1000, 1), (50, 2)]),
    ]:
        box.clear_calls()
        await client.samples.list(dataset, per_page=per_page)
        assert queries(box) == sent
    box.clear_calls()
    assert len(await client.samples.list(TREES, name="1")) == 14
    assert len(await client.samples.list(FLOWERS, name="1")) == 14
    assert queries(box) == [(1000, 1), (14, 2), (1000, 1), (14, 2)]
    box.clear_calls()
    assert len(await client.samples.list(TREES, name="0")) == 50
    assert len(await client.samples.list(TREES, name="1")) == 14
    assert queries(box) == [(1000, 1), (50, 2), (1000, 1)]


async def test_service_that_sends_more_than_requested():
    service = Service(70)
    sizes = []

    async def fetch(number, per_page):
        sizes.append(per_page)
        return await service.fetch(number, 30)

    assert await Pages(fetch, per_page=10) == service.rows
    assert sizes == [10, 30, 30]


async def test_round_number_from_a_service_that_ignores_pages():
    async def fetch(number, per_page):
        return Page([str(number) for number in range(50)], 50, may_be_cut=True)

    assert len(await Pages(fetch, per_page=100)) == 50


async def test_failure_of_the_second_page_loses_no_row():
    """The first page is returned once the second one has been fetched."""
    service = Service(80, cap=50)
    failures = [ValueError()]

    async def fetch(number, per_page):
        if number == 2 and failures:
            raise failures.pop()
        return await service.fetch(number, per_page)

    rows = aiter(Pages(fetch, per_page=100))
    with pytest.raises(ValueError):
        await anext(rows)
    assert [row async for row in rows] == service.rows


# Heavy pages


def heavy(service, most, error, sizes):
    """Fetch pages of a service that fails to build those of more than *most* rows."""

    async def fetch(number, per_page):
        sizes.append((number, per_page))
        if per_page > most:
            raise error
        return await service.fetch(number, per_page)

    return fetch


ERRORS = [ServerError(502, "GET", "u"), ServerError(504, "GET", "u"), RequestTimeoutError("late", sent=True)]


@given(
    count=st.integers(0, 300),
    per_page=st.integers(1, 400),
    most=st.integers(20, 400),
    cap=st.sampled_from([50, 100, 1000]),
    ahead=st.integers(0, 4),
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_any_weight_of_pages(backend, count, per_page, most, cap, ahead):
    """Whichever size the service fails at: all rows, once, in order."""
    service = Service(count, cap)
    fetch = SmallerPages(heavy(service, most, ERRORS[0], []), "samples").fetch

    async def walk():
        pages = Pages(fetch, per_page=per_page, limit=6)
        if not ahead:
            return await pages
        async with pages.prefetch(ahead) as rows:
            return [row async for row in rows]

    assert anyio.run(walk, backend=backend) == service.rows


@pytest.mark.parametrize("error", ERRORS)
async def test_halving(error, caplog):
    """At the same row, and the log says so."""
    sizes = []
    fetch = SmallerPages(heavy(Service(130), 25, error, sizes), "samples").fetch
    with caplog.at_level(logging.WARNING, "segments_async"):
        assert len(await Pages(fetch, per_page=100)) == 130
    assert sizes == [(1, 100), (1, 50), (1, 25), (2, 25), (3, 25), (4, 25), (5, 25), (6, 25)]
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "reading 50 samples per page from now on",
        "reading 25 samples per page from now on",
    ]


async def test_giving_up():
    """Not below 10; other errors are raised at once."""
    for error, calls in [(ERRORS[0], 4), (ServerError(500, "GET", "u"), 1), (ServerError(503, "GET", "u"), 1)]:
        sizes = []
        with pytest.raises(ServerError):
            await Pages(SmallerPages(heavy(Service(90), 5, error, sizes), "samples").fetch, per_page=100)
        assert len(sizes) == calls
    unsent = RequestTimeoutError("no connection was made in time", sent=False)
    with pytest.raises(RequestTimeoutError):
        await Pages(SmallerPages(heavy(Service(90), 5, unsent, []), "samples").fetch, per_page=100)


@pytest.mark.parametrize("form", ["list", "stream"])
async def test_heavy_pages_of_samples(client, box, form):
    """The second page is read in halves."""
    box.fail("GET", "/samples/", skip=1, status=504)
    pages = client.samples.list(FLOWERS, per_page=20)
    if form == "list":
        assert len(await pages) == 30
    else:
        async with client.samples.stream(FLOWERS, per_page=20, prefetch=1) as samples:
            assert len([sample async for sample in samples]) == 30
    assert queries(box) == [(20, 1), (20, 2), (10, 3), (10, 4)]


async def test_skipped_rows_of_heavy_pages(client, box):
    """Their numbers count in the whole list, also where a half is not aligned with its page."""
    rows = await client.request("GET", f"/datasets/{FLOWERS}/samples/", params={"per_page": 1000})
    rows[21]["uuid"] = 7
    box.clear_calls()
    sizes = []

    async def fetch(number, per_page):
        sizes.append((number, per_page))
        if per_page > 12:
            raise ERRORS[0]
        part = rows[(number - 1) * per_page : number * per_page]
        box.fail("GET", "/samples/", status=200, json=part)
        return await client.samples.list(FLOWERS, on_error="skip")._fetch(number, per_page)

    pages = Pages(SmallerPages(fetch, "samples").fetch, per_page=25)
    assert [sample.name for sample in await pages] == [row["name"] for row in rows if row["uuid"] != 7]
    assert [error.row for error in pages.skipped] == [21]


# An unknown labelset


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "json": [{"uuid": "u", "name": "n", "label": None}]},
        {"status": 200, "json": [{"uuid": "u", "name": "n"}]},
        {"status": 200, "json": []},
        {"status": 400, "json": {"labelset": ["Unknown."]}},
        {"status": 404, "json": {"detail": "Not found."}},
        {"status": 500},
    ],
)
async def test_typo_in_labelset(client, box, answer):
    """A NotFoundError in every form, whatever the service answers."""
    box.fail("GET", "/samples/", times=None, **answer)
    words = "there is no labelset 'ground-thruth' in sandbox/flowers"
    pages = client.samples.list(FLOWERS, labelset="ground-thruth")
    with pytest.raises(NotFoundError, match=words):
        await pages
    with pytest.raises(NotFoundError, match=words):
        await anext(aiter(pages))
    with pytest.raises(NotFoundError, match=words):
        await anext(pages.pages())
    with pytest.raises(NotFoundError, match=words):
        await pages.first()
    for block in (pages.prefetch(), client.samples.stream(FLOWERS, labelset="ground-thruth")):
        async with block as rows:
            with pytest.raises(NotFoundError, match=words):
                await anext(rows)


async def test_cost_of_the_check(client, box):
    """One more request, only where no row has a label."""
    pages = client.samples.list(FLOWERS, labelset="ground-truth", per_page=20)
    assert len(await pages) == 30
    assert [call.path for call in box.calls].count("/datasets/sandbox/flowers/labelsets/ground-truth/") == 1
    uuids = await client.samples.uuids(FLOWERS)
    await client.labels.put(uuids["0000"], "ground-truth", {"annotations": []})
    box.clear_calls()
    assert len(await pages) == 30
    async with client.samples.stream(FLOWERS) as samples:
        assert len([sample async for sample in samples]) == 30
    assert not [call for call in box.calls if "labelsets" in call.path]
