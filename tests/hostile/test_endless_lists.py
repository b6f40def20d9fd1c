"""A list whose server ignores `page` ends with an error that says so."""

from __future__ import annotations

import pytest
from raw_server import RawServer, answer
from wires import WIRES, within

from segments_async import BulkError, SegmentsError

pytestmark = pytest.mark.anyio

DATASET = "jane/flowers"
UUID = "602a3eec-a61c-4a77-9fcc-3037ce5e9606"
LISTS = {
    "samples": (lambda client: client.samples.list(DATASET, per_page=2), {"uuid": UUID, "name": "n"}),
    "datasets": (lambda client: client.datasets.list("jane", per_page=2), {"name": "n"}),
    "workunits": (lambda client: client.workunits.list(DATASET, per_page=2), {"uuid": UUID}),
}
MAX_ROWS = 100


def rows_of(name, first=0):
    row = LISTS[name][1]
    number = "uuid" if "uuid" in row else "name"
    return [{**row, number: row[number][:-1] + str(first + at)} for at in range(2)]


def ignore_page(name):
    return RawServer(lambda peer, _: peer.send(answer(rows_of(name))))


async def whole(pages):
    await pages


async def row_by_row(pages):
    taken = 0
    async for _ in pages:
        taken += 1
        assert taken < MAX_ROWS


async def page_by_page(pages):
    taken = 0
    async for page in pages.pages():
        taken += len(page)
        assert taken < MAX_ROWS


async def ahead(pages):
    taken = 0
    async with pages.prefetch(3) as rows:
        async for _ in rows:
            taken += 1
            assert taken < MAX_ROWS


@WIRES
@pytest.mark.parametrize("use", [whole, row_by_row, page_by_page, ahead], ids=lambda use: use.__name__)
@pytest.mark.parametrize("name", LISTS)
async def test_page_is_ignored(connect, name, use):
    """Every list, however it is read, stops at the page that it has had already."""
    with ignore_page(name) as api, within(3):
        async with connect(api.url) as client:
            with pytest.raises(SegmentsError, match="page"):
                await use(LISTS[name][0](client))

    assert len(api.requests) <= 6


@WIRES
async def test_lookahead(connect):
    """Also if several pages are asked for at once."""
    with ignore_page("samples") as api, within(3):
        async with connect(api.url) as client:
            with pytest.raises(SegmentsError, match="page"):
                await client.samples.list(DATASET, per_page=2, lookahead=4)


@WIRES
async def test_bulk_run_over_a_list(connect):
    """A run that takes its items from such a list ends too."""

    def script(peer, request):
        peer.send(answer(rows_of("samples")) if request.method == "GET" else answer(b"", 204))

    with RawServer(script) as api, within(4):
        async with connect(api.url) as client:
            samples = client.samples.list(DATASET, per_page=2)
            with pytest.raises(BulkError) as caught:
                await client.samples.delete_many(DATASET, samples, check_duplicates=False)

    assert "page" in str(caught.value.__cause__)
    assert caught.value.report.total <= 6


@WIRES
@pytest.mark.parametrize("name", LISTS)
async def test_pages_that_differ(connect, name):
    """A long list whose pages differ is read to its end."""

    def script(peer, request):
        number = int(request.target.partition("page=")[2].rpartition("page=")[2].partition("&")[0])
        peer.send(answer(rows_of(name, number * 2) if number <= 3 else []))

    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            assert len(await LISTS[name][0](client)) == 6
