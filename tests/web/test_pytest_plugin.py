"""The fixtures that come with the package, used in a separate project."""

import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
STRICT = "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
AUTO = STRICT.replace("strict", "auto")
BODY = """
import pytest

async def create(client):
    assert (await client.datasets.create("flowers")).full_name == "sandbox/flowers"
"""


@pytest.fixture
def run(run_pytest):
    """``run(source, *arguments)``: run a test file, and give the outcomes of its tests."""

    def go(source, *arguments, ini=STRICT):
        return run_pytest({"test_it.py": BODY + source}, *arguments, ini=ini)

    return go


ASYNCIO = """
@pytest.mark.asyncio
async def test_one(segments_client, segments_sandbox):
    await create(segments_client)
    assert [call.path for call in segments_sandbox.calls] == ["/user/datasets/"]

@pytest.mark.asyncio
async def test_another(segments_client):
    await create(segments_client)  # each test has a sandbox of its own
"""


def test_under_pytest_asyncio(run):
    assert run(ASYNCIO)[0] == {"passed": 2}


def test_under_pytest_asyncio_alone(run):
    assert run(ASYNCIO, "-p", "no:anyio")[0] == {"passed": 2}


def test_under_pytest_asyncio_in_auto_mode(run):
    assert run(ASYNCIO.replace("@pytest.mark.asyncio", ""), ini=AUTO)[0] == {"passed": 2}


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_under_pytest_asyncio_with_a_loop_for_several_tests(run, scope):
    source = ASYNCIO.replace("mark.asyncio", f'mark.asyncio(loop_scope="{scope}")')
    source = "class TestIt:\n" + source.replace("\n", "\n    ").replace("one(", "one(self, ").replace(
        "another(", "another(self, "
    )
    assert run(source)[0] == {"passed": 2}


ANYIO = ASYNCIO.replace("mark.asyncio", "mark.anyio")


def test_under_the_plugin_of_anyio(run):
    assert run(ANYIO)[0] == {"passed": 4}


def test_under_the_plugin_of_anyio_alone(run):
    assert run(ANYIO, "-p", "no:asyncio", ini="[pytest]\nfilterwarnings = error\n")[0] == {"passed": 4}


def test_a_client_and_a_sandbox_for_other_tests(run):
    """The sandbox is a plain fixture; the error of the client fixture says what to do instead."""
    outcomes, output = run("""
def test_plain(segments_sandbox):
    import httpx
    assert httpx.get(segments_sandbox.url + "/nowhere", trust_env=False).status_code == 404

def test_no_loop(segments_client):
    pass
""")
    assert outcomes == {"passed": 1, "errors": 1}
    assert "mark it with pytest.mark.asyncio or pytest.mark.anyio" in output


CLOCK = """
@pytest.mark.anyio
async def test_waits_cost_nothing(segments_client, segments_sandbox, segments_clock, anyio_backend):
    segments_sandbox.fail("POST", "/user/datasets/", times=2, status=429, headers={"Retry-After": "20"})
    await create(segments_client)
    assert sum(segments_clock.slept) >= 40
    assert len(segments_sandbox.calls) == 3

    segments_sandbox.release_seconds = 3600
    await segments_client.releases.create("sandbox/flowers", "v1")
    assert (await segments_client.releases.get("sandbox/flowers", "v1")).status == "PENDING"
    segments_clock.now += 3600
    assert (await segments_client.releases.get("sandbox/flowers", "v1")).status == "SUCCEEDED"
"""


def test_a_clock_for_both(run):
    assert run(CLOCK)[0] == {"passed": 2}


SHARED = """
import time
from segments_async.sandbox import Sandbox

@pytest.fixture(scope="session")
def segments_sandbox():
    with Sandbox() as sandbox:
        yield sandbox

@pytest.mark.anyio
async def test_time_moves(segments_client, segments_sandbox, segments_clock, anyio_backend):
    segments_sandbox.reset()
    segments_sandbox.release_seconds = 3600
    await create(segments_client)
    await segments_client.releases.create("sandbox/flowers", "v1")
    assert (await segments_client.releases.get("sandbox/flowers", "v1")).status == "PENDING"
    segments_clock.now += 3600
    assert (await segments_client.releases.get("sandbox/flowers", "v1")).status == "SUCCEEDED"

def test_the_clock_of_one_test_is_not_that_of_the_next(segments_sandbox):
    assert segments_sandbox.clock is time.time

def test_without_a_client(segments_clock, segments_sandbox):
    assert segments_sandbox.clock() == segments_clock.now
"""


def test_a_sandbox_for_all_tests_has_the_clock_of_the_test(run):
    assert run(SHARED)[0] == {"passed": 4}


OWN_CLOCK = """
from segments_async.sandbox import Sandbox

@pytest.fixture
def segments_sandbox(segments_clock):
    with Sandbox(user="maria", clock=segments_clock.time) as sandbox:
        yield sandbox

@pytest.mark.anyio
async def test_replaced(segments_clock, segments_sandbox, segments_client, anyio_backend):
    assert (await segments_client.users.me()).username == "maria"
"""


def test_a_project_may_replace_the_sandbox(run):
    assert run(OWN_CLOCK)[0] == {"passed": 2}


ENVIRONMENT = {
    "ALL_PROXY": "http://127.0.0.1:9",
    "http_proxy": "socks5://127.0.0.1:9",
    "NO_PROXY": "]",
    "SEGMENTS_API_KEY": "real-key",
    "SEGMENTS_API_URL": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("source", [ASYNCIO, ASYNCIO.replace("mark.asyncio", "mark.anyio")])
def test_the_environment_does_not_count(run, monkeypatch, source):
    """Neither its proxies, nor its key, nor its URL."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    outcomes, output = run(source)
    assert outcomes in ({"passed": 2}, {"passed": 4}), output


PROBE = """
import sys

def test_nothing_was_imported():
    heavy = {"anyio", "httpx", "starlette", "uvicorn", "attrs", "segments_async.settings", "segments_async.models"}
    assert not {name for name in sys.modules} & heavy
    assert ("segments_async.pytest_plugin" in sys.modules) is (not %s)
"""


@pytest.mark.parametrize("blocked", [False, True])
def test_it_is_off_until_used(pytester, blocked):
    """A start of pytest imports the plugin and the lazy package around it, and not even that if it is blocked."""
    pytester.syspathinsert(ROOT)
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(PROBE % blocked)
    choice = "no:segments_async" if blocked else "segments_async.pytest_plugin"
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    for name, value in environment.items():
        pytester._monkeypatch.setenv(name, value)
    result = pytester.runpytest_subprocess("-p", choice)
    result.assert_outcomes(passed=1)


def test_entry_point():
    """The entry point names a module of the package, which the wheel has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    name = project["project"]["entry-points"]["pytest11"]["segments_async"]
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert (ROOT / f"{name.replace('.', '/')}.py").is_file()
    assert name.partition(".")[0] in wheel
