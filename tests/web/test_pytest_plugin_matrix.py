"""The fixtures beside other versions of pytest, pytest-asyncio and other plugins, in virtual environments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from attrs import field, frozen

ROOT = Path(__file__).parents[2]
OTHERS = ("pytest-xdist", "pytest-randomly", "pytest-cov")
SCOPES = ("class", "module", "package", "session")

UNRELATED = """
import sys
import pytest

def test_plain():
    assert not {"segments_async.settings", "segments_async.sandbox", "uvicorn"} & sys.modules.keys()

@pytest.mark.parametrize("number", range(3))
def test_parameters(number, tmp_path):
    pass
"""
UNRELATED_ASYNC = """
import asyncio
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def value():
    await asyncio.sleep(0)
    yield 1

@pytest.mark.asyncio
async def test_async(value):
    assert value == 1
"""
PLAIN = """
import httpx

def test_sandbox(segments_sandbox, segments_clock):
    assert httpx.get(segments_sandbox.url + "/nowhere", trust_env=False).status_code == 404
    assert segments_sandbox.clock() == segments_clock.now
"""
ANYIO = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_anyio(segments_client):
    assert (await segments_client.datasets.create("flowers")).full_name == "sandbox/flowers"
"""
ASYNCIO = """
import asyncio
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def dataset(segments_client):
    made = await segments_client.datasets.create("flowers")
    yield made.full_name
    await segments_client.datasets.delete(made)

@pytest.mark.asyncio
async def test_asyncio(dataset, segments_client, segments_sandbox):
    assert len(await segments_client.datasets.list()) == 1
    assert len(segments_sandbox.calls) == 2

@pytest.mark.asyncio
async def test_asyncio_waits(segments_client, segments_sandbox, segments_clock):
    segments_sandbox.fail("GET", "/user/datasets/", status=429, headers={"Retry-After": "20"})
    assert await segments_client.datasets.list() == []
    assert sum(segments_clock.slept) >= 20
"""
SCOPED = """
import asyncio
import pytest

class Test{scope}:
    loops = set()

    @pytest.mark.asyncio({argument}="{scope}")
    async def test_one(self, segments_client):
        self.loops.add(asyncio.get_running_loop())
        await segments_client.datasets.create("flowers")

    @pytest.mark.asyncio({argument}="{scope}")
    async def test_two(self, segments_client):
        self.loops.add(asyncio.get_running_loop())
        await segments_client.datasets.create("flowers")
        assert len(self.loops) == 1
"""


@frozen
class Environment:
    """A virtual environment with this package, its dependencies, and the given versions of others."""

    python: Path
    project: Path
    count: list[int] = field(factory=list)

    def run(self, files: dict[str, str], *arguments: str, ini: str = "") -> tuple[dict[str, int], str]:
        """Run a project of *files*; returns the outcomes of its tests, and the output."""
        self.count.append(1)
        package = self.project / f"project{len(self.count)}" / "checks"
        package.mkdir(parents=True)
        for name, source in {"__init__.py": "", **files}.items():
            (package / name).write_text(source, encoding="utf-8")
        (package.parent / "pytest.ini").write_text(f"[pytest]\n{ini}", encoding="utf-8")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHON"))}
        command = [self.python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=package.parent, env=inherited, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        summaries = re.findall(r"^=+ (.+) in [\d.]+s.* =+$", done.stdout, re.MULTILINE) or [""]
        return {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", summaries[-1])}, output


def install(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        problem = (done.stdout + done.stderr).strip()
        if "No matching distribution" in problem and "from versions: none" in problem:
            pytest.skip("there is no package index")
        pytest.fail(problem)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """``environment("pytest==7.4.*", ...)``: an environment with these packages."""
    base = tmp_path_factory.mktemp("environments")
    shared = base / "shared"
    made: dict[tuple[str, ...], Environment] = {}

    def create(*requirements: str) -> Environment:
        if not shared.exists():
            install("--target", shared, f"{ROOT}[sandbox]")
        if requirements not in made:
            home = base / f"environment{len(made)}"
            venv.create(home, symlinks=os.name != "nt")
            python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            query = "import sysconfig; print(sysconfig.get_path('purelib'))"
            packages = subprocess.run([python, "-c", query], capture_output=True, text=True, check=True).stdout.strip()
            Path(packages, "shared.pth").write_text(str(shared), encoding="utf-8")
            install("--target", packages, *requirements)
            made[requirements] = Environment(python, home)
        return made[requirements]

    return create


def check(environment: Environment, release: tuple[int, int]) -> None:
    """Run tests that use the fixtures, and tests that do not, in each way that a project may run them."""
    unrelated = {"test_plain.py": UNRELATED, "test_async.py": UNRELATED_ASYNC}
    strict = "asyncio_mode = strict\n"
    if release >= (1, 0):  # older ones leave event loops unclosed
        strict += "filterwarnings = error\n"
    if release >= (0, 24):
        strict += "asyncio_default_fixture_loop_scope = function\n"
    for arguments in ((), ("-n", "2"), ("--cov=checks",), ("-p", "no:randomly"), ("-p", "no:segments_async")):
        outcomes, output = environment.run(unrelated, *arguments)
        assert outcomes.get("passed") == 5, output
        assert not outcomes.keys() & {"failed", "error"}, output
    outcomes, output = environment.run(unrelated, "--asyncio-mode=auto")
    assert outcomes.get("passed") == 5, output
    outcomes, output = environment.run({"test_plain.py": UNRELATED}, "-p", "no:asyncio", "-p", "no:anyio")
    assert outcomes.get("passed") == 4, output

    using = {"test_plain.py": PLAIN, "test_anyio.py": ANYIO, "test_asyncio.py": ASYNCIO}
    for arguments in ((), ("-n", "2"), ("--cov=checks",), ("-p", "no:randomly", "-p", "no:xdist")):
        outcomes, output = environment.run(using, *arguments, ini=strict)
        assert outcomes == {"passed": 4}, output
    automatic = {"test_asyncio.py": ASYNCIO.replace("@pytest.mark.asyncio\n", "")}
    outcomes, output = environment.run(automatic, ini=strict.replace("strict", "auto"))
    assert outcomes == {"passed": 2}, output
    outcomes, output = environment.run({"test_anyio.py": ANYIO}, "-p", "no:asyncio")
    assert outcomes == {"passed": 1}, output


def check_scopes(environment: Environment, release: tuple[int, int]) -> None:
    """Run tests that share an event loop; pytest-asyncio has such loops from 0.23."""
    argument = "scope" if release < (0, 24) else "loop_scope"
    files = {f"test_{scope}.py": SCOPED.format(scope=scope, argument=argument) for scope in SCOPES}
    outcomes, output = environment.run(files, "-p", "no:randomly")
    assert outcomes.get("passed") == 8, output
    assert not outcomes.keys() & {"failed", "error"}, output


MATRIX = [
    # pytest, pytest-asyncio
    ("7.0", "0.21.0"),
    ("7.4", "0.21.2"),
    ("7.4", "0.23.8"),
    ("8.2", "0.23.8"),
    ("8.2", "0.24.0"),
    ("8.3", "0.25.3"),
    ("8.4", "0.26.0"),
    ("8.4", "1.0.0"),
    ("8.4", "1.1.0"),
    ("8.4", "1.2.0"),
    ("9.0", "1.3.0"),
    ("9.0", "1.4.0"),
]


def numbers(version: str) -> tuple[int, int]:
    major, minor, *_ = map(int, version.split("."))
    return major, minor


@pytest.mark.full
@pytest.mark.parametrize(("of_pytest", "of_asyncio"), MATRIX)
def test_matrix(environment, of_pytest, of_asyncio):
    made = environment(f"pytest=={of_pytest}.*", f"pytest-asyncio=={of_asyncio}", *OTHERS)
    check(made, numbers(of_asyncio))
    if numbers(of_asyncio) >= (0, 23):
        check_scopes(made, numbers(of_asyncio))


@pytest.mark.full
def test_the_newest(environment):
    made = environment("pytest", "pytest-asyncio", *OTHERS)
    check(made, (9, 9))
    check_scopes(made, (9, 9))


@pytest.mark.full
def test_without_pytest_asyncio(environment):
    made = environment("pytest", *OTHERS)
    outcomes, output = made.run({"test_plain.py": UNRELATED})
    assert outcomes == {"passed": 4}, output
    outcomes, output = made.run({"test_plain.py": PLAIN, "test_anyio.py": ANYIO})
    assert outcomes == {"passed": 2}, output


@pytest.mark.full
def test_an_old_pytest_asyncio(environment):
    """A version that is too old breaks no run; the fixture says which it needs."""
    made = environment("pytest==7.4.*", "pytest-asyncio==0.20.3")
    outcomes, output = made.run({"test_plain.py": UNRELATED, "test_asyncio.py": ASYNCIO})
    assert outcomes == {"passed": 4, "error": 2}, output
    assert "requires pytest-asyncio 0.21 or newer, not 0.20.3" in output


@pytest.mark.full
def test_blocked_sockets(environment):
    """The event loop of a test needs a pair of Unix sockets; nothing else needs any."""
    made = environment("pytest", "pytest-asyncio", "pytest-socket")
    files = {"test_anyio.py": ANYIO, "test_asyncio.py": ASYNCIO}
    ini = "filterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    outcomes, output = made.run(files, "--disable-socket", "--allow-unix-socket", ini=ini)
    assert outcomes == {"passed": 3}, output


@pytest.mark.slow
@pytest.mark.parametrize(("of_pytest", "of_asyncio"), [("7.4", "0.21.2"), ("8.4", "1.0.0")])
def test_corners(environment, of_pytest, of_asyncio):
    """Two versions that used to break every run, also of projects that do not use this package."""
    made = environment(f"pytest=={of_pytest}.*", f"pytest-asyncio=={of_asyncio}")
    outcomes, output = made.run({"test_plain.py": UNRELATED, "test_async.py": UNRELATED_ASYNC})
    assert outcomes.get("passed") == 5, output
    outcomes, output = made.run({"test_plain.py": PLAIN, "test_anyio.py": ANYIO, "test_asyncio.py": ASYNCIO})
    assert outcomes.get("passed") == 4, output
