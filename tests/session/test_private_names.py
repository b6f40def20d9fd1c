"""Only `_http` uses private parts of other libraries, and they exist; httpx and httpcore are pinned for that."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import anyio
import h11
import httpcore
import httpx
import httpx._main
import pytest
from anyio._backends import _asyncio as anyio_asyncio
from httpcore._backends import anyio as httpcore_anyio, trio as httpcore_trio
from httpx._transports import default as httpx_default

import segments_async
from segments_async._http import exchange, lean_import
from segments_async._http.request_body import BytesRequest

PROJECT = Path(__file__).parents[2]
PACKAGE = Path(segments_async.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
OUTSIDE = sorted(name for name in SOURCES if not name.startswith("_http/"))
PRIVATE = re.compile(r"_[a-z]\w*")
PRIVATE_MODULE = re.compile(r"(httpx|httpcore|h11|anyio|aiohttp|trio)(\.\w+)*\._\w+(\.\w+)*")
DOCUMENTED = {"_replace", "_fields", "_asdict", "_getframe", "_repr_html_"}
"""Names that begin with an underscore, and are documented by Python and by IPython."""


@pytest.mark.parametrize("name", ["httpx", "httpcore"])
def test_pinned_to_the_minor_that_is_tested(name):
    """A new minor may rename what is private, so the dependency excludes it until it was tried."""
    requirements = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    major, minor, _ = version(name).split(".")

    [requirement] = [text for text in requirements if text.startswith(f"{name}>=")]
    assert requirement.endswith(f",<{major}.{int(minor) + 1}")


def defined_names(source):
    """The private names that a file defines: functions, classes, variables and attributes of ``self``."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


OURS = {name for source in SOURCES.values() for name in defined_names(source) if PRIVATE.fullmatch(name)}


def private_names_of_others(source):
    """The private modules and attributes of other libraries that a file uses, also in strings."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="httpx" | "httpcore"), attr=name) if PRIVATE.fullmatch(name):
                yield ast.unparse(node)
            case ast.Attribute(attr=name) if PRIVATE.fullmatch(name) and name not in OURS | DOCUMENTED:
                yield ast.unparse(node)
            case ast.Import(names=names):
                yield from (alias.name for alias in names if PRIVATE_MODULE.fullmatch(alias.name))
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{a.name}" for a in names if PRIVATE_MODULE.fullmatch(f"{module}.{a.name}"))
            case ast.Constant(value=str(text)) if PRIVATE_MODULE.fullmatch(text):
                yield text


def test_only_http_uses_private_parts_of_others():
    """They are guarded in one place."""
    used = {name: set(private_names_of_others(SOURCES[name])) for name in OUTSIDE}
    assert {name: found for name, found in used.items() if found} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import httpx._utils",
        "from httpx import _client",
        "from httpx._config import Limits",
        "import_module('httpcore._async')",
        "client._mounts",
        "httpx._main",
    ],
)
def test_private_parts_are_found(source):
    """The test above would notice each of these."""
    assert list(private_names_of_others(source)) != []


def test_transport_has_its_pool_and_backend():
    """`SlotTransport` replaces the pool of an `httpx.AsyncHTTPTransport` with one connection of it."""
    pool = httpx.AsyncHTTPTransport()._pool
    assert isinstance(pool, httpcore.AsyncConnectionPool)
    assert hasattr(pool, "_network_backend")


ORIGIN = httpcore.URL(scheme=b"https", host=b"h", port=None, target=b"/").origin


@pytest.mark.parametrize("proxy", [None, "http://p:1", "socks5://p:1"])
def test_connections_have_their_parts(proxy):
    """A direct connection and those through proxies contain the one that reads and writes."""
    connection = httpx.AsyncHTTPTransport(proxy=proxy)._pool.create_connection(ORIGIN)
    for name in ("handle_async_request", "aclose", "has_expired", "is_closed"):
        assert callable(getattr(connection, name))
    assert hasattr(connection, "_connection")
    assert proxy or hasattr(connection, "_request_lock")


def test_a_connection_has_its_parser_and_its_lock():
    """Unread bytes are in the parser; the lock is replaced by `NoLock`."""
    connection = httpcore.AsyncHTTP11Connection(ORIGIN, None)
    assert connection._h11_state.trailing_data == (b"", False)
    assert hasattr(connection, "_state_lock")


def test_connections_have_the_parts_that_ours_use():
    """`DirectConnection` and `OpenConnection` inherit from those of httpcore, whose stream is that of anyio or trio."""
    direct = httpcore.AsyncHTTPConnection(ORIGIN)
    assert (direct._connection, direct._connect_failed, direct._origin) == (None, False, ORIGIN)
    assert list(signature(direct._connect).parameters) == ["request"]
    connection = httpcore.AsyncHTTP11Connection(ORIGIN, None)
    assert connection._state is type(connection._state).NEW
    assert type(connection._state).ACTIVE
    assert connection._network_stream is connection._expire_at is None
    assert list(signature(connection._response_closed).parameters) == []
    headers = h11.Request(method="GET", target="/", headers=[("Host", "a")]).headers
    assert type(headers)(headers._full_items) == headers
    for backend in (httpcore_anyio.AnyIOStream, httpcore_trio.TrioStream):
        assert backend(ORIGIN)._stream is ORIGIN


def test_body_of_httpx_has_that_of_httpcore():
    """It would only map exceptions, as `map_httpcore_exceptions` does."""
    assert httpx_default.AsyncResponseStream(ORIGIN)._httpcore_stream is ORIGIN
    with pytest.raises(httpx.ReadError), httpx_default.map_httpcore_exceptions():
        raise httpcore.ReadError


def test_layers_of_a_response_lead_to_the_parser(sandbox):
    """A response of an `http_client` is checked for bytes after it, through all layers of httpx and httpcore."""
    seen = []

    async def look(response):
        layer = response.stream
        while layer is not None and not hasattr(layer, "_h11_state"):
            seen.append(type(layer).__name__)
            layer = next((getattr(layer, name) for name in exchange._LAYERS if hasattr(layer, name)), None)
        seen.append(layer is not None)

    async def ask():
        async with httpx.AsyncClient(event_hooks={"response": [look]}) as client:
            await client.get(sandbox.url)

    anyio.run(ask)
    assert seen[-1] is True


def test_streams_of_anyio_have_their_queue():
    """What anyio's asyncio backend has read, and was not requested, belongs to no response."""
    assert {"read_queue", "is_at_eof", "exception"} <= anyio_asyncio.StreamProtocol.__annotations__.keys()
    source = inspect.getsource(anyio_asyncio.SocketStream.__init__)
    assert "self._protocol = " in source
    assert "self._transport = " in source


def test_client_sends_through_what_its_subclass_replaces():
    """`_PlainClient` has its own `_send_handling_auth`, which sends over `_transport`."""
    parameters = list(signature(httpx.AsyncClient._send_handling_auth).parameters)
    assert parameters == ["self", "request", "auth", "follow_redirects", "history"]
    transport = httpx.AsyncHTTPTransport()
    assert httpx.AsyncClient(transport=transport)._transport is transport
    assert "_send_handling_auth" in httpx.AsyncClient.send.__code__.co_names


def test_requests_and_headers_have_their_parts():
    """`BytesRequest` sets what httpx would set, and adds a header."""
    url, headers = httpx.URL("http://h/"), httpx.Headers({"Host": "h", "Content-Type": "a"})
    ours = BytesRequest("put", url, headers, b"abc", {"timeout": {}})
    theirs = httpx.Request("put", url, headers={**headers, "Content-Length": "3"}, content=b"abc")
    assert vars(ours).keys() == vars(theirs).keys()
    assert (ours.method, ours.url, ours.headers, ours.content) == ("PUT", url, theirs.headers, theirs.content)
    assert headers == {"Host": "h", "Content-Type": "a"}


def test_url_has_its_parts():
    """`BaseUrl` replaces the path of an `httpx.URL`, whose other parts are checked once."""
    assert httpx.URL("http://h/a")._uri_reference._replace(path="/b").path == "/b"


def test_client_has_its_cookie_jar():
    """`pooled_client` replaces the jar, which public ways would copy."""
    assert isinstance(httpx.AsyncClient()._cookies, httpx.Cookies)


def test_httpx_has_a_module_for_its_command_line():
    """It is left out of the import."""
    assert httpx._main.__name__ == lean_import._COMMAND


def test_aiohttp_session_has_a_switch_for_its_own_repetitions():
    """The attribute that turns them off."""
    aiohttp = pytest.importorskip("aiohttp")
    assert "_retry_connection" in aiohttp.ClientSession.ATTRS


def test_the_connector_of_aiohttp_has_the_methods_that_ours_overrides():
    """An overridden method that aiohttp no longer calls would be no error."""
    connector = pytest.importorskip("aiohttp").TCPConnector
    for name, parameters in {
        "_create_connection": ["self", "req", "traces", "timeout"],
        "_release": ["self", "key", "protocol", "should_close"],
        "_get": ["self", "key", "traces"],
    }.items():
        assert list(inspect.signature(getattr(connector, name)).parameters) == parameters
    assert re.search(r"self\._factory\b", inspect.getsource(connector.__mro__[1].__init__))


def test_a_connection_of_aiohttp_has_the_parts_that_ours_uses():
    """`Handler` replaces its timer, and `SegmentsAiohttpTransport` writes to it and reads from it."""
    handler = pytest.importorskip("aiohttp.client_proto").ResponseHandler
    for name in ("_reschedule_timeout", "_drop_timeout", "_on_read_timeout", "start_timeout", "read"):
        assert callable(getattr(handler, name))
    assert {"read_timeout", "skip_payload", "read_until_eof", "auto_decompress"} <= {
        *inspect.signature(handler.set_response_params).parameters
    }
    source = inspect.getsource(handler)
    assert re.search(r"self\._read_timeout_handle\b", source)
    assert "self._reschedule_timeout()" in source
    assert "self._drop_timeout" in source
