"""Hooks, the logger, and OpenTelemetry's instrumentations of httpx and aiohttp."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from segments_async import Hooks, InputError, RateLimitError, ServerError

pytestmark = pytest.mark.anyio


class Recorder:
    """Collects the events that hooks receive, in order."""

    def __init__(self) -> None:
        self.events = []
        self.hooks = Hooks(
            on_request=lambda event: self.events.append(("request", event)),
            on_response=lambda event: self.events.append(("response", event)),
            on_retry=lambda event: self.events.append(("retry", event)),
            on_throttle=lambda event: self.events.append(("throttle", event)),
        )

    @property
    def names(self):
        return [name for name, _ in self.events]


async def test_hooks_receive_every_event(sandbox, open_client, clock):
    """A refusal, a failure and a success, each with what a dashboard wants to know."""
    recorder = Recorder()
    sandbox.fail("GET", "/user", status=429, headers={"Retry-After": "7"})
    sandbox.fail("GET", "/user", status=502)
    async with open_client(hooks=recorder.hooks, clock=clock.settings) as client:
        await client.request("GET", "/user")

    assert recorder.names == [
        *("request", "response", "throttle", "retry"),
        *("request", "response", "retry"),
        *("request", "response"),
    ]
    throttle, first, second = (event for name, event in recorder.events if name in {"throttle", "retry"})
    assert throttle.seconds == 7.0
    assert isinstance(first.error, RateLimitError)
    assert (first.status, first.attempt) == (429, 1)
    assert isinstance(second.error, ServerError)
    assert (second.status, second.attempt) == (502, 2)
    answer = recorder.events[-1][1]
    assert (answer.method, answer.url, answer.status) == ("GET", f"{sandbox.url}/user", 200)
    assert answer.request_id == sandbox.calls[-1].request_id
    assert answer.seconds >= 0


async def test_hooks_receive_no_secret(sandbox, open_client, tmp_path):
    """Neither the key nor the signature of a presigned URL."""
    recorder = Recorder()
    async with open_client(hooks=recorder.hooks) as client:
        await client.datasets.create("flowers")
        await client.releases.create("sandbox/flowers", "v1")
        await client.releases.wait("sandbox/flowers", "v1", poll=0.01)
        await client.releases.download("sandbox/flowers", "v1", tmp_path / "v1.json")

    shown = repr(recorder.events)
    assert sandbox.storage_url in shown
    assert "ignature=" not in shown
    assert sandbox.api_key not in shown


@pytest.mark.parametrize("name", ["on_request", "on_response", "on_retry", "on_throttle"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError("x"), InputError("no"), StopAsyncIteration])
async def test_a_hook_that_raises_affects_no_call(sandbox, open_client, clock, caplog, name, error):
    """Hooks only observe: the traceback is logged, and the connection and the slot are free again."""

    def broken(event):
        raise error

    sandbox.fail("GET", "/user", times=3, status=429)
    async with open_client(hooks=Hooks(**{name: broken}), max_connections=1, clock=clock.settings) as client:
        for _ in range(3):
            assert (await client.users.me()).username == "sandbox"
        assert client.stats().in_flight == 0
        assert client.stats().connections_opened == 1

    [record, *_] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.name == "segments_async"
    assert record.exc_info is not None


@pytest.mark.parametrize("name", ["on_request", "on_response", "on_retry", "on_throttle"])
def test_a_hook_that_would_not_be_awaited_is_refused(name):
    async def never_awaited(event):
        pass

    with pytest.raises(InputError, match=f"{name}: expected a function that is not async"):
        Hooks(**{name: never_awaited})


async def test_repeats_are_logged(sandbox, open_client, clock, caplog):
    """INFO for what was sent again, DEBUG for each answer, under one name."""
    caplog.set_level(logging.DEBUG, "segments_async")
    sandbox.fail("GET", "/user", status=503)
    async with open_client(clock=clock.settings) as client:
        await client.request("GET", "/user")

    ours = [record for record in caplog.records if record.name == "segments_async"]
    assert [record.levelname for record in ours] == ["DEBUG", "INFO", "DEBUG"]
    assert "503" in ours[1].getMessage()
    assert sandbox.api_key not in caplog.text


async def test_opentelemetry_sees_each_request(sandbox, open_client, clock):
    """Its instrumentation of httpx works on our connections as on httpx's own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        sandbox.fail("GET", "/user", status=503)
        async with open_client(clock=clock.settings) as client:
            await client.request("GET", "/user")
    finally:
        instrumentor.uninstrument()
        provider.shutdown()

    spans = exporter.get_finished_spans()
    # The attribute's name depends on the version of the conventions.
    status = [{"http.status_code", "http.response.status_code"} & set(span.attributes) for span in spans]
    assert [span.attributes[names.pop()] for span, names in zip(spans, status, strict=True)] == [503, 200]
    assert "traceparent" in sandbox.calls[-1].headers


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("entered", [False, True])
async def test_opentelemetry_sees_requests_over_aiohttp(sandbox, open_client, entered):
    """If it is activated before the first request; also those to the storage host."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = AioHttpClientInstrumentor()
    client = open_client(transport="aiohttp")
    if entered:
        await client.__aenter__()
    instrumentor.instrument(tracer_provider=provider)
    try:
        if not entered:
            await client.__aenter__()
        await client.assets.upload(b"x", filename="a.png")
    finally:
        await client.__aexit__(None, None, None)
        instrumentor.uninstrument()
        provider.shutdown()

    assert [span.name for span in exporter.get_finished_spans()] == ["POST", "POST"]
    assert "traceparent" in sandbox.calls[0].headers
