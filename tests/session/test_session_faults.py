"""Single calls and faults of the service: the right error, with all details, after the right number of requests."""

from __future__ import annotations

import httpx
import pytest
from waiting import LIMIT, until

from segments_async import (
    AlreadyExistsError,
    ApiError,
    AsyncSegments,
    AuthenticationError,
    AuthorizationError,
    ConnectError,
    DecodeError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    SubscriptionError,
    TransportError,
    ValidationError,
)

pytestmark = pytest.mark.anyio

BOX = {"format_version": "0.1", "annotations": []}
ROSE = {"name": "rose", "attributes": {"image": {"url": "https://example.com/rose.jpg"}}}


@pytest.fixture
def anyio_backend(way):
    return "trio" if way == "trio" else "asyncio"


@pytest.fixture
async def patient(open_client, options, anyio_backend):
    async with open_client(**options) as client:
        yield client


async def get(world):
    await world.client.samples.get(world.uuid)


async def put(world):
    await world.client.labels.put(world.uuid, "ground-truth", BOX)


async def patch(world):
    await world.client.samples.update(world.uuid, priority=3)


async def delete(world):
    await world.client.labels.delete(world.uuid)


async def post(world):
    await world.client.request("POST", "/datasets/sandbox/flowers/samples/", json=ROSE)


def explained(world, method, refusal):
    """A label that is not found costs one request for its sample, which is another one, and not tried again either."""
    return [("GET", f"/samples/{world.uuid}/")] if refusal == "404" and method in {"PUT", "DELETE"} else []


METHODS = {"GET": get, "PUT": put, "PATCH": patch, "DELETE": delete, "POST": post}

REFUSALS = {
    "401": ({"status": 401}, AuthenticationError, "Unauthorized."),
    "403": ({"status": 403}, AuthorizationError, "Forbidden."),
    "403-no-credentials": (
        {"status": 403, "json": {"detail": "Authentication credentials were not provided."}},
        AuthenticationError,
        "credentials were not provided",
    ),
    "404": ({"status": 404}, NotFoundError, "Not Found."),
    "400-fields": (
        {"status": 400, "json": {"attributes": {"image": ["This field is required."]}}},
        ValidationError,
        "attributes.image: This field is required.",
    ),
    "400-exists": (
        {"status": 400, "json": {"name": ["Sample with this name already exists."]}},
        AlreadyExistsError,
        "already exists",
    ),
    "402": ({"status": 402, "json": {"detail": "Free trial ended."}}, SubscriptionError, "Free trial ended."),
    "413": ({"status": 413, "body": "<html><title>413 Too big</title></html>"}, ApiError, "413 Too big"),
    "302": ({"status": 302, "headers": {"Location": "https://elsewhere.test/"}}, ApiError, "https://elsewhere.test/"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refusal(world, method, refusal):
    """The class fits the status, the message has all details, and a refused request is not repeated."""
    script, cls, words = REFUSALS[refusal]
    world.sandbox.fail(method, "*", times=None, **script)

    with pytest.raises(ApiError) as caught:
        await METHODS[method](world)

    error = caught.value
    call, *others = world.sandbox.calls
    assert [(other.method, other.path) for other in others] == explained(world, method, refusal)
    assert type(error) is cls
    assert error.status == script["status"]
    assert (error.method, error.url) == (method, world.sandbox.url + call.path)
    assert error.request_id == call.request_id
    for part in (str(error.status), method, error.url, words, call.request_id):
        assert part in str(error)
    assert world.clock.slept == []
    if refusal == "400-fields":
        assert error.fields == {"attributes.image": ["This field is required."]}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(500, None, id="500-html"),
        pytest.param(502, None, id="502-html"),
        pytest.param(503, None, id="503-html"),
        pytest.param(500, '{"detail": "row already exists"}', id="500-wording"),
    ],
)
async def test_server_error(world, method, status, body):
    """A page of HTML is a ServerError; all but the POST are sent again, with growing waits."""
    world.sandbox.fail(method, "*", times=None, status=status, body=body)

    with pytest.raises(ServerError) as caught:
        await METHODS[method](world)

    assert type(caught.value) is ServerError
    assert caught.value.status == status
    assert "<html>" not in str(caught.value)
    assert len(world.sent) == (1 if method == "POST" else 3)
    assert world.clock.slept == ([] if method == "POST" else [0.125, 0.25])


@pytest.mark.parametrize("method", METHODS)
async def test_throttled(world, method):
    """A 429 was refused before any work was done, so even the POST is sent again, after the named wait."""
    world.sandbox.fail(method, "*", times=None, status=429, headers={"Retry-After": "40"})

    with pytest.raises(RateLimitError) as caught:
        await METHODS[method](world)

    assert caught.value.retry_after == 40
    assert len(world.sent) == 2
    assert world.clock.slept == [pytest.approx(41.0)]  # a second such wait would end after `total`


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST"])
@pytest.mark.parametrize(
    "body", [pytest.param('{"uuid": ', id="cut-json"), pytest.param("<html>Sign in</html>", id="html")]
)
async def test_answer_that_is_not_json(world, method, body):
    """An invalid body with status 200 is a DecodeError that names the call and keeps the body."""
    world.sandbox.fail(method, "*", times=None, status=200, body=body)

    with pytest.raises(DecodeError) as caught:
        await METHODS[method](world)

    [call] = world.sandbox.calls
    error = caught.value
    assert (error.status, error.method, error.request_id) == (200, method, call.request_id)
    assert error.url == world.sandbox.url + call.path
    assert error.payload == body
    for part in ("200", method, error.url, call.request_id):
        assert part in str(error)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
async def test_empty_answer(world, method):
    world.sandbox.fail(method, "*", times=None, status=200, body=b"")

    with pytest.raises(DecodeError):
        await METHODS[method](world)

    assert len(world.sent) == 1


async def test_answer_of_another_shape(world):
    """The error for JSON that is not a sample names the place."""
    world.sandbox.fail("GET", "*", status=200, json={"uuid": 7, "name": "violet"})

    with pytest.raises(DecodeError, match="uuid") as caught:
        await get(world)

    assert caught.value.path == "uuid"
    assert caught.value.payload == {"uuid": 7, "name": "violet"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("drop", ["before", "after"])
async def test_cut_connection(world, method, drop):
    """A lost answer is a TransportError after three attempts; for the POST the outcome is unknown after one."""
    fault = world.sandbox.fail(method, "*", times=None, drop=drop)

    with pytest.raises(TransportError) as caught:
        await METHODS[method](world)

    error = caught.value
    assert type(error) is (OutcomeUnknownError if method == "POST" else TransportError)
    assert error.sent
    assert fault.hits == (1 if method == "POST" else 3)
    assert len(world.clock.slept) == fault.hits - 1
    assert f"on {method} {world.sandbox.url}/" in str(error)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST"])
async def test_truncated_answer(world, method):
    fault = world.sandbox.fail(method, "*", times=None, drop="middle")

    with pytest.raises(TransportError) as caught:
        await METHODS[method](world)

    assert type(caught.value) is (OutcomeUnknownError if method == "POST" else TransportError)
    assert fault.hits == (1 if method == "POST" else 3)


@pytest.mark.parametrize("method", METHODS)
async def test_no_answer_in_time(world, method, open_client, options):
    """After a read timeout the outcome is unknown, as after a cut connection."""
    fault = world.sandbox.fail(method, "*", times=None, delay=1)

    async with open_client(timeout=httpx.Timeout(LIMIT, read=0.05), **options) as world.client:
        with pytest.raises(TransportError) as caught:
            await METHODS[method](world)

    assert type(caught.value) is (OutcomeUnknownError if method == "POST" else RequestTimeoutError)
    assert isinstance(caught.value, TimeoutError) is (method != "POST")
    hits = 1 if method == "POST" else 3
    await until(lambda: fault.hits >= hits)
    assert fault.hits == hits


@pytest.mark.parametrize("method", METHODS)
async def test_connection_refused(method, open_client, options, closed_port, clock):
    """Nothing was sent, so even the POST is repeated; finally it is a ConnectError."""
    async with open_client(base_url=f"http://127.0.0.1:{closed_port}", **options) as client:
        with pytest.raises(ConnectError) as caught:
            await client.request(method, "/user")

    assert not caught.value.sent
    assert clock.slept == [0.125, 0.25]
    assert caught.value.__notes__ == ["sent 3 times"]


async def test_unknown_host(open_client, options):
    async with open_client(base_url="http://nowhere.invalid", **options) as client:
        with pytest.raises(ConnectError, match=r"on GET http://nowhere\.invalid/user"):
            await client.request("GET", "/user")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_answer_that_is_not_http(method, open_client, options, serving):
    """Garbage on the wire is a lost connection, not a crash of the HTTP library."""

    def garbage(connection):
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    with serving(garbage) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", **options) as client:
            with pytest.raises(TransportError) as caught:
                await client.request(method, "/user")

    assert caught.value.sent
    assert type(caught.value) is (OutcomeUnknownError if method == "POST" else TransportError)


# httpx then leaves its generators halfway, about which trio warns.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
async def test_answer_that_is_not_gzip(world):
    world.sandbox.fail("GET", "*", times=None, status=200, body=b"not compressed", headers={"Content-Encoding": "gzip"})

    with pytest.raises(TransportError, match="could not be decompressed") as caught:
        await get(world)

    assert caught.value.sent


async def test_recovers(world):
    """Two faults of different kinds in a row cost two waits, and no error."""
    world.sandbox.fail("GET", "*", status=502)
    world.sandbox.fail("GET", "*", drop="middle")

    assert (await world.client.samples.get(world.uuid)).uuid == world.uuid
    assert len(world.sent) == 3
    assert world.clock.slept == [0.125, 0.25]


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"status": 502, "handled": True}], ids=["cut", "gateway"])
async def test_delete_whose_answer_was_lost(world, fault):
    """The second DELETE finds nothing, as the first one was carried out: the call succeeds."""
    world.sandbox.fail("DELETE", "*", **fault)

    assert await world.client.labels.delete(world.uuid) is None

    assert [method for method, _ in world.sent] == ["DELETE", "DELETE"]
    assert world.sandbox.calls[-1].status == 404
    assert world.sandbox.label(world.uuid) is None


async def test_delete_of_nothing(world):
    """A 404 without a lost answer before it stays one, also behind a 429."""
    await world.client.labels.delete(world.uuid)
    world.sandbox.fail("DELETE", "*", status=429)

    with pytest.raises(NotFoundError):
        await world.client.labels.delete(world.uuid)


@pytest.mark.parametrize(
    ("jitter", "slept"), [(0.0, [0.0] * 4), (0.5, [0.5, 1.0, 1.5, 1.5]), (0.99, [0.99, 1.98, 2.97, 2.97])]
)
async def test_full_jitter(world, open_client, options, jitter, slept):
    """``random() * min(cap, base * 2 ** (n - 1))``."""
    world.clock.jitter = jitter
    world.sandbox.fail("GET", "*", times=None, status=500)

    async with open_client(retry=RetryPolicy(attempts=5, base=1, cap=3), **options) as world.client:
        with pytest.raises(ServerError):
            await get(world)

    assert world.clock.slept == pytest.approx(slept)


async def test_retry_after_is_a_date(world):
    """It counts from the answer's own Date, so that a wrong clock here does no harm."""
    headers = {"Date": "Fri, 10 Apr 2020 10:00:00 GMT", "Retry-After": "Fri, 10 Apr 2020 10:00:20 GMT"}
    world.sandbox.fail("GET", "*", status=429, headers=headers)

    await get(world)

    assert world.clock.slept == [pytest.approx(20 * 1.025)]


async def test_unavailable_with_retry_after(world):
    """A 503 with ``Retry-After`` is not a failed attempt: it may come more often than `attempts`."""
    world.sandbox.fail("POST", "*", times=5, status=503, headers={"Retry-After": "4"})

    await post(world)

    assert world.clock.slept == [pytest.approx(4.1)] * 5


async def test_wait_beyond_total(world):
    """A wait that would end too late raises at once."""
    world.sandbox.fail("GET", "*", status=429, headers={"Retry-After": "61"})

    with pytest.raises(RateLimitError) as caught:
        await get(world)

    assert caught.value.retry_after == 61
    assert (len(world.sent), world.clock.slept) == (1, [])


async def test_total_bounds_repeating(world, open_client, options):
    """No attempt starts later than `total` after the first."""
    world.sandbox.fail("GET", "*", times=None, status=500)

    async with open_client(retry=RetryPolicy(attempts=100, base=10, cap=10, total=25), **options) as world.client:
        with pytest.raises(ServerError):
            await get(world)

    assert world.clock.slept == [5.0] * 5


@pytest.mark.parametrize("fault", [{"status": 429}, {"status": 500}, {"drop": "before"}], ids=["429", "500", "cut"])
async def test_one_attempt(world, open_client, options, fault):
    """``attempts=1`` turns repeating off, also on a 429."""
    world.sandbox.fail("GET", "*", times=None, **fault)

    async with open_client(retry=RetryPolicy(attempts=1), **options) as world.client:
        with pytest.raises((ApiError, TransportError)):
            await get(world)

    assert (len(world.sent), world.clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("repeatable", "attempts"), [(None, 1), (False, 1), (True, 3)], ids=["default", "never", "allowed"]
)
async def test_repeatability_of_request(world, repeatable, attempts):
    fault = world.sandbox.fail("POST", "*", times=None, drop="before")

    with pytest.raises(TransportError):
        await world.client.request("POST", "/assets/", json={"filename": "a.png"}, repeatable=repeatable)

    assert fault.hits == attempts


async def test_put_that_may_not_be_repeated(world):
    fault = world.sandbox.fail("PUT", "*", times=None, drop="after")

    with pytest.raises(OutcomeUnknownError) as caught:
        await world.client.request("PUT", f"/labels/{world.uuid}/ground-truth/", json=BOX, repeatable=False)

    assert fault.hits == 1
    assert isinstance(caught.value.__cause__, TransportError)


async def test_lost_keep_alive_connection_is_not_unsent(open_client, options, serving):
    """A connection that dies under its second request was perhaps read: a POST must not be sent again."""
    requests = []

    def answer_once(connection):
        for turn in range(2):
            requests.append(connection.recv(65536))
            if turn == 0:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(answer_once) as port:
        async with open_client(base_url=f"http://127.0.0.1:{port}", **options) as client:
            await client.request("GET", "/user")
            with pytest.raises(OutcomeUnknownError):
                await client.request("POST", "/clone", json={})

    assert len([request for request in requests if request.startswith(b"POST")]) == 1


async def test_cause_is_kept(world):
    world.sandbox.fail("GET", "*", times=None, drop="before")

    with pytest.raises(TransportError) as caught:
        await get(world)

    assert isinstance(caught.value.__cause__, httpx.TransportError)


async def test_aiohttp_needs_asyncio(open_client, anyio_backend):
    """On trio, the error says what to use instead."""
    async with open_client(transport="aiohttp") as client:
        if anyio_backend == "trio":
            with pytest.raises(RuntimeError, match="asyncio only"):
                await client.request("GET", "/user")
        else:
            assert (await client.request("GET", "/user"))["username"] == "sandbox"


def test_default_client_is_described():
    assert repr(AsyncSegments("some-secret-key")) == "<AsyncSegments https://api.segments.ai>"
