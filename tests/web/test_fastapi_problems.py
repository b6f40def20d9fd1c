"""What the end user sees when the service, or this server, fails: an honest error, and no secret."""

import logging

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import Response
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from segments_async import (
    AsyncSegments,
    AuthorizationError,
    BulkError,
    BulkReport,
    ClientStateError,
    CollaboratorError,
    Label,
    LabelPut,
    NotFoundError,
    OutcomeUnknownError,
    ReleaseFailedError,
    RequestTimeoutError,
    RetryPolicy,
    SubscriptionError,
    ValidationError,
    WebhookError,
    errors,
)
from segments_async.fastapi import PROBLEM_RESPONSES, Segments, add_error_handlers, lifespan, own_choice
from segments_async.fastapi.problems import _status_and_detail

RAW = "raw words of the server, key sandbox-key"


@pytest.fixture
def app(sandbox):
    app = FastAPI(
        lifespan=lifespan(
            lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url, retry=RetryPolicy(attempts=1), timeout=0.5)
        )
    )
    add_error_handlers(app)

    @app.get("/datasets/{owner}/{name}")
    async def get(owner: str, name: str, client: Segments) -> str:
        return (await client.datasets.get(f"{owner}/{name}")).full_name

    @app.post("/datasets/{name}")
    async def create(name: str, client: Segments) -> str:
        return (await client.datasets.create(name)).full_name

    @app.get("/training")
    async def training(client: Segments) -> str:
        with own_choice():
            return (await client.datasets.get("sandbox/training")).full_name

    return app


@pytest.fixture
def web(app):
    with TestClient(app) as web:
        yield web


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param({"status": 401, "json": {"detail": RAW}}, 502, id="401"),
        pytest.param({"status": 403, "json": {"detail": RAW}}, 502, id="403"),
        pytest.param({"status": 402, "json": {"detail": RAW}}, 502, id="402"),
        pytest.param({"status": 404, "json": {"detail": RAW}}, 404, id="404"),
        pytest.param({"status": 400, "json": {"name": [RAW]}}, 422, id="400"),
        pytest.param({"status": 400, "json": {"detail": f"{RAW} already exists"}}, 409, id="exists"),
        pytest.param({"status": 429, "json": {"detail": RAW}, "headers": {"Retry-After": "7"}}, 503, id="429"),
        pytest.param({"status": 418, "json": {"detail": RAW}}, 502, id="418"),
        pytest.param({"status": 500, "body": RAW}, 502, id="500"),
        pytest.param({"status": 503, "body": RAW}, 502, id="503"),
        pytest.param({"status": 200, "body": RAW}, 502, id="no JSON"),
        pytest.param({"status": 200, "json": {"name": 7, "text": RAW}}, 502, id="another JSON"),
        pytest.param({"drop": "before"}, 502, id="cut"),
        pytest.param({"delay": 3}, 504, id="too slow"),
    ],
)
def test_what_the_end_user_sees(sandbox, web, caplog, fault, status):
    sandbox.fail("GET", "/datasets/*", times=None, **fault)
    response = web.get("/datasets/jane/flowers")

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert "raw words" not in response.text
    assert sandbox.api_key not in response.text
    assert sandbox.api_key not in caplog.text
    if "delay" not in fault and "drop" not in fault:  # there was an answer
        assert problem["request_id"] == sandbox.calls[0].request_id
    assert response.headers.get("retry-after") == ("7" if fault.get("status") == 429 else None)
    assert "GET /datasets/jane/flowers" in caplog.text  # the operator sees more than the end user


def test_a_throttled_call_that_names_no_time(sandbox, web):
    sandbox.fail("GET", "/datasets/*", times=None, status=429)
    assert int(web.get("/datasets/jane/flowers").headers["retry-after"]) >= 1


def test_connection_refused(closed_port):
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments("k", base_url=f"http://127.0.0.1:{closed_port}")))
    add_error_handlers(app)

    @app.get("/")
    async def get(client: Segments) -> None:
        await client.datasets.list()

    with TestClient(app) as web:
        assert web.get("/").status_code == 502


def test_what_the_caller_chose(web):
    assert web.get("/datasets/sandbox/flowers").status_code == 404
    assert web.post("/datasets/flowers").status_code == 200
    assert web.post("/datasets/flowers").status_code == 409
    response = web.get("/datasets/sandbox/..")
    assert response.status_code in {404, 422}  # a client may make one path of the two dots


def test_invalid_arguments_are_named(web):
    response = web.get("/datasets/sandbox/%20")
    assert response.status_code == 422
    assert response.json()["detail"].startswith("dataset: ")


def test_422_names_the_values(app, sandbox):
    """Those that this package refuses, and those that the service refuses, whose words stay in the log."""

    @app.put("/labels")
    async def put(body: LabelPut, client: Segments) -> Label:
        status = body.label_status or "LABELED"
        return await client.labels.put(body.sample_uuid, "x", body.attributes, label_status=status)

    @app.post("/boxes")
    async def box(corners: list[list[float]], client: Segments) -> Label:
        annotation = {"id": 1, "category_id": 1, "type": "bbox", "points": corners}
        return await client.labels.put("u-1", "x", {"annotations": [annotation]})

    refused = {"score": [RAW], "label_status": ['"DONE" is not a valid choice.']}
    sandbox.fail("PUT", "/labels/*", status=400, json=refused)
    with TestClient(app) as web:
        label = web.put("/labels", json={"sample_uuid": "u", "attributes": {}, "label_status": "DONE"})
        point = web.post("/boxes", json=[[1, 2]])

    assert (label.status_code, point.status_code) == (422, 422)
    assert RAW not in label.text
    score, status = label.json()["errors"]
    assert score == {"path": "score", "detail": "The labelling service does not accept this value."}
    assert status["path"] == "label_status"
    assert "Known values: 'LABELED'" in status["detail"]
    assert point.json()["errors"] == [
        {"path": "attributes.annotations[0].points", "detail": "a bbox has two corners, got 1"}
    ]


def test_problems_in_openapi():
    app = FastAPI(responses=PROBLEM_RESPONSES)
    app.get("/datasets/{name}")(lambda name: name)

    with TestClient(app) as web:
        schema = web.get("/openapi.json").json()
    validate(schema)
    responses = schema["paths"]["/datasets/{name}"]["get"]["responses"]
    assert {"200", "404", "409", "422", "502", "503", "504"} == set(responses)
    content = responses["409"]["content"]
    assert list(content) == ["application/problem+json"]
    assert "request_id" in content["application/problem+json"]["schema"]["properties"]


def test_what_the_application_chose(web):
    """Its absence is not the caller's mistake."""
    response = web.get("/training")
    assert response.status_code == 502
    assert response.json()["detail"] == "The labelling service does not have a resource this server needs."


@pytest.mark.parametrize(
    ("error", "status", "own"),
    [
        (ValidationError(400), 422, 502),
        (CollaboratorError(400), 409, 502),
        (errors.InputError("x"), 422, 500),
        (AuthorizationError(403), 502, 502),
        (SubscriptionError(402), 502, 502),
        (OutcomeUnknownError("lost"), 502, 502),
        (RequestTimeoutError("slow"), 504, 504),
        (ReleaseFailedError("jane/flowers", "v1"), 502, 502),
        (BulkError("x", report=BulkReport()), 502, 502),
        (WebhookError("x"), 400, 400),
        (ClientStateError("closed"), 500, 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_other_errors(error, status, own):
    assert _status_and_detail(error)[0] == status
    with pytest.raises(type(error)), own_choice():
        raise error
    assert _status_and_detail(error)[0] == own


def test_a_bulk_run_is_answered_by_its_first_error(sandbox, app, web):
    @app.post("/many/{count}")
    async def many(count: int, client: Segments) -> None:
        items = [{"name": f"{n}", "attributes": {"image": {"url": "https://example.com/a.png"}}} for n in range(count)]
        (await client.samples.create_many("sandbox/flowers", items)).raise_if_failed()

    assert web.post("/many/3").status_code == 404
    sandbox.fail("POST", "*", times=None, status=403)
    assert web.post("/many/3").status_code == 502


def test_every_error_has_a_verdict():
    for name in errors.__dict__:
        cls = getattr(errors, name)
        if isinstance(cls, type) and issubclass(cls, errors.SegmentsError):
            assert 400 <= _status_and_detail(cls.__new__(cls))[0] < 600


def test_a_handler_of_the_application_goes_first(app):
    @app.exception_handler(NotFoundError)
    async def gone(request, error):
        return Response(status_code=410)

    with TestClient(app) as web:
        assert web.get("/datasets/sandbox/flowers").status_code == 410


def test_without_the_call_nothing_changes(sandbox):
    """It is opt-in."""
    app = FastAPI(lifespan=lifespan(lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url)))

    @app.get("/")
    async def get(client: Segments) -> None:
        await client.datasets.get("sandbox/flowers")

    with TestClient(app) as web, pytest.raises(NotFoundError):
        web.get("/")


def test_in_a_web_socket_the_error_stays_an_error(app):
    @app.websocket("/ws")
    async def talk(socket: WebSocket, client: Segments) -> None:
        await socket.accept()
        await client.datasets.get("sandbox/flowers")

    with TestClient(app) as web, pytest.raises(NotFoundError), web.websocket_connect("/ws") as talking:
        talking.receive_text()


def test_the_level_of_the_log(app, caplog):
    """What the application has to mend is an error, the rest a warning."""

    @app.get("/bug")
    async def bug() -> None:
        with own_choice():
            raise errors.InputError("no name", path="dataset")

    with TestClient(app) as web:
        assert web.get("/bug").status_code == 500
        web.get("/datasets/sandbox/flowers")
    levels = [record.levelno for record in caplog.records if record.name == "segments_async"]
    assert levels == [logging.ERROR, logging.WARNING]


@pytest.mark.parametrize("inner_too", [True, False])
def test_a_mounted_application(sandbox, app, inner_too, caplog):
    """It answers by itself, once, if it has handlers of its own; else Starlette answers 500 before those outside."""
    inner = FastAPI()
    if inner_too:
        add_error_handlers(inner)
    app.mount("/inner", inner)

    @inner.get("/datasets/{name}")
    async def get(name: str, client: Segments) -> str:
        return (await client.datasets.get(f"sandbox/{name}")).full_name

    with TestClient(app, raise_server_exceptions=False) as web:
        response = web.get("/inner/datasets/none")
    if inner_too:
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
        assert caplog.text.count("GET /inner/datasets/none") == 1
    else:
        assert (response.status_code, response.text) == (500, "Internal Server Error")
