"""Promises of the package as a whole."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
from public_names import public_names

import segments_async
from segments_async import errors

ROOT = Path(__file__).parent.parent
HEAVY = ("aiohttp", "laspy", "numpy", "PIL", "pydantic", "requests", "sklearn", "starlette", "trio", "uvicorn")


def names_for_type_checkers():
    """Module and name of all that type checkers see the package import."""
    tree = ast.parse(Path(segments_async.__file__).read_text(encoding="utf-8"))
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("segments_async.")
        for alias in node.names
    ]


def test_all_is_sorted_and_complete():
    """Every public name is listed once, and no other."""
    assert sorted(segments_async.__all__) == segments_async.__all__
    assert sorted(name for _, name in names_for_type_checkers()) == segments_async.__all__


@pytest.mark.parametrize(("module", "name"), names_for_type_checkers())
def test_every_name_comes_from_its_declared_module(module, name):
    """A lazily imported name is the one that the package declares for type checkers."""
    assert getattr(segments_async, name) is getattr(import_module(module), name)


def test_names_that_do_not_exist_are_refused():
    """As without lazy imports: an AttributeError or an ImportError; and `dir` lists every public name."""
    with pytest.raises(AttributeError, match="no attribute 'Sampel'"):
        _ = segments_async.Sampel
    with pytest.raises(ImportError, match="Sampel"):
        from segments_async import Sampel  # noqa: F401, PLC0415
    assert set(segments_async.__all__) <= set(dir(segments_async))
    assert set(segments_async._MODULE_OF) <= set(segments_async.__all__)


def test_every_error_is_exported():
    """Every error can be imported by its name."""
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}

    assert classes <= set(segments_async.__all__)


@pytest.mark.parametrize("name", segments_async.__all__)
def test_every_public_name_is_documented(name):
    """Each class and function has a docstring."""
    value = getattr(segments_async, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_version_is_the_newest_in_the_changelog():
    """A release cannot forget one of the two."""
    headings = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert segments_async.__version__ == headings[0]


def in_new_interpreter(code):
    """What *code* prints, word by word."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


IMPORTS = {
    "import segments_async": {"anyio", "attrs", "cattrs", "httpx", "orjson", "segments_async.settings", "ssl"},
    "from segments_async import AsyncSegments": {
        "asyncio",
        "cattrs",
        "httpx",
        "segments_async._http.session",
        "segments_async.bulk",
        "segments_async.models",
        "segments_async.resources",
        "sqlite3",
    },
    "import segments_async; segments_async.AsyncSegments('some-key')": {"asyncio"},
    "from segments_async import *": {"asyncio"},
}
"""What each statement need not load."""


@pytest.mark.parametrize("statement", IMPORTS)
def test_import_is_light(statement):
    """No extra, numpy or other event loop is ever loaded by the core, and the rest when it is first needed."""
    loaded = in_new_interpreter(f"{statement}\nimport sys\nprint(*sys.modules)")

    assert not {*HEAVY, *IMPORTS[statement]} & set(loaded)


def test_httpx_without_its_command():
    """Where click and Rich are installed, httpx would load them; afterwards its command can still be imported."""
    loaded = in_new_interpreter("""
        import sys
        from segments_async import AsyncSegments

        AsyncSegments("some-key")
        assert "httpx" in sys.modules
        print(*{"click", "rich", "pygments", "httpx._main"} & set(sys.modules))
        import httpx._main
    """)

    assert loaded == []


def test_the_first_client_loads_what_calls_need():
    """No call in the event loop waits for an import of the package."""
    loaded = in_new_interpreter("""
        import asyncio, sys
        import httpx
        from segments_async import AsyncSegments, SampleCreate

        NEW = {"name": "a.png", "attributes": {"image": {"url": "https://example.com/a.png"}}}
        SAMPLE = {"uuid": "u-1", **NEW}

        def answer(request):
            return httpx.Response(200, json=[SAMPLE])

        async def main():
            async with AsyncSegments("some-key", transport=httpx.MockTransport(answer)) as client:
                before = set(sys.modules)
                assert len([sample async for sample in client.samples.list("jane/flowers")]) == 1
                report = await client.samples.create_many("jane/flowers", [SampleCreate(**NEW)])
                assert report.succeeded == 1
                print(*set(sys.modules) - before)

        asyncio.run(main())
    """)

    assert not [name for name in loaded if name.startswith("segments_async")]


def test_first_imports_in_threads():
    """Several threads that import different names at once get the same objects."""
    printed = in_new_interpreter("""
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier

        import segments_async

        names = ["AsyncSegments", "BulkReport", "Sample", "open_release", "structure", "Label"] * 2
        start = Barrier(len(names))

        def ask(name):
            start.wait()
            segments_async.AsyncSegments("some-key")
            return getattr(segments_async, name)

        with ThreadPoolExecutor(len(names)) as pool:
            got = list(pool.map(ask, names))
        print(all(thing is getattr(segments_async, name) for name, thing in zip(names, got)))
    """)

    assert printed == ["True"]


def test_modules_are_attributes():
    """`import segments_async` is enough to reach them."""
    modules = ["bulk", "errors", "hooks", "models", "resources", "settings"]
    names = ", ".join(f"segments_async.{module}.__name__" for module in modules)

    assert in_new_interpreter(f"import segments_async; print({names})") == [
        f"segments_async.{name}" for name in modules
    ]


GONE_SINCE_0_1 = {
    "segments_async.Pages": {"__init__(most)"},  # made by the client alone
    "segments_async.Prefetch": {"__init__(begin)"},  # likewise
    "segments_async.ReleaseItems": {"__init__(choice)"},
    "segments_async.ReleaseSamples": {"__init__(pick)", "__init__(opened)"},
    "segments_async.resources.Assets": {
        "upload_traced",
        *(f"upload_traced({name})" for name in ("file", "filename", "path", "trace")),
    },  # never documented
}


def test_public_names_of_0_1_are_still_there():
    """Names, members and parameters; `segments_async.errors.BulkError` alone moved, to `segments_async.BulkError`."""
    promised = json.loads((Path(__file__).parent / "public_names_0_1.json").read_text(encoding="utf-8"))
    today = public_names()

    assert promised.keys() - today.keys() == {"segments_async.errors.BulkError"}
    gone = {name: set(details) - set(today[name]) for name, details in promised.items() if name in today}
    assert {name: details for name, details in gone.items() if details} == GONE_SINCE_0_1
