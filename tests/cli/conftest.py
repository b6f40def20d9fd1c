from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from command_files import PROGRAM, write_lines
from PIL import Image

from segments_async.cli import main
from segments_async.sandbox import Sandbox

CATEGORIES = [{"name": "rose", "id": 1}, {"name": "tulip", "id": 2}]


class Command:
    """
    Run commands against one sandbox.

    Attributes:
        env: The environment of the commands; keys and caches are kept in a folder of the test.
    """

    def __init__(self, sandbox, folder, monkeypatch, capsys):
        self.sandbox = sandbox
        self._capsys = capsys
        variables = {
            "SEGMENTS_API_URL": sandbox.url,
            "SEGMENTS_API_KEY": sandbox.api_key,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "COLUMNS": "",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("COLUMNS")

    def __call__(self, *arguments):
        """Run a command in this process; return its status, its output and its errors."""
        self._capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *self._capsys.readouterr()

    def json(self, *arguments):
        """Run a command that must succeed in this process; return the objects that it prints."""
        status, output, errors = self(*arguments, "--json")
        assert status == 0, errors
        return [json.loads(line) for line in output.splitlines()]

    def process(self, *arguments, text="", **options):
        """Run the real command in a process of its own, with *text* on its standard input."""
        command = [*PROGRAM, *map(str, arguments)]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60, **options)

    def shell(self, script):
        """Run a script of bash in which ``segments-async`` is the command."""
        program = f'segments-async() {{ "{sys.executable}" -m segments_async "$@"; }}\n'
        return subprocess.run(
            ["bash", "-c", program + script], capture_output=True, text=True, check=False, timeout=60, env=os.environ
        )


@pytest.fixture(scope="session")
def service():
    """One sandbox for all tests of the command line."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def command(service, tmp_path, monkeypatch, capsys):
    """Run commands against an empty sandbox."""
    service.reset()
    return Command(service, tmp_path, monkeypatch, capsys)


@pytest.fixture
def photos(tmp_path):
    """A folder with brackets in its name, and four images."""
    folder = tmp_path / "photos [1]"
    folder.mkdir()
    for number in (1, 2, 3, 10):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"p{number}.png")
    return folder


@pytest.fixture
def flowers(command, tmp_path):
    """The dataset ``sandbox/flowers``; its uuids by name."""
    (tmp_path / "categories.json").write_text(json.dumps(CATEGORIES))
    command.json("datasets", "create", "flowers", "--task-type", "bboxes", "--categories", tmp_path / "categories.json")


@pytest.fixture
def samples(command, flowers, tmp_path):
    """Three samples of ``sandbox/flowers``: their uuids by name."""
    lines = [{"name": f"s{n}.png", "attributes": {"image": {"url": f"https://x.org/{n}.png"}}} for n in range(3)]
    write_lines(tmp_path / "samples.jsonl", lines)
    created = command.json("samples", "create", "flowers", tmp_path / "samples.jsonl")
    return {line["key"]: line["uuid"] for line in created}
