"""What an answer means: no success without a result, the right class for each refusal, nothing odd in messages."""

from __future__ import annotations

import gzip

import pytest
from raw_server import RawServer, answer, head
from wires import ONCE, WIRES, within

from segments_async import (
    AlreadyExistsError,
    ApiError,
    AuthenticationError,
    AuthorizationError,
    DecodeError,
    LabelPut,
    NotFoundError,
    RateLimitError,
    TransportError,
)

pytestmark = pytest.mark.anyio

EMPTY = {"annotations": []}
DATASET = "jane/flowers"
THROTTLED = {"detail": "Request was throttled. Expected available in 1 second."}
OTHER_WORDS = {"detail": "Come back later."}

CALLS = {
    "labels.put": lambda client: client.labels.put("u", "ground-truth", EMPTY),
    "labels.get": lambda client: client.labels.get("u", "ground-truth"),
    "labels.delete": lambda client: client.labels.delete("u", "ground-truth"),
    "samples.get": lambda client: client.samples.get("u"),
    "samples.update": lambda client: client.samples.update("u", priority=1),
    "samples.delete": lambda client: client.samples.delete("u"),
    "samples.list": lambda client: client.samples.list(DATASET),
    "datasets.get": lambda client: client.datasets.get(DATASET),
    "datasets.update": lambda client: client.datasets.update(DATASET, public=False),
    "datasets.delete": lambda client: client.datasets.delete(DATASET),
    "datasets.list": lambda client: client.datasets.list("jane"),
    "releases.get": lambda client: client.releases.get(DATASET, "v1"),
    "issues.list": lambda client: client.issues.list(DATASET),
    "users.me": lambda client: client.users.me(),
    "api_status": lambda client: client.api_status(),
}


@WIRES
@pytest.mark.parametrize(("body", "cls"), [(THROTTLED, RateLimitError), (OTHER_WORDS, DecodeError)], ids=["429", "?"])
@pytest.mark.parametrize("call", CALLS)
async def test_success_that_only_has_a_detail(connect, call, body, cls):
    """The official SDK looks for "throttled" in such bodies; nothing was done, also where nothing is expected."""
    with RawServer(lambda peer, _: peer.send(answer(body))) as api, within(3):
        async with connect(api.url, retry=ONCE) as client:
            with pytest.raises(cls) as caught:
                await CALLS[call](client)

    assert body["detail"] in str(caught.value) or cls is DecodeError
    assert len(api.requests) == 1


@WIRES
@pytest.mark.parametrize("call", ["labels.put", "labels.get"])
@pytest.mark.parametrize("body", [{}, {"uuid": "u"}, {"score": 1}], ids=str)
async def test_label_that_is_none(connect, call, body):
    """A label has a status or attributes."""
    with RawServer(lambda peer, _: peer.send(answer(body))) as api, within(3):
        async with connect(api.url, retry=ONCE) as client:
            with pytest.raises(DecodeError):
                await CALLS[call](client)


@WIRES
@pytest.mark.parametrize("body", [OTHER_WORDS, {}], ids=str)
async def test_labels_that_were_perhaps_put(connect, body):
    """In a bulk run such an answer counts as lost: the outcome is unknown, and the item is worth another run."""
    with RawServer(lambda peer, _: peer.send(answer(body))) as api, within(3):
        async with connect(api.url, retry=ONCE) as client:
            report = await client.labels.put_many([LabelPut("u", EMPTY, labelset="gt"), LabelPut("v", EMPTY)])

    assert [outcome.status for outcome in report.results] == ["unknown", "unknown"]
    assert [type(outcome.error) for outcome in report.results] == [DecodeError, DecodeError]
    assert len(report.retry_items) == 2


@WIRES
@pytest.mark.parametrize("run", ["put_many", "delete_many"])
async def test_throttled_with_success(connect, run):
    """What was refused so is sent again; in the end it is done."""

    def script(peer, request):
        throttled = request.number < 2
        peer.send(answer({"detail": "Request was throttled."} if throttled else {"attributes": EMPTY}))

    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            items = [LabelPut("u", EMPTY, labelset="gt")] if run == "put_many" else ["u"]
            report = await getattr(client.labels, run)(items, **({"labelset": "gt"} if run == "delete_many" else {}))

    assert str(report) == "1 item: 1 done"
    assert report.throttled == 2
    assert len(api.requests) == 3


@WIRES
async def test_byte_order_mark(connect):
    """JSON with a mark before it is JSON, in results and in errors."""

    def script(peer, request):
        if request.path == "/user":
            peer.send(answer(b'\xef\xbb\xbf{"username": "jane"}'))
        else:
            peer.send(answer(b'\xef\xbb\xbf{"detail": "Not yours."}', 403))

    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            assert (await client.users.me()).username == "jane"
            with pytest.raises(AuthorizationError) as caught:
                await client.request("GET", "/x/")

    assert caught.value.detail == "Not yours."


@WIRES
async def test_not_modified(connect):
    """A 304 redirects nowhere."""
    with RawServer(lambda peer, _: peer.send(head(304))) as api, within(3):
        async with connect(api.url) as client:
            with pytest.raises(ApiError, match="304 Not Modified") as caught:
                await client.request("GET", "/x/")

    assert caught.value.status == 304
    assert "redirect" not in str(caught.value)
    assert "base_url" not in str(caught.value)


REFUSALS = [
    (400, {"detail": "Dataset jane/roses does not exist."}, NotFoundError),
    (400, ["Labelset gt does not exist"], NotFoundError),
    (400, {"detail": "You need to be an administrator of this dataset."}, AuthorizationError),
    (403, {"detail": "Only administrators can do this."}, AuthorizationError),
    (409, {"detail": "A dataset with this name already exists."}, AlreadyExistsError),
    (409, {"name": ["This name already exists"]}, AlreadyExistsError),
    (403, {"detail": "Invalid API key."}, AuthenticationError),
    (403, {"detail": "Authentication credentials were not provided."}, AuthenticationError),
    (409, {"detail": "Being built."}, ApiError),
    (500, {"detail": "Row already exists"}, ApiError),
]


@WIRES
@pytest.mark.parametrize(("status", "body", "cls"), REFUSALS, ids=lambda part: str(part)[:40])
async def test_class_of_a_refusal(connect, status, body, cls):
    """The status decides, and the service's words refine it."""
    with RawServer(lambda peer, _: peer.send(answer(body, status))) as api, within(3):
        async with connect(api.url, retry=ONCE) as client:
            with pytest.raises(cls) as caught:
                await client.request("GET", "/x/")

    assert caught.value.status == status
    assert isinstance(caught.value, AlreadyExistsError) is (cls is AlreadyExistsError)


@WIRES
@pytest.mark.parametrize("status", [400, 409])
async def test_dataset_whose_creation_got_lost(connect, status):
    """It is there when it is created again, whichever status says so."""
    mine = {}

    def script(peer, request):
        if request.method == "POST" and not mine:
            mine.update(request.json(), full_name=DATASET)
            peer.reset()
        elif request.method == "POST":
            peer.send(answer({"detail": "A dataset with this name already exists."}, status))
        elif request.path == "/user":
            peer.send(answer({"username": "jane"}))
        else:
            late = sum(one.path == request.path for one in api.requests) == 1
            peer.send(answer({"detail": "Not found."}, 404) if late else answer(mine))

    with RawServer(script) as api, within(3):
        async with connect(api.url) as client:
            dataset = await client.datasets.create("flowers", task_type="vector")

    assert dataset.full_name == DATASET
    assert sum(request.method == "POST" for request in api.requests) == 2


WHOLE = b'{"username": "jane", "email": "jane@example.com"}'
ZIPPED = gzip.compress(WHOLE)
CUT = {"half": ZIPPED[: len(ZIPPED) // 2], "no checksum": ZIPPED[:-8], "one byte": ZIPPED[:-1]}


@WIRES
async def test_answer_of_several_gzip_members(connect):
    """They are one answer."""
    members = gzip.compress(WHOLE[:20]) + gzip.compress(WHOLE[20:])
    with RawServer(lambda peer, _: peer.send(answer(members, 200, {"Content-Encoding": "gzip"}))) as api, within(3):
        async with connect(api.url) as client:
            assert (await client.users.me()).email == "jane@example.com"


@WIRES
@pytest.mark.parametrize("cut", CUT)
async def test_answer_that_is_cut_under_gzip(connect, cut):
    """It is lost, whatever its Content-Length said, and asked for again."""
    with RawServer(lambda peer, _: peer.send(answer(CUT[cut], 200, {"Content-Encoding": "gzip"}))) as api, within(3):
        async with connect(api.url) as client:
            with pytest.raises(TransportError):
                await client.users.me()

    assert len(api.requests) == 3


ODD = "\x1b[31mred\x1b[0m \u202egnp.exe \x07 \x00 \u2028 end"


@WIRES
@pytest.mark.parametrize("place", ["detail", "field", "page", "request id", "location", "reason"])
async def test_messages_are_safe_to_print(connect, place):
    """Control, escape and bidi characters from outside are shown escaped; ids are cut to a sane length."""
    odd_header = "\x1b[31m" + "a" * 5000
    made = {
        "detail": lambda: answer({"detail": ODD}, 400),
        "field": lambda: answer({ODD: [ODD]}, 400),
        "page": lambda: answer(f"<title>{ODD}</title>".encode(), 502),
        "request id": lambda: answer({"detail": "no"}, 400, {"X-Request-Id": odd_header}),
        "location": lambda: answer(b"", 302, {"Location": "/" + odd_header}),
        "reason": lambda: answer({"detail": "no"}, "400 \x1b[31mred"),
    }
    with RawServer(lambda peer, _: peer.send(made[place]())) as api, within(3):
        async with connect(api.url, retry=ONCE) as client:
            with pytest.raises((ApiError, TransportError)) as caught:
                await client.request("GET", "/x/")

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2_000
    assert len(getattr(caught.value, "request_id", None) or "") <= 500
