"""Any bytes and any headers as a webhook end in an event or a `WebhookError`; at the route, in a documented status."""

from __future__ import annotations

import time

import anyio
import pytest
from fastapi import FastAPI
from hypothesis import given, strategies as st

from segments_async import WebhookError
from segments_async.fastapi import WebhookRouter
from segments_async.models.webhooks import EVENTS
from segments_async.webhooks import WebhookEvent, message_id, parse, sign, verify

SECRET = "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM"
NAMES = [f"{family}-{part}" for family in ("svix", "webhook", "Svix") for part in ("id", "timestamp", "signature")]
NUMBERS = ["0", "-1", "1e400", "inf", "nan", "9" * 400, "9" * 5000, "\u0661\u0662", "1_000", " 7 ", "0x10", "1.5", ""]
VALUES = st.one_of(
    st.sampled_from([*NUMBERS, "v1,AAAA", "v1,A===", "v1", ",", "v1,,", "v2,AAAA v1,AAAA"]),
    st.builds(lambda: str(int(time.time()))),
    st.text(max_size=20),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
HEADERS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), VALUES, max_size=9)
COMPLETE = st.fixed_dictionaries(dict.fromkeys(NAMES[:3], VALUES))
KINDS = [f'"{kind}"'.encode() for kind in EVENTS]
FRAGMENTS = [b'{"event_type":', *KINDS, b',"object":', b"{}", b"}", b"[", b"null", b"1e999"]
BODIES = st.binary(max_size=50) | st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3)).map(b"".join)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])).map(str.encode)


def result_of(function, *arguments):
    """Return what it returns, or the one error that it may raise."""
    try:
        return function(*arguments)
    except WebhookError as error:
        return error


@given(BODIES, HEADERS | COMPLETE)
def test_unsigned(body, headers):
    with pytest.raises(WebhookError) as caught:
        verify(body, headers, SECRET)
    assert caught.value.status == 400
    assert str(caught.value).isprintable()


@given(BODIES | TEXTS, st.dictionaries(st.sampled_from(NAMES[:3]), VALUES))
def test_signed(body, changes):
    """An event, or genuine and no event, or refused for what was changed."""
    try:
        signed = sign(body, SECRET)
    except ValueError:
        return  # not UTF-8, so it cannot be signed
    headers = signed | changes
    result = result_of(verify, body, headers, SECRET)
    if isinstance(result, WebhookError):
        assert result.status == (400 if headers != signed or not body else 200)
    else:
        assert isinstance(result, WebhookEvent)


@given(BODIES)
def test_parsed(body):
    result = result_of(parse, body)
    assert isinstance(result, WebhookEvent | WebhookError)
    assert isinstance(result, WebhookEvent) or str(result).isprintable()


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES | st.none() | st.integers()))
def test_message_id(headers):
    assert isinstance(result_of(message_id, headers), str | WebhookError)


@pytest.fixture(scope="module")
def application():
    hooks = WebhookRouter(SECRET, max_body=60)

    @hooks.on(WebhookEvent)
    async def seen(event):
        pass

    app = FastAPI()
    app.include_router(hooks, prefix="/hooks")
    return app


async def status_of(app, body, headers):
    """Send raw bytes past any client, which would refuse some of them."""
    messages = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    scope = {"type": "http", "method": "POST", "path": "/hooks", "query_string": b"", "headers": headers}
    with anyio.fail_after(10):
        await app({**scope, "http_version": "1.1", "scheme": "http", "server": ("test", 80)}, receive, send)
    return messages[0]["status"]


RAW_NAMES = [name.encode() for name in [*NAMES, "content-type", "content-length", "host"]]
RAW_VALUES = st.binary(max_size=12) | st.sampled_from([*(number.encode() for number in NUMBERS), b"v1,AAAA"])
RAW = st.lists(st.tuples(st.sampled_from(RAW_NAMES), RAW_VALUES), max_size=8)


@given(BODIES, RAW, st.booleans())
def test_at_the_route(application, body, raw, is_signed):
    """Never a 5xx, whatever is sent; 204 only for what is signed."""
    signed = []
    if is_signed:
        try:
            signed = [(name.encode(), value.encode()) for name, value in sign(body, SECRET).items()]
        except ValueError:
            is_signed = False
    status = anyio.run(status_of, application, body, signed + raw)
    assert status in {200, 204, 400, 413}
    assert status in {400, 413} or is_signed
