"""The route for webhooks: genuine events are handled, and anything else is refused."""

import functools
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from svix.webhooks import Webhook

from segments_async import InputError
from segments_async.fastapi import WebhookRouter, verified_webhook
from segments_async.webhooks import LabelUpdated, SampleCreated, UnknownEvent, WebhookEvent, sign

SECRET = "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM"
OTHER = "whsec_FYXIoW6G1POSnxv74vrMiuMf7s4Qi4eS"
# Spaces and order as no library of Python would write them: the route must look at the bytes.
BODY = b'{ "event_type":"label.updated",\n"object" : {"sample_uuid":"u-1"} ,"dataset":"jane/flowers"}'


@pytest.fixture
def ran():
    return []


def open_app(ran, secret=SECRET, **options):
    hooks = WebhookRouter(secret, **options)

    @hooks.on(LabelUpdated)
    async def labelled(event: LabelUpdated) -> None:
        ran.append(("labelled", event.object.sample_uuid))

    @hooks.on(SampleCreated, UnknownEvent)
    def other(event) -> None:
        ran.append(("other", event.event_type))

    @hooks.on(WebhookEvent)
    def everything(event) -> None:
        ran.append(("everything", event.event_type))

    app = FastAPI()
    app.include_router(hooks, prefix="/hooks")
    return TestClient(app)


@pytest.mark.parametrize("family", ["svix", "webhook"])
def test_what_is_genuine_runs(ran, family):
    response = open_app(ran).post("/hooks", content=BODY, headers=sign(BODY, SECRET, family=family))

    assert (response.status_code, response.content) == (204, b"")
    assert ran == [("labelled", "u-1"), ("everything", "label.updated")]


def test_unknown_events_are_handled(ran):
    body = b'{"event_type": "robot.created"}'
    assert open_app(ran).post("/hooks", content=body, headers=sign(body, SECRET)).status_code == 204
    assert ran == [("other", "robot.created"), ("everything", "robot.created")]


def by_svix(secret=SECRET, ago=0.0):
    at = datetime.now(UTC) - timedelta(seconds=ago)
    name, seconds = "msg_1", str(int(at.timestamp()))
    return {
        "svix-id": name,
        "svix-timestamp": seconds,
        "svix-signature": Webhook(secret).sign(name, at, BODY.decode()),
    }


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY, dict, id="unsigned"),
        pytest.param(BODY, lambda: by_svix(OTHER), id="forged"),
        pytest.param(BODY, lambda: by_svix(ago=310), id="stale"),
        pytest.param(BODY, lambda: by_svix(ago=-310), id="of the future"),
        pytest.param(json.dumps(json.loads(BODY)).encode(), by_svix, id="serialized again"),
        pytest.param(BODY.replace(b"jane", b"june"), by_svix, id="altered"),
        pytest.param(b"", by_svix, id="empty"),
        pytest.param(b"\xff", by_svix, id="binary"),
    ],
)
def test_what_is_refused(ran, body, headers, caplog):
    response = open_app(ran).post("/hooks", content=body, headers=headers())

    assert response.status_code == 400
    assert ran == []
    assert SECRET not in response.text + caplog.text
    assert "webhook" in caplog.text


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"{", b'{"event_type": 7}'])
def test_a_genuine_message_that_is_not_an_event(ran, body, caplog):
    """Senders disable an endpoint that refuses for days, so it is accepted; the log names it, to send it again."""
    response = open_app(ran).post("/hooks", content=body, headers=sign(body, SECRET, message_id="msg_7"))

    assert response.status_code == 200
    assert ran == []
    (record,) = (one for one in caplog.records if one.name == "segments_async")
    assert record.levelname == "ERROR"
    assert "webhook msg_7 is genuine, but the webhook is not an event" in record.getMessage()


def test_rotation_without_a_restart(ran):
    secrets = [OTHER]
    app = open_app(ran, secret=lambda: secrets)
    assert app.post("/hooks", content=BODY, headers=by_svix()).status_code == 400
    secrets.append(SECRET)
    assert app.post("/hooks", content=BODY, headers=by_svix()).status_code == 204


def test_a_body_that_is_too_large_is_not_read(ran):
    app = open_app(ran, max_body=len(BODY))
    assert app.post("/hooks", content=BODY, headers=by_svix()).status_code == 204
    assert app.post("/hooks", content=BODY + b" ", headers=by_svix()).status_code == 413


def test_a_route_with_dependencies_of_its_own(ran):
    app = FastAPI()

    def table():
        return ran

    @app.post("/hooks", status_code=204)
    async def receive(
        event: Annotated[WebhookEvent, Depends(verified_webhook(SECRET))], rows: Annotated[list, Depends(table)]
    ) -> None:
        rows.append(event.dataset)

    client = TestClient(app)
    assert client.post("/hooks", content=BODY, headers=by_svix()).status_code == 204
    assert client.post("/hooks", content=BODY, headers=by_svix(OTHER)).status_code == 400
    assert ran == ["jane/flowers"]


@pytest.mark.parametrize("events", [(), (int,), ("label.updated",), (LabelUpdated, None)])
def test_class_that_is_not_an_event(events):
    with pytest.raises(InputError, match="events: expected event classes"):
        WebhookRouter(SECRET).on(*events)


def with_a_yield(event):
    yield


async def with_an_async_yield(event):
    yield


class WithAYield:
    def __call__(self, event):
        yield


async def with_a_client(event, client): ...


def without_the_event(): ...


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (with_a_yield, "with_a_yield contains a yield"),
        (with_an_async_yield, "with_an_async_yield contains a yield"),
        (functools.partial(with_an_async_yield), "contains a yield"),
        (WithAYield(), "contains a yield"),
        (
            with_a_client,
            r"with_a_client\(event, client\) must accept the event as its only argument .*'client'.*verified_",
        ),
        (without_the_event, r"without_the_event\(\) must accept the event"),
        ("labelled", "expected a function, got 'labelled'"),
    ],
)
def test_a_handler_that_would_never_run(handler, words):
    """It would take every event, and answer it with 204 or 500 without having run."""
    with pytest.raises(InputError, match=f"handler: .*{words}"):
        WebhookRouter(SECRET).on(LabelUpdated)(handler)


def test_handlers_of_any_kind(ran):
    class Method:
        async def __call__(self, event, times=1):
            ran.append("object")

    hooks, app = WebhookRouter(SECRET), FastAPI()
    for handler in (ran.append, Method(), functools.partial(lambda name, event: ran.append(name), "partial")):
        assert hooks.on(LabelUpdated)(handler) is handler
    app.include_router(hooks, prefix="/hooks")
    assert TestClient(app).post("/hooks", content=BODY, headers=by_svix()).status_code == 204
    assert [type(ran[0]), *ran[1:]] == [LabelUpdated, "object", "partial"]


@pytest.mark.parametrize("published", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])
@pytest.mark.parametrize("make", [verified_webhook, WebhookRouter])
def test_secrets_that_everybody_knows(make, published):
    """Those in Svix's documentation and in the specification are for tests, not for an endpoint."""
    for secret in (f"whsec_{published}", f" {published}", [SECRET, f"whsec_{published}"]):
        with pytest.raises(InputError, match="example of a documentation"):
            make(secret)
